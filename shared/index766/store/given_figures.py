"""Figures of the national index that dossiers do not feed, as given with a paper and its date; versions are kept."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

import asyncpg

from shared.catalogue.store.changes import CatalogueChange, begin_change
from shared.database.engine import DriverConnection
from shared.index766.rules.indicators import GIVEN_INDICATORS, NATIONAL_RECEIVED
from shared.vocabulary.errors import FieldError, InvalidInput
from shared.vocabulary.events import AgencyCode, Tenant
from shared.vocabulary.periods import Period


@dataclass(frozen=True, slots=True)
class Given:
    """A figure of an agency's subtree and a period. ``numerator`` None: only the denominator is given (1.4)."""

    indicator: str
    agency: AgencyCode
    period: Period
    numerator: int | None
    denominator: int
    source: str
    source_on: date
    withdrawn: bool = False
    """From then on nothing is given; ``source`` is the paper that says so."""
    known_from: datetime | None = None

    @property
    def key(self) -> tuple[str, str, date, date]:
        """What a later version replaces."""
        return self.indicator, self.agency, self.period.from_on, self.period.to_on


_COLUMNS: Final = "indicator, agency, from_on, to_on, numerator, denominator, source, source_on, withdrawn, known_from"
_NEWEST: Final = f"""
SELECT DISTINCT ON (indicator, agency, from_on, to_on) {_COLUMNS} FROM index_input
WHERE tenant = $1 AND ($2::text IS NULL OR (agency = $2 AND from_on = $3 AND to_on = $4))
  AND ($5::timestamptz IS NULL OR known_from <= $5)
ORDER BY indicator, agency, from_on, to_on, known_from DESC"""


async def given_for(
    connection: DriverConnection, tenant: Tenant, agency: AgencyCode, period: Period, known_by: datetime | None = None
) -> dict[str, Given]:
    """What is given of this very agency and period, by indicator: the newest version of each, of those known by then."""
    rows = await connection.fetch(_NEWEST, tenant, agency, period.from_on, period.to_on, known_by)
    return {row["indicator"]: _given(row) for row in rows if not row["withdrawn"]}


_VERSIONS: Final = f"""
SELECT {_COLUMNS} FROM index_input WHERE tenant = $1 AND ($2::timestamptz IS NULL OR known_from <= $2)
ORDER BY indicator, agency, from_on, to_on, known_from DESC"""


async def read_given(connection: DriverConnection, tenant: Tenant, known_by: datetime | None = None) -> list[Given]:
    """The newest version of everything that was given (known by then), withdrawn ones too."""
    return [_given(row) for row in await connection.fetch(_NEWEST, tenant, None, None, None, known_by)]


async def read_versions(connection: DriverConnection, tenant: Tenant, known_by: datetime | None = None) -> list[Given]:
    """Every version of everything that was given (known by then), of each the newest first."""
    return [_given(row) for row in await connection.fetch(_VERSIONS, tenant, known_by)]


async def put_given(connection: DriverConnection, tenant: Tenant, submitted: Sequence[Given]) -> CatalogueChange:
    """Take figures, in the caller's transaction; what is told again unchanged writes nothing.

    One that is withdrawn keeps the numbers that were given last.

    Raises:
        InvalidInput: with pointers into ``submitted``.
    """
    _check(submitted)
    known_from = await begin_change(connection, tenant)
    known = {one.key: replace(one, known_from=None) for one in await read_given(connection, tenant)}
    given = [_as_withdrawn(one, known.get(one.key), index) if one.withdrawn else one for index, one in enumerate(submitted)]
    written = [one for one in given if known.get(one.key) != one]
    await connection.executemany(
        f"INSERT INTO index_input (tenant, {_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        [
            (tenant, *one.key, one.numerator, one.denominator, one.source, one.source_on, one.withdrawn, known_from)
            for one in written
        ],
    )
    removed = sum(one.withdrawn for one in written)
    unchanged = len(submitted) - len(written)
    return CatalogueChange(known_from if written else None, len(written) - removed, removed, unchanged)


def _as_withdrawn(one: Given, known: Given | None, index: int) -> Given:
    if known is None:
        raise InvalidInput.of(f"/{index}/withdrawn", "nothing_given", "a figure of an agency and a period that was given")
    return replace(one, numerator=known.numerator, denominator=known.denominator)


def _check(submitted: Sequence[Given]) -> None:
    errors: list[FieldError] = []
    keys: dict[object, int] = {}
    for index, one in enumerate(submitted):
        if one.indicator not in GIVEN_INDICATORS:
            expected = f"one of {', '.join(GIVEN_INDICATORS)}"
            errors.append(FieldError(f"/{index}/indicator", "indicator", expected))
        elif not one.withdrawn and (one.numerator is None) != (one.indicator == NATIONAL_RECEIVED):
            expected = "a whole number; null for 1.4, of which only the denominator is given"
            errors.append(FieldError(f"/{index}/numerator", "numerator", expected))
        elif one.numerator is not None and one.numerator > one.denominator:
            errors.append(FieldError(f"/{index}/numerator", "numerator", "not more than the denominator"))
        if keys.setdefault(one.key, index) != index:
            detail = f"the same indicator, agency and period as item {keys[one.key]}"
            errors.append(FieldError(f"/{index}/indicator", "repeated", detail))
    if errors:
        raise InvalidInput(errors)


def _given(row: asyncpg.Record) -> Given:
    return Given(
        indicator=row["indicator"],
        agency=row["agency"],
        period=Period(row["from_on"], row["to_on"]),
        numerator=row["numerator"],
        denominator=row["denominator"],
        source=row["source"],
        source_on=row["source_on"],
        withdrawn=row["withdrawn"],
        known_from=row["known_from"],
    )
