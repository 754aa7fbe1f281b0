"""JSON as the API writes it: instants end in ``Z``."""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from fastapi import Response
from pydantic import BaseModel

MEDIA_TYPE: Final = "application/json"


def as_json(content: Any) -> bytes:
    """JSON of plain values."""
    return orjson.dumps(content, option=orjson.OPT_UTC_Z)


def json_answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """One answer: a model, or plain values where a model for each row would cost too much."""
    text = content.model_dump_json(by_alias=True).encode() if isinstance(content, BaseModel) else as_json(content)
    return Response(text, status, headers, MEDIA_TYPE)
