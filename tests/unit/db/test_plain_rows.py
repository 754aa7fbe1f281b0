"""The short way to a dossier's row gives what the fold gives, or gives nothing."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.db.dossier_rows import DossierRow, row_of
from shared.db.event_log import Recorded
from shared.db.plain_rows import plain_row
from shared.domain.dossier import fold
from shared.domain.events import SYSTEM_SOURCE, DossierCode, Event
from shared.domain.figures import contributions
from tests.unit.domain.history import CODE, REQUIRED, told
from tests.unit.domain.random_history import histories

FIRST = datetime(2022, 5, 11, 17, tzinfo=UTC)  # a local midnight
STEPS = (
    ["submitted", None],
    ["received"],
    ["due_set", "transferred", None, None],
    ["assigned", "stopped", "withdrawn", "overdue"],
    ["payment_requested", "paid", "extended", None],
    ["paid", "assigned", "due_set", None],
    ["extended", "assigned", "transferred", "rated", None],
    ["processed", "withdrawn", "stopped", None],
    ["returned", "payment_requested", "extended", None],
    ["paid", "rated", "returned", "assigned", "overdue", None],
    ["rated", None],
)
"""Plain lives, mostly: where a step is out of its turn, the fold must be asked."""


@st.composite
def lives(draw: Callable[[Any], Any]) -> list[Event]:
    """The events of one dossier in the order of its life, with dates near its days and now and then the same instant."""
    now = FIRST
    events: list[Event] = []
    for number, choice in enumerate(STEPS):
        name = draw(st.sampled_from(choice))
        now += timedelta(hours=draw(st.sampled_from([0, 1, 6, 18, 24, 60, 300])), microseconds=draw(st.sampled_from([0, 1])))
        if name is not None:
            events.append(_event(draw, name, now, f"e{number}", events))
    return events


def _event(draw: Callable[[Any], Any], name: str, now: datetime, id_: str, before: list[Event]) -> Event:
    data: dict[str, Any] = dict(REQUIRED.get(name, {}))
    near = st.integers(-2, 40).map(lambda sixths: now + timedelta(hours=6 * sixths))
    source = "s"
    match name:
        case "received":
            if draw(st.integers(0, 5)):
                data["due_at"] = draw(near)
            if draw(st.booleans()):
                data["return_method"] = "direct"
            if draw(st.booleans()):
                data["flags"] = draw(st.fixed_dictionaries({}, optional=dict.fromkeys(FLAGS, st.booleans())))
        case "extended":
            data["new_due_at"] = draw(near)
        case "due_set":
            data["new_due_at"] = draw(near)
            source = SYSTEM_SOURCE
            followed = draw(st.sampled_from([*before, None]))
            if followed is not None:
                data["follows"] = {"source": followed.source, "id": draw(st.sampled_from([followed.id] * 9 + ["none"]))}
        case "payment_requested":
            data["fees"] = [{**REQUIRED[name]["fees"][0], "amount_vnd": draw(st.sampled_from([0, 5]))}]
        case "paid":
            data["outcome"] = draw(st.sampled_from(["succeeded", "succeeded", "failed"]))
            data["gateway"] = draw(st.sampled_from(["national", "local", "counter"]))
        case "processed":
            data["results"] = draw(st.sampled_from([[], [{"code": "k"}], [{"code": "k", "url": "https://x.vn/k"}]]))
        case "rated":
            data["satisfied"] = draw(st.booleans())
    return told(name, now, id_, source=source, **data)


FLAGS = ("vneid_verified", "components_digitised", "components_reused", "from_national_store")


def rows_of(events: list[Event]) -> list[Recorded]:
    """The events as the log's rows, in this order of arrival."""
    return [
        (position, e.recorded_at, e.source, e.id, e.name.value, e.dossier_code, e.time, orjson.dumps(dict(e.data)).decode())
        for position, e in enumerate(events, start=1)
    ]


def folded(code: DossierCode, events: list[Event]) -> DossierRow:
    dossier = fold(code, [replace(event, position=position) for position, event in enumerate(events, start=1)])
    return row_of(dossier, contributions(dossier), ())


CODES = st.sampled_from([CODE, DossierCode("H51.12-220512-9"), DossierCode("H51.12-230101-9"), DossierCode("x")])


@settings(max_examples=300)
@given(code=CODES, events=lives(), seed=st.integers(0, 5))
def test_the_row_of_a_life_is_that_of_the_fold(code, events, seed):
    if seed:  # what arrives late
        events = random.Random(seed).sample(events, len(events))
    row = plain_row(code, rows_of(events))
    assert row is None or row == folded(code, events)


@settings(max_examples=200)
@given(code=CODES, events=histories())
def test_the_row_of_any_history_is_that_of_the_fold_or_none(code, events):
    if events:
        row = plain_row(code, rows_of(events))
        assert row is None or row == folded(code, events)


def life(*names: str, **received: Any) -> list[Event]:
    """Steps of a dossier half a day apart; ``received``: data of the reception."""
    data = {"received": {"due_at": FIRST + timedelta(days=9), **received}, "extended": {"new_due_at": FIRST + timedelta(9)}}
    return [
        told(name, FIRST + timedelta(hours=12 * number), f"e{number}", **data.get(name, {}))
        for number, name in enumerate(names)
    ]


@pytest.mark.parametrize(
    "names",
    [
        "received",
        "received assigned assigned processed returned rated",
        "submitted received assigned payment_requested paid assigned processed returned",
        "received transferred extended processed",
        "received assigned stopped",
        "received withdrawn",
        "received overdue processed payment_requested paid returned",
    ],
)
def test_the_common_lives_are_plain(names):
    events = life(*names.split())
    assert plain_row(CODE, rows_of(events)) == folded(CODE, events)
    events.reverse()
    assert plain_row(CODE, rows_of(events)) == folded(CODE, events)


@pytest.mark.parametrize(
    "names",
    [
        "submitted",
        "assigned received",
        "received received",
        "received supplement_requested",
        "received returned",
        "received processed assigned",
        "received processed extended",
        "received withdrawn stopped",
        "received extended extended",
        "received voided",
    ],
)
def test_what_is_not_plain_is_left_to_the_fold(names):
    assert plain_row(CODE, rows_of(life(*names.split()))) is None


@pytest.mark.parametrize("broken", [{"channel": None}, {"due_at": 7}, {"flags": 3}, {"procedure_code": ...}])
def test_what_cannot_be_read_is_left_to_the_fold(broken):
    [event] = life("received")
    data = {key: value for key, value in {**event.data, **broken}.items() if value is not ...}
    assert plain_row(CODE, rows_of([replace(event, data=data)])) is None


def due_set(hours: int, follows: str | None, *, days: int = 12) -> Event:
    """A date that the system set so many hours after the first instant, following the event of this id."""
    data = {} if follows is None else {"follows": {"source": "s", "id": follows}}
    at = FIRST + timedelta(hours=hours)
    return told("due_set", at, f"d{hours}", source=SYSTEM_SOURCE, new_due_at=FIRST + timedelta(days), **data)


def test_what_the_system_wrote_does_not_touch_a_dossier():
    events = [*life("received", "assigned"), due_set(30, "e0")]
    row = plain_row(CODE, rows_of(events))
    assert row == folded(CODE, events)
    assert row is not None
    assert (row.touched_at, row.last_event_at) == (events[1].time, events[2].time)


@pytest.mark.parametrize("turned", [False, True])
def test_a_date_set_at_the_instant_of_reception_is_plain(turned):
    events = [*life("received"), due_set(0, "e0")]
    if turned:
        events.reverse()
    row = plain_row(CODE, rows_of(events))
    assert row == folded(CODE, events)
    assert row is not None
    assert row.due_at == FIRST + timedelta(12)


def test_a_date_that_follows_an_event_of_which_nothing_is_known_is_left_to_the_fold():
    assert plain_row(CODE, rows_of([*life("received"), due_set(5, "elsewhere")])) is None


def test_two_of_a_kind_at_one_instant_are_left_to_the_fold():
    events = life("received", "assigned", "assigned")
    assert plain_row(CODE, rows_of([*events[:2], replace(events[2], time=events[1].time)])) is None


@pytest.mark.parametrize(("days", "plain"), [(9, True), (10, False), (11, False)])
def test_a_date_after_lateness_is_left_to_the_fold(days, plain):
    # promised for a local midnight, so that its day is the ninth; told on the local day given
    events = [*life("received"), due_set(24 * days, None, days=30)]
    row = plain_row(CODE, rows_of(events))
    assert (row is not None) is plain
    assert row is None or row == folded(CODE, events)
