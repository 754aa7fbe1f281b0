"""From the bytes of a CloudEvent to what the log keeps: validated, canonical, personal data split off.

The *content* of an event is the canonical JSON of its type, subject, time and data: keys sorted, no blanks, instants in UTC
with microseconds only where there are some, absent and null fields left out, and for what is personal a keyed digest. It is
the same whatever transport, spelling or offset brought the event. Neither ``id`` and ``source`` (the identity) nor
extension attributes, ``dataschema`` and ``datacontenttype`` belong to it.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
import orjson
from pydantic import BaseModel, ValidationError

from shared.events.cloudevents import registered
from shared.events.cloudevents.fast_decoding import DECODER, DOSSIER_FIELDS, ESCAPED_NUL, NotRegular, Plain, plain
from shared.events.cloudevents.fields import whole
from shared.events.cloudevents.json_format import DATA_BASE64, InvalidEventError, invalid, parsed, with_plain_data
from shared.events.cloudevents.models import Envelope
from shared.events.rules.new_events import APPLICANT, APPLICANT_FIELDS, TEXTS, NewEvent
from shared.events.rules.personal_text import ADDRESS_FIELDS, TEXT_FIELDS, personal_in_text, personal_texts
from shared.vocabulary.codes import agency_pair, tenant_of_agency, tenant_of_dossier
from shared.vocabulary.events import SYSTEM_SOURCE, DossierCode, Event, EventName, RecordEvent, RecordEventName, Tenant
from shared.vocabulary.sources import is_own_source
from shared.vocabulary.spelling import is_utf8

_canonical: Final = msgspec.json.Encoder(order="sorted").encode
"""Instants in UTC, with microseconds only where there are some; what is null in a part is left out."""


_TYPES: Final[dict[EventName | RecordEventName, bytes]] = {}
"""The type of each name, as bytes."""
_PERSONAL: Final[dict[EventName | RecordEventName, tuple[str, ...]]] = {}
"""The personal fields in the data of those that have any."""
_WRITTEN: Final[set[EventName | RecordEventName]] = set()
"""The names of events in whose data people write."""

MOST_FAULTS: Final = 20
"""Of one event that are told."""


_TRAILING: Final = re.compile(r"trailing characters at line ([0-9]+) column ([0-9]+)")
_LONGEST_ATTRIBUTE_NAME: Final = 64
_LONGEST_ATTRIBUTE: Final = 2048
_INT32: Final = 2**31


class ValidatedEvent(msgspec.Struct, frozen=True, gc=False):
    """A validated event on its way into the log, with the agency that it names, as told; with the desk too (`agency_pair`).

    ``personal``: the fields of its data in which somebody has written what looks like a number or address of a person.
    """

    event: NewEvent
    agency_code: str | None
    personal: tuple[str, ...] = ()


def learn_registers() -> None:
    """Take in every register that there is: a row was added or taken away."""
    registered.forget()
    DECODER.learn()
    _TYPES.clear()
    _WRITTEN.clear()
    _PERSONAL.clear()
    for type_, (register, name) in registered.registers_by_type().items():
        _TYPES[register.logged(name)] = type_.encode()
        personal = registered.personal_fields(type_)
        if (TEXT_FIELDS | ADDRESS_FIELDS) & registered.data_fields(type_).keys() - set(personal):
            _WRITTEN.add(register.logged(name))
        if personal:
            _PERSONAL[register.logged(name)] = personal


def read_event(raw: bytes, tenant: Tenant, content_key: bytes) -> ValidatedEvent:
    """Validate one CloudEvent in JSON that a caller of ``tenant`` tells.

    Raises:
        InvalidEventError: it cannot be taken; the first `MOST_FAULTS` that validation found are named.
    """
    return plain_event(raw, tenant, content_key) or _read_unusual(raw, tenant, content_key)


def _read_unusual(raw: bytes, tenant: Tenant, content_key: bytes) -> ValidatedEvent:
    readable = with_plain_data(raw)
    found = None if readable is raw else plain_event(readable, tenant, content_key)
    return found or _read_by_schema(readable, tenant, content_key)


def plain_event(raw: bytes, tenant: Tenant, content_key: bytes) -> ValidatedEvent | None:
    """An event in JSON that is certainly valid; None: `read_event` must tell."""
    try:
        event = plain(raw, tenant)
    except NotRegular:
        return None
    personal: dict[str, str] | None = None
    if event.personal:
        values = {field: value for field in event.personal if (value := getattr(event.data, field)) is not None}
        kept, personal = _set_apart(msgspec.to_builtins(values), event.subject, content_key)
        for field, digest in kept.items():
            setattr(event.data, field, digest)
    new = _recorded(event, personal)
    return ValidatedEvent(new, event.agency_code, _personal_fields(new))


def _read_by_schema(raw: bytes, tenant: Tenant, content_key: bytes) -> ValidatedEvent:
    try:
        event = registered.told_event().validate_json(raw)
    except ValidationError as error:
        raise _invalid_by_schema(error, raw) from None
    if ESCAPED_NUL in raw:
        _refuse_nul(parsed(raw), ())
    if event.model_extra:
        _check_extensions(event.model_extra)
    if is_own_source(event.source):
        raise invalid(("source",), "system_only")
    register, _ = registered.registers_by_type()[event.type]
    if not register.is_subject(event.subject):  # a model may ask for less
        raise invalid(("subject",), "string_pattern_mismatch", pattern=register.subject_pattern)
    if register.tenant_of is not None and register.tenant_of(event.subject) != tenant:
        raise invalid(("subject",), "tenant", tenant=tenant)
    _demand_own(event.data, tenant)
    agency_code = getattr(event.data, "agency_code", None)
    if agency_code is not None:
        agency_code = agency_pair(agency_code, getattr(event.data, "receiving_agency_code", None))
    new = _recorded_by_schema(event, event.type, content_key)
    return ValidatedEvent(new, agency_code, _personal_fields(new))


_NAMES_TENANT: Final[Mapping[str, Callable[[str], Tenant]]] = {
    **dict.fromkeys(("agency_code", "receiving_agency_code"), tenant_of_agency),
    **dict.fromkeys(DOSSIER_FIELDS, tenant_of_dossier),
}
"""The fields of data that name an agency or a dossier."""


def _demand_own(data: BaseModel, tenant: Tenant) -> None:
    for field, tenant_of in _NAMES_TENANT.items():
        code = getattr(data, field, None)
        if code is not None and tenant_of(code) != tenant:
            raise invalid(("data", field), "tenant", tenant=tenant)


def _personal_fields(new: NewEvent) -> tuple[str, ...]:
    if new.name not in _WRITTEN:
        return ()
    # an escape may stand right before a number; nearly all have none, and nothing of the kind
    if "\\" not in new.data and personal_in_text(new.data) is None:
        return ()
    return tuple(name for name, _ in personal_texts(orjson.loads(new.data)))


def system_event(name: EventName, dossier_code: DossierCode, id_: str, time: datetime, data: Mapping[str, Any]) -> NewEvent:
    """An event of a dossier that the product says itself; it carries no personal data.

    Raises:
        pydantic.ValidationError: the data is not as the rules say (a fault of ours).
    """
    return written_event(name.type, SYSTEM_SOURCE, dossier_code, id_=id_, time=time, data=data)


def written_event(type_: str, source: str, subject: str, *, id_: str, time: datetime, data: Mapping[str, Any]) -> NewEvent:
    """An event of whatever register that the product writes itself, without personal data.

    Raises:
        pydantic.ValidationError: the subject or the data is not as the rules say.
    """
    attributes = {
        "specversion": "1.0",
        "id": id_,
        "source": source,
        "type": type_,
        "subject": subject,
        "time": time,
        "data": data,
    }
    model = registered.models_by_type()[type_]
    return _recorded_by_schema(model.model_validate_json(orjson.dumps(attributes)), type_, b"")


def _recorded_by_schema(event: Envelope, type_: str, content_key: bytes) -> NewEvent:
    part = getattr(event, "data", None)
    data: dict[str, Any] = {} if part is None else part.model_dump(exclude_none=True)
    code = DossierCode(event.subject)
    register, local_name = registered.registers_by_type()[type_]
    name = register.logged(local_name)
    told = {field: data[field] for field in _PERSONAL.get(name, ()) if field in data}
    kept, personal = _set_apart(told, code, content_key)
    return _recorded(Plain(event.source, event.id, name, code, event.time, data | kept), personal)


class _Kept(msgspec.Struct, omit_defaults=True, gc=False):
    """What the log keeps of a personal field; of a person also the kind."""

    digest: str
    kind: str | None = None


def _set_apart(told: Mapping[str, Any], code: str, content_key: bytes) -> tuple[dict[str, _Kept], dict[str, str]]:
    """What the log keeps of personal fields (plain values by name), and what their one table gets."""
    kept: dict[str, _Kept] = {}
    texts: dict[str, Any] = {}
    personal: dict[str, str] = {}
    for field, value in told.items():
        if field == APPLICANT:
            personal |= {column: value[column] for column in APPLICANT_FIELDS if column in value}
            message = _canonical(value)
        else:
            texts[field] = value
            message = _canonical({field: value})
        # bound to the record: equal digests would tell which records are of one person
        digest = hmac.digest(content_key, code.encode() + b"\n" + message, "sha256").hex()
        kept[field] = _Kept(digest, value.get("kind") if isinstance(value, dict) else None)
    if texts:
        personal[TEXTS] = _canonical(texts).decode()
    return kept, personal


def _recorded(event: Plain, personal: dict[str, str] | None) -> NewEvent:
    name, code, time = event.name, event.subject, event.time
    text = b"{}" if event.data is None else _canonical(event.data)
    # canonical JSON too: the names in their order, the code and the type without a letter to escape, the instant in UTC
    content = b'{"data":%b,"subject":"%b","time":%b,"type":"%b"}' % (text, code.encode(), _canonical(time), _TYPES[name])
    return NewEvent(
        event.source, event.id, name, code, time, text.decode(), hashlib.sha256(content).digest(), personal or None
    )


def content_hash_of(event: Event | RecordEvent, data: Mapping[str, Any]) -> bytes:
    """The hash of a recorded event's content, were ``data`` its data."""
    told = Plain(event.source, event.id, event.name, DossierCode(event.subject), event.time, dict(data))
    return _recorded(told, None).content_hash


def shown_data(event: Event | RecordEvent) -> dict[str, Any]:
    """What everybody may read of a recorded event's data who may see its record: of a person only the kind."""
    data = dict(event.data)
    for field in _PERSONAL.get(event.name, ()):
        if field in data:
            shown = {key: value for key, value in data.pop(field).items() if key != "digest"}
            if shown or field == APPLICANT:
                data[field] = shown
    return data


def cloudevent_of(event: Event | RecordEvent) -> dict[str, Any]:
    """A recorded event as a CloudEvent, without personal data."""
    return {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.name.type,
        "subject": event.subject,
        "time": event.time,
        "datacontenttype": "application/json",
        "data": shown_data(event),
    }


def _invalid_by_schema(error: ValidationError, raw: bytes) -> InvalidEventError:
    # an event of nothing but unknown fields has ten thousands of faults: telling them takes longer than finding them
    details = error.errors(include_url=False)[:MOST_FAULTS]
    first = details[0]
    if first["type"] == "json_invalid":
        return InvalidEventError([_malformed(raw, first["ctx"]["error"])], malformed=True)
    if first["type"] == "union_tag_invalid" and _is_written_here(first["ctx"]["tag"]):
        return invalid(("type",), "system_only")
    if first["type"].startswith("union_tag_"):
        return InvalidEventError([{**first, "loc": ("type",)}])
    # the first part of a location is the type that the union chose
    return InvalidEventError(
        [{**attributes, "loc": attributes["loc"][1:]} for detail in details for attributes in _without_data(detail)]
    )


def _malformed(raw: bytes, error: str) -> Mapping[str, Any]:
    """What is told of bytes that are no JSON: of objects one behind the other, where the second one begins."""
    if not is_utf8(raw):
        return {"type": "encoding", "loc": (), "ctx": {}}
    found = _TRAILING.fullmatch(error)
    if found is not None:
        line, column = int(found[1]), int(found[2])
        before, rest = (part := raw.split(b"\n")[line - 1])[: column - 1], part[column - 1 :]
        if rest.startswith(b"{"):
            place = {"line": line, "column": len(before.decode(errors="replace")) + 1}
            return {"type": "object_follows" if line == 1 else "object_follows_below", "loc": (), "ctx": place}
    return {"type": "json_invalid", "loc": (), "ctx": {}}


def _is_written_here(type_: str) -> bool:
    register, name = registered.registers_by_type().get(type_, (None, ""))
    return register is not None and name in register.written_here


def _without_data(detail: Any) -> list[Mapping[str, Any]]:
    """A fault as it is, but for absent data: it is the empty object, so what is missing are the fields that it must have."""
    if detail["loc"][1:] != ("data",) or not (detail["type"] == "missing" or detail["input"] is None):
        return [detail]
    type_ = detail["loc"][0]
    part = registered.models_by_type()[type_].model_fields["data"].annotation
    assert isinstance(part, type)
    assert issubclass(part, BaseModel)
    required = [name for name, field in part.model_fields.items() if field.is_required()]
    return [{"type": "missing", "loc": (type_, "data", name)} for name in required]


def _refuse_nul(value: Any, location: tuple[int | str, ...]) -> None:
    """PostgreSQL takes no NUL in a text; the escape may also be an escaped backslash before ``u0000``, which is fine."""
    for place, text in _texts(value, location):
        if "\0" in text:
            raise invalid(place, "nul")


def _texts(value: Any, location: tuple[int | str, ...]) -> Iterator[tuple[tuple[int | str, ...], str]]:
    if isinstance(value, str):
        yield location, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield location, key
            yield from _texts(item, (*location, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*location, index))


def _check_extensions(extensions: Mapping[str, Any]) -> None:
    """CloudEvents 1.0, section 3: names of lower-case letters and digits, values of the spec's simple types."""
    for name, value in extensions.items():
        if name == DATA_BASE64:  # null: what it may hold is read before
            continue
        well_named = 0 < len(name) <= _LONGEST_ATTRIBUTE_NAME and name.isascii() and name.isalnum() and name == name.lower()
        if not well_named:
            raise invalid((name[:_LONGEST_ATTRIBUTE_NAME],), "attribute_name")
        if isinstance(value, str):
            good = len(value) <= _LONGEST_ATTRIBUTE
        elif isinstance(number := whole(value), int):
            good = -_INT32 <= number < _INT32
        else:
            good = value is None
        if not good:
            raise invalid((name,), "attribute_value")


learn_registers()
