"""A request with an offer to upgrade is served, or refused, as it would be without the offer."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.contract.serving.connection import JAVA, Answer, Connection, Echo, connected, echoing

OFFERS = {
    "java": JAVA,
    "websocket": "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\nSec-WebSocket-Version: 13\r\n",
    "tls": "Upgrade: TLS/1.0\r\nConnection: Upgrade\r\n",
    "several": "Connection: keep-alive, upgrade\r\nUpgrade: h2c, foo/2\r\n",
    "two lines": "CONNECTION: UPGRADE\r\nUPGRADE: h2c\r\nupgrade: foo\r\n",
}
REQUESTS = {
    "get": ("GET /a/%C4%91?b=c HTTP/1.1\r\nHost: x\r\n", "\r\n"),
    "head": ("HEAD / HTTP/1.1\r\nHost: x\r\n", "\r\n"),
    "options": ("OPTIONS / HTTP/1.1\r\nHost: x\r\n", "\r\n"),
    "length": ("POST / HTTP/1.1\r\nHost: x\r\nX-Empty:\r\n", "Content-Length: 11\r\nX-Last: \xe1 \r\n\r\nhello world"),
    "no length": ("POST / HTTP/1.1\r\nHost: x\r\n", "Content-Length: 0\r\n\r\n"),
    "chunked": (
        "PUT / HTTP/1.1\r\nHost: x\r\n",
        "Transfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n5;e=f\r\nworld\r\n0\r\n\r\n",
    ),
    "trailers": (
        "POST / HTTP/1.1\r\nHost: x\r\n",
        "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nUpgrade: h2c\r\nAuthorization: Bearer x\r\n\r\n",
    ),
    "looks like a request": (
        "POST / HTTP/1.1\r\nHost: x\r\n",
        "Content-Length: 23\r\n\r\nGET /hidden HTTP/1.1\r\n\r\n"[:-1] + "\n",
    ),
    "closing": ("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", "Content-Length: 1\r\n\r\na"),
    "old": ("POST / HTTP/1.0\r\nHost: x\r\n", "Content-Length: 1\r\n\r\na"),
}
NEXT = "GET /next HTTP/1.1\r\nHost: x\r\n\r\n"
ENDING = {"closing", "old"}


@pytest.fixture(scope="module")
async def echo() -> AsyncIterator[Echo]:
    async with echoing() as app:
        yield app


def logged(answer: Answer, offer: str = "") -> tuple[int, object]:
    """What an application was told, without the rest of the offer."""
    if not answer.body:
        return answer.status, None
    seen = answer.json
    for line in offer.splitlines():
        name, _, value = line.partition(": ")
        if name.lower() != "upgrade":
            seen["headers"].remove([name.lower(), value])
    return answer.status, seen


async def asked(connection: Connection, *pieces: str | bytes) -> Answer:
    await connection.say(*pieces)
    return await connection.answer()


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
@pytest.mark.parametrize("request_", REQUESTS, ids=str)
async def test_it_is_what_it_is_without_the_offer(echo: Echo, request_: str, offer: str) -> None:
    before, after = (part.encode("latin-1") for part in REQUESTS[request_])
    async with connected(echo.port) as plain, connected(echo.port) as offering:
        expected = logged(await asked(plain, before + after))
        assert logged(await asked(offering, before + offer.encode() + after), offer) == expected
        if request_ in ENDING:
            assert await plain.end() == await offering.end() == b""
            return
        # the connection is kept, for ordinary requests and for further offers
        assert logged(await asked(offering, NEXT)) == logged(await asked(plain, NEXT))
        assert logged(await asked(offering, before + offer.encode() + after), offer) == expected
        assert logged(await asked(offering, NEXT))[0] == 200


@pytest.mark.parametrize("request_", ["get", "length", "chunked", "trailers"])
async def test_it_may_arrive_in_any_pieces(echo: Echo, request_: str) -> None:
    before, after = (part.encode("latin-1") for part in REQUESTS[request_])
    whole = before + JAVA.encode() + after
    async with connected(echo.port) as connection:
        expected = logged(await asked(connection, before + after))
        for cut in range(1, len(whole)):
            assert logged(await asked(connection, whole[:cut], whole[cut:]), JAVA) == expected
        for size in (1, 7, 100):
            pieces = [whole[start : start + size] for start in range(0, len(whole), size)]
            assert logged(await asked(connection, *pieces), JAVA) == expected


async def test_requests_one_behind_the_other_are_answered_in_order(echo: Echo) -> None:
    def request(number: int) -> str:
        offer = (JAVA, "", OFFERS["websocket"])[number % 3]
        body = ("Content-Length: 3\r\n\r\nabc", "\r\n", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")[
            number // 3 % 3
        ]
        return f"POST /{number} HTTP/1.1\r\nHost: x\r\n{offer}{body}"

    async with connected(echo.port) as connection:
        await connection.say("".join(map(request, range(400))))
        for number in range(400):
            answer = await connection.answer()
            assert (answer.json["path"], answer.json["body"]) == (f"/{number}", "" if number // 3 % 3 == 1 else "abc")


async def test_who_waits_to_be_asked_for_the_body_is_asked(echo: Echo) -> None:
    async with connected(echo.port) as connection:
        for offer in (JAVA, ""):
            answer = await asked(
                connection, f"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n{offer}Content-Length: 3\r\n\r\n"
            )
            assert answer.status == 100
            assert (await asked(connection, "abc")).json["body"] == "abc"


async def test_a_large_body_passes(echo: Echo) -> None:
    body = b"x" * 3 * 2**20
    async with connected(echo.port) as connection:
        head = f"POST / HTTP/1.1\r\nHost: x\r\n{JAVA}Content-Length: {len(body)}\r\n\r\n".encode()
        answer = await asked(connection, head + body + NEXT.encode())
        assert answer.json["body"].encode() == body
        assert (await connection.answer()).json["path"] == "/next"


@pytest.mark.parametrize("offer", ["", JAVA], ids=["plain", "offer"])
@pytest.mark.parametrize(
    "framing",
    [
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
        "Content-Length: 3\r\nContent-Length: 30\r\n",
        "Content-Length: 3\r\nContent-Length: 3\r\n",
        "Content-Length: 3, 30\r\n",
        "Content-Length: +3\r\n",
        "Content-Length: 0x3\r\n",
        "Content-Length:\r\n",
        "Content-Length : 3\r\n",
        "Content-Length: 3\r\n 0\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding: chunked\r\n ,gzip\r\n",
        "Transfer-Encoding:\x0bchunked\r\n",
        "X: y\nContent-Length: 3\r\n",
    ],
    ids=repr,
)
async def test_doubtful_framing_stays_refused(echo: Echo, framing: str, offer: str) -> None:
    echo.asked.clear()
    for head in (offer + framing, framing + offer):
        async with connected(echo.port) as connection:
            await connection.say(
                f"POST /doubtful HTTP/1.1\r\nHost: x\r\n{head}\r\n0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
            )
            answer = await connection.answer()
            assert (answer.status, answer.problem, answer.headers["connection"]) == (400, "malformed", "close")
            assert await connection.end() == b""
    assert "/hidden" not in echo.asked


@pytest.mark.parametrize("offer", ["", JAVA], ids=["plain", "offer"])
async def test_chunks_that_are_none_stay_refused(echo: Echo, offer: str) -> None:
    for body in ("3\r\nabcd\r\n0\r\n\r\n", "g\r\n", "-1\r\n", "3\nabc\r\n0\r\n\r\n"):
        async with connected(echo.port) as connection:
            await connection.say(f"POST / HTTP/1.1\r\nHost: x\r\n{offer}Transfer-Encoding: chunked\r\n\r\n", body)
            assert (await connection.answer()).problem == "malformed"
            assert await connection.end() == b""


@pytest.mark.parametrize("offer", ["", JAVA], ids=["plain", "offer"])
@pytest.mark.parametrize("target", ["example.test:443", "/v1"])
async def test_a_tunnel_is_refused_and_nothing_in_it_is_a_request(echo: Echo, target: str, offer: str) -> None:
    echo.asked.clear()
    async with connected(echo.port) as connection:
        await connection.say(f"CONNECT {target} HTTP/1.1\r\nHost: x\r\n{offer}\r\n{NEXT}", NEXT)
        answer = await connection.answer()
        assert (answer.status, answer.problem) == (501, "no_tunnel")
        assert await connection.end() == b""
    assert echo.asked == []


async def test_http_2_without_asking_is_refused(echo: Echo) -> None:
    async with connected(echo.port) as connection:
        await connection.say("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert (await connection.answer()).problem == "malformed"
        assert await connection.end() == b""


async def test_trailers_are_no_headers(echo: Echo) -> None:
    async with connected(echo.port) as connection:
        for offer in ("", JAVA):
            before, after = REQUESTS["trailers"]
            names = {name for name, _ in (await asked(connection, before + offer + after)).json["headers"]}
            assert "authorization" not in names
            assert "upgrade" not in names
