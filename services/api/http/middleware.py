"""Around every request: its id, its one log line, its metrics, and an answer to whatever was not foreseen."""

import os
import re
import time
from typing import Final

from prometheus_client import Counter, Histogram
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.http.answers import UNKNOWN_CODE_HEADER, unknown_codes
from services.api.http.context import context_of
from services.api.http.cut_answers import cut_where_it_fails
from services.api.http.errors.problems import answer_unexpected
from services.api.http.reads.handover import END
from shared.events.rules.personal_text import personal_in_code
from shared.observability import get_logger, note, unit_of_work

REQUEST_ID_HEADER: Final = "x-request-id"
_REQUEST_ID_NAME: Final = REQUEST_ID_HEADER.encode()
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")

_OWN_ID_BYTES: Final = 16

_NO_GUESSING: Final = (b"x-content-type-options", b"nosniff")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_FIRST_ERROR: Final = 400
_OTHER: Final = "other"
"""A client may call a method as it likes: it is neither logged nor counted by that."""

_QUIET_ROUTES: Final = frozenset({"/healthz", "/readyz", "/metrics"})


class RequestMiddleware:
    """Pure ASGI, so that bodies and streams pass through untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._counted: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(scope)
        unknown_codes.set({})
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0
        # bulks of events wait for a question
        fairness = context_of(HTTPConnection(scope)).fairness if scope["method"] in {"GET", "HEAD"} else None
        question = None if fairness is None else fairness.asked()

        def no_longer_asked() -> None:
            if fairness is not None and question is not None:
                fairness.answered(question)

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                no_longer_asked()
                message["headers"] = [*message.get("headers", ()), (_REQUEST_ID_NAME, request_id.encode()), _NO_GUESSING]
                if status < _FIRST_ERROR and (unknown := unknown_codes.get({})):
                    message["headers"].append((UNKNOWN_CODE_HEADER.encode(), ", ".join(unknown).encode()))
            await send(message)

        started = time.perf_counter()
        with unit_of_work(request_id=request_id) as notes, cut_where_it_fails(receive, lambda: status > 0):
            try:
                await self.app(scope, receive, send_with_id)
            except Exception as error:
                response = answer_unexpected(HTTPConnection(scope), error)
                if status:
                    note(cut_short=True)  # the answer had begun: its connection is reset
                    raise
                if response is not None:
                    await response(scope, receive, send_with_id)
            finally:
                no_longer_asked()
                seconds = time.perf_counter() - started
                route = getattr(scope.get("route"), "path", "unknown")
                method = scope["method"] if scope["method"] in _METHODS else _OTHER
                self._count(scope, method, route, status, seconds)
                line = {"method": method, "route": route, "status": status, "seconds": round(seconds, 6), **notes}
                log = get_logger()
                (log.debug if route in _QUIET_ROUTES else log.info)("request_served", **line)

    def _count(self, scope: Scope, method: str, route: str, status: int, seconds: float) -> None:
        key = (method, route, status)
        found = self._counted.get(key)
        if found is None:  # looking a metric up by its labels costs more than counting
            metrics = context_of(HTTPConnection(scope)).metrics
            requests = metrics.requests.labels(method, route, str(status))
            found = self._counted[key] = (requests, metrics.request_seconds.labels(route))
        found[0].inc()
        found[1].observe(seconds)


class ReaderMiddleware:
    """In the reader: tells the `RequestMiddleware` of the other process what it needs for headers, log line and metrics."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        unknown_codes.set({})
        begun = cut = False

        async def send_noted(message: Message) -> None:
            nonlocal begun
            if not begun:
                message = {**message, "unknown_codes": dict(unknown_codes.get({}))}
            begun = True
            await send(message)

        with unit_of_work(request_id=scope["state"]["request_id"]) as notes:
            try:
                await self.app(scope, receive, send_noted)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is answered or cuts the answer
                response = answer_unexpected(HTTPConnection(scope), error)
                cut = begun
                if response is not None and not begun:
                    await response(scope, receive, send_noted)
            await send({"type": END, "notes": notes, "cut": cut})


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == _REQUEST_ID_NAME:
            header: str = value.decode("latin-1")
            # it is logged, and kept with readings of personal data: what may be somebody's number or address is not taken
            if _REQUEST_ID.fullmatch(header) and personal_in_code(header) is None:
                return header
            break
    return os.urandom(_OWN_ID_BYTES).hex()
