"""What is strange about items of the catalogue, docs/registers.md section 4: they open as lists of its figures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import chain
from typing import Any

from tests.oracle.registers.catalogue import decisions, entries, last_items
from tests.oracle.registers.world import Unit, World


def of_items(world: World) -> Iterator[tuple[str, str]]:
    """Procedure and anomaly: what an item finds right before it, by the decisions in force on its day."""
    published = [one for one in decisions(world) if one.kind == "publication"]
    for number, decision in enumerate(published):
        earlier = [one for one in published[:number] if one.in_force(decision.effective_on)]
        known: set[str] = set()
        for one in earlier:
            for item in one.items:
                known = after_item(known, item)
        # of the decision itself the items before, if it is in force on its own day at all
        for item in decision.items:
            code, action = item["procedure_code"], item["action"]
            if action == "new" and code in known:
                yield code, "new_already_in_force"
            if action == "abolished" and code not in known:
                yield code, "abolished_not_in_force"
            if action == "replaced" and item.get("replaces") and item["replaces"] not in known:
                yield item["replaces"], "replaces_unknown"
            if decision.in_force(decision.effective_on):
                known = after_item(known, item)


def after_item(known: set[str], item: dict[str, Any]) -> set[str]:
    code = item["procedure_code"]
    if item["action"] == "abolished":
        return known - {code}
    gone = {item["replaces"]} if item["action"] == "replaced" and item.get("replaces") else set()
    return (known - gone) | {code}


def of_entries(world: World, day: date) -> Iterator[tuple[str, str]]:
    """Of procedures in force: 'sum of counted hours = procedure limit x 8, else process_sum'; 'a difference is sheet_differs'."""
    processes = last_items(world, "process", day)
    for code, item in entries(world, day).items():
        sheet = world.sheet.get(code, {})
        limit = item.get("limit")
        hours = {"working_days": 8, "working_hours": 1}.get(limit["unit"]) if limit else None
        if hours is not None and limit is not None and code in processes:
            counted = sum(step.get("hours", 0) for step in processes[code]["steps"] if step.get("counts", True))
            if counted != limit["value"] * hours:
                yield code, "process_sum"
        said = {"name": "name", "fee": "has_fee", "result_document": "result_is_document"}
        if any(sheet.get(told) is not None and name in item and item[name] != sheet[told] for name, told in said.items()):
            yield code, "sheet_differs"


PARTS = ("new_already_in_force", "abolished_not_in_force", "replaces_unknown", "process_sum", "sheet_differs")


def units(world: World, _start: date, to: date) -> Iterator[Unit]:
    for code, name in set(chain(of_items(world), of_entries(world, to))):
        yield Unit(code, world.setting.root, {name: 1})
