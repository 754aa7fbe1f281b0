"""The wages that the cost of compliance goes by: dated settings with a source, told as facts of the province.

``review_wage_vnd_per_hour``, ``review_wage_source`` and ``review_wage_from``, a date; further wages have the same names with
one ending more, such as ``_2024``. Each is in force until the next one is. A sheet says what it was made with; one that is
made with another wage than the one in force is strange and counts as it is.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from shared.vocabulary.local_time import local_date_of

_FROM: Final = "review_wage_from"


@dataclass(frozen=True, slots=True)
class Wage:
    """What an hour costs from a day on, and who says so."""

    vnd_per_hour: int
    source: str
    begins_on: date


def wages_of(facts: Mapping[str, str]) -> list[Wage]:
    """The wages that facts of an agency tell, by day; those that are not whole are none."""
    endings = sorted(name.removeprefix(_FROM) for name in facts if name.startswith(_FROM))
    found = [_wage(facts, ending) for ending in endings]
    return sorted((wage for wage in found if wage is not None), key=lambda wage: wage.begins_on)


def _wage(facts: Mapping[str, str], ending: str) -> Wage | None:
    amount = facts.get(f"review_wage_vnd_per_hour{ending}", "")
    source = facts.get(f"review_wage_source{ending}", "")
    try:
        begins_on = date.fromisoformat(facts[f"{_FROM}{ending}"])
    except ValueError:
        return None
    whole = amount.isascii() and amount.isdecimal() and bool(source)
    return Wage(int(amount), source, begins_on) if whole else None


def wage_on(wages: Sequence[Wage], on: date) -> Wage | None:
    """The wage in force on a day; None: none is yet. ``wages``: by day."""
    return next((wage for wage in reversed(wages) if wage.begins_on <= on), None)


def wage_anomalies(facts: Mapping[str, Any], wages: Sequence[Wage]) -> list[str]:
    """``wage_differs``: a sheet goes by another wage than the one in force when it was told. ``facts``: of a review."""
    told: Iterable[Mapping[str, Any]] = (facts[name] for name in ("reviewed", "proposed") if name in facts)
    for one in told:
        wage = wage_on(wages, local_date_of(one["at"]))
        if wage is not None and set(one["wages_vnd"]) - {wage.vnd_per_hour}:
            return ["wage_differs"]
    return []
