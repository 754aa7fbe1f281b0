"""Whatever an event names by a code of an agency or a dossier is of the tenant that tells it, in every register."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from shared.events.cloudevents.decoding import plain_event, read_event
from shared.events.cloudevents.json_format import InvalidEventError
from shared.events.cloudevents.registered import models_by_type
from shared.vocabulary.events import Tenant

KEY = b"k" * 32
H51 = Tenant("H51")
AGENCY, DOSSIER = "G09.12", "G09.12-250102-00001"
OF_OTHERS = {
    "agency_code": (AGENCY, "000.00.12.G09"),
    "receiving_agency_code": (AGENCY, "000.00.12.G09"),
    "dossier_code": (DOSSIER, "000.00.12.G09-250102-00001"),
    "about_dossier": (DOSSIER, "000.00.12.G09-250102-00001"),
}
NAMING = [
    (type_, field)
    for type_, model in sorted(models_by_type().items())
    for field in OF_OTHERS
    if field in getattr(model.model_fields["data"].annotation, "model_fields", {})
]


def example(type_: str) -> dict[str, Any]:
    told: dict[str, Any] = models_by_type()[type_].model_config["json_schema_extra"]["examples"][0]  # type: ignore[index,call-overload]
    return copy.deepcopy(told)


def test_every_register_that_names_one_is_here() -> None:
    assert {type_.split(".")[2] for type_, _ in NAMING} >= {"dossier", "feedback", "payment", "survey"}


@pytest.mark.parametrize(("type_", "field"), NAMING)
def test_a_code_of_another_tenant_is_refused_at_its_field(type_: str, field: str) -> None:
    for code in OF_OTHERS[field]:
        event = example(type_)
        event["data"] = event.get("data", {}) | {field: code}
        raw = json.dumps(event).encode()
        assert plain_event(raw, H51, KEY) is None
        with pytest.raises(InvalidEventError) as refused:
            read_event(raw, H51, KEY)
        assert [(error["type"], tuple(error["loc"])) for error in refused.value.errors] == [("tenant", ("data", field))]
