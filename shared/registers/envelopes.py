"""The CloudEvents of a register, made from what each event's data is: the rest of an envelope is alike."""

from collections.abc import Callable, Mapping
from types import new_class
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, Strict, StringConstraints

from shared.events.cloudevents.data import Data, VoidedData
from shared.events.cloudevents.models import EXTENSIONS, Envelope
from shared.events.rules.registers import LONGEST_SUBJECT, REGISTERS
from shared.vocabulary.events import VOIDED

Told = Mapping[str, tuple[type[Data], Mapping[str, Any]] | tuple[type[Data], Mapping[str, Any], str]]
"""By the event's name: the model of its data, an example of it, and words for the event where they are not its docstring."""

_VOIDED_WORDS: Final = "Takes one event of the same record out (hủy một sự kiện)."
_TIME: Final = "2022-05-12T08:00:00+07:00"


def models_of(name: str, subject: str, what: str, told: Told, *, code: Any = None) -> dict[str, type[Envelope]]:
    """The models of a register's events by type.

    ``subject``: a code for the examples; ``what``: what codes are of; ``code``: their type, else a text of the register's
    pattern.
    """
    register = REGISTERS[name]
    first = next(iter(told))
    voided = {"event_id": f"{name}-{first}-1", "event_source": "urn:h51:motcua", "reason": "Nhập nhầm"}
    code = code or Annotated[str, Strict(), StringConstraints(max_length=LONGEST_SUBJECT, pattern=register.subject_pattern)]
    models: dict[str, type[Envelope]] = {}
    every: Told = {**told, VOIDED: (VoidedData, voided, _VOIDED_WORDS)}
    for event, (data, values, *words) in every.items():
        type_ = register.type_of(event)
        example: dict[str, Any] = {"specversion": "1.0", "type": type_, "source": "urn:h51:motcua"}
        example |= {"id": f"{name}-{event}-1", "subject": subject, "time": _TIME, "data": values}
        needs_data = any(field.is_required() for field in data.model_fields.values())
        members = {
            "__module__": data.__module__,
            "__doc__": words[0] if words else data.__doc__,
            "__annotations__": {"subject": code, "type": Literal[type_], "data": data if needs_data else data | None},
            "model_config": ConfigDict(json_schema_extra={"examples": [example], **EXTENSIONS}),
            "subject": Field(description=f"{what}.", examples=[subject]),
            **({} if needs_data else {"data": None}),
        }
        title = "".join(map(str.title, f"{name}_{event}".split("_")))
        models[type_] = new_class(title, (Envelope,), {}, _filled(members))
    return models


def _filled(members: Mapping[str, Any]) -> Callable[[dict[str, Any]], None]:
    def fill(space: dict[str, Any]) -> None:
        space.update(members)

    return fill
