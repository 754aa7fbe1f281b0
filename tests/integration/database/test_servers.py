"""The servers behind the tests: two roles, a database for each test, an emptied Valkey."""

import asyncpg
import pytest
from redis.asyncio import Redis

from tests.support.servers import Database, Servers


@pytest.mark.parametrize("turn", [1, 2, 3])
async def test_each_test_has_a_database_of_its_own(database: Database, servers: Servers, turn: int) -> None:
    link = await asyncpg.connect(database.owner_url)
    try:
        assert await link.fetchval("SELECT current_user") == servers.owner_role
        await link.execute("CREATE TABLE mine (n int)")
    finally:
        await link.close()


@pytest.mark.embedded
async def test_the_application_role_is_no_owner(database_url: str) -> None:
    link = await asyncpg.connect(database_url)
    try:
        assert await link.fetchval("SELECT current_user") == "motcua_app"
        assert await link.fetchval("SHOW server_version_num") >= "180000"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await link.execute("CREATE TABLE theirs (n int)")
    finally:
        await link.close()


@pytest.mark.parametrize("turn", [1, 2])
async def test_valkey_is_empty_for_each_test(redis_url: str, turn: int) -> None:
    async with Redis.from_url(redis_url) as link:
        assert await link.dbsize() == 0
        await link.set("left", "over")


@pytest.mark.embedded
async def test_passwords_are_demanded(servers: Servers) -> None:
    _, _, place = servers.app.partition("@")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(f"postgresql://motcua_app:wrong@{place}postgres")
    async with Redis.from_url(servers.valkey.partition(":")[0] + "://" + servers.valkey.partition("@")[2] + "0") as link:
        with pytest.raises(Exception, match=r"(?i)auth"):
            await link.ping()
