"""The models of every register's events, as `shared.events.rules.registers` names them."""

import functools
import operator
from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, Any, Final, get_args

from pydantic import BaseModel, Field, TypeAdapter
from pydantic.fields import FieldInfo

from shared.events.cloudevents.fields import PERSONAL
from shared.events.cloudevents.models import MODELS, Envelope
from shared.events.rules.registers import DOSSIER, FOLDERS, REGISTERS, Register


def _models(register: Register) -> Mapping[str, type[Envelope]]:
    models: Mapping[str, type[Envelope]] = import_module(f"{FOLDERS}.{register.name}.events").MODELS
    return models


MODELS_BY_REGISTER: Final[dict[str, Mapping[str, type[Envelope]]]] = {
    name: MODELS if register is DOSSIER else _models(register) for name, register in REGISTERS.items()
}
"""By the register's name, then by type: a model for each of its events."""


@functools.cache
def models_by_type() -> Mapping[str, type[Envelope]]:
    """Every event's model, in the order of registers and ranks."""
    return {
        type_: MODELS_BY_REGISTER[name][type_]
        for name, register in REGISTERS.items()
        for type_ in map(register.type_of, register.events)
    }


def data_fields(type_: str) -> Mapping[str, FieldInfo]:
    """The fields in the data of an event, by name."""
    told = models_by_type()[type_].model_fields["data"].annotation
    parts = [part for part in (told, *get_args(told)) if isinstance(part, type) and issubclass(part, BaseModel)]
    return {name: field for part in parts for name, field in part.model_fields.items()}


def personal_fields(type_: str) -> tuple[str, ...]:
    """Those of them that are marked as personal."""
    return tuple(name for name, field in data_fields(type_).items() if field.json_schema_extra == PERSONAL)


@functools.cache
def registers_by_type() -> Mapping[str, tuple[Register, str]]:
    """The register of every type, and what it calls the event."""
    return {register.type_of(name): (register, name) for register in REGISTERS.values() for name in register.events}


@functools.cache
def told_event() -> TypeAdapter[Any]:
    """What may be posted: any event that a register takes from others, distinguished by its type."""
    told = [models_by_type()[register.type_of(name)] for register in REGISTERS.values() for name in register.told]
    union: Any = Annotated[functools.reduce(operator.or_, told), Field(discriminator="type")]
    return TypeAdapter(union)


def forget() -> None:
    """Read the tables again: a row was added or taken away."""
    for known in (models_by_type, registers_by_type, told_event):
        known.cache_clear()
