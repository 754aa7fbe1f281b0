"""The portal is away for longer than any schedule, or there is more for it than it takes in a day: 15, a week's outage, a backlog."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.faults import oracle
from tests.faults.campaign import Run, scenario
from tests.faults.proxy import Fault, Proxy
from tests.faults.scenarios.delivery import arrives
from tests.faults.scenarios.figures import asking
from tests.oracle.histories import AGENCIES, CHANNELS, PROCEDURES, Event, event, written
from tests.oracle.log import LOCAL
from tests.oracle.stack import identity

FULL = os.environ.get("MOTCUA_FAULTS") == "full"

WEEK_SECONDS = 7 * 86_400.0
WEEK_LASTS_SECONDS = 600.0 if FULL else 60.0
CALLS_A_MINUTE = 600 if FULL else 120
"""What the portal allows: less when there is less to send, so that draining takes long enough to be measured."""

DOWN_CALLS_A_MINUTE = 10.0
RAMP_SECONDS = 15.0
"""From the first good answer to full pace: docs/delivery.md says a tenth, doubling every 3 s."""
DRAIN_SHARE = 0.8

OUTAGE, BACKLOG = 29, 30
"""Numbers after those of docs/failures.md."""


def portal_settings(calls: int, **settings: str) -> dict[str, str]:
    """Environment in which the portal allows so many calls a minute, and the workers know it."""
    limits = f'{{"calls_per_minute": {calls}, "calls_kept": 200000}}'
    return {"MOTCUA_PORTAL_CALLS_PER_MINUTE": str(calls), "MOTCUA_PORTAL_LIMITS": limits, **settings}


class Gone:
    """The portal is away: nobody listens, or who listens hangs up, or it says 503 through its own fault rules."""

    def __init__(self, run: Run) -> None:
        self.way: Proxy = run.stack.proxies["portal"]
        self.begun = self.ended = 0.0

    def begin(self) -> None:
        self.begun = time.monotonic()
        self.rule = self.way.inject(Fault.REFUSE)
        self.way.reset_all()

    def end(self) -> None:
        self.way.remove(self.rule)
        self.ended = time.monotonic()
        # a refused connection is a call that was tried
        refused = [(at, b"refused") for at, fault in self.way.log if fault is Fault.REFUSE and at >= self.begun]
        self.way.requests = sorted([*self.way.requests, *refused])


async def sync(run: Run) -> dict[str, Any]:
    """`GET /v1/sync`."""
    async with asking(run) as client:
        answer: dict[str, Any] = (await client.get("/v1/sync")).json()
        return answer


def alarms_of(answer: dict[str, Any]) -> set[str]:
    return {one["alarm"] for one in answer["alarms"]}


def only_accepted(run: Run, before: Counter[int | str]) -> None:
    """Every POST since was answered 202."""
    answers = run.agencies.book.answers - before
    assert set(answers) == {202}, f"answers while the portal was away: {dict(answers)}"


SHORT = {"MOTCUA_TIME_SCALE": "200", "MOTCUA_SYNC_LAG_LIMIT_SECONDS": "3", "MOTCUA_CIRCUIT_OPEN_LIMIT_SECONDS": "3"}
SCHEDULE_SECONDS = 2 * (511 + 3 * 300)
"""Twice the waits of twelve tries in a row: 1, 2, 4 … 256, 300, 300, 300 s (docs/delivery.md)."""


@scenario(15, "retries-exhausted", **SHORT)
async def retries_exhausted(run: Run) -> None:
    """The portal is away for twice as long as twelve tries would take, refusing connections or hanging up on every call: nothing
    is parked, tries while the circuit is open do not count, the alarm is the lag, and it drains by itself when it is back."""
    await run.settled()
    seconds = SCHEDULE_SECONDS / run.time_scale
    for how in ("refused", "reset") * run.counts.of(5, 1, 1):
        way = run.stack.proxies["portal"]
        way.watched, way.requests = b"POST /", []
        known = run.agencies.lives(20)
        first = [life[:2] for life in known]
        await run.agencies.tell(first, batch=5)
        await run.settled(60)
        gone = Gone(run)
        if how == "refused":
            gone.begin()
        else:
            gone.begun, gone.rule = time.monotonic(), way.inject(Fault.RESET, match=b"POST /")
        before = run.agencies.book.answers.copy()
        run.agencies.book.lives.extend([identity(one) for one in life] for life in known)
        for life in known:
            for one in life[2:]:
                await run.agencies.insist([one])
        await run.agencies.tell(run.agencies.lives(20), batch=5)
        only_accepted(run, before)

        async def alarmed() -> bool:
            return {"lag", "circuit_open"} <= alarms_of(await sync(run))

        await run.until(alarmed, 20, "the alarms of lag and circuit")
        await asyncio.sleep(max(gone.begun + seconds - time.monotonic(), 0))
        now = await sync(run)
        assert now["counts"]["parked"] == 0, now
        assert now["counts"]["pending"] >= 20, now
        assert "parked" not in alarms_of(now), now
        assert now["circuit"]["state"] != "closed", now
        (tries,) = await run.stack.sql("SELECT max(attempts) AS most, sum(attempts) AS sum FROM sync_ledger")
        assert tries["most"] <= 8, f"{how}: {tries['most']} tries count, though the circuit was open"
        gone.end()
        wrong = oracle.calls_bounded(
            way, gone.begun + 2, gone.ended, most_a_minute=DOWN_CALLS_A_MINUTE, time_scale=run.time_scale
        )
        assert not wrong, f"{how}: {wrong}"
        calls = sum(gone.begun <= at <= gone.ended for at, _ in way.requests)
        product_minutes = (gone.ended - gone.begun) * run.time_scale / 60
        await run.recovered(f"an outage longer than the schedule, {how}", run.settled(60))

        async def quiet() -> bool:
            return not alarms_of(await sync(run))

        await run.until(quiet, 20, "the alarms end by themselves")
        run.outcome.notes.append(
            f"{how}: away for {product_minutes:.0f} minutes of the product's time, {calls} calls"
            f" ({calls / product_minutes:.1f} a minute), at most {tries['most']} tries counted of a dossier"
        )
        assert calls > 0, "nobody asked whether it is back"
        way.watched = None


WEEK = portal_settings(
    CALLS_A_MINUTE,
    MOTCUA_TIME_SCALE=f"{WEEK_SECONDS / WEEK_LASTS_SECONDS:.0f}",
    MOTCUA_SYNC_LAG_LIMIT_SECONDS="5",
)


@scenario(OUTAGE, "outage", fresh=True, **WEEK)
async def outage(run: Run) -> None:
    """The portal is away for seven days (divided by the time scale) while everything goes on: each event is answered 202, calls
    to the dead portal stay under ten a minute, then all arrives in order, nothing lost, at 80% of the portal's rate."""
    changes = run.counts.of(50_000, 3_000, 400)
    way = run.stack.proxies["portal"]
    way.watched = b"POST /mapi/g"
    lives = run.agencies.lives(changes // 5)
    cut = {number: number % 3 for number in range(len(lives))}
    # a third of the dossiers is known to the portal before, up to some step
    await run.agencies.tell([life[: cut[number]] for number, life in enumerate(lives) if cut[number]], batch=20)
    await run.settled(300)
    gone = Gone(run)
    gone.begin()
    before = run.agencies.book.answers.copy()
    later = [life[cut[number] :] for number, life in enumerate(lives)]
    post_event = sum(map(len, later))
    share = -(-len(later) // 10)
    parts = [later[start : start + share] for start in range(0, len(later), share)]
    for number, part in enumerate(parts):  # all week
        await run.agencies.tell(part, batch=20)
        await asyncio.sleep(max(gone.begun + WEEK_LASTS_SECONDS * (number + 1) / len(parts) - time.monotonic(), 0))
    run.agencies.book.lives.extend([identity(one) for one in life] for life in lives)
    only_accepted(run, before)
    now = await sync(run)
    assert now["counts"]["parked"] == 0, now
    assert now["counts"]["pending"] == len([life for life in later if life]), now
    assert "lag" in alarms_of(now), now
    (tries,) = await run.stack.sql("SELECT max(attempts) AS most FROM sync_ledger")
    way.requests.clear()
    gone.end()
    back = gone.ended
    down = [at for at, _ in way.requests]
    wrong = oracle.calls_bounded(way, gone.begun, back, most_a_minute=DOWN_CALLS_A_MINUTE, time_scale=run.time_scale)
    assert not wrong, wrong
    await drained(run, way, "a week's outage", back, post_event, seconds=600.0 if FULL else 240.0)
    week_minutes = (back - gone.begun) * run.time_scale / 60
    run.outcome.notes.append(
        f"{post_event} changes of {len(lives)} dossiers within {week_minutes / 1440:.1f} days of the product's time; {len(down)} calls to"
        f" the dead portal, {len(down) / week_minutes:.2f} a minute, at most {tries['most']} tries counted of a dossier"
    )


async def drained(run: Run, way: Proxy, what: str, back: float, items: int, *, seconds: float, live: bool = False) -> None:
    """Wait until nothing waits, and hold the rate of calls against the portal's limit: whole, and from full pace on."""

    async def called() -> bool:
        return any(at > back for at, _ in way.requests)

    # a probe that began in the moment of its return may hang for as long as a call may take: 30 s
    took = await run.until(called, 45, "the first call to the portal that is back")
    run.outcome.recovered(f"{what}, to the first call", took)
    shown: list[int] = []
    limit = time.monotonic() + seconds
    # live changes beside it: what they leave waiting is not what drains
    while (waiting := (await sync(run))["counts"]["pending"]) > (2 if live else 0):
        shown.append(waiting)
        assert time.monotonic() < limit, f"not drained within {seconds:.0f} s: {shown[-1]} wait"
        await asyncio.sleep(0.5)
    calls = [at for at, _ in way.requests if at > back]
    first, last = calls[0], calls[-1]
    most_a_minute = max(sum(begin <= at < begin + 60 for at in calls) for begin in calls)
    assert most_a_minute <= CALLS_A_MINUTE, f"{most_a_minute} calls within a minute"
    early = sum(at < first + 3 for at in calls)
    # a tenth, doubled within 3 s, and what live work may be ahead
    most_early = 3 + CALLS_A_MINUTE / 60 * 3 * 0.2 + CALLS_A_MINUTE * 0.04
    run.outcome.notes.append(f"{what}: {items / len(calls):.0f} changes a call")
    assert early <= most_early, f"{early} calls within 3 s after an outage, wanted at most {most_early:.0f}"
    full = [at for at in calls if at >= first + RAMP_SECONDS]
    rate = (len(full) - 1) / max(full[-1] - full[0], 0.1) * 60 if len(full) > 1 else 0.0
    whole = len(calls) / (last - first) * 60
    run.outcome.drains[what] = items / (last - back)
    run.outcome.notes.append(
        f"drained in {last - back:.1f} s with {len(calls)} calls: {whole:.0f} a minute over all, {rate:.0f} from full pace on, of"
        f" {CALLS_A_MINUTE} that the portal allows; {early} calls in the first 3 s; pending fell {shown[:1]} … {shown[-3:]}"
    )
    if not run.counts.quick:
        assert last - first > RAMP_SECONDS + 10, "too little to send to measure a rate"
        assert rate >= DRAIN_SHARE * CALLS_A_MINUTE, f"{rate:.0f} calls a minute, the portal allows {CALLS_A_MINUTE}"


# ---- a first sync

DOSSIERS = 402_859
IN_STOCK = {"near due": (10, 1), "open": (5, 60), "long ended": (1_600, 20)}
"""Dossiers of the backlog: received so many days ago, due so many days after that (after today where they are open)."""
LIVE_SECONDS = 10.0
"""A live change is there within so long, on a loaded machine, whatever drains beside it."""


def in_stock(run: Run, count: int) -> dict[str, list[list[Event]]]:
    """So many dossiers that are new to the portal, a third of each kind."""
    today = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)
    found: dict[str, list[list[Event]]] = {}
    for number, (kind, (days, term)) in enumerate(IN_STOCK.items()):
        lives = found[kind] = []
        for one in range(count // len(IN_STOCK)):
            run.agencies.serial += 1
            received = today - timedelta(days=days, minutes=one % 97)
            due = (received if kind == "long ended" else today) + timedelta(days=term)
            code = f"H51.{1 + one % 12:02}-{received.astimezone(LOCAL):%y%m%d}-{run.agencies.serial:07}"
            data = {"procedure_code": PROCEDURES[one % len(PROCEDURES)], "agency_code": AGENCIES[one % len(AGENCIES)]}
            data |= {"channel": CHANNELS[one % len(CHANNELS)], "due_at": written(due, 420)}
            life = [event("received", code, written(received, 420), "urn:stock", f"{code} 0", **data)]
            if kind == "long ended":
                at = written(received + timedelta(days=9, seconds=number), 420)
                life.append(event("processed", code, at, "urn:stock", f"{code} 1", outcome="approved", officer="CB-07"))
            lives.append(life)
    return found


async def lived(run: Run, waits: list[float]) -> None:
    """Live changes beside the backlog at full pace, one after the other; how long each took to be at the portal."""
    await asyncio.sleep(RAMP_SECONDS)
    while True:
        (life,) = run.agencies.lives(1)
        run.agencies.book.lives.append([identity(life[0])])
        if life[0]["time"] < "2024":
            run.agencies.book.lives.pop()
            continue  # told of 2022: not live
        await run.agencies.insist([life[0]])
        waits.append(await arrives(run, life[0], 60))
        await asyncio.sleep(3.0)  # two calls each: of what the portal allows something must be left for the backlog


@scenario(BACKLOG, "backlog", fresh=True, **portal_settings(CALLS_A_MINUTE))
async def backlog(run: Run) -> None:
    """A whole stock of dossiers that the portal does not know drains at 80% of its limit, open and near due before long
    ended, while live changes arrive as ever and everybody can see how far it is."""
    stock = in_stock(run, run.counts.of(DOSSIERS, 4_000, 300))
    everything = [life for lives in stock.values() for life in lives]
    run.chance.shuffle(everything)
    items = sum(1 + len(life) for life in everything)
    way = run.stack.proxies["portal"]
    way.watched = b"POST /mapi/g"
    gone = Gone(run)
    gone.begin()
    run.agencies.timeout_seconds = 60.0
    await run.agencies.tell(everything, desks=2, batch=500)

    async def known() -> bool:
        # what was claimed while it was all that was known goes first, whatever comes then
        (claimed,) = await run.stack.sql("SELECT count(*) AS n FROM sync_ledger WHERE leased_until > now()")
        return claimed["n"] == 0 and (await sync(run))["counts"]["pending"] >= len(everything)

    await run.until(known, 3_600 if FULL else 180, "all of it waits, and nothing of it is claimed")
    seen = await sync(run)
    assert sum(seen["backlog"].values()) == len(everything), seen["backlog"]
    run.outcome.notes.append(f"waiting by rank: {seen['backlog']}")
    way.requests.clear()
    gone.end()
    waits: list[float] = []
    living = asyncio.create_task(lived(run, waits))
    try:
        await drained(run, way, "a first sync", gone.ended, items, seconds=4 * 3_600 if FULL else 300, live=True)
    finally:
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)
    waits.sort()
    assert len(waits) >= 3, f"{len(waits)} live changes only"
    assert waits[-1] <= LIVE_SECONDS, f"a live change waited for {waits[-1]:.1f} s"
    run.outcome.notes.append(
        f"{len(waits)} live changes beside it: p50 {waits[len(waits) // 2]:.2f} s, max {waits[-1]:.2f} s to the portal"
    )
    await newest_risk_first(run, stock)


async def newest_risk_first(run: Run, stock: dict[str, list[list[Event]]]) -> None:
    """The middle one of each kind was there before the middle one of the next; the first kind was there before the last."""
    first_at = {
        code: row["at"]
        for code, row in (
            (row["code"], row)
            for row in await run.stack.sql(
                "SELECT dossier_code AS code, min(ended_at) AS at FROM sync_attempt"
                " WHERE tenant = 'H51' AND step = 'dossier' AND outcome = 'accepted' GROUP BY 1"
            )
        )
    }
    at = {kind: sorted(first_at[life[0]["subject"]] for life in lives) for kind, lives in stock.items()}
    middles = [times[len(times) // 2] for times in at.values()]
    assert middles == sorted(middles), f"not by risk: {dict(zip(at, middles, strict=True))}"
    if not run.counts.quick:
        near, ended = at["near due"], at["long ended"]
        early, late = ended[len(ended) // 20], near[len(near) * 19 // 20]
        assert late < early, f"a twentieth of the long ended ones went before {early}, of what is near due some after {late}"
    run.outcome.notes.append(
        "middle one of each kind accepted after "
        + ", ".join(
            f"{(middle - min(middles)).total_seconds():.1f} s ({kind})" for kind, middle in zip(at, middles, strict=True)
        )
    )
