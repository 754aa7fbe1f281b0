"""The events of registers other than the dossiers', by register and subject."""

from collections.abc import Iterable
from typing import Final

from shared.database.engine import DriverConnection
from shared.events.store.event_log import any_event_of
from shared.vocabulary.events import RecordEvent, Tenant

OF_REGISTER: Final = "starts_with(name, {} || '.')"
"""SQL: the event is of a register, named by a text."""

OF_ONE_REGISTER: Final = "tenant = $1 AND name LIKE '%.%' AND split_part(name, '.', 1) = $2"
"""SQL: the events of a register other than the dossiers', by the index `ix_event_log_registers`."""

# by the subjects' index whatever the statistics say
_HISTORIES: Final = f"""
SELECT e.* FROM unnest($3::text[]) AS c(code) CROSS JOIN LATERAL (
    SELECT position, recorded_at, source, id, name, dossier_code, time, data FROM event_log e
    WHERE e.tenant = $1 AND e.dossier_code = c.code AND ($4::bigint IS NULL OR e.position <= $4)
      AND {OF_REGISTER.format("$2::text")}
    ORDER BY e.position OFFSET 0
) e
"""

# those that have the dossier's code, and those that name it; the expression is that of the index `ix_event_log_about`
_CONCERNING: Final = f"""
WITH concerned AS (
    SELECT split_part(name, '.', 1) AS register, dossier_code AS code FROM event_log
    WHERE tenant = $1 AND dossier_code = $2 AND name LIKE '%.%'
    UNION
    SELECT split_part(name, '.', 1), dossier_code FROM event_log
    WHERE tenant = $1 AND coalesce(data ->> 'dossier_code', data ->> 'about_dossier') = $2 AND name LIKE '%.%'
)
SELECT e.* FROM concerned c CROSS JOIN LATERAL (
    SELECT position, recorded_at, source, id, name, dossier_code, time, data FROM event_log e
    WHERE e.tenant = $1 AND e.dossier_code = c.code AND {OF_REGISTER.format("c.register")} ORDER BY e.position OFFSET 0
) e"""


async def concerning(
    connection: DriverConnection, tenant: Tenant, dossier_code: str
) -> dict[str, dict[str, list[RecordEvent]]]:
    """All events of the records that have the code of a dossier or name it: by register and code, in log order."""
    found: dict[str, dict[str, list[RecordEvent]]] = {}
    for row in await connection.fetch(_CONCERNING, tenant, dossier_code):
        event = any_event_of(row)
        assert isinstance(event, RecordEvent)
        found.setdefault(event.name.register, {}).setdefault(event.subject, []).append(event)
    return found


async def histories(
    connection: DriverConnection, tenant: Tenant, register: str, codes: Iterable[str], up_to: int | None = None
) -> dict[str, list[RecordEvent]]:
    """All events of the records, by code, in log order; only those up to position ``up_to`` where it is given."""
    found: dict[str, list[RecordEvent]] = {}
    for row in await connection.fetch(_HISTORIES, tenant, register, list(codes), up_to):
        event = any_event_of(row)
        assert isinstance(event, RecordEvent)
        found.setdefault(event.subject, []).append(event)
    return found
