"""The table of registers: what a row must say, and that each row has its models and its projection."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, get_args

import pytest

from shared import registers
from shared.events.cloudevents import registered
from shared.events.cloudevents.models import EXTENSIONS, Envelope
from shared.events.cloudevents.registered import MODELS_BY_REGISTER, models_by_type, registers_by_type
from shared.events.rules.registers import DOSSIER, LONGEST_SUBJECT, REGISTERS, Register, register_of
from shared.projection.rules import register_projections
from shared.projection.rules.register_projections import PROJECTIONS
from shared.vocabulary.codes import tenant_of_dossier
from shared.vocabulary.events import RANKS, VOIDED, EventName, RecordEventName, logged_name


def register(**changes: Any) -> Register:
    row: dict[str, Any] = {
        "name": "note",
        "events": ("opened", "closed", VOIDED),
        "subject_pattern": "^N-[0-9]+$",
        "projection": "notes",
        "moving": frozenset({"opened"}),
    }
    return Register(**{**row, **changes})


def test_every_register_is_whole() -> None:
    """A row here, its models, and its projection: the dossiers' is a program of its own."""
    assert MODELS_BY_REGISTER.keys() == REGISTERS.keys()
    assert PROJECTIONS.keys() == REGISTERS.keys() - {DOSSIER.name}
    for name, row in REGISTERS.items():
        assert row.name == name
        assert set(MODELS_BY_REGISTER[name]) == {row.type_of(event) for event in row.events}
        for event in row.events:
            model = models_by_type()[row.type_of(event)]
            assert issubclass(model, Envelope)
            schema = model.model_json_schema()
            assert {key: schema[key] for key in EXTENSIONS} == EXTENSIONS, f"{model.__name__}: which attributes may be added"
            assert get_args(model.model_fields["type"].annotation) == (row.type_of(event),)
            assert registers_by_type()[row.type_of(event)] == (row, event)
            assert logged_name(row.logged(event)) == row.logged(event)
            assert register_of(row.logged(event)) is row
            assert row.logged(event).type == row.type_of(event)
    assert len({row.projection for row in REGISTERS.values()}) == len(REGISTERS)
    assert all(projection.register is REGISTERS[name] for name, projection in PROJECTIONS.items())


def test_a_row_finds_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "note"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "events.py").write_text("MODELS = {'vn.motcua.note.opened.v1': object}\n")
    (folder / "records.py").write_text("FIGURES = ['open']\ndef fold(code, events):\n    return code\n")
    monkeypatch.setattr(registers, "__path__", [*registers.__path__, str(tmp_path)])
    try:
        assert registered._models(register()) == {"vn.motcua.note.opened.v1": object}
        found = register_projections._projection(register())
        assert (found.register, found.figures, found.fold("N-1", [])) == (register(), {"open"}, "N-1")
    finally:
        for name in ("", ".events", ".records"):
            sys.modules.pop(f"shared.registers.note{name}", None)


def test_dossiers_are_logged_as_ever() -> None:
    assert [DOSSIER.logged(name) for name in DOSSIER.events] == list(EventName)
    assert [DOSSIER.type_of(name) for name in DOSSIER.events] == [name.type for name in EventName]
    assert list(DOSSIER.events) == sorted(DOSSIER.events, key=lambda name: RANKS[EventName(name)])
    assert set(DOSSIER.events) - set(DOSSIER.told) == {"due_set"}
    assert DOSSIER.tenant_of is tenant_of_dossier


def test_names_tell_the_register() -> None:
    name = register().logged("opened")
    assert (name, name.type) == ("note.opened", "vn.motcua.note.opened.v1")
    assert isinstance(name, RecordEventName)
    assert (name.register, name.local_name, register().rank(name)) == ("note", "opened", 0)
    assert logged_name("note.opened") == name
    assert logged_name("received") is EventName.RECEIVED


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "no.te"},
        {"name": ""},
        {"name": "Note"},
        {"events": ("opened", "closed")},
        {"events": (VOIDED, "opened")},
        {"events": ("opened", "opened", VOIDED)},
        {"events": ("op.ened", VOIDED), "moving": frozenset()},
        {"moving": frozenset({"lost"})},
        {"written_here": frozenset({"lost"})},
    ],
)
def test_a_row_that_the_log_could_not_keep_apart_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        register(**changes)


@pytest.mark.parametrize("subject", ["N-1\n", 'N-"', "N-\\", "N- 1", "N-é", "N-\0", "N-" + "1" * LONGEST_SUBJECT, "n-1", ""])
def test_a_subject_needs_no_escape_whatever_its_pattern(subject: str) -> None:
    """It goes into canonical JSON and into a line of the append as it is."""
    assert not register(subject_pattern=r"^(?s:N-.*)$").is_subject(subject)
    assert register().is_subject("N-1")
