"""Who waits for whom on the way to the portal, and what may overtake what: 13, 16."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import httpx

from tests.faults.campaign import Run, scenario
from tests.faults.load import HEADERS
from tests.faults.proxy import Fault
from tests.faults.scenarios.delivery import SWEEP_BOUND_SECONDS, arrives
from tests.oracle.histories import Event
from tests.oracle.stack import identity

# ---- 13


@scenario(13, "out-of-order-delivery", workers=4, MOTCUA_TIME_SCALE="1")
async def out_of_order_delivery(run: Run) -> None:
    """The portal fails a dossier's first version once, or its call hangs on the way; the next version is told during the backoff or
    the call, with four workers: the portal never accepts the older one after the newer one, and a version that was passed
    over is recorded as an attempt that failed."""
    await run.settled()
    for number in range(run.counts.of(100, 10, 2)):
        (life,) = run.agencies.lives(1)
        run.agencies.book.lives.append([identity(one) for one in life])
        first, second, *others = life
        if number % 2:
            rule = run.stack.proxies["portal"].inject(Fault.DELAY, match=first["subject"].encode(), times=1, seconds=1.5)
            await run.agencies.insist([first])
            await run.until(lambda rule=rule: is_true(rule.fired == 1), 10, "the first version's call is under way")
        else:
            await set_faults(run, {"fault": "F3", "service": "DongBoHoSoMC", "dossier": first["subject"], "times": 1})
            await run.agencies.insist([first])
            await run.until(lambda: has_fired(run), 10, "the portal failed the first version")
        for one in (second, *others):
            await run.agencies.insist([one])
        await arrives(run, life[-1], SWEEP_BOUND_SECONDS + 5)
        if not number % 2:
            run.outcome.faults["portal answers 5xx"] += 1
            await superseded(run, first, second)
    await set_faults(run)


async def is_true(value: object) -> bool:
    return bool(value)


async def superseded(run: Run, first: Event, second: Event) -> None:
    """The ledger tells that the first version failed, and never that the portal took it."""
    async with httpx.AsyncClient(base_url=run.stack.apis[0], headers=HEADERS, timeout=10, trust_env=False) as client:
        detail = (await client.get(f"/v1/sync/dossiers/{first['subject']}")).json()
    tries = sorted((one["position"], one["outcome"]) for one in detail["attempts_made"] if one["step"] == "dossier")
    newer = run.agencies.book.acked[identity(second)]
    assert tries[0][1] == "unavailable", tries
    assert tries[0][0] < newer, f"the version that failed was not the first: {tries}"
    assert tries[-1][1] == "accepted", tries
    assert all(position >= newer for position, outcome in tries if outcome == "accepted"), f"not passed over: {tries}"


async def set_faults(run: Run, *rules: dict[str, Any]) -> None:
    async with httpx.AsyncClient(base_url=run.stack.portal, timeout=10, trust_env=False) as portal:
        answer = await portal.put("/_portal/faults", json={"seed": 1, "rules": list(rules)})
    assert answer.status_code == 200, answer.text


async def has_fired(run: Run) -> bool:
    """Whether each fault rule of the portal has been used."""
    async with httpx.AsyncClient(base_url=run.stack.portal, timeout=10, trust_env=False) as portal:
        counts = (await portal.get("/_portal/faults")).json()["counts"]
    return all(one["fired"] for one in counts)


# ---- 16

DEADLINE_SECONDS = 30.0
"""The client's for a whole call."""
PROMISED_SECONDS = 1.0
"""p99 of a live change, in docs/delivery.md: less is never asked for, however quick a quiet machine is."""
PAUSE_SECONDS = 0.12
NEIGHBOURS = 5


@scenario(16, "head-of-line-blocking", fresh=True)
async def head_of_line_blocking(run: Run) -> None:
    """One dossier's calls hang for 30 s, another one's are always answered 5xx, a third one is refused for good, and all three
    change again and again: dossiers in no call with them arrive with a p99 of at most twice the normal one, those that shared
    a call with the one that hangs within one deadline after it failed; the refused one alone is parked, with its reason."""
    normal = p99(await delays(run, await flow(run, run.counts.of(600, 80, 60))))
    bad = run.agencies.lives(3)
    hangs, fails, refused = (life[0]["subject"] for life in bad)
    neighbours = [life[0] for life in run.agencies.lives(NEIGHBOURS)]
    await set_faults(
        run,
        {"fault": "F5", "dossier": hangs, "seconds": DEADLINE_SECONDS},
        {"fault": "F3", "dossier": fails, "variant": "502"},
        {"fault": "F12", "dossier": refused},
    )
    run.agencies.book.lives.extend([identity(one) for one in life] for life in bad)
    run.agencies.book.lives.extend([identity(one)] for one in neighbours)
    assert await run.agencies.insist([bad[0][0], *neighbours])
    begun = time.monotonic()
    await asyncio.sleep(2)
    assert await run.agencies.insist([life[0] for life in bad[1:]])
    telling = asyncio.create_task(keep_telling(run, bad))
    post_event: list[tuple[Event, float]] = []
    while time.monotonic() - begun < DEADLINE_SECONDS * run.counts.of(4, 1, 1) or not telling.done():
        post_event += await flow(run, 20)
    await telling
    await asyncio.gather(*(arrives(run, one, 2 * DEADLINE_SECONDS) for one in neighbours))
    waited = time.monotonic() - begun
    assert waited <= 2 * DEADLINE_SECONDS, f"neighbours of a call that hangs arrived after {waited:.0f} s"
    run.outcome.recovered("a neighbour in a call that hangs", waited)
    await arrives(run, post_event[-1][0], SWEEP_BOUND_SECONDS)
    shared = await beside(run, {hangs, fails, refused})
    apart = [(one, at) for one, at in post_event if one["subject"] not in shared]
    troubled = p99(await delays(run, apart))
    run.outcome.notes.append(
        f"p99 {normal:.2f} s normally, {troubled:.2f} s of {len(apart)} beside the trouble,"
        f" {len(post_event) - len(apart)} of {len(post_event)} shared a call with it, neighbours after {waited:.0f} s"
    )
    assert troubled <= max(2 * normal, PROMISED_SECONDS), f"p99 {troubled:.2f} s, normally {normal:.2f} s"
    await only_parked(run, refused)
    run.more_ambiguous += await times_fired(run)
    await set_faults(run)
    await replay(run, "rejected")


async def flow(run: Run, count: int) -> list[tuple[Event, float]]:
    """New dossiers, told one by one at a steady pace; when each was acknowledged."""
    post_event = []
    for life in run.agencies.lives(count):
        run.agencies.book.lives.append([identity(life[0])])
        assert await run.agencies.insist([life[0]])
        post_event.append((life[0], time.time()))
        await asyncio.sleep(PAUSE_SECONDS)
    return post_event


async def keep_telling(run: Run, lives: Sequence[list[Event]]) -> None:
    """Their later events, so that whatever gave up on them takes them up again."""
    for number in range(1, max(len(life) for life in lives)):
        await asyncio.sleep(3)
        for life in lives:
            if number < len(life):
                assert await run.agencies.insist([life[number]])


async def delays(run: Run, post_event: Sequence[tuple[Event, float]]) -> list[float]:
    """Seconds from each acknowledgement here to the acceptance of the dossier and its step there."""
    await arrives(run, post_event[-1][0], SWEEP_BOUND_SECONDS)
    found = []
    async with httpx.AsyncClient(base_url=run.stack.portal, timeout=10, trust_env=False) as portal:
        for one, at in post_event:
            answer = await portal.get(f"/_portal/dossiers/{one['subject']}")
            held = answer.json() if answer.status_code == 200 else {"progress": []}
            times = [datetime.fromisoformat(step["accepted_at"]).timestamp() - at for step in held["progress"]]
            found.append(times[0] if times else math.inf)
    return found


def p99(seconds: Sequence[float]) -> float:
    return sorted(seconds)[math.ceil(0.99 * len(seconds)) - 1]


async def beside(run: Run, bad: set[str]) -> set[str]:
    """The dossiers that shared a call with one of these."""
    shared: set[str] = set()
    after: int | None = 0
    async with httpx.AsyncClient(base_url=run.stack.portal, timeout=10, trust_env=False) as portal:
        while after is not None:
            page = (await portal.get("/_portal/calls", params={"after": after, "limit": 1000})).json()
            for call in page["items"]:
                if bad & set(call["codes"]):
                    shared |= set(call["codes"])
            after = page["next"]
    return shared


async def times_fired(run: Run) -> int:
    """How often a call was left without an answer."""
    async with httpx.AsyncClient(base_url=run.stack.portal, timeout=10, trust_env=False) as portal:
        post_event = (await portal.get("/_portal/faults")).json()
    for rule, count in zip(post_event["rules"], post_event["counts"], strict=True):
        assert count["fired"] > 0, f"{rule} never happened"
        run.outcome.faults[f"portal {rule['fault']}"] += count["fired"]
    return int(post_event["counts"][0]["fired"])


async def only_parked(run: Run, code: str) -> None:
    """It is listed with the portal's reason; nobody else is."""
    async with httpx.AsyncClient(base_url=run.stack.apis[0], headers=HEADERS, timeout=10, trust_env=False) as client:
        (item,) = (await client.get("/v1/sync/dossiers", params={"state": "parked"})).json()["items"]
    assert (item["dossier"], item["error_class"]) == (code, "rejected"), item
    assert item["error_detail"], item


async def replay(run: Run, kind: str) -> None:
    async with httpx.AsyncClient(base_url=run.stack.apis[0], headers=HEADERS, timeout=10, trust_env=False) as client:
        answer = await client.post("/v1/sync/replay", json={"error": kind})
    assert answer.status_code == 202, answer.text
