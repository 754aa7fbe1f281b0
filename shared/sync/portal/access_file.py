"""Files with the access to systems outside, by tenant: read once, never written; what stands in them goes nowhere else."""

import stat
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson
from pydantic import TypeAdapter, ValidationError

from shared.observability import get_logger

T = TypeVar("T")

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class AccessFileError(ValueError):
    """An access file cannot be used; the message names the setting and fields, and never what is in them."""


def read_access_file(path: Path, entries: TypeAdapter[T], setting: str, open_to_others: str) -> T:
    """What a file holds. ``open_to_others``: the log action if others than its owner may read it.

    Raises:
        AccessFileError: the file is not there, cannot be read, or is not what it should be.
    """
    try:
        text = path.read_bytes()
        mode = path.stat().st_mode
    except OSError as error:
        raise AccessFileError(f"{setting}: {path} cannot be read: {error.strerror}") from None
    if mode & _OTHERS:
        get_logger().warning(open_to_others, path=str(path), mode=oct(stat.S_IMODE(mode)))
    try:
        return entries.validate_python(orjson.loads(text))
    except orjson.JSONDecodeError:
        # its message quotes the text
        raise AccessFileError(f"{setting}: {path} is not JSON") from None
    except ValidationError as error:
        wrong = "; ".join(f"{_place(one['loc'])}: {one['msg']}" for one in error.errors(include_input=False))
        raise AccessFileError(f"{setting}: {wrong}") from None


def _place(where: tuple[Any, ...]) -> str:
    return ".".join(str(part) for part in where) or "file"
