"""How long a body is, as the headers of its request tell it."""

from typing import Final

from starlette.types import Scope

from services.api.http.bodies.limits import FIRST_PIECE_BYTES

NO_BODY: Final = 0
CHUNKED: Final = -1
_MOST_DIGITS: Final = 18
_KNOWN: Final = "motcua.body_size"


def size_of(scope: Scope) -> tuple[int, bool]:
    """A body's size as the headers tell it (0: none, -1: untold), and whether it is small, as it is, and comes unasked."""
    known: tuple[int, bool] | None = scope.get(_KNOWN)
    if known is not None:
        return known
    size, is_other = NO_BODY, False
    if scope["type"] == "http":
        for name, value in scope["headers"]:
            if name == b"content-length":
                size = int(value[:_MOST_DIGITS]) if value.isdigit() else CHUNKED
            elif name == b"transfer-encoding":
                size = CHUNKED
                break
            elif name in (b"expect", b"content-encoding"):
                is_other = True
    found = scope[_KNOWN] = size, 0 < size <= FIRST_PIECE_BYTES and not is_other
    return found
