"""The append-only log: gapless positions per tenant, in commit order, each (source, id) once.

It holds the events of every register: ``dossier_code`` is the code of the record (the subject) whatever its register, which
the name tells. Whoever reads the events of dossiers says so with `OF_DOSSIERS`: a record of another register may have a
dossier's code.

A position comes from the tenant's row in ``log_counter``, taken inside the append itself, which is one statement and one
round trip: no stopped client ever holds the counter, and ``recorded_at`` never falls as positions rise.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import repeat
from typing import Any, Final

import asyncpg
import msgspec
import orjson

from shared.database.engine import DriverConnection
from shared.events.rules.new_events import APPLICANT_FIELDS, TEXTS, NewEvent
from shared.vocabulary.errors import AheadOfLog
from shared.vocabulary.events import DossierCode, Event, EventName, RecordEvent, RecordEventName, Tenant, logged_name

OF_DOSSIERS: Final = "name NOT LIKE '%.%'"
"""SQL: the event is a dossier's. The planner knows from the names' statistics that nearly all are."""

FUTURE_TOLERANCE: Final = "5 minutes"
"""An event dated later than this after the database's clock is refused (rules, section 2)."""

MAX_APPEND_TRIES: Final = 20


class Outcome(StrEnum):
    """What became of one event of an append."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    FUTURE = "future"


class Appended(msgspec.Struct, frozen=True, gc=False):
    """The outcome for one event; ``position`` is that of the first recording, None where nothing is recorded."""

    outcome: Outcome
    position: int | None


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a tenant's log: the last position (0: empty), when it was recorded, and the log's identity."""

    position: int
    recorded_at: datetime | None
    log_id: str


# What is not plainly new (known already, or of the future) is set apart first, against the statement's snapshot; if there
# is any, nothing is recorded, and `_append_distinct` comes again without it. So a statement records all of its events or
# none: their positions are its base and their place, and nothing need be sent back for each.
# Two writers that bring the same new identity at the same moment both see it as new: the second one then breaks on the
# unique key, nothing of its statement stays (its positions included), and it tries again, now seeing the first. So no
# position is ever burned.
# Columns come as lines of one text each, hashes one after the other: none of them has a line feed in it (canonical JSON
# escapes it), and the driver spends more on a list than on all else it does. One that had would leave another column short,
# which breaks on NOT NULL. Applicants' fields may hold anything and stay lists.
_SOURCES, _IDS, _NAMES_TOLD, _CODES, _TIMES, _DATA = (f"string_to_array(${number}, E'\\n')" for number in range(3, 9))
_HASH: Final = "substring($9::bytea FROM (32 * i.ordinal - 31)::int FOR 32)"

_RECORDED: Final = f"""written AS (
    INSERT INTO event_log
        (tenant, position, recorded_at, source, id, name, dossier_code, time, data, content_hash)
    SELECT $1, c.base + i.ordinal, c.recorded_at,
           i.source, i.id, i.name, i.dossier_code, i.time::timestamptz, i.data::jsonb, {_HASH}
    FROM counter c
    CROSS JOIN unnest({_SOURCES}, {_IDS}, {_NAMES_TOLD}, {_CODES}, {_TIMES}, {_DATA})
        WITH ORDINALITY AS i(source, id, name, dossier_code, time, data, ordinal)
), persons AS (
    INSERT INTO applicant (tenant, source, id, dossier_code, name, id_type, id_number, phone, email, address, texts)
    SELECT $1, p.source, p.id, p.dossier_code, p.name, p.id_type, p.id_number, p.phone, p.email, p.address, p.texts::jsonb
    FROM counter c
    CROSS JOIN unnest($10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[],
        $18::text[], $19::text[]) AS p(source, id, dossier_code, name, id_type, id_number, phone, email, address, texts)
)"""

_APPEND: Final = f"""
WITH apart AS MATERIALIZED (
    SELECT i.ordinal, l.position, l.content_hash = {_HASH} AS same
    FROM unnest({_SOURCES}, {_IDS}, {_TIMES}) WITH ORDINALITY AS i(source, id, time, ordinal)
    -- one look into the index for each event (LIMIT keeps it so): a join would scan a log without statistics whole
    LEFT JOIN LATERAL (
        SELECT position, content_hash FROM event_log
        WHERE tenant = $1 AND source = i.source AND id = i.id LIMIT 1
    ) AS l ON true
    WHERE l.position IS NOT NULL OR i.time::timestamptz > now() + interval '{FUTURE_TOLERANCE}'
), counter AS (
    UPDATE log_counter
    SET position = position + $2::bigint, recorded_at = greatest(recorded_at, now())
    WHERE tenant = $1 AND NOT EXISTS (SELECT FROM apart)
    RETURNING position - $2::bigint AS base, recorded_at
), {_RECORDED}
SELECT 0 AS ordinal, base AS position, NULL AS same FROM counter
UNION ALL
SELECT ordinal, position, same FROM apart
"""

# The same in the hope that all are new and none is of the future ($20: the latest of their times): the looks at what is
# known are a quarter of its cost. Where one is known, the unique key says so and nothing of it stays.
_APPEND_NEW: Final = f"""
WITH counter AS (
    UPDATE log_counter
    SET position = position + $2::bigint, recorded_at = greatest(recorded_at, now())
    WHERE tenant = $1 AND $20::timestamptz <= now() + interval '{FUTURE_TOLERANCE}'
    RETURNING position - $2::bigint AS base, recorded_at
), {_RECORDED}
SELECT base FROM counter
"""


async def append(
    connection: DriverConnection, tenant: Tenant, events: Sequence[NewEvent], *, optimistic: bool = False
) -> list[Appended]:
    """Record ``events`` in their order and answer each one's outcome, in the same order.

    Durable when it returns. The connection must be outside a transaction. An identity that occurs twice in ``events`` is
    recorded once: the second one is a duplicate or a conflict like any other. ``optimistic``: all of them are probably new;
    the outcomes are the same, sooner if they are, later if not.

    Raises:
        LookupError: the tenant does not exist.
    """
    if not events:
        return []
    sources, ids, *_ = columns = list(zip(*events, strict=True))
    if len(set(zip(sources, ids, strict=True))) == len(events):
        return await _append_distinct(connection, tenant, events, columns, optimistic=optimistic)
    firsts: dict[tuple[str, str], int] = {}
    distinct: list[NewEvent] = []
    for event in events:
        if (event.source, event.id) not in firsts:
            firsts[event.source, event.id] = len(distinct)
            distinct.append(event)
    recorded = await _append_distinct(connection, tenant, distinct, list(zip(*distinct, strict=True)), optimistic=False)
    answers: list[Appended] = []
    seen: set[int] = set()
    for event in events:
        index = firsts[event.source, event.id]
        answers.append(_repeated(event, distinct[index], recorded[index]) if index in seen else recorded[index])
        seen.add(index)
    return answers


def _repeated(event: NewEvent, first: NewEvent, recorded: Appended) -> Appended:
    if recorded.outcome is Outcome.ACCEPTED:
        same = event.content_hash == first.content_hash
        return Appended(Outcome.DUPLICATE if same else Outcome.CONFLICT, recorded.position)
    if recorded.outcome is Outcome.FUTURE or event.content_hash == first.content_hash:
        return recorded
    # the first one differs from the log; this one may be the log's own content
    other = Outcome.DUPLICATE if recorded.outcome is Outcome.CONFLICT else Outcome.CONFLICT
    return Appended(other, recorded.position)


async def _append_distinct(
    connection: DriverConnection,
    tenant: Tenant,
    events: Sequence[NewEvent],
    columns: Sequence[tuple[Any, ...]],
    *,
    optimistic: bool,
) -> list[Appended]:
    """The same for events of different identities. ``columns`` are the fields of all of them, one after the other."""
    if optimistic:
        base = await _recorded_as_new(connection, tenant, columns)
        if base is not None:
            return _accepted(base, len(events))
    apart = await _recorded_or_apart(connection, tenant, columns)
    if isinstance(apart, int):
        return _accepted(apart, len(events))
    answers: dict[int, Appended] = {}
    rest = list(range(len(events)))
    while not isinstance(apart, int):
        for ordinal, position, same in apart:
            outcome = Outcome.FUTURE if position is None else Outcome.DUPLICATE if same else Outcome.CONFLICT
            answers[rest[ordinal - 1]] = Appended(outcome, position)
        rest = [index for index in rest if index not in answers]
        if not rest:
            break
        columns = list(zip(*(events[index] for index in rest), strict=True))
        apart = await _recorded_or_apart(connection, tenant, columns)
    else:
        answers.update(zip(rest, _accepted(apart, len(rest)), strict=True))
    return [answers[index] for index in range(len(events))]


def _accepted(base: int, count: int) -> list[Appended]:
    return list(map(Appended, repeat(Outcome.ACCEPTED, count), range(base + 1, base + count + 1)))


def _arguments(tenant: Tenant, columns: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
    """What `_APPEND` takes."""
    sources, ids, names, codes, times, data, hashes, applicants = columns
    persons = [(index, person) for index, person in enumerate(applicants) if person]
    return (
        tenant,
        len(ids),
        *("\n".join(column) for column in (sources, ids, names, codes)),
        _lines_of_instants(times),
        "\n".join(data),
        b"".join(hashes),
        *([column[index] for index, _ in persons] for column in (sources, ids, codes)),
        *([person.get(field) for _, person in persons] for field in (*APPLICANT_FIELDS, TEXTS)),
    )


async def _recorded_as_new(connection: DriverConnection, tenant: Tenant, columns: Sequence[tuple[Any, ...]]) -> int | None:
    """The position before the first of the events, all of which are then recorded; None: nothing is, for not all are new."""
    times = columns[4]
    try:
        base: int | None = await connection.fetchval(_APPEND_NEW, *_arguments(tenant, columns), max(times))
    except asyncpg.UniqueViolationError:
        return None
    return base


async def _recorded_or_apart(
    connection: DriverConnection, tenant: Tenant, columns: Sequence[tuple[Any, ...]]
) -> int | list[tuple[int, int | None, bool | None]]:
    """The position before the first of the events, all of which are then recorded.

    Or, with nothing recorded, those that are not to be: place from 1, position of the first recording (None: dated in the
    future), whether that one's content is the same.
    """
    arguments = _arguments(tenant, columns)
    for _ in range(MAX_APPEND_TRIES):
        try:
            rows = await connection.fetch(_APPEND, *arguments)
        except asyncpg.UniqueViolationError:
            continue
        if not rows:
            raise LookupError(f"tenant {tenant} does not exist")
        if rows[0]["ordinal"] == 0:
            base: int = rows[0]["position"]
            return base
        return [tuple(row) for row in rows]
    raise TimeoutError(f"the same identities kept arriving at once for tenant {tenant}")


def _lines_of_instants(instants: Sequence[datetime]) -> str:
    """One a line, in RFC 3339: written as JSON and taken apart, in a tenth of the time of `isoformat`."""
    return orjson.dumps(instants)[2:-2].decode().replace('","', "\n")


_COLUMNS: Final = "position, recorded_at, source, id, name, dossier_code, time, data"

_NAMES: Final = {name.value: name for name in EventName}
AnyEvent = Event | RecordEvent

Recorded = Sequence[Any]
"""An event as the log's row, with the columns of ``event_log`` up to ``data``, which is its JSON text, not read yet."""


def event_of(row: Any) -> Event:
    """The domain's event of a dossier's row with the columns of ``event_log``."""
    position, recorded_at, source, id_, name, dossier_code, time, data = row
    return Event(position, recorded_at, source, id_, _NAMES[name], dossier_code, time, data)


def event_of_record(recorded: Recorded) -> Event:
    """The domain's event of a dossier's row whose ``data`` has not been read yet."""
    position, recorded_at, source, id_, name, dossier_code, time, data = recorded
    return Event(position, recorded_at, source, id_, _NAMES[name], dossier_code, time, orjson.loads(data))


def any_event_of(row: Any) -> AnyEvent:
    """The same of a row of whatever register."""
    name = logged_name(row["name"])
    if isinstance(name, RecordEventName):
        position, recorded_at, source, id_, _, subject, time, data = row
        return RecordEvent(position, recorded_at, source, id_, name, subject, time, data)
    return event_of(row)


async def head(connection: DriverConnection, tenant: Tenant) -> Head:
    """The end of the tenant's log."""
    row = await connection.fetchrow(
        "SELECT position, nullif(recorded_at, '-infinity') AS recorded_at, log_id FROM log_counter WHERE tenant = $1", tenant
    )
    return Head(row["position"], row["recorded_at"], str(row["log_id"])) if row else Head(0, None, "")


async def refuse_ahead(connection: DriverConnection, tenant: Tenant, parameter: str, position: int) -> Head:
    """The end of the tenant's log, unless ``position``, which the parameter was given, lies beyond it.

    Raises:
        AheadOfLog: it does.
    """
    end = await head(connection, tenant)
    if position > end.position:
        raise AheadOfLog(parameter, end.position, end.log_id)
    return end


async def former_up_to(connection: DriverConnection, tenant: Tenant) -> int:
    """The last position that was recorded while the clock went by former rules; 0: none."""
    position: int | None = await connection.fetchval("SELECT former_up_to FROM log_counter WHERE tenant = $1", tenant)
    return position or 0


async def grew(connection: DriverConnection, tenant: Tenant, events: int, seconds: float) -> bool:
    """Whether so many events, or more, were recorded within the last ``seconds``."""
    found = await connection.fetchval(
        """
        SELECT l.recorded_at > clock_timestamp() - make_interval(secs => $3)
        FROM log_counter c JOIN event_log l ON l.tenant = c.tenant AND l.position = c.position - $2 + 1
        WHERE c.tenant = $1
        """,
        tenant,
        events,
        seconds,
    )
    return bool(found)


async def read_after(connection: DriverConnection, tenant: Tenant, after: int, limit: int) -> list[AnyEvent]:
    """Up to ``limit`` events, of all registers, with a position above ``after``, in order."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM event_log WHERE tenant = $1 AND position > $2 ORDER BY position LIMIT $3",
        tenant,
        after,
        limit,
    )
    return [any_event_of(row) for row in rows]


async def of_dossiers(
    connection: DriverConnection, tenant: Tenant, codes: Iterable[str], up_to: int | None = None
) -> dict[DossierCode, list[Event]]:
    """All events of the dossiers, by code, in log order; only those up to position ``up_to`` where it is given."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM event_log WHERE tenant = $1 AND dossier_code = ANY($2::text[]) AND {OF_DOSSIERS}"
        " AND ($3::bigint IS NULL OR position <= $3) ORDER BY dossier_code, position",
        tenant,
        list(codes),
        up_to,
    )
    histories: dict[DossierCode, list[Event]] = {}
    for row in rows:
        histories.setdefault(row["dossier_code"], []).append(event_of(row))
    return histories


# by the dossiers' index whatever the statistics say
_HISTORIES: Final = f"""
SELECT e.* FROM unnest($2::text[]) AS c(code) CROSS JOIN LATERAL (
    SELECT position, recorded_at, source, id, name, dossier_code, time, data::text FROM event_log e
    WHERE e.tenant = $1 AND e.dossier_code = c.code AND e.position <= $3 AND {OF_DOSSIERS}
    ORDER BY e.position OFFSET 0
) e
"""


async def histories(
    connection: DriverConnection, tenant: Tenant, codes: Iterable[str], up_to: int
) -> dict[DossierCode, list[Recorded]]:
    """All events of the dossiers up to position ``up_to``, by code, in log order: for those who read many."""
    return by_dossier(await connection.fetch(_HISTORIES, tenant, list(codes), up_to))


def by_dossier(rows: Iterable[Any]) -> dict[DossierCode, list[Recorded]]:
    """The rows of each dossier, in the order given."""
    found: dict[DossierCode, list[Recorded]] = {}
    for row in rows:
        code = row[5]
        known = found.get(code)
        if known is None:
            found[code] = [row]
        else:
            known.append(row)
    return found


async def find(connection: DriverConnection, tenant: Tenant, source: str, id_: str) -> AnyEvent | None:
    """The event with this identity, of whatever register, if it is in the log."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM event_log WHERE tenant = $1 AND source = $2 AND id = $3", tenant, source, id_
    )
    return any_event_of(row) if row else None
