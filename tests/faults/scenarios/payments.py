"""Payments with every fault of the payment platform, and kill -9 of API, worker and platform: 31."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from shared.payment_platform.protocol.client import PaymentClient
from shared.payment_platform.protocol.wire import InitAnswer
from shared.vocabulary.local_time import LOCAL_ZONE
from tests.faults.campaign import Run, scenario
from tests.faults.payment_access import account_of
from tests.faults.scenarios.figures import asking
from tests.oracle.histories import Event

PAYMENTS = 31
"""Number after those of docs/failures.md."""

OWED_VND = 50_000
AGO = timedelta(minutes=40)
"""The attempts began so long ago: the worker may ask about them at once."""

FAULTS = [
    {"fault": "result_lost", "probability": 0.3},
    {"fault": "result_twice", "probability": 0.3},
    {"fault": "result_late", "probability": 0.3, "seconds": 2},
    {"fault": "wrong_signature", "probability": 0.2},
    {"fault": "twelve_hours", "probability": 0.3},
    {"fault": "pending_for_days", "probability": 0.3, "seconds": 8},
    {"fault": "success_after_failure", "probability": 0.3, "seconds": 3},
    {"fault": "adapter_error", "probability": 0.1},
    {"fault": "garbled", "probability": 0.1},
    {"fault": "wrapped", "probability": 0.3},
]


@dataclass
class Citizens:
    """Who begins payments at the one-stop software and pays at the bank. ``client``: that software at the platform."""

    run: Run
    client: PaymentClient
    bank: httpx.AsyncClient
    attempts: dict[str, list[str]]
    """By obligation."""

    async def set_faults(self, seed: int, rules: list[dict[str, Any]]) -> None:
        """Once the platform is there: its rules live in its memory."""
        while True:
            try:
                (await self.bank.put("/_payments/faults", json={"seed": seed, "rules": rules})).raise_for_status()
            except httpx.TransportError:
                await asyncio.sleep(0.1)
            else:
                return

    async def note_faults(self) -> None:
        """Those that the platform has played in this life."""
        counts = (await self.bank.get("/_payments/faults")).json()["counts"]
        for rule, count in zip(FAULTS, counts, strict=True):
            self.run.outcome.faults[f"payments {rule['fault']}"] += count["fired"]

    async def begin(self, dossier: str) -> str:
        """One more attempt, known to platform and log."""
        attempts = self.attempts[f"{dossier}/fee"]
        reference = f"dvc{dossier.replace('-', '').replace('.', '')}-{len(attempts)}"
        attempts.append(reference)
        at = (datetime.now(UTC) - AGO).replace(microsecond=0)
        while not isinstance(await self.client.init(reference, OWED_VND, at), InitAnswer):
            await asyncio.sleep(0.1)
        told: Event = {
            "specversion": "1.0",
            "type": "vn.motcua.payment.initiated.v1",
            "source": "urn:desk",
            "id": f"{reference} begins",
            "subject": reference,
            "time": at.isoformat(),
            "data": {"dossier_code": dossier, "amount_vnd": OWED_VND, "purpose": "fee", "gateway": "national"},
        }
        assert await self.run.agencies.insist([told])
        return reference

    async def pay(self, reference: str) -> None:
        outcome = "succeeded" if self.run.chance.random() < 0.7 else "failed"
        while True:
            try:
                answer = await self.bank.post(f"/_payments/transactions/{reference}", json={"outcome": outcome})
            except httpx.TransportError:  # killed meanwhile: done or not, nobody knows
                await asyncio.sleep(0.1)
                continue
            assert answer.status_code in (200, 409), answer.text
            return

    async def held(self) -> dict[str, dict[str, Any]]:
        """What the platform has, by reference: the truth of this scenario."""
        items: list[dict[str, Any]] = (await self.bank.get("/_payments/transactions?limit=1000")).json()["items"]
        return {item["reference"]: item for item in items}


@asynccontextmanager
async def citizens(run: Run) -> AsyncIterator[Citizens]:
    client = PaymentClient(account_of(run.stack.home / "payments.json"))
    url = f"http://127.0.0.1:{run.stack.payments_port}"
    async with httpx.AsyncClient(base_url=url, timeout=10, trust_env=False) as bank:
        try:
            yield Citizens(run, client, bank, defaultdict(list))
        finally:
            await client.aclose()


@scenario(PAYMENTS, "payments", fresh=True, apis=1, workers=2, payments=True, MOTCUA_TIME_SCALE="600")
async def payments(run: Run) -> None:
    """With every fault of the payment platform and kill -9 of API, workers and platform, each payment is in the end here what
    it is there: none lost, none counted twice, and every obligation that was paid twice is listed with what is too much."""
    await run.settled()
    lives = run.agencies.lives(run.counts.of(60, 25, 8))
    await run.agencies.tell(lives, batch=5)
    async with citizens(run) as people:
        await people.set_faults(1, FAULTS)
        killing = asyncio.create_task(_kill(run, people))
        try:
            for life in lives:
                # impatient people begin again while the first attempt is under way
                for _ in range(run.chance.choice((1, 1, 2, 3))):
                    await people.pay(await people.begin(life[0]["subject"]))
                    await asyncio.sleep(0.3)
        finally:
            killing.cancel()
            await asyncio.gather(killing, return_exceptions=True)
        await asyncio.to_thread(run.stack.wait_ready)
        await people.note_faults()
        await people.set_faults(1, [])
        await asyncio.sleep(9)  # the longest fault is over: late results were told, what was hidden shows
        references = [one for attempts in people.attempts.values() for one in attempts]
        await run.recovered("every fault at once, to what the platform has", _agrees(run, people), most=120)
        await _judged(run, people)
    run.outcome.notes.append(f"{len(references)} attempts for {len(lives)} obligations")


async def _kill(run: Run, people: Citizens) -> None:
    """One process after the other, until cancelled."""
    turn = 0
    while True:
        await asyncio.sleep(run.chance.uniform(0.5, 1.5))
        name, number = (("api", 0), ("worker", 0), ("payments", 0), ("worker", 1))[turn % 4]
        run.stack.steady()
        if name == "payments":
            await people.note_faults()
        run.stack.kill(name, number)
        turn += 1
        if name == "payments":
            await asyncio.sleep(0.2)  # its port is closed by then
            await people.set_faults(turn, FAULTS)
        await asyncio.to_thread(run.stack.wait_ready)


async def _agrees(run: Run, people: Citizens) -> None:
    """The statements of the days are loaded, and looked at until every payment is here what it is there."""
    held = await people.held()
    now = datetime.now(LOCAL_ZONE)
    async with asking(run) as client:
        while True:
            for day in {now.date(), (now - timedelta(hours=1)).date()}:
                lines = (await people.bank.get(f"/_payments/statements/national/{day}")).json()
                answer = await client.put(f"/v1/payments/statements/national/{day}", json=lines)
                assert answer.status_code == 200, answer.text
            found = await _payments(client)
            if {one: found[one]["state"] for one in held if one in found} == {one: held[one]["state"] for one in held}:
                return
            await asyncio.sleep(1)


async def _payments(client: httpx.AsyncClient, **asked: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    cursor: str | None = ""
    while cursor is not None:
        page = (
            await client.get("/v1/payments", params={"limit": 100, **asked, **({"cursor": cursor} if cursor else {})})
        ).json()
        found |= {item["reference"]: item for item in page["items"]}
        cursor = page["next_cursor"]
    return found


async def _judged(run: Run, people: Citizens) -> None:
    held = await people.held()
    paid = {one for one, item in held.items() if item["state"] == "succeeded"}
    failed = {one for one, item in held.items() if item["state"] == "failed"}
    assert set(held) == {one for attempts in people.attempts.values() for one in attempts}
    async with asking(run) as client:
        day = datetime.now(LOCAL_ZONE)
        period = {"from": f"{day - timedelta(days=2):%Y-%m-%d}", "to": f"{day:%Y-%m-%d}"}
        figures = (await client.get("/v1/stats/payments", params=period)).json()["figures"]["total"]
        wanted = {"p1": len(held), "p2": len(paid), "p3": len(failed), "p4": 0, "p5": OWED_VND * len(paid)}
        assert {name: figures[name] for name in wanted} == wanted, (figures, wanted)
        twice = {
            obligation: [one for one in attempts if one in paid]
            for obligation, attempts in people.attempts.items()
            if len(paid.intersection(attempts)) > 1
        }
        listed = await _payments(client, double="true")
        assert set(listed) == {one for attempts in twice.values() for one in attempts}
        for obligation, attempts in twice.items():
            excess = {listed[one]["excess_vnd"] for one in attempts}
            assert excess == {OWED_VND * (len(attempts) - 1)}, (obligation, excess)
            assert sum(listed[one]["kept"] for one in attempts) == 1, obligation
        assert twice, "nobody paid twice: the scenario tries nothing"
    run.outcome.notes.append(f"{len(paid)} paid, {len(failed)} failed, {len(twice)} obligations paid twice or more")
