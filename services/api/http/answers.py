"""JSON as the API writes it: instants end in ``Z``."""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final

import orjson
from fastapi import Response
from pydantic import BaseModel

MEDIA_TYPE: Final = "application/json"

CODE_PARAMETERS: Final = frozenset({"procedure", "field"})
ROW: Final = "row"
"""Names a code where a table is cut by one of `CODE_PARAMETERS`."""
UNKNOWN_CODE_HEADER: Final = "x-unknown-code"
unknown_codes: Final[ContextVar[Mapping[str, str]]] = ContextVar("unknown_codes")
"""Of the request that is served: parameters that were given a code which neither catalogue nor log knows, with the code."""


def as_json(content: Any, *, any_keys: bool = False) -> bytes:
    """JSON of plain values. ``any_keys``: numbers and dates may be keys, which takes a third longer."""
    return orjson.dumps(content, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS if any_keys else orjson.OPT_UTC_Z)


def json_answer(
    content: Any, status: int = 200, headers: Mapping[str, str] | None = None, *, any_keys: bool = False
) -> Response:
    """One answer: a model, or plain values where a model for each row would cost too much."""
    is_model = isinstance(content, BaseModel)
    text = content.model_dump_json(by_alias=True).encode() if is_model else as_json(content, any_keys=any_keys)
    if (unknown := unknown_codes.get({})) and text.startswith(b"{"):
        text = b'{"unknown_code":%b,%b' % (as_json(unknown), text[1:])
    return Response(text, status, headers, MEDIA_TYPE)
