"""Around every request that has a body: the key first, then the body within the limits of its operation.

``BodyMiddleware`` reads whole bodies before anything else of the application runs, so that no operation, whoever writes
it, holds a body of an unknown caller or one without a limit. Nor does one see that a body was compressed, or began with a
byte order mark. Lines pass through as they arrive, watched for their pace.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Generator, Iterable
from typing import Any, Final

from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.http.access.auth import admitted_to, bearer_token, demand_of
from services.api.http.bodies.compression import Inflater, TruncatedError
from services.api.http.bodies.framing import NO_BODY, size_of
from services.api.http.bodies.kinds import BodyKind, is_gzip, kind_of
from services.api.http.bodies.limits import USUAL, Held, Limit, Patience, Share, limit_of, too_large
from services.api.http.context import context_of
from services.api.http.errors import messages, problems
from services.api.http.errors.problems import NOT_GZIP, InvalidFields, Refused
from shared.vocabulary.errors import MotcuaError

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_COMPRESSED_AT_ONCE: Final = 64 * 2**10


class _Rest:
    """What is left to await of something that was awaited by hand up to where it waits itself."""

    def __init__(self, waits_for: Any, steps: Generator[Any, Any, Message]) -> None:
        self._waits_for = waits_for
        self._steps = steps

    def __await__(self) -> Generator[Any, Any, Message]:
        waits_for = self._waits_for
        try:
            while True:
                try:
                    told = yield waits_for
                except BaseException as error:  # noqa: BLE001 - it is for who waits
                    waits_for = self._steps.throw(error)
                else:
                    waits_for = self._steps.send(told)
        except StopIteration as done:
            message: Message = done.value
            return message


def _look(receive: Receive) -> Message | _Rest:
    """What is received, if it is here, else what is to be awaited: a limit of time costs more than all else here does."""
    steps = receive().__await__()
    try:
        return _Rest(next(steps), steps)
    except StopIteration as done:
        message: Message = done.value
        return message


class WholeBody:
    """Gives a body that is here to whoever asks for it as ASGI has it; after that, what is still received."""

    __slots__ = ("_is_given", "_receive", "body")

    def __init__(self, body: bytes, receive: Receive) -> None:
        self.body = body.removeprefix(_BYTE_ORDER_MARK)
        self._receive = receive
        self._is_given = False

    async def __call__(self) -> Message:
        """The body, once."""
        if self._is_given:
            return await self._receive()
        self._is_given = True
        return {"type": "http.request", "body": self.body, "more_body": False}


class _Paced:
    """What is received of one body, at a pace that is not too slow."""

    def __init__(self, receive: Receive, patience: Patience, begun: _Rest | None = None) -> None:
        self._receive = receive
        self._begun = begun
        self._patience = patience
        self._waited = 0.0
        self._size = 0
        self.is_complete = False

    async def __call__(self) -> Message:
        """The next piece.

        Raises:
            Refused: 408, it does not come, or too little comes.
        """
        if self.is_complete:
            return await self._receive()  # the end of the connection: whoever waits for that waits as long as it takes
        patience, time = self._patience, asyncio.get_running_loop().time
        waiting, self._begun = self._begun or self._receive(), None
        begun = time()
        try:
            async with asyncio.timeout(patience.stall_seconds):
                message = await waiting
        except TimeoutError:
            raise Refused(messages.TIMED_OUT) from None
        self._waited += time() - begun
        self._size += len(message.get("body", b""))
        self.is_complete = not message.get("more_body", False)
        if self._waited >= patience.window_seconds and not self.is_complete:
            if self._size < patience.least_bytes_a_second * self._waited:
                raise Refused(messages.TIMED_OUT)
            self._waited, self._size = 0.0, 0
        return message


def _within(most: int, receive: Receive) -> Receive:
    """What is received, up to so many bytes; more is 413."""
    size = 0

    async def receive_counted() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > most:
            raise too_large(most)
        return message

    return receive_counted


def _after(taken: list[Message], receive: Receive) -> Receive:
    """What was received already, then the rest."""
    taken.reverse()

    async def receive_again() -> Message:
        return taken.pop() if taken else await receive()

    return receive_again


class _Operation:
    """What is to be known of an operation before its body is read."""

    def __init__(self, route: APIRoute, method: str) -> None:
        self.route = route
        self.limit = limit_of(method, route.path_format)
        self.demand = demand_of(route.dependant)
        self.takes_body = route.body_field is not None or "requestBody" in (route.openapi_extra or {})


class BodyMiddleware:
    """Pure ASGI; stands behind `RequestMiddleware`, before everything that reads a body.

    A small body is taken before anything else is done: uvicorn forgets a body that nobody has read when its client hangs
    up. A client that sends its event and leaves has told it all the same; looking up its key takes long enough to lose it.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute], key_first: Collection[str] = ()) -> None:
        """``key_first``: paths whose operations look at the key before they look at a body; theirs pass without a search."""
        self.app = app
        self._key_first_paths = frozenset(key_first)
        self._routes = [route for route in routes if isinstance(route, APIRoute)]
        self._operations: dict[tuple[str, str], _Operation] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        size, is_small = size_of(scope)
        if size == NO_BODY:
            await self.app(scope, receive, send)
            return
        begun: _Rest | None = None
        taken: list[Message] = []
        if is_small:
            first = _look(receive)
            if isinstance(first, _Rest):
                begun = first
            elif scope["path"] in self._key_first_paths and not first.get("more_body", False):  # nearly always
                await self.app(scope, _whole([first], receive), send)
                return
            else:
                taken.append(first)
        held = context_of(HTTPConnection(scope)).held
        share = Share(held)
        paced = _Paced(receive, held.patience, begun)
        try:
            try:
                if is_small:
                    await _take_first_piece(paced, taken, held, size)
                if paced.is_complete:
                    await self._key_before_reading(scope)
                    onward = _whole(taken, receive)
                else:
                    onward = await self._key_first(scope, _after(taken, paced), size, share)
            except MotcuaError as error:
                response = await problems.answer_motcua_error(Request(scope), error)
                if is_small and not paced.is_complete:  # nobody lingers over the rest of it
                    response.headers["connection"] = "close"
                await response(scope, receive, send)
                return
            await self.app(scope, onward, send)
        finally:
            share.give_back()

    async def _key_before_reading(self, scope: Scope) -> None:
        """Of a body that is here: the framework parses it before it asks for the key.

        Raises:
            MotcuaError: the key is refused.
        """
        if scope["path"] in self._key_first_paths:
            return
        operation = self._operation_of(scope)
        if operation is not None and operation.takes_body and operation.demand is not None:
            scope["route"] = operation.route  # what a refusal is counted under
            await admitted_to(Request(scope), bearer_token(scope), operation.demand)

    async def _key_first(self, scope: Scope, receive: Receive, size: int, share: Share) -> Receive:
        """What the application may receive of a body.

        Raises:
            MotcuaError: the key or the body is refused.
        """
        operation = self._operation_of(scope)
        if operation is None or not operation.takes_body:
            return _within(USUAL.most_bytes, receive)  # there is no such operation, or it has no use for a body
        scope["route"] = operation.route  # what a refusal is counted under
        request = Request(scope)
        if operation.demand is not None:
            caller = await admitted_to(request, bearer_token(scope), operation.demand)
            share.key = f"{caller.tenant} {caller.key_id}"
        limit = operation.limit
        if limit.lines:
            try:
                kind = kind_of(request)
            except Refused:
                return _within(USUAL.most_bytes, receive)  # the operation says so before it reads anything
            if kind is BodyKind.LINES:
                return receive
        is_compressed = is_gzip(request)
        if size > limit.most_bytes:
            raise too_large(limit.most_bytes)
        share.check(max(size, 0))
        pieces: list[bytes] = []
        async for piece in _pieces(_within(limit.most_bytes, receive)):
            share.take(len(piece))
            pieces.append(piece)
        body = b"".join(pieces)
        if is_compressed:
            body = await _inflated(body, limit, share)
            scope["headers"] = [header for header in scope["headers"] if header[0] != b"content-encoding"]
        if limit.most_members is not None and body.count(b":") > limit.most_members:
            raise InvalidFields.of("", "too_many_members", limit=limit.most_members)
        return WholeBody(body, receive)

    def _operation_of(self, scope: Scope) -> _Operation | None:
        """The operation that serves a request; None: no such path or method."""
        for route in self._routes:
            if route.matches(scope)[0] is Match.FULL:
                key = (scope["method"], route.path)
                if key not in self._operations:
                    self._operations[key] = _Operation(route, scope["method"])
                return self._operations[key]
        return None


async def _inflated(body: bytes, limit: Limit, share: Share) -> bytes:
    """What a compressed body comes to.

    Raises:
        Refused: it is not gzip, or more than the operation takes.
        Overloaded: there is no room for it at the moment.
    """
    inflater = Inflater()
    pieces: list[bytes] = []
    size = 0
    try:
        # a little at a time: what is left of a piece is copied for each of its members
        for start in range(0, len(body), _COMPRESSED_AT_ONCE):
            for piece in inflater.feed(body[start : start + _COMPRESSED_AT_ONCE]):
                size += len(piece)
                if size > limit.most_bytes:
                    raise too_large(limit.most_bytes)
                share.take(len(piece))
                pieces.append(piece)
                await asyncio.sleep(0)
        inflater.end()
    except TruncatedError:
        raise Refused(messages.MALFORMED, [NOT_GZIP]) from None
    return b"".join(pieces)


async def _take_first_piece(paced: _Paced, taken: list[Message], held: Held, size: int) -> None:
    """The rest of a small body, while there is room for it before its key is known."""
    if taken and not taken[-1].get("more_body", False):
        paced.is_complete = True
        return
    if held.first_pieces + size > held.patience.first_pieces_bytes:
        return
    held.first_pieces += size
    try:
        while not paced.is_complete:
            taken.append(await paced())
    finally:
        held.first_pieces -= size


def _whole(taken: list[Message], receive: Receive) -> Receive:
    """A body that is here; or what is left of one whose client has gone, which is none."""
    if taken[-1]["type"] != "http.request":
        return _after(taken, receive)
    body: bytes = taken[0].get("body", b"") if len(taken) == 1 else b"".join([message.get("body", b"") for message in taken])
    return WholeBody(body, receive)


async def _pieces(receive: Receive) -> AsyncIterator[bytes]:
    """Raises `ClientDisconnect` where the client goes before the end."""
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientDisconnect
        yield message.get("body", b"")
        more = message.get("more_body", False)
