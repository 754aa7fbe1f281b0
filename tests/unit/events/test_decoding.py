"""The content of an event: what is taken, what is refused and where, and what makes two events equal."""

from __future__ import annotations

import copy
import hashlib
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from services.api.http.errors.field_errors import faults_of
from services.api.http.errors.messages import Language
from shared.events.cloudevents.decoding import ValidatedEvent, cloudevent_of, read_event, system_event
from shared.events.cloudevents.fields import instant_of
from shared.events.cloudevents.json_format import InvalidEventError
from shared.vocabulary.events import SYSTEM_SOURCE, DossierCode, Event, EventName
from tests.support.api import H51
from tests.support.events import CONTENT_KEY, example

TOLD = [name for name in EventName if name is not EventName.DUE_SET]
REQUIRED = {
    "submitted": {"procedure_code", "agency_code", "channel"},
    "received": {"procedure_code", "agency_code", "channel"},
    "payment_requested": {"fees"},
    "paid": {"amount_vnd", "gateway", "outcome"},
    "supplement_requested": {"content"},
    "transferred": {"agency_code"},
    "extended": {"new_due_at", "apology_number", "reason"},
    "rated": {"satisfied"},
    "rejected": {"reason"},
    "stopped": {"reason"},
    "processed": {"outcome"},
    "returned": {"method"},
    "voided": {"event_id", "event_source", "reason"},
}


def read(event: Any) -> ValidatedEvent:
    return read_event(event if isinstance(event, bytes) else orjson.dumps(event), H51, CONTENT_KEY)


def refusal(event: Any) -> tuple[str, str]:
    with pytest.raises(InvalidEventError) as caught:
        read(event)
    error = caught.value.errors[0]
    return "/".join(map(str, error["loc"])), error["type"]


@pytest.mark.parametrize(
    ("desk", "agencies"),
    [
        ("H51.13", "H51.12~H51.13"),
        ("000.00.13.H51", "H51.12~000.00.13.H51"),  # decoded by the models
        ("H51.12", "H51.12"),
        ("000.00.12.H51", "H51.12"),
        (None, "H51.12"),
    ],
)
def test_a_reception_names_both_of_its_agencies(desk: str | None, agencies: str) -> None:
    logged = read(example("received", data__receiving_agency_code=desk))
    assert logged.agency_code == agencies
    assert ("receiving_agency_code" in orjson.loads(logged.event.data)) is (desk is not None)


@pytest.mark.parametrize("name", TOLD)
def test_every_example_is_taken(name: EventName) -> None:
    logged = read(example(name))
    assert logged.event.name is name
    assert logged.event.subject == "H51.12-180102-00123"
    assert logged.event.time == datetime(2018, 1, 2, 1, 30, tzinfo=UTC)
    assert "Nguyễn" not in logged.event.data


@pytest.mark.parametrize("name", TOLD)
def test_exactly_the_required_fields_are_required(name: EventName) -> None:
    event = example(name)
    required = REQUIRED.get(name.value, set())
    for field in list(event["data"]):
        without = copy.deepcopy(event)
        without["data"][field] = None
        if field in required:
            assert refusal(without)[0] == f"data/{field}"
        else:
            del event["data"][field]
            assert read(without).event.content_hash == read(event).event.content_hash
    assert required <= set(event["data"])


@pytest.mark.parametrize("name", TOLD)
def test_an_officer_is_a_code_and_unknown_fields_are_refused(name: EventName) -> None:
    assert '"officer":"CB-1"' in read(example(name, data__officer="CB-1")).event.data
    for person in ("Lê Thị Cán Bộ", "Le Thi Can Bo", "Lê", "CB 1", "CB-1\n"):
        assert refusal(example(name, data__officer=person)) == ("data/officer", "staff_code")
    assert refusal(example(name, data__officer="C" * 51)) == ("data/officer", "string_too_long")
    assert '"H51.12/CB_00-7"' in read(example(name, data__officer="H51.12/CB_00-7")).event.data
    assert refusal(example(name, data__citizen_name="A")) == ("data/citizen_name", "extra_forbidden")


@pytest.mark.parametrize("name", TOLD)
@pytest.mark.parametrize("change", [{}, {"data": None}, {"data": {}}])
def test_absent_data_is_the_empty_object(name: EventName, change: dict[str, Any]) -> None:
    event = example(name)
    del event["data"]
    required = REQUIRED.get(name.value, set())
    if not required:
        assert read(event | change).event.data == "{}"
        return
    with pytest.raises(InvalidEventError) as caught:
        read(event | change)
    assert {"/".join(error["loc"]) for error in caught.value.errors} == {f"data/{field}" for field in required}
    assert {fault.as_field_error(Language.ENGLISH).code for fault in faults_of(caught.value.errors)} == {"missing"}


NOT_INSTANTS = [
    "2018-01-02T08:30:00",  # naive
    "2018-01-02",
    "2018-01-02T08:30:60Z",
    "2018-01-02T24:00:00Z",
    "2018-02-30T08:30:00Z",
    "2018-01-02T08:30Z",
    "2018-01-02T08:30:00+0700",
    "2018-01-02T08:30:00+24:00",
    "2018-01-02 08:30:00Z",
    "2018-01-02T08:30:00Z\n",
    "1514856600",
    1514856600,
    1514856600.5,
    True,
    "",
    [],
    {},
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "1899-12-31T23:59:59Z",
    "1900-01-01T00:00:00+07:00",  # in UTC it is 1899
    "1900-01-01T06:59:59+07:00",
    "२०१८-01-02T08:30:00Z",
]


@pytest.mark.parametrize("value", NOT_INSTANTS)
def test_what_is_no_instant(value: Any) -> None:
    assert refusal(example(time=value)) == ("time", "instant")
    assert refusal(example(data__due_at=value)) == ("data/due_at", "instant")


DIGITS = st.integers(0, 99).map("{:02}".format)


@given(
    year=st.sampled_from(("1899", "1900", "1910", "1999", "2018", "2024", "2099", "2100", "9998", "9999")),
    parts=st.tuples(
        *(st.one_of(DIGITS, st.sampled_from(("01", "12", "23", "24", "28", "29", "31", "59", "60"))) for _ in range(5))
    ),
    letter=st.sampled_from("TTTt "),
    offset=st.sampled_from(("Z", "+07:00", "z", "+00:00", "-00:00", "+0700", "")),
)
@settings(max_examples=1000, deadline=None)
def test_the_usual_instant_is_read_as_any_other(year: str, parts: tuple[str, ...], letter: str, offset: str) -> None:
    month, day, hour, minute, second = parts
    to_the_second = f"{year}-{month}-{day}{letter}{hour}:{minute}:{second}"
    found = []
    for fraction in ("", ".0"):  # with a fraction it goes the long way
        try:
            found.append(instant_of(to_the_second + fraction + offset))
        except PydanticCustomError:
            found.append(None)
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("field", "value", "type_"),
    [
        ("id", "", "string_too_short"),
        ("id", 7, "string_type"),
        ("id", "a\nb", "string_pattern_mismatch"),
        ("id", "x" * 201, "string_too_long"),
        ("source", "x" * 401, "string_too_long"),
        ("source", "a b", "string_pattern_mismatch"),
        ("source", SYSTEM_SOURCE, "system_only"),
        ("specversion", "0.3", "literal_error"),
        ("specversion", 1.0, "literal_error"),
        ("subject", "h51.12-180102-00123", "string_pattern_mismatch"),
        ("subject", "H51.12-180102-123", "string_pattern_mismatch"),
        ("subject", "H51.12-180102-00123\n", "string_pattern_mismatch"),
        ("subject", "G09.12-180102-00123", "tenant"),
        ("subject", "000.00.12.G09-180102-00123", "tenant"),
        ("type", "vn.motcua.dossier.received.v2", "union_tag_invalid"),
        ("type", "vn.motcua.dossier.due_set.v1", "system_only"),
        ("data", [], "model_type"),
        ("data", "x", "model_type"),
        ("data_base64", "e30=", "data_twice"),
        ("datacontenttype", "text/xml", "string_pattern_mismatch"),
        ("Traceparent", "x", "attribute_name"),
        ("trace_parent", "x", "attribute_name"),
        ("traceparent", {"a": 1}, "attribute_value"),
        ("traceparent", 1.5, "attribute_value"),
        ("traceparent", 2**31, "attribute_value"),
        ("traceparent", "x" * 2049, "attribute_value"),
    ],
)
def test_envelope_refusals(field: str, value: Any, type_: str) -> None:
    assert refusal(example(**{field: value})) == (field, type_)


@pytest.mark.parametrize(
    ("name", "field", "value", "type_"),
    [
        ("received", "channel", "phone", "literal_error"),
        ("received", "channel", 1, "literal_error"),
        ("received", "agency_code", "G09.12", "tenant"),
        ("received", "agency_code", "000.00.12.G09", "tenant"),
        ("received", "agency_code", "H51.1", "string_pattern_mismatch"),
        ("received", "receiving_agency_code", "G09.12", "tenant"),
        ("received", "receiving_agency_code", "000.00.12.G09", "tenant"),
        ("received", "receiving_agency_code", "H51.1", "string_pattern_mismatch"),
        ("submitted", "receiving_agency_code", "H51.12", "extra_forbidden"),
        ("received", "flags__vneid_verified", 1, "bool_type"),
        ("received", "flags__vneid_verified", "true", "bool_type"),
        ("received", "applicant__kind", "person", "literal_error"),
        ("received", "applicant__passport", "x", "extra_forbidden"),
        ("received", "applicant__phone", 84900000001, "string_type"),
        ("paid", "amount_vnd", True, "int_type"),
        ("paid", "amount_vnd", -1, "greater_than_equal"),
        ("paid", "amount_vnd", 1.5, "int_type"),
        ("paid", "amount_vnd", "5", "int_type"),
        ("paid", "amount_vnd", 10**16, "less_than_equal"),
        ("rated", "satisfied", 1, "bool_type"),
        ("rated", "score", False, "int_type"),
        ("extended", "apology_number", 12, "string_type"),
        ("extended", "reason", "", "string_too_short"),
        ("transferred", "agency_code", "G09.12", "tenant"),
        ("processed", "outcome", "lost", "literal_error"),
        ("processed", "late_reason", "x" * 4001, "string_too_long"),
        ("returned", "method", None, "literal_error"),
    ],
)
def test_data_refusals(name: str, field: str, value: Any, type_: str) -> None:
    assert refusal(example(name, **{f"data__{field}": value})) == ("data/" + field.replace("__", "/"), type_)


@pytest.mark.parametrize("raw", [b"", b"{", b"nul", b'{"a":1,}', b'"\xff"', b'{"id":"\\ud800"}', b'{"a":"\x00"}'])
def test_what_is_no_json(raw: bytes) -> None:
    with pytest.raises(InvalidEventError) as caught:
        read(raw)
    assert caught.value.malformed


@pytest.mark.parametrize("raw", [b"[]", b"1", b"null", b'"x"', b"true"])
def test_what_is_no_object(raw: bytes) -> None:
    assert refusal(raw) == ("", "dict_type")


@pytest.mark.parametrize(
    "place", ["id", "source", "traceparent", "dataschema", "data__officer", "data__applicant__name", "data__channel"]
)
def test_nul_is_refused_anywhere(place: str) -> None:
    pointer, type_ = refusal(example(**{place: "a\0b"}))
    assert pointer == place.replace("__", "/")
    assert type_ in {"nul", "string_pattern_mismatch", "literal_error", "staff_code"}


def test_nul_beside_a_number_that_is_none() -> None:
    raw = orjson.dumps(example("assigned", traceparent="?", data__department="a\0b")).replace(b'"?"', b"NaN")
    assert refusal(raw) == ("data/department", "nul")


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    assert r"a\\u0000b" in read(example("assigned", data__department="a\\u0000b")).event.data


def test_every_fault_is_named() -> None:
    with pytest.raises(InvalidEventError) as caught:
        read(example(time="x", data__channel="x", data__more=1, id=""))
    assert {"/".join(error["loc"]) for error in caught.value.errors} == {"time", "data/channel", "data/more", "id"}


def test_personal_data_goes_apart() -> None:
    event = example(data__applicant={"kind": "citizen", "name": "Trần Thị B", "id_number": "094", "address": None})
    logged = read(event).event
    assert logged.applicant == {"name": "Trần Thị B", "id_number": "094"}
    kept = orjson.loads(logged.data)["applicant"]
    assert set(kept) == {"kind", "digest"}
    assert "Trần" not in logged.data
    other = read_event(orjson.dumps(event), H51, b"another key").event
    assert orjson.loads(other.data)["applicant"]["digest"] != kept["digest"]
    same_person = read(example(subject="H51.12-180102-00124", data__applicant=event["data"]["applicant"])).event
    assert orjson.loads(same_person.data)["applicant"]["digest"] != kept["digest"], "dossiers of one person could be linked"


def test_canonical_data_is_sorted_and_in_utc() -> None:
    logged = read(example("extended", data__new_due_at="2018-01-16T17:00:00.120+07:00"))
    assert logged.event.data == (
        '{"apology_number":"12/XL-UBND","new_due_at":"2018-01-16T10:00:00.120000Z","reason":"Cần xác minh thêm"}'
    )
    assert len(logged.event.content_hash) == hashlib.sha256().digest_size


def test_nine_digits_are_cut_to_six() -> None:
    logged = read(example(time="2018-01-02T01:30:00.123456999Z")).event
    assert logged.time == datetime(2018, 1, 2, 1, 30, 0, 123456, tzinfo=UTC)


@st.composite
def spellings(draw: st.DrawFn) -> tuple[dict[str, Any], bytes]:
    """An event, and the same event in another spelling."""
    name = draw(st.sampled_from(TOLD))
    event = example(name)
    moment = draw(st.datetimes(datetime(1950, 1, 1), datetime(2200, 1, 1))).replace(tzinfo=UTC)
    event["time"] = moment.isoformat()
    other = copy.deepcopy(event)
    minutes = draw(st.integers(-14 * 60, 14 * 60))
    other["time"] = moment.astimezone(timezone(timedelta(minutes=minutes))).isoformat()
    if moment.microsecond == 0 and draw(st.booleans()):
        other["time"] = other["time"][:19] + ".0000000009"[: draw(st.integers(2, 11))] + other["time"][19:]
    if draw(st.booleans()):
        other["data"].setdefault("officer", None)
    other |= draw(st.sampled_from([{}, {"traceparent": "00-1"}, {"dataschema": "urn:x"}, {"datacontenttype": None}]))
    other["datacontenttype"] = draw(st.sampled_from([None, "application/json", "application/json; charset=utf-8"]))
    keys = draw(st.permutations(list(other)))
    other = {key: other[key] for key in keys}
    option = draw(st.sampled_from([0, orjson.OPT_INDENT_2]))
    raw = orjson.dumps(other, option=option)
    if draw(st.booleans()):
        raw = raw.decode().encode("ascii", "backslashreplace").replace(b"\\x", b"\\u00")
    return event, raw


@given(spellings())
@settings(max_examples=300, deadline=None)
def test_spelling_offset_and_extensions_do_not_change_the_content(pair: tuple[dict[str, Any], bytes]) -> None:
    event, raw = pair
    if b"\\U" in raw:  # characters beyond the basic plane have no such escape in JSON
        return
    first, second = read(event).event, read(raw).event
    assert first.content_hash == second.content_hash
    assert first == second


CHANGES = [
    {"time": "2018-01-02T08:30:00.000001+07:00"},
    {"subject": "H51.12-180102-00124"},
    {"data__channel": "postal"},
    {"data__officer": "x"},
    {"data__due_at": None},
    {"data__flags": None},
    {"data__flags": {}},
    {"data__applicant__phone": "1"},
    {"data__applicant__kind": "business"},
    {"data__applicant": None},
    {"type": "vn.motcua.dossier.submitted.v1", "data__due_at": None, "data__flags": None, "data__return_method": None},
]


def test_any_other_content_has_another_hash() -> None:
    hashes = [
        read({**event, "data": {key: value for key, value in event["data"].items() if value is not None}}).event.content_hash
        for event in [example(**change) for change in ({}, *CHANGES)]
    ]
    assert len(set(hashes)) == len(hashes)


def test_identity_is_not_content() -> None:
    assert read(example(id="a", source="urn:x")).event.content_hash == read(example()).event.content_hash


def test_a_system_event_is_like_a_told_one() -> None:
    moment = datetime(2018, 1, 10, 17, 0, tzinfo=UTC)
    event = system_event(EventName.OVERDUE, DossierCode("H51.12-180102-00123"), "overdue/1", moment, {})
    assert (event.source, event.data, event.applicant) == (SYSTEM_SOURCE, "{}", None)
    logged = read(example("overdue", time=moment.isoformat(), data={}))
    assert event.content_hash == logged.event.content_hash
    due = {"new_due_at": moment, "cause": "calendar", "calendar_version": "7"}
    assert system_event(EventName.DUE_SET, DossierCode("H51.12-180102-00123"), "d", moment, due).data == (
        '{"calendar_version":"7","cause":"calendar","new_due_at":"2018-01-10T17:00:00Z"}'
    )


def test_what_is_told_on_can_be_told_again() -> None:
    logged = read(example("assigned")).event
    recorded = Event(
        1, logged.time, logged.source, logged.id, logged.name, logged.subject, logged.time, orjson.loads(logged.data)
    )
    again = read(orjson.dumps(cloudevent_of(recorded))).event
    assert again == logged


def test_what_is_told_on_has_no_digest() -> None:
    logged = read(example()).event
    recorded = Event(
        1, logged.time, logged.source, logged.id, logged.name, logged.subject, logged.time, orjson.loads(logged.data)
    )
    assert cloudevent_of(recorded)["data"]["applicant"] == {"kind": "citizen"}
