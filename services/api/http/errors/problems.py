"""RFC 9457 answers: the one place where an error becomes HTTP."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.responses import Response

from services.api.http.errors import messages
from services.api.http.errors.field_errors import Fault, parameter_faults, translated
from services.api.http.errors.messages import Kind, Language, preferred_language
from services.serving.methods import allowed_methods
from services.serving.refusals import MEDIA_TYPE, TYPE_PREFIX
from shared.database.outages import is_outage
from shared.observability import failure_of, get_logger, note
from shared.vocabulary import errors
from shared.vocabulary.errors import FieldError, MotcuaError
from shared.vocabulary.spelling import is_utf8

RETRY_AFTER_SECONDS: Final = 2
MOST_FAULTS: Final = 100
"""Of one request that are told."""

NOT_UTF8: Final = Fault("", "encoding", {})
ANOTHER_FOLLOWS: Final = Fault("", "another_follows", {})
"""Behind a body in JSON that is complete."""
NOT_JSON: Final = Fault("", "json_invalid", {})
NOT_GZIP: Final = Fault("", "gzip", {})

_CLIENT_CLOSED: Final = 499


class Unauthenticated(MotcuaError):  # noqa: N818 - named like the rest of the tree
    """No key, or not a valid one."""


class TooManyWrongKeys(errors.TooMany):
    """A wrong key, of an address that has sent too many."""


class InvalidFields(MotcuaError):  # noqa: N818 - named like the rest of the tree
    """Input that cannot be taken, as faults that are told in the caller's language."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"{len(faults)} fault(s)")
        self.faults = faults

    @classmethod
    def of(cls, pointer: str, type_: str, **values: Any) -> "InvalidFields":
        """One wrong field."""
        return cls([Fault(pointer, type_, values)])


class Refused(MotcuaError):  # noqa: N818 - named like the rest of the tree
    """A request that is refused as a whole: too large, of an unknown content type, malformed."""

    def __init__(
        self,
        kind: Kind,
        faults: Sequence[Fault] = (),
        detail: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(kind.code)
        self.kind = kind
        self.faults = faults
        self.detail = detail
        self.headers = headers


def unsupported_type(*taken: str) -> Refused:
    """415 that names the content types which are taken."""
    listed = ", ".join(taken)
    one_of = "one of " if len(taken) > 1 else ""
    fault = Fault("", "content_type", {"taken": listed})
    return Refused(messages.UNSUPPORTED_TYPE, [fault], f"Send {one_of}{listed}.")


def language_of(connection: HTTPConnection) -> Language:
    """The language in which this request is answered."""
    return preferred_language(connection.headers.get("accept-language", ""))


def problem_body(
    kind: Kind, language: Language, *, detail: str | None = None, field_errors: Sequence[FieldError] = ()
) -> dict[str, Any]:
    """The problem as JSON: what stands in a receipt too."""
    body: dict[str, Any] = {
        "type": TYPE_PREFIX + kind.code,
        "title": kind.title.text(language),
        "status": kind.status,
        "detail": detail if detail and language is Language.ENGLISH else kind.detail.text(language),
    }
    if field_errors:
        body["errors"] = [{"pointer": error.pointer, "code": error.code, "detail": error.detail} for error in field_errors]
    return body


def answer(
    connection: HTTPConnection,
    kind: Kind,
    *,
    detail: str | None = None,
    field_errors: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Response:
    """A problem as an HTTP answer, in the language of the request; ``more``: further members (RFC 9457, section 3.2)."""
    language = language_of(connection)
    body = problem_body(kind, language, detail=detail, field_errors=field_errors)
    body |= more or {}
    body["instance"] = connection.url.path
    body["request_id"] = getattr(connection.state, "request_id", None)
    note(problem=kind.code)
    return Response(
        orjson.dumps(body),
        kind.status,
        {"content-language": language.value, "vary": "Accept-Language"} | dict(headers or {}),
        MEDIA_TYPE,
    )


def malformed(body: bytes, place: str = "") -> Refused:
    """The refusal of a body that is no JSON; ``place``: the pointer to what it tells."""
    return Refused(messages.MALFORMED, [Fault(place, (NOT_JSON if is_utf8(body) else NOT_UTF8).type, {})])


_BY_STATUS: Final = {
    400: messages.MALFORMED,
    401: messages.UNAUTHENTICATED,
    403: messages.FORBIDDEN,
    404: messages.NOT_FOUND,
    405: messages.METHOD_NOT_ALLOWED,
    406: messages.NOT_ACCEPTABLE,
    408: messages.TIMED_OUT,
    409: messages.CONFLICT,
    413: messages.TOO_LARGE,
    415: messages.UNSUPPORTED_TYPE,
    422: messages.INVALID,
    429: messages.TOO_MANY,
    503: messages.UNAVAILABLE,
}

_BY_ERROR: Final[Mapping[type[MotcuaError], Kind]] = {
    Unauthenticated: messages.UNAUTHENTICATED,
    TooManyWrongKeys: messages.TOO_MANY_WRONG_KEYS,
    errors.Conflict: messages.CONFLICT,
    errors.NotFound: messages.NOT_FOUND,
    errors.NotYet: messages.NOT_YET,
    errors.Overloaded: messages.UNAVAILABLE,
    errors.Busy: messages.BUSY,
    errors.TooMany: messages.TOO_MANY,
}


async def answer_motcua_error(request: Request, error: Exception) -> Response:
    """The answer to an error of our own tree."""
    language = language_of(request)
    if isinstance(error, errors.InvalidInput | errors.Forbidden):
        translated_errors = [translated(field_error, language) for field_error in error.errors[:MOST_FAULTS]]
        is_right = isinstance(error, errors.Forbidden)
        kind = messages.FORBIDDEN if is_right else messages.INVALID
        return answer(request, kind, detail=str(error) if is_right else None, field_errors=translated_errors)
    if isinstance(error, InvalidFields):
        return answer(
            request, messages.INVALID, field_errors=[fault.as_field_error(language) for fault in error.faults[:MOST_FAULTS]]
        )
    if isinstance(error, Refused):
        translated_errors = [fault.as_field_error(language) for fault in error.faults]
        return answer(request, error.kind, detail=error.detail, field_errors=translated_errors, headers=error.headers)
    kind = next((known for type_, known in _BY_ERROR.items() if isinstance(error, type_)), messages.UNEXPECTED)
    if isinstance(error, Unauthenticated):
        return answer(request, kind, headers={"www-authenticate": 'Bearer realm="motcua"'})
    if isinstance(error, errors.NotYet | errors.Overloaded | errors.TooMany):
        headers = {"retry-after": str(error.retry_after_seconds)}
        return answer(request, kind, detail=str(error), headers=headers)
    return answer(request, kind, detail=str(error) or None)


async def answer_ahead_of_log(request: Request, error: Exception) -> Response:
    """The answer to a position that the log does not have: which one it ends at, and which log it is."""
    assert isinstance(error, errors.AheadOfLog)
    more = {"head": error.head, "log": error.log_id}
    fault = Fault(f"/{error.parameter}", "ahead_of_log", more)
    told = fault.as_field_error(language_of(request))
    return answer(request, messages.AHEAD_OF_LOG, field_errors=[told], more=more)


async def answer_invalid_parameters(request: Request, error: Exception) -> Response:
    """The answer to parameters or a body that FastAPI refused."""
    assert isinstance(error, RequestValidationError)
    language = language_of(request)
    details = error.errors()
    malformed = next((detail for detail in details if detail["type"] == "json_invalid"), None)
    if malformed is not None:
        follows = malformed["ctx"]["error"] == "Extra data" and error.body[malformed["loc"][-1]] in "{["
        return await answer_motcua_error(request, Refused(messages.MALFORMED, [ANOTHER_FOLLOWS if follows else NOT_JSON]))
    if any(detail["loc"] == ("body",) and detail["type"] != "missing" for detail in details) and not _is_json(request):
        return await answer_motcua_error(request, unsupported_type("application/json"))
    faults = parameter_faults(details[:MOST_FAULTS])
    return answer(request, messages.INVALID, field_errors=[fault.as_field_error(language) for fault in faults])


def _is_json(request: Request) -> bool:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return content_type.startswith("application/") and content_type.endswith(("/json", "+json"))


async def answer_http_exception(request: Request, error: Exception) -> Response:
    """The answer to what Starlette or FastAPI itself refuses."""
    assert isinstance(error, HTTPException)
    kind = _BY_STATUS.get(error.status_code)
    if kind is None:
        kind = messages.UNEXPECTED if error.status_code >= messages.UNEXPECTED.status else messages.MALFORMED
    headers = dict(error.headers or {})
    if kind is messages.METHOD_NOT_ALLOWED:
        headers = {"allow": allowed_methods(request)}
    # of what FastAPI itself answers 400: a body that is no text in UTF-8
    faults = [NOT_JSON.as_field_error(language_of(request))] if error.status_code == messages.MALFORMED.status else []
    return answer(request, kind, headers=headers, field_errors=faults)


def answer_unexpected(connection: HTTPConnection, error: Exception) -> Response | None:
    """The answer to any other exception: 503 where PostgreSQL is away, else 500; None where nobody listens any more."""
    if isinstance(error, ClientDisconnect):
        note(status=_CLIENT_CLOSED)
        return None
    if is_outage(error):
        get_logger().warning("database_missed", **failure_of(error))
        return answer(connection, messages.UNAVAILABLE, headers={"retry-after": str(RETRY_AFTER_SECONDS)})
    get_logger().error("request_failed", **failure_of(error))
    return answer(connection, messages.UNEXPECTED)


def install(app: FastAPI) -> None:
    """Make every error of ``app`` a problem; what is not named here `RequestMiddleware` answers."""
    app.add_exception_handler(MotcuaError, answer_motcua_error)
    app.add_exception_handler(errors.AheadOfLog, answer_ahead_of_log)
    app.add_exception_handler(RequestValidationError, answer_invalid_parameters)
    app.add_exception_handler(HTTPException, answer_http_exception)
