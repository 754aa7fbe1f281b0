"""The reader: a child process that answers what is heavy, so that nobody else waits for it (decision 44).

It is this application once more, without a port: each request comes to it on a socket of its own, which is handed to it over
the one socket that both processes share. When that one ends, whoever ends it, the other process knows.
"""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from contextvars import Context as VariableContext
from typing import Final

import psutil
from prometheus_client import Metric
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from pydantic import SecretStr

from services.api.http.reads.limits import (
    READER_IDLE_BYTES,
    READER_IDLE_SECONDS,
    READER_REMEMBERED_BYTES,
    RETRY_AFTER_SECONDS,
)
from shared.observability import get_logger
from shared.settings import Settings
from shared.vocabulary.errors import Overloaded

READY: Final = b"!"
"""What the reader says once, when it can answer."""

KEPT_BYTES: Final = 8
"""After that it says in so many bytes what it keeps for later questions, whenever that has changed (decision 52)."""

_START_SECONDS: Final = 60.0
_END_SECONDS: Final = 6.0
_PAUSE_SECONDS: Final = 2.0
"""After a reader that ended before it was ready: whoever comes sooner does not start another one."""

_GIVES_MEMORY_BACK: Final = {
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": "131072",
    "MALLOC_TRIM_THRESHOLD_": "131072",
}
"""For the allocator of glibc, which by itself keeps large pieces that were freed for the next ones."""

Link = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def _environment(settings: Settings) -> dict[str, str]:
    """The settings as a process reads them; an empty one is absent."""
    told = {name: getattr(settings, name) for name in Settings.model_fields} | {"reader": False}
    plain = {name: value.get_secret_value() if isinstance(value, SecretStr) else value for name, value in told.items()}
    named = {f"MOTCUA_{name.upper()}": "" if value is None else str(value) for name, value in plain.items()}
    return _GIVES_MEMORY_BACK | os.environ | named


_BEGIN: Final = """
import ctypes, runpy, signal
PR_SET_PDEATHSIG = 1
if prctl := getattr(ctypes.CDLL(None), "prctl", None):
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
runpy.run_module("services.api.reader", run_name="__main__", alter_sys=True)
"""
"""While it imports, for seconds on a busy machine, it does not see its parent end; Linux tells it."""


class _Child:
    """One process, from its start to its end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._control, self._theirs = socket.socketpair()
        self._control.setblocking(False)
        self._is_ending = False
        self.ready: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.pid = 0
        self.kept_bytes = 0
        # in a context of its own: it is no part of the request that began it
        self.life = asyncio.create_task(self._live(), context=VariableContext())

    @property
    def is_there(self) -> bool:
        """Whether it takes requests, or will."""
        return not self._is_ending and not self.life.done()

    def give(self, link: socket.socket) -> None:
        """Give it its end of a request's socket.

        Raises:
            OSError: it has gone, or takes nothing.
        """
        socket.send_fds(self._control, [b"."], [link.fileno()])

    def end(self) -> None:
        """Tell it to end, whatever it does."""
        self._is_ending = True
        with suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)

    async def _live(self) -> None:
        try:
            with self._control, suppress(OSError, TimeoutError):
                process = await self._begin()
                try:
                    await self._follow()
                finally:
                    await self._await_end(process)
        finally:
            self._is_ending = True
            if not self.ready.done():
                self.ready.set_result(False)

    async def _begin(self) -> asyncio.subprocess.Process:
        with self._theirs as theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-c", _BEGIN, str(theirs.fileno())),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env=_environment(self._settings),
            )
        self.pid = process.pid
        return process

    async def _follow(self) -> None:
        """Until one of the two lets go of their socket."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(_START_SECONDS):
            is_ready = await loop.sock_recv(self._control, 1) == READY
        if is_ready:
            self.ready.set_result(True)
            told = b""
            while more := await loop.sock_recv(self._control, KEPT_BYTES):
                told += more
                if len(told) >= KEPT_BYTES:
                    self.kept_bytes, told = int.from_bytes(told[:KEPT_BYTES]), told[KEPT_BYTES:]

    async def _await_end(self, process: asyncio.subprocess.Process) -> None:
        is_told = self._is_ending
        self.end()
        try:
            # before it is ready it has nothing to end
            async with asyncio.timeout(_END_SECONDS if self.ready.done() else 0):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        if not is_told:
            get_logger().warning("reader_ended", status=process.returncode)


class Reader(Collector):
    """The process for heavy reads, begun anew where it has ended. It is also a collector of its own metrics."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._child: _Child | None = None
        self._not_before = 0.0
        self._idle: asyncio.TimerHandle | None = None
        self._starts = self._requests = self._under_way = 0

    def start(self) -> None:
        """Begin one, unless there is one."""
        if self._child is None or not self._child.is_there:
            self._child = _Child(self._settings)
            self._starts += 1

    @asynccontextmanager
    async def link(self) -> AsyncIterator[Link]:
        """A connection to the reader for one request.

        Raises:
            Overloaded: it does not start, or has just ended.
        """
        self._requests += 1
        self._under_way += 1
        try:
            if self._idle is not None:
                self._idle.cancel()
            reader, writer = await self._connected()
            try:
                yield reader, writer
            finally:
                writer.transport.abort()
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._rest()

    async def _connected(self) -> Link:
        now = asyncio.get_running_loop().time
        if now() >= self._not_before:
            self.start()
        child = self._child
        if child is None or not await asyncio.shield(child.ready):
            self._not_before = max(self._not_before, now() + _PAUSE_SECONDS)
            raise Overloaded("the process for heavy reads does not start", RETRY_AFTER_SECONDS)
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                child.give(theirs)
            except OSError:
                ours.close()
                raise Overloaded("the process for heavy reads takes nothing", RETRY_AFTER_SECONDS) from None
        return await asyncio.open_unix_connection(sock=ours)

    def _rest(self) -> None:
        """Nothing is under way: a reader that has grown beyond what it may remember is replaced, later a smaller one too."""
        self._replace_beyond(READER_IDLE_BYTES + READER_REMEMBERED_BYTES * self._settings.as_of_dossiers)
        loop = asyncio.get_running_loop()
        self._idle = loop.call_later(READER_IDLE_SECONDS, self._replace_beyond, READER_IDLE_BYTES)

    def _replace_beyond(self, most_bytes: int) -> None:
        """Replace it if it is larger than that beside what it keeps on purpose."""
        child = self._child
        if child is not None and child.is_there and self._resident_bytes() > most_bytes + child.kept_bytes:
            get_logger().info("reader_replaced", bytes=self._resident_bytes())
            child.end()
            self.start()

    def _process(self) -> psutil.Process | None:
        try:
            return psutil.Process(self._child.pid) if self._child is not None and self._child.pid else None
        except psutil.Error:
            return None

    def _resident_bytes(self) -> int:
        process = self._process()
        try:
            return 0 if process is None else int(process.memory_info().rss)
        except psutil.Error:
            return 0

    def collect(self) -> Iterator[Metric]:
        """Its metrics, as this process sees it."""
        yield GaugeMetricFamily(
            "motcua_reader_resident_bytes", "Resident memory of the process for heavy reads.", self._resident_bytes()
        )
        yield CounterMetricFamily("motcua_reader_starts", "Starts of the process for heavy reads.", self._starts)
        yield CounterMetricFamily("motcua_reader_requests", "Requests handed over to it.", self._requests)

    async def aclose(self) -> None:
        """End it."""
        if self._idle is not None:
            self._idle.cancel()
        if self._child is not None:
            self._child.end()
            await asyncio.wait((self._child.life,))
