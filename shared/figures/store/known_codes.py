"""Whether a code that today's catalogues do not know was ever known, or stands in a dossier that the caller may see."""

from typing import Final

from shared.access.store.visibility import Access, any_of
from shared.catalogue.store.catalogues import was_known
from shared.database.engine import DriverConnection
from shared.figures.store.tables import UNKNOWN

NO_FIELD: Final = UNKNOWN
"""Asks for the procedures that have no field."""


async def is_field_told(connection: DriverConnection, access: Access, field: str) -> bool:
    """Whether some procedure ever had this field."""
    return await was_known(connection, access.tenant, field=field)


async def is_procedure_told(connection: DriverConnection, access: Access, procedure: str) -> bool:
    """Whether there was ever such a procedure, or there is a dossier of it among those that the caller may see."""
    if await was_known(connection, access.tenant, procedure=procedure):
        return True
    told: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM dossier WHERE tenant = $1 AND procedure = $2"
        " AND ($3::text[] IS NULL OR agency = ANY($3)))",
        access.tenant,
        procedure,
        any_of(access.codes()),
    )
    return told
