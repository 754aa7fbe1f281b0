"""The API in process on a test's own database, and dossier rows drawn at random with what they count for, day by day."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any

import httpx
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.routing import BaseRoute

from services.api.main import create_app
from shared.access.store import keys, tenants
from shared.access.store.keys import Permission
from shared.database.engine import driver_session
from shared.projection.store.dossier_rows import DossierRow, days_text, write
from shared.settings import Settings
from shared.vocabulary.events import DossierCode, Tenant

H51 = Tenant("H51")
FIRST_DAY = date(2023, 11, 1)
LAST_DAY = date(2026, 10, 31)


@dataclass
class Served:
    """The API and clients of it."""

    app: FastAPI
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    @property
    def engine(self) -> Any:
        return self.app.state.context.engine

    def client(self, token: str | None) -> httpx.AsyncClient:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://localhost", headers=headers)
        self.clients.append(client)
        return client

    async def key(self, *scopes: Permission, tenant: Tenant = H51, agency: str | None = None) -> httpx.AsyncClient:
        async with driver_session(self.engine) as connection:
            return self.client(await keys.create(connection, tenant, scopes or (Permission.ADMIN,), agency=agency))

    async def write(self, rows: Iterable[DossierRow], tenant: Tenant = H51) -> None:
        async with driver_session(self.engine) as connection:
            await write(connection, tenant, list(rows))


_ROUTES: list[BaseRoute] = []


def new_app(settings: Settings) -> FastAPI:
    """An API of its own, on the routes of the first one.

    FastAPI works an operation out when a request first looks for it: half a second for all of them, for each application.
    Routes hold nothing of a process (that is in the context, and in the middlewares, which are not shared).
    """
    app = create_app(settings)
    if not _ROUTES:
        _ROUTES.extend(app.router.routes)
    app.router.routes[:] = _ROUTES
    return app


@asynccontextmanager
async def served(database_url: str, redis_url: str, **settings: Any) -> AsyncIterator[Served]:
    # heavy reads are answered in the test's own process, which can look into them and starts faster
    settings = {"reader": False, **settings}
    app = new_app(Settings(database_url=SecretStr(database_url), redis_url=SecretStr(redis_url), **settings))
    async with app.router.lifespan_context(app):
        api = Served(app)
        async with driver_session(api.engine) as connection:
            for tenant in ("H51", "G09"):
                await tenants.create(connection, tenant)
        try:
            yield api
        finally:
            for client in api.clients:
                await client.aclose()


async def clock(api: Served) -> datetime:
    """What the database's clock says, which is the one that counts."""
    async with driver_session(api.engine) as connection:
        now: datetime = await connection.fetchval("SELECT clock_timestamp()")
        return now


def at(on: date, hour: int = 9, minute: int = 0) -> datetime:
    """A local moment, in UTC."""
    return datetime.combine(on, time(hour, minute), UTC) - timedelta(hours=7)


def spans(days: Iterable[date], *, open_ended: bool) -> list[tuple[date, date | None]]:
    """Sorted days as spans; the last one without an end if ``open_ended``."""
    found: list[tuple[date, date | None]] = []
    for day in days:
        if found and found[-1][1] == day:
            found[-1] = (found[-1][0], day + timedelta(days=1))
        else:
            found.append((day, day + timedelta(days=1)))
    if found and open_ended:
        found[-1] = (found[-1][0], None)
    return found


HORIZON = date(2027, 3, 1)
"""Rows are drawn day by day up to here; what then still holds holds for ever."""


def random_row(random: Random, number: int, agencies: list[str | None], procedures: list[str]) -> DossierRow:
    """A dossier's row: received, perhaps due, paused, resumed, ended; some never received."""
    code = DossierCode(f"H51.12-{random.choice(['240115', '20250308'])}-{number:05}")
    channel = random.choice(["online", "direct", "postal"])
    agency, procedure = random.choice(agencies), random.choice(procedures)
    if random.random() < 0.05:
        told_at = at(FIRST_DAY + timedelta(days=random.randrange(900)))
        empty = [None] * 3
        return DossierRow(
            code, number, 1, agency, procedure, channel, *empty, None, None, told_at, told_at, "", *empty, "{}", "{}", "{}"
        )
    received_on = FIRST_DAY + timedelta(days=random.randrange((LAST_DAY - FIRST_DAY).days))
    due_on = None if random.random() < 0.1 else received_on + timedelta(days=random.randrange(-1, 60))
    ended_on = None if random.random() < 0.25 else received_on + timedelta(days=random.randrange(80))
    if ended_on is not None and ended_on > LAST_DAY:
        ended_on = None  # nothing ends in the future
    paused: set[date] = set()
    forever = False
    if random.random() < 0.3:
        begin = received_on + timedelta(days=random.randrange(30))
        forever = ended_on is None and random.random() < 0.3
        length = 5000 if forever else random.randrange(1, 20)
        paused = {begin + timedelta(days=n) for n in range(length)}
    days = list(_days(received_on, ended_on))
    held = [day for day in days if day in paused]
    overdue = [day for day in days if due_on is not None and day > due_on and day not in paused]
    within = [day for day in days if day not in set(overdue)]
    endless = ended_on is None
    resolution = None
    if ended_on is not None:
        resolution = "on_time" if due_on is None or due_on == ended_on else "early" if ended_on < due_on else "late"
    end_kind = None if ended_on is None else random.choice(["processed"] * 6 + ["withdrawn", "stopped", "returned"])
    touched_at = at(ended_on or received_on)
    return DossierRow(
        code,
        number,
        random.choice([2, 4, 5]) if ended_on is None else random.choice([7, 8, 9, 10]),
        agency,
        procedure,
        channel,
        at(received_on, random.randrange(24), random.randrange(3)),
        None if due_on is None else at(due_on, 16),
        None if due_on is None else at(due_on, 16),
        None if ended_on is None else at(ended_on, 23, 59),
        end_kind,
        touched_at,
        touched_at,
        random.choice(["", "", "extended_twice", "no_due_date,unexpected_step"]),
        received_on,
        ended_on,
        resolution,
        days_text(spans(within, open_ended=endless and HORIZON - timedelta(days=1) in within)),
        days_text(spans(overdue, open_ended=endless and HORIZON - timedelta(days=1) in overdue)),
        days_text(spans(held, open_ended=endless and HORIZON - timedelta(days=1) in held)),
    )


def _days(begin: date, end: date | None) -> Iterator[date]:
    day = begin
    while day < (end or HORIZON):
        yield day
        day += timedelta(days=1)


@dataclass
class Days:
    """The day sets of a row again, for counting by hand."""

    row: DossierRow
    within: set[date]
    overdue: set[date]
    paused: set[date]

    @classmethod
    def of(cls, row: DossierRow) -> Days:
        return cls(row, _read(row.within_days), _read(row.overdue_days), _read(row.paused_days))


def _read(text: str) -> set[date]:
    found: set[date] = set()
    for span in text.strip("{}").split("),"):
        if span:
            begin, _, end = span.strip("[)").partition(",")
            found |= set(_days(date.fromisoformat(begin), date.fromisoformat(end) if end else HORIZON))
    return found


def count(rows: Iterable[Days], begin: date, end: date) -> dict[str, int]:
    """The figures of [begin, end] by their paths, dossier by dossier."""
    found = dict.fromkeys(
        (
            *(f"received.new.{channel}" for channel in ("online", "direct", "postal")),
            *(f"resolved.{how}" for how in ("early", "on_time", "late", "withdrawn", "stopped")),
            *("received.carried_over", "open.within", "open.overdue", "open.paused"),
        ),
        0,
    )
    for days in rows:
        row = days.row
        if row.received_on is None:
            continue
        if begin <= row.received_on <= end:
            found[f"received.new.{row.channel}"] += 1
        if row.received_on < begin and (row.ended_on is None or row.ended_on >= begin):
            found["received.carried_over"] += 1
        if row.ended_on is not None and begin <= row.ended_on <= end:
            found[f"resolved.{row.resolution}"] += 1
            if row.end_kind in ("withdrawn", "stopped"):
                found[f"resolved.{row.end_kind}"] += 1
        found["open.within"] += end in days.within
        found["open.overdue"] += end in days.overdue
        found["open.paused"] += end in days.paused
    return found


def figure(answer: dict[str, Any], path: str) -> int:
    """A figure of an answer by its path."""
    value: Any = answer
    for step in path.split("."):
        value = value[step]
    assert isinstance(value, int)
    return value


def counted(answer: dict[str, Any], like: dict[str, int]) -> dict[str, int]:
    """The figures of an answer that ``like`` has."""
    return {path: figure(answer, path) for path in like}
