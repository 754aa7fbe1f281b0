"""A register that exists in these tests only: notes, opened and closed, and one figure, the open ones by agency and day.

All that a new register needs is here: its row, its models, its fold and figures. `added` puts it beside the dossiers.
"""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from pydantic import ConfigDict, Field, Strict, StringConstraints

from shared.events.cloudevents import data as of
from shared.events.cloudevents.decoding import learn_registers
from shared.events.cloudevents.fields import PERSONAL, AgencyCodeText, Text
from shared.events.cloudevents.models import Envelope
from shared.events.cloudevents.registered import MODELS_BY_REGISTER
from shared.events.rules.registers import LONGEST_SUBJECT, REGISTERS, Register
from shared.projection.rules.records import Count, Record, RegisterProjection
from shared.projection.rules.register_projections import PROJECTIONS
from shared.vocabulary.codes import DOSSIER_CODE_PATTERN, tenant_of_dossier
from shared.vocabulary.events import RecordEvent
from shared.vocabulary.local_time import local_date

OPEN = "open"


class OpenedData(of.Data):
    """A note was opened."""

    agency_code: AgencyCodeText
    urgent: Annotated[bool, Strict()] | None = None
    sender: of.Person | None = Field(None, json_schema_extra=PERSONAL)
    remark: Text | None = Field(None, json_schema_extra=PERSONAL)


class ClosedData(of.Data):
    """A note was closed."""

    outcome: Literal["done", "dropped"]


def models(name: str, pattern: str) -> dict[str, type[Envelope]]:
    subject_text = Annotated[str, Strict(), StringConstraints(max_length=LONGEST_SUBJECT, pattern=pattern)]

    def example(event: str, data: dict[str, Any]) -> ConfigDict:
        one = {"specversion": "1.0", "type": f"vn.motcua.{name}.{event}.v1", "source": "urn:t", "id": event}
        one |= {"subject": "N-0001", "time": "2022-05-12T08:00:00Z", "data": data}
        return ConfigDict(json_schema_extra={"examples": [one]})

    class Noted(Envelope):
        subject: subject_text = Field(description="Note code.")  # type: ignore[valid-type]

    class Opened(Noted):
        """Opened."""

        model_config = example("opened", {"agency_code": "H51.12"})
        type: Literal[f"vn.motcua.{name}.opened.v1"]  # type: ignore[valid-type]
        data: OpenedData

    class Closed(Noted):
        """Closed."""

        model_config = example("closed", {"outcome": "done"})
        type: Literal[f"vn.motcua.{name}.closed.v1"]  # type: ignore[valid-type]
        data: ClosedData

    class Voided(Noted):
        """Voided."""

        model_config = example("voided", {"event_id": "opened", "event_source": "urn:t", "reason": "sai"})
        type: Literal[f"vn.motcua.{name}.voided.v1"]  # type: ignore[valid-type]
        data: of.VoidedData

    found: tuple[type[Envelope], ...] = (Opened, Closed, Voided)
    events = ("opened", "closed", "voided")
    for event, model in zip(events, found, strict=True):  # schemas are told apart by their names
        model.__name__ = f"{name.title()}{event.title()}"
    return {f"vn.motcua.{name}.{event}.v1": model for event, model in zip(events, found, strict=True)}


def fold(code: str, events: Sequence[RecordEvent]) -> Record:
    if code.endswith("0666"):
        raise ArithmeticError("no note may have this number")
    opened = next((event for event in events if event.name.local_name == "opened"), None)
    closed = next((event for event in events if event.name.local_name == "closed"), None)
    if opened is None:
        return Record(None, {"state": "unknown"}, anomalies=["not_opened"] if closed else [])
    counts = [Count(OPEN, local_date(opened.time), 1)]
    if closed is not None:
        counts.append(Count(OPEN, max(local_date(closed.time), local_date(opened.time)), -1))
    facts = {"state": "open" if closed is None else "closed", "opened_at": opened.time}
    return Record(opened.data["agency_code"], facts, counts)


@dataclass(frozen=True, slots=True)
class Row:
    """Everything that makes the register."""

    register: Register
    models: dict[str, type[Envelope]]
    projection: RegisterProjection


def row(name: str, pattern: str, **more: Any) -> Row:
    register = Register(
        name=name,
        events=("opened", "closed", "voided"),
        subject_pattern=pattern,
        projection=name,
        moving=frozenset({"opened", "voided"}),
        **more,
    )
    return Row(register, models(name, pattern), RegisterProjection(register, fold, frozenset({OPEN})))


TESTNOTE = row("testnote", r"^N-[0-9]{4}$")
DOSSIERNOTE = row("dossier_note", DOSSIER_CODE_PATTERN, tenant_of=tenant_of_dossier)
"""Its subjects are dossier codes: the same code stands for two records."""


@contextmanager
def added(*rows: Row) -> Iterator[None]:
    for one in rows:
        REGISTERS[one.register.name] = one.register
        MODELS_BY_REGISTER[one.register.name] = one.models
        PROJECTIONS[one.register.name] = one.projection
    try:
        learn_registers()
        yield
    finally:
        for one in rows:
            for table in (REGISTERS, MODELS_BY_REGISTER, PROJECTIONS):
                table.pop(one.register.name, None)
        learn_registers()


@pytest.fixture
def registers() -> Iterator[None]:
    """Ask for it before whatever starts the API or a worker."""
    with added(TESTNOTE, DOSSIERNOTE):
        yield


SERIAL = itertools.count(1)


def note(name: str = "opened", subject: str = "N-0001", *, register: str = "testnote", **changes: Any) -> dict[str, Any]:
    """An event of a note as an agency posts it."""
    told = {"opened": {"agency_code": "H51.12"}, "closed": {"outcome": "done"}, "voided": {}}[name]
    logged = {"specversion": "1.0", "type": f"vn.motcua.{register}.{name}.v1", "source": "urn:notes"}
    logged |= {"id": f"n{next(SERIAL)}", "subject": subject, "time": "2022-05-12T08:00:00+07:00", "data": told}
    return logged | changes


def voided(event: dict[str, Any], **changes: Any) -> dict[str, Any]:
    name = event["type"].split(".")[2]
    data = {"event_id": event["id"], "event_source": event["source"], "reason": "nhầm"}
    return note("voided", event["subject"], register=name, data=data, **changes)
