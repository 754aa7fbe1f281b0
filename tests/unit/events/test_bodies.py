"""An array of events is cut into its items without being read: nothing that is no JSON may pass for that."""

from __future__ import annotations

import tracemalloc
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from pydantic_core import from_json

from services.api.events import bodies as bodies_module
from services.api.events.bodies import items_of
from services.api.http.errors.problems import InvalidFields, Refused
from tests.support.http.bodies import MOST, bodies, expected


def outcome(body: bytes) -> list[str] | str:
    """Each item in one spelling, or what is wrong with the whole."""
    try:
        items = items_of(body, MOST)
    except Refused:
        return "no JSON"
    except InvalidFields as refused:
        return str(refused.faults[0].type)
    return [repr(from_json(item)) for item in items]


@given(body=bodies())
@settings(max_examples=1500, deadline=None)
def test_the_items_are_those_of_the_parser_that_validates(body: bytes) -> None:
    assert outcome(body) == expected(body)


@pytest.mark.parametrize("depth", [150, 500, 1_010, 5_000, 200_000])
def test_a_nest_without_end_harms_nobody(depth: int) -> None:
    nest = b"[" * depth + b"]" * depth
    body = b'[{"id":"a"},' + nest + b"]"
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        with pytest.raises(Refused):
            items_of(body, MOST)
        return
    assert items_of(body, MOST)[:1] == [b'{"id":"a"}']
    assert len(items_of(body, MOST)[:]) == 2


@pytest.mark.parametrize("body", [b"[" + b"1," * 1_000_000 + b"1]", b"[" + b"1," * 1_000_000 + b"NaN]"])
def test_far_too_many_items_cost_no_object_each(body: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(InvalidFields):
            items_of(body, 10_000)
        assert tracemalloc.get_traced_memory()[1] < 20 * len(body)  # lists of small numbers, half-grown ones too
    finally:
        tracemalloc.stop()


def test_items_are_written_when_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Any] = []
    monkeypatch.setattr(bodies_module, "_with_any_number", lambda item: written.append(item) or b"{}")
    items = items_of(b'[{"a":1},{"a":NaN},{"a":3}]', MOST)
    assert written == []
    assert items[2] == b"{}"
    assert items[0:1] == [b"{}"]
    assert written == [{"a": 3}, {"a": 1}]


def test_items_come_as_they_were_sent() -> None:
    assert items_of(' [ {"a" : 1.50} ,"é"] '.encode(), MOST)[:] == [b'{"a" : 1.50}', '"é"'.encode()]
    assert orjson.loads(items_of(b'[{"a":1},NaN]', MOST)[0]) == {"a": 1}
