"""The plain form in which nearly all events come, checked at a fraction of pydantic's cost.

The checks are compiled from the models themselves, so there is one definition of an event. They take less than the models
do, never more or otherwise: whatever is unusual (an extension attribute, an old agency code, any fault) is left to pydantic,
which also says what is wrong. A property test holds the two together.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from operator import itemgetter
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic_core import PydanticCustomError

from shared.cloudevents import fields
from shared.cloudevents.events import MODELS, Envelope
from shared.domain.codes import AGENCY_CODE_PATTERN, DOSSIER_CODE_PATTERN
from shared.domain.events import SYSTEM_SOURCE, DossierCode, EventName, Tenant

Check = Callable[[Any], Any]
"""Answers the value as it is recorded; raises `Doubt`, or what pydantic would say of an instant."""


class Doubt(Exception):  # noqa: N818 - no error: pydantic will say
    """Not certainly a valid value."""


_present_agency: Final = re.compile(AGENCY_CODE_PATTERN).fullmatch
_procedure: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,49}").fullmatch
_staff: Final = re.compile(r"[A-Za-z0-9._/-]{1,50}").fullmatch
_dossier: Final = re.compile(DOSSIER_CODE_PATTERN).fullmatch

_LONGEST_DOSSIER_CODE: Final = 60
_JSON: Final = "application/json"


def _text(longest: int) -> Check:
    def check(value: Any) -> Any:
        if type(value) is not str or not 0 < len(value) <= longest or "\0" in value:
            raise Doubt
        return value

    return check


def _printable(longest: int, *, blanks: bool) -> Check:
    # no control character is printable, and of the blanks only U+0020 is: so this is the narrower test
    def check(value: Any) -> Any:
        if type(value) is not str or not 0 < len(value) <= longest or not value.isprintable():
            raise Doubt
        if not blanks and " " in value:
            raise Doubt
        return value

    return check


def _matching(matches: Callable[[str], object]) -> Check:
    def check(value: Any) -> Any:
        if type(value) is not str or not matches(value):
            raise Doubt
        return value

    return check


def _integer(lowest: int, highest: int) -> Check:
    def check(value: Any) -> Any:
        if type(value) is not int or not lowest <= value <= highest:
            raise Doubt
        return value

    return check


def _truth(value: Any) -> Any:
    if value is not True and value is not False:
        raise Doubt
    return value


_KINDS: Final[tuple[tuple[Any, Check], ...]] = (
    (fields.Instant, fields.instant_of),
    (fields.EventId, _printable(fields.LONGEST_ID, blanks=True)),
    (fields.Source, _printable(fields.LONGEST_SOURCE, blanks=False)),
    (fields.Link, _printable(2000, blanks=False)),
    (fields.AgencyCodeText, _matching(_present_agency)),
    (fields.ProcedureCodeText, _matching(_procedure)),
    (fields.StaffCode, _matching(_staff)),
    (fields.Code, _text(100)),
    (fields.Name, _text(500)),
    (fields.Text, _text(4000)),
    (fields.Truth, _truth),
    (fields.AmountVnd, _integer(0, 10**15)),
    (fields.Score, _integer(0, 100)),
)
"""Every kind of field but choices, lists and parts."""


def _choice(values: frozenset[str]) -> Check:
    def check(value: Any) -> Any:
        if type(value) is not str or value not in values:
            raise Doubt
        return value

    return check


def _many(of_one: Check) -> Check:
    most = 200

    def check(value: Any) -> Any:
        if type(value) is not list or len(value) > most:
            raise Doubt
        return [of_one(item) for item in value]

    return check


def _part(model: type[BaseModel]) -> Check:
    hints = get_type_hints(model, include_extras=True)
    checks = {name: _check_of(hints[name]) for name in model.model_fields}
    required = frozenset(name for name, field in model.model_fields.items() if field.is_required())

    def check(value: Any) -> Any:
        if type(value) is not dict or (required and not required <= value.keys()):
            raise Doubt
        kept = value
        for name, item in value.items():
            of_field = checks.get(name)
            if of_field is None:
                raise Doubt
            if item is None:
                if name in required:
                    raise Doubt
                kept = {**kept}
                del kept[name]
                continue
            taken = of_field(item)
            if taken is not item:
                kept = {**kept, name: taken}
        return kept

    return check


def _check_of(hint: Any) -> Check:
    for known, check in _KINDS:
        if hint == known:
            return check
    if get_origin(hint) in {Union, UnionType}:
        (inner,) = (one for one in get_args(hint) if one is not NoneType)
        return _check_of(inner)
    if get_origin(hint) is Literal:
        return _choice(frozenset(get_args(hint)))
    if get_origin(hint) is list:
        return _many(_check_of(get_args(hint)[0]))
    if get_origin(hint) is Annotated:  # a description around a kind
        return _check_of(get_args(hint)[0])
    assert isinstance(hint, type)
    assert issubclass(hint, BaseModel)
    return _part(hint)


def _check_of_data(model: type[Envelope]) -> tuple[Check, bool]:
    """The check of an event's data, and whether it may be absent."""
    hint = get_type_hints(model, include_extras=True)["data"]
    return _check_of(hint), not model.model_fields["data"].is_required()


_DATA: Final[Mapping[str, tuple[EventName, Check, bool]]] = {
    name.type: (name, *_check_of_data(MODELS[name.type])) for name in EventName if name is not EventName.DUE_SET
}
_id: Final = _printable(fields.LONGEST_ID, blanks=True)
_source: Final = _printable(fields.LONGEST_SOURCE, blanks=False)
_attributes: Final = itemgetter("specversion", "id", "source", "type", "subject", "time")
_REQUIRED_ATTRIBUTES: Final = 6


class Plain(NamedTuple):
    """What an event tells: ``time`` and the instants in ``data`` are in UTC, and nothing in it is null."""

    source: str
    id: str
    name: EventName
    dossier_code: DossierCode
    time: datetime
    data: dict[str, Any]


def plain(event: Any, tenant: Tenant) -> Plain:
    """What an event parsed from JSON tells, if it is certainly a valid one of this tenant.

    Raises:
        Doubt: it may be valid or not.
    """
    if type(event) is not dict:
        raise Doubt
    try:
        version, id_, source, type_, subject, time = _attributes(event)
        known = _REQUIRED_ATTRIBUTES + ("data" in event) + ("datacontenttype" in event)
        if len(event) != known or version != "1.0" or event.get("datacontenttype", _JSON) != _JSON:
            raise Doubt
        if type(type_) is not str or type(subject) is not str:
            raise Doubt
        name, check, may_be_absent = _DATA[type_]
        # a code of the present form begins with its tenant; one of the old form ends with it, and is left to pydantic
        if len(subject) > _LONGEST_DOSSIER_CODE or not subject.startswith(tenant) or not _dossier(subject):
            raise Doubt
        data = event.get("data")
        if data is not None:
            data = check(data)
            if not data.get("agency_code", tenant).startswith(tenant):
                raise Doubt
        elif may_be_absent:
            data = {}
        else:
            raise Doubt
        if _source(source) == SYSTEM_SOURCE:
            raise Doubt
        return Plain(source, _id(id_), name, DossierCode(subject), fields.instant_of(time), data)
    except (KeyError, PydanticCustomError):
        raise Doubt from None
