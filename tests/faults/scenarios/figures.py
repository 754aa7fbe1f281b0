"""The figures are those of the log, whatever was killed, edited or rebuilt meanwhile: 17, 18."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import httpx

from shared.counting.rules.slot_numbers import Rollup, slot_of
from shared.counting.store.slots import is_rollup_sql
from tests.faults import oracle
from tests.faults.campaign import Run, scenario
from tests.faults.load import HEADERS
from tests.oracle.answers import Judge
from tests.oracle.comparison import figure_differences
from tests.oracle.computation import Computation, compute
from tests.oracle.figures import effective_to, summary
from tests.oracle.log import local_date
from tests.oracle.stack import Reader, identity
from tests.system.end_to_end import TENANT

JOB_SECONDS = 60.0
_DEPARTMENT = "agency IN (SELECT number FROM figure_code WHERE tenant = $1 AND kind = 'agency' AND code LIKE 'H51.__')"
EDITS = {
    "a sum raised": "UPDATE figure_sum SET received = received + 1 WHERE ctid = (SELECT ctid FROM figure_sum"
    f" WHERE tenant = $1 AND {is_rollup_sql('slot', Rollup.AGENCY)} AND slot % 10000 = 0 AND received > 0 AND {_DEPARTMENT}"
    " ORDER BY slot, agency, channel LIMIT 1)",
    "a branch raised": "UPDATE figure_sum SET received = received + 1 WHERE ctid = (SELECT ctid FROM figure_sum"
    f" WHERE tenant = $1 AND {is_rollup_sql('slot', Rollup.BRANCH)} AND slot % 10000 = 0 AND received > 0 AND agency <> 0"
    " ORDER BY slot, agency, channel LIMIT 1)",
    "a sum deleted": "DELETE FROM figure_sum WHERE ctid = (SELECT ctid FROM figure_sum WHERE tenant = $1"
    f" AND {is_rollup_sql('slot', Rollup.PROCEDURE)} AND slot % 10000 <> 0 AND slot % 100 = 0 AND received > 0"
    " ORDER BY slot, procedure, channel LIMIT 1)",
    "a sum invented": "INSERT INTO figure_sum (tenant, slot, agency, procedure, channel, received)"
    f" SELECT tenant, {slot_of(Rollup.AGENCY, 'month', date(2019, 2, 1))}, agency, procedure, channel, 7 FROM figure_sum"
    f" WHERE tenant = $1 AND {is_rollup_sql('slot', Rollup.AGENCY)} AND {_DEPARTMENT} ORDER BY slot, agency, channel LIMIT 1",
    "a dossier edited": "UPDATE dossier SET status = 10, ended_on = NULL, agency = 'H51.03', anomalies = '{}'"
    " WHERE tenant = $1 AND code = (SELECT code FROM dossier WHERE tenant = $1 AND status = 4 ORDER BY code LIMIT 1)",
    "a dossier deleted": "DELETE FROM dossier WHERE tenant = $1"
    " AND code = (SELECT max(code) FROM dossier WHERE tenant = $1)",
}
"""What somebody with psql does to what the dashboards show."""

YEARS = tuple(str(year) for year in range(2017, 2027))
"""All of which the dossiers told are: a sum of one year is read by no other question."""


@asynccontextmanager
async def asking(run: Run, api: int = 0) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an API process with all rights."""
    async with httpx.AsyncClient(base_url=run.stack.apis[api], headers=HEADERS, timeout=30, trust_env=False) as client:
        yield client


async def ended(client: httpx.AsyncClient, answer: httpx.Response, seconds: float = JOB_SECONDS) -> dict[str, Any]:
    """The result of the job that an answer names, when it is done."""
    assert answer.status_code == 202, answer.text
    limit = time.monotonic() + seconds
    job: dict[str, Any] = {}
    while time.monotonic() < limit:
        try:
            job = (await client.get(answer.headers["location"])).json()
        except httpx.TransportError:
            job = {}  # an API process on its way back
        if job.get("state") in ("done", "failed"):
            break
        await asyncio.sleep(0.1)
    assert job.get("state") == "done", f"not done within {seconds:.0f} s: {job}"
    result: dict[str, Any] = job["result"]
    return result


async def stored(run: Run) -> dict[str, list[str]]:
    """What the dashboards are made of, row by row, as it stands in the database."""
    return await oracle.stored(run.stack, without_empty_sums=True)


async def reconciled(run: Run) -> dict[str, Any]:
    """The product's comparison of everything with the portal."""
    async with asking(run) as client:
        return await ended(client, await client.post("/v1/sync/reconcile"))


async def loaded(run: Run, seconds: float) -> int:
    """Agencies tell for so long, and worker and API die at random moments; how often they did."""
    stack, agencies = run.stack, run.agencies
    kills = 0
    limit = time.monotonic() + seconds
    telling = asyncio.create_task(agencies.tell(agencies.lives(30), desks=6, pause=0.03))
    while time.monotonic() < limit:
        await asyncio.sleep(run.chance.uniform(0.3, 1.5))
        stack.steady()
        stack.kill(run.chance.choice(("worker", "worker", "api")))
        kills += 1
        if telling.done():
            await telling
            telling = asyncio.create_task(agencies.tell(agencies.lives(30), desks=6, pause=0.03))
    await telling
    return kills


@scenario(17, "dashboard-drift")
async def dashboard_drift(run: Run) -> None:
    """After random load and kills a recompute, an audit and a comparison with the portal find no difference; whatever
    row of the dashboards is edited, deleted or invented by hand is found by an audit, told with both values, and repaired."""
    await run.settled()
    kills = await loaded(run, run.counts.of(600, 15, 3))
    await run.recovered("the last kill under load", run.settled(90), most=60)
    async with asking(run) as client:
        rebuilt = await ended(client, await client.post("/v1/stats/rebuild"))
        audited = await ended(client, await client.post("/v1/audits", json={"whole": True}))
    compared = await reconciled(run)
    wrong = {name: count for name, count in rebuilt.items() if name.endswith(("_differing", "_failing")) and count}
    assert not wrong, f"after {kills} kills a recompute found {wrong}"
    assert rebuilt["checksum_before"] == rebuilt["checksum_after"]
    assert audited["sums_differing"] == audited["dossiers_differing"] == 0, audited
    assert audited["sums_compared"] > 0, audited
    assert audited["dossiers_compared"] >= rebuilt["dossiers"], audited
    assert compared["looked_up"] > 0, compared
    assert (compared["differences"], compared["reopened"]) == (0, 0), compared
    run.outcome.notes.append(
        f"{kills} kills under load, then {rebuilt['events']} events recomputed: 0 rows differ; {compared['looked_up']} dossiers"
        " compared with the portal: 0 differ"
    )
    for what, statement in EDITS.items():
        await found_and_repaired(run, what, statement)


async def found_and_repaired(run: Run, what: str, statement: str) -> None:
    right = await stored(run)
    await run.stack.sql(statement, TENANT)
    run.outcome.faults[f"row: {what}"] += 1
    assert await stored(run) != right, f"{what}: nothing was edited"
    seen = await seen_by_oracle(run)
    assert seen, f"{what}: the oracle's third part says nothing"
    begun = time.monotonic()
    async with asking(run) as client:
        result = await ended(client, await client.post("/v1/audits", json={"whole": True}))
        assert result["sums_differing"] + result["dossiers_differing"] > 0, f"{what}: not found: {result}"
        assert result["alarms"], f"{what}: no alarm: {result}"
        findings = []
        for name in result["alarms"]:
            alarm = (await client.get(f"/v1/alarms/{name}")).json()
            assert alarm["repaired_at"], f"{what}: not repaired: {alarm}"
            findings += alarm["findings"]
            answer = await client.post(f"/v1/alarms/{name}/acknowledge", json={"note": f"{what}, by hand"})
            assert answer.status_code == 200, answer.text
    assert findings, f"{what}: an alarm without a finding"
    assert all(one["stored"] != one["recounted"] for one in findings), findings
    run.outcome.recovered("a row edited by hand, audited", time.monotonic() - begun)
    apart = oracle.changed(right, await stored(run), "gone", "come")
    assert not apart, f"{what}: repaired to something else: {apart}"
    assert not await seen_by_oracle(run), f"{what}: the oracle's third part still differs"


async def judging(client: httpx.AsyncClient) -> Judge:
    """The oracle, who knows the log."""
    items: list[dict[str, Any]] = []
    while page := (await client.get("/v1/events", params={"after": len(items), "limit": 1000})).json()["items"]:
        items.extend(page)
    return Judge(Reader(TENANT, client), [item["event"] for item in items], 17)  # type: ignore[arg-type]


async def seen_by_oracle(run: Run) -> list[str]:
    """The oracle's third part alone: every dossier of the list, and every year and month by agency and procedure."""
    async with asking(run) as client:
        judge = await judging(client)
        items = {item["code"]: item for item in await judge.reader.pages("/v1/dossiers", sort="code", limit=500)}
        rows = [f"no state of {code}" for code in judge.oracle.keys() - items.keys()]
        rows += [
            f"{code}: {items[code]['status']}"
            for code, dossier in judge.oracle.items()
            if code in items and (items[code]["status"], items[code]["agency"]) != (dossier.status, dossier.agency)
        ]
        for by in ("agency", "procedure"):
            for period in ("2019-02", *YEARS, *sorted(_months(judge.dossiers))):
                answer = (await client.get(f"/v1/stats/by/{by}", params={"period": period})).json()
                start, to = (date.fromisoformat(answer["period"][end]) for end in ("from", "to"))
                wanted = summary(judge.dossiers, start, effective_to(to, judge.today))
                rows += [f"{by} {period}: {row}" for row in figure_differences(wanted, answer["total"])]
        return rows


def _months(dossiers: list[Computation]) -> set[str]:
    return {f"{local_date(one.received_at):%Y-%m}" for one in dossiers if one.received_at is not None}


# ---- 18

YEAR = {"from": "2022-01-01", "to": "2022-12-31"}
"""Half of the dossiers told are of that year; the other half must not show in it."""
EVENTS_A_SECOND = 200
KILLED_AT = ("mid-rebuild", "before-swap", "before-rebuild-commit")


@dataclass
class Window:
    """Somebody looks at a dashboard all the time: each answer with the position that it says it counts."""

    seen: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    async def look(self, run: Run) -> None:
        async with asking(run) as client:
            while True:
                answer = await client.get("/v1/stats/summary", params=YEAR)
                if answer.status_code == 200:
                    self.seen.append((answer.json()["as_of"]["position"], answer.json()))
                else:
                    self.errors[f"HTTP {answer.status_code}"] += 1
                await asyncio.sleep(0.05)

    def sample(self, most: int) -> list[tuple[int, dict[str, Any]]]:
        """Answers spread over all that were seen, of different positions."""
        different = list(dict(self.seen).items())
        return different[:: max(len(different) // most, 1)] + different[-1:]


@asynccontextmanager
async def ingesting(run: Run, rate: int) -> AsyncIterator[list[float]]:
    """Agencies tell ``rate`` events a second meanwhile; when each POST of 10 dossiers' events was acknowledged."""
    post_event: list[float] = []
    desks, batch = 4, 10
    ending = asyncio.Event()

    async def desk(number: int) -> None:
        due = time.monotonic() + number * batch / rate
        while not ending.is_set():
            lives = run.agencies.lives(batch)
            run.agencies.book.lives.extend([identity(one) for one in life] for life in lives)
            waiting = [list(life) for life in lives]
            while waiting := [life for life in waiting if life]:
                due += desks * len(waiting) / rate
                await run.agencies.insist([life.pop(0) for life in waiting])
                post_event.extend([time.monotonic()] * len(waiting))
                await asyncio.sleep(max(due - time.monotonic(), 0))

    working = asyncio.gather(*(desk(number) for number in range(desks)))
    try:
        yield post_event
    finally:
        ending.set()
        await working


async def killed_in_rebuild(run: Run, point: str, client: httpx.AsyncClient) -> None:
    """A rebuild begins, its worker dies at ``point``, others are asked for meanwhile, and it comes to its end."""
    stack = run.stack
    seat = stack.seat("worker")
    await asyncio.to_thread(stack.hold, "worker")
    ends = len(seat.ends)
    first = await client.post("/v1/stats/rebuild")
    at_once = await asyncio.gather(*(client.post("/v1/stats/rebuild") for _ in range(2)))
    stack.release("worker", MOTCUA_FAIL_POINT=f"{point}:1!")

    async def died() -> bool:
        return len(seat.ends) > ends

    await run.until(died, 30, f"the worker dies at {point}")
    stack.done["worker SIGKILL"] += 1
    again = await client.post("/v1/stats/rebuild")
    if not run.counts.full:  # the lease of 20 s is not the subject
        await stack.sql("UPDATE job SET leased_until = clock_timestamp() WHERE state = 'running'")
    for answer in (first, *at_once, again):
        assert answer.status_code in (202, 409), answer.text
        if answer.status_code == 202:
            result = await ended(client, answer)
            assert (result["dossiers_differing"], result["sums_differing"]) == (0, 0), result
    assert first.status_code == 202, first.text


@scenario(18, "recompute-races-with-ingest")
async def recompute_races_with_ingest(run: Run) -> None:
    """While 200 events a second come in, recomputes are begun, killed at every stage, begun again and asked for twice at once:
    each answer read meanwhile is that of the log up to the position it names, a second recompute is refused or queued,
    nothing is sent to the portal for it."""
    await run.settled()
    window = Window()
    async with asking(run) as client:
        async with ingesting(run, EVENTS_A_SECOND) as post_event:
            looking = asyncio.create_task(window.look(run))
            begun = time.monotonic()
            under_load = KILLED_AT * 5 if run.counts.full else (run.chance.choice(KILLED_AT),)
            for point in under_load:
                run.stack.steady()
                await killed_in_rebuild(run, point, client)
            for _ in range(run.counts.of(20, 2, 1)):
                await ended(client, await client.post("/v1/stats/rebuild"))
            seconds = time.monotonic() - begun
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        assert not window.errors, f"the dashboard answered {dict(window.errors)}"
        await run.recovered("a rebuild killed under load", run.settled(90), most=60)
        rate = len(post_event) / seconds
        assert rate > EVENTS_A_SECOND / 3, f"only {rate:.0f} events a second were told"
        sample = window.sample(25)
        assert len(sample) > 3, f"the dashboard was seen at {len(sample)} positions only"
        judge = await judging(client)
        for position, answer in sample:
            known = compute(judge.events[:position])
            wanted = summary(known.values(), date(2022, 1, 1), date(2022, 12, 31))
            assert figure_differences(wanted, answer) == [], f"mixed or empty at position {position}"
        way = run.stack.proxies["portal"]
        way.watched, calls = b"POST /mapi/g", len(way.requests)
        result = await ended(client, await client.post("/v1/stats/rebuild"))
        await run.settled()
        assert len(way.requests) == calls, "a recompute sends something to the portal"
        way.watched = None
    run.outcome.notes.append(
        f"{rate:.0f} events a second beside {len(under_load)} killed rebuilds, the dashboard read {len(window.seen)} times,"
        f" {len(sample)} of its answers compared with the log up to their position; the last rebuild of {result['events']}"
        f" events took {result['seconds']:.2f} s"
    )
