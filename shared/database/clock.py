"""The clock that counts: every process reads the database's, so that no two of them differ."""

from datetime import datetime

from shared.database.engine import DriverConnection


async def database_now(connection: DriverConnection) -> datetime:
    """The database's clock at this statement, and not at the begin of its transaction as ``now()`` is."""
    instant: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return instant
