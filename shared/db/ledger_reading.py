"""What people see of the portal ledger."""

from typing import TYPE_CHECKING, Any, Final

from shared.domain.events import DossierCode, Tenant

if TYPE_CHECKING:
    from shared.db.engine import DriverConnection

_COLUMNS: Final = (
    "state, wanted_position, dossier_position, progress_position, acknowledged_at, attempts, next_try_at,"
    " error_class, error_detail"
)
_READ: Final = f"SELECT {_COLUMNS} FROM sync_ledger WHERE tenant = $1 AND dossier_code = $2"


async def read_sync(connection: "DriverConnection", tenant: Tenant, code: DossierCode) -> dict[str, Any] | None:
    """How far the portal is with one dossier; None: nothing has been told to the ledger yet."""
    row = await connection.fetchrow(_READ, tenant, code)
    return None if row is None else dict(row)
