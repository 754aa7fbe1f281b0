"""Real PostgreSQL and Valkey for every test that asks: started once a run, a fresh database for each test.

``database``                 a clone of the migrated template, dropped after the test (about 20 ms)
``database_url``             its URL as the application role (``postgresql://``)
``migration_database_url``   its URL as the owner
``redis_url``                an emptied logical database of this xdist worker's own
``shared_database_url``      for a module whose tests store nothing that another one of them could see: one database for all
``own_redis_url``            the same logical database, as it is
``servers``                  both servers, for tests that need the admin role or the process ids
"""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis

from shared.observability import forget_logging

pytest.register_assert_rewrite("tests.support", "tests.oracle")  # first, so that a failed assertion there says what differed

from tests.support.servers import (  # noqa: E402 - after the line above
    DISTRIBUTE_VARIABLE,
    EXTERNAL_VARIABLE,
    FOLDER_VARIABLE,
    TEMPLATE,
    Database,
    Servers,
    end_guardian,
    memory_folder,
    passable_folder,
    read_servers,
    start_guardian,
)
from tests.support.suite.progress import Progress  # noqa: E402 - likewise

_GUARDIAN = pytest.StashKey[subprocess.Popen[bytes]]()


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput") or config.option.collectonly or config.option.help:
        return  # an xdist worker is told the folder by its controller's environment
    for name in [name for name in os.environ if name.startswith("MOTCUA_")]:
        if name not in {EXTERNAL_VARIABLE, DISTRIBUTE_VARIABLE}:
            del os.environ[name]  # the tests know nothing of the `make run` of the shell they are started from
    folder = Path(tempfile.mkdtemp(prefix="motcua-test-", dir=memory_folder()))
    os.environ[FOLDER_VARIABLE] = str(folder)
    config.stash[_GUARDIAN] = start_guardian(folder)
    config.pluginmanager.register(Progress(config), "progress")


@pytest.hookimpl(trylast=True)  # after they are put in random order
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # whole systems start and wait: they begin first, one after the other in one process, while others compute beside them
    items.sort(key=lambda item: item.get_closest_marker("system") is None)
    if EXTERNAL_VARIABLE in os.environ:
        skip = pytest.mark.skip(reason="it is about the embedded PostgreSQL")
        for item in items:
            if item.get_closest_marker("embedded"):
                item.add_marker(skip)


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()  # a thousand tests and their modules need no looking through again, at every collection of garbage


def pytest_unconfigure(config: pytest.Config) -> None:
    guardian = config.stash.get(_GUARDIAN, None)
    if guardian is not None:
        end_guardian(guardian)
        os.environ.pop(FOLDER_VARIABLE, None)


@pytest.fixture(scope="session")
def servers() -> Servers:
    return read_servers(Path(os.environ[FOLDER_VARIABLE]))


@pytest.fixture(scope="session")
async def _admin(servers: Servers) -> AsyncIterator[asyncpg.Connection]:
    link = await asyncpg.connect(servers.admin + "postgres")
    yield link
    await link.close()


@asynccontextmanager
async def cloned(servers: Servers, admin: asyncpg.Connection) -> AsyncIterator[Database]:
    name = f"t_{uuid.uuid4().hex}"
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER {servers.owner_role} STRATEGY file_copy")
    yield Database(name, servers.app + name, servers.owner + name, servers.admin + name)
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(servers: Servers, _admin: asyncpg.Connection) -> AsyncIterator[Database]:
    async with cloned(servers, _admin) as made:
        yield made


@pytest.fixture(scope="module")
async def shared_database_url(servers: Servers, _admin: asyncpg.Connection) -> AsyncIterator[str]:
    async with cloned(servers, _admin) as made:
        yield made.app_url


@pytest.fixture
def database_url(database: Database) -> str:
    return database.app_url


@pytest.fixture
def migration_database_url(database: Database) -> str:
    return database.owner_url


@pytest.fixture(scope="session")
def own_redis_url(servers: Servers) -> str:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    return f"{servers.valkey}{int(worker.removeprefix('gw'))}"


@pytest.fixture
async def redis_url(own_redis_url: str) -> str:
    async with Redis.from_url(own_redis_url) as link:
        await link.flushdb()
    return own_redis_url


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty folder that every user may pass through (pytest's own are closed to the servers' user)."""
    with passable_folder() as folder:
        yield folder


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """A program run within a test sends its logs to that test's stderr, which is closed when the next one logs."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    forget_logging()
    root.handlers[:] = handlers
    root.setLevel(level)
