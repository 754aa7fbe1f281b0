"""What is cut in windows is cut as the parser that validates sees it, wherever the windows end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import from_json

from services.api.http.bodies.json_cutter import Cutter
from services.api.http.errors.problems import InvalidFields, Refused
from tests.support.http.bodies import MOST, bodies, expected

LONGEST = 300


async def _turn() -> None:
    await asyncio.sleep(0)


async def _cut(body: bytes, window: int) -> list[str] | str:
    cutter = Cutter(body, _turn, len(body), window)
    try:
        if not await cutter.peek():
            return "no JSON"
        items = await cutter.items(MOST)
        await cutter.end()
    except Refused:
        return "no JSON"
    except InvalidFields as refused:
        type_ = str(refused.faults[0].type)
        return "list_type" if type_ == "missing" else type_
    return [repr(from_json(item)) for item in items]


@given(body=bodies(), window=st.integers(1, 40))
@settings(max_examples=600, deadline=None)
def test_the_items_are_those_of_the_parser_that_validates(body: bytes, window: int) -> None:
    found, right = asyncio.run(_cut(body, window)), expected(body)
    if found == "too_many" and right == "no JSON":
        return  # it looks no further
    assert found == right


async def _members(body: bytes, window: int) -> dict[str, Any] | str:
    cutter = Cutter(body, _turn, LONGEST, window)
    try:
        found = {name: from_json(await cutter.value()) async for name in cutter.names()}
        await cutter.end()
    except Refused:
        return "no JSON"
    return found


@pytest.mark.parametrize("window", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b' { "a" : [1, {"b": "}"}] , "\\u00e9\\"":2.5e1 ,"n":-0}\n',
        b'{"a":1,}',
        b'{"a"}',
        b'{"a":1',
        b"{a:1}",
        b'{"a":1}x',
        b"{1:2}",
    ],
)
def test_members_too(body: bytes, window: int) -> None:
    try:
        right: Any = from_json(body)
    except ValueError:
        right = "no JSON"
    assert asyncio.run(_members(body, window)) == right


@pytest.mark.parametrize("item", [b'"%b"' % (b"x" * LONGEST), b"1" * (LONGEST + 1), b"[%b0]" % (b"0," * LONGEST)])
def test_an_item_that_is_too_long_is_named(item: bytes) -> None:
    for window in (1, 64, 10_000):
        with pytest.raises(InvalidFields) as refused:
            asyncio.run(Cutter(b"[1,%b]" % item, _turn, LONGEST, window).items(MOST))
        assert (refused.value.faults[0].pointer, refused.value.faults[0].type) == ("/1", "item_too_long")


def test_a_nest_too_deep_is_no_json() -> None:
    for body in (b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000):
        with pytest.raises(Refused):
            asyncio.run(Cutter(body, _turn, 2**20).items(MOST))
