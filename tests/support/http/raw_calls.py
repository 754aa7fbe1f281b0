"""The API of a test over a real socket, in the test's own process: its parts can be given less patience."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import uvicorn

from services.api.http.bodies.limits import Held
from tests.support.api import Served


class Caller:
    """A client that sends what a test says, when it says so."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, raw: bytes) -> None:
        self.writer.write(raw)
        await self.writer.drain()

    async def head(self, line: str, **headers: str) -> None:
        headers_given = {"Host": "localhost", **{name.replace("_", "-"): value for name, value in headers.items()}}
        await self.send(
            "\r\n".join([f"{line} HTTP/1.1", *(f"{name}: {headers_given[name]}" for name in headers_given), "", ""]).encode()
        )

    async def status(self) -> int:
        """Of the next answer, whose head and body are read too."""
        head = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 30)).decode().lower()
        self.answer_head = head
        if "content-length: " in head:
            self.body = await self.reader.readexactly(int(head.partition("content-length: ")[2].partition("\r\n")[0]))
        return int(head.split()[1])

    async def is_closed(self) -> bool:
        """Whether the server closes the connection; waits for it."""
        return await asyncio.wait_for(self.reader.read(), 30) == b""


class Listening:
    def __init__(self, api: Served, port: int) -> None:
        self.api = api
        self.port = port
        self.callers: list[Caller] = []

    @property
    def held(self) -> Held:
        held: Held = self.api.app.state.context.held
        return held

    def patience(self, **changes: Any) -> None:
        self.held.patience = replace(self.held.patience, **changes)

    async def call(self, line: str, **headers: str) -> Caller:
        """A connection on which the head of a request was sent."""
        caller = Caller(*await asyncio.open_connection("127.0.0.1", self.port))
        self.callers.append(caller)
        await caller.head(line, **headers)
        return caller

    async def key(self, *scopes: Any) -> str:
        """What the header Authorization has for a new key."""
        return str((await self.api.key(*scopes)).headers["authorization"])


@asynccontextmanager
async def listening(api: Served) -> AsyncIterator[Listening]:
    config = uvicorn.Config(
        api.app, port=0, lifespan="off", log_config=None, access_log=False, loop="none", http="httptools", ws="none"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    found = Listening(api, server.servers[0].sockets[0].getsockname()[1])
    try:
        yield found
    finally:
        for caller in found.callers:
            caller.writer.transport.abort()
        server.should_exit = True
        await serving
