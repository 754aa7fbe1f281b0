"""What someone tells about agencies, procedures and the calendar, added as new versions.

All of these run in the caller's transaction and are serial within a tenant. What is told again unchanged writes nothing.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import orjson

from shared.catalogue.rules.agency_tree import AgencyCatalogue, AgencyVersion
from shared.catalogue.store.catalogues import (
    AGENCY_COLUMNS,
    PROCEDURE_COLUMNS,
    Calendar,
    CalendarDay,
    Procedure,
    read_agencies,
    read_calendar,
    read_procedures,
)
from shared.database.clock import database_now
from shared.database.engine import DriverConnection
from shared.vocabulary.errors import FieldError, InvalidInput
from shared.vocabulary.events import Tenant


@dataclass(frozen=True, slots=True)
class CatalogueChange:
    """What became of the items told: how many keys were written, marked as removed, or known so already.

    ``known_from``: the instant from which the change is known; None where nothing changed.
    """

    known_from: datetime | None
    written: int
    removed: int
    unchanged: int


def _insert_sql(table: str, columns: Sequence[str]) -> str:
    parameters = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({parameters})"


_INSERT_AGENCY: Final = _insert_sql("agency", ("tenant", "known_from", "ordinal", "removed", *AGENCY_COLUMNS))
_INSERT_PROCEDURE: Final = _insert_sql("procedure", ("tenant", "known_from", "removed", *PROCEDURE_COLUMNS))


async def put_agencies(
    connection: DriverConnection, tenant: Tenant, given: Sequence[AgencyVersion], *, replace: bool
) -> CatalogueChange:
    """Take ``given`` as all that is to be known of the codes in it; with ``replace`` of every code of the tenant.

    A code with several periods of validity comes several times, once for each.

    Raises:
        InvalidInput: with pointers into ``given`` (``/3/parent``); for an agency that is not in it, to the whole (``""``).
    """
    known_from = await begin_change(connection, tenant)
    known = _by_code(await read_agencies(connection, tenant))
    new = _by_code(given)
    kept = [version for code, versions in known.items() if code not in new and not replace for version in versions]
    # thousands of agencies take longer than whoever shares the event loop can wait
    await asyncio.to_thread(_check_agencies, tenant, given, kept)
    written = {code: versions for code, versions in new.items() if known.get(code) != versions}
    removed = [code for code in known if code not in new] if replace else []
    rows = [
        (tenant, known_from, ordinal, False, *_values(version, AGENCY_COLUMNS))
        for versions in written.values()
        for ordinal, version in enumerate(versions)
    ]
    rows += [(tenant, known_from, 0, True, *_values(known[code][-1], AGENCY_COLUMNS)) for code in removed]
    await connection.executemany(_INSERT_AGENCY, rows)
    return CatalogueChange(known_from if rows else None, len(written), len(removed), len(new) - len(written))


async def put_procedures(
    connection: DriverConnection, tenant: Tenant, given: Sequence[Procedure], *, replace: bool
) -> CatalogueChange:
    """Take ``given`` as what is to be known of its codes; with ``replace`` of every code of the tenant.

    Raises:
        InvalidInput: a code comes twice.
    """
    _refuse_repeated("code", [procedure.code for procedure in given])
    known_from = await begin_change(connection, tenant)
    known = await read_procedures(connection, tenant)
    new = {procedure.code: procedure for procedure in given}
    written = [procedure for procedure in given if known.get(procedure.code) != procedure]
    removed = [procedure for code, procedure in known.items() if code not in new] if replace else []
    rows = [(tenant, known_from, False, *_values(procedure, PROCEDURE_COLUMNS)) for procedure in written]
    rows += [(tenant, known_from, True, *_values(procedure, PROCEDURE_COLUMNS)) for procedure in removed]
    await connection.executemany(_INSERT_PROCEDURE, rows)
    return CatalogueChange(known_from if rows else None, len(written), len(removed), len(given) - len(written))


async def put_calendar(
    connection: DriverConnection,
    tenant: Tenant,
    given: Sequence[CalendarDay],
    confirmed_years: Collection[int],
    *,
    replace: bool,
) -> CatalogueChange:
    """Take ``given`` as what is to be known of its days, and the years as confirmed; with ``replace`` as all there is.

    Raises:
        InvalidInput: a date comes twice.
    """
    _refuse_repeated("date", [day.date for day in given], prefix="/days")
    known_from = await begin_change(connection, tenant)
    known = await read_calendar(connection, tenant)
    days, years = _calendar_rows(known, given, confirmed_years, replace=replace)
    await connection.executemany(
        "INSERT INTO calendar_day (tenant, known_from, date, kind, source, removed) VALUES ($1, $2, $3, $4, $5, $6)",
        [(tenant, known_from, day.date, day.kind, day.source, removed) for day, removed in days],
    )
    await connection.executemany(
        "INSERT INTO calendar_year (tenant, known_from, year, confirmed) VALUES ($1, $2, $3, $4)",
        [(tenant, known_from, year, confirmed) for year, confirmed in years],
    )
    removed = sum(gone for _, gone in days) + sum(not confirmed for _, confirmed in years)
    written = len(days) + len(years) - removed
    unchanged = len(given) + len(set(confirmed_years)) - written
    return CatalogueChange(known_from if written or removed else None, written, removed, unchanged)


def _calendar_rows(
    known: Calendar, given: Iterable[CalendarDay], confirmed_years: Collection[int], *, replace: bool
) -> tuple[list[tuple[CalendarDay, bool]], list[tuple[int, bool]]]:
    """Days with whether they are removed, and years with whether they are confirmed, that differ from what is known."""
    by_date = {day.date: day for day in known.days}
    new = {day.date: day for day in given}
    days = [(day, False) for day in new.values() if by_date.get(day.date) != day]
    years = [(year, True) for year in sorted(set(confirmed_years) - known.confirmed_years)]
    if replace:
        days += [(day, True) for day in known.days if day.date not in new]
        years += [(year, False) for year in sorted(known.confirmed_years - set(confirmed_years))]
    return days, years


async def begin_change(connection: DriverConnection, tenant: Tenant) -> datetime:
    """Wait for the tenant's other writers and answer the instant from which this change is known: later than theirs."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('motcua catalogue ' || $1, 0))", tenant)
    return await database_now(connection)


def _by_code(versions: Iterable[AgencyVersion]) -> dict[str, list[AgencyVersion]]:
    """The periods of validity of each code, the earliest first."""
    by_code: dict[str, list[AgencyVersion]] = {}
    for version in versions:
        by_code.setdefault(version.code, []).append(version)
    for of_code in by_code.values():
        of_code.sort(key=lambda version: version.valid_from or date.min)
    return by_code


def _values(one: AgencyVersion | Procedure, columns: Sequence[str]) -> list[Any]:
    values = [getattr(one, column) for column in columns]
    return [orjson.dumps(value).decode() if isinstance(value, Mapping) else value for value in values]


def _check_agencies(tenant: Tenant, given: Sequence[AgencyVersion], kept: Sequence[AgencyVersion]) -> None:
    """Refuse what does not fit together, and point at what is told rather than at what is known."""
    errors = _overlaps(given)
    elsewhere: list[FieldError] = []
    # where two do not fit, the one that stands first passes for right: so look from both sides
    for versions, offset in (([*given, *kept], 0), ([*kept, *given], len(kept))):
        for error in AgencyCatalogue(tenant, versions).problems():
            _, index, *rest = error.pointer.split("/")
            place = int(index) - offset
            if 0 <= place < len(given):
                errors.append(FieldError("/".join(("", str(place), *rest)), error.code, error.detail))
            else:
                known = versions[int(index)].code
                elsewhere.append(FieldError("", error.code, f"{known}, which is known and not told here: {error.detail}"))
    if errors or elsewhere:
        raise InvalidInput(list(dict.fromkeys(errors or elsewhere)))


def _overlaps(given: Sequence[AgencyVersion]) -> list[FieldError]:
    """A code may come several times, for periods of validity that do not overlap."""
    errors: list[FieldError] = []
    indexes: dict[str, list[int]] = {}
    for index, version in enumerate(given):
        for other in indexes.setdefault(version.code, []):
            first, second = sorted((given[other], version), key=lambda one: one.valid_from or date.min)
            if first.valid_to is None or first.valid_to >= (second.valid_from or date.min):
                detail = f"{version.code} comes twice for the same days (also as item {other})"
                errors.append(FieldError(f"/{index}/code", "repeated", detail))
                break
        indexes[version.code].append(index)
    return errors


def _refuse_repeated(name: str, keys: Sequence[object], prefix: str = "") -> None:
    first: Final[dict[object, int]] = {}
    errors = [
        FieldError(f"{prefix}/{index}/{name}", "repeated", f"{key} comes twice (also as item {first[key]})")
        for index, key in enumerate(keys)
        if first.setdefault(key, index) != index
    ]
    if errors:
        raise InvalidInput(errors)
