"""Clients in numbers, a process of their own: ``python -m tests.bench.flood_clients < PLAN``. They stop by themselves."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from typing import Any

PIECE = b" " * 65_536


@dataclass(slots=True)
class Flood:
    """Connections that ask their path again and again; ``keys`` by turns, ``{choice}`` in a path is one of ``choices``, by
    turns, ``{next}`` where the connection's last answer ended, at first one of ``choices``."""

    port: int
    keys: list[str]
    path: str
    connections: int
    seconds: float
    choices: list[str] = field(default_factory=list)
    way: str = "asks"
    """``asks``: with GET; ``sends``: a large body without a key; ``slow``: heads, bodies and answers by the byte."""


@dataclass(slots=True)
class Flooded:
    """Answers by status, whole and cut, and what they held."""

    statuses: dict[str, int] = field(default_factory=dict)
    last: dict[int, bytes] = field(default_factory=dict, repr=False)
    """The end of each connection's last answer: where a reader of the feed goes on."""
    cut: int = 0
    bytes: int = 0
    open: int = 0
    """Connections with an answer under way at the end: streams."""


async def _answer(reader: asyncio.StreamReader, number: int, found: Flooded) -> str:
    """The status; the rest of the answer is read, and counted where it was cut."""
    begun = await reader.readline()
    status = begun.split()[1].decode() if begun else "none"
    found.statuses[status] = found.statuses.get(status, 0) + 1
    last = b""
    while piece := await reader.read(65_536):
        found.bytes += len(piece)
        last = (last + piece)[-120:]
    found.last[number] = last
    chunked_without_end = status == "200" and not last.endswith(b"0\r\n\r\n") and not last.endswith(b"}")
    found.cut += chunked_without_end
    return status


def _path(flood: Flood, number: int, turn: int, found: Flooded) -> str:
    if not flood.choices:
        return flood.path
    choice = flood.choices[(number + turn) % len(flood.choices)]
    reached = re.search(rb'"next": ?(\d+)', found.last.get(number, b""))
    return flood.path.format(choice=choice, next=reached[1].decode() if reached else choice)


async def _asks(flood: Flood, number: int, turn: int, found: Flooded) -> None:
    key = flood.keys[number % len(flood.keys)]
    head = f" HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", flood.port)
    try:
        writer.write(f"GET {_path(flood, number, turn, found)}{head}".encode())
        if await _answer(reader, number, found) != "200":
            await asyncio.sleep(1.0)  # sooner than it was told to
    finally:
        writer.close()


async def _sends(flood: Flood, number: int, turn: int, found: Flooded) -> None:
    """Two hundred megabytes, by turns with and without their length, until somebody says no."""
    reader, writer = await asyncio.open_connection("127.0.0.1", flood.port)
    answered = asyncio.create_task(_answer(reader, number, found))
    try:
        framing = "Content-Length: 200000000" if (number + turn) % 2 else "Transfer-Encoding: chunked"
        writer.write(
            f"POST {flood.path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n{framing}\r\n\r\n".encode()
        )
        piece = PIECE if (number + turn) % 2 else b"%x\r\n%s\r\n" % (len(PIECE), PIECE)
        with suppress(ConnectionError):
            for _ in range(200_000_000 // len(PIECE)):
                if answered.done():
                    break
                writer.write(piece)
                await writer.drain()
        await answered
        await asyncio.sleep(0.2)
    finally:
        answered.cancel()
        writer.close()


async def _slow(flood: Flood, number: int, _: int, found: Flooded) -> None:
    """By turns: a head by the byte, a body by the byte, an export whose reader takes a kilobyte a second."""
    key = flood.keys[number % len(flood.keys)]
    reader, writer = await asyncio.open_connection("127.0.0.1", flood.port, limit=1024)
    try:
        known = f"Host: bench\r\nAuthorization: Bearer {key}\r\n"
        kind = number % 3
        if kind == 0:
            at_once, by_the_byte = "", f"GET {flood.path} HTTP/1.1\r\n{known}\r\n"
        elif kind == 1:
            at_once, by_the_byte = f"POST /v1/events HTTP/1.1\r\n{known}Content-Length: 200000\r\n\r\n", " " * 200_000
        else:
            at_once, by_the_byte = f"GET {flood.path} HTTP/1.1\r\n{known}\r\n", ""
        writer.write(at_once.encode())
        for byte in by_the_byte:
            writer.write(byte.encode())
            await writer.drain()
            await asyncio.sleep(1.0)
        while piece := await reader.read(1024):
            found.bytes += len(piece)
            await asyncio.sleep(1.0)
    finally:
        writer.close()


WAYS = {"asks": _asks, "sends": _sends, "slow": _slow}


async def _one(flood: Flood, number: int, until: float, found: Flooded) -> None:
    await asyncio.sleep(2.0 * number / flood.connections)
    turn = 0
    while time.monotonic() < until:
        try:
            await WAYS[flood.way](flood, number, turn, found)
        except ConnectionError:
            found.cut += 1
        except asyncio.CancelledError:
            found.open += 1
            raise
        turn += 1


async def _main() -> None:
    floods = [Flood(**one) for one in json.load(sys.stdin)]
    found = [Flooded() for _ in floods]
    begun = time.monotonic()
    tasks = [
        asyncio.create_task(_one(flood, number, begun + flood.seconds, one))
        for flood, one in zip(floods, found, strict=True)
        for number in range(flood.connections)
    ]
    await asyncio.sleep(max(flood.seconds for flood in floods))
    for task in tasks:
        task.cancel()
    failures: Counter[str] = Counter()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            failures[repr(result)[:100]] += 1
    logged: dict[str, Any] = {
        "floods": [asdict(replace(one, last={})) for one in found],
        "failures": dict(islice(failures.items(), 5)),
    }
    print(json.dumps(logged))


if __name__ == "__main__":
    import uvloop

    uvloop.run(_main())
