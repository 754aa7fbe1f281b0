"""The quick check of an event never takes one that the models refuse, and never records it otherwise than they would."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.events.cloudevents.decoding import _read_by_schema, plain_event, read_event
from shared.events.cloudevents.fast_decoding import NotRegular, plain
from shared.events.cloudevents.json_format import InvalidEventError
from shared.events.cloudevents.models import MODELS
from shared.vocabulary.events import EventName, Tenant
from tests.oracle.histories import seeded_tenant

H51 = Tenant("H51")
KEY = b"k" * 32
TOLD = [name for name in EventName if name is not EventName.DUE_SET]

TEXTS = st.one_of(
    st.sampled_from(
        (
            *("", " ", "a", "a b", "\t", "\x00", "\x7f", "\x85", "\xa0", "\u2028", "é", "😀", "x" * 51, "x" * 501),
            *("H51", "H51.12", "H51.12.003", "H51.1", "G09.12", "000.00.12.H51", "H51.12\n", "H510", "H51.١٢"),
            *("H51.12-180102-00123", "G09.12-180102-00123", "000.00.04.H51-200221-0001", "H51.12-180102-00123\n"),
            *(
                "1.005129",
                "1/2",
                "-1",
                "online",
                "ONLINE",
                "approved",
                "national",
                "citizen",
                "true",
                "1.0",
                "urn:motcua:system",
            ),
            *("2018-01-02T08:30:00+07:00", "2018-01-02t08:30:00.1234567z", "2018-02-30T00:00:00Z", "2018-01-02T08:30:60Z"),
            *(
                "2018-01-02",
                "0001-01-01T00:00:00Z",
                "9999-12-31T23:59:59-14:00",
                "application/json",
                "text/json",
                "text/html",
            ),
        )
    ),
    st.text(max_size=12),
)
SCALARS = st.one_of(
    TEXTS,
    st.none(),
    st.booleans(),
    st.integers(-2, 101),
    st.sampled_from((10**15, 10**15 + 1, 2**63, 0.0, 1.0, 1.5)),
    st.floats(),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)), max_leaves=4
)


def example(name: EventName) -> dict[str, Any]:
    return copy.deepcopy(MODELS[name.type].model_config["json_schema_extra"]["examples"][0])  # type: ignore[index,call-overload]


def places(event: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(event, dict):
        for key, value in event.items():
            found += places(value, (*path, key))
    if isinstance(event, list):
        for index, value in enumerate(event):
            found += places(value, (*path, index))
    return found


@st.composite
def spoilt_events(draw: Any) -> dict[str, Any]:
    """An example with some values replaced, taken away or added."""
    event = example(draw(st.sampled_from(TOLD)))
    for _ in range(draw(st.integers(0, 3))):
        all_places = places(event)
        path = draw(st.sampled_from(all_places))
        part: Any = event
        for step in path[:-1]:
            part = part[step]
        what = draw(st.sampled_from(("value", "drop", "add", "type")))
        if what == "value":
            part[path[-1]] = draw(VALUES)
        elif what == "drop":
            del part[path[-1]]
        elif what == "add" and isinstance(part, dict):
            names = st.sampled_from(
                ("officer", "applicant", "flags", "results", "fees", "due_at", "reason", "data", "traceparent")
            )
            part[draw(st.one_of(names, TEXTS))] = draw(VALUES)
        else:
            event["type"] = draw(st.sampled_from(TOLD)).type
    return event


def by_schema(raw: bytes) -> Any:
    try:
        return _read_by_schema(raw, H51, KEY)
    except InvalidEventError:
        return None


@given(event=spoilt_events())
@settings(max_examples=1500, deadline=None)
def test_what_is_taken_quickly_is_what_the_models_take(event: dict[str, Any]) -> None:
    raw = orjson.dumps(event)
    quick = plain_event(raw, H51, KEY)
    assert quick is None or quick == by_schema(raw)


@pytest.mark.parametrize("name", TOLD)
def test_every_example_is_plain(name: EventName) -> None:
    raw = orjson.dumps(example(name))
    assert plain_event(raw, H51, KEY) == by_schema(raw) is not None


def test_nearly_every_event_of_messy_histories_is_plain() -> None:
    logged = [orjson.dumps(event) for event in seeded_tenant(7, 300)]
    quick = [plain_event(raw, H51, KEY) for raw in logged]
    assert sum(one is not None for one in quick) > 0.7 * len(logged)
    assert all(one is None or one == by_schema(raw) for one, raw in zip(quick, logged, strict=True))


@pytest.mark.parametrize(
    "logged",
    [
        b'{"id":"a","id":"b"}',
        b'{"type":"vn.motcua.dossier.rated.v1","data":{"satisfied":true}}',
        b'{"data":{"officer":"x","officer":"y"}}',
        b'{"data":{"officer":"x"},"data":{"officer":"y"}}',
        b'{"data":{"officer":"x","officer":null}}',
    ],
)
def test_of_names_told_twice_the_last_one_counts_either_way(logged: bytes) -> None:
    raw = orjson.dumps(example(EventName.ASSIGNED))[:-1] + b"," + logged[1:]
    assert read_event(raw, H51, KEY) == by_schema(raw) is not None


@pytest.mark.parametrize("event", [None, 1, "x", [], {}, {"specversion": "1.0"}, {"type": []}])
def test_what_is_no_event_is_in_doubt(event: Any) -> None:
    with pytest.raises(NotRegular):
        plain(orjson.dumps(event), H51)
