"""What is handed over to the reader, the process for heavy reads, and how it travels there and back (decision 44)."""

from asyncio import StreamReader, StreamWriter
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec
from fastapi import Request

from services.api.http.formats import asks_for_file

END: Final = "reader.end"
"""The type of the message behind those of an answer: ``notes`` for the log line, and whether the answer was ``cut``."""

_SIZE_BYTES: Final = 4

_Endpoint = TypeVar("_Endpoint", bound=Callable[..., Any])

_heavy: Final[set[Callable[..., Any]]] = set()
_heavy_as_file: Final[set[Callable[..., Any]]] = set()


class HandedOver(Exception):  # noqa: N818 - no error: it ends the work on a request here
    """The reader answers this request."""


def heavy(endpoint: _Endpoint) -> _Endpoint:
    """Mark an operation whose every request the reader answers."""
    _heavy.add(endpoint)
    return endpoint


def heavy_as_file(endpoint: _Endpoint) -> _Endpoint:
    """Mark an operation whose answer the reader writes where it is not JSON."""
    _heavy_as_file.add(endpoint)
    return endpoint


def is_heavy(request: Request) -> bool:
    """Whether what is asked reads or computes much: as of an instant, a count of all, a file, or so by its operation."""
    endpoint = request.scope["route"].endpoint
    if endpoint in _heavy:
        return True
    if request.method != "GET":
        return False
    query = request.query_params
    return "as_of" in query or "count" in query or (endpoint in _heavy_as_file and asks_for_file(request))


async def send_message(writer: StreamWriter, message: dict[str, Any]) -> None:
    """Send a message of ASGI, or what is like one.

    Raises:
        ConnectionError: the other side has gone.
    """
    encoded = msgspec.msgpack.encode(message, enc_hook=str)
    writer.write(len(encoded).to_bytes(_SIZE_BYTES))
    writer.write(encoded)
    await writer.drain()


async def receive_message(reader: StreamReader) -> dict[str, Any]:
    """Receive one.

    Raises:
        EOFError, ConnectionError: the other side has gone.
    """
    size = int.from_bytes(await reader.readexactly(_SIZE_BYTES))
    message: dict[str, Any] = msgspec.msgpack.decode(await reader.readexactly(size))
    return message
