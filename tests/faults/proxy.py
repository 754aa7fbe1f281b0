"""A loopback TCP proxy in front of one server, whose rules are switched while it runs and whose faults are counted.

All proxies of a run share one thread with one event loop (`Proxies`); rules are set from any thread.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")

CHUNK = 65_536
ABORT = struct.pack("ii", 1, 0)  # SO_LINGER of no seconds: closing sends a reset


class Fault(StrEnum):
    DELAY = "delay"  # what the client sends goes on later
    DELAY_REPLY = "delay-reply"  # what the server answers goes on later
    RESET = "reset"  # both ends are reset before the request gets through
    BLACKHOLE = "blackhole"  # nothing goes through any more, neither way, and nobody is told
    HALF_CLOSE = "half-close"  # the client reads the end, the server is still being sent to
    CUT = "cut"  # the answer is cut after `bytes`, then both ends are reset
    DROP_REPLY = "drop-reply"  # the server has processed and answered; the client is reset instead
    REFUSE = "refuse"  # a new connection is reset at once


AMBIGUOUS = frozenset(Fault) - {Fault.DELAY, Fault.DELAY_REPLY, Fault.RESET, Fault.REFUSE}
"""After these the client cannot know whether the server has done what it was asked."""


@dataclass(eq=False)
class Rule:
    """What happens to a request (a piece that the client sends) holding ``match``, at most ``times``, by ``probability``.

    ``after``: so many matching requests pass first.
    """

    fault: Fault
    match: bytes = b""
    times: int | None = None
    probability: float = 1.0
    seconds: float = 0.0
    bytes: int = 0
    after: int = 0
    fired: int = 0
    matched: int = 0


@dataclass(eq=False)
class _Link:
    """One connection through the proxy."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    server_reader: asyncio.StreamReader
    server_writer: asyncio.StreamWriter
    silent: bool = False
    drop: bool = False
    cut_after: int | None = None
    reply_delay: float = 0.0

    def abort(self) -> None:
        for writer in (self.writer, self.server_writer):
            link = writer.get_extra_info("socket")
            with suppress(OSError):
                link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
            writer.transport.abort()


@dataclass
class Proxy:
    """``port`` is where clients connect; ``target`` the server's port."""

    name: str
    target: int
    seed: int | str = 1
    port: int = 0
    injected: Counter[Fault] = field(default_factory=Counter)
    log: list[tuple[float, Fault]] = field(default_factory=list)
    """Every injected fault with its time (`time.monotonic`)."""
    requests: list[tuple[float, bytes]] = field(default_factory=list)
    """When the client sent a piece holding ``watched``, and its first bytes."""
    watched: bytes | None = None
    """Note requests that hold this (b"" for every one)."""

    def __post_init__(self) -> None:
        self._rules: list[Rule] = []
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._lock = threading.Lock()
        self._chance = random.Random(f"{self.seed} {self.name}")
        self._loop: asyncio.AbstractEventLoop | None = None

    # ---- from any thread

    def inject(self, fault: Fault, **settings: object) -> Rule:
        """Add a rule; it holds until it is used up, `calm` or `remove`. The same rule stays readable (``fired``)."""
        rule = Rule(fault, **settings)  # type: ignore[arg-type]
        with self._lock:
            self._rules.append(rule)
        return rule

    def remove(self, rule: Rule) -> None:
        with self._lock:
            if rule in self._rules:
                self._rules.remove(rule)

    def calm(self) -> None:
        """Take all rules away; what is in a black hole is lost: those connections are reset."""
        with self._lock:
            self._rules.clear()
        self._call(lambda: [self._abort(link) for link in list(self._links) if link.silent])

    def reset_all(self) -> int:
        """Reset every connection now; each counts as a fault of its own."""

        def work() -> int:
            links = list(self._links)
            for link in links:
                self._count(Fault.RESET)
                self._abort(link)
            return len(links)

        return self._call(work)

    def _abort(self, link: _Link) -> None:
        link.abort()
        self._links.discard(link)  # it is none any more, however long its two ways take to end

    def blackhole_all(self) -> int:
        """Let nothing through on the connections there are (new ones too: add a rule)."""

        def work() -> int:
            links = [link for link in self._links if not link.silent]
            for link in links:
                link.silent = True
                self._count(Fault.BLACKHOLE)
            return len(links)

        return self._call(work)

    @property
    def connections(self) -> int:
        return len(self._links)

    def _call(self, work: Callable[[], T]) -> T:
        async def run() -> T:
            return work()

        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)

    # ---- in the loop

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def end(self) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _count(self, fault: Fault) -> None:
        self.injected[fault] += 1
        self.log.append((time.monotonic(), fault))

    def _pick(self, data: bytes, *, opening: bool = False) -> Rule | None:
        with self._lock:
            for rule in self._rules:
                if (rule.fault is Fault.REFUSE) is not opening or rule.match not in data:
                    continue
                rule.matched += 1
                used_up = rule.times is not None and rule.fired >= rule.times
                if used_up or rule.matched <= rule.after or self._chance.random() >= rule.probability:
                    continue
                rule.fired += 1
                self._count(rule.fault)
                return rule
        return None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self._pick(b"", opening=True) is not None:
                raise OSError("refused")
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            with suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
            writer.transport.abort()
            return
        link = _Link(reader, writer, server_reader, server_writer)
        self._links.add(link)
        ways = [asyncio.create_task(self._forth(link)), asyncio.create_task(self._back(link))]
        try:
            await asyncio.gather(*ways)
        except (OSError, EOFError):
            link.abort()
        finally:
            self._links.discard(link)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            link.abort()

    async def _forth(self, link: _Link) -> None:
        while data := await link.reader.read(CHUNK):
            if self.watched is not None and self.watched in data:
                self.requests.append((time.monotonic(), data[:120]))
            rule = None if link.silent else self._pick(data)
            if rule is not None and not await self._apply(link, rule):
                return
            if link.silent:
                continue
            link.server_writer.write(data)
            await link.server_writer.drain()
        if not link.silent and link.server_writer.can_write_eof():
            link.server_writer.write_eof()

    async def _apply(self, link: _Link, rule: Rule) -> bool:
        """Whether the connection lives on."""
        match rule.fault:
            case Fault.DELAY:
                await asyncio.sleep(rule.seconds)
            case Fault.DELAY_REPLY:
                link.reply_delay = rule.seconds
            case Fault.RESET:
                link.abort()
                return False
            case Fault.BLACKHOLE:
                link.silent = True
            case Fault.HALF_CLOSE:
                if link.writer.can_write_eof():
                    link.writer.write_eof()
                link.drop = True
            case Fault.CUT:
                link.cut_after = rule.bytes
            case Fault.DROP_REPLY:
                link.drop = True
            case Fault.REFUSE:
                raise AssertionError(rule)
        return True

    async def _back(self, link: _Link) -> None:
        while data := await link.server_reader.read(CHUNK):
            if link.silent:
                continue
            if link.drop:
                link.abort()
                return
            if link.cut_after is not None:
                link.writer.write(data[: link.cut_after])
                await link.writer.drain()
                link.abort()
                return
            if link.reply_delay:
                delay, link.reply_delay = link.reply_delay, 0.0
                await asyncio.sleep(delay)
            link.writer.write(data)
            await link.writer.drain()
        if not link.silent and not link.writer.is_closing() and link.writer.can_write_eof():
            link.writer.write_eof()


class Proxies:
    """A thread with the proxies of one run, by name."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxies", daemon=True)
        self._thread.start()
        self.by_name: dict[str, Proxy] = {}

    def open(self, name: str, target: int, seed: int | str) -> Proxy:
        assert name not in self.by_name, name
        proxy = Proxy(name, target, seed)
        asyncio.run_coroutine_threadsafe(proxy.open(), self._loop).result(10)
        self.by_name[name] = proxy
        return proxy

    def __getitem__(self, name: str) -> Proxy:
        return self.by_name[name]

    def calm(self) -> None:
        for proxy in self.by_name.values():
            proxy.calm()

    def injected(self) -> Counter[str]:
        """Faults so far, by server and kind (``postgres drop-reply``); the processes of a kind together."""
        found: Counter[str] = Counter()
        for proxy in self.by_name.values():
            for fault, times in proxy.injected.items():
                found[f"{proxy.name.split('/')[0]} {fault.value}"] += times
        return found

    def close(self) -> None:
        async def end() -> None:
            await asyncio.gather(*(proxy.end() for proxy in self.by_name.values()))
            await asyncio.sleep(0)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
