"""Who has a dossier of the second sample when: its way through the internal process of its procedure."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import accumulate, pairwise
from typing import Any, Final

from services.sample.history import LOCAL, office_day
from services.sample.registers.decisions import process_steps
from services.sample.registers.dossiers import Dossier
from services.sample.registers.envelopes import EventWriter

_EVERY: Final = 9
"""One dossier in so many has steps, and each that is late or in progress."""

_PAUSED_EVERY: Final = 5
_OPENS_AT: Final = time(7, 30)
_SECONDS_A_DAY: Final = 34_200
"""From 07:30 to 17:00."""


def step_events(writer: EventWriter, dossier: Dossier) -> Iterator[dict[str, Any]]:
    """Each step as long as its share of the hours: what is in time is mostly so in each of them, what is late in none."""
    if dossier.number % _EVERY and not dossier.is_late and dossier.ended_at is not None:
        return
    steps = [step for step in process_steps(dossier.procedure) if "hours" in step]
    begin = dossier.received_at + timedelta(minutes=5)
    if dossier.ended_at is None:  # it is still in the second step
        moments = [begin, begin + timedelta(hours=1)]
    else:
        shares = accumulate((step["hours"] for step in steps[:-1]), initial=0)
        whole = sum(step["hours"] for step in steps)
        moments = [begin]
        for share in list(shares)[1:]:
            moments.append(max(_between(begin, dossier.ended_at, share / whole), moments[-1] + timedelta(minutes=20)))
    officer = None
    for place, (at, until) in enumerate(pairwise([*moments, dossier.ended_at or moments[-1]])):
        step, holder = steps[place], f"CB-{dossier.agency.replace('.', '')}-{place + 1}"
        handed = {"step_no": step["no"], "department": step["department"], "officer": holder, "from_officer": officer}
        yield writer.write("step.handed", dossier.code, at, **handed, sheets=6)
        yield writer.write("step.taken", dossier.code, at + timedelta(minutes=10), officer=holder)
        officer = holder
        if until - at > timedelta(days=3) and dossier.number % _PAUSED_EVERY == 0:
            yield writer.write("step.paused", dossier.code, at + timedelta(days=1), reason="Kiểm tra thực địa")
            yield writer.write("step.resumed", dossier.code, at + timedelta(days=2))
    if dossier.ended_at is not None:
        yield writer.write("step.finished", dossier.code, dossier.ended_at - timedelta(minutes=5), outcome="Đồng ý")


def _between(begin: datetime, end: datetime, share: float) -> datetime:
    """The moment by which so much of the office hours between two moments is over; none at a weekend."""
    first, last = _position(begin), _position(end)
    day, seconds = divmod(round(first + (last - first) * share), _SECONDS_A_DAY)
    on = office_day(date.fromordinal(day), begin.date())
    return datetime.combine(on, _OPENS_AT, tzinfo=LOCAL) + timedelta(seconds=seconds)


def _position(at: datetime) -> int:
    opened = datetime.combine(at.date(), _OPENS_AT, tzinfo=LOCAL)
    return at.date().toordinal() * _SECONDS_A_DAY + min(int((at - opened).total_seconds()), _SECONDS_A_DAY)
