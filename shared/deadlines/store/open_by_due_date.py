"""Open dossiers by due date, in pages: late ones by age, those coming due (`shared.deadlines.rules.ageing`).

A paused dossier is within its time (rules, column 12) and in none of them.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from shared.database.engine import DriverConnection
from shared.deadlines.rules.ageing import DueRange, Office
from shared.vocabulary.events import DossierCode, Tenant


@dataclass(frozen=True, slots=True)
class OpenDossier:
    """An open, unpaused dossier with a due date."""

    code: DossierCode
    due_at: datetime
    received_at: datetime
    status: int
    agency: str | None
    procedure: str | None
    channel: str | None


_STANDING: Final = """tenant = $1 AND received_on IS NOT NULL AND ended_on IS NULL AND NOT paused_days @> $2::date
  AND ($3::text[] IS NULL OR agency = ANY($3::text[]))"""
"""SQL: open and unpaused at the end of day $2, of the agencies $3 (null: all)."""

_PAGE: Final = f"""
SELECT code, due_at, received_at, status, agency, procedure, channel FROM dossier
WHERE {_STANDING}
  AND due_at >= coalesce($4::timestamptz, '-infinity') AND due_at < coalesce($5::timestamptz, 'infinity')
  AND ($6::timestamptz IS NULL OR (due_at, code) > ($6, $7))
ORDER BY due_at, code LIMIT $8"""


async def open_by_due_date(
    connection: DriverConnection,
    tenant: Tenant,
    due: DueRange,
    *,
    today: date,
    agencies: Collection[str] | None = None,
    after: OpenDossier | None = None,
    limit: int = 100,
) -> list[OpenDossier]:
    """The next open, unpaused dossiers with a due date in ``due``, the earliest first, after the last one of a page.

    ``agencies``: every code, as events tell them, of the subtree asked for; None: all.
    """
    rows = await connection.fetch(
        _PAGE,
        tenant,
        today,
        None if agencies is None else list(agencies),
        due.since,
        due.before,
        None if after is None else after.due_at,
        None if after is None else after.code,
        limit,
    )
    return [OpenDossier(*row) for row in rows]


async def counts_by_agency(
    connection: DriverConnection,
    tenant: Tenant,
    offices: Sequence[Office],
    *,
    today: date,
    agencies: Collection[str] | None = None,
) -> dict[str | None, dict[str, int]]:
    """How many open, unpaused dossiers each named range has, by agency code as events tell it; none where there is none.

    Each agency by the ranges of its office. The ranges may overlap; those without a due date stand in a range without an
    end. In the caller's transaction, or a dossier that moves between two offices may be in both or in none.
    """
    counted: dict[str | None, dict[str, int]] = {}
    for office in offices:
        rows = await connection.fetch(
            f"""
            SELECT d.agency, r.name, count(*) AS dossiers
            FROM (SELECT agency, due_at FROM dossier WHERE {_STANDING}
                  AND ($7::text[] IS NULL OR agency = ANY($7::text[]))
                  AND (agency IS NULL OR NOT agency = ANY($8::text[]))) d
            JOIN unnest($4::text[], $5::timestamptz[], $6::timestamptz[]) AS r(name, since, before)
              ON coalesce(d.due_at >= r.since, r.since IS NULL OR r.before IS NULL)
             AND coalesce(d.due_at < r.before, r.before IS NULL)
            GROUP BY d.agency, r.name
            """,
            tenant,
            today,
            None if agencies is None else list(agencies),
            list(office.ranges),
            [due.since for due in office.ranges.values()],
            [due.before for due in office.ranges.values()],
            None if office.agencies is None else list(office.agencies),
            [] if office.agencies is not None else _apart(offices),
        )
        for row in rows:
            counted.setdefault(row["agency"], {})[row["name"]] = row["dossiers"]
    return counted


def _apart(offices: Iterable[Office]) -> list[str]:
    """The agencies of all offices that name theirs."""
    return sorted(code for office in offices for code in office.agencies or ())


def due_in(offices: Sequence[Office], name: str) -> tuple[DueRange, list[tuple[str, list[Any]]]]:
    """A named range as a selection has it: the range that holds those of all offices, and what narrows it to each one's."""
    ranges = [office.ranges[name] for office in offices]
    if len(set(ranges)) == 1:
        return ranges[0], []
    since = [due.since for due in ranges if due.since is not None]
    before = [due.before for due in ranges if due.before is not None]
    whole = DueRange(min(since) if len(since) == len(ranges) else None, max(before) if len(before) == len(ranges) else None)
    texts: list[str] = []
    values: list[Any] = []
    for office, due in zip(offices, ranges, strict=True):
        whose = "(agency IS NULL OR NOT agency = ANY({}::text[]))" if office.agencies is None else "agency = ANY({}::text[])"
        texts.append(
            f"{whose} AND due_at >= coalesce({{}}::timestamptz, '-infinity')"
            " AND due_at < coalesce({}::timestamptz, 'infinity')"
        )
        values += [_apart(offices) if office.agencies is None else sorted(office.agencies), due.since, due.before]
    return whole, [(f"({' OR '.join(texts)})", values)]
