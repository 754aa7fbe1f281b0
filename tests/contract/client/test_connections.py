"""The connections to the portal, against servers that say exactly so many bytes and then do what they do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from shared.portal.connections import Connections, NoAnswer, NotReached

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

BODY = "xin chào".encode()
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nDate: now\r\n\r\n%b" % (len(BODY), BODY)


@asynccontextmanager
async def server(serve: Serve) -> AsyncIterator[str]:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    running = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{running.sockets[0].getsockname()[1]}/below"
    finally:
        running.close()


def connections(url: str, *, read_seconds: float = 2.0, kept_seconds: float = 4.0) -> Connections:
    return Connections(url, {"dstcode": "there"}, connect_seconds=1.0, read_seconds=read_seconds, kept_seconds=kept_seconds)


async def asked(reader: asyncio.StreamReader) -> bytes:
    """One whole request."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    return head + await reader.readexactly(length)


async def test_requests_go_as_they_are_over_one_kept_connection() -> None:
    heard: list[bytes] = []
    begun = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal begun
        begun += 1
        while True:
            heard.append(await asked(reader))
            writer.write(WHOLE)

    async with server(serve) as url:
        there = connections(url)
        for content in (b"{}", b"x" * 300_000):
            response = await there.post("/mapi/g", content)
            assert (response.status, response.content, response.headers["date"]) == (200, BODY, "now")
        assert (await there.get("/list?after=a")).content == BODY
        await there.aclose()
    host = url.removeprefix("http://").partition("/")[0].encode()
    head = b"POST /below/mapi/g HTTP/1.1\r\nHost: " + host + b"\r\ndstcode: there\r\nContent-Length: "
    assert heard[0] == head + b"2\r\n\r\n{}"
    assert heard[1] == head + b"300000\r\n\r\n" + b"x" * 300_000
    assert heard[2] == b"GET /below/list?after=a HTTP/1.1\r\nHost: " + host + b"\r\ndstcode: there\r\n\r\n"
    assert begun == 1


@pytest.mark.parametrize(
    "said",
    [
        WHOLE,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nxin\r\n6\r\n ch\xc3\xa0o\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + BODY,
        b"HTTP/1.0 200 OK\r\n\r\n" + BODY,
        b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n" + WHOLE,
    ],
    ids=["length", "chunks", "until the end", "1.0", "after a first answer"],
)
@pytest.mark.parametrize("at_once", [1, 7, 10_000])
async def test_an_answer_is_whole_however_it_is_told(said: bytes, at_once: int) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        for start in range(0, len(said), at_once):
            writer.write(said[start : start + at_once])
            await writer.drain()
            await asyncio.sleep(0)

    async with server(serve) as url:
        there = connections(url)
        response = await there.post("/", b"")
        assert (response.status, response.content) == (200, BODY)
        await asyncio.sleep(0.05)
        # the server has ended its connection, and the next request finds another one
        assert (await there.post("/", b"")).content == BODY
        await there.aclose()


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200",
        WHOLE[:-1],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nxin\r\n",
        b"SMTP ready\r\n",
    ],
    ids=["nothing", "half a head", "cut by a byte", "cut after a chunk", "no HTTP"],
)
async def test_a_cut_answer_is_none(said: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(said)
        await writer.drain()

    async with server(serve) as url:
        there = connections(url)
        with pytest.raises(NoAnswer):
            await there.post("/", b"{}")
        await there.aclose()


async def test_a_silent_server_is_waited_for_between_two_reads_only_so_long() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        for byte in WHOLE[:12]:  # slow, and never silent for long
            writer.write(bytes([byte]))
            await asyncio.sleep(0.05)
        await asyncio.sleep(30)

    async with server(serve) as url:
        there = connections(url, read_seconds=0.3)
        begun = asyncio.get_running_loop().time()
        with pytest.raises(NoAnswer, match="ReadTimeout"):
            await there.post("/", b"{}")
        assert 0.8 < asyncio.get_running_loop().time() - begun < 5
        await there.aclose()


async def test_nobody_there_and_no_address_is_not_reached() -> None:
    async with server(lambda _reader, writer: writer.drain()) as url:
        pass  # gone again
    for address in (url, "ftp://127.0.0.1/", "http://", "http://127.0.0.1:port/", "nowhere"):
        with pytest.raises(NotReached):
            await connections(address).post("/", b"{}")


async def test_the_answer_to_a_request_given_up_is_not_taken_for_that_of_the_next() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = await asked(reader)
            if b"slow" in request:
                await asyncio.sleep(0.3)
            body = request.rpartition(b"\r\n\r\n")[2]
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    async with server(serve) as url:
        there = connections(url)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await there.post("/", b"slow")
        assert (await there.post("/", b"next")).content == b"next"
        await asyncio.sleep(0.4)
        assert (await there.post("/", b"last")).content == b"last"
        await there.aclose()


async def test_a_connection_is_used_again_only_while_it_is_good() -> None:
    begun = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal begun
        begun += 1
        while True:
            request = await asked(reader)
            writer.write(WHOLE)
            if b"then close" in request:
                return
            if b"then talk" in request:
                await asyncio.sleep(0.05)
                writer.write(WHOLE)

    async with server(serve) as url:
        there = connections(url, kept_seconds=0.3)
        for number, content in enumerate((b"then close", b"then talk", b"then wait", b"again"), 1):
            assert (await there.post("/", content)).content == BODY
            assert begun == number
            await asyncio.sleep(0.1 if number < 3 else 0.5)
        await there.aclose()


async def test_many_at_once_have_connections_of_their_own() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            body = (await asked(reader)).rpartition(b"\r\n\r\n")[2]
            await asyncio.sleep(0.01)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    async with server(serve) as url:
        there = connections(url)
        for _ in range(3):
            answers = await asyncio.gather(*(there.post("/", b"%d" % number) for number in range(8)))
            assert [int(answer.content) for answer in answers] == list(range(8))
        await there.aclose()
