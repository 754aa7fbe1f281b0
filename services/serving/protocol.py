"""HTTP/1.1 on a connection: uvicorn's protocol, which declines every offer to upgrade and bounds the heads of requests.

*Offers.* A server may ignore an ``Upgrade`` that it does not speak (RFC 9110, section 7.8); clients send one with ordinary
requests (Java's HttpClient with each over http://: ``h2c``). httptools ends such a request with its head and says that
another protocol follows, and uvicorn then serves it with an empty body. Here that request is given once more, to a new
parser and without its ``Upgrade``: from there on it is what it would have been without the offer, refused or taken.

*Heads.* What is neither whole nor refused is in memory, so a head has limits of size and time. An ordinary request costs
nothing for them: a piece that is shorter than any limit, and has all of the head, needs no counting.
"""

from asyncio import TimerHandle, Transport
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from services.serving.refusals import HEAD_TOO_LARGE, HEAD_TOO_LATE, MALFORMED, NO_TUNNEL, TARGET_TOO_LONG, Refusal
from shared.observability import get_logger


@dataclass(frozen=True, slots=True)
class HeadLimits:
    """How large a head may be and how long it may take. They bound memory; no client of ours comes near."""

    bytes: int = 64 * 2**10
    """Target, names and values, and four bytes a header: as much as h11 takes; Node takes 16 KiB, nginx 32."""
    target_bytes: int = 16 * 2**10
    """RFC 9112 wants 8,000 taken at least; a question may name many agencies."""
    headers: int = 100
    """As Apache and Tomcat."""
    seconds: float = 20.0
    """From the first byte to the last; and for the first byte, from the connection's beginning."""


LINGER_SECONDS: Final = 2.0
"""How long what is still sent is thrown away after a refusal: a connection closed under it would lose the answer."""

# Where the connection is: ints, because they are compared several times a request.
_BETWEEN: Final = 0
_BEGUN: Final = 1
"""In a head that began in the present piece."""
_HEAD: Final = 2
"""In a head that began in an earlier piece."""
_BODY: Final = 3
_ENDED: Final = 4
"""Nothing is read any more."""


class _RefusedError(Exception):
    """What stops the parser; the refusal itself stands in the protocol, for httptools wraps what its callbacks raise."""


class _LastWord:
    """A refusal in uvicorn's queue of requests that wait for their turn."""

    def __init__(self, say: Callable[[Refusal], None], refusal: Refusal) -> None:
        self._say = say
        self._refusal = refusal

    async def run_asgi(self, _: object) -> None:
        self._say(self._refusal)


class ServerProtocol(HttpToolsProtocol):
    """The HTTP protocol of every server of ours."""

    limits = HeadLimits()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._place = _BETWEEN
        self._head_bytes = 0
        self._is_suspect = False
        self._has_body_bytes = False
        self._framing_bytes = 0
        self._timer: TimerHandle | None = None
        self._fault = MALFORMED

    # the connection

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Begin; whoever says nothing is let go without a word."""
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(self.limits.seconds, self.timeout_keep_alive_handler)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._place = _ENDED
        self._unset_keepalive_if_required()
        self._unset_timer()

    def data_received(self, data: bytes) -> None:
        """Read a piece."""
        before = self._place
        if before == _ENDED:
            return
        self._is_suspect = before == _HEAD or len(data) > self.limits.target_bytes
        try:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                self._decline(data, offer.args[0])
        except (httptools.HttpParserError, _RefusedError):
            self._refuse(self._fault)
            return
        if before != _BETWEEN or self._place != _BETWEEN:
            self._settle(len(data))

    # the parser

    def on_message_begin(self) -> None:
        """Begin a request. Blank lines before it are none: whoever sends only these counts as idle."""
        self._unset_keepalive_if_required()
        super().on_message_begin()
        self._place = _BEGUN

    def on_headers_complete(self) -> None:
        """Hand a request over to the application, unless its head is beyond the limits or comes once more."""
        if self._is_suspect or len(self.headers) > self.limits.headers:
            self._check_head()
        if self.parser.should_upgrade():
            return  # `_decline` tells it again
        super().on_headers_complete()
        # trailers come the same way as headers: the application has those that came before the body, and no others
        self.headers = []
        self._place = _BODY
        self._has_body_bytes = True

    def on_body(self, body: bytes) -> None:
        """Keep a part of a body for the application."""
        self._has_body_bytes = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request, unless it only seems to end because it comes with an offer."""
        if self.parser.should_upgrade():
            return
        if self.headers:
            self._check_head()
        self._place = _BETWEEN
        super().on_message_complete()

    def _decline(self, data: bytes, end_of_head: int) -> None:
        """Tell a request with an offer again without it, and what follows its head."""
        rest = memoryview(data)[end_of_head:]
        while True:
            method = self.parser.get_method()
            if method == b"CONNECT":
                # what follows is nobody's request, whatever it looks like
                self._fault = NO_TUNNEL
                raise _RefusedError
            lines = [b"%s %s HTTP/%s" % (method, self.url, self.parser.get_http_version().encode())]
            lines += [b"%s: %s" % header for header in self.headers if header[0] != b"upgrade"]
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's own
            self.parser.feed_data(b"\r\n".join(lines) + b"\r\n\r\n")
            try:
                self.parser.feed_data(rest)
            except httptools.HttpParserUpgrade as offer:
                rest = rest[offer.args[0] :]
            else:
                return

    # limits

    def _settle(self, size: int) -> None:
        """After a piece of ``size`` bytes that did not just hold whole requests: count it, and set the timers."""
        is_answered = _is_answered(self.cycle)
        if self._place == _BEGUN:
            self._place = _HEAD
            self._head_bytes = self._counted_bytes()
            self._unset_timer()
            self._timer = self.loop.call_later(self.limits.seconds, self._late)
        elif self._place == _HEAD:
            self._head_bytes += size
        else:
            self._unset_timer()
        if self._place != _BETWEEN or not is_answered:
            self._unset_keepalive_if_required()  # the answer before it may have set it
        if self._place == _HEAD:
            refusal = self._excess(self._head_bytes)
            if refusal is not None:
                self._refuse(refusal)
        elif self._place == _BODY:
            self._framing_bytes = 0 if self._has_body_bytes else self._framing_bytes + size
            self._has_body_bytes = False
            if self._framing_bytes > self.limits.bytes:
                self._refuse(HEAD_TOO_LARGE)
            elif is_answered:  # nobody waits for the rest of this body, but it must go on
                self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def _check_head(self) -> None:
        refusal = self._excess(self._counted_bytes())
        if refusal is not None:
            self._fault = refusal
            raise _RefusedError

    def _excess(self, size: int) -> Refusal | None:
        if len(self.url) > self.limits.target_bytes:
            return TARGET_TOO_LONG
        if size > self.limits.bytes or len(self.headers) > self.limits.headers:
            return HEAD_TOO_LARGE
        return None

    def _counted_bytes(self) -> int:
        """What the parser has given of the present head; a header that has not ended is not in it."""
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _late(self) -> None:
        self._timer = None
        if self.flow.read_paused:  # it is us who do not read, until those before it are answered
            self._timer = self.loop.call_later(self.limits.seconds, self._late)
        else:
            self._refuse(HEAD_TOO_LATE)

    def _unset_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # the end

    def _refuse(self, refusal: Refusal) -> None:
        """Read no further, and answer so when all requests before it are answered."""
        get_logger().info("request_refused", problem=refusal.code)
        is_in_body = self._place == _BODY
        self._place = _ENDED
        self._unset_keepalive_if_required()
        self._unset_timer()
        cycle = self.cycle
        if _is_answered(cycle):
            self._end(None if is_in_body else refusal)
        elif is_in_body and not self.pipeline:
            cycle.disconnected = True
            cycle.message_event.set()
            self._end(None if cycle.response_started else refusal)
        else:
            if is_in_body:
                self.pipeline.popleft()  # it is the last of them, and nobody has been given it
            self.pipeline.appendleft((_LastWord(self._end, refusal), self.app))  # type: ignore[arg-type]
            self.flow.pause_reading()

    def _end(self, refusal: Refusal | None) -> None:
        """Say the last word and hang up, but not before the client has had a chance to read it."""
        self._unset_keepalive_if_required()
        if self.transport.is_closing():
            return
        if refusal is not None:
            self.transport.write(refusal.response(self.server_state.default_headers))
        if not self.transport.can_write_eof():
            self.transport.close()
            return
        self.flow.resume_reading()
        self.transport.write_eof()
        self._timer = self.loop.call_later(LINGER_SECONDS, self.transport.abort)


def _is_answered(cycle: RequestResponseCycle | None) -> bool:
    """Whether the last request that an application was given has its answer; there may have been none yet."""
    return cycle is None or cycle.response_complete
