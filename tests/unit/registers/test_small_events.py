"""The events of components, post, surveys and reviews: what is taken, and that the fast path takes nothing else."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events.cloudevents import decoding
from shared.events.cloudevents.decoding import ValidatedEvent, plain_event, read_event
from shared.events.cloudevents.json_format import InvalidEventError
from shared.events.cloudevents.registered import MODELS_BY_REGISTER
from shared.vocabulary.events import Tenant

KEY = b"k" * 32
H51 = Tenant("H51")
EXAMPLES: dict[str, dict[str, Any]] = {
    type_: model.model_config["json_schema_extra"]["examples"][0]  # type: ignore[index,call-overload]
    for register in ("component", "post", "survey", "review")
    for type_, model in MODELS_BY_REGISTER[register].items()
}


def read(event: dict[str, Any]) -> ValidatedEvent:
    return read_event(json.dumps(event).encode(), H51, KEY)


def by_schema(event: dict[str, Any]) -> ValidatedEvent | None:
    try:
        return decoding._read_by_schema(json.dumps(event).encode(), H51, KEY)
    except InvalidEventError:
        return None


@pytest.mark.parametrize("type_", sorted(EXAMPLES))
def test_every_example_is_taken_and_takes_the_fast_path(type_: str) -> None:
    event = EXAMPLES[type_]
    assert plain_event(json.dumps(event).encode(), H51, KEY) == by_schema(event) is not None


def places(part: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    return [path, *(place for key, value in inner for place in places(value, (*path, key)))]


ODD = [
    None,
    True,
    0,
    1,
    2,
    1.0,
    1.5,
    -1,
    10**9 + 1,
    10**15 + 1,
    1e400,
    "",
    "x",
    "H51.12",
    "G09",
    [],
    {},
    [1],
    {"1": 2},
    {"10": 1},
]


@given(st.sampled_from(sorted(EXAMPLES)), st.data())
def test_the_fast_path_takes_less_and_nothing_otherwise(type_: str, data: Any) -> None:
    event = copy.deepcopy(EXAMPLES[type_])
    for _ in range(data.draw(st.integers(1, 2))):
        path = data.draw(st.sampled_from([place for place in places(event) if place]))
        part: Any = event
        for key in path[:-1]:
            part = part[key]
        if data.draw(st.booleans()):
            part[path[-1]] = copy.deepcopy(data.draw(st.sampled_from(ODD)))  # what follows changes it
        elif isinstance(part, dict):
            part["strange"] = part.pop(path[-1])
    fast = plain_event(json.dumps(event).encode(), H51, KEY)
    assert fast is None or fast == by_schema(event)


def changed(type_: str, **data: Any) -> dict[str, Any]:
    event = copy.deepcopy(EXAMPLES[f"vn.motcua.{type_}.v1"])
    event["data"] |= data
    return event


@pytest.mark.parametrize(
    ("event", "pointer"),
    [
        (changed("component.submitted", form="scan"), ("data", "form")),
        (changed("component.submitted", component_code=None), ("data", "component_code")),
        (changed("component.reused", source_ref="079080012345"), ("data", "source_ref")),
        (changed("component.digitised", file="a b"), ("data", "file")),
        (changed("component.result_issued", signed=1), ("data", "signed")),
        (changed("component.submitted", name="Nguyễn Văn A"), ("data", "name")),
        (changed("component.submitted") | {"subject": "G09.20-20260609-0092637"}, ("subject",)),
        (changed("component.submitted") | {"subject": "PKS-1"}, ("subject",)),
        (changed("post.failed", reason="late"), ("data", "reason")),
        (changed("post.collected", fee_vnd=-1), ("data", "fee_vnd")),
        (changed("post.collected", fee_vnd=10**15 + 1), ("data", "fee_vnd")),
        (changed("post.handed_over", item_no="0912345678"), ("data", "item_no")),
        (changed("survey.submitted", overall="good"), ("data", "overall")),
        (changed("survey.submitted", answers={"3": 3}), ("data", "answers", "3")),
        (changed("survey.submitted", answers={"10": 1}), ("data", "answers", "10", "[key]")),
        (changed("survey.submitted", answers={"3": True}), ("data", "answers", "3")),
        (changed("survey.submitted", agency_code="G09.20"), ("data", "agency_code")),
        (changed("survey.submitted", dossier_code="x"), ("data", "dossier_code")),
        (changed("review.planned", year=20225), ("data", "year")),
        (changed("review.reviewed", issues=-1), ("data", "issues")),
        (changed("review.reviewed", sheet_before={"activities": [], "persons": 1}), ("data", "sheet_before", "times_per_year")),
        (changed("review.reviewed", sheet_before={"activities": [{"hours": 1}], "times_per_year": 1, "persons": 1}),
         ("data", "sheet_before", "activities", 0, "wage_vnd_per_hour")),
        (changed("review.proposed", to="province"), ("data", "to")),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(event: dict[str, Any], pointer: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidEventError) as refused:
        read(event)
    assert pointer in {tuple(error["loc"]) for error in refused.value.errors}


def test_numbers_are_kept_as_told_and_null_is_absent() -> None:
    told = read(changed("survey.submitted", answers={"3": 1.0, "4": None}, dossier_code=None, comment="Tốt"))
    assert "dossier_code" not in told.event.data
    assert '"answers":{"3":1}' in told.event.data
    assert "Tốt" not in told.event.data
    whole = read(changed("review.reviewed", sheet_before={"activities": [], "times_per_year": 1, "persons": 2.0}))
    assert '"persons":2,"times_per_year":1.0' in whole.event.data
    assert read(changed("review.reviewed", sheet_before={"activities": [], "times_per_year": 1.0, "persons": 2})) == whole


def test_the_address_of_a_return_is_in_the_table_of_personal_data_only() -> None:
    told = read(changed("post.return_requested"))
    assert "Lê Lợi" not in told.event.data
    assert "Lê Lợi" in str(told.event.applicant)
    absent = {key: value for key, value in changed("post.return_requested").items() if key != "data"}
    assert read(absent).event.data == "{}"
