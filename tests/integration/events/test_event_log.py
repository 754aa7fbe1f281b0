"""The log keeps its promises: gapless positions in commit order, each identity once, nothing changed afterwards."""

import asyncio
import hashlib
import random
from datetime import UTC, datetime, timedelta
from functools import partial

import asyncpg
import pytest

from shared.database.engine import create_engine, driver_session
from shared.events.rules.new_events import NewEvent
from shared.events.store import event_log
from shared.events.store.event_log import Appended, Outcome
from shared.vocabulary.events import DossierCode, EventName, Tenant

TENANT = Tenant("H51")


def new_event(number: int, content: str = "{}", *, applicant: dict | None = None, time: datetime | None = None) -> NewEvent:
    return NewEvent(
        source="urn:test",
        id=str(number),
        name=EventName.RATED,
        subject=f"H51-220101-{number % 10_000:04d}",
        time=time or datetime(2022, 1, 1, tzinfo=UTC),
        data=content,
        content_hash=hashlib.sha256(content.encode()).digest(),
        applicant=applicant,
    )


@pytest.fixture
async def engine(database_url):
    engine = create_engine(database_url, application="test")
    async with driver_session(engine) as link:
        await link.execute("INSERT INTO tenant (tenant, name, content_key) VALUES ('H51', 'Sóc Trăng', 'k')")
        await link.execute("INSERT INTO log_counter (tenant) VALUES ('H51')")
    yield engine
    await engine.dispose()


async def log_is_gapless(link) -> int:
    row = await link.fetchrow(
        "SELECT count(*) AS n, coalesce(max(position), 0) AS top, coalesce(min(position), 1) AS bottom,"
        " (SELECT position FROM log_counter WHERE tenant = 'H51') AS counter FROM event_log WHERE tenant = 'H51'"
    )
    assert row["n"] == row["top"] == row["counter"]
    assert row["bottom"] == 1
    falls = await link.fetchval(
        "SELECT count(*) FROM (SELECT recorded_at, lag(recorded_at) OVER (ORDER BY position) AS before FROM event_log) l"
        " WHERE recorded_at < before"
    )
    assert falls == 0
    return row["n"]


@pytest.fixture(params=[False, True], ids=["looking", "hopeful"], autouse=True)
def both_ways(request, monkeypatch):
    """Every test here: looking first at what is known, and in the hope that nothing is."""
    monkeypatch.setattr(event_log, "append", partial(event_log.append, optimistic=request.param))


async def test_receipts_come_in_input_order_with_dense_positions(engine):
    async with driver_session(engine) as link:
        first = await event_log.append(link, TENANT, [new_event(n) for n in range(3)])
        mixed = await event_log.append(link, TENANT, [new_event(1), new_event(7), new_event(0, '{"a":1}'), new_event(8)])
        assert [receipt.position for receipt in first] == [1, 2, 3]
        assert mixed == [
            Appended(Outcome.DUPLICATE, 2),
            Appended(Outcome.ACCEPTED, 4),
            Appended(Outcome.CONFLICT, 1),
            Appended(Outcome.ACCEPTED, 5),
        ]
        assert await event_log.append(link, TENANT, []) == []
        assert await log_is_gapless(link) == 5


async def test_the_same_identity_twice_in_one_append(engine):
    async with driver_session(engine) as link:
        receipts = await event_log.append(link, TENANT, [new_event(1), new_event(1), new_event(1, '{"a":1}')])
        assert receipts == [
            Appended(Outcome.ACCEPTED, 1),
            Appended(Outcome.DUPLICATE, 1),
            Appended(Outcome.CONFLICT, 1),
        ]
        again = await event_log.append(link, TENANT, [new_event(1, '{"a":1}'), new_event(1)])
        assert again == [Appended(Outcome.CONFLICT, 1), Appended(Outcome.DUPLICATE, 1)]


async def test_an_event_of_the_future_is_refused_and_harms_no_neighbour(engine):
    now = datetime.now(UTC)
    events = [
        new_event(1, time=now + timedelta(minutes=6)),
        new_event(2, time=now + timedelta(minutes=4)),
    ]
    async with driver_session(engine) as link:
        assert await event_log.append(link, TENANT, events) == [
            Appended(Outcome.FUTURE, None),
            Appended(Outcome.ACCEPTED, 1),
        ]


async def test_many_writers_with_the_same_identities(engine):
    """Eight writers bring the same 40 events in different orders: each is recorded once, without a hole."""

    async def write(step: int) -> list[Appended]:
        receipts = []
        async with driver_session(engine) as link:
            for n in range(40):
                receipts += await event_log.append(link, TENANT, [new_event(n * step % 41)])
        return receipts

    answers = await asyncio.gather(*(write(step) for step in (1, 3, 5, 7, 11, 13, 17, 19)))
    outcomes = [receipt.outcome for receipts in answers for receipt in receipts]
    async with driver_session(engine) as link:
        recorded = await log_is_gapless(link)
    assert outcomes.count(Outcome.ACCEPTED) == recorded
    assert set(outcomes) == {Outcome.ACCEPTED, Outcome.DUPLICATE}


async def test_writers_whose_groups_overlap(engine):
    """Groups that are new in part, from six writers at once: each event once, its own content's outcome, no hole."""
    chance = random.Random(5)
    groups = [
        [
            new_event(n, content)
            for n in chance.sample(range(120), 30)
            for content in ("{}", '{"a":1}')[: chance.choice((1, 1, 2))]
        ]
        for _ in range(36)
    ]

    async def write(own: list[list[NewEvent]]) -> list[tuple[NewEvent, Appended]]:
        logged = []
        async with driver_session(engine) as link:
            for group in own:
                logged += zip(group, await event_log.append(link, TENANT, group), strict=True)
        return logged

    logged = [pair for pairs in await asyncio.gather(*(write(groups[n::6]) for n in range(6))) for pair in pairs]
    async with driver_session(engine) as link:
        recorded = await log_is_gapless(link)
        log = {row["id"]: row for row in await link.fetch("SELECT id, position, content_hash FROM event_log")}
    assert (
        sum(answer.outcome is Outcome.ACCEPTED for _, answer in logged) == recorded == len({event.id for event, _ in logged})
    )
    for event, answer in logged:
        assert answer.position == log[event.id]["position"]
        assert (answer.outcome is Outcome.CONFLICT) == (event.content_hash != log[event.id]["content_hash"])


async def test_personal_data_goes_to_its_own_table_once(engine):
    person = {"name": "Trần Thị B", "phone": "0912345678"}
    async with driver_session(engine) as link:
        await event_log.append(link, TENANT, [new_event(1, applicant=person), new_event(2)])
        await event_log.append(link, TENANT, [new_event(1, applicant=person)])
        rows = await link.fetch("SELECT source, id, name, phone, email FROM applicant WHERE tenant = 'H51'")
        assert [tuple(row) for row in rows] == [("urn:test", "1", "Trần Thị B", "0912345678", None)]
        assert "Trần" not in str(await link.fetch("SELECT * FROM event_log"))


async def test_a_line_feed_can_neither_split_nor_shift_events(engine):
    """Columns travel as lines: content keeps its line feeds, an identity with one (validation takes none) is refused whole."""
    person = {"name": "Trần\nThị B", "address": "\n"}
    async with driver_session(engine) as link:
        events = [new_event(1, r'{"a":"x\ny"}', applicant=person), new_event(2)]
        assert [answer.position for answer in await event_log.append(link, TENANT, events)] == [1, 2]
        assert [event.data for event in await event_log.read_after(link, TENANT, 0, 10)] == [{"a": "x\ny"}, {}]
        row = await link.fetchrow("SELECT name, address, phone FROM applicant")
        assert tuple(row) == ("Trần\nThị B", "\n", None)
        for broken in (new_event(3)._replace(id="a\nb"), new_event(3)._replace(source="a\nb", id="a\nb")):
            for group in ([broken], [new_event(4), broken], [broken, new_event(4)]):
                with pytest.raises(asyncpg.PostgresError):
                    await event_log.append(link, TENANT, group)
        assert await log_is_gapless(link) == 2


@pytest.mark.parametrize("statement", ["UPDATE event_log SET data = '{}'", "DELETE FROM event_log", "TRUNCATE event_log"])
async def test_the_application_cannot_change_the_log(engine, statement):
    async with driver_session(engine) as link:
        await event_log.append(link, TENANT, [new_event(1)])
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await link.execute(statement)


async def test_an_unknown_tenant_is_refused(engine):
    async with driver_session(engine) as link:
        with pytest.raises(LookupError, match="H99"):
            await event_log.append(link, Tenant("H99"), [new_event(1)])
        assert await link.fetchval("SELECT count(*) FROM event_log") == 0


async def test_an_append_that_fails_burns_no_position(engine):
    async with driver_session(engine) as link:
        await event_log.append(link, TENANT, [new_event(1)])
        with pytest.raises(asyncpg.PostgresError):
            await event_log.append(link, TENANT, [new_event(2), new_event(3, '{"a": ')])
        assert (await event_log.append(link, TENANT, [new_event(2)])) == [Appended(Outcome.ACCEPTED, 2)]
        assert await log_is_gapless(link) == 2


async def test_histories_are_read_by_dossier_and_up_to_a_position(engine):
    async with driver_session(engine) as link:
        await event_log.append(link, TENANT, [new_event(n) for n in (1, 2, 10_001)])
        histories = await event_log.of_dossiers(link, TENANT, ["H51-220101-0001", "H51-220101-0009"])
        assert [event.id for event in histories[DossierCode("H51-220101-0001")]] == ["1", "10001"]
        assert list(histories) == ["H51-220101-0001"]
        early = await event_log.of_dossiers(link, TENANT, ["H51-220101-0001"], up_to=2)
        assert [event.position for event in early[DossierCode("H51-220101-0001")]] == [1]
        assert [event.position for event in await event_log.read_after(link, TENANT, 1, 10)] == [2, 3]
        assert (await event_log.head(link, TENANT)).position == 3
        found = await event_log.find(link, TENANT, "urn:test", "2")
        assert found is not None
        assert found.position == 2
        assert await event_log.find(link, TENANT, "urn:test", "none") is None


def test_every_table_has_its_privileges():
    from shared.database.grants import PRIVILEGES
    from shared.database.tables import metadata

    assert set(PRIVILEGES) == set(metadata.tables)


def test_the_tenant_stands_first_in_every_key():
    from sqlalchemy import ForeignKeyConstraint, PrimaryKeyConstraint, UniqueConstraint

    from shared.database.tables import metadata

    for table in metadata.tables.values():
        for constraint in table.constraints:
            if isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint | ForeignKeyConstraint):
                assert next(iter(constraint.columns)).name == "tenant", (table.name, constraint.name)
