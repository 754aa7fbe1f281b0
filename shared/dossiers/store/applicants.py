"""Personal data of applicants: one table, read through this module only (rules, section 10)."""

from collections.abc import Iterable, Mapping
from typing import Final

from shared.database.engine import DriverConnection
from shared.dossiers.rules.applicant import Applicant
from shared.vocabulary.events import DossierCode, Event, Tenant

_FOR_DELIVERY: Final = """
SELECT a.dossier_code, a.name, a.id_type, a.id_number, a.phone, a.email
FROM unnest($2::text[], $3::text[], $4::text[]) AS e(dossier_code, source, id)
JOIN applicant a ON a.tenant = $1 AND a.dossier_code = e.dossier_code AND a.source = e.source AND a.id = e.id
WHERE a.tenant = $1 AND a.dossier_code = ANY($2::text[])
"""


async def for_delivery(
    connection: DriverConnection, tenant: Tenant, events: Iterable[Event]
) -> Mapping[DossierCode, Applicant]:
    """The personal data that ``events`` brought, by dossier, for the statutory transfer to the national portal.

    No person reads here, so no row of ``applicant_reading`` is written: who got what about whom, and when, stands
    in the ledger's attempt (``sync_attempt``) with the hash of the body. Never to be used for anything that a person sees.
    """
    carrying = list(events)
    if not carrying:
        return {}
    rows = await connection.fetch(
        _FOR_DELIVERY,
        tenant,
        [event.dossier_code for event in carrying],
        [event.source for event in carrying],
        [event.id for event in carrying],
    )
    return {
        row["dossier_code"]: Applicant(row["name"], row["id_type"], row["id_number"], row["phone"], row["email"])
        for row in rows
    }
