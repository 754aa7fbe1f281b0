"""The rows of ``record`` and the sums that they make up, for every register but the dossiers'.

Sums are linear and are written with the rows, by what a row counts for now less what it counted for before; so *stored sum
- sum of what the stored rows count for* stays as it is whatever is projected.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, NamedTuple

import orjson

from shared.database.engine import DriverConnection
from shared.events.store.record_events import OF_REGISTER
from shared.projection.rules.records import Record
from shared.vocabulary.events import DossierCode, Tenant


class RecordRow(NamedTuple):
    """A row of ``record`` without its tenant and register, as it travels: ``facts`` and ``counts`` are JSON texts."""

    code: str
    position: int
    agency: str | None
    facts: str
    counts: str
    anomalies: str


def row_of(code: str, position: int, record: Record) -> RecordRow:
    """The row of a folded record whose last event has this position."""
    amounts: dict[tuple[str, date], int] = {}
    for count in record.counts:
        amounts[count.figure, count.day] = amounts.get((count.figure, count.day), 0) + count.amount
    counts = [[figure, day, amount] for (figure, day), amount in sorted(amounts.items()) if amount]
    facts = orjson.dumps(record.facts, option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z).decode()
    return RecordRow(code, position, record.agency, facts, orjson.dumps(counts).decode(), ",".join(record.anomalies))


_COUNTED: Final = """
SELECT {sign} AS sign, coalesce(agency, '') AS agency, c ->> 0 AS figure, (c ->> 1)::date AS day, (c ->> 2)::bigint AS amount
FROM {relation} CROSS JOIN LATERAL jsonb_array_elements(counts) AS c"""
"""SQL: what rows of ``record`` count for, a row a figure and day."""

# $3: every record concerned; $4: those without an event, which lose their row
_WRITE: Final = f"""
WITH fresh AS MATERIALIZED (
    SELECT code, position, agency, facts::jsonb AS facts, counts::jsonb AS counts,
           string_to_array(anomalies, ',') AS anomalies
    FROM unnest($5::text[], $6::bigint[], $7::text[], $8::text[], $9::text[], $10::text[])
        AS given(code, position, agency, facts, counts, anomalies)
), stale AS MATERIALIZED (
    SELECT r.agency, r.counts FROM unnest($3::text[]) AS concerned(code)
    CROSS JOIN LATERAL (
        SELECT agency, counts FROM record WHERE tenant = $1 AND register = $2 AND code = concerned.code LIMIT 1) AS r
), cells AS (
    SELECT figure, agency, day, sum(sign * amount)::bigint AS amount
    FROM ({_COUNTED.format(sign=1, relation="fresh")} UNION ALL {_COUNTED.format(sign=-1, relation="stale")}) AS signed
    GROUP BY figure, agency, day HAVING sum(sign * amount) <> 0
), sums AS (
    INSERT INTO record_sum AS s (tenant, register, figure, agency, day, amount)
    SELECT $1, $2, figure, agency, day, amount FROM cells ORDER BY figure, agency, day
    ON CONFLICT (tenant, register, figure, agency, day) DO UPDATE SET amount = s.amount + excluded.amount
), erased AS (
    DELETE FROM record WHERE tenant = $1 AND register = $2 AND code = ANY($4::text[])
), seen AS (
    INSERT INTO seen_agency (tenant, agency)
    SELECT DISTINCT $1, agency FROM fresh WHERE agency IS NOT NULL ORDER BY 2 ON CONFLICT DO NOTHING
), recovered AS (
    DELETE FROM record_failure WHERE tenant = $1 AND register = $2 AND code = ANY($3::text[])
)
INSERT INTO record (tenant, register, code, position, agency, facts, counts, anomalies)
SELECT $1, $2, code, position, agency, facts, counts, anomalies FROM fresh ORDER BY code
ON CONFLICT (tenant, register, code) DO UPDATE SET position = excluded.position, agency = excluded.agency,
    facts = excluded.facts, counts = excluded.counts, anomalies = excluded.anomalies
"""


async def write(
    connection: DriverConnection, tenant: Tenant, register: str, rows: Sequence[RecordRow], erased: Collection[str] = ()
) -> None:
    """Store ``rows`` and add to every figure what they count for now less what they counted for before.

    Records in ``erased`` lose their row and what it counted for. To be called under the cursor's lock.
    """
    if not rows and not erased:
        return
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(RecordRow._fields)
    await connection.execute(_WRITE, tenant, register, [*columns[0], *erased], list(erased), *columns)


_COLUMNS: Final = "code, position, agency, facts::text, counts::text, array_to_string(anomalies, ',')"


def _canonical(row: Any) -> RecordRow:
    """PostgreSQL keeps JSON in an order and with blanks of its own."""
    code, position, agency, facts, counts, anomalies = row
    facts, counts = (orjson.dumps(orjson.loads(one), option=orjson.OPT_SORT_KEYS).decode() for one in (facts, counts))
    return RecordRow(code, position, agency, facts, counts, anomalies)


async def read(connection: DriverConnection, tenant: Tenant, register: str, codes: Iterable[str]) -> dict[str, RecordRow]:
    """The stored rows of the records that have one, by code."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM record WHERE tenant = $1 AND register = $2 AND code = ANY($3::text[])",
        tenant,
        register,
        list(codes),
    )
    return {row[0]: _canonical(row) for row in rows}


@dataclass(frozen=True, slots=True)
class RecordStatus:
    """A record of the log. ``agency`` is that of the projected row, right if ``is_current``: no later event exists."""

    agency: str | None
    is_current: bool


async def statuses(
    connection: DriverConnection, tenant: Tenant, register: str, codes: Iterable[str]
) -> dict[str, RecordStatus]:
    """Those of the records that have an event in the log."""
    rows = await connection.fetch(
        f"""
        SELECT c.code, r.agency, r.position IS NOT DISTINCT FROM l.position AS is_current
        FROM unnest($3::text[]) AS c(code)
        CROSS JOIN LATERAL (SELECT position FROM event_log WHERE tenant = $1 AND dossier_code = c.code
                            AND {OF_REGISTER.format("$2::text")} ORDER BY position DESC LIMIT 1) AS l
        LEFT JOIN record r ON r.tenant = $1 AND r.register = $2 AND r.code = c.code
        """,
        tenant,
        register,
        list(codes),
    )
    return {row["code"]: RecordStatus(row["agency"], row["is_current"]) for row in rows}


async def untouched_since(
    connection: DriverConnection, tenant: Tenant, since: datetime, after: str, limit: int
) -> list[DossierCode]:
    """Codes of records, after a code, under which nothing happened at an instant or later, in whatever register."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT r.code FROM record r WHERE r.tenant = $1 AND r.code > $3 AND NOT EXISTS (
            SELECT FROM event_log l WHERE l.tenant = $1 AND l.dossier_code = r.code AND l.time >= $2)
        ORDER BY r.code LIMIT $4
        """,
        tenant,
        since,
        after,
        limit,
    )
    return [DossierCode(row["code"]) for row in rows]


@dataclass(frozen=True, slots=True)
class Days:
    """Local dates ``since`` (None: from the first) to ``until``, both included."""

    since: date | None
    until: date


async def amounts(
    connection: DriverConnection,
    tenant: Tenant,
    register: str,
    figure: str,
    days: Days,
    *,
    agencies: Collection[str] | None = None,
) -> dict[str, int]:
    """A figure by agency: for a flow over a period, for a stock ``since`` None. ``agencies`` None: of all."""
    rows = await connection.fetch(
        """
        SELECT agency, sum(amount)::bigint FROM record_sum
        WHERE tenant = $1 AND register = $2 AND figure = $3 AND ($4::date IS NULL OR day >= $4) AND day <= $5
          AND ($6::text[] IS NULL OR agency = ANY($6))
        GROUP BY agency HAVING sum(amount) <> 0
        """,
        tenant,
        register,
        figure,
        days.since,
        days.until,
        None if agencies is None else sorted(agencies),
    )
    return {row[0]: row[1] for row in rows}


_SUMS_DIFFERING: Final = f"""
SELECT figure, agency, day, coalesce(s.amount, 0) AS stored, coalesce(f.amount, 0) AS recounted
FROM (
    SELECT figure, agency, day, sum(amount)::bigint AS amount FROM (
        {_COUNTED.format(sign=1, relation="(SELECT * FROM record WHERE tenant = $1 AND register = $2) AS r")}
    ) AS counted GROUP BY figure, agency, day
) AS f
FULL JOIN (SELECT figure, agency, day, amount FROM record_sum WHERE tenant = $1 AND register = $2) AS s
USING (figure, agency, day)
WHERE coalesce(s.amount, 0) <> coalesce(f.amount, 0)"""


_GIVEN: Final = """(
    SELECT agency, counts::jsonb AS counts FROM unnest($3::text[], $4::text[]) AS given(agency, counts)) AS r"""


@dataclass(frozen=True, slots=True)
class SumDifference:
    """A stored sum that is not what the stored rows add up to."""

    figure: str
    agency: str
    day: date
    stored: int
    recounted: int


async def sums_differing(connection: DriverConnection, tenant: Tenant, register: str) -> list[SumDifference]:
    """The sums that are not what the stored rows add up to, by figure, agency and day."""
    rows = await connection.fetch(f"{_SUMS_DIFFERING} ORDER BY 1, 2, 3", tenant, register)
    return [SumDifference(*row) for row in rows]


async def settle_sums(
    connection: DriverConnection, tenant: Tenant, register: str, rows: Collection[RecordRow] | None = None
) -> int:
    """Make every sum what the stored rows add up to; answer how many were not. To be called under the cursor's lock.

    ``rows``: only the sums in which these say that they count.
    """
    concerned = f"SELECT figure, agency, day FROM ({_COUNTED.format(sign=1, relation=_GIVEN)}) AS counting"
    changed = await connection.fetch(
        f"""
        INSERT INTO record_sum (tenant, register, figure, agency, day, amount)
        SELECT $1, $2, figure, agency, day, recounted FROM ({_SUMS_DIFFERING}) AS differing
        WHERE $3::text[] IS NULL OR (figure, agency, day) IN ({concerned}) ORDER BY figure, agency, day
        ON CONFLICT (tenant, register, figure, agency, day) DO UPDATE SET amount = excluded.amount RETURNING 1
        """,
        tenant,
        register,
        None if rows is None else [row.agency for row in rows],
        [row.counts for row in rows or ()],
    )
    await connection.execute("DELETE FROM record_sum WHERE tenant = $1 AND register = $2 AND amount = 0", tenant, register)
    return len(changed)


async def page(
    connection: DriverConnection,
    tenant: Tenant,
    register: str,
    told: Mapping[str, Any],
    *,
    agencies: Collection[str] | None,
    after: str,
    limit: int,
) -> list[RecordRow]:
    """Records after a code whose facts are as ``told``, of ``agencies`` (None: all); none of which all events are voided."""
    rows = await connection.fetch(
        f"""
        SELECT {_COLUMNS} FROM record
        WHERE tenant = $1 AND register = $2 AND code > $3 AND ($4::text[] IS NULL OR agency = ANY($4))
          AND facts @> $5::jsonb AND facts <> '{{}}'
        ORDER BY code LIMIT $6
        """,
        tenant,
        register,
        after,
        None if agencies is None else sorted(agencies),
        orjson.dumps(told).decode(),
        limit,
    )
    return [_canonical(row) for row in rows]
