"""The fold of ``post``: papers on their way to the desk, and results on their way back."""

from collections.abc import Sequence
from typing import Any, Final

from shared.projection.rules.records import Record
from shared.vocabulary.events import RecordEvent

FIGURES: Final[tuple[str, ...]] = ()
"""None is stored as a sum: `figures.py` counts dossiers."""

_WAY_BACK: Final = ("dispatched", "delivered", "failed")


def fold(code: str, events: Sequence[RecordEvent]) -> Record:  # noqa: ARG001 - every register's fold has the code
    """``way_back``: every step of a result in fold order, of which the last one by a day tells where it is on that day."""
    facts: dict[str, Any] = {}
    fees: dict[str, int] = {}
    items: dict[str, list[str]] = {}
    way_back: list[dict[str, Any]] = []
    anomalies: set[str] = set()
    for event in events:
        data, name = event.data, event.name.local_name
        if name not in _WAY_BACK:
            facts.setdefault(f"{name}_at", event.time)
        if name == "return_requested":
            continue
        item = data["item_no"]
        if name == "delivered" and "dispatched" not in items.get(item, ()):
            anomalies.add("delivered_not_dispatched")
        items.setdefault(item, []).append(name)
        if "fee_vnd" in data:
            fees[item] = data["fee_vnd"]
        if name in _WAY_BACK:
            way_back.append({"step": name, "at": event.time, **data})
    if any(step.get("reason") == "lost" for step in way_back):
        anomalies.add("lost")
    if items:
        facts["items"] = items
    if fees:
        facts["fee_vnd"] = sum(fees.values())
    if way_back:
        facts["way_back"] = way_back
    return Record(None, facts, anomalies=sorted(anomalies))
