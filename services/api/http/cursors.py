"""Opaque cursors of keyset pages, good only for the list that made them.

A cursor holds the place where the next page begins, and a digest of who asked for what in which order. It is no secret and
grants nothing: the place is looked up under the caller's own filters and rights.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

import orjson

from shared.search.store.pages import PageKey
from shared.vocabulary.codes import is_dossier_code
from shared.vocabulary.errors import InvalidInput

_VERSION: Final = 1
_DIGEST_BYTES: Final = 9

_T = TypeVar("_T")


def digest_of(question: Mapping[str, Any]) -> str:
    """What a cursor is bound to: the caller, the filters and the order."""
    text = orjson.dumps(question, option=orjson.OPT_SORT_KEYS, default=str)
    return base64.urlsafe_b64encode(hashlib.sha256(text).digest()[:_DIGEST_BYTES]).decode()


def written(mark: PageKey | None, digest: str) -> str | None:
    """The cursor that begins after ``mark``; None: there is no next page."""
    if mark is None:
        return None
    value = None if mark.value is None else mark.value.isoformat()
    return base64.urlsafe_b64encode(orjson.dumps([_VERSION, digest, value, mark.code])).rstrip(b"=").decode()


def cut(rows: list[_T], limit: int, digest: str, code: Callable[[_T], str]) -> tuple[list[_T], str | None]:
    """The page of a list by code, and its `next_cursor`; there is a next page if more than ``limit`` rows were found."""
    page = rows[:limit]
    return page, written(PageKey(None, code(page[-1])) if len(rows) > limit else None, digest)


def read(cursor: str | None, digest: str, *, any_code: bool = False) -> PageKey | None:
    """Where to begin. ``any_code``: of a list whose codes are not those of dossiers.

    Raises:
        InvalidInput: it is no cursor of ours, or it was made for other filters, another order or another key.
    """
    if cursor is None:
        return None
    parts = _parts(cursor, any_code=any_code)
    if parts is None:
        raise InvalidInput.of("/cursor", "cursor", "a next_cursor of this list")
    made_for, mark = parts
    if made_for != digest:
        detail = "a next_cursor of the same list: filters, sort and key as they were when it was given"
        raise InvalidInput.of("/cursor", "cursor_of_another_list", detail)
    return mark


def _parts(cursor: str, *, any_code: bool) -> tuple[str, PageKey] | None:
    try:
        version, made_for, value, code = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        at = None if value is None else datetime.fromisoformat(value)
    except (ValueError, TypeError):
        return None
    is_ours = version == _VERSION and isinstance(code, str) and (any_code or is_dossier_code(code))
    return (made_for, PageKey(at, code)) if is_ours and (at is None or at.tzinfo is not None) else None
