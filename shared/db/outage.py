"""Which errors mean that PostgreSQL is gone or overloaded, and not that the statement is wrong."""

import asyncio
from typing import Final

import asyncpg
from sqlalchemy import exc

_GONE: Final = (
    OSError,
    TimeoutError,
    asyncio.IncompleteReadError,
    asyncpg.PostgresConnectionError,
    asyncpg.exceptions.ClientCannotConnectError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    # shutting down, starting up, crashed, cancelled by a timeout; too many connections, out of disk or memory
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.PostgresSystemError,
    # an owner of the role or database is being changed, or the database is just being created again
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
    exc.TimeoutError,
    exc.OperationalError,
    exc.InterfaceError,
    exc.DisconnectionError,
)


def is_outage(error: BaseException) -> bool:
    """Whether the same statement may well succeed a little later, with nothing changed."""
    if isinstance(error, exc.DBAPIError):
        if error.connection_invalidated:
            return True
        inner = error.__cause__ or error.orig
        while inner is not None:
            if isinstance(inner, _GONE):
                return True
            inner = inner.__cause__
        return isinstance(error, exc.OperationalError | exc.InterfaceError)
    return isinstance(error, _GONE)
