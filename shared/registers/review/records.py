"""The fold of ``review``: a procedure as it was last reviewed, and what was proposed for it since."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import floor
from typing import Any, Final

from shared.projection.rules.records import Record
from shared.vocabulary.events import RecordEvent

FIGURES: Final[tuple[str, ...]] = ()
"""None is stored as a sum: `figures.py` counts procedures."""

MOST_VND: Final = 10**15
"""The largest amount that any event tells; a cost beyond it is a slip of the pen, and in no figure."""

_AFTER: Final = {"proposed": "reviewed", "approved": "proposed"}
"""What each step follows."""


def cost_vnd(sheet: Mapping[str, Any]) -> int:
    """What a procedure costs in a year: (sum(hours x wage + service) + fees) x times a year x persons.

    Exact, and rounded half up once, to 1 VND. A number is the decimal that was told, not the binary one it is kept in.
    """
    cost = Fraction(sheet.get("fees_vnd", 0))
    for activity in sheet["activities"]:
        cost += _exact(activity["hours"]) * _exact(activity["wage_vnd_per_hour"]) + activity.get("service_vnd", 0)
    persons: int = sheet["persons"]
    return floor(cost * _exact(sheet["times_per_year"]) * persons + Fraction(1, 2))


def _exact(number: float) -> Fraction:
    return Fraction(str(number))


def fold(_code: str, events: Sequence[RecordEvent]) -> Record:
    """Facts: the last of each step; what was proposed and approved, of the last review only."""
    facts: dict[str, Any] = {}
    anomalies: set[str] = set()
    for event in events:
        told, name = dict(event.data), event.name.local_name
        if name == "reviewed":
            facts.pop("proposed", None)
            facts.pop("approved", None)
        elif name in _AFTER and _AFTER[name] not in facts:
            anomalies.add(f"{name}_un{_AFTER[name]}")
        for field in ("sheet_before", "sheet_after"):
            if field in told:
                sheet = told.pop(field)
                told["wages_vnd"] = sorted({activity["wage_vnd_per_hour"] for activity in sheet["activities"]})
                cost = cost_vnd(sheet)
                if cost <= MOST_VND:
                    told["cost_vnd"] = cost
                else:
                    anomalies.add("cost_out_of_range")
        facts[name] = {**told, "at": event.time}
    return Record(None, facts, anomalies=sorted(anomalies))
