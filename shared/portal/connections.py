"""HTTP/1.1 to one server over a few kept connections, at a tenth of what a general client costs.

Each request goes whole, in one write; an answer is what its length, its chunks or its end say. What went wrong is told as
one of two: `NotReached`, nothing of the request was sent, or `NoAnswer`, something may have been. Nothing is sent twice, no
redirect is followed, no proxy is asked.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, cast
from urllib.parse import urlsplit

import httptools
import httpx

_PORTS: Final = {"http": 80, "https": 443}
_BODILESS: Final = frozenset({204, 304})
_FIRST_FINAL_STATUS: Final = 200


class NotReached(Exception):  # noqa: N818 - named for what happened
    """No connection; nothing was sent. The message names the kind of trouble and nothing of the request."""


class NoAnswer(Exception):  # noqa: N818 - named for what happened
    """Sent, at least in part, and no whole answer. The message names the kind of trouble and nothing of the request."""


@dataclass(slots=True)
class Response:
    """An answer, whole. Names of ``headers`` are in lower case; of several with one name the last."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""


@dataclass(frozen=True, slots=True)
class _Address:
    """Where an http(s) URL leads: host and port to connect to, ``netloc`` to name there, the path before all others."""

    secure: bool
    host: str
    port: int
    netloc: str
    path: str

    @classmethod
    def of(cls, url: str) -> "_Address | None":
        """Read it; None: it is no such URL."""
        try:
            told = urlsplit(url)
            port = told.port
        except ValueError:
            return None
        if told.scheme not in _PORTS or not told.hostname:
            return None
        netloc = told.netloc.rpartition("@")[2]
        return cls(told.scheme == "https", told.hostname, port or _PORTS[told.scheme], netloc, told.path.rstrip("/"))


class _Link(asyncio.Protocol):
    """One connection with one request at a time. ``idle_since``: by the loop's clock, when its last answer was whole."""

    def __init__(self, read_seconds: float) -> None:
        self._read_seconds = read_seconds
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Response] | None = None
        self._reading: httptools.HttpResponseParser | None = None
        self._response = Response()
        self._parts: list[bytes] = []
        self._length_told = False
        self._heard_at = 0.0
        self._alarm: asyncio.TimerHandle | None = None
        self.idle_since = 0.0

    @property
    def usable(self) -> bool:
        """Whether another request may go: open, and nothing was heard that nobody asked for."""
        return self._transport is not None and not self._transport.is_closing() and self._answer is None

    async def ask(self, request: bytes) -> Response:
        """Send a request and wait for its answer.

        Raises:
            NoAnswer: the connection ended before, or nothing was heard for too long, or it is no HTTP.
        """
        assert self._transport is not None
        assert self._answer is None
        answer: asyncio.Future[Response] = self._loop.create_future()
        self._answer = answer
        self._reading = httptools.HttpResponseParser(self)
        self._response, self._parts, self._length_told = Response(), [], False
        self._heard_at = self._loop.time()
        self._alarm = self._loop.call_at(self._heard_at + self._read_seconds, self._listen)
        self._transport.write(request)
        try:
            return await answer
        finally:
            self._alarm.cancel()
            self._answer = None
            if not answer.done() or answer.cancelled() or answer.exception() is not None:
                # the answer to this request may still come: it must not be taken for that of the next one
                self.close()

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        if self._answer is None or self._answer.done() or self._reading is None:
            self.close()  # nobody has asked for this
            return
        self._heard_at = self._loop.time()
        try:
            self._reading.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(type(error).__name__)

    def eof_received(self) -> None:
        """The server has said all; the connection ends."""

    def connection_lost(self, error: Exception | None) -> None:
        """An answer without a length ends with its connection; any other one is cut."""
        self._transport = None
        reading = self._reading
        if error is None and reading is not None and self._response.status and not self._length_told:
            self._end(keep=False)
        self._fail("ConnectionEnded" if error is None else type(error).__name__)

    # httptools

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note a header."""
        self._response.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Note the status, and whether the end of the answer will be told."""
        assert self._reading is not None
        status = self._reading.get_status_code()
        if status < _FIRST_FINAL_STATUS:
            return
        self._response.status = status
        headers = self._response.headers
        self._length_told = status in _BODILESS or "content-length" in headers or "transfer-encoding" in headers

    def on_body(self, body: bytes) -> None:
        """Note a part."""
        self._parts.append(body)

    def on_message_complete(self) -> None:
        """The answer is whole, if it is the final one."""
        assert self._reading is not None
        if self._reading.get_status_code() < _FIRST_FINAL_STATUS:
            self._response.headers.clear()
            return
        self._end(keep=self._reading.should_keep_alive())

    def _end(self, *, keep: bool) -> None:
        if self._answer is not None and not self._answer.done():
            self._response.content = b"".join(self._parts)
            self.idle_since = self._loop.time()
            self._answer.set_result(self._response)
        if not keep:
            self.close()

    def _fail(self, kind: str) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(NoAnswer(kind))

    def _listen(self) -> None:
        due = self._heard_at + self._read_seconds
        if due <= self._loop.time():
            self._fail("ReadTimeout")
        else:
            self._alarm = self._loop.call_at(due, self._listen)


class Connections:
    """Safe for concurrent requests; as many connections as requests at once.

    ``connect_seconds``, ``read_seconds``: to connect, and between two reads. ``kept_seconds``: a connection that was idle
    for longer is not used again.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        connect_seconds: float,
        read_seconds: float,
        kept_seconds: float,
    ) -> None:
        told = _Address.of(url)
        self._address = told
        # the trust of the general client: only the costs differ
        self._tls: ssl.SSLContext | None = httpx.create_ssl_context() if told is not None and told.secure else None
        names = {"Host": "" if told is None else told.netloc, **headers}
        self._head = "".join(f"{name}: {value}\r\n" for name, value in names.items()).encode("latin-1")
        self._connect_seconds = connect_seconds
        self._read_seconds = read_seconds
        self._kept_seconds = kept_seconds
        self._idle: deque[_Link] = deque()
        self._links: set[_Link] = set()

    async def post(self, path: str, content: bytes) -> Response:
        """Send ``content``.

        Raises:
            NotReached: nothing was sent.
            NoAnswer: nobody knows what became of it.
        """
        length = b"Content-Length: %d\r\n\r\n" % len(content)
        return await self._ask(b"".join((self._start("POST", path), self._head, length, content)))

    async def get(self, path: str) -> Response:
        """Ask for ``path``, its query included; raises as `post`."""
        return await self._ask(self._start("GET", path) + self._head + b"\r\n")

    async def aclose(self) -> None:
        """End all connections."""
        for link in list(self._links):
            link.close()
        self._links.clear()
        self._idle.clear()

    def _start(self, method: str, path: str) -> bytes:
        below = "" if self._address is None else self._address.path
        return f"{method} {below}{path} HTTP/1.1\r\n".encode()

    async def _ask(self, request: bytes) -> Response:
        link = self._kept() or await self._connected()
        try:
            response = await link.ask(request)
        except BaseException:
            self._links.discard(link)
            raise
        if link.usable:
            self._idle.append(link)
        else:
            self._links.discard(link)
        return response

    def _kept(self) -> _Link | None:
        """The connection used last, if it is still good."""
        oldest = asyncio.get_running_loop().time() - self._kept_seconds
        while self._idle:
            link = self._idle.pop()
            if link.usable and link.idle_since >= oldest:
                return link
            self._links.discard(link)
            link.close()
        return None

    async def _connected(self) -> _Link:
        if self._address is None:
            raise NotReached("InvalidURL")
        try:
            async with asyncio.timeout(self._connect_seconds):
                _, link = await asyncio.get_running_loop().create_connection(
                    lambda: _Link(self._read_seconds), self._address.host, self._address.port, ssl=self._tls
                )
        except TimeoutError:
            raise NotReached("ConnectTimeout") from None
        except OSError as error:
            raise NotReached(type(error).__name__) from None
        self._links.add(link)
        return link
