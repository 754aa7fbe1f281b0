"""What the oracle has found, cut down by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.oracle.histories import Event, event
from tests.oracle.stack import Shipment, Stack, packed, stack_of, stacked


@pytest.fixture
async def stack(database_url: str, redis_url: str) -> AsyncIterator[Stack]:
    async with stacked(database_url, redis_url) as api:
        yield await stack_of(api, "H51")


def logged(name: str, code: str, identity: str, /, **data: object) -> Event:
    return event(name, code, "2022-05-12T08:00:00Z", "urn:x", identity, **data)


@pytest.mark.parametrize("identity", ["é", "Mã số 1 %", "ﬀ", "😀", "a b", "%C3%A9"])
async def test_an_identity_in_binary_mode_may_be_any_text(stack: Stack, identity: str) -> None:
    assigned = logged("assigned", "H51.12-220512-00001", identity)
    headers, body = packed(Shipment("binary", [assigned]))
    answer = await stack.client.post("/v1/events", headers=headers, content=body)
    assert (answer.status_code, answer.json().get("id")) == (202, identity)
    again = await stack.client.post("/v1/events", json=assigned)
    assert again.json() == answer.json() | {"status": "duplicate"}


async def test_what_a_void_names_may_come_later_and_elsewhere(stack: Stack) -> None:
    mine, other = "H51.12-220512-00001", "H51.12-220512-00002"
    void = logged("voided", mine, "v", event_id="later", event_source="urn:x", reason="Nhập nhầm")
    for posted, problem in ((void, "void_waiting"), (logged("assigned", other, "later"), "void_elsewhere")):
        assert (await stack.client.post("/v1/events", json=posted)).status_code == 202
        await stack.project()
        detail = await stack.get(f"/v1/dossiers/{mine}")
        (item,) = [one for one in (await stack.get("/v1/dossiers"))["items"] if one["code"] == mine]
        assert ([one["code"] for one in detail["anomalies"]], item["anomalies"]) == ([problem], [problem])
