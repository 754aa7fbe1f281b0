"""The fold of ``component``: which papers of a dossier are owed as files, which are files, and what results there are."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from shared.projection.rules.records import Record
from shared.vocabulary.events import RecordEvent

FIGURES: Final[tuple[str, ...]] = ()
"""None is stored as a sum: `figures.py` counts dossiers."""


def fold(_code: str, events: Sequence[RecordEvent]) -> Record:
    """Facts are empty without an effective event: then the dossier's flags speak (**choice** of registers.md, section 3)."""
    if not events:
        return Record(None)
    components: dict[str, dict[str, Any]] = {}
    results: dict[str, dict[str, Any]] = {}
    for event in events:
        if "result_code" in event.data:
            _tell_result(results.setdefault(event.data["result_code"], {"has_file": False}), event)
        else:
            _tell_component(components.setdefault(event.data["component_code"], {}), event)
    for component in components.values():
        component["has_file"] = bool({"file", "sources"} & component.keys()) or component.get("form") == "electronic"
        component["owed"] = "form" in component and component.get("exempt", "electronic") == "electronic"
    return Record(None, {"components": components, "results": results}, anomalies=sorted({*_anomalies(components)}))


def _tell_component(component: dict[str, Any], event: RecordEvent) -> None:
    data = event.data
    match event.name.local_name:
        case "submitted":
            if component.get("form") != "electronic":
                component["form"] = data["form"]
        case "exempt":
            # a component that came as a file: the same thing said twice, and no reason beside another one
            if component.get("exempt", "electronic") == "electronic":
                component["exempt"] = data["reason"]
        case "digitised":
            component["file"] = data["file"]
        case _:
            component["sources"] = sorted({*component.get("sources", ()), data["source"]})


def _tell_result(result: dict[str, Any], event: RecordEvent) -> None:
    if event.name.local_name == "result_revoked":
        result |= {"has_file": False, "revoked_at": event.time}
        return
    # the first one: it tells whether something was issued before there was a decision
    result.setdefault("issued_at", event.time)
    if "file" in event.data:
        result |= {"has_file": True, "file": event.data["file"], "signed": event.data.get("signed", False)}


def _anomalies(components: dict[str, dict[str, Any]]) -> Iterator[str]:
    for component in components.values():
        if "form" not in component:
            # exempt alone: of a component that nobody told of
            yield "file_without_submission" if component["has_file"] else "unknown_component"
        if component["has_file"] and component.get("exempt", "electronic") != "electronic":
            yield "exempt_and_file"
