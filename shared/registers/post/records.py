"""The fold of ``post``: papers on their way to the desk, and results on their way back."""

from collections.abc import Sequence
from typing import Any, Final

from shared.projection.rules.records import Record
from shared.vocabulary.events import RecordEvent

FIGURES: Final[tuple[str, ...]] = ()
"""None is stored as a sum: `figures.py` counts dossiers."""

_WAY_BACK: Final = ("dispatched", "delivered", "failed")


def fold(_code: str, events: Sequence[RecordEvent]) -> Record:
    """``way_back``: every step of a result in fold order, of which the last one by a day tells where it is on that day."""
    facts: dict[str, Any] = {}
    fees: dict[str, int] = {}
    dispatched: set[str] = set()
    way_back: list[dict[str, Any]] = []
    anomalies: set[str] = set()
    for event in events:
        data, name = event.data, event.name.local_name
        if name in _WAY_BACK:
            way_back.append({"step": name, "at": event.time, **data})
            if name == "delivered" and data["item_no"] not in dispatched:
                anomalies.add("delivered_not_dispatched")
            if name == "dispatched":
                dispatched.add(data["item_no"])
            if data.get("reason") == "lost":
                anomalies.add("lost")
        else:
            facts.setdefault(f"{name}_at", event.time)
            if "fee_vnd" in data:
                fees[data["item_no"]] = data["fee_vnd"]
    if fees:
        facts["fee_vnd"] = sum(fees.values())
    if way_back:
        facts["way_back"] = way_back
    return Record(None, facts, anomalies=sorted(anomalies))
