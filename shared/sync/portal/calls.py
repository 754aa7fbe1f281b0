"""One POST to a system outside that speaks JSON over HTTP, and what HTTP alone says of it, as an outcome."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

import httpx

from shared.sync.portal import answers
from shared.sync.portal.answers import DEFAULT_RETRY_AFTER_SECONDS
from shared.sync.rules.outcomes import Ambiguous, Failure, Garbled, Refused, Throttled, Unavailable

MOST_CONNECTIONS: Final = 8
"""httpx slows down with concurrency: few connections, many dossiers per call."""

# A server closes an idle connection after 5 s (uvicorn's default); a call sent into one that closes looks ambiguous.
_KEEPALIVE_SECONDS: Final = 4.0

_MISCONFIGURED: Final = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}
)


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds to connect, between two reads, and for a whole call with its login and its repetition."""

    connect_seconds: float = 3.0
    read_seconds: float = 25.0
    total_seconds: float = 30.0


def http_client(url: str, deadlines: Deadlines, headers: Mapping[str, str] | None = None) -> httpx.AsyncClient:
    """A client of one system."""
    return httpx.AsyncClient(
        base_url=url,
        headers={"Accept": "application/json", "Content-Type": "application/json", **(headers or {})},
        timeout=httpx.Timeout(deadlines.read_seconds, connect=deadlines.connect_seconds),
        limits=httpx.Limits(
            max_connections=MOST_CONNECTIONS,
            max_keepalive_connections=MOST_CONNECTIONS,
            keepalive_expiry=_KEEPALIVE_SECONDS,
        ),
        follow_redirects=False,
        # the adapter stands in our own network; a proxy from the environment has no business with it
        trust_env=False,
    )


async def post(
    http: httpx.AsyncClient, path: str, content: bytes, passed: Callable[[str], None]
) -> bytes | Throttled | Failure:
    """The content of an answer with status 200. ``passed``: told before the call and after it (fault campaigns only)."""
    passed("before-call")
    try:
        response = await http.post(path, content=content)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        return Unavailable(f"not reached: {type(error).__name__}")
    except httpx.TransportError as error:
        # sent, at least in part; what the message says may hold parts of the body
        return Ambiguous(f"no answer: {type(error).__name__}")
    passed("after-call")
    return refused_at_door(response) or response.content


def refused_at_door(response: httpx.Response) -> Throttled | Failure | None:
    """What the HTTP status alone decides; None for 200."""
    status = response.status_code
    if status == HTTPStatus.OK:
        return None
    wait = answers.retry_after_seconds(response.headers.get("Retry-After"), _now_there(response))
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Throttled(DEFAULT_RETRY_AFTER_SECONDS if wait is None else wait)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        # 504 may hide a call that was applied: it is repeated as it is, like any other
        return Unavailable(f"HTTP {status}", wait if status == HTTPStatus.SERVICE_UNAVAILABLE else None)
    if status in _MISCONFIGURED:
        return Refused(f"HTTP {status}")
    return Garbled(f"HTTP {status}", declined=status >= HTTPStatus.BAD_REQUEST)


def _now_there(response: httpx.Response) -> datetime:
    """The clock of who answered, else ours: a Retry-After date is meant by theirs."""
    try:
        there = parsedate_to_datetime(response.headers["Date"])
    except (KeyError, ValueError):
        return datetime.now(UTC)
    return there if there.tzinfo is not None else datetime.now(UTC)
