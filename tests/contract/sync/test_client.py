"""The client against the mock portal: each outcome is the type it should be."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from services.mock_portal.openapi import EXAMPLE_DOSSIER, EXAMPLE_STEP
from shared.sync.portal.calls import Deadlines
from shared.sync.portal.client import PortalAccess, PortalClient, Session
from shared.sync.rules.outcomes import (
    Ambiguous,
    Answered,
    Failure,
    Found,
    Garbled,
    ItemKind,
    LoggedIn,
    LoginOutcome,
    Refused,
    SessionLost,
    Throttled,
    Unavailable,
)
from tests.support.sync import portal_url

__all__ = ["portal_url"]  # a fixture

CODE = "H51-261121-0001"


class OwnSessions:
    """The session of one process."""

    def __init__(self) -> None:
        self.session: Session | None = None
        self.lock = asyncio.Lock()

    async def current(self) -> Session | None:
        return self.session

    async def renew(
        self, seen: Session | None, login: Callable[[], Awaitable[LoginOutcome]]
    ) -> Session | Throttled | Failure:
        async with self.lock:
            if self.session is None or self.session == seen:
                outcome = await login()
                if not isinstance(outcome, LoggedIn):
                    return outcome
                self.session = Session(1 if seen is None else seen.generation + 1, outcome.session)
            return self.session


class Harness:
    def __init__(self, url: str, admin: httpx.AsyncClient, client: PortalClient) -> None:
        self.url = url
        self.admin = admin
        self.client = client

    async def faults(self, *rules: dict[str, Any]) -> None:
        (await self.admin.put("/_portal/faults", json={"seed": 1, "rules": list(rules)})).raise_for_status()

    async def logins(self) -> int:
        found = (await self.admin.get("/_portal/calls", params={"limit": 1000})).json()["items"]
        return len([call for call in found if call["service"] == "login"])


def access(url: str, **changes: str) -> PortalAccess:
    return PortalAccess(
        **{
            "url": url,
            "username": "000.00.00.H51",
            "password": "practice",
            "dstcode": "VN:GOV:000.00.00.G22:dvcqg",
            "unit": "000.00.00.H51",
        }
        | changes
    )


@pytest.fixture
async def there(portal_url: str) -> AsyncIterator[Harness]:
    deadlines = Deadlines(connect_seconds=0.5, read_seconds=0.5, total_seconds=0.9)
    async with (
        httpx.AsyncClient(base_url=portal_url, trust_env=False) as admin,
        PortalClient(access(portal_url), OwnSessions(), deadlines) as client,
    ):
        await admin.post("/_portal/reset")
        yield Harness(portal_url, admin, client)


def dossier(code: str = CODE, **fields: Any) -> dict[str, Any]:
    return EXAMPLE_DOSSIER | {"MaHoSo": code} | fields


async def put(there: Harness, *codes: str, updating: bool = False) -> Any:
    return await there.client.put_dossiers([dossier(code) for code in codes or (CODE,)], updating=updating)


async def test_create_update_steps_and_look_up(there: Harness) -> None:
    assert await put(there) == Answered()
    assert await put(there, updating=True) == Answered()
    assert await there.client.add_steps([EXAMPLE_STEP | {"MaHoSo": CODE}]) == Answered()
    found = await there.client.look_up([CODE, "H51-261121-0002"])
    assert isinstance(found, Found)
    assert [row["MAHOSO"] for row in found.rows] == [CODE]
    assert isinstance(await there.client.procedure("1.001612"), Found)
    assert await there.logins() == 1


async def test_already_there_and_unknown_there(there: Harness) -> None:
    await put(there)
    again = await put(there, CODE, "H51-261121-0002")
    assert again.refused[CODE][0].kind is ItemKind.ALREADY_THERE
    assert again.rest_stored
    unknown = await put(there, "H51-261121-0003", updating=True)
    assert unknown.refused["H51-261121-0003"][0].kind is ItemKind.UNKNOWN_THERE


@pytest.mark.parametrize("variant", ["plain", "upper", "nfd"])
async def test_messages_in_any_form(there: Harness, variant: str) -> None:
    await put(there)
    await there.faults({"fault": "F20", "variant": variant})
    assert (await put(there)).refused[CODE][0].kind is ItemKind.ALREADY_THERE


@pytest.mark.parametrize(
    ("rule", "outcome"),
    [
        ({"fault": "F3", "variant": "502"}, Unavailable),
        ({"fault": "F3", "variant": "504"}, Unavailable),
        ({"fault": "F4", "variant": "reset"}, Ambiguous),
        ({"fault": "F4", "variant": "close"}, Ambiguous),
        ({"fault": "F5", "seconds": 2}, Ambiguous),
        ({"fault": "F6", "seconds": 2, "variant": "drop"}, Ambiguous),
        ({"fault": "F7", "seconds": 4}, Ambiguous),
        ({"fault": "F8", "variant": "empty"}, Garbled),
        ({"fault": "F8", "variant": "html"}, Garbled),
        ({"fault": "F8", "variant": "truncated"}, Garbled),
        ({"fault": "F9"}, Garbled),
        ({"fault": "F15", "variant": "seconds", "seconds": 3}, Throttled),
        ({"fault": "F15", "variant": "date", "seconds": 3}, Throttled),
        ({"fault": "F15", "variant": "code"}, Throttled),
        ({"fault": "F16", "seconds": 1}, Unavailable),
        ({"fault": "F19", "variant": "number"}, Answered),
        ({"fault": "F19", "variant": "00"}, Answered),
    ],
)
async def test_faults_and_their_outcomes(there: Harness, rule: dict[str, Any], outcome: type) -> None:
    await put(there, "H51-261121-0009")  # logged in
    await there.faults(rule | {"times": 1} if rule["fault"] != "F16" else rule)
    found = await put(there)
    assert type(found) is outcome
    if rule["fault"] == "F15" and rule["variant"] != "code":
        assert 2 <= found.retry_after_seconds <= 5
    if rule["fault"] == "F16":
        assert found.retry_after_seconds is not None
    await there.faults()


async def test_f1_renews_once_and_repeats_once(there: Harness) -> None:
    await put(there)
    await there.faults({"fault": "F1", "times": 1})
    assert await put(there, updating=True) == Answered()
    assert await there.logins() == 2
    await there.faults({"fault": "F1"})
    assert isinstance(await put(there, updating=True), SessionLost)
    assert await there.logins() == 3


async def test_an_expired_session_is_renewed_once_for_all_calls(there: Harness) -> None:
    await put(there)
    await there.admin.post("/_portal/reset", params={"part": "sessions"})
    outcomes = await asyncio.gather(*(put(there, updating=True) for _ in range(6)))
    assert outcomes == [Answered()] * 6
    assert await there.logins() == 2


async def test_f2_and_a_wrong_route_are_refused(there: Harness) -> None:
    await there.faults({"fault": "F2"})
    assert isinstance(await put(there), Refused)
    await there.faults()
    for wrong in ({"password": "x"}, {"dstcode": "VN:nowhere"}, {"service_path": "/nowhere"}):
        async with PortalClient(access(there.url, **wrong), OwnSessions()) as client:
            assert isinstance(await client.put_dossiers([dossier()], updating=False), Refused)


async def test_a_portal_that_is_not_there(there: Harness) -> None:
    async with PortalClient(access("http://127.0.0.1:9"), OwnSessions(), Deadlines(0.5, 0.5, 1)) as client:
        assert isinstance(await client.put_dossiers([dossier()], updating=False), Unavailable)


@pytest.mark.parametrize(
    "rule", [{"fault": "F8", "variant": "empty"}, {"fault": "F9"}, {"fault": "F3"}, {"fault": "F8", "variant": "html"}]
)
async def test_a_failed_look_up_is_no_answer(there: Harness, rule: dict[str, Any]) -> None:
    await put(there)
    await there.faults(rule)
    assert not isinstance(await there.client.look_up([CODE]), Found)
    await there.faults()
