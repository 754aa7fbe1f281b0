"""The columns of ``figure_sum``, and what SQL says of its slots (`shared.counting.rules.slot_numbers`)."""

from typing import Final

from shared.counting.rules.slot_numbers import STRIDE, Rollup
from shared.database.tables import MEASURES

NAMES: Final = ", ".join(MEASURES)
KEY: Final = "slot, agency, procedure, channel"
"""The columns of ``figure_sum`` beside the tenant and the measures."""
# the sum of integers is a bigint
SUMS: Final = ", ".join(f"sum({measure})::int AS {measure}" for measure in MEASURES)
ANY: Final = " OR ".join(f"{measure} <> 0" for measure in MEASURES)
"""SQL: the measures, added up; and whether a row counts anything."""

FINER_FIRST: Final = "slot % 100 = 0, slot % 10000 = 0"
"""SQL: the order of days before months before years."""


def digits_sql(day: str) -> str:
    """SQL: a date as the digits of its slot."""
    digits = f"date_part('year', {day})::int * 10000 + date_part('month', {day})::int * 100 + date_part('day', {day})::int"
    # a day beyond these is a mistake, and is to be found like any other
    last = STRIDE - 1
    return f"CASE WHEN {day} BETWEEN '0001-01-01' AND '9999-12-31' THEN {digits} WHEN {day} IS NOT NULL THEN {last} END"


def month_slot_sql(slot: str) -> str:
    """SQL: the slot of the month that a slot lies in."""
    return f"({slot} / 100 * 100)"


def year_slot_sql(slot: str) -> str:
    """SQL: the slot of the year that a slot lies in."""
    return f"({slot} / 10000 * 10000)"


def is_rollup_sql(slot: str, *cuts: Rollup) -> str:
    """SQL: whether a slot is of one of these cuts."""
    return f"{slot} / {STRIDE} IN ({', '.join(str(cut.value) for cut in cuts)})"


def is_day_sql(slot: str) -> str:
    return f"({slot} % 100 <> 0)"


def first_digits_sql(slot: str) -> str:
    """SQL: the digits of the first day of a slot."""
    return f"({slot} % {STRIDE} + CASE WHEN {slot} % 10000 = 0 THEN 101 WHEN {slot} % 100 = 0 THEN 1 ELSE 0 END)"


def last_digits_sql(slot: str) -> str:
    """SQL: digits not before those of the last day of a slot, and before those of the next one."""
    return f"({slot} % {STRIDE} + CASE WHEN {slot} % 10000 = 0 THEN 1231 WHEN {slot} % 100 = 0 THEN 31 ELSE 0 END)"
