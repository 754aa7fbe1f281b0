"""The client and the mock payment platform, which share no code, speak the same protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.payment_platform.protocol.client import PaymentClient, read_answer
from shared.payment_platform.protocol.wire import InitAnswer, QueryAnswer
from shared.payment_platform.rules.inquiries import PaymentState, Queried, Undecided
from shared.sync.portal.calls import Deadlines
from shared.sync.rules.outcomes import Garbled, Unavailable
from tests.support.payment_platform.mock_platform import MockPlatform, mock_platform

AFTERNOON = datetime(2026, 5, 12, 7, 30, tzinfo=UTC)  # 14:30 there


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MockPlatform]:
    with mock_platform(tmp_path_factory.mktemp("payments")) as found:
        yield found


@pytest.fixture
async def platform(serving: MockPlatform) -> MockPlatform:
    await serving.reset()
    return serving


@pytest.fixture
async def client(platform: MockPlatform) -> AsyncIterator[PaymentClient]:
    found = PaymentClient(platform.account, Deadlines(1, 2, 3))
    yield found
    await found.aclose()


async def begin(client: PaymentClient, reference: str = "dvc1") -> None:
    answer = await client.init(reference, 50_000, AFTERNOON, information="Phí cấp bản sao", receipt='{"MaDichVu":"2"}')
    assert isinstance(answer, InitAnswer)
    assert (answer.error, answer.url.endswith(reference)) == ("00", True)


async def test_a_payment_from_its_beginning_to_its_receipt(platform: MockPlatform, client: PaymentClient) -> None:
    await begin(client)
    assert await client.query("dvc1", AFTERNOON) == Queried(PaymentState.PENDING, 50_000)
    assert await client.bill("dvc1", AFTERNOON) == b""
    paid = await platform.pay("dvc1")
    assert await client.query("dvc1", AFTERNOON) == Queried(PaymentState.SUCCEEDED, 50_000, paid["number"])
    bill = await client.bill("dvc1", AFTERNOON)
    assert isinstance(bill, bytes)
    assert bill.startswith(b"%PDF-")


async def test_a_payment_that_failed(platform: MockPlatform, client: PaymentClient) -> None:
    await begin(client)
    await platform.pay("dvc1", "failed")
    answer = await client.query("dvc1", AFTERNOON)
    assert isinstance(answer, Queried)
    assert answer.state is PaymentState.FAILED


async def test_the_same_beginning_again_is_one_and_another_one_is_refused(client: PaymentClient) -> None:
    await begin(client)
    await begin(client)
    other = await client.init("dvc1", 60_000, AFTERNOON)
    assert isinstance(other, InitAnswer)
    assert other.error == "03"


async def test_a_clock_of_twelve_hours_finds_nothing_after_noon(client: PaymentClient) -> None:
    await begin(client)
    assert isinstance(await client.query("dvc1", AFTERNOON - timedelta(hours=12)), Undecided)
    assert isinstance(await client.query("dvc2", AFTERNOON), Undecided)


async def test_who_has_another_secret_is_told_nothing(platform: MockPlatform, client: PaymentClient) -> None:
    await begin(client)
    stranger = PaymentClient(replace(platform.account, secret="another one"))
    try:
        assert await stranger.query("dvc1", AFTERNOON) == Undecided("no state, MaLoi 97")
        answer = await stranger.init("dvc2", 1, AFTERNOON)
        assert isinstance(answer, InitAnswer)
        assert answer.error == "97"
    finally:
        await stranger.aclose()


async def test_answers_in_trouble(platform: MockPlatform, client: PaymentClient) -> None:
    await begin(client)
    for fault, kind in (("wrapped", Queried), ("adapter_error", Unavailable), ("garbled", Garbled)):
        await platform.faults({"fault": fault, "reference": "^dvc1$"})
        assert isinstance(await client.query("dvc1", AFTERNOON), kind), fault
    await platform.faults()
    assert isinstance(await client.query("dvc1", AFTERNOON), Queried)


async def test_an_answer_under_a_wrong_signature_is_none(client: PaymentClient) -> None:
    """Somebody between us and the platform says that it was paid."""
    await begin(client)
    answer = await client._call("QUERY", client._question("QUERY", "dvc1", AFTERNOON))
    assert isinstance(answer, bytes)
    read = read_answer(answer, QueryAnswer)
    assert isinstance(read, QueryAnswer)
    assert isinstance(client._queried("dvc1", read), Queried)
    assert client._queried("dvc1", read.model_copy(update={"state": "1"})) == Garbled("a wrong signature")
    assert client._queried("dvc2", read) == Garbled("the answer is of another attempt")


async def test_a_platform_that_is_not_there(platform: MockPlatform) -> None:
    client = PaymentClient(replace(platform.account, url="http://127.0.0.1:9/api/payment"), Deadlines(1, 1, 2))
    try:
        assert isinstance(await client.query("dvc1", AFTERNOON), Unavailable)
    finally:
        await client.aclose()


async def test_pending_for_days(platform: MockPlatform, client: PaymentClient) -> None:
    await begin(client)
    await platform.faults({"fault": "pending_for_days"})
    await platform.pay("dvc1")
    assert await client.query("dvc1", AFTERNOON) == Queried(PaymentState.PENDING, 50_000)
