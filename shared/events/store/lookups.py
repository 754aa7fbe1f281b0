"""What is asked of the log before an append or an answer: which identities and codes are known, who has a dossier now."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.database.engine import DriverConnection
from shared.events.store.event_log import FUTURE_TOLERANCE, OF_DOSSIERS
from shared.vocabulary.events import DossierCode, EventName, RecordEventName, Tenant, logged_name
from shared.vocabulary.projections import DOSSIERS

LATEST: Final = 50_000


@dataclass(frozen=True, slots=True)
class Recorded:
    """An identity of the log: where it stands, the hash of what it says, its name, and the subject that it is of."""

    position: int
    content_hash: bytes
    name: EventName | RecordEventName
    subject: str


@dataclass(frozen=True, slots=True)
class DossierStatus:
    """A dossier of the log. ``agency`` is that of the projected row, right if ``is_current``: no later event exists."""

    agency: str | None
    is_current: bool


async def recorded(
    connection: DriverConnection, tenant: Tenant, identities: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], Recorded]:
    """Those of the (source, id) that are in the log."""
    pairs = list(identities)
    rows = await connection.fetch(
        "SELECT l.source, l.id, l.position, l.content_hash, l.name, l.dossier_code"
        " FROM unnest($2::text[], $3::text[]) AS i(source, id)"
        " JOIN event_log l ON l.tenant = $1 AND l.source = i.source AND l.id = i.id",
        tenant,
        [source for source, _ in pairs],
        [id_ for _, id_ in pairs],
    )
    return {
        (row["source"], row["id"]): Recorded(
            row["position"], row["content_hash"], logged_name(row["name"]), row["dossier_code"]
        )
        for row in rows
    }


async def latest_time(connection: DriverConnection) -> datetime:
    """The latest time that an event may have now, by the database's clock."""
    latest: datetime = await connection.fetchval(f"SELECT clock_timestamp() + interval '{FUTURE_TOLERANCE}'")
    return latest


async def statuses(
    connection: DriverConnection, tenant: Tenant, codes: Iterable[DossierCode]
) -> dict[DossierCode, DossierStatus]:
    """Those of the dossiers that have an event in the log."""
    rows = await connection.fetch(
        f"""
        SELECT c.code, d.agency, d.position IS NOT DISTINCT FROM l.position AS is_current
        FROM unnest($2::text[]) AS c(code)
        CROSS JOIN LATERAL (SELECT position FROM event_log WHERE tenant = $1 AND dossier_code = c.code AND {OF_DOSSIERS}
                            ORDER BY position DESC LIMIT 1) AS l
        LEFT JOIN dossier d ON d.tenant = $1 AND d.code = c.code
        """,
        tenant,
        list(codes),
    )
    return {DossierCode(row["code"]): DossierStatus(row["agency"], row["is_current"]) for row in rows}


async def is_agency_told(connection: DriverConnection, tenant: Tenant, agency: str) -> bool:
    """Whether one of the latest `LATEST` events names the agency, as it is spelt; a longer log is not looked through."""
    told: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM (SELECT data FROM event_log WHERE tenant = $1 ORDER BY position DESC LIMIT $3) latest"
        " WHERE $2 IN (data->>'agency_code', data->>'receiving_agency_code'))",
        tenant,
        agency,
        LATEST,
    )
    return told


async def uncounted_procedures(connection: DriverConnection, tenant: Tenant) -> list[str]:
    """The procedures that events name which no figure counts yet: of the latest `LATEST`, and of dossiers set aside."""
    rows = await connection.fetch(
        f"""
        SELECT DISTINCT data->>'procedure_code' AS code FROM (
            (SELECT data FROM event_log WHERE tenant = $1 AND {OF_DOSSIERS} AND position > coalesce(
                 (SELECT position FROM projection_cursor WHERE tenant = $1 AND projection = '{DOSSIERS}'), 0)
             ORDER BY position DESC LIMIT $2)
            UNION ALL
            (SELECT l.data FROM projection_failure f
             JOIN event_log l ON l.tenant = f.tenant AND l.dossier_code = f.dossier_code
             WHERE f.tenant = $1 AND {OF_DOSSIERS} LIMIT $2)
        ) uncounted WHERE data->>'procedure_code' IS NOT NULL ORDER BY code
        """,
        tenant,
        LATEST,
    )
    return [row["code"] for row in rows]
