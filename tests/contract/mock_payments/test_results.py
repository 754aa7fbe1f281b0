"""What the mock payment platform tells of a payment, as it should and with every fault, by a client that shares nothing with it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from shared.payment_platform.protocol.client import PaymentClient
from tests.support.payment_platform.mock_platform import PARTNER, SECRET, SIGNED, MockPlatform, mock_platform, served_by

BEGUN = datetime(2026, 5, 12, 7, 30, tzinfo=UTC)


@dataclass
class Receiver:
    """A one-stop system that is told results; ``refuses``: so many of them at first."""

    told: list[dict[str, Any]] = field(default_factory=list)
    refuses: int = 0

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/results/{gateway}")
        async def take(request: Request, gateway: str) -> JSONResponse:
            message = await request.json()
            self.told.append(message | {"gateway": gateway})
            if self.refuses > 0:
                self.refuses -= 1
                return JSONResponse({"detail": "away"}, 503)
            answer = {"MaLoi": "00", "MoTaLoi": "ok", "MaDoiTac": PARTNER, "MaThamChieu": message["MaThamChieu"]}
            answer["ThoiGianGD"] = message["ThoiGianGD"]
            return JSONResponse(answer | {"MaXacThuc": sha256("|".join([*answer.values(), SECRET]).encode()).hexdigest()})

        return app


@dataclass
class Pair:
    platform: MockPlatform
    receiver: Receiver
    client: PaymentClient

    async def paid(self, reference: str, outcome: str = "succeeded") -> dict[str, Any]:
        await self.client.init(reference, 50_000, BEGUN)
        return await self.platform.pay(reference, outcome)

    async def until(self, count: int) -> list[dict[str, Any]]:
        for _ in range(200):
            if len(self.receiver.told) >= count:
                break
            await asyncio.sleep(0.05)
        assert len(self.receiver.told) == count
        return self.receiver.told

    async def nothing_more(self, seconds: float = 0.6) -> None:
        count = len(self.receiver.told)
        await asyncio.sleep(seconds)
        assert len(self.receiver.told) == count


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    receiver = Receiver()
    with served_by(receiver.app()) as url, mock_platform(tmp_path, f"{url}/results/{{gateway}}") as platform:
        client = PaymentClient(platform.account)
        yield Pair(platform, receiver, client)
        await client.aclose()


def is_genuine(told: dict[str, Any]) -> bool:
    text = "|".join([*(told[name] for name in SIGNED), SECRET])
    return bool(told["MaXacThuc"] == sha256(text.encode()).hexdigest())


async def test_a_result_is_told_once(pair: Pair) -> None:
    paid = await pair.paid("A")
    [told] = await pair.until(1)
    assert is_genuine(told)
    assert (told["gateway"], told["MaLoi"], told["SoTien"], told["MaGiaoDich"]) == (
        "national",
        "00",
        "50000",
        paid["number"],
    )
    assert re.fullmatch(r"\d{14}", told["ThoiGianGD"])
    await pair.nothing_more()
    [row] = await pair.platform.told("A")
    assert (row["status"], row["ended"]) == (200, 1)


async def test_a_failure_is_told_as_one(pair: Pair) -> None:
    await pair.paid("A", "failed")
    [told] = await pair.until(1)
    assert told["MaLoi"] == "05"


async def test_what_is_not_taken_is_told_again(pair: Pair) -> None:
    pair.receiver.refuses = 1
    await pair.paid("A")
    first, again = await pair.until(2)
    assert first == again


async def test_an_attempt_is_paid_once(pair: Pair) -> None:
    await pair.paid("A")
    assert (await pair.platform.ask("POST", "transactions/A", {"outcome": "failed"})).status_code == 409
    assert (await pair.platform.ask("POST", "transactions/B", {})).status_code == 404


async def test_the_faults_of_results(pair: Pair) -> None:
    rules = [
        {"fault": "result_lost", "reference": "^lost"},
        {"fault": "result_twice", "reference": "^twice"},
        {"fault": "result_late", "reference": "^late", "seconds": 1.5},
        {"fault": "wrong_signature", "reference": "^forged"},
        {"fault": "twelve_hours", "reference": "^twelve"},
    ]
    await pair.platform.faults(*rules)
    await pair.paid("lost")
    await pair.nothing_more(0.3)
    await pair.paid("twice")
    first, second = await pair.until(2)
    assert first == second
    await pair.paid("forged")
    assert not is_genuine((await pair.until(3))[-1])
    await pair.paid("late")
    await pair.nothing_more(0.5)
    await pair.until(4)
    hour = (await pair.paid("twelve"))["ended"][8:10]
    told = (await pair.until(5))[-1]
    assert is_genuine(told)
    assert int(told["ThoiGianGD"][8:10]) == int(hour) == (datetime.now(UTC) + timedelta(hours=7)).hour % 12 or 12
    counts = (await pair.platform.ask("GET", "faults")).json()["counts"]
    assert counts == [{"matched": 1, "fired": 1}] * len(rules)


async def test_a_success_after_a_failure(pair: Pair) -> None:
    await pair.platform.faults({"fault": "success_after_failure", "seconds": 0.5})
    await pair.paid("A")
    failed, succeeded = await pair.until(2)
    assert (failed["MaLoi"], succeeded["MaLoi"]) == ("05", "00")
    shown = (await pair.platform.ask("GET", "transactions/A")).json()
    assert shown["state"] == "succeeded"


async def test_the_statement_of_a_day(pair: Pair) -> None:
    paid = await pair.paid("A")
    await pair.paid("B", "failed")
    day = f"{paid['ended'][:4]}-{paid['ended'][4:6]}-{paid['ended'][6:8]}"
    lines = (await pair.platform.ask("GET", f"statements/national/{day}")).json()["lines"]
    assert [(line["reference"], line["amount_vnd"], line["state"]) for line in lines] == [
        ("A", 50000, "succeeded"),
        ("B", 50000, "failed"),
    ]
    assert lines[0]["gateway_txn"] == paid["number"]
    assert (await pair.platform.ask("GET", f"statements/local/{day}")).json()["lines"] == []


async def test_it_keeps_what_it_has_to_tell(tmp_path: Path) -> None:
    """A platform that is started again tells what it had not told."""
    with mock_platform(tmp_path) as platform:
        client = PaymentClient(platform.account)
        await client.init("A", 50_000, BEGUN)
        await platform.pay("A")
        await client.aclose()
    receiver = Receiver()
    with served_by(receiver.app()) as url, mock_platform(tmp_path, f"{url}/results/{{gateway}}") as platform:
        for _ in range(200):
            if receiver.told:
                break
            await asyncio.sleep(0.05)
        assert [told["MaThamChieu"] for told in receiver.told] == ["A"]


async def test_wrong_rules_are_refused(pair: Pair) -> None:
    for rule in ({"fault": "none"}, {"fault": "result_lost", "reference": "["}, {"fault": "result_lost", "probability": 2}):
        assert (await pair.platform.ask("PUT", "faults", {"rules": [rule]})).status_code == 422
