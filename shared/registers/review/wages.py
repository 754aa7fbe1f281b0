"""The wage that the cost of compliance goes by: a dated setting with a source, told as facts of the province.

``review_wage_vnd_per_hour``, ``review_wage_source`` and ``review_wage_from``, a date. A sheet says what it was made with;
one that is made with another wage is strange and counts as it is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from shared.vocabulary.local_time import local_date_of


@dataclass(frozen=True, slots=True)
class Wage:
    """What an hour costs from a day on, and who says so."""

    vnd_per_hour: int
    source: str
    begins_on: date


def wage_of(facts: Mapping[str, str]) -> Wage | None:
    """The wage that facts of an agency tell; None: none that is whole."""
    amount, source = facts.get("review_wage_vnd_per_hour", ""), facts.get("review_wage_source", "")
    try:
        begins_on = date.fromisoformat(facts.get("review_wage_from", ""))
    except ValueError:
        return None
    whole = amount.isascii() and amount.isdecimal() and bool(source)
    return Wage(int(amount), source, begins_on) if whole else None


def wage_anomalies(facts: Mapping[str, Any], wage: Wage | None) -> list[str]:
    """``wage_differs``: a sheet that was told while the wage was in force goes by another one. ``facts``: of a review."""
    if wage is None:
        return []
    told: Iterable[Mapping[str, Any]] = (facts[name] for name in ("reviewed", "proposed") if name in facts)
    strange = any(local_date_of(one["at"]) >= wage.begins_on and set(one["wages_vnd"]) - {wage.vnd_per_hour} for one in told)
    return ["wage_differs"] if strange else []
