"""The proxy does to a connection what its rules say, and counts it."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing

import pytest

from tests.faults.proxy import Fault, Proxies, Proxy


class Echo:
    """A server that notes what it got and answers ``got <what>``."""

    def __init__(self) -> None:
        self.got: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            self.got.append(data)
            writer.write(b"got " + data)
            await writer.drain()
        writer.close()


@pytest.fixture
async def echo() -> AsyncIterator[tuple[Echo, int]]:
    server = Echo()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    yield server, listening.sockets[0].getsockname()[1]
    listening.close()


@pytest.fixture
def proxies() -> Iterator[Proxies]:
    found = Proxies()
    yield found
    found.close()


def say(proxy: Proxy, what: bytes, seconds: float = 5.0) -> bytes | str:
    """The answer, ``b""`` for a clean end, or the name of the error."""
    try:
        with closing(socket.create_connection(("127.0.0.1", proxy.port), seconds)) as link:
            link.sendall(what)
            return link.recv(1000)
    except OSError as error:
        return type(error).__name__


async def test_each_fault(echo: tuple[Echo, int], proxies: Proxies) -> None:
    server, port = echo
    proxy = proxies.open("echo/api/0", port, 1)

    async def answer(what: bytes, seconds: float = 5.0) -> bytes | str:
        return await asyncio.to_thread(say, proxy, what, seconds)

    assert await answer(b"plain") == b"got plain"
    for fault, wanted, arrives in (
        (Fault.RESET, "ConnectionResetError", False),
        (Fault.DROP_REPLY, "ConnectionResetError", True),
        (Fault.HALF_CLOSE, b"", True),
        (Fault.CUT, b"go", True),
        (Fault.BLACKHOLE, "TimeoutError", False),
    ):
        rule = proxy.inject(fault, match=b"hurt", times=1, bytes=2)
        assert await answer(b"other") == b"got other", "what does not match passes"
        told = fault.value.encode() + b" hurt"
        assert await answer(told, 0.5) == wanted, fault
        await asyncio.sleep(0.05)
        assert (told in server.got) is arrives, fault
        assert await answer(b"hurt again") == b"got hurt again", "only once"
        assert rule.fired == 1
        assert proxy.injected[fault] == 1
    proxy.calm()
    for fault in (Fault.DELAY, Fault.DELAY_REPLY):
        proxy.inject(fault, match=b"slow", times=1, seconds=0.4)
        begun = time.monotonic()
        assert await answer(b"slow") == b"got slow"
        assert time.monotonic() - begun >= 0.4
    proxy.inject(Fault.REFUSE, times=1)
    assert await answer(b"x") in ("ConnectionResetError", "BrokenPipeError")
    assert await answer(b"x") == b"got x"
    assert proxies.injected() == {f"echo {fault.value}": 1 for fault in Fault}


async def test_seeded_and_after(echo: tuple[Echo, int], proxies: Proxies) -> None:
    _, port = echo
    patterns = []
    for others in (proxies, Proxies()):
        proxy = others.open("same", port, 7)
        proxy.inject(Fault.RESET, probability=0.5)
        patterns.append([isinstance(await asyncio.to_thread(say, proxy, b"x"), bytes) for _ in range(12)])
    others.close()
    assert patterns[0] == patterns[1]
    assert len(set(patterns[0])) == 2
    proxy = proxies.open("after", port, 1)
    proxy.inject(Fault.RESET, after=2, times=1)
    answers = [await asyncio.to_thread(say, proxy, b"x") for _ in range(4)]
    assert answers == [b"got x", b"got x", "ConnectionResetError", b"got x"]


async def test_what_is_connected_is_reset_or_silenced(echo: tuple[Echo, int], proxies: Proxies) -> None:
    _, port = echo
    proxy = proxies.open("echo", port, 1)
    proxy.watched = b"wat"

    def talk() -> list[object]:
        found: list[object] = []
        with closing(socket.create_connection(("127.0.0.1", proxy.port), 0.5)) as link:
            link.sendall(b"watch")
            found.append(link.recv(100))
            found.append(proxy.blackhole_all())
            link.sendall(b"two")
            try:
                link.recv(100)
            except TimeoutError:
                found.append("silence")
            proxy.calm()
            try:
                found.append(link.recv(100))
            except OSError as error:
                found.append(type(error).__name__)
        return found

    assert await asyncio.to_thread(talk) == [b"got watch", 1, "silence", "ConnectionResetError"]
    assert [first for _, first in proxy.requests] == [b"watch"]
    assert proxy.reset_all() == 0
