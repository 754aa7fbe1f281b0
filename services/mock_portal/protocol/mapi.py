"""The protocol's three endpoints: `/mapi/login`, `/mapi/g`, `/mapi/share`.

A call passes, in this order: the adapter (dstcode), the session and the rate, the fault rules, the service.
It is answered after its effects and its record are on the disk, in one transaction.
"""

import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from services.mock_portal.faults.faults import Meeting, Traits
from services.mock_portal.faults.rules import Fault
from services.mock_portal.inspection import answers
from services.mock_portal.openapi import CALL_BODY, LOGIN_BODY
from services.mock_portal.portal import Portal
from services.mock_portal.protocol import connection_drops, fields, replies
from services.mock_portal.protocol.codes import INTEGRATION_SERVICES, SHARE_SERVICES, ErrorCode, Service, Text
from services.mock_portal.protocol.desk import Answer, code_of
from services.mock_portal.protocol.replies import Reply
from services.mock_portal.storage.books import Books, CallRecord

_MAX_BODY_BYTES = 32 * 1024 * 1024
_SHOWN_CODES = 1000
_CODE_LENGTH = 50
_GATEWAY_TIMEOUT = 504
_SESSION = re.compile(rb'("session"\s*:\s*")[^"]*')


@dataclass(slots=True)
class Call:
    """One received call, as far as it could be read."""

    path: str
    raw: bytes
    received_us: int
    began: float
    payload: dict[str, Any] | None
    service: Service | None = None
    username: str | None = None
    codes: list[str] = field(default_factory=list)
    updating: bool | None = None

    @property
    def service_name(self) -> str | None:
        """The service as it was asked for, also an unknown one."""
        if self.service is not None:
            return self.service.value
        name = (self.payload or {}).get("service")
        return name[:100] if isinstance(name, str) else None


def read_call(path: str, raw: bytes, received_us: int) -> Call:
    """Read a call's body, leniently: what is wrong with it is said later, after session and faults."""
    try:
        payload = orjson.loads(raw)
    except orjson.JSONDecodeError:
        payload = None
    if not isinstance(payload, dict):
        payload = None
    call = Call(path, raw, received_us, time.perf_counter(), payload)
    if payload is None:
        return call
    if path == "login":
        call.service = Service.LOGIN
        return call
    name = payload.get("service")
    if isinstance(name, str) and name in INTEGRATION_SERVICES | SHARE_SERVICES:
        call.service = Service(name)
    data = payload.get("data")
    if call.service is Service.LOOKUP:
        call.codes = asked_codes(payload)
    elif isinstance(data, list):
        call.codes = [code_of(item) for item in data]
    if call.service is Service.DOSSIERS:
        try:
            call.updating = fields.updating(payload.get("isUpdating"))
        except fields.InvalidFieldError:
            call.updating = None
    return call


def asked_codes(payload: dict[str, Any]) -> list[str]:
    """Give the codes of TraCuuHoSo. opencps spells the key `mahoso` in code and `MaHoSo` in a constant."""
    found = payload.get("mahoso", payload.get("MaHoSo"))
    if not isinstance(found, str):
        return []
    return list(dict.fromkeys(code.strip() for code in found.split(",") if code.strip()))


def _shown_request(call: Call, limit: int) -> str:
    raw = call.raw
    if call.path == "login" and call.payload is not None:
        # A password does not belong in a list that anybody may read.
        raw = orjson.dumps(call.payload | {"password": "***"} if "password" in call.payload else call.payload)
    return _without_session(raw)[:limit].decode("utf-8", "replace")


def _without_session(raw: bytes) -> bytes:
    """A request or an answer, whole or cut, without the session: it still lets its reader in."""
    return _SESSION.sub(rb"\1***", raw)


def _envelope_error(call: Call) -> Answer | None:
    madonvi = (call.payload or {}).get("madonvi")
    if not isinstance(madonvi, str) or not 0 < len(madonvi) <= _CODE_LENGTH:
        return Answer(ErrorCode.INVALID, f"madonvi: bắt buộc, phải là chuỗi không quá {_CODE_LENGTH} ký tự")
    services = SHARE_SERVICES if call.path == "share" else INTEGRATION_SERVICES
    if call.service not in services:
        return Answer(
            ErrorCode.UNKNOWN_SERVICE,
            f"Dịch vụ {call.service_name!r} không có tại /mapi/{call.path}",
        )
    return None


class Counter:
    """Serves calls: the pipeline from the adapter to the record."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    async def serve(self, request: Request, path: str) -> Response:
        """Answer one call, or drop it."""
        portal = self._portal
        received_us = portal.now_us()
        raw = await request.body()
        if len(raw) > _MAX_BODY_BYTES:
            return Response("Request Entity Too Large\n", 413, media_type="text/plain")
        call = read_call(path, raw, received_us)
        asked = request.headers.get("dstcode") or request.query_params.get("dstcode")
        if asked != portal.settings.dstcode:
            return await self._send(call, Meeting(), replies.no_route())

        refused = self._at_door(call)
        traits = Traits(call.service, call.codes, call.updating, refused is None)
        meeting = portal.faults.meet(traits, now=portal.monotonic())
        if Fault.SESSION_EXPIRED in meeting.fired and call.payload is not None:
            portal.sessions.end(call.payload.get("session"))
        is_gone = await connection_drops.hang(request, meeting.delay_seconds, portal.stopping)
        if meeting.cut_before is not None:
            await self._record(call, meeting, None, delivered=False)
            return await connection_drops.cut(request, meeting.cut_before, portal.stopping)
        if meeting.refusal is not None:
            refused = replies.refuse(meeting.refusal, portal.limits, meeting, now=datetime.now(UTC))
        if refused is not None:
            reply = replies.write(refused, portal.limits, meeting) if isinstance(refused, Answer) else refused
            return await self._send(call, meeting, reply)
        if call.service in (Service.DOSSIERS, Service.PROGRESS):
            reply = await self._accept(call, meeting, is_gone=is_gone)
        else:
            answer = self._logged_in(call) if path == "login" else await self._look(call, meeting)
            reply = replies.write(answer, portal.limits, meeting)
            await self._record(call, meeting, reply, delivered=True)
        if meeting.cut_after is not None:
            return await connection_drops.cut(request, meeting.cut_after, portal.stopping)
        if meeting.gateway_timeout_seconds is not None:
            await connection_drops.hang(request, meeting.gateway_timeout_seconds, portal.stopping)
            reply = replies.html(_GATEWAY_TIMEOUT)
        return _response(reply)

    def _at_door(self, call: Call) -> Answer | Reply | None:
        """Check session, rate and envelope."""
        portal, now = self._portal, self._portal.monotonic()
        if call.payload is None:
            return Answer(ErrorCode.INVALID, "Dữ liệu không phải là một đối tượng JSON")
        if call.path == "login":
            return None
        session = call.payload.get("session")
        call.username = portal.sessions.user_of(session, now=now, life_seconds=portal.limits.session_seconds)
        if call.username is None:
            return Answer(ErrorCode.SESSION, Text.SESSION)
        limit = portal.limits.calls_per_minute
        wait = portal.rates.wait_seconds(call.username, now=now, calls_per_minute=limit)
        return replies.too_many_calls(wait) if wait else _envelope_error(call)

    def _logged_in(self, call: Call) -> Answer:
        payload = call.payload or {}
        username = payload.get("username")
        session = self._portal.sessions.log_in(username, payload.get("password"), now=self._portal.monotonic())
        if session is None:
            return Answer(ErrorCode.LOGIN, Text.LOGIN)
        call.username = str(username)
        return Answer(ErrorCode.SUCCESS, Text.LOGGED_IN, session=session)

    async def _accept(self, call: Call, meeting: Meeting, *, is_gone: bool) -> Reply:
        """Store what a data service brings, together with the record of the call."""
        portal, payload, limits = self._portal, call.payload or {}, self._portal.limits
        handle = portal.desk.accept_dossiers if call.service is Service.DOSSIERS else portal.desk.accept_steps
        # A client that gave up during F7 is served to the end: for it, too, the answer is lost.
        delivered = not (is_gone or meeting.cut_after or meeting.gateway_timeout_seconds is not None)

        def work(books: Books) -> Reply:
            answer = handle(books, payload, limits, meeting.twist, portal.now_us())
            reply = replies.write(answer, limits, meeting)
            books.put_call(self._row(call, meeting, reply, delivered=delivered), kept=limits.calls_kept)
            return reply

        return await portal.store.write(work)

    async def _look(self, call: Call, meeting: Meeting) -> Answer:
        payload, catalogue = call.payload or {}, self._portal.catalogue
        match call.service:
            case Service.LOOKUP:
                return await self._look_up(call, meeting)
            case Service.PROCEDURE:
                code = payload.get("maTTHC")
                if not isinstance(code, str) or not code:
                    return Answer(ErrorCode.INVALID, "maTTHC: bắt buộc, phải là chuỗi")
                return Answer(ErrorCode.SUCCESS, Text.DONE, catalogue.procedure(code))
            case Service.PROCEDURES:
                return Answer(ErrorCode.SUCCESS, Text.DONE, catalogue.procedures())
            case Service.AGENCIES:
                return Answer(ErrorCode.SUCCESS, Text.DONE, catalogue.agencies())
            case _:
                return Answer(ErrorCode.SUCCESS, Text.DONE, catalogue.fields())

    async def _look_up(self, call: Call, meeting: Meeting) -> Answer:
        portal, codes, limit = self._portal, call.codes, self._portal.limits.codes_per_lookup
        if not codes:
            return Answer(ErrorCode.INVALID, "mahoso: bắt buộc, các mã cách nhau bằng dấu phẩy")
        if len(codes) > limit:
            return Answer(ErrorCode.INVALID, f"mahoso: tối đa {limit} mã trong một lần gọi")
        lag = meeting.lag
        since_us = 0 if lag is None else portal.now_us() - int(lag.seconds * 1_000_000)

        def is_hidden(code: str, first_us: int) -> bool:
            if lag is None or first_us < since_us:
                return False
            return lag.pattern is None or lag.pattern.search(code) is not None

        found = await portal.store.read(
            lambda connection: answers.look_up(connection, codes, is_hidden=is_hidden),
        )
        return Answer(ErrorCode.SUCCESS, Text.DONE, found)

    async def _send(self, call: Call, meeting: Meeting, reply: Reply) -> Response:
        await self._record(call, meeting, reply, delivered=True)
        return _response(reply)

    async def _record(self, call: Call, meeting: Meeting, reply: Reply | None, *, delivered: bool) -> None:
        row, kept = self._row(call, meeting, reply, delivered=delivered), self._portal.limits.calls_kept
        await self._portal.store.write(lambda books: books.put_call(row, kept=kept))

    def _row(self, call: Call, meeting: Meeting, reply: Reply | None, *, delivered: bool) -> CallRecord:
        limit = self._portal.limits.call_text_bytes
        madonvi = (call.payload or {}).get("madonvi")
        sent = reply if delivered else None
        if meeting.gateway_timeout_seconds is not None:
            sent = replies.html(_GATEWAY_TIMEOUT)
        return CallRecord(
            received_us=call.received_us,
            path=f"/mapi/{call.path}",
            service=call.service_name,
            username=call.username,
            madonvi=madonvi[:50] if isinstance(madonvi, str) else None,
            items=len(call.codes),
            codes=call.codes[:_SHOWN_CODES],
            request=_shown_request(call, limit),
            request_bytes=len(call.raw),
            status=None if sent is None else sent.status,
            answer=None if reply is None else _without_session(reply.body)[:limit].decode("utf-8", "replace"),
            outcome="dropped" if sent is None else sent.outcome,
            delivered=delivered,
            faults=[fault.value for fault in meeting.fired],
            milliseconds=round((time.perf_counter() - call.began) * 1000, 3),
        )


def _response(reply: Reply) -> Response:
    response = Response(reply.body, reply.status, reply.headers)
    response.headers["content-type"] = reply.content_type
    return response


def mapi_routes(portal: Portal) -> APIRouter:
    """Make the routes of the protocol."""
    counter = Counter(portal)
    routes = APIRouter(prefix="/mapi", tags=["protocol"])

    @routes.post("/login", openapi_extra=LOGIN_BODY, summary="Đăng nhập · log in")
    async def login(request: Request) -> Response:
        """Give a session. `dstcode` as a header or a query parameter."""
        return await counter.serve(request, "login")

    @routes.post("/g", openapi_extra=CALL_BODY, summary="Dịch vụ hồ sơ · dossier services")
    async def integrate(request: Request) -> Response:
        """DongBoHoSoMC, CapNhatTienDoHoSoMC, TraCuuHoSo, LayThuTuc."""
        return await counter.serve(request, "g")

    @routes.post("/share", openapi_extra=CALL_BODY, summary="Danh mục · dictionaries")
    async def share(request: Request) -> Response:
        """LayDanhSachTTHC, LayDanhMucCoQuan, LayDanhMucLinhVuc."""
        return await counter.serve(request, "share")

    return routes
