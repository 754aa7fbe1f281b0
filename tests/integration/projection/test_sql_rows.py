"""The short way to a dossier's row gives what the fold gives, or gives nothing."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.counting.rules.contributions import contributions
from shared.dossiers.rules.dossier import fold
from shared.projection.store import sql_rows
from shared.projection.store.dossier_rows import DossierRow, row_of
from shared.projection.store.sql_rows import PathOutcomes
from shared.vocabulary.events import SYSTEM_SOURCE, DossierCode, Event, Tenant
from tests.support.histories.history import CODE, REQUIRED, logged
from tests.support.histories.random_history import histories

FIRST = datetime(2022, 5, 11, 17, tzinfo=UTC)  # a local midnight
HOURS = (0, 1, 6, 18, 24, 60, 300)
AWAY = (*range(-2, 12), 20, 40, 80, 160, 320)
"""How many times six hours a date lies after its telling."""


@dataclass
class Life:
    """Tells what happens to one dossier, step after step, with dates near its days and now and then the same instant."""

    draw: Callable[[Any], Any]
    now: datetime = FIRST
    events: list[Event] = field(default_factory=list)

    def maybe(self, one_of: int = 2) -> bool:
        return self.draw(st.integers(1, one_of)) == 1

    def tell(self, name: str, *, at: datetime | None = None, **data: Any) -> Event:
        if at is None:
            self.now += timedelta(hours=self.draw(st.sampled_from(HOURS)), microseconds=self.draw(st.integers(0, 1)))
        number = len(self.events)
        source = SYSTEM_SOURCE if name == "due_set" else "s"
        event = logged(name, at or self.now, f"e{number}", source=source, **{**REQUIRED.get(name, {}), **data})
        self.events.append(event)
        return event

    def date(self) -> datetime:
        return self.now + timedelta(hours=6 * self.draw(st.sampled_from(AWAY)))

    def set_date(self, followed: Event) -> None:
        """By the system, for what just happened; or for an event that nobody knows."""
        id_ = "none" if self.maybe(20) else followed.id
        self.tell("due_set", at=followed.time, new_due_at=self.date(), follows={"source": followed.source, "id": id_})

    def receive(self) -> None:
        data: dict[str, Any] = {}
        if self.draw(st.integers(0, 3)):
            data["due_at"] = self.date()
        if self.maybe():
            data["return_method"] = "direct"
        if self.maybe():
            data["flags"] = self.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(FLAGS, st.booleans())))
        if self.maybe(3):
            data["receiving_agency_code"] = self.draw(st.sampled_from(["H51.12", "H51.03", "H51.07", "000.00.07.H51"]))
        received = self.tell("received", **data)
        if self.maybe(3):
            received = self.tell("taken_over")
        if self.maybe(3):
            self.set_date(received)

    def work(self, what: str) -> None:
        match what:
            case "paid":
                if self.maybe(4) is False:
                    amount = self.draw(st.sampled_from([0, 5]))
                    self.tell("payment_requested", fees=[{**REQUIRED["payment_requested"]["fees"][0], "amount_vnd": amount}])
                outcome = self.draw(st.sampled_from(["succeeded", "succeeded", "failed"]))
                self.tell("paid", outcome=outcome, gateway=self.draw(st.sampled_from(["national", "local", "counter"])))
            case "supplemented":
                self.tell("supplement_requested")
                if self.maybe(6):  # while the clock stands still
                    self.work(self.draw(st.sampled_from(["transferred", "extended", "overdue", "rated"])))
                if self.maybe(4):
                    return
                given = self.tell("supplemented", **({"new_due_at": self.date()} if self.maybe(3) else {}))
                if self.maybe(3):
                    self.set_date(given)
            case "extended":
                self.tell("extended", new_due_at=self.date())
            case "due_set":
                self.tell("due_set", new_due_at=self.date(), follows={"source": "s", "id": self.events[0].id})
            case "rated":
                self.tell("rated", satisfied=self.maybe())
            case _:
                self.tell(what)

    def end(self, how: str) -> None:
        results: dict[str, list[list[dict[str, str]]]] = {
            "processed": [[], [{"code": "k"}], [{"code": "k", "url": "https://x.vn/k"}]]
        }
        self.tell(how, **({"results": self.draw(st.sampled_from(results[how]))} if how in results else {}))
        if how == "processed" and self.maybe():
            self.tell("returned")
        if self.maybe(4):
            self.work(self.draw(st.sampled_from(["paid", "rated", "overdue", "extended", "assigned"])))


WORK = (
    "assigned",
    "assigned",
    "paid",
    "supplemented",
    "extended",
    "transferred",
    "overdue",
    "due_set",
    "rated",
    "taken_over",
)


@st.composite
def lives(draw: Callable[[Any], Any]) -> list[Event]:
    """The events of one dossier in the order of its life: most of them plain."""
    life = Life(draw)
    if life.maybe():
        life.tell("submitted")
    life.receive()
    for what in draw(st.lists(st.sampled_from(WORK), max_size=4)):
        life.work(what)
    if life.maybe(4) is False:
        life.end(draw(st.sampled_from(["processed", "processed", "withdrawn", "stopped"])))
    return life.events


FLAGS = ("vneid_verified", "components_digitised", "components_reused", "from_national_store")


def folded(code: DossierCode, events: list[Event]) -> DossierRow:
    dossier = fold(code, [replace(event, position=position) for position, event in enumerate(events, start=1)])
    return row_of(dossier, contributions(dossier), ())


_STORE = """
INSERT INTO event_log (tenant, position, recorded_at, source, id, name, dossier_code, time, data, content_hash)
SELECT 'H51', p, r, s, i, n, c, t, d::jsonb, '\\x00'
FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::text[])
    AS given(p, r, s, i, n, c, t, d)
"""
Lives = list[tuple[DossierCode, list[Event]]]


@dataclass
class Log:
    """A log that holds some dossiers for a moment, each at the position of its number."""

    link: asyncpg.Connection
    known_paths: PathOutcomes = field(default_factory=PathOutcomes)

    async def plain(self, lives: Lives) -> dict[str, DossierRow]:
        """The rows of the plain ones, by code, with the positions that they would have alone."""
        change = self.link.transaction()
        await change.start()
        try:
            rows, firsts = [], {}
            for code, events in lives:
                firsts[code] = len(rows)
                for event in events:
                    data = orjson.dumps(dict(event.data)).decode()
                    rows.append((len(rows) + 1, event.recorded_at, event.source, f"{code} {event.id}", event.name.value,
                                 code, event.time, data.replace('"id":"', f'"id":"{code} ')))  # fmt: skip
            await self.link.execute(_STORE, *(list(column) for column in zip(*rows, strict=True)))
            codes = [code for code, _ in lives]
            found = await sql_rows.read(self.link, Tenant("H51"), codes, len(rows), self.known_paths)
            assert sorted([*found.others, *(row.code for row, _ in found.rows)]) == sorted(codes)
            return {row.code: row._replace(position=row.position - firsts[row.code]) for row, _ in found.rows}
        finally:
            await change.rollback()


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as made:
        yield made


@pytest.fixture
def log(runner: asyncio.Runner, migration_database_url: str) -> Iterator[Log]:
    link = runner.run(asyncpg.connect(migration_database_url, server_settings={"timezone": "UTC"}))
    yield Log(link)
    runner.run(link.close())


CODES = ("H51.12-220512-{:04d}", "H51.12-20220512-{:04d}", "H51.12-230101-{:04d}", "H51.12-229999-{:04d}", "x{}")


def numbered(histories: list[list[Event]], spelling: list[int]) -> Lives:
    """Each history as that of a dossier of its own."""
    lives = []
    for number, (events, spelt) in enumerate(zip(histories, spelling, strict=False)):
        code = DossierCode(CODES[spelt].format(number))
        lives.append((code, [replace(event, dossier_code=code) for event in events]))
    return [(code, events) for code, events in lives if events]


def demand_equal(runner: asyncio.Runner, log: Log, logged: Lives) -> int:
    """Every row that PostgreSQL makes is that of the fold; how many it makes."""
    if not logged:
        return 0
    made = runner.run(log.plain(logged))
    assert made == {code: folded(code, events) for code, events in logged if code in made}
    return len(made)


SPELLINGS = st.lists(st.sampled_from([0, 0, 0, 0, 0, 0, 1, 2, 3, 4]), min_size=12, max_size=12)


def test_the_row_of_a_life_is_that_of_the_fold(runner, log):
    made = logged = 0

    @settings(max_examples=150, deadline=None, database=None)
    @given(batch=st.lists(lives(), min_size=1, max_size=12), spelling=SPELLINGS, seed=st.integers(0, 5))
    def check(batch, spelling, seed):
        nonlocal made, logged
        if seed:  # what arrives late
            batch = [random.Random(seed).sample(events, len(events)) for events in batch]
        logged += len(batch)
        made += demand_equal(runner, log, numbered(batch, spelling))

    check()
    assert made > logged / 8  # else the test would say little


def test_the_row_of_any_history_is_that_of_the_fold_or_none(runner, log):
    @settings(max_examples=150, deadline=None, database=None)
    @given(batch=st.lists(histories(received=True), min_size=1, max_size=12), spelling=SPELLINGS)
    def check(batch, spelling):
        demand_equal(runner, log, numbered(batch, spelling))

    check()


def test_no_number_of_paths_that_are_not_plain_keeps_a_plain_one_out(monkeypatch):
    monkeypatch.setattr(sql_rows, "MOST_PATH_OUTCOMES", 3)
    monkeypatch.setattr(sql_rows, "MOST_OTHERS", 5)
    known_paths = PathOutcomes()
    assert not known_paths.learn(["b" + "i" * number for number in range(40, 60)])  # longer than any that is looked at
    assert not known_paths.learn(["r" * number for number in range(1, 20)])
    assert known_paths.learn(["b", "r"])
    assert known_paths.learn(["b", "br", "bj"])
    assert known_paths.arguments()[0] == ["b", "br", "bj"]
    assert not known_paths.learn(["bo"])  # full: the fold does it
    assert len(known_paths._others) <= 5


@pytest.fixture
def plain_row(runner, log):
    def row(events: list[Event]) -> DossierRow | None:
        try:
            return runner.run(log.plain([(CODE, events)])).get(CODE)
        except asyncpg.DataError:  # who reads the row asks the fold then
            return None

    return row


def life(*names: str, **received: Any) -> list[Event]:
    """Steps of a dossier half a day apart; ``received``: data of the reception."""
    data = {"received": {"due_at": FIRST + timedelta(days=9), **received}, "extended": {"new_due_at": FIRST + timedelta(9)}}
    return [
        logged(name, FIRST + timedelta(hours=12 * number), f"e{number}", **data.get(name, {}))
        for number, name in enumerate(names)
    ]


@pytest.mark.parametrize(
    "names",
    [
        "received",
        "received assigned assigned processed returned rated",
        "submitted received assigned payment_requested paid assigned processed returned",
        "received transferred extended processed",
        "received taken_over assigned processed returned",
        "submitted received assigned taken_over transferred",
        "received assigned stopped",
        "received withdrawn",
        "received overdue processed payment_requested paid returned",
        "received supplement_requested",
        "received supplement_requested supplemented assigned processed returned",
        "received supplement_requested withdrawn",
        "received extended supplement_requested supplemented",
    ],
)
def test_the_common_lives_are_plain(plain_row, names):
    events = life(*names.split())
    assert plain_row(events) == folded(CODE, events)
    events.reverse()
    assert plain_row(events) == folded(CODE, events)


@pytest.mark.parametrize(
    "names",
    [
        "submitted",
        "assigned received",
        "received received",
        "submitted supplement_requested supplemented received",
        "received supplement_requested supplemented supplement_requested",
        "received supplement_requested assigned",
        "received supplement_requested extended supplemented",
        "received rejected",
        "received returned",
        "received processed assigned",
        "received processed extended",
        "received withdrawn stopped",
        "received extended extended",
        "received voided",
    ],
)
def test_what_is_not_plain_is_left_to_the_fold(plain_row, names):
    assert plain_row(life(*names.split())) is None


@pytest.mark.parametrize("broken", [{"channel": None}, {"due_at": 7}, {"flags": 3}, {"procedure_code": ...}])
def test_what_cannot_be_read_is_left_to_the_fold(plain_row, broken):
    [event] = life("received")
    data = {key: value for key, value in {**event.data, **broken}.items() if value is not ...}
    assert plain_row([replace(event, data=data)]) is None


@pytest.mark.parametrize(
    ("names", "desk", "agencies"),
    [
        ("received", "H51.12", "H51.12"),
        ("received", "H51.07", "H51.12~H51.07"),
        ("received taken_over processed", "H51.07", "H51.12~H51.07"),
        ("received transferred", "H51.07", "H51.03~H51.07"),
        ("received transferred", "H51.03", "H51.03"),  # by then the desk has it itself
        ("received transferred", "H51.12", "H51.03"),  # nobody was told apart
    ],
)
def test_a_row_has_both_agencies_where_another_desk_received(plain_row, names, desk, agencies):
    events = life(*names.split(), receiving_agency_code=desk)
    row = plain_row(events)
    assert row == folded(CODE, events)
    told = [event.time for event in events if event.name == "taken_over"]
    assert (row.agency, row.taken_over_at) == (agencies, told[0] if told else None)


@pytest.mark.parametrize("desk", ["000.00.12.H51", "000.00.07.H51"])
def test_codes_of_the_old_form_are_left_to_the_fold(plain_row, desk):
    assert plain_row(life("received", receiving_agency_code=desk)) is None


def due_set(hours: int, follows: str | None, *, days: int = 12) -> Event:
    """A date that the system set so many hours after the first instant, following the event of this id."""
    data = {} if follows is None else {"follows": {"source": "s", "id": follows}}
    at = FIRST + timedelta(hours=hours)
    return logged("due_set", at, f"d{hours}-{days}", source=SYSTEM_SOURCE, new_due_at=FIRST + timedelta(days), **data)


def test_what_the_system_wrote_does_not_touch_a_dossier(plain_row):
    events = [*life("received", "assigned"), due_set(30, "e0")]
    row = plain_row(events)
    assert row == folded(CODE, events)
    assert row is not None
    assert (row.touched_at, row.last_event_at) == (events[1].time, events[2].time)


@pytest.mark.parametrize("turned", [False, True])
def test_a_date_set_at_the_instant_of_reception_is_plain(plain_row, turned):
    events = [*life("received"), due_set(0, "e0")]
    if turned:
        events.reverse()
    row = plain_row(events)
    assert row == folded(CODE, events)
    assert row is not None
    assert row.due_at == FIRST + timedelta(12)


def test_a_date_that_follows_an_event_of_which_nothing_is_known_is_left_to_the_fold(plain_row):
    assert plain_row([*life("received"), due_set(5, "elsewhere")]) is None


def test_of_two_dates_of_one_instant_the_fold_tells_which_counts(plain_row):
    events = [*life("received"), due_set(0, "e0"), due_set(0, "e0", days=15)]
    assert plain_row(events) is None
    assigned = life("received", "assigned", "assigned")
    assigned[2] = replace(assigned[2], time=assigned[1].time)  # whichever is first
    assert plain_row(assigned) == folded(CODE, assigned)


@pytest.mark.parametrize(("days", "plain"), [(9, True), (10, False), (11, False)])
def test_a_date_after_lateness_is_left_to_the_fold(plain_row, days, plain):
    # promised for a local midnight, so that its day is the ninth; told on the local day given
    events = [*life("received"), due_set(24 * days, None, days=30)]
    row = plain_row(events)
    assert (row is not None) is plain
    assert row is None or row == folded(CODE, events)


@pytest.mark.parametrize("last", ["9999-12-29T10:00:00+07:00", "9999-12-31T10:00:00+07:00"])
def test_a_date_beyond_which_python_knows_none_is_left_to_the_fold(plain_row, last):
    events = life("received", due_at=datetime.fromisoformat(last))
    row = plain_row(events)
    assert (row is not None) is last.startswith("9999-12-29")
    assert row is None or row == folded(CODE, events)
