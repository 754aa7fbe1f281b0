"""Office hours by agency, kept as versions: what is told of them, and what was known of them at any time."""

from collections.abc import Mapping
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Final

from shared.calendar.rules.working_time import OfficeHours
from shared.calendar.store.stored_almanacs import ENTRY_COLUMNS, hours_of
from shared.catalogue.store.changes import CatalogueChange, begin_change
from shared.database.engine import DriverConnection
from shared.vocabulary.events import AgencyCode, Tenant

_TELL: Final = """
INSERT INTO office_hours (tenant, agency, known_from, ordinal, spans, weekdays, valid_from, valid_to, removed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"""

_ROWS_AT_ONCE: Final = 1_000

_KNOWN: Final = f"""
SELECT {ENTRY_COLUMNS} FROM (
    SELECT *, rank() OVER (PARTITION BY agency ORDER BY known_from DESC) AS age FROM office_hours
    WHERE tenant = $1 AND ($2::timestamptz IS NULL OR known_from <= $2)) AS told
WHERE age = 1 ORDER BY agency, ordinal"""


async def read_office_hours(
    connection: DriverConnection, tenant: Tenant, known_at: datetime | None = None
) -> dict[str, OfficeHours]:
    """The office hours told of agencies as known at an instant (None: now), by agency code."""
    rows = await connection.fetch(_KNOWN, tenant, known_at)
    told = {agency: hours_of(list(of_one)) for agency, of_one in groupby(rows, itemgetter("agency"))}
    return {agency: hours for agency, hours in told.items() if hours is not None}


async def put_office_hours(
    connection: DriverConnection, tenant: Tenant, given: Mapping[AgencyCode, OfficeHours | None], *, replace: bool = False
) -> CatalogueChange:
    """Take ``given`` as the hours of these agencies and of those below them by code; with ``replace`` of all there are.

    None: the agency has no hours of its own any more, but those of the agencies above. In the caller's transaction, serial
    with the tenant's other changes.
    """
    known_from = await begin_change(connection, tenant)
    known = await read_office_hours(connection, tenant)
    gone = [code for code in known if replace and code not in given] + [
        code for code, hours in given.items() if hours is None and code in known
    ]
    written = {code: hours for code, hours in given.items() if hours is not None and known.get(code) != hours}
    told = [(code, hours, False) for code, hours in written.items()] + [(code, known[code], True) for code in gone]
    rows = [
        (tenant, code, known_from, n, str(one), sorted(one.weekdays), one.valid_from, one.valid_to, removed)
        for code, hours, removed in told
        for n, one in enumerate(hours.entries)
    ]
    for start in range(0, len(rows), _ROWS_AT_ONCE):  # thousands at once would hold up whoever shares the event loop
        await connection.executemany(_TELL, rows[start : start + _ROWS_AT_ONCE])
    unchanged = len(given) - len(written) - len(set(gone) & set(given))
    return CatalogueChange(known_from if rows else None, len(written), len(gone), unchanged)
