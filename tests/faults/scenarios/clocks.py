"""Clocks that disagree and workers that stand still over a tick: 19, 20."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx

from tests.faults.campaign import Run, scenario
from tests.faults.proxy import Fault
from tests.faults.scenarios.delivery import SWEEP_BOUND_SECONDS, arrives
from tests.faults.scenarios.figures import asking
from tests.oracle.histories import Event, event, written
from tests.oracle.log import LOCAL, instant, local_date
from tests.oracle.stack import identity
from tests.system.end_to_end import TENANT

INJECTED = Path(__file__).parents[1] / "injected"
TEN_MINUTES = 600.0
ZONES = ("America/New_York", "Pacific/Kiritimati")
"""Time zones of the processes' environment: none of the days may depend on it."""

NIGHTS = {
    "2022-12-31T23:59:59+07:00": "2022-12-31",
    "2023-01-01T00:00:00+07:00": "2023-01-01",
    "2022-12-31T17:30:00Z": "2023-01-01",
    "2022-12-31T23:30:00-05:00": "2023-01-01",
    "2023-01-01T13:59:59+14:00": "2023-01-01",
    "2023-01-01T01:00:00+14:00": "2022-12-31",
    "2023-03-12T01:59:59-05:00": "2023-03-12",
    "2023-03-12T03:00:00-04:00": "2023-03-12",
    "2023-03-12T12:59:59-04:00": "2023-03-12",
    "2023-03-12T13:00:00-04:00": "2023-03-13",
    "2023-10-29T02:30:00+02:00": "2023-10-29",
    "2023-10-29T02:30:00+01:00": "2023-10-29",
}
"""Receptions around the end of a year and the nights in which clocks elsewhere change, with the local day of each here."""


def meddled(**settings: str) -> dict[str, str]:
    """Environment of a process that is meddled with before it begins."""
    path = os.pathsep.join(filter(None, (str(INJECTED), os.environ.get("PYTHONPATH"))))
    return {"PYTHONPATH": path, **settings}


async def again(run: Run, name: str, number: int = 0, **once: str) -> None:
    """End a process and start it with other surroundings, for one life."""
    await asyncio.to_thread(run.stack.hold, name, number)
    run.stack.release(name, number, **once)
    await asyncio.sleep(0.2)
    await asyncio.to_thread(run.stack.wait_ready)


@asynccontextmanager
async def skewed(run: Run, api: float, worker: float, zone: str) -> AsyncIterator[httpx.AsyncClient]:
    """API and worker have clocks so many seconds ahead, and live in another time zone."""
    await again(run, "api", **meddled(FAULTS_CLOCK_SECONDS=str(api), TZ=zone))
    await asyncio.to_thread(run.stack.hold, "worker")
    begun = run.stack.log("worker-0").stat().st_size
    await again(run, "worker", **meddled(FAULTS_CLOCK_SECONDS=str(worker), TZ=zone))

    async def at_work() -> bool:
        return b"worker_started" in run.stack.log("worker-0").read_bytes()[begun:]

    await run.until(at_work, 30, "the worker says something")
    run.outcome.faults["clock shifted"] += 2
    try:
        async with asking(run) as client:
            shown = parsedate_to_datetime((await client.get("/healthz")).headers["date"])
            ahead = (shown - datetime.now(UTC)).total_seconds()
            assert abs(ahead - api) < 30, f"the API's clock is {ahead:.0f} s ahead, wanted {api:.0f} s"
            written_at = re.findall(rb'"at":"([^"]+)"', run.stack.log("worker-0").read_bytes())[-1].decode()
            ahead = (instant(written_at) - datetime.now(UTC)).total_seconds()
            assert abs(ahead - worker) < 30, f"the worker's clock is {ahead:.0f} s ahead, wanted {worker:.0f} s"
            yield client
    finally:
        await again(run, "api")
        await again(run, "worker")


def reception(run: Run, moment: str, due_at: str | None = None) -> Event:
    """A dossier received then, online, at H51.01."""
    run.agencies.serial += 1
    code = f"H51.01-{instant(moment).astimezone(LOCAL):%y%m%d}-{run.agencies.serial:07}"
    data = {"procedure_code": "2.000123", "agency_code": "H51.01", "channel": "online"}
    data |= {"due_at": due_at} if due_at else {}
    return event("received", code, moment, "urn:night", f"{run.agencies.serial}", **data)


@scenario(19, "clock-skew")
async def clock_skew(run: Run) -> None:
    """With the API's clock ten minutes ahead and the worker's ten behind, and the other way round, in foreign time zones: the
    database's clock decides what is of the future, days are those of Asia/Ho_Chi_Minh, nothing waits for the skew to pass."""
    await run.settled()
    for (api, worker), zone in zip(((TEN_MINUTES, -TEN_MINUTES), (-TEN_MINUTES, TEN_MINUTES)), ZONES, strict=True):
        async with skewed(run, api, worker, zone) as client:
            await _future(run, client, api)
            await _days(run, client)
            (life,) = run.agencies.lives(1)
            run.agencies.book.lives.append([identity(one) for one in life])
            way = run.stack.proxies["portal"]
            rule = way.inject(Fault.RESET, match=b"POST /")
            for one in life:
                await run.agencies.insist([one])
            await asyncio.sleep(2.0)
            assert rule.fired > 0, "the portal was not called"
            way.remove(rule)
            kind = f"a portal away while clocks were {abs(api):.0f} s apart from the database's"
            took = await arrives(run, life[-1], SWEEP_BOUND_SECONDS + 20)
            run.outcome.recovered(kind, took)
            await run.settled(60)
            item = (await client.get("/v1/events", params={"source": life[0]["source"], "id": life[0]["id"]})).json()[
                "items"
            ][0]
            recorded = (datetime.now(UTC) - instant(item["recorded_at"])).total_seconds()
            assert 0 <= recorded < 120, f"recorded {recorded:.0f} s ago: not by the database's clock"
        await run.agencies.tell(run.agencies.lives(4))  # right again: nothing waits for the skew to pass
        await run.recovered("clocks set right", run.settled(60))


async def _future(run: Run, client: httpx.AsyncClient, ahead: float) -> None:
    """More than 5 minutes after the database's clock is refused, less is taken, whatever the API's clock says."""
    now = datetime.now(UTC)
    for seconds, taken in ((240, True), (-1, True), (360, False), (900, False)):
        post_event = reception(run, written(now + timedelta(seconds=seconds), 420))
        if taken:
            run.agencies.book.lives.append([identity(post_event)])
            assert await run.agencies.insist([post_event])
            assert identity(post_event) in run.agencies.book.acked, f"{seconds} s ahead, API {ahead:+.0f} s: not taken"
        else:
            answer = await client.post("/v1/events", json=post_event)
            assert answer.status_code == 422, f"{seconds} s ahead, API {ahead:+.0f} s: {answer.status_code} {answer.text}"


async def _days(run: Run, client: httpx.AsyncClient) -> None:
    """Each reception counts on its local day here."""
    before = await _received(client)
    post_event = [reception(run, moment) for moment in NIGHTS]
    run.agencies.book.lives.extend([identity(one)] for one in post_event)
    assert await run.agencies.insist(post_event)
    wanted = before + Counter(NIGHTS.values())
    assert all(f"{local_date(instant(moment))}" == day for moment, day in NIGHTS.items())
    position = max(run.agencies.book.acked[identity(one)] for one in post_event)

    async def counted() -> bool:
        (lag,) = [lag for lag in (await client.get("/readyz")).json()["lags"] if lag["tenant"] == TENANT]
        return lag["events_not_projected"] == 0 and lag["events"] >= position

    await run.until(counted, 20, "the receptions of those nights are counted")
    assert await _received(client) == wanted, "a day that is not that of Asia/Ho_Chi_Minh"


async def _received(client: httpx.AsyncClient) -> Counter[str]:
    """Dossiers received online at H51.01 by day, on the days of those nights and beside them."""
    found: Counter[str] = Counter()
    for day in {
        one for text in NIGHTS.values() for one in (-1, 0, 1) for one in (date.fromisoformat(text) + timedelta(one),)
    }:
        asked = {"from": f"{day}", "to": f"{day}", "agency": "H51.01", "channel": "online"}
        answer = (await client.get("/v1/stats/summary", params=asked)).json()
        if answer["received"]["new"]["online"]:
            found[f"{day}"] = answer["received"]["new"]["online"]
    return found


# ---- 20

FROZEN_SECONDS = 22.0
"""Longer than any lease (20 s); a minute with full counts."""


async def effects(run: Run) -> dict[str, list[dict[str, Any]]]:
    """What the ticks of the night have brought about."""
    jobs = await run.stack.sql("SELECT job_id, kind, state, fence FROM job WHERE tenant = $1 ORDER BY created_at", TENANT)
    audits = await run.stack.sql("SELECT audit_id, night::text FROM audit WHERE tenant = $1", TENANT)
    return {"jobs": [dict(row) for row in jobs], "audits": [dict(row) for row in audits]}


@scenario(20, "double-scheduler", fresh=True, workers=2, MOTCUA_AUDIT_AT="off", MOTCUA_RECONCILE_AT="off")
async def double_scheduler(run: Run) -> None:
    """Two workers with the same schedule, one stopped for longer than its leases, both stopped when the tick comes and continued
    at once: one audit and one comparison, each begun once, no burst of calls, nothing sent twice by who comes back."""
    stack, agencies = run.stack, run.agencies
    await agencies.tell(agencies.lives(20), batch=5)
    await run.settled()
    frozen = run.counts.of(60, FROZEN_SECONDS, 5)  # type: ignore[arg-type]
    tick = datetime.now(LOCAL).replace(second=0, microsecond=0) + timedelta(minutes=1)
    while (tick - datetime.now(LOCAL)).total_seconds() < frozen + 8:
        tick += timedelta(minutes=1)
    at = f"{tick:%H:%M}"
    for number in (0, 1):
        await asyncio.to_thread(stack.hold, "worker", number)
        stack.release("worker", number, MOTCUA_AUDIT_AT=at, MOTCUA_RECONCILE_AT=at)
    await asyncio.sleep(1.0)
    await run.settled()
    lives = [seat.lives for seat in stack.seats]
    await asyncio.sleep(max((tick - datetime.now(LOCAL)).total_seconds() - frozen - 1, 0))
    assert (await effects(run))["jobs"] == [], "before the tick"
    telling = asyncio.create_task(agencies.tell(agencies.lives(30), desks=2, pause=0.1, batch=3))
    await asyncio.sleep(0.5)
    with stack.frozen("worker", 0):
        await telling  # in the middle of it; the other one goes on
        await asyncio.sleep(max((tick - datetime.now(LOCAL)).total_seconds() - 1, 0))
        with stack.frozen("worker", 1):
            await asyncio.sleep((tick - datetime.now(LOCAL)).total_seconds() + 1.5)
            assert (await effects(run))["jobs"] == []
            way = stack.proxies["portal"]
            way.watched = b"POST /mapi/g"
            seen = len(way.requests)
        begun = time.monotonic()

    async def done() -> bool:
        return [job["state"] for job in (await effects(run))["jobs"]] == ["done", "done"]

    await run.until(done, 60, "the night's audit and comparison")
    run.outcome.recovered("both workers stopped over a tick", time.monotonic() - begun)
    await run.settled()
    await asyncio.sleep(run.counts.of(60, 4, 1))  # sweeps go on: none of them begins another one
    found = await effects(run)
    assert sorted(job["kind"] for job in found["jobs"]) == ["audit", "reconcile"], found
    assert [job["fence"] for job in found["jobs"]] == [1, 1], f"begun more than once: {found}"
    assert len(found["audits"]) == 1, found
    calls = len(way.requests) - seen
    most = 30 + len(agencies.book.codes) // 10
    assert calls <= most, f"{calls} calls after both were continued, wanted at most {most}"
    assert [seat.lives for seat in stack.seats] == lives, "somebody died over it"
    run.outcome.notes.append(
        f"one worker stopped for {frozen:.0f} s, both over the tick: {found['jobs']}, {calls} calls after it"
    )
    way.watched = None
