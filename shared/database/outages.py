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

_WRAPPED: Final = (exc.OperationalError, exc.InterfaceError)


def is_outage(error: BaseException) -> bool:
    """Whether the same statement may well succeed a little later, with nothing changed."""
    if isinstance(error, exc.DBAPIError):
        return error.connection_invalidated or _is_caused(error.__cause__ or error.orig) or isinstance(error, _WRAPPED)
    # the pool's own errors, as it makes or checks a connection, come as the driver's adapter raised them
    return _is_caused(error) if isinstance(error, exc.EmulatedDBAPIException) else isinstance(error, _GONE)


def _is_caused(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, _GONE):
            return True
        error = error.__cause__
    return False
