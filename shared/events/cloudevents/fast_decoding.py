"""The plain form in which nearly all events come, read at a fraction of pydantic's cost.

What msgspec decodes is made from the models themselves, so there is one definition of an event. It takes less than the
models do, never more or otherwise: whatever is unusual (an extension attribute, an old agency code, any fault) is left to
pydantic, which also says what is wrong. A property test holds the two together.
"""

import functools
import operator
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from shared.events.cloudevents import fields
from shared.events.cloudevents.registered import models_by_type, personal_fields
from shared.events.rules.personal_text import personal_in_code
from shared.events.rules.registers import DOSSIER, LONGEST_SUBJECT, RECORD_CODE_PATTERN, REGISTERS, Register
from shared.vocabulary.codes import AGENCY_CODE_PATTERN, DOSSIER_CODE_PATTERN, agency_pair
from shared.vocabulary.events import EventName, RecordEventName, Tenant
from shared.vocabulary.sources import is_own_source

_CODES_REMEMBERED: Final = 4096

Finish = Callable[[Any], Any]
"""Answers a decoded value as it is recorded; raises `NotRegular`, or what pydantic would say of an instant."""


class NotRegular(Exception):  # noqa: N818 - no error: pydantic will say
    """Not certainly a valid value."""


class _Form(NamedTuple):
    """How a value is read: the type that is decoded, and what is left to do then."""

    type: Any
    finish: Finish | None = None


def _printable(text: str) -> str:
    # no control character is printable, and of the blanks only U+0020 is: so this is narrower than the models
    if not text.isprintable():
        raise NotRegular
    return text


def _without_blanks(text: str) -> str:
    if " " in text or not text.isprintable():
        raise NotRegular
    return text


def _unpersonal(text: str) -> str:
    if personal_in_code(text) is not None:
        raise NotRegular
    return text


@functools.lru_cache(_CODES_REMEMBERED)
def _own_source(text: str) -> str:
    return _unpersonal(_without_blanks(text))


def _text(longest: int) -> Any:
    return Annotated[str, Meta(min_length=1, max_length=longest)]


_remembering = functools.lru_cache(_CODES_REMEMBERED)
"""Of a question about a code: the same ones come again and again."""


def _code(pattern: str) -> _Form:
    matches = re.compile(pattern).fullmatch

    @_remembering
    def check(text: str) -> str:
        if not matches(text):
            raise NotRegular
        return _unpersonal(text)

    return _Form(str, check)


_KINDS: Final[tuple[tuple[Any, _Form], ...]] = (
    (fields.Instant, _Form(str, fields.instant_of)),
    (fields.EventId, _Form(_text(fields.LONGEST_ID), _printable)),
    (fields.Source, _Form(_text(fields.LONGEST_SOURCE), _without_blanks)),
    (fields.Link, _Form(_text(2000), _without_blanks)),
    (fields.AgencyCodeText, _code(AGENCY_CODE_PATTERN)),
    (fields.DossierCodeText, _code(DOSSIER_CODE_PATTERN)),
    (fields.RecordCodeText, _code(RECORD_CODE_PATTERN)),
    (fields.ProcedureCodeText, _code(r"[0-9A-Za-z][0-9A-Za-z._-]{0,49}")),
    (fields.StaffCode, _code(r"[A-Za-z0-9._/-]{1,50}")),
    (fields.PublicCode, _Form(_text(100), _unpersonal)),
    (fields.PublicName, _Form(_text(500), _unpersonal)),
    (fields.Code, _Form(_text(100))),
    (fields.Name, _Form(_text(500))),
    (fields.Text, _Form(_text(4000))),
    (fields.Truth, _Form(bool)),
    (fields.AmountVnd, _Form(Annotated[int, Meta(ge=0, le=10**15)])),
    (fields.PaymentVnd, _Form(Annotated[int, Meta(gt=0, le=10**15)])),
    (fields.Score, _Form(Annotated[int, Meta(ge=0, le=100)])),
    (fields.Number, _Form(Annotated[int, Meta(ge=0, le=10**9)])),
    (fields.Quantity, _Form(Annotated[float, Meta(ge=0, le=10**9)])),
    (fields.Year, _Form(Annotated[int, Meta(ge=fields.FIRST_YEAR, le=fields.LAST_YEAR)])),
    (fields.Grades, _Form(dict[Literal["1", "2", "3", "4", "5", "6", "7", "8", "9"], Annotated[int, Meta(ge=0, le=2)]])),
    (fields.Ordinal, _Form(Annotated[int, Meta(ge=1, le=1000)])),
)
"""Every kind of field but choices, lists and parts."""


def _each(finish: Finish) -> Finish:
    def finished(values: list[Any]) -> list[Any]:
        return [finish(value) for value in values]

    return finished


def _fields(finishes: tuple[tuple[str, Finish], ...]) -> Finish:
    def finish_all(part: Any) -> Any:
        for name, finish in finishes:
            value = getattr(part, name)
            if value is not None:
                finished = finish(value)
                if finished is not value:
                    setattr(part, name, finished)
        return part

    return finish_all


def _field(name: str, form: _Form, of: FieldInfo) -> tuple[Any, ...]:
    """A field of a decoded type, as required as that of the model; null is absent."""
    return (name, form.type) if of.is_required() else (name, form.type | None, None)


@functools.cache
def _part(model: type[BaseModel]) -> _Form:
    hints = get_type_hints(model, include_extras=True)
    forms = {name: _form_of(hints[name]) for name in model.model_fields}
    decoded = msgspec.defstruct(
        model.__name__,
        [_field(name, forms[name], field) for name, field in model.model_fields.items()],
        forbid_unknown_fields=True,
        omit_defaults=True,
        kw_only=True,
        gc=False,
    )
    finishes = tuple((name, form.finish) for name, form in forms.items() if form.finish is not None)
    return _Form(decoded, _fields(finishes) if finishes else None)


def _form_of(hint: Any) -> _Form:
    for known, form in _KINDS:
        if hint == known:
            return form
    if get_origin(hint) in {Union, UnionType}:
        (inner,) = (one for one in get_args(hint) if one is not NoneType)
        return _form_of(inner)
    if get_origin(hint) is Literal:
        return _Form(hint)
    if get_origin(hint) is list:
        of_one = _form_of(get_args(hint)[0])
        many = Annotated[list[of_one.type], Meta(max_length=200)]  # type: ignore[name-defined]
        return _Form(many, of_one.finish and _each(of_one.finish))
    if get_origin(hint) is Annotated:  # a description around a kind
        return _form_of(get_args(hint)[0])
    assert isinstance(hint, type)
    assert issubclass(hint, BaseModel)
    return _part(hint)


DOSSIER_FIELDS: Final = ("dossier_code", "about_dossier")
"""The fields of data that name a dossier: one of the own tenant."""


class _Kind(NamedTuple):
    """What is known of an event by its type."""

    name: EventName | RecordEventName
    finish: Finish | None
    names_agency: bool
    names_desk: bool
    """Also the agency that received."""
    personal: tuple[str, ...]
    """The fields of its data that are personal."""
    is_subject: Callable[[str], Any]
    names_tenant: bool
    """Its subject begins with the tenant."""
    names_dossier: str | None
    """The field of its data that names a dossier beside the subject."""


def _event(register: Register, name: str) -> tuple[type[Struct], _Kind]:
    model = models_by_type()[register.type_of(name)]
    data = _form_of(get_type_hints(model, include_extras=True)["data"])
    decoded = msgspec.defstruct(
        model.__name__,
        [
            ("specversion", Literal["1.0"]),
            ("id", _text(fields.LONGEST_ID)),
            ("source", _text(fields.LONGEST_SOURCE)),
            ("subject", Annotated[str, Meta(max_length=LONGEST_SUBJECT)]),
            ("time", str),
            _field("data", data, model.model_fields["data"]),
            ("datacontenttype", Literal["application/json"], "application/json"),
        ],
        tag_field="type",
        tag=register.type_of(name),
        forbid_unknown_fields=True,
        kw_only=True,
        gc=False,
    )
    has = data.type.__struct_fields__
    # a dossier's pattern says all of it, and is asked without a step between
    is_dossiers = register is DOSSIER
    is_subject = re.compile(register.subject_pattern).fullmatch if is_dossiers else _remembering(register.is_subject)
    names_tenant = register.tenant_of is not None
    personal = personal_fields(register.type_of(name))
    names_desk = "receiving_agency_code" in has
    names_dossier = next((field for field in DOSSIER_FIELDS if field in has), None)
    logged = register.logged(name)
    return decoded, _Kind(
        logged, data.finish, "agency_code" in has, names_desk, personal, is_subject, names_tenant, names_dossier
    )


class _Decoder:
    """Decodes an event of any register by its type, and says what is known of what it made."""

    __slots__ = ("decode", "kind_of")

    decode: Callable[[bytes], Any]
    kind_of: Mapping[type[Struct], tuple[Any, ...]]
    """By what is decoded, a `_Kind` as a bare tuple, which is taken apart sooner."""

    def __init__(self) -> None:
        self.learn()

    def learn(self) -> None:
        """Take in every register that there is."""
        kinds = [
            _event(register, name)
            for register in REGISTERS.values()
            for name in register.told
            if models_by_type()[register.type_of(name)].is_regular
        ]
        self.kind_of = {decoded: tuple(kind) for decoded, kind in kinds}
        self.decode = msgspec.json.Decoder(functools.reduce(operator.or_, self.kind_of)).decode


DECODER: Final = _Decoder()
ESCAPED_NUL: Final = rb"\u0000"
"""In JSON; PostgreSQL takes no NUL in a text."""


class Plain(Struct, gc=False):
    """What an event tells: ``time`` and the instants in ``data`` are in UTC, and `msgspec` leaves out what is null in it."""

    source: str
    id: str
    name: EventName | RecordEventName
    subject: str
    time: datetime
    data: Any
    """Has the fields of the model's data; None: it is empty."""
    agency_code: str | None = None
    """The agency that it names; where it names the desk too, both (`agency_pair`)."""
    personal: tuple[str, ...] = ()
    """The fields of the data that are personal, there or not."""


def _demand_own(code: str | None, tenant: Tenant) -> None:
    if code is not None and not code.startswith(tenant):
        raise NotRegular


def _with_desk(agency_code: str, desk_code: str, tenant: Tenant) -> str:
    _demand_own(desk_code, tenant)
    return agency_pair(agency_code, desk_code)


def plain(raw: bytes, tenant: Tenant) -> Plain:
    """What an event in JSON tells, if it is certainly a valid one of this tenant.

    Raises:
        Doubt: it may be valid or not.
    """
    if b"\\" in raw and ESCAPED_NUL in raw:
        raise NotRegular
    try:
        event = DECODER.decode(raw)
        name, finish, names_agency, names_desk, personal, is_subject, names_tenant, dossier = DECODER.kind_of[type(event)]
        # a code of the present form begins with its tenant; one of the old form ends with it, and is left to pydantic
        subject = event.subject
        if (names_tenant and not subject.startswith(tenant)) or not is_subject(subject):
            raise NotRegular
        if is_own_source(_own_source(event.source)):
            raise NotRegular
        data = event.data
        agency_code = None
        if data is not None:
            if finish is not None:
                finish(data)
            if names_agency:
                agency_code = data.agency_code
                _demand_own(agency_code, tenant)
                if names_desk and data.receiving_agency_code is not None:
                    agency_code = _with_desk(agency_code, data.receiving_agency_code, tenant)
            if dossier is not None:
                _demand_own(getattr(data, dossier), tenant)
        return Plain(
            event.source,
            _unpersonal(_printable(event.id)),
            name,
            subject,
            fields.instant_of(event.time),
            data,
            agency_code,
            () if data is None else personal,
        )
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, PydanticCustomError):
        raise NotRegular from None
