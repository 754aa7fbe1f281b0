"""The almanac of a tenant as the database holds it: calendar, office hours and procedures with all that was known before."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Final

import asyncpg

from shared.calendar.rules.almanac import Almanac, DayFact, HoursFact, Limits, YearFact
from shared.calendar.rules.calendar import DayKind
from shared.calendar.rules.working_time import HoursEntry, OfficeHours
from shared.catalogue.rules.terms import ProcedureTerms, SupplementPolicy, Term, TermsVersion, TermUnit
from shared.database.engine import DriverConnection
from shared.events.rules.registers import CATALOGUE
from shared.events.store import event_log
from shared.events.store.record_events import OF_ONE_REGISTER
from shared.vocabulary.events import Tenant

NEWEST_FACT: Final = """greatest(
    (SELECT max(known_from) FROM calendar_day WHERE tenant = {tenant}),
    (SELECT max(known_from) FROM calendar_year WHERE tenant = {tenant}),
    (SELECT max(known_from) FROM office_hours WHERE tenant = {tenant}),
    (SELECT max(known_from) FROM procedure WHERE tenant = {tenant}))"""
"""SQL: from when the newest fact of a tenant's almanac was known; null: there is none. Writers are serial within a tenant,
so that it rises with every change."""

_NEWEST: Final = f"SELECT {NEWEST_FACT.format(tenant='$1')}"
_NEWEST_AND_DECIDED: Final = f"""
SELECT {NEWEST_FACT.format(tenant="$1")} AS known_from,
       (SELECT max(position) FROM event_log WHERE {OF_ONE_REGISTER}) AS decided"""


async def newest_fact(connection: DriverConnection, tenant: Tenant) -> datetime | None:
    """From when the newest fact of the tenant's almanac was known."""
    known_from: datetime | None = await connection.fetchval(_NEWEST, tenant)
    return known_from


async def read_almanac(
    connection: DriverConnection, tenant: Tenant, known_by: datetime | None = None, limits: Limits | None = None
) -> Almanac:
    """All that is and was known; with ``known_by`` all that was known by then. ``limits``: what decisions say."""
    known = "tenant = $1 AND ($2::timestamptz IS NULL OR known_from <= $2)"
    days = await connection.fetch(
        f"SELECT known_from, date, kind, removed FROM calendar_day WHERE {known} ORDER BY known_from, date", tenant, known_by
    )
    years = await connection.fetch(
        f"SELECT known_from, year, confirmed FROM calendar_year WHERE {known} ORDER BY known_from, year", tenant, known_by
    )
    hours = await connection.fetch(
        f"SELECT {ENTRY_COLUMNS}, known_from FROM office_hours WHERE {known} ORDER BY known_from, agency, ordinal",
        tenant,
        known_by,
    )
    procedures = await connection.fetch(
        "SELECT code, known_from, limit_value, limit_unit, supplement_policy, payment_pauses, removed FROM procedure"
        f" WHERE {known} ORDER BY code, known_from",
        tenant,
        known_by,
    )
    versions: dict[str, list[TermsVersion]] = {}
    for row in procedures:
        versions.setdefault(row["code"], []).append((row["known_from"], None if row["removed"] else _terms(row)))
    return Almanac(
        days=[DayFact(row["known_from"], row["date"], None if row["removed"] else DayKind(row["kind"])) for row in days],
        years=[YearFact(row["known_from"], row["year"], row["confirmed"]) for row in years],
        hours=[
            HoursFact(known_from, agency, hours_of(list(rows)))
            for (known_from, agency), rows in groupby(hours, itemgetter("known_from", "agency"))
        ],
        procedures=versions,
        former_up_to=await event_log.former_up_to(connection, tenant),
        limits=limits,
    )


LimitsOf = Callable[[DriverConnection, Tenant, int], Awaitable[Limits | None]]
"""The limits that a tenant's decisions give procedures, the last of them told at a position: the same object until then."""


async def _no_limits(_connection: DriverConnection, _tenant: Tenant, _decided: int) -> Limits | None:
    return None


class Almanacs:
    """The newest almanac of each tenant, read again when a fact was added, or ``limits_of`` answers others."""

    def __init__(self, limits_of: LimitsOf = _no_limits) -> None:
        self._limits_of = limits_of
        self._kept: dict[Tenant, tuple[datetime | None, Limits | None, Almanac]] = {}

    async def of(self, connection: DriverConnection, tenant: Tenant) -> tuple[Almanac, datetime | None]:
        """The almanac, and from when the newest fact in it was known."""
        row = await connection.fetchrow(_NEWEST_AND_DECIDED, tenant, CATALOGUE.name)
        assert row is not None
        newest, decided = row
        limits = None if decided is None else await self._limits_of(connection, tenant, decided)
        kept = self._kept.get(tenant)
        if kept is None or kept[0] != newest or kept[1] is not limits:
            # a change in between is in the almanac already and read once more at the next look
            almanac = await read_almanac(connection, tenant, limits=limits)
            kept = self._kept[tenant] = (newest, limits, almanac)
        return kept[2], newest


def _terms(row: asyncpg.Record) -> ProcedureTerms:
    value = row["limit_value"]
    return ProcedureTerms(
        term=Term(value, TermUnit(row["limit_unit"])) if value else None,
        supplement_policy=SupplementPolicy(row["supplement_policy"]),
        payment_pauses=row["payment_pauses"],
    )


ENTRY_COLUMNS: Final = "agency, spans, weekdays, valid_from, valid_to, removed"


def hours_of(rows: Sequence[asyncpg.Record]) -> OfficeHours | None:
    """What was told of an agency at one time; None: that it has no hours of its own any more."""
    if rows[0]["removed"]:
        return None
    return OfficeHours.of(
        HoursEntry.read(row["spans"], frozenset(row["weekdays"]), row["valid_from"], row["valid_to"]) for row in rows
    )
