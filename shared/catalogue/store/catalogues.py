"""Agencies, procedures and the calendar of a tenant as they are known, now or at an earlier instant.

A catalogue row is never changed: all rows of a code with the newest ``known_from`` up to an instant are what was known of
it then. Writing is in `shared.catalogue.store.changes`.

Texts are read in the one spelling of all that look like them: rows that were told before that was seen to stay as they are.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final

import asyncpg
import orjson

from shared.catalogue.rules.agency_tree import AgencyCatalogue, AgencyTree, AgencyVersion
from shared.database.engine import DriverConnection
from shared.vocabulary.codes import competent_agency, is_pair, receiving_agency
from shared.vocabulary.events import AgencyCode, ProcedureCode, Tenant
from shared.vocabulary.spelling import one_spelling

_SUBTREES_KEPT: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure:
    """One procedure (thủ tục hành chính). ``limit_unit``: working_hours, working_days, calendar_days or months."""

    code: ProcedureCode
    name: str
    field: str | None = None
    field_name: str | None = None
    level: str | None = None
    limit_value: int | None = None
    limit_unit: str | None = None
    supplement_policy: str = "pause"
    payment_pauses: bool = False
    result_is_document: bool = False
    has_fee: bool = False
    online_level: str | None = None
    facts: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CalendarDay:
    """A day off (``off``) or a make-up working day (``worked``), with the paper that says so."""

    date: date
    kind: str
    source: str


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days that differ from the week's rule, and the years that someone has confirmed."""

    days: tuple[CalendarDay, ...]
    confirmed_years: frozenset[int]


class Catalogue:
    """One state of a tenant's agencies and procedures, and every agency code that some record has had (``seen``).

    Among these are pairs of a competent agency and a desk (`shared.vocabulary.codes.agency_pair`); a pair stands on the tree
    where its competent agency does. ``named``: the agencies alone.
    ``told``: further codes that events were found to name. They are added when somebody asks for one.
    """

    def __init__(
        self,
        agencies: AgencyCatalogue,
        procedures: Mapping[ProcedureCode, Procedure],
        seen: Iterable[str],
        told: set[str] | None = None,
    ) -> None:
        self.tenant: Final = agencies.tenant
        self.agencies: Final = agencies
        self.procedures: Final = procedures
        self.seen: Final = frozenset(seen)
        self.pairs: Final = frozenset(filter(is_pair, self.seen))
        self.named: Final = frozenset({half(code) for code in self.seen for half in (competent_agency, receiving_agency)})
        self.told: Final = set[str]() if told is None else told
        self.codes_under = lru_cache(maxsize=_SUBTREES_KEPT)(self._codes_under)
        self.codes_received_by = lru_cache(maxsize=_SUBTREES_KEPT)(self._codes_received_by)
        self.branches = lru_cache(maxsize=_SUBTREES_KEPT)(self._branches)
        self.desk_rows = lru_cache(maxsize=_SUBTREES_KEPT)(self._desk_rows)
        self.seen_among = lru_cache(maxsize=_SUBTREES_KEPT)(self._seen_among)

    def tree_on(self, on: date) -> AgencyTree:
        return self.agencies.tree_on(on)

    def knows(self, agency: str) -> bool:
        """Whether the code names an agency of some day, or one that an event names."""
        resolved = self.agencies.resolve(agency)
        if resolved == self.agencies.root or self.agencies.latest(resolved) is not None or agency in self.named:
            return True
        return any(self.agencies.resolve(code) == resolved for code in self.named | self.told)

    def procedures_of(self, field: str) -> list[ProcedureCode]:
        """The codes of the procedures of one field (lĩnh vực)."""
        return [code for code, procedure in self.procedures.items() if procedure.field == field]

    def _codes_under(self, root: AgencyCode, on: date) -> frozenset[str]:
        """Every code, as events tell them, that stands at or below ``root`` on the tree of ``on``."""
        return self.tree_on(on).codes_under(root, self.seen)

    def _codes_received_by(self, root: AgencyCode, on: date) -> frozenset[str]:
        """The same by the agency whose desk received, which is the competent one where no pair says another."""
        tree = self.tree_on(on)
        received = (code for code in self.pairs if tree.contains(root, receiving_agency(code)))
        return (self.codes_under(root, on) - self.pairs).union(received)

    def _branches(self, parent: AgencyCode, on: date) -> Mapping[str, AgencyCode]:
        """For each seen code under ``parent``: the row in a table of its direct children, itself for its own."""
        tree = self.tree_on(on)
        return {code: branch for code in self.seen if (branch := tree.branch(parent, code)) is not None}

    def _desk_rows(self, parent: AgencyCode, on: date) -> Mapping[str, AgencyCode]:
        """For each seen code the row in a table of the agencies that received (`AgencyTree.desk_row`)."""
        tree = self.tree_on(on)
        return {code: tree.desk_row(parent, code) for code in self.seen}

    def _seen_among(self, codes: frozenset[str] | None) -> Sequence[str]:
        """Those of ``codes`` that some dossier has had, sorted; None: all, and "" for none."""
        return sorted(codes & self.seen) if codes is not None else ["", *sorted(self.seen)]


AGENCY_COLUMNS: Final = tuple(one.name for one in fields(AgencyVersion))
PROCEDURE_COLUMNS: Final = tuple(one.name for one in fields(Procedure))


def _known(table: str, key: str, columns: Sequence[str], order: str = "") -> str:
    """The statement for what is known of each ``key`` at $2 (null: now)."""
    listed = ", ".join("c.facts::text" if column == "facts" else f"c.{column}" for column in columns)
    return f"""
SELECT {listed}
FROM {table} c
JOIN (SELECT {key}, max(known_from) AS known_from FROM {table}
      WHERE tenant = $1 AND ($2::timestamptz IS NULL OR known_from <= $2) GROUP BY {key}) newest
  ON newest.{key} = c.{key} AND newest.known_from = c.known_from
WHERE c.tenant = $1 AND NOT c.removed
ORDER BY c.{key}{order}"""


def _spelled(text: str | None) -> str | None:
    return None if text is None else one_spelling(text) or None


_AGENCIES: Final = _known("agency", "code", AGENCY_COLUMNS, ", c.ordinal")
_PROCEDURES: Final = _known("procedure", "code", PROCEDURE_COLUMNS)
_DAYS: Final = _known("calendar_day", "date", ("date", "kind", "source"))
_YEARS: Final = """
SELECT DISTINCT ON (year) year, confirmed FROM calendar_year
WHERE tenant = $1 AND ($2::timestamptz IS NULL OR known_from <= $2) ORDER BY year, known_from DESC"""


async def read_agencies(
    connection: DriverConnection, tenant: Tenant, known_at: datetime | None = None
) -> list[AgencyVersion]:
    """The agencies as known at an instant (None: now), by code; a code comes once for each period of its validity."""
    rows = await connection.fetch(_AGENCIES, tenant, known_at)
    return [AgencyVersion(**_values(row)) for row in rows]


async def read_procedures(
    connection: DriverConnection, tenant: Tenant, known_at: datetime | None = None
) -> dict[ProcedureCode, Procedure]:
    """The procedures as known at an instant (None: now), by code."""
    rows = await connection.fetch(_PROCEDURES, tenant, known_at)
    return {row["code"]: Procedure(**_values(row)) for row in rows}


_SPELLED: Final = frozenset({"name", "legal_basis", "field", "field_name", "level"})


def _values(row: asyncpg.Record) -> dict[str, Any]:
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
    values |= {name: _spelled(values[name]) for name in _SPELLED & values.keys()}
    if "aliases" in values:
        values["aliases"] = tuple(map(one_spelling, values["aliases"]))
    return values | {"facts": {name: one_spelling(text) for name, text in orjson.loads(row["facts"]).items()}}


async def read_calendar(connection: DriverConnection, tenant: Tenant, known_at: datetime | None = None) -> Calendar:
    """The calendar as known at an instant (None: now)."""
    days = await connection.fetch(_DAYS, tenant, known_at)
    years = await connection.fetch(_YEARS, tenant, known_at)
    return Calendar(
        days=tuple(CalendarDay(row["date"], row["kind"], one_spelling(row["source"])) for row in days),
        confirmed_years=frozenset(row["year"] for row in years if row["confirmed"]),
    )


async def read_seen(connection: DriverConnection, tenant: Tenant) -> list[str]:
    """Every agency code that some dossier has had, as events told it."""
    rows = await connection.fetch("SELECT agency FROM seen_agency WHERE tenant = $1 ORDER BY agency", tenant)
    return [row["agency"] for row in rows]


async def was_known(
    connection: DriverConnection, tenant: Tenant, *, procedure: str | None = None, field: str | None = None
) -> bool:
    """Whether there was ever such a procedure, or one of such a field, be it removed since."""
    rows = await connection.fetch(
        "SELECT DISTINCT field FROM procedure WHERE tenant = $1 AND (code = $2 OR $3 AND field IS NOT NULL)",
        tenant,
        procedure,
        field is not None,
    )
    return bool(rows) if field is None else any(_spelled(row["field"]) == field for row in rows)


async def changed_since(connection: DriverConnection, tenant: Tenant, since: datetime) -> list[datetime]:
    """When agencies were told anew, later than ``since``, in order."""
    rows = await connection.fetch(
        "SELECT DISTINCT known_from FROM agency WHERE tenant = $1 AND known_from > $2 ORDER BY 1", tenant, since
    )
    return [row["known_from"] for row in rows]


async def seen_count(connection: DriverConnection, tenant: Tenant) -> int:
    """How many agency codes dossiers have had."""
    return int(await connection.fetchval("SELECT count(*) FROM seen_agency WHERE tenant = $1", tenant))


async def read_catalogue(connection: DriverConnection, tenant: Tenant, known_at: datetime | None = None) -> Catalogue:
    """Agencies and procedures as known at an instant (None: now), with the codes seen until now."""
    return Catalogue(
        AgencyCatalogue(tenant, await read_agencies(connection, tenant, known_at)),
        await read_procedures(connection, tenant, known_at),
        await read_seen(connection, tenant),
    )
