"""From the log to states: both sides of one commit, what cannot be folded, whatever order it came in: 7, 10, 12."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any

import httpx

from tests.faults.campaign import Run, scenario
from tests.faults.load import HEADERS
from tests.faults.scenarios.delivery import SWEEP_BOUND_SECONDS, arrives
from tests.faults.stack import answers
from tests.oracle.histories import Event, Seeded, dossier_history
from tests.oracle.stack import identity
from tests.system.end_to_end import LIMITED, TENANT

# ---- 7

_APART = """
SELECT d.code, d.position AS state, l.dossier_code, l.wanted_position AS outbox
FROM (SELECT code, position FROM dossier WHERE tenant = $1) d
FULL JOIN (SELECT dossier_code, wanted_position FROM sync_ledger WHERE tenant = $1) l ON l.dossier_code = d.code
WHERE d.position IS DISTINCT FROM l.wanted_position
   OR d.position > (SELECT position FROM projection_cursor WHERE tenant = $1 AND projection = 'dossiers')
"""
"""State versions without an outbox row of that version, and the other way round, at one instant."""


@scenario(7, "state-and-outbox-apart", apis=2, workers=2)
async def state_and_outbox_apart(run: Run) -> None:
    """API and worker are killed at random under load; at no instant is there a state version without its row in the outbox, or
    an outbox row without its state."""
    await run.settled()
    stack, agencies = run.stack, run.agencies
    looks = 0

    async def agree() -> None:
        nonlocal looks
        apart = await stack.sql(_APART, TENANT)
        assert not apart, f"after {looks} looks: {[dict(row) for row in apart[:5]]}"
        looks += 1

    telling = asyncio.create_task(agencies.tell(agencies.lives(20), desks=8, pause=0.02))
    try:
        for number in range(run.counts.of(300, 14, 3)):
            until = time.monotonic() + run.chance.uniform(0, 1.0)
            while time.monotonic() < until or not (ready := await asyncio.to_thread(at_work, run)):
                await agree()
                await asyncio.sleep(0.05)
            stack.steady()
            stack.kill(*run.chance.choice(ready))
            await agree()
            if telling.done():
                await telling
                telling = asyncio.create_task(agencies.tell(agencies.lives(20), desks=8, pause=0.02))
            if number % 50 == 49:
                await run.recovered("API and worker killed at random", run.settled(60), most=40)
    finally:
        await telling
    await run.recovered("API and worker killed at random", run.settled(60), most=40)  # a dead worker's lease is 20 s
    await agree()
    await asyncio.to_thread(stack.wait_ready)
    answered = dict(agencies.book.answers)
    run.outcome.notes.append(f"both sides compared {looks} times, POSTs came to {answered}")


def at_work(run: Run) -> list[tuple[str, int]]:
    """API and worker processes that have come to their work since they were started: dead ones are not worth killing."""
    stack = run.stack
    ready = [("api", number) for number, url in enumerate(stack.apis) if answers(f"{url}/healthz")]
    ready *= len(ready) == len(stack.apis)  # one of them always takes events, or there is no load
    for seat in stack.seats:
        if seat.name == "worker" and seat.process is not None:
            log = stack.log(f"worker-{seat.number}").read_text(errors="replace")
            ready += [("worker", seat.number)] * (log.count("worker_started") >= seat.lives)
    return ready


# ---- 10

_SET_ASIDE = "SELECT dossier_code, position, reason, attempts FROM projection_failure WHERE tenant = $1"
_REFUSED = "faults_unstorable"
WATCHED_SECONDS = 7.0
"""Longer than the first two waits between the tries of a dossier that is set aside (1 and 5 s)."""
MOST_ATTEMPTS = 3


@scenario(10, "a-poison-event")
async def a_poison_event(run: Run) -> None:
    """Stored events at which the fold raises, or whose row the database refuses, set their dossiers aside with reason and position;
    the others get to the portal, tries are few, and the next event or a rebuild drives them again."""
    await run.settled()
    for _ in range(run.counts.of(10, 1, 1)):
        for how in ("fold", "row"):
            lives = run.agencies.lives(8)
            bad, again = {lives[2][0]["subject"], lives[5][0]["subject"]}, lives[5][0]["subject"]
            await poison(run, how, bad)
            heads, tails = [life[:2] for life in lives], [life[2:] for life in lives]
            run.agencies.book.lives.extend([identity(one) for one in life] for life in lives)
            for number in range(2):  # good and bad ones share every batch
                assert await run.agencies.insist([life[number] for life in heads])
            post_event = time.monotonic()
            await asyncio.gather(
                *(arrives(run, life[1], SWEEP_BOUND_SECONDS) for life in heads if life[0]["subject"] not in bad)
            )
            run.outcome.recovered(f"others, beside a poison event ({how})", time.monotonic() - post_event)
            await listed(run, bad, {one["subject"]: run.agencies.book.acked[identity(one)] for _, one in heads})
            await cure(run, how)
            # one by its next event, the other one by a rebuild
            for one in tails[5] or [heads[5][1]]:
                await run.agencies.insist([one])
            if tails[5]:
                await arrives(run, tails[5][-1], SWEEP_BOUND_SECONDS)
                assert again not in {row[0] for row in await run.stack.sql(_SET_ASIDE, TENANT)}
            await rebuilt(run)
            assert not await run.stack.sql(_SET_ASIDE, TENANT)
            await asyncio.gather(*(arrives(run, life[1], SWEEP_BOUND_SECONDS) for life in heads))
            for number, life in enumerate(tails):
                for one in life if number != 5 else []:
                    await run.agencies.insist([one])


async def poison(run: Run, how: str, codes: set[str]) -> None:
    """The worker's next life cannot fold these dossiers, or the database refuses their rows."""
    stack = run.stack
    run.outcome.faults[f"poison event ({how})"] += len(codes)
    if how == "fold":
        await asyncio.to_thread(stack.hold, "worker")
        stack.release("worker", MOTCUA_POISON_DOSSIER="|".join(sorted(codes)))
        await until_it_works(run)
    else:
        quoted = ", ".join(f"'{code}'" for code in sorted(codes))
        await stack.sql(f"ALTER TABLE dossier ADD CONSTRAINT {_REFUSED} CHECK (code NOT IN ({quoted})) NOT VALID")


async def cure(run: Run, how: str) -> None:
    if how == "fold":
        await asyncio.to_thread(run.stack.hold, "worker")
        run.stack.release("worker")
        await until_it_works(run)
    else:
        await run.stack.sql(f"ALTER TABLE dossier DROP CONSTRAINT {_REFUSED}")


async def until_it_works(run: Run) -> None:
    """The worker has started and brings something to the portal."""
    (life,) = run.agencies.lives(1)
    run.agencies.book.lives.append([identity(life[0])])
    assert await run.agencies.insist([life[0]])
    await arrives(run, life[0], 30)


async def listed(run: Run, bad: set[str], positions: dict[str, int]) -> None:
    """Each is there with reason and position, `/readyz` counts them, and after a while it was tried a few times only."""
    rows = {row["dossier_code"]: row for row in await run.stack.sql(_SET_ASIDE, TENANT)}
    assert rows.keys() == bad, f"set aside {rows.keys()}, wanted {bad}"
    for code, row in rows.items():
        assert row["position"] >= positions[code], dict(row)  # the clock may have said something of it since
        assert row["reason"].startswith(("Injected: ", "CheckViolationError: ")), dict(row)
    async with httpx.AsyncClient(base_url=run.stack.apis[0], headers=HEADERS, timeout=10, trust_env=False) as client:
        (lag,) = [one for one in (await client.get("/readyz")).json()["lags"] if one["tenant"] == TENANT]
        metrics = (await client.get("/metrics")).text
    assert lag["dossiers_set_aside"] == len(bad), lag
    assert f'motcua_projection_failed_dossiers{{tenant="{TENANT}"}} {len(bad)}.0' in metrics
    assert lag["events_not_projected"] == 0, lag
    await asyncio.sleep(WATCHED_SECONDS)
    attempts = {row["dossier_code"]: row["attempts"] for row in await run.stack.sql(_SET_ASIDE, TENANT)}
    assert attempts.keys() == bad
    assert all(1 <= times <= MOST_ATTEMPTS for times in attempts.values()), attempts
    run.outcome.notes.append(f"set aside, after {WATCHED_SECONDS:.0f} s: tried {sorted(attempts.values())} times")


async def rebuilt(run: Run) -> None:
    async with httpx.AsyncClient(base_url=run.stack.apis[0], headers=HEADERS, timeout=20, trust_env=False) as client:
        asked = await client.post("/v1/stats/rebuild")
        assert asked.status_code == 202, asked.text

        async def done() -> bool:
            job = (await client.get(asked.headers["location"])).json()
            assert job["state"] != "failed", job
            return bool(job["state"] == "done")

        await run.until(done, 60, "the rebuild is done")


# ---- 12

CLONES = 4
PLACES = {"position", "recorded_at", "sync", "as_of"}
"""What tells where and when something was recorded, and how far the portal is."""


@scenario(12, "out-of-order-events")
async def out_of_order_events(run: Run) -> None:
    """Whatever the order in which the same events of a dossier arrive (last first, older after newer, equal instants), its state
    is the same: each permutation shows the same dossier, to the fold, to a recompute and to the portal."""
    await run.settled()
    agencies = run.agencies
    histories = run.counts.of(300, 24, 6)
    permutations = 0
    for number in range(histories):
        clones = [clone(run, number) for _ in range(CLONES)]
        run.untidy.update(one["subject"] for events in clones for one in events)
        orders = [list(range(len(clones[0]))) for _ in clones]
        orders[1].reverse()
        orders[2] = [*orders[2][-1:], *orders[2][:-1]]  # v3, v1, v2
        for order in orders[3:]:
            run.chance.shuffle(order)
        for events, order in zip(clones, orders, strict=True):
            agencies.book.lives.append([identity(events[n]) for n in order])
        await asyncio.gather(*(tell_in(run, events, order) for events, order in zip(clones, orders, strict=True)))
        permutations += len({tuple(order) for order in orders})
        run.outcome.faults["events out of order"] += sum(order != sorted(order) for order in orders)
        if number % 8 == 7 or number == histories - 1:
            await run.settled()
        shown = [await seen(run, events) for events in clones]
        for events, order, other in zip(clones[1:], orders[1:], shown[1:], strict=True):
            names = sorted(name for name in shown[0].keys() | other.keys() if shown[0].get(name) != other.get(name))
            apart = [(name, shown[0].get(name), other.get(name)) for name in names]
            assert not apart, f"{events[0]['subject']} told as {order}: {apart}"
    run.outcome.notes.append(f"{histories} histories in {permutations} orders of arrival")


def clone(run: Run, number: int) -> list[Event]:
    """The same messy history of one more dossier; nothing in it waits for the clock, which looks when it looks."""
    run.agencies.serial += 1
    serial = 10_000 + run.agencies.serial  # all with as many digits: identities sort alike
    events = dossier_history(Seeded(f"{run.agencies.seed} permuted {number}"), serial, http=True, longest=7)
    for one in events:
        data = one.get("data", {})
        if data.get("procedure_code") == LIMITED:
            data["procedure_code"] = "2.000123"
    return events


async def tell_in(run: Run, events: Sequence[Event], order: Sequence[int]) -> None:
    for number in order:
        assert await run.agencies.insist([events[number]]), "patience ended"


async def seen(run: Run, events: Sequence[Event]) -> dict[str, Any]:
    """What a user sees of a dossier, without what is its own: code, serial, positions and when it was recorded."""
    code = events[0]["subject"]
    async with httpx.AsyncClient(base_url=run.stack.apis[0], headers=HEADERS, timeout=20, trust_env=False) as client:
        answer = await client.get(f"/v1/dossiers/{code}")
    assert answer.status_code == 200, answer.text
    serial = code.rsplit("-", 1)[1]
    text = json.dumps(answer.json(), sort_keys=True, ensure_ascii=False).replace(serial, "…")
    item: dict[str, Any] = json.loads(text, object_hook=lambda one: {key: one[key] for key in one.keys() - PLACES})
    return item
