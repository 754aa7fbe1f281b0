"""What a recomputation reads in its snapshot before it compares: the cursor, and what is remembered beside dossier rows."""

from shared.database.engine import DriverConnection
from shared.projection.store.cursor import Cursor
from shared.vocabulary.events import DossierCode, Tenant
from shared.vocabulary.projections import DOSSIERS
from shared.vocabulary.voids import Identity


async def bound_waits(connection: DriverConnection, seconds: int) -> None:
    """Statements of this transaction may take ``seconds``, and so may the work between them and the waits for locks."""
    await connection.execute(
        "SELECT set_config('statement_timeout', $1, true), set_config('lock_timeout', $1, true),"
        " set_config('idle_in_transaction_session_timeout', $1, true),"
        " set_config('work_mem', '64MB', true)",
        str(seconds * 1000),
    )


async def cursor_unlocked(connection: DriverConnection, tenant: Tenant, projection: str = DOSSIERS) -> Cursor:
    """The cursor as the snapshot sees it."""
    row = await connection.fetchrow(
        "SELECT position, corrections FROM projection_cursor WHERE tenant = $1 AND projection = $2", tenant, projection
    )
    return Cursor(row["position"], row["corrections"]) if row else Cursor(0, 0)


async def dossier_count(connection: DriverConnection, tenant: Tenant) -> int:
    """How many dossiers have a row."""
    return int(await connection.fetchval("SELECT count(*) FROM dossier WHERE tenant = $1", tenant))


async def failing(connection: DriverConnection, tenant: Tenant) -> set[DossierCode]:
    """The dossiers set aside."""
    rows = await connection.fetch("SELECT dossier_code FROM projection_failure WHERE tenant = $1", tenant)
    return {row[0] for row in rows}


async def waiting(connection: DriverConnection, tenant: Tenant) -> set[tuple[Identity, DossierCode]]:
    """The voids that are noted as waiting."""
    rows = await connection.fetch("SELECT source, id, dossier_code FROM waiting_void WHERE tenant = $1", tenant)
    return {((row[0], row[1]), row[2]) for row in rows}
