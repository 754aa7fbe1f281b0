"""An error says whether PostgreSQL is gone, however the layers above the driver wrapped it."""

import asyncpg
import pytest
from sqlalchemy import exc
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi

from shared.database.outages import is_outage

GONE = asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
WRONG = asyncpg.CheckViolationError("a value is refused")


def caused(error: BaseException, cause: BaseException) -> BaseException:
    try:
        raise error from cause
    except BaseException as raised:
        return raised


def adapted(cause: BaseException) -> BaseException:
    """As the pool raises it while it makes or checks a connection: not wrapped by the engine."""
    return caused(AsyncAdapt_asyncpg_dbapi.Error(str(cause), cause), cause)


@pytest.mark.parametrize(
    ("error", "gone"),
    [
        (GONE, True),
        (ConnectionResetError(), True),
        (adapted(GONE), True),
        (caused(exc.DBAPIError("SELECT 1", None, Exception()), adapted(GONE)), True),
        (exc.OperationalError("SELECT 1", None, Exception()), True),
        (exc.DBAPIError("SELECT 1", None, Exception(), connection_invalidated=True), True),
        (WRONG, False),
        (adapted(WRONG), False),
        (caused(exc.DBAPIError("SELECT 1", None, Exception()), adapted(WRONG)), False),
        (caused(ValueError("ours"), GONE), False),
    ],
)
def test_it_is_told_from_a_wrong_statement(error: BaseException, gone: bool) -> None:
    assert is_outage(error) is gone
