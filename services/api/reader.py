"""``python -m services.api.reader``: the process for heavy reads of one API process (`services.api.http.reads.reader`)."""

import asyncio
import gc
import os
import signal
import socket
import sys
from collections import Counter
from contextlib import suppress
from typing import Any, Final

import uvloop
from fastapi import FastAPI
from starlette.types import Message

from services.api.http.reads.handover import receive_message, send_message
from services.api.http.reads.reader import KEPT_BYTES, READY
from services.api.main import GARBAGE_THRESHOLD, create_app
from shared.observability import configure_logging
from shared.settings import Settings
from shared.vocabulary.events import Tenant

_NICE: Final = 10
_END_SECONDS: Final = 5.0


class _Answers:
    """Answers requests that come over the shared socket, until its other end is gone."""

    def __init__(self, app: FastAPI, control: socket.socket) -> None:
        self._app = app
        self._control = control
        self._under_way: set[asyncio.Task[None]] = set()
        self._changes: Counter[Tenant] = Counter()
        self.ended = asyncio.Event()

    def take(self) -> None:
        """Take the socket of a request."""
        try:
            said, links, _, _ = socket.recv_fds(self._control, 1, 1)
        except BlockingIOError:
            return
        except ConnectionError:
            said, links = b"", []
        if not said:
            asyncio.get_running_loop().remove_reader(self._control)
            self.ended.set()
        for link in links:
            task = asyncio.create_task(self._serve(socket.socket(fileno=link)))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    def tell_kept(self, bytes_: int) -> None:
        """Tell the other process what is kept for later questions."""
        with suppress(BlockingIOError, ConnectionError):
            self._control.send(bytes_.to_bytes(KEPT_BYTES))

    async def cancel(self) -> None:
        """Nobody is there to be answered."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _serve(self, link: socket.socket) -> None:
        reader, writer = await asyncio.open_unix_connection(sock=link)
        try:
            with suppress(EOFError, ConnectionError):
                asked = await receive_message(reader)
                gone = asyncio.ensure_future(reader.read(1))
                try:
                    await self._answer(asked, gone, writer)
                finally:
                    gone.cancel()
        finally:
            writer.close()

    async def _answer(self, asked: dict[str, Any], gone: "asyncio.Future[bytes]", writer: asyncio.StreamWriter) -> None:
        tenant, changes = asked.pop("catalogue")
        if changes != self._changes[tenant]:
            self._changes[tenant] = changes
            self._app.state.context.catalogues.forget(tenant)
        bodies = [asked.pop("body")]

        async def receive() -> Message:
            if bodies:
                return {"type": "http.request", "body": bodies.pop(), "more_body": False}
            await asyncio.wait((gone,))
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            with suppress(ConnectionError):  # as a server does: who has gone is told by `receive`
                await send_message(writer, dict(message))

        answering = asyncio.ensure_future(self._app(asked, receive, send))
        try:
            # what is to be kept is kept, whoever listens
            awaited = (answering, gone) if asked["method"] == "GET" else (answering,)
            await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            answering.cancel()
            await asyncio.wait((answering,))


async def _run(settings: Settings, control: socket.socket) -> None:
    control.setblocking(False)
    app = create_app(settings, is_reader=True)
    async with app.router.lifespan_context(app):
        answers = _Answers(app, control)
        asyncio.get_running_loop().add_reader(control, answers.take)
        control.send(READY)
        app.state.context.indices.grown = answers.tell_kept
        await answers.ended.wait()
        signal.setitimer(signal.ITIMER_REAL, _END_SECONDS)  # the signal ends a process that does not
        app.state.context.stopping.set()
        await answers.cancel()


def main() -> None:
    """Answer until the process that began this one lets go of their socket, by its end at the latest."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: the other process ends this one, once it is done
    os.nice(_NICE)
    settings = Settings()
    configure_logging("reader", settings.log_level)
    gc.set_threshold(GARBAGE_THRESHOLD)
    gc.freeze()
    uvloop.run(_run(settings, socket.socket(fileno=int(sys.argv[1]))))


if __name__ == "__main__":
    main()
