"""Many requests for the same thing at once: the same event, the same dossier, the same dossiers in opposite order: 9, 11, 22, 23."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import httpx

from tests.faults.campaign import Run, scenario
from tests.faults.load import HEADERS, PLAIN
from tests.faults.proxy import Fault
from tests.oracle.histories import Event, event, written
from tests.oracle.log import instant
from tests.oracle.stack import Identity, Shipment, identity, packed

POSTS = 50
EVENTS_OF_ONE = 32
STEPS = ("assigned", "supplement_requested", "supplemented", "transferred", "extended", "assigned", "rated", "processed")


def other_body(post_event: Event) -> Event:
    """The same identity, another content."""
    return post_event | {"time": written(instant(post_event["time"]) - timedelta(minutes=3), 420)}


async def asked(run: Run, post_event: Event, api: int, answers: list[httpx.Response]) -> None:
    """One POST past the book, its answer kept."""
    async with httpx.AsyncClient(base_url=run.stack.apis[api], headers=HEADERS, timeout=20, trust_env=False) as client:
        answers.append(await client.post("/v1/events", json=post_event))


@scenario(9, "the-same-request-again", apis=2)
async def the_same_request_again(run: Run) -> None:
    """Fifty parallel POSTs with one identity make one event, at one position; so does one whose answer is lost and that is
    sent again; another body under the same identity is answered 409, also when both bodies come at once."""
    await run.settled()
    agencies, stack = run.agencies, run.stack
    for _ in range(run.counts.of(100, 10, 2)):
        one, cut, torn = (life[0] for life in agencies.lives(3))
        before = agencies.book.answers.copy()
        await asyncio.gather(*(agencies.post([one], stack.apis[number % 2]) for number in range(POSTS)))
        assert agencies.book.answers - before == {202: POSTS}, dict(agencies.book.answers - before)
        run.outcome.faults["the same event at once"] += POSTS - 1

        way = stack.proxies["api/0"]
        kind = run.chance.choice((Fault.DROP_REPLY, Fault.CUT, Fault.HALF_CLOSE))
        rule = way.inject(kind, match=cut["id"].encode(), times=1, bytes=20)
        assert not await agencies.post([cut], stack.apis[0]), f"{kind}: the answer came"
        assert rule.fired == 1
        assert await agencies.post([cut], stack.apis[0])

        answers: list[httpx.Response] = []
        await asked(run, other_body(one), 1, answers)
        assert [answer.status_code for answer in answers] == [409], answers[0].text
        assert answers[0].json()["errors"][0]["pointer"] == "/id", answers[0].text

        await both_bodies(run, torn)
    assert not agencies.book.conflicts, agencies.book.conflicts


async def both_bodies(run: Run, post_event: Event) -> None:
    """Two bodies of one identity at once, many times: one of them wins, whichever; the other one is refused each time."""
    bodies = [post_event, other_body(post_event)]
    for body in bodies:
        run.agencies.book.sent(body)
    answers: list[list[httpx.Response]] = [[], []]
    await asyncio.gather(*(asked(run, bodies[number % 2], number // 2 % 2, answers[number % 2]) for number in range(16)))
    run.outcome.faults["two bodies of one event at once"] += 15
    statuses = [{answer.status_code for answer in half} for half in answers]
    assert sorted(statuses, key=min) == [{202}, {409}], statuses
    taken = answers[0 if statuses[0] == {202} else 1]
    assert len({answer.json()["position"] for answer in taken}) == 1
    assert sorted(answer.json()["status"] for answer in taken) == ["accepted", *["duplicate"] * (len(taken) - 1)]
    run.agencies.book.receipt(post_event, taken[0].json())


def busy_life(run: Run) -> list[Event]:
    """One dossier with as many events as are told at once, a minute apart."""
    (life,) = run.agencies.lives(1)
    first = life[0]
    begun = instant(first["time"])
    post_event = [first]
    for number in range(1, EVENTS_OF_ONE):
        moment = begun + timedelta(minutes=number)
        name = STEPS[number % len(STEPS)]
        data: dict[str, Any] = {
            "assigned": {"department": f"Phòng {number}"},
            "supplement_requested": {"content": "Bổ sung bản sao"},
            "supplemented": {"new_due_at": written(moment + timedelta(days=2), 420)},
            "transferred": {"agency_code": f"H51.{1 + number % 12:02}"},
            "extended": {"new_due_at": written(moment + timedelta(days=4), 420), "apology_number": "1/TB", "reason": "Chờ"},
            "rated": {"satisfied": True},
            "processed": {"outcome": "approved"},
        }[name]
        post_event.append(
            event(name, first["subject"], written(moment, 420), first["source"], f"{first['id']}-{number}", **data)
        )
    return post_event


@scenario(22, "a-lost-update", apis=2)
async def a_lost_update(run: Run) -> None:
    """Thirty-two parallel events of one dossier, through two API processes, are all accepted, positions are dense, and the
    state is the fold of all of them."""
    await run.settled()
    agencies, stack = run.agencies, run.stack
    for _ in range(run.counts.of(100, 8, 2)):
        life = busy_life(run)
        run.untidy.add(life[0]["subject"])
        agencies.book.lives.extend([identity(one)] for one in life)
        before = agencies.book.answers.copy()
        order = run.chance.sample(life, len(life))
        await asyncio.gather(*(agencies.post([one], stack.apis[number % 2]) for number, one in enumerate(order)))
        assert agencies.book.answers - before == {202: len(life)}, dict(agencies.book.answers - before)
        run.outcome.faults["events of one dossier at once"] += len(life)
        positions = sorted(agencies.book.acked[identity(one)] for one in life)
        others = await by_the_clock(run, positions[0], positions[-1])
        dense = positions[-1] - positions[0] + 1 - others
        assert dense == len(life), f"{len(life)} events on {dense} positions: {positions}"
        async with httpx.AsyncClient(base_url=stack.apis[1], headers=HEADERS, timeout=20, trust_env=False) as client:
            shown = (await client.get(f"/v1/dossiers/{life[0]['subject']}")).json()
        assert len([one for one in shown["timeline"] if one["source"] == life[0]["source"]]) == len(life)


async def by_the_clock(run: Run, first: int, last: int) -> int:
    """Events at these positions that the system wrote itself."""
    (row,) = await run.stack.sql(
        "SELECT count(*) FROM event_log WHERE position BETWEEN $1 AND $2 AND source = 'urn:motcua:system'", first, last
    )
    return int(row[0])


DOSSIERS = 20


@scenario(23, "deadlock-between-batches", apis=2)
async def deadlock_between_batches(run: Run) -> None:
    """Two batches with the same dossiers, and with the same events, in opposite order, at once through two API processes, again
    and again, while they are projected: every answer is a 202, each event is there once."""
    await run.settled()
    agencies, stack = run.agencies, run.stack
    deadlocks = await found_deadlocks(run)
    before = agencies.book.answers.copy()
    rounds = run.counts.of(200, 40, 4)
    for _ in range(rounds):
        lives = agencies.lives(DOSSIERS)
        received, assigned = [life[0] for life in lives], [life[1] for life in lives]
        run.untidy.update(one["subject"] for one in received)
        agencies.book.lives.extend([identity(one)] for one in received + assigned)
        batches = ([*received, *assigned], [*reversed(assigned), *reversed(received)])
        apart = (received, list(reversed(assigned)))
        for first, second in (apart, batches):  # other events of the same dossiers, then the very same events
            await asyncio.gather(agencies.post(first, stack.apis[0]), agencies.post(second, stack.apis[1]))
        run.outcome.faults["batches in opposite order"] += 2
    answers = agencies.book.answers - before
    assert answers == {202: 4 * rounds}, dict(answers)
    await run.settled()
    run.outcome.notes.append(
        f"{2 * rounds} pairs of batches, {await found_deadlocks(run) - deadlocks} deadlocks in PostgreSQL"
    )


async def found_deadlocks(run: Run) -> int:
    (row,) = await run.stack.sql("SELECT sum(deadlocks)::bigint FROM pg_stat_database")
    return int(row[0])


# ---- 11

BATCH = 100
_REFUSED = "faults_unstorable"


@scenario(11, "a-poison-batch", apis=2)
async def a_poison_batch(run: Run) -> None:
    """Of a hundred events with one invalid, one told before and one that the database refuses, as an array, as lines and as
    parallel single POSTs, each gets its own result, and its neighbours are stored."""
    await run.settled()
    for _ in range(run.counts.of(30, 4, 1)):
        for transport in ("array", "lines", "singles"):
            lives = run.agencies.lives(BATCH)
            post_event = [life[0] for life in lives]
            before, invalid, unstorable = run.chance.sample(range(BATCH), 3)
            run.agencies.book.lives.append([identity(post_event[before])])
            assert await run.agencies.insist([post_event[before]])
            post_event[invalid] = post_event[invalid] | {"data": {"channel": "by pigeon"}}
            refused = post_event[unstorable]["id"]
            await run.stack.sql(
                f"ALTER TABLE event_log ADD CONSTRAINT {_REFUSED} CHECK (source <> 'urn:desk' OR id <> '{refused}') NOT VALID"
            )
            run.outcome.faults["event that the database refuses"] += 1
            try:
                receipts = await results(run, post_event, transport)
            finally:
                await run.stack.sql(f"ALTER TABLE event_log DROP CONSTRAINT {_REFUSED}")
            wanted = ["accepted"] * BATCH
            wanted[before], wanted[invalid], wanted[unstorable] = "duplicate", "rejected", "rejected"
            assert [receipt["status"] for receipt in receipts] == wanted, transport
            assert {receipt["id"] for receipt in receipts} <= {one["id"] for one in post_event} | {None}
            assert receipts[invalid]["problem"]["errors"], receipts[invalid]
            for one, receipt in zip(post_event, receipts, strict=True):
                run.agencies.book.receipt(one, receipt)
            # mended, the two come through
            post_event[invalid] = lives[invalid][0]
            assert await run.agencies.insist([post_event[invalid], post_event[unstorable]])
            assert identity(post_event[unstorable]) in run.agencies.book.acked


async def results(run: Run, post_event: list[Event], transport: str) -> list[dict[str, Any]]:
    """A receipt of each event, in their order, as the contract says it."""
    for one in post_event:
        run.agencies.book.sent(one)
    if transport == "singles":
        answers = await asyncio.gather(*(posted(run, Shipment("structured", [one])) for one in post_event))
        return [single(one, answer) for one, answer in zip(post_event, answers, strict=True)]
    answer = await posted(run, Shipment(transport, post_event))
    if transport == "array":
        assert answer.status_code == 202, answer.text
        found: dict[str, Any] = answer.json()
        assert (found["accepted"], found["duplicates"], found["rejected"]) == (len(post_event) - 3, 1, 2), answer.text[:300]
        listed: list[dict[str, Any]] = found["results"]
        return listed
    assert answer.status_code == 200, answer.text
    *lines, sums = (json.loads(line) for line in answer.text.splitlines())
    assert (sums["accepted"], sums["duplicates"], sums["rejected"]) == (len(post_event) - 3, 1, 2), sums
    by_line = {line["line"]: line for line in lines}  # of those not newly accepted
    positions = await found_positions(run, [one for number, one in enumerate(post_event, start=1) if number not in by_line])
    return [
        by_line.get(number) or {"status": "accepted", "id": one["id"], "position": positions[identity(one)]}
        for number, one in enumerate(post_event, start=1)
    ]


def single(one: Event, answer: httpx.Response) -> dict[str, Any]:
    """The receipt of a POST of one event; a problem is its rejection."""
    if answer.status_code == 202:
        receipt: dict[str, Any] = answer.json()
        return receipt
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert answer.status_code in (422, 500), answer.text
    return {"status": "rejected", "id": one["id"], "position": None, "problem": answer.json()}


async def posted(run: Run, shipment: Shipment) -> httpx.Response:
    headers, body = packed(shipment)
    async with httpx.AsyncClient(
        base_url=run.stack.apis[0], headers=HEADERS, timeout=30, trust_env=False, verify=PLAIN
    ) as client:
        return await client.post("/v1/events", headers=headers, content=body)


async def found_positions(run: Run, post_event: list[Event]) -> dict[Identity, int]:
    """Where the log has these events."""
    async with httpx.AsyncClient(base_url=run.stack.apis[0], headers=HEADERS, timeout=30, trust_env=False) as client:
        positions = {}
        for one in post_event:
            answer = await client.get("/v1/events", params={"source": one["source"], "id": one["id"]})
            (item,) = answer.json()["items"]
            positions[identity(one)] = item["position"]
        return positions
