"""The operation by which the payment platform tells results: signed, once each, and nothing else is taken."""

from __future__ import annotations

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.api import Served, served
from tests.support.payment_platform.mock_platform import PARTNER, result, write_access

PATH = "/v1/payments/results/national"
SOURCE = "urn:motcua:payment-platform:national"


@pytest.fixture
async def api(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Served]:
    async with served(database_url, redis_url, payments_access_file=write_access(tmp_path)) as api:
        yield api


@pytest.fixture
def platform(api: Served) -> httpx.AsyncClient:
    """It has no key."""
    return api.client(None)


async def events(api: Served) -> list[dict[str, Any]]:
    items = (await (await api.key()).get("/v1/events?limit=1000")).json()["items"]
    return [item["event"] for item in items]


async def initiate(api: Served, at: str, reference: str = "dvc0001") -> None:
    told = {
        "specversion": "1.0",
        "type": "vn.motcua.payment.initiated.v1",
        "source": "urn:desk",
        "id": f"{reference}-begin",
        "subject": reference,
        "time": at,
        "data": {"dossier_code": "H51.12-260512-0001", "amount_vnd": 50_000, "purpose": "fee", "gateway": "national"},
    }
    answer = await (await api.key()).post("/v1/events", json=told)
    assert answer.status_code == 202, answer.text


async def test_a_result_becomes_an_event_and_is_answered_under_our_signature(
    api: Served, platform: httpx.AsyncClient
) -> None:
    answer = await platform.post(PATH, json=result())
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told == {
        "MaXacThuc": told["MaXacThuc"],
        "MaLoi": "00",
        "MoTaLoi": "Tiếp nhận thành công",
        "MaDoiTac": PARTNER,
        "MaThamChieu": "dvc0001",
        "ThoiGianGD": "20260512093000",
    }
    text = f"00|Tiếp nhận thành công|{PARTNER}|dvc0001|20260512093000|bí mật của tỉnh"
    assert told["MaXacThuc"] == sha256(text.encode()).hexdigest()
    [event] = await events(api)
    assert (event["type"], event["source"], event["subject"]) == ("vn.motcua.payment.confirmed.v1", SOURCE, "dvc0001")
    assert event["time"] == "2026-05-12T02:30:00Z"
    assert event["data"] == {"outcome": "succeeded", "amount_vnd": 50000, "gateway_txn": "NP1", "bank_code": "VCB"}


async def test_a_parameter_that_there_is_not_is_refused(api: Served, platform: httpx.AsyncClient) -> None:
    answer = await platform.post(PATH, json=result(), params={"no-such": "1"})
    assert answer.status_code == 422
    assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [("/no-such", "unknown_field")]
    assert await events(api) == []


async def test_the_same_result_again_is_one_event(api: Served, platform: httpx.AsyncClient) -> None:
    first = await platform.post(PATH, json=result())
    again = await platform.post(PATH, json=result())
    assert (again.status_code, again.json()) == (200, first.json())
    # late, when it is known by now that it began in the afternoon: the same words still
    await initiate(api, "2026-05-12T21:00:00+07:00")
    assert (await platform.post(PATH, json=result())).json() == first.json()
    assert [event["type"].split(".")[3] for event in await events(api)] == ["confirmed", "initiated"]
    assert (await platform.post(PATH, json=result(MaLoi="05"))).status_code == 200
    assert len(await events(api)) == 3, "other words are another event"


async def test_an_hour_written_in_twelve(api: Served, platform: httpx.AsyncClient) -> None:
    await initiate(api, "2026-05-12T21:00:00+07:00")
    assert (await platform.post(PATH, json=result())).status_code == 200
    assert (await events(api))[-1]["time"] == "2026-05-12T14:30:00Z"


@pytest.mark.parametrize("date", ["29991231235959", "20991231235959"])
async def test_a_time_that_nobody_can_have_loses_no_payment(api: Served, platform: httpx.AsyncClient, date: str) -> None:
    answer = await platform.post(PATH, json=result(ThoiGianGD=date))
    assert answer.json()["MaLoi"] == "00", answer.text
    assert len(await events(api)) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"SoTien": "5000000"},
        {"MaLoi": "05"},
        {"MaThamChieu": "dvc0002"},
        {"MaDoiTac": "somebody"},
        {"MaXacThuc": ""},
        {"MaXacThuc": "0" * 64},
    ],
)
async def test_a_wrong_signature_changes_nothing(api: Served, platform: httpx.AsyncClient, changed: dict[str, str]) -> None:
    answer = await platform.post(PATH, json=result() | changed)
    assert answer.status_code == 403
    told = answer.json()
    assert (told["type"], told["MaLoi"], told["MaXacThuc"]) == ("urn:motcua:problem:wrong_signature", "97", "")
    assert await events(api) == []
    vietnamese = await platform.post(PATH, json=result() | changed, headers={"accept-language": "vi"})
    assert vietnamese.json()["title"] == "Chữ ký không đúng"


async def test_a_partner_is_one_of_its_gateway(api: Served, platform: httpx.AsyncClient) -> None:
    assert (await platform.post("/v1/payments/results/local", json=result())).status_code == 403
    assert (await platform.post("/v1/payments/results/counter", json=result())).status_code == 422
    assert await events(api) == []


@pytest.mark.parametrize(
    ("changed", "pointer", "code"),
    [
        ({"SoTien": "50.000"}, "/SoTien", "pattern"),
        ({"ThoiGianGD": "20261301000000"}, "/ThoiGianGD", "pattern"),
        ({"MaThamChieu": "dvc 0001"}, "/MaThamChieu", "pattern"),
        ({"MaTienTe": "USD"}, "/MaTienTe", "choice"),
    ],
)
async def test_what_is_not_as_agreed_names_the_field(
    api: Served, platform: httpx.AsyncClient, changed: dict[str, str], pointer: str, code: str
) -> None:
    answer = await platform.post(PATH, json=result(**changed))
    assert answer.status_code == 422, answer.text
    assert [(one["pointer"], one["code"]) for one in answer.json()["errors"]] == [(pointer, code)]
    assert await events(api) == []


async def test_the_body_is_bounded(api: Served, platform: httpx.AsyncClient) -> None:
    answer = await platform.post(PATH, json=result() | {"x": "y" * 70_000})
    assert answer.status_code == 413
    assert (await platform.post(PATH, content=b"{", headers={"content-type": "application/json"})).status_code == 400
    assert await events(api) == []


async def test_nobody_else_tells_by_the_source_of_the_platform(api: Served) -> None:
    told = {
        "specversion": "1.0",
        "type": "vn.motcua.payment.confirmed.v1",
        "source": SOURCE,
        "id": "forged",
        "subject": "dvc0001",
        "time": "2026-05-12T09:30:00+07:00",
        "data": {"outcome": "succeeded"},
    }
    writer = await api.key()
    answer = await writer.post("/v1/events", json=told)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "system_only")
    # software tells what it knows under a source of its own
    assert (await writer.post("/v1/events", json=told | {"source": "urn:desk"})).status_code == 202


async def test_results_are_counted(api: Served, platform: httpx.AsyncClient) -> None:
    for told in (result(), result(), result() | {"SoTien": "1"}):
        await platform.post(PATH, json=told)
    text = (await platform.get("/metrics")).text
    for line in ('{outcome="accepted",tenant="H51"} 1.0', '{outcome="repeated",tenant="H51"} 1.0'):
        assert f"motcua_payment_results_total{line}" in text
    assert 'outcome="refused"' in text


async def test_without_an_access_file_there_is_no_partner(database_url: str, redis_url: str, tmp_path: Path) -> None:
    async with served(database_url, redis_url, data_dir=tmp_path) as api:
        assert (await api.client(None).post(PATH, json=result())).status_code == 403
