"""An answer that fails after its status was sent is cut so that every client sees it.

A chunked body without its end says so by itself. A client of HTTP/1.0 reads until the connection is closed, whatever was
sent; only a reset tells it that there should have been more.
"""

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from starlette.types import Receive

_RESET_AT_ONCE: Final = struct.pack("ii", 1, 0)


@contextmanager
def cut_where_it_fails(receive: Receive, begun: Callable[[], bool]) -> Iterator[None]:
    """Whatever ends the block with an error, the process's own end too, cuts an answer that has begun."""
    try:
        yield
    except BaseException:
        if begun():
            cut(receive)
        raise


def cut(receive: Receive) -> None:
    """Reset the connection that ``receive``, the server's own, reads from. Where it is not uvicorn's, nothing is done."""
    # ASGI has no word for it: the transport is had from what the server's receive is a method of (Starlette wraps its send)
    transport: Any = getattr(getattr(receive, "__self__", None), "transport", None)
    if transport is None or transport.is_closing():
        return
    connection = transport.get_extra_info("socket")
    if connection is not None and connection.family in {socket.AF_INET, socket.AF_INET6}:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_ONCE)
    transport.abort()
