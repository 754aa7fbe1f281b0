"""How answers are written: the protocol's JSON, the adapter's HTML, and the ways faults disfigure them."""

import math
import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Final

import orjson

from services.mock_portal.faults.faults import Meeting, Refusal
from services.mock_portal.faults.rules import Fault
from services.mock_portal.protocol.codes import ErrorCode, Text
from services.mock_portal.protocol.desk import Answer
from services.mock_portal.settings import Limits

_JSON: Final = "application/json; charset=utf-8"
_HTML: Final = "text/html; charset=utf-8"
_HTTP_OK: Final = 200
_REASONS: Final = {
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
_SUCCESS_CODES: Final[dict[str, str | int]] = {"number": 0, "0": "0", "00": "00"}


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer, ready to be sent. `outcome` is how the calls are counted."""

    status: int
    body: bytes
    outcome: str
    content_type: str = _JSON
    headers: dict[str, str] = field(default_factory=dict)


def plain_text(text: str) -> str:
    """Take the Vietnamese diacritics off."""
    decomposed = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def _said(text: str, variant: str | None) -> str:
    match variant:
        case "plain":
            return plain_text(text)
        case "upper":
            return text.upper()
        case "nfd":
            return unicodedata.normalize("NFD", text)
        case _:
            return text


def write(answer: Answer, limits: Limits, meeting: Meeting) -> Reply:
    """Write an answer of the portal, with the disfigurements (F8, F9, F19, F20) this call meets."""
    code: str | int = answer.code.value
    if answer.code is ErrorCode.SUCCESS:
        variant = meeting.success_code
        code = limits.success_code if variant is None else _SUCCESS_CODES[variant]
    said = meeting.message_text
    body: dict[str, Any] = {"error_code": code, "message": _said(answer.message, said)}
    if answer.session is not None:
        body["session"] = answer.session
    if answer.result is not None:
        body["result"] = [
            row | {"MESSAGE": _said(row["MESSAGE"], said)} if "MESSAGE" in row else row for row in answer.result
        ]
    outcome = answer.code.value
    if meeting.drops_error_code:
        del body["error_code"]
        outcome = "garbled"
    text = orjson.dumps(body)
    if meeting.garbled is not None:
        text, outcome = text[: len(text) // 2], "garbled"
    return Reply(_HTTP_OK, text, outcome)


def html(status: int, retry_after_seconds: float | None = None) -> Reply:
    """Write an error of the adapter in front of the portal."""
    reason = _REASONS[status]
    page = (
        f"<html>\r\n<head><title>{status} {reason}</title></head>\r\n<body>\r\n"
        f"<center><h1>{status} {reason}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    )
    headers = {}
    if retry_after_seconds is not None:
        headers["Retry-After"] = str(math.ceil(retry_after_seconds))
    return Reply(status, page.encode(), f"http_{status}", _HTML, headers)


def no_route() -> Reply:
    """Write the adapter's answer to a dstcode it cannot route."""
    return Reply(404, b"Unknown service member\n", "http_404", "text/plain; charset=utf-8")


def too_many_calls(wait_seconds: float) -> Reply:
    """Write HTTP 429 with Retry-After in whole seconds."""
    body = orjson.dumps({"error_code": ErrorCode.RATE.value, "message": Text.RATE})
    return Reply(429, body, "http_429", headers={"Retry-After": str(max(1, math.ceil(wait_seconds)))})


def refuse(refusal: Refusal, limits: Limits, meeting: Meeting, *, now: datetime) -> Reply:
    """Write the answer of a fault that keeps the call from the portal."""
    match refusal.fault:
        case Fault.SESSION_EXPIRED:
            return write(Answer(ErrorCode.SESSION, Text.SESSION), limits, meeting)
        case Fault.LOGIN_REFUSED:
            return write(Answer(ErrorCode.LOGIN, Text.LOGIN), limits, meeting)
        case Fault.MAINTENANCE:
            return html(503, refusal.retry_after_seconds)
        case Fault.RATE_LIMIT:
            return _rate_limit(refusal, limits, meeting, now=now)
        case Fault.GARBLED:
            page = b"" if refusal.variant == "empty" else b"<html><body>OK</body></html>"
            return Reply(_HTTP_OK, page, "garbled", _HTML if page else _JSON)
        case _:
            return html(int(refusal.variant))


def _rate_limit(refusal: Refusal, limits: Limits, meeting: Meeting, *, now: datetime) -> Reply:
    if refusal.variant == "code":
        return write(Answer(ErrorCode.RATE, Text.RATE), limits, meeting)
    reply = too_many_calls(refusal.retry_after_seconds)
    if refusal.variant == "date":
        # An HTTP date has whole seconds: rounded up, so that it never promises too early a time.
        until = now + timedelta(seconds=math.ceil(refusal.retry_after_seconds) + 1)
        reply.headers["Retry-After"] = format_datetime(until.astimezone(UTC), usegmt=True)
    return reply
