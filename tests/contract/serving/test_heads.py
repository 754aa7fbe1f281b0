"""The head of a request has limits; beyond them the connection ends with a problem that says which (docs/limits.md)."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from services.serving import refusals
from services.serving.protocol import HeadLimits, ServerProtocol
from tests.contract.serving.connection import JAVA, Answer, Connection, Echo, connected, echoing

BYTES, TARGET_BYTES, HEADERS = 65_536, 16_384, 100
"""As docs/limits.md promises."""
DOCS = (Path(__file__).parents[3] / "docs" / "limits.md").read_text().partition("## Request heads")[2].partition("\n## ")[0]
SLACK = 256
GET = "GET / HTTP/1.1\r\nHost: x\r\n"


def test_the_docs_say_what_the_limits_are() -> None:
    assert HeadLimits() == HeadLimits(bytes=BYTES, target_bytes=TARGET_BYTES, headers=HEADERS, seconds=20)
    rows = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in DOCS.splitlines() if line.startswith("|")]
    logged = {(limit, answer, problem) for _, limit, answer, problem in rows[2:]}
    assert logged >= {
        ("16 KiB", "414", "target_too_long"),
        ("64 KiB", "431", "head_too_large"),
        ("100", "431", "head_too_large"),
        ("20 s", "408", "head_too_late"),
        ("20 s", "closed without a word", ""),
    }
    kinds = [value for value in vars(refusals).values() if isinstance(value, refusals.Refusal)]
    assert {(answer, problem) for _, answer, problem in logged if problem} == {(str(int(k.status)), k.code) for k in kinds}


class HastyProtocol(ServerProtocol):
    limits = HeadLimits(seconds=0.3)


@pytest.fixture(scope="module", params=["", JAVA], ids=["plain", "offer"])
def offer(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
async def echo() -> AsyncIterator[Echo]:
    async with echoing() as app:
        yield app


@pytest.fixture(scope="module")
async def hasty() -> AsyncIterator[Echo]:
    async with echoing(HastyProtocol) as app:
        yield app


async def refused(connection: Connection) -> tuple[int, str]:
    answer = await connection.answer()
    assert answer.headers["connection"] == "close"
    assert await connection.end() == b""
    return answer.status, answer.problem


def pieces(text: str, size: int) -> Iterator[str]:
    return (text[start : start + size] for start in range(0, len(text), size))


def padded(size: int, offer: str = "") -> str:
    """A head of so many bytes, in headers of a few KiB."""
    head = GET + offer
    while len(head) < size - 4000:
        head += f"X-{len(head)}: {'x' * 3000}\r\n"
    return head + f"X-Last: {'x' * (size - len(head) - 12)}\r\n\r\n"


@pytest.mark.parametrize("size", [2**20, 5000, 1000], ids=["at once", "in pieces", "in small pieces"])
async def test_a_head_below_the_limit_is_taken_and_one_above_is_not(echo: Echo, offer: str, size: int) -> None:
    async with connected(echo.port) as connection:
        for _ in range(2):
            await connection.say(*pieces(padded(BYTES - SLACK, offer), size))
            assert (await connection.answer()).status == 200
        await connection.say(*pieces(padded(BYTES + SLACK, offer), size))
        assert await refused(connection) == (431, "head_too_large")


@pytest.mark.parametrize("size", [2**20, 1000], ids=["at once", "in pieces"])
async def test_a_target_below_the_limit_is_taken_and_one_above_is_not(echo: Echo, offer: str, size: int) -> None:
    async with connected(echo.port) as connection:
        for _ in range(2):
            await connection.say(*pieces(f"GET /{'a' * (TARGET_BYTES - 1)} HTTP/1.1\r\nHost: x\r\n{offer}\r\n", size))
            assert (await connection.answer()).status == 200
        await connection.say(*pieces(f"GET /{'a' * TARGET_BYTES} HTTP/1.1\r\nHost: x\r\n{offer}\r\n", size))
        assert await refused(connection) == (414, "target_too_long")


async def test_headers_below_the_limit_are_taken_and_more_are_not(echo: Echo, offer: str) -> None:
    more = HEADERS - (GET + offer).count(": ")
    async with connected(echo.port) as connection:
        await connection.say(GET + offer + "X: y\r\n" * more + "\r\n")
        assert (await connection.answer()).status == 200
        await connection.say(GET + offer + "X: y\r\n" * (more + 1) + "\r\n")
        assert await refused(connection) == (431, "head_too_large")


ENDLESS = {
    "one header": (["GET / HTTP/1.1\r\nX: "], "x" * 4096, 431),
    "a name": (["GET / HTTP/1.1\r\n"], "x" * 4096, 431),
    "blanks before a value": (["GET / HTTP/1.1\r\nX:"], " " * 4096, 431),
    "headers": ([GET], f"X: {'x' * 4091}\r\n", 431),
    "small headers": ([GET], "X:y\r\n", 431),
    "a target": (["GET /"], "x" * 4096, 414),
    "a query": (["GET /?"], "x" * 4096, 414),
    "a trailer": (["POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: "], "x" * 4096, 431),
    "trailers": (["POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"], f"X: {'x' * 4091}\r\n", 431),
    "trailers and an offer": (
        [GET.replace("GET", "PUT") + JAVA + "Transfer-Encoding: chunked\r\n\r\n0\r\n"],
        "X: y\r\n" * 700,
        431,
    ),
    "a chunk's extension": (["POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;"], "x" * 4096, 431),
}


@pytest.mark.parametrize("case", ENDLESS)
async def test_what_never_ends_is_refused_before_it_fills_the_memory(echo: Echo, case: str) -> None:
    begin, more, status = ENDLESS[case]
    async with connected(echo.port) as connection:
        await connection.say(*begin)
        reading = asyncio.create_task(connection.answer())
        sent = 0
        while not reading.done():
            assert sent < 2 * BYTES
            await connection.say(more, "")
            sent += len(more)
        assert (await reading).status == status
        assert (await reading).problem == ("target_too_long" if status == 414 else "head_too_large")
        assert await connection.end() == b""


async def test_trailers_are_bounded_when_they_come_at_once(echo: Echo) -> None:
    async with connected(echo.port) as connection:
        head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"
        await connection.say(head + "X: y\r\n" * HEADERS + "\r\n")
        assert (await connection.answer()).status == 200
        await connection.say(head + "X: y\r\n" * (HEADERS + 1) + "\r\n")
        assert await refused(connection) == (431, "head_too_large")


@pytest.mark.parametrize("begin", ["G", "GET / HTTP/1.1\r\nHost: x\r\n", GET + JAVA, "\r\n\r\nPOST"])
async def test_a_head_that_does_not_end_in_time_is_refused(hasty: Echo, begin: str) -> None:
    async with connected(hasty.port) as connection:
        await connection.say(begin)
        assert await refused(connection) == (408, "head_too_late")
    async with connected(hasty.port) as connection:  # on a kept connection
        await connection.say(GET + "\r\n")
        assert (await connection.answer()).status == 200
        await connection.say(begin)
        assert await refused(connection) == (408, "head_too_late")


async def test_dripping_does_not_help(hasty: Echo) -> None:
    async with connected(hasty.port) as connection:
        reading = asyncio.create_task(connection.answer())
        for letter in itertools.cycle(GET + "X: " + "x" * 10_000):
            if reading.done():
                break
            await connection.say(letter)
            await asyncio.sleep(0.02)
        assert (await reading).problem == "head_too_late"


@pytest.mark.parametrize("blank", ["", "\r\n", "\r\n\r\n\r\n"])
async def test_who_says_nothing_is_let_go_without_a_word(hasty: Echo, blank: str) -> None:
    async with connected(hasty.port) as connection:
        if blank:
            await connection.say(blank)
        assert await connection.end() == b""


async def test_only_heads_are_timed(hasty: Echo) -> None:
    """Neither a body, nor its answer, nor the pause until the next request."""
    async with connected(hasty.port) as connection:
        await connection.say(GET.replace("GET /", "POST /held") + "Content-Length: 2\r\n\r\n", "a")
        await asyncio.sleep(0.5)
        await connection.say("b")
        await asyncio.sleep(0.5)
        hasty.released.set()
        assert (await connection.answer()).json["body"] == "ab"
        await asyncio.sleep(0.5)
        await connection.say(GET[:20], GET[20:] + "\r\n")
        assert (await connection.answer()).status == 200
        await asyncio.sleep(0.5)
        await connection.say(GET + "\r\n")
        assert (await connection.answer()).status == 200
        hasty.released.clear()


async def test_a_head_behind_a_full_house_is_not_late(hasty: Echo) -> None:
    """The server itself stops reading while requests wait for their turn."""
    async with connected(hasty.port) as connection:
        await connection.say(GET.replace("/", "/held", 1) + "\r\n" + GET + "\r\n" + GET)
        await asyncio.sleep(1)
        hasty.released.set()
        for _ in range(2):
            assert (await connection.answer()).status == 200
        await connection.say("\r\n")
        assert (await connection.answer()).status == 200
        hasty.released.clear()


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        ("G\x00", "malformed"),
        (padded(2 * BYTES), "head_too_large"),
        (f"GET /{'a' * TARGET_BYTES} HTTP/1.1\r\n\r\n", "target_too_long"),
        (GET, "head_too_late"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "malformed"),
    ],
    ids=["malformed", "large", "long", "late", "body"],
)
@pytest.mark.parametrize("held", [1, 2])
async def test_what_was_asked_before_is_answered_before(hasty: Echo, bad: str, problem: str, held: int) -> None:
    async with connected(hasty.port) as connection:
        await connection.say((GET.replace("/", "/held", 1) + "\r\n") * held + bad)
        await asyncio.sleep(0.5)
        hasty.released.set()
        for _ in range(held):
            assert (await connection.answer()).json["path"] == "/held"
        assert (await refused(connection))[1] == problem
        hasty.released.clear()


async def test_a_broken_body_is_not_answered_twice(echo: Echo) -> None:
    async with connected(echo.port) as connection:
        await connection.say(GET.replace("GET /", "POST /unread") + "Transfer-Encoding: chunked\r\n\r\n")
        assert (await connection.answer()).status == 200
        await connection.say("broken\r\n")
        assert await connection.end() == b""


async def test_the_refusal_reaches_who_is_still_sending(echo: Echo) -> None:
    """Closing at once would reset the connection, and the answer with it."""
    async with connected(echo.port) as connection:
        head = padded(BYTES - SLACK)[:-2].encode()
        connection.writer.write(head + (b"X: " + b"x" * 4091 + b"\r\n") * 2000)
        answer: Answer = await connection.answer()
        assert answer.problem == "head_too_large"
        await connection.writer.drain()
        assert await connection.end() == b""


async def test_a_body_counts_for_no_head(echo: Echo) -> None:
    body = "x" * (3 * BYTES)
    async with connected(echo.port) as connection:
        post = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        for cut in (5, 20, len(GET)):
            await connection.say(post + GET[:cut], GET[cut:] + "\r\n")
            assert len((await connection.answer()).json["body"]) == len(body)
            assert (await connection.answer()).json["path"] == "/"


async def test_nothing_of_an_ended_connection_stays() -> None:
    made = []

    class WatchedProtocol(HastyProtocol):
        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            made.append(self)

    async with echoing(WatchedProtocol) as app:
        for begin in (GET, GET + "\r\n", padded(2 * BYTES), "G\x00"):
            async with connected(app.port) as connection:
                await connection.say(begin)
                await asyncio.sleep(0)
        while len(made) < 4:
            await asyncio.sleep(0.01)
        assert all(protocol._timer is None and protocol.timeout_keep_alive_task is None for protocol in made)
