"""Sessions of an engine wait for nothing for ever."""

import pytest

from shared.database.engine import create_engine, driver_session


@pytest.mark.parametrize(
    ("bounds", "shown"),
    [
        ({}, {"idle_in_transaction_session_timeout": "5s", "lock_timeout": "5s", "statement_timeout": "30s"}),
        (
            {"idle_seconds": 60, "statement_timeout_seconds": 60},
            {"idle_in_transaction_session_timeout": "1min", "statement_timeout": "1min"},
        ),
    ],
)
async def test_waits_are_bounded(database_url: str, bounds: dict[str, float], shown: dict[str, str]) -> None:
    engine = create_engine(database_url, application="bounds", pool_size=1, **bounds)
    try:
        async with driver_session(engine) as connection:
            assert {name: await connection.fetchval(f"SHOW {name}") for name in shown} == shown
    finally:
        await engine.dispose()
