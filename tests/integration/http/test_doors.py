"""What a good operator expects of the door: development key, names, headers, wrong keys, ids, receipts, revoked keys."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, MutableMapping
from typing import Any

import httpx
import pytest

from services.api.http.access import keyring, wrong_keys
from services.api.http.access.keyring import Caller
from services.api.http.access.wrong_keys import WrongKeys
from services.api.http.bodies.limits import Held, Patience
from services.api.http.reads.exports import CutShortError, Export
from shared.access.store import keys
from shared.access.store.keys import Permission
from shared.database.engine import driver_session
from shared.vocabulary.events import Tenant
from tests.support.access.subtree_admin import received
from tests.support.api import H51, Served, served
from tests.support.events import LINES, lines, read_lines

DEVELOPMENT = {"authorization": "Bearer dev-admin-key"}


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as api:
        yield api


def caller_at(api: Served, address: str, *, host: str = "localhost", token: str | None = None) -> httpx.AsyncClient:
    """A client at an address, which asks for a name."""
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    transport = httpx.ASGITransport(api.app, client=(address, 5000))
    client = httpx.AsyncClient(transport=transport, base_url=f"http://{host}", headers=headers)
    api.clients.append(client)
    return client


async def whoami(client: httpx.AsyncClient, **headers: str) -> int:
    return (await client.get("/v1/whoami", headers=headers)).status_code


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]:8000", "LocalHost:8000"])
async def test_the_development_key_is_of_this_machine(api: Served, host: str) -> None:
    assert await whoami(caller_at(api, "127.0.0.1", host=host), **DEVELOPMENT) == 200


async def test_the_development_key_is_refused_behind_a_proxy_and_under_other_names(api: Served) -> None:
    for header in ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded", "Via", "X-Real-IP"):
        assert await whoami(api.client(None), **DEVELOPMENT, **{header: "10.0.0.1"}) == 401, header
    for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example"):
        assert await whoami(caller_at(api, "127.0.0.1", host=host), **DEVELOPMENT) == 401, host
    assert await whoami(caller_at(api, "10.0.0.1"), **DEVELOPMENT) == 401
    # real keys are asked none of this
    real = await api.key()
    assert (await real.get("/v1/whoami", headers={"X-Forwarded-For": "10.0.0.1", "host": "mc.example"})).status_code == 200
    # nor is a body let in with it
    posted = await api.client(None).post("/v1/events", json=received(1, "H51.12"), headers=DEVELOPMENT | {"via": "1.1 x"})
    assert posted.status_code == 401


async def test_only_the_names_that_it_was_given(database_url: str, redis_url: str) -> None:
    hosts = "mc.h51.example, api.h51.example"
    async with served(database_url, redis_url, api_host="0.0.0.0", allowed_hosts=hosts) as api:
        for host in ("mc.h51.example", "API.h51.example:8443"):
            assert (await caller_at(api, "10.0.0.1", host=host).get("/docs")).status_code == 200
        for host in ("localhost", "10.0.0.7", "mc.h51.example.evil.example"):
            client = caller_at(api, "10.0.0.1", host=host)
            for path in ("/docs", "/v1/whoami", "/metrics"):
                refused = await client.get(path)
                assert (refused.status_code, refused.json()["type"]) == (421, "urn:motcua:problem:misdirected")
            assert (await client.get("/healthz")).status_code == 200
    async with served(database_url, redis_url, allowed_hosts=hosts) as api:
        # on the machine itself, and under its name through nothing but a tunnel
        for host in ("localhost", "mc.h51.example"):
            assert await whoami(caller_at(api, "127.0.0.1", host=host), **DEVELOPMENT) == 200


async def test_a_request_with_two_names_is_asked_by_none(database_url: str, redis_url: str) -> None:
    twice = httpx.Headers([("host", "mc.h51.example"), ("host", "mc.h51.example")])
    async with served(database_url, redis_url, api_host="0.0.0.0", allowed_hosts="mc.h51.example") as api:
        refused = await caller_at(api, "10.0.0.1", host="mc.h51.example").get("/docs", headers=twice)
        assert refused.status_code == 421
    async with served(database_url, redis_url) as api:
        twice = httpx.Headers([("host", "localhost"), ("host", "localhost"), *DEVELOPMENT.items()])
        assert (await caller_at(api, "127.0.0.1").get("/v1/whoami", headers=twice)).status_code == 401


async def test_the_explorer_loads_and_runs_nothing_from_elsewhere(api: Served) -> None:
    answer = await api.client(None).get("/docs")
    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in policy["script-src"]
    assert len(re.findall("'sha256-", policy["script-src"])) == len(re.findall(r"<script>", answer.text)) == 1
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"
    loaded = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
    assert len(loaded) >= 2
    for path in loaded:
        assert path.startswith("/docs/assets/")
        assert (await api.client(None).get(path)).status_code == 200


async def test_no_answer_is_guessed_at(api: Served) -> None:
    client = await api.key()
    for path in (
        "/docs",
        "/openapi.json",
        "/v1/dossiers",
        "/v1/agencies.csv",
        "/nothing",
        "/healthz",
        "/docs/assets/favicon.png",
    ):
        assert (await client.get(path)).headers["x-content-type-options"] == "nosniff", path
    for answer in (await api.client(None).get("/v1/whoami"), await client.post("/v1/events", content=b"{")):
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_wrong_keys_are_slowed_down_and_the_right_one_never(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrong_keys, "MOST", 5)
    async with driver_session(api.engine) as connection:
        token = await keys.create(connection, H51, (Permission.ADMIN,))
    guesser = caller_at(api, "10.0.0.1")
    for number in range(12):
        wrong = await guesser.get("/v1/whoami", headers={"authorization": f"Bearer mc_H51_{number}_wrong"})
        assert wrong.status_code == (401 if number < 5 else 429)
        if number >= 5:
            assert wrong.json()["type"] == "urn:motcua:problem:too_many_wrong_keys"
            assert 1 <= int(wrong.headers["retry-after"]) <= 60
    # a body is not read for it either
    assert (await guesser.post("/v1/events", content=b"{", headers={"authorization": "Bearer x"})).status_code == 429
    assert (await guesser.get("/v1/whoami")).status_code == 401  # no key is no wrong one
    monkeypatch.setattr(keyring, "REMEMBERED_SECONDS", 0)
    for _ in range(3):
        assert await whoami(caller_at(api, "10.0.0.1", token=token)) == 200
    assert await whoami(caller_at(api, "10.0.0.2"), authorization="Bearer wrong") == 401


def test_what_is_kept_of_wrong_keys_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrong_keys, "MOST", 2)
    now = [0.0]
    monkeypatch.setattr("services.api.http.access.wrong_keys.time.monotonic", lambda: now[0])
    known = WrongKeys()
    for number in range(20_000):
        known.count(str(number))
    assert len(known) == 10_000
    for _ in range(3):
        known.count("x")
    assert known.seconds_to_wait("x") == 61
    now[0] = 61.0
    assert known.seconds_to_wait("x") == 0
    known.count("x")
    assert known.seconds_to_wait("x") == 0


@pytest.mark.parametrize("told", ["a-1.2:3/4+5=6_7", "2018-000123-received", "x" * 128])
async def test_a_request_id_is_kept(api: Served, told: str) -> None:
    assert (await api.client(None).get("/healthz", headers={"x-request-id": told})).headers["x-request-id"] == told


@pytest.mark.parametrize(
    "told",
    [
        "x" * 129,
        "",
        "a b",
        "an@example.vn",
        "094085001234",
        "r-0912345678",
        'x"y',
        "<b>",
        "a\tb",
        "mã".encode().decode("latin-1"),
    ],
)
async def test_a_request_id_that_should_not_be_logged_is_made_anew(api: Served, told: str) -> None:
    answer = await api.client(None).get("/healthz", headers=[(b"x-request-id", told.encode("latin-1"))])
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])


async def test_a_method_is_not_counted_by_what_it_is_called(api: Served) -> None:
    for number in range(3):
        assert (await api.client(None).request(f"FOO{number}", "/healthz")).status_code == 405
    text = (await api.client(None).get("/metrics")).text
    assert 'motcua_requests_total{method="other",route="unknown",status="405"} 3.0' in text or 'method="other"' in text
    assert "FOO" not in text


async def test_receipts_do_not_fill_the_disk(api: Served) -> None:
    client = await api.key()
    held: Held = api.app.state.context.held
    object.__setattr__(held, "patience", Patience(upload_receipts_bytes=100_000, receipts_bytes=150_000))
    good = [received(number, "H51.12") for number in range(10)]
    wrong = lines({"id": "x"}) * 20_000
    answer = await client.post("/v1/events", content=lines(*good) + wrong, headers=LINES)
    *receipts, sums = read_lines(answer)
    assert sums["problem"]["type"] == "urn:motcua:problem:too_many_receipts"
    assert sums["accepted"] == 10
    assert 0 < len(receipts) == sums["rejected"] < 20_000
    # what it held is given back, and the same in smaller uploads goes through
    assert held.receipts == 0
    *_, sums = read_lines(await client.post("/v1/events", content=lines(*good) + lines({"id": "x"}) * 100, headers=LINES))
    assert ("problem" not in sums, sums["duplicates"], sums["rejected"]) == (True, 10, 100)
    held.receipts = 150_000  # others have taken all
    *_, sums = read_lines(await client.post("/v1/events", content=lines(*good), headers=LINES))
    assert (sums["accepted"], sums["problem"]["status"]) == (0, 413)


async def revoked(api: Served, caller: Caller) -> None:
    async with driver_session(api.engine) as connection:
        assert await keys.revoke(connection, caller.tenant, caller.key_id)


async def caller_of(api: Served, *scopes: Permission) -> tuple[httpx.AsyncClient, Caller]:
    async with driver_session(api.engine) as connection:
        token = await keys.create(connection, H51, scopes or (Permission.ADMIN,))
    caller = await api.app.state.context.keys.caller(token)
    assert caller is not None
    return api.client(token), caller


async def test_an_export_of_a_revoked_key_is_cut(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring, "REMEMBERED_SECONDS", 0)
    _, caller = await caller_of(api)
    context = api.app.state.context
    sent: list[bytes] = []

    async def pages() -> AsyncGenerator[str, None]:
        yield "first"
        yield "second"
        await revoked(api, caller)
        yield "third"
        yield "fourth"

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message.get("body", b""))

    async def receive() -> dict[str, Any]:
        raise AssertionError

    export = Export(context.heavy, context.keys, caller, pages(), "list")
    with pytest.raises(BaseException) as raised:
        await export({"type": "http", "asgi": {"spec_version": "2.4"}, "headers": [], "method": "GET"}, receive, send)
    assert CutShortError in {type(error) for error in chain(raised.value)}
    assert b"second" in b"".join(sent)
    assert b"third" not in b"".join(sent)


def chain(error: BaseException) -> list[BaseException]:
    inner = [one for part in getattr(error, "exceptions", ()) for one in chain(part)]
    return [error, *inner]


async def test_an_upload_of_a_revoked_key_stops(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring, "REMEMBERED_SECONDS", 0)
    monkeypatch.setattr("services.api.events.uploads.PIECE_LINES", 5)
    client, caller = await caller_of(api, Permission.EVENTS_WRITE)

    async def body() -> AsyncIterator[bytes]:
        yield lines(*(received(number, "H51.12") for number in range(10)))
        yield lines(*(received(number, "H51.12") for number in range(10, 12)))
        await revoked(api, caller)
        yield lines(*(received(number, "H51.12") for number in range(12, 40)))

    *_, sums = read_lines(await client.post("/v1/events", content=body(), headers=LINES))
    assert sums["problem"]["status"] == 401
    assert 5 <= sums["accepted"] <= 15


async def test_a_key_is_looked_up_again_for_whoever_stays(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = api.app.state.context.keys
    _, caller = await caller_of(api)
    assert await ring.holds(caller)
    await revoked(api, caller)
    assert await ring.holds(caller)  # within the second
    monkeypatch.setattr("services.api.http.access.keyring.time.monotonic", lambda: 1e12)
    assert not await ring.holds(caller)
    assert await ring.holds(Caller(Tenant("H51"), keyring.DEVELOPMENT_KEY_ID, frozenset(), None))
