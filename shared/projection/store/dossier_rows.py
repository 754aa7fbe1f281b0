"""The rows of ``dossier``: how a folded dossier is stored, and how a batch of them is written with its figures.

Spans travel as the text of a multirange and anomaly codes as comma-separated text: the driver's own forms of
both cost more than the fold.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from typing import Final, NamedTuple

from shared.counting.rules.branches import CodeKind
from shared.counting.rules.contributions import Contributions, Span
from shared.counting.store import code_numbers
from shared.counting.store.code_numbers import lacks_number_sql, with_numbers_sql
from shared.counting.store.slots import NAMES
from shared.counting.store.sums import COUNTED_COLUMNS, add_to_sums_sql, day_cells_sql, rolled_up_sql
from shared.database.engine import DriverConnection
from shared.dossiers.rules.anomalies import Anomaly
from shared.dossiers.rules.dossier import Dossier
from shared.dossiers.rules.instant_facts import InstantSpan, index_facts
from shared.vocabulary.events import DossierCode, Tenant

NO_SPANS: Final = "{}"


class DossierRow(NamedTuple):
    """A row of ``dossier`` without its tenant, as it travels.

    ``agency``: its agencies, where they are apart as a pair (`shared.vocabulary.codes.agency_pair`);
    ``taken_over_at``: as told.
    """

    code: DossierCode
    position: int
    status: int | None
    agency: str | None
    procedure: str | None
    channel: str | None
    received_at: datetime | None
    due_at: datetime | None
    promised_at: datetime | None
    ended_at: datetime | None
    end_kind: str | None
    last_event_at: datetime | None
    touched_at: datetime | None
    anomalies: str
    received_on: date | None
    ended_on: date | None
    resolution: str | None
    within_days: str
    overdue_days: str
    paused_days: str
    handled_at: datetime | None = None
    promised_from: datetime | None = None
    late_instants: str = NO_SPANS
    waits: str = NO_SPANS
    marks: int = 0
    taken_over_at: datetime | None = None

    @property
    def last_position(self) -> int:
        """The same as ``position``: by the name that the fold has for it."""
        return self.position

    @property
    def is_open(self) -> bool:
        """Received and not ended."""
        return self.received_at is not None and self.ended_at is None


_TYPES: Final = {
    "code": "text",
    "position": "bigint",
    "status": "smallint",
    "received_at": "timestamptz",
    "due_at": "timestamptz",
    "promised_at": "timestamptz",
    "ended_at": "timestamptz",
    "last_event_at": "timestamptz",
    "touched_at": "timestamptz",
    "received_on": "date",
    "ended_on": "date",
    "handled_at": "timestamptz",
    "promised_from": "timestamptz",
    "marks": "int",
    "taken_over_at": "timestamptz",
}
"""Types of the columns on their way; the others are text."""

_STORED_AS: Final = {
    "anomalies": "string_to_array(anomalies, ',')",
    "within_days": "within_days::datemultirange",
    "overdue_days": "overdue_days::datemultirange",
    "paused_days": "paused_days::datemultirange",
    "late_instants": "late_instants::int8multirange",
    "waits": "waits::int8multirange",
}
_SPANS: Final = frozenset({"within_days", "overdue_days", "paused_days", "late_instants", "waits"})
_COLUMNS: Final = ", ".join(DossierRow._fields)


def row_of(dossier: Dossier, contributed: Contributions | None, void_problems: Iterable[Anomaly]) -> DossierRow:
    """The row of a folded dossier, with what it counts for and the anomalies found outside the fold."""
    codes = {anomaly.code.value for anomaly in dossier.anomalies}
    codes.update(problem.code.value for problem in void_problems)
    facts = index_facts(dossier)
    return DossierRow(
        dossier.code,
        dossier.last_position,
        dossier.status,
        dossier.agencies,
        dossier.procedure_code,
        dossier.channel,
        dossier.received_at,
        dossier.due_at,
        dossier.promised_at,
        dossier.ended_at,
        dossier.end_kind,
        dossier.last_event_at,
        dossier.touched_at,
        ",".join(sorted(codes)),
        None if contributed is None else contributed.received_on,
        None if contributed is None else contributed.ended_on,
        None if contributed is None else contributed.resolution,
        NO_SPANS if contributed is None else days_text(contributed.within),
        NO_SPANS if contributed is None else days_text(contributed.overdue),
        NO_SPANS if contributed is None else days_text(contributed.paused),
        facts.handled_at,
        facts.promised_from,
        days_text(facts.late) if facts.late else NO_SPANS,
        days_text(facts.waits) if facts.waits else NO_SPANS,
        facts.marks.value,
        dossier.takeover_told_at,
    )


def days_text(spans: Iterable[Span | InstantSpan]) -> str:
    """Sorted, disjoint, not touching spans as PostgreSQL writes a multirange: ``{[2018-01-02,2018-01-05),[…,)}``."""
    texts = [f"[{begin},{'' if until is None else until})" for begin, until in spans]
    return "{" + ",".join(texts) + "}"


def given_rows_sql(first: int) -> str:
    """SQL: the rows that a statement is given, column by column, in its arguments from ``$first`` on."""
    arguments = ", ".join(
        f"${n}::{_TYPES.get(column, 'text')}[]" for n, column in enumerate(DossierRow._fields, start=first)
    )
    columns = ", ".join(f"{_STORED_AS.get(column, column)} AS {column}" for column in DossierRow._fields)
    return f"SELECT {columns} FROM unnest({arguments}) AS travelled({_COLUMNS})"


def given_column_sql(column: str, relation: str) -> str:
    """SQL: a column of ``relation`` (rows as they are stored) in the form in which it travels in a `DossierRow`."""
    if column == "anomalies":
        return f"array_to_string({relation}.anomalies, ',') AS anomalies"
    return f"{relation}.{column}::text AS {column}" if column in _SPANS else f"{relation}.{column}"


def _columns_of(relation: str) -> str:
    return ", ".join(f"{relation}.{column}" for column in COUNTED_COLUMNS.split(", "))


# One statement, so that what a row counted for before and what it counts for now are distinguished by one snapshot: `stale`
# still sees the rows as they were. $2 names every dossier concerned, those of $3 have no event and lose their row.
_WRITE: Final = f"""
WITH fresh AS MATERIALIZED (
    {given_rows_sql(4)}
), stale AS MATERIALIZED (
    -- by the primary key whatever the statistics say: no other index is right for a batch
    SELECT concerned.code, {COUNTED_COLUMNS}
    FROM unnest($2::text[]) AS concerned(code)
    CROSS JOIN LATERAL (SELECT {COUNTED_COLUMNS} FROM dossier d WHERE d.tenant = $1 AND d.code = concerned.code LIMIT 1) d
), same AS MATERIALIZED (
    SELECT code FROM fresh JOIN stale USING (code)
    WHERE ({_columns_of("fresh")}) IS NOT DISTINCT FROM ({_columns_of("stale")})
), signed AS MATERIALIZED (
    SELECT 1 AS sign, {COUNTED_COLUMNS} FROM fresh WHERE code NOT IN (SELECT code FROM same)
    UNION ALL
    SELECT -1 AS sign, {COUNTED_COLUMNS} FROM stale WHERE code NOT IN (SELECT code FROM same)
), cells AS MATERIALIZED (
    {with_numbers_sql(f"({day_cells_sql('signed')})", f"channel, day, {NAMES}")}
), sums AS (
    {add_to_sums_sql(rolled_up_sql("cells", none="0"))}
), agencies AS (
    INSERT INTO seen_agency (tenant, agency)
    SELECT DISTINCT $1, agency FROM fresh WHERE agency IS NOT NULL ORDER BY agency
    ON CONFLICT DO NOTHING
), erased AS (
    DELETE FROM dossier WHERE tenant = $1 AND code = ANY($3::text[])
), recovered AS (
    DELETE FROM projection_failure WHERE tenant = $1 AND dossier_code = ANY($2::text[])
)
INSERT INTO dossier (tenant, {_COLUMNS})
SELECT $1, {_COLUMNS} FROM fresh ORDER BY code
ON CONFLICT (tenant, code)
DO UPDATE SET {", ".join(f"{column} = excluded.{column}" for column in DossierRow._fields[1:])}
"""


_UNNUMBERED: Final = f"""
WITH written AS (
    SELECT d.agency, d.procedure FROM unnest($2::text[]) AS concerned(code)
    CROSS JOIN LATERAL (SELECT agency, procedure FROM dossier WHERE tenant = $1 AND code = concerned.code LIMIT 1) d
    UNION SELECT unnest($3::text[]), NULL UNION SELECT NULL, unnest($4::text[])
)
SELECT agency, procedure FROM written
WHERE {lacks_number_sql(CodeKind.AGENCY, "agency")} OR {lacks_number_sql(CodeKind.PROCEDURE, "procedure")}"""


async def write(
    connection: DriverConnection, tenant: Tenant, rows: Sequence[DossierRow], erased: Collection[str] = ()
) -> None:
    """Store ``rows``, one a dossier, and add to every figure what they count for now less what they counted for before.

    Dossiers in ``erased`` lose their row and what it counted for. To be called under the cursor's lock.
    """
    if not rows and not erased:
        return
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(DossierRow._fields)
    codes = [*columns[0], *erased]
    # of what the rows count for now and what they counted for before
    unnumbered = await connection.fetch(_UNNUMBERED, tenant, codes, {r.agency for r in rows}, {r.procedure for r in rows})
    if unnumbered:
        await code_numbers.give_numbers(connection, tenant, {row[0] for row in unnumbered}, {row[1] for row in unnumbered})
    await connection.execute(_WRITE, tenant, codes, list(erased), *columns)


_READ: Final = f"SELECT {', '.join(given_column_sql(c, 'd') for c in DossierRow._fields)} FROM dossier d WHERE tenant = $1"


async def read(connection: DriverConnection, tenant: Tenant, codes: Iterable[str]) -> dict[DossierCode, DossierRow]:
    """The stored rows of the dossiers that have one, by code."""
    found = await connection.fetch(f"{_READ} AND code = ANY($2::text[])", tenant, list(codes))
    return {record[0]: DossierRow(*record) for record in found}


async def read_range(
    connection: DriverConnection, tenant: Tenant, after: str, until: str | None
) -> dict[DossierCode, DossierRow]:
    """The stored rows with ``after`` < code <= ``until`` (None: without an end), in the database's order of text.

    ``after`` "" is before every code, the empty one too.
    """
    beyond = ">" if after else ">="
    found = await connection.fetch(
        f"{_READ} AND code {beyond} $2 AND ($3::text IS NULL OR code <= $3)", tenant, after, until
    )
    return {record[0]: DossierRow(*record) for record in found}


_OVER_BEFORE: Final = """
SELECT code FROM dossier WHERE tenant = $1 AND code > $3
  AND (ended_at < $2 OR (received_at IS NULL AND last_event_at < $2))
ORDER BY code LIMIT $4"""


async def over_before(
    connection: DriverConnection, tenant: Tenant, before: datetime, after: str, limit: int
) -> list[DossierCode]:
    """Dossiers after a code that ended before an instant, or were never received and had no event since."""
    rows = await connection.fetch(_OVER_BEFORE, tenant, before, after, limit)
    return [DossierCode(row["code"]) for row in rows]
