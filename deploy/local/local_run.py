"""`make run`: everything in order, one READY line, and everything away again at the end."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import asyncpg
from redis import Redis, RedisError

from deploy.local.errors import ProgramError, SettingError
from deploy.local.folder import DataFolder
from deploy.local.leftovers import end_leftovers
from deploy.local.migration import MigrationMark
from deploy.local.payments import write_access
from deploy.local.process import tail
from deploy.local.programs import (
    ROOT,
    Surroundings,
    api_listener,
    api_program,
    base_url,
    fetch,
    payments_program,
    portal_program,
    postgres_program,
    valkey_program,
    worker_program,
)
from deploy.local.servers.account import ordinary_account
from deploy.local.servers.port import demanded_port, free_port
from deploy.local.servers.postgres import APP, OWNER, Postgres
from deploy.local.servers.secret import keep_secrets, write_private
from deploy.local.servers.valkey import Valkey
from deploy.local.supervisor import Stopped, Supervisor
from shared.settings import Settings

OLDEST_POSTGRES = 150_000
NO_SAMPLE = "none"
_ASK_SECONDS = 5.0


def run(settings: Settings) -> int:
    """Run everything until a signal; the exit code.

    Raises:
        LocalRunError: it could not be started; nothing is left running.
    """
    folder = DataFolder(settings.data_dir.expanduser().resolve())
    settings = settings.model_copy(update={"data_dir": folder.path})
    demand_sensible(settings)
    folder.demand_ours_or_empty()
    with ExitStack() as stack:
        lock = stack.enter_context(folder.locked())
        folder.prepare()
        say = _speaker(folder)
        ended = end_leftovers(folder)
        if ended:
            say(f"ended what a killed run had left: {', '.join(ended)}")
        keeper = Supervisor(folder, say)
        keeper.open()
        run = _Run(Surroundings(folder, settings), keeper, say)
        stack.callback(run.tidy)
        stack.callback(keeper.stop)
        stack.callback(lock.write, "stopping")
        try:
            run.start()
            keeper.forever()
        except Stopped as stopped:
            say(f"stopping ({stopped})")
        return 0 if run.was_ready else 1


def demand_sensible(settings: Settings) -> None:
    """Refuse settings that do not go together.

    Raises:
        SettingError: names them.
    """
    if settings.listens_beyond_loopback and "dev_key" in settings.model_fields_set:
        raise SettingError(
            f"MOTCUA_DEV_KEY is a key that anybody may know, and MOTCUA_API_HOST={settings.api_host} lets other machines"
            " in. Unset MOTCUA_DEV_KEY and make real keys with `.venv/bin/motcua keys create`, or listen on 127.0.0.1."
        )
    if settings.migration_database_url is not None and settings.database_url is None:
        raise SettingError(
            "MOTCUA_MIGRATION_DATABASE_URL is set but MOTCUA_DATABASE_URL is not: set both for a PostgreSQL of your"
            " own (the second is the application's role), or neither for the embedded one."
        )
    if settings.api_port == settings.portal_port:
        raise SettingError(
            f"MOTCUA_API_PORT and MOTCUA_PORTAL_PORT are both {settings.api_port}. Set one of them to another port."
        )


def _speaker(folder: DataFolder) -> Callable[[str], None]:
    log = folder.log("supervisor")

    def say(text: str) -> None:
        line = f"{time.strftime('%H:%M:%S')} {text}"
        with suppress(OSError, ValueError):  # the terminal may be gone
            print(line, file=sys.stderr, flush=True)
        with suppress(OSError), log.open("a") as file:
            file.write(f"{time.strftime('%Y-%m-%d')} {line}\n")

    return say


@dataclass(slots=True)
class _Run:
    """One run, from the first server to the READY line."""

    around: Surroundings
    keeper: Supervisor
    say: Callable[[str], None]
    was_ready: bool = False
    listener: socket.socket | None = None

    def start(self) -> None:
        """Start everything in order and print the READY line."""
        settings, keeper = self.around.settings, self.keeper
        self.listener = api_listener(settings)
        demanded_port(settings.portal_port, "MOTCUA_PORTAL_PORT")
        self._start_servers()
        portal_first = portal_program(self.around)  # it needs no database: it starts while that migrates
        keeper.start(portal_first)
        mocks = [portal_first]
        if settings.payments_access_file is None:  # else there is a real platform
            port = write_access(self.around.folder, settings)
            mocks.append(payments_program(self.around, port))
            keeper.start(mocks[1])
            self.say(f"mock payment platform: {base_url('127.0.0.1', port)}")
        self._migrate()
        programs = [worker_program(self.around), api_program(self.around, self.listener)]
        for program in programs:
            keeper.start(program)
        for program in (*mocks, *programs):
            keeper.wait_ready(program)
        self._load_sample()
        api, portal = base_url(settings.api_host, settings.api_port), base_url("127.0.0.1", settings.portal_port)
        self.was_ready = True
        with suppress(OSError):
            print(f"READY api={api} docs={api}/docs portal={portal}", flush=True)

    def tidy(self) -> None:
        """Take away what only makes sense while we run."""
        if self.listener is not None:
            self.listener.close()
        for name in ("postgres.url", "postgres-owner.url", "valkey.url"):
            (self.around.folder.run / name).unlink(missing_ok=True)

    # ---- servers

    def _start_servers(self) -> None:
        settings, folder = self.around.settings, self.around.folder
        if settings.redis_url is None:
            secrets = keep_secrets(folder.secrets)
            account = ordinary_account(folder.valkey)
            bell = Valkey(folder.valkey, folder.log("valkey"), self._port("valkey"), account, secrets)
            bell.create()
            bell_program = valkey_program(bell)
            self.keeper.start(bell_program)
            write_private(folder.run / "valkey.url", bell.url() + "\n")
        else:
            _demand_redis(settings.effective_redis_url())
        if settings.database_url is None:
            secrets = keep_secrets(folder.secrets)
            account = ordinary_account(folder.postgres)
            store = Postgres(folder.postgres, folder.log("postgres"), self._port("postgres"), account, secrets)
            store.create()
            program = postgres_program(store)
            self.keeper.start(program)
            self.keeper.wait_ready(program)
            store.provide_roles()
            write_private(folder.run / "postgres.url", store.url(APP) + "\n")
            write_private(folder.run / "postgres-owner.url", store.url(OWNER) + "\n")
        else:
            _demand_postgres(settings.effective_database_url(), "MOTCUA_DATABASE_URL")
            _demand_postgres(settings.effective_migration_database_url(), "MOTCUA_MIGRATION_DATABASE_URL")
        if settings.redis_url is None:
            self.keeper.wait_ready(bell_program)

    def _port(self, server: str) -> int:
        asked: int | None = getattr(self.around.settings, f"{server}_port")
        return free_port() if asked is None else demanded_port(asked, f"MOTCUA_{server.upper()}_PORT")

    def _once(self, name: str, *arguments: str) -> None:
        code = self.keeper.visit(lambda: self.around.python(*arguments, log=name))
        if code != 0:
            log = self.around.folder.log(name)
            raise ProgramError(f"The {name} failed. The end of {log}:\n{tail(log)}")

    def _migrate(self) -> None:
        mark = MigrationMark(self.around.folder.migration_mark, ROOT)
        # Another's database may be changed behind our back; the embedded one is ours alone.
        is_embedded = self.around.settings.database_url is None
        owner_url = self.around.settings.effective_migration_database_url()
        if is_embedded and mark.is_current(owner_url):
            return
        self._once("migration", "-m", "alembic", "upgrade", "head")
        if is_embedded:
            mark.write(owner_url)

    # ---- sample

    def _load_sample(self) -> None:
        settings = self.around.settings
        if settings.sample == NO_SAMPLE:
            return
        if settings.listens_beyond_loopback:
            self.say("no sample is loaded and there is no development key, for the API listens beyond loopback")
            return
        mark = self.around.folder.sample_mark
        state = _read_mark(mark)
        if not self._is_empty() and state != {"sample": settings.sample, "state": "loading"}:
            return
        # Loading again adds nothing that is there already, so a load that was cut short is simply begun again.
        write_private(mark, json.dumps({"sample": settings.sample, "state": "loading"}) + "\n")
        self.say(f"loading the sample {settings.sample}")
        code = self.keeper.visit(lambda: self.around.aloud("-m", "services.cli", "sample"))
        if code != 0:
            raise ProgramError(
                f"The sample {settings.sample!r} could not be loaded (exit code {code}; the reason stands above)."
                " MOTCUA_SAMPLE=none starts without one."
            )
        write_private(mark, json.dumps({"sample": settings.sample, "state": "loaded"}) + "\n")

    def _is_empty(self) -> bool:
        settings = self.around.settings
        url = base_url(settings.api_host, settings.api_port) + "/v1/events?after=0&limit=1"
        answer = fetch(url, settings.dev_key.get_secret_value(), seconds=_ASK_SECONDS)
        if answer is None:
            raise ProgramError(
                f"The API does not say whether there are events yet ({url}, with MOTCUA_DEV_KEY); see"
                f" {self.around.folder.log('api')}."
            )
        return not answer.get("items")


def _read_mark(path: os.PathLike[str]) -> object:
    try:
        with open(path) as file:  # noqa: PTH123 - a PathLike
            return json.load(file)
    except (OSError, ValueError):
        return None


def _demand_postgres(url: str, setting: str) -> None:
    async def version() -> int:
        link = await asyncpg.connect(url, timeout=_ASK_SECONDS)
        try:
            return int(await link.fetchval("SHOW server_version_num"))
        finally:
            await link.close()

    try:
        number = asyncio.run(version())
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise SettingError(
            f"The PostgreSQL that {setting} names cannot be used: {str(error) or type(error).__name__}."
        ) from error
    if number < OLDEST_POSTGRES:
        raise SettingError(
            f"{setting} names PostgreSQL {number // 10_000}; motcua needs 15 or newer. Unset it for the embedded one."
        )


def _demand_redis(url: str) -> None:
    try:
        with Redis.from_url(url, socket_connect_timeout=_ASK_SECONDS, socket_timeout=_ASK_SECONDS) as link:
            link.ping()
    except (RedisError, OSError, ValueError) as error:
        raise SettingError(f"The server that MOTCUA_REDIS_URL names cannot be used: {error}.") from error
