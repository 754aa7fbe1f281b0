"""Readers in numbers, a process of their own: ``python -m tests.bench.flood_clients < PLAN``. They stop by themselves."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

LONGEST_ANSWER_SECONDS = 30.0


@dataclass(slots=True)
class Flood:
    """Connections that ask their path again and again; ``keys`` by turns, ``{choice}`` in a path is one of ``choices``, by turns."""

    port: int
    keys: list[str]
    path: str
    connections: int
    seconds: float
    choices: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Flooded:
    """Answers by status, whole and cut, and what they held."""

    statuses: dict[str, int] = field(default_factory=dict)
    cut: int = 0
    bytes: int = 0
    open: int = 0
    """Connections with an answer under way at the end: streams."""


async def _one(flood: Flood, number: int, until: float, found: Flooded) -> None:
    key = flood.keys[number % len(flood.keys)]
    head = f" HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n"
    turn = 0
    await asyncio.sleep(2.0 * number / flood.connections)
    while time.monotonic() < until:
        path = flood.path
        if flood.choices:
            path = path.format(choice=flood.choices[(number + turn) % len(flood.choices)])
        turn += 1
        reader, writer = await asyncio.open_connection("127.0.0.1", flood.port)
        try:
            writer.write(f"GET {path}{head}".encode())
            begun = await reader.readline()
            status = begun.split()[1].decode() if begun else "none"
            found.statuses[status] = found.statuses.get(status, 0) + 1
            last = b""
            while piece := await reader.read(65_536):
                found.bytes += len(piece)
                last = (last + piece)[-8:]
            chunked_without_end = status == "200" and not last.endswith(b"0\r\n\r\n") and not last.endswith(b"}")
            found.cut += chunked_without_end
            if status != "200":
                await asyncio.sleep(1.0)  # sooner than it was told to
        except ConnectionError:
            found.cut += 1
        except asyncio.CancelledError:
            found.open += 1
            raise
        finally:
            writer.close()


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
    logged: dict[str, Any] = {"floods": [asdict(one) for one in found], "failures": dict(islice(failures.items(), 5))}
    print(json.dumps(logged))


if __name__ == "__main__":
    import uvloop

    uvloop.run(_main())
