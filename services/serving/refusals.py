"""What the server itself answers, before there is a request that an application could see: RFC 9457 problems, in English.

Which language the client reads is in the head, and the head is what is wrong.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import orjson

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:motcua:problem:"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A kind of refusal: its stable code (the end of ``type``), HTTP status and words."""

    code: str
    status: HTTPStatus
    title: str
    detail: str

    def response(self, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """The whole response, which is the last of its connection; ``headers`` are those that every response has."""
        answer = {"type": TYPE_PREFIX + self.code, "title": self.title, "status": int(self.status), "detail": self.detail}
        body = orjson.dumps(answer)
        lines = [b"HTTP/1.1 %d %s" % (self.status, self.status.phrase.encode())]
        lines += [b"%s: %s" % header for header in headers]
        lines += [
            b"content-type: " + MEDIA_TYPE.encode(),
            b"content-language: en",
            b"content-length: %d" % len(body),
            b"connection: close",
        ]
        return b"\r\n".join(lines) + b"\r\n\r\n" + body


MALFORMED: Final = Refusal(
    "malformed",
    HTTPStatus.BAD_REQUEST,
    "Malformed request",
    "What was sent is no HTTP/1.1 request.",
)
HEAD_TOO_LATE: Final = Refusal(
    "head_too_late",
    HTTPStatus.REQUEST_TIMEOUT,
    "Head too late",
    "The request line and the headers did not arrive whole in time. Send them at once.",
)
TARGET_TOO_LONG: Final = Refusal(
    "target_too_long",
    HTTPStatus.REQUEST_URI_TOO_LONG,
    "Request target too long",
    "Path and query are longer than is taken. Ask for less at once.",
)
HEAD_TOO_LARGE: Final = Refusal(
    "head_too_large",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "Head too large",
    "The headers, or the trailers of a chunked body, are larger or more than is taken.",
)
NO_TUNNEL: Final = Refusal(
    "no_tunnel",
    HTTPStatus.NOT_IMPLEMENTED,
    "No tunnels",
    "This is no proxy: CONNECT is not taken.",
)
