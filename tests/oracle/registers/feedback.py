"""Feedback, docs/registers.md section 1: terms of 766 5.2 and form II.05."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from tests.oracle.registers.events import Told, after, before, by, first, last, named
from tests.oracle.registers.working_days import WorkingDays
from tests.oracle.registers.world import UNKNOWN, Counts, Unit, World, every, one_if, some

FIGURES = (*(f"f{number}" for number in range(9)), "refused", "forwarded", "withdrawn", "waiting", "within", "overdue")
RATES = {
    "fb.handled": ("f6", "f1"),
    "fb.published": ("f8", "f6"),
    "fb.rule_share": ("f4", "f1"),
    "fb.behaviour_share": ("f5", "f1"),
    "fb.on_time": ("on_time", "population"),
    "fb.satisfied": ("content", "f2"),
}
IDENTITIES = (
    ("f1", ("f2", "f3")),
    ("f1", ("f0", "f4", "f5")),
    ("f1", ("f6", "f7")),
    ("f7", ("waiting", "within", "overdue")),
)

STATE_AFTER = {
    "submitted": "sent",
    "more_requested": "waiting",
    "more_given": "sent",  # "open, or sent if never received"
    "answered": "handled",
    "published": "handled",
    "refused": "refused",
    "forwarded": "handled",
    "withdrawn": "handled",
    "reopened": "open",
}


class Feedback:
    def __init__(self, code: str, events: list[Told]) -> None:
        self.code = code
        self.events = events
        self.submission = first(events, "submitted")
        self.reception = first(events, "received")
        self.reopening = last(events, "reopened")
        self.handling = self._handling()

    def at(self, day: date) -> Feedback:
        return Feedback(self.code, by(self.events, day))

    # -- derived

    @property
    def sent(self) -> Told | None:
        """'sent_at = first submitted, else first received.'"""
        return self.submission or self.reception

    def _handling(self) -> Told | None:
        """'the first answered, published, forwarded or withdrawn after both the first received and the last reopened'."""
        if self.reception is None:
            return None
        for event in after(self.events, self.reception):
            if event.name not in ("answered", "published", "forwarded", "withdrawn"):
                continue
            if self.reopening is None or event in after(self.events, self.reopening):
                return event
        return None

    @property
    def publication(self) -> Told | None:
        """'published_at = first published from the event of handled_at on.'"""
        if self.handling is None:
            return None
        return first([self.handling, *after(self.events, self.handling)], "published")

    @property
    def kind(self) -> str | None:
        """'kind = last of received / reclassified.'"""
        told = last(self.events, "received", "reclassified")
        return told.data["kind"] if told else None

    @property
    def agency(self) -> str | None:
        """'last transferred, else first received, else last submitted' (rules.md 3 and section 0)."""
        told = last(self.events, "transferred") or self.reception or last(self.events, "submitted")
        return told.data["agency_code"] if told else None

    @property
    def waits(self) -> bool:
        """'none [no handled_at]: open, or waiting if no received, more_given or reopened follows the last
        more_requested.'"""
        request = last(self.events, "more_requested")
        if request is None or self.handling is not None:
            return False
        return first(after(self.events, request), "received", "more_given", "reopened") is None

    def clock(self, deed: Told | None) -> date:
        """'local date of the last of sent_at, transferred, more_given, reopened before the deed in fold order …; none: of
        sent_at'. Without a deed: of all (at T: of those by T, when asked of `at(T)`)."""
        sent = self.sent
        assert sent is not None
        earlier = self.events if deed is None else before(self.events, deed)
        marks = [e for e in earlier if e is sent or e.name in ("transferred", "more_given", "reopened")]
        return marks[-1].day if marks else sent.day

    @property
    def state(self) -> str | None:
        """Received: as derived. Never received: the column 'state after' of the table."""
        if self.reception is not None:
            return "handled" if self.handling else "waiting" if self.waits else "open"
        states = [STATE_AFTER[event.name] for event in self.events if event.name in STATE_AFTER]
        return states[-1] if states else None

    # -- terms; to be asked of `at(T)`

    @property
    def finish(self) -> Told | None:
        """'first refused, forwarded, answered or published after the last reopened, also before reception'."""
        return first(after(self.events, self.reopening), "refused", "forwarded", "answered", "published")

    @property
    def withdrawn_last(self) -> bool:
        """'those with a withdrawn after the last reopened'."""
        return first(after(self.events, self.reopening), "withdrawn") is not None

    def _deeds(self, days: WorkingDays, to: date) -> Iterator[bool | None]:
        finish = self.finish
        if finish is not None and finish.name in ("refused", "forwarded"):
            yield days.in_time(finish.day, self.clock(finish), 2)
        if finish is not None and finish.name in ("answered", "published"):
            yield days.in_time(finish.day, self.clock(finish), 15)
        if finish is not None and finish.name == "answered" and finish.data.get("public") is not False:
            publication = first(after(self.events, finish), "published")
            yield days.in_time(publication.day if publication else to, finish.day, 2)
        request = first(self.events, "more_requested")
        if request is not None and "received" not in [e.name for e in before(self.events, request)]:
            yield days.in_time(request.day, self.clock(request), 5)

    def open_rule(self, days: WorkingDays, to: date) -> bool | None:
        """'the open rule if neither finished nor waiting, received or not': T <= wd(clock, 15). A withdrawn one is not
        open."""
        if self.finish is not None or self.waits or self.withdrawn_last:
            return True
        return days.in_time(to, self.clock(None), 15)

    def in_time(self, days: WorkingDays, to: date) -> bool | None:
        """'In time = every deed by T was in time by its own clock, and the open rule …'"""
        return every([*self._deeds(days, to), self.open_rule(days, to)])

    @property
    def repeats(self) -> str | None:
        """'named in repeats (of the first submitted)'."""
        return self.submission.data.get("repeats") if self.submission else None


def all_feedback(world: World) -> list[Feedback]:
    found: list[Feedback] = world.keep(
        "feedback", lambda: [Feedback(code, events) for code, events in world.records["feedback"].items()]
    )
    return found


def units(world: World, start: date, to: date) -> Iterator[Unit]:
    days = world.calendar
    known_by = {one.code: one.at(to) for one in all_feedback(world)}
    named_again = {one.repeats for one in known_by.values() if one.sent and one.repeats and one.repeats != one.code}
    for whole in all_feedback(world):
        then = known_by[whole.code]
        counts: Counts = {}
        if whole.reception is not None:
            counts |= form(days, whole, then, start, to)
        else:
            refusal = first(whole.events, "refused")
            counts["refused"] = int(refusal is not None and start <= refusal.day <= to)
        repeated = then.reopening is not None or whole.code in named_again
        counts |= on_time(days, then, start, to, repeated=repeated)
        if counts.get("f2"):
            rated = [event.data["satisfied"] for event in named(then.events, "rated")]
            disliked = rated.count(False) > rated.count(True)
            in_time = then.in_time(days, to)
            late = None if in_time is None else not in_time and not then.withdrawn_last
            if then.withdrawn_last:
                late = False  # "late = not in time by T (a withdrawn one is not)"
            counts["content"] = one_if(every([not disliked, not repeated, None if late is None else not late]))
        yield Unit(whole.code, whole.agency, counts, {"kind": whole.kind or UNKNOWN})


def form(days: WorkingDays, whole: Feedback, then: Feedback, start: date, to: date) -> Counts:
    """'A = local date of received_at, H = of handled_at'; f7's parts by the state at T."""
    assert whole.reception is not None
    A = whole.reception.day
    H = whole.handling.day if whole.handling else None
    counts: Counts = {}
    counts["f2"] = int(start <= A <= to)
    counts["f3"] = int(start > A and (H is None or start <= H))
    in_f1 = counts["f2"] or counts["f3"]
    counts["f1"] = int(in_f1)
    counts["f4"] = int(in_f1 and whole.kind == "rule")
    counts["f5"] = int(in_f1 and whole.kind == "behaviour")
    counts["f0"] = int(in_f1 and whole.kind is None)
    if H is not None and whole.handling is not None and start <= H <= to:
        counts["f6"] = 1
        counts["forwarded"] = int(whole.handling.name == "forwarded")
        counts["withdrawn"] = int(whole.handling.name == "withdrawn")
        counts["f8"] = int(whole.publication is not None and whole.publication.day <= to)
    if to >= A and (H is None or to < H):
        counts["f7"] = 1
        counts["waiting"] = int(then.waits)
        within = days.in_time(to, then.clock(None), 15)
        counts["overdue"] = 0 if then.waits else one_if(None if within is None else not within)
        counts["within"] = 0 if then.waits else one_if(within)
    return counts


def on_time(days: WorkingDays, then: Feedback, start: date, to: date, *, repeated: bool) -> Counts:
    """'population = sent by T and (not finished by T, or finished on or after F), less those with a withdrawn after the
    last reopened, all by T.' dragging (section 7, index 8): 'one of them open and overdue at T, or repeated'."""
    if then.sent is None or then.withdrawn_last or (then.finish is not None and then.finish.day < start):
        return {}
    open_rule = then.open_rule(days, to)
    return {
        "population": 1,
        "on_time": one_if(then.in_time(days, to)),
        "dragging": one_if(some([repeated, None if open_rule is None else not open_rule])),
    }


def records(world: World) -> dict[str, dict[str, Any]]:
    """'A record answers code, state, kind, agency, sent_at, received_at, handled_at, published_at.'"""
    return {
        one.code: {
            "state": one.state,
            "kind": one.kind,
            "agency": one.agency,
            "sent_at": one.sent.time if one.sent else None,
            "received_at": one.reception.time if one.reception else None,
            "handled_at": one.handling.time if one.handling else None,
            "published_at": one.publication.time if one.publication else None,
        }
        for one in all_feedback(world)
    }


def complaints(world: World) -> set[str]:
    """'a behaviour feedback with about_dossier and not founded:false makes that dossier complained about' (section 7: 'founded
    of the last answered')."""
    found = set()
    for one in all_feedback(world):
        about = one.submission.data.get("about_dossier") if one.submission else None
        answer = last(one.events, "answered")
        if one.kind == "behaviour" and about and not (answer and answer.data.get("founded") is False):
            found.add(about)
    return found
