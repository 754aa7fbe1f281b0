"""What is strange about the steps of a dossier beside what its own events tell (registers, section 5)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any, Final

from shared.calendar.rules.calendar import UnconfirmedYear
from shared.vocabulary.local_time import LOCAL_ZONE, ONE_DAY, local_date

WorkingDay = Callable[[date, int], date]
"""``wd(a, n)`` of the rules: `World.working_day`."""

_LATE_RECEPTION: Final = time(15)
"""What is received after it is handed on the next working day."""


def step_anomalies(
    working_day: WorkingDay,
    rows: Sequence[Mapping[str, Any]],
    process: Mapping[str, Any] | None,
    received_at: datetime | None,
    ended_at: datetime | None,
) -> list[str]:
    """``handed_after_end`` and ``step_unknown`` by row, ``step_skipped`` by step, ``handed_late`` at most once."""
    found: list[str] = []
    numbers = {row["step_no"] for row in rows if ended_at is None or _at(row) < ended_at}
    found += ["handed_after_end" for row in rows if ended_at is not None and _at(row) >= ended_at]
    if process is not None:
        known = {step["no"] for step in process["steps"]}
        found += ["step_unknown" for row in rows if row["step_no"] not in known]
        if ended_at is not None:
            counted = {step["no"] for step in process["steps"] if step.get("counts", True)}
            found += ["step_skipped" for _ in counted - numbers]
    if rows and received_at is not None and _is_handed_late(working_day, received_at, _at(rows[0])):
        found.append("handed_late")
    return found


def _at(row: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(row["at"])


def _is_handed_late(working_day: WorkingDay, received_at: datetime, handed_at: datetime) -> bool:
    """Whether the desk handed on later than on the day of reception, after 15:00 than on the next working day (by date).

    A day off is no day to hand on: the next working day is (choice).
    """
    received_on = local_date(received_at)
    is_late = received_at.astimezone(LOCAL_ZONE).time() > _LATE_RECEPTION
    try:
        due_on = working_day(received_on if is_late else received_on - ONE_DAY, 1)
    except UnconfirmedYear:
        return False
    return local_date(handed_at) > due_on
