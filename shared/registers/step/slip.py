"""The control slip of a dossier (phiếu kiểm soát quá trình giải quyết hồ sơ), and what is behind its lateness."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from shared.calendar.rules.calendar import UnconfirmedYear
from shared.calendar.rules.working_time import WorkingTime
from shared.dossiers.rules.dossier import Dossier
from shared.registers.step.anomalies import WorkingDay, step_anomalies
from shared.registers.step.instances import StepTime, Timed, instances, step_due_at, timed


class SlipForm(NamedTuple):
    """The number of the form, and the circular that it stands in."""

    number: str
    basis: str


_FORMS: Final = ((date.min, SlipForm("05", "01/2018/TT-VPCP")), (date(2025, 9, 15), SlipForm("06", "03/2025/TT-VPCP")))
"""By the first day on which they hold."""


def form_on(on: date) -> SlipForm:
    """The form of a dossier received on a day."""
    return [form for since, form in _FORMS if since <= on][-1]


@dataclass(frozen=True, slots=True)
class SlipRow:
    """One handing. ``timed``: its instance; None: handed when the dossier had ended. ``giver``: as told, else who had it."""

    handed_at: datetime
    step_no: int
    step_name: str | None
    giver: str | None
    giver_department: str | None
    receiver: str
    receiver_department: str
    taken_at: datetime | None
    ended_at: datetime | None
    sheets: int | None
    outcome: str | None
    returned_because: str | None
    timed: Timed | None


@dataclass(frozen=True, slots=True)
class Slip:
    """What the steps of one dossier tell at an instant.

    ``late``: of a late dossier the instances that used more than they may; if there are none, it is unattributed.
    ``due_at``: when the holder's step has used what it may.
    """

    rows: Sequence[SlipRow]
    holder: Mapping[str, Any] | None
    due_at: datetime | None
    late: Sequence[Timed]
    is_late: bool
    anomalies: Sequence[str]

    @property
    def times(self) -> list[Timed]:
        return [row.timed for row in self.rows if row.timed is not None]

    @property
    def is_unattributed(self) -> bool:
        return self.is_late and not self.late


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the fold of the steps does not know: the office that works on it, and the process in force on reception."""

    office: WorkingTime
    process: Mapping[str, Any] | None
    working_day: WorkingDay
    at: datetime
    is_late: bool


def slip_of(facts: Mapping[str, Any], anomalies: Sequence[str], dossier: Dossier, around: Surroundings) -> Slip:
    """The slip by the facts of the dossier's steps."""
    told: Sequence[Mapping[str, Any]] = facts["rows"]
    pauses = [(pause.begun_at, pause.until) for pause in dossier.pauses]
    found = timed(instances(told, around.process, dossier.ended_at, pauses, around.at), around.office, around.at)
    by_row = {one.instance.row: one for one in found}
    rows = [_row(number, told, around.process, by_row.get(number)) for number in range(len(told))]
    more = step_anomalies(around.working_day, told, around.process, dossier.received_at, dossier.ended_at)
    late = [one for one in found if one.standing is StepTime.LATE] if around.is_late else []
    holder = facts.get("holder") if dossier.ended_at is None else None
    return Slip(rows, holder, _due_at(found, around.office), late, around.is_late, [*anomalies, *more])


def _due_at(found: Sequence[Timed], office: WorkingTime) -> datetime | None:
    """Of the open step."""
    last = found[-1] if found else None
    if last is None or last.instance.ended_at is not None or last.allowed is None:
        return None
    try:
        return step_due_at(last.instance, office, last.allowed)
    except UnconfirmedYear:
        return None


def _row(number: int, told: Sequence[Mapping[str, Any]], process: Mapping[str, Any] | None, timed_: Timed | None) -> SlipRow:
    row = told[number]
    before = next(
        (one for one in reversed(told[:number]) if one["officer"] == row.get("from_officer", one["officer"])), None
    )
    steps = {} if process is None else {step["no"]: step for step in process["steps"]}
    return SlipRow(
        handed_at=datetime.fromisoformat(row["at"]),
        step_no=row["step_no"],
        step_name=steps.get(row["step_no"], {}).get("name"),
        giver=row.get("from_officer") or (None if before is None else before["officer"]),
        giver_department=None if before is None else before["department"],
        receiver=row.get("taken_by", row["officer"]),
        receiver_department=row["department"],
        taken_at=datetime.fromisoformat(row["taken_at"]) if "taken_at" in row else None,
        ended_at=None if timed_ is None else timed_.instance.ended_at,
        sheets=row.get("sheets"),
        outcome=row.get("outcome"),
        returned_because=row.get("reason"),
        timed=timed_,
    )
