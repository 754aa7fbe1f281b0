"""Bodies that are arrays, or nearly, and what becomes of them by the parser that validates."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st
from pydantic_core import from_json

MOST = 5

VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=6,
)


@st.composite
def bodies(draw: Any) -> bytes:
    """JSON, or nearly: NaN and Infinity, a byte replaced, taken away or added."""
    value = draw(st.one_of(st.lists(VALUES, max_size=MOST + 1), VALUES))
    body = json.dumps(value, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from((None, 1))))
    raw = body.encode(errors="surrogatepass")
    if draw(st.booleans()):
        place = draw(st.integers(0, len(raw)))
        strange = st.sampled_from(
            (b"", b"\xff", b"\x00", b"\\", b'"', b",", b"]", b"[", b"}", b"0", b"\\ud800", b"\xc3", b"1e999")
        )
        raw = raw[:place] + draw(strange) + raw[place + draw(st.integers(0, 1)) :]
    return raw


def expected(body: bytes) -> list[str] | str:
    try:
        value = from_json(body)
    except ValueError:
        return "no JSON"
    if not isinstance(value, list):
        return "list_type"
    if len(value) > MOST:
        return "too_many"
    return [repr(item) for item in value]
