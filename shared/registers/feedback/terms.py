"""The terms of a feedback by the calendar: what is due when, and whether it was in time (docs/registers.md, section 1)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from shared.calendar.rules.calendar import UnconfirmedYear
from shared.catalogue.rules.agency_tree import AgencyTree
from shared.registers.feedback.standing import TERMS, Standing

WorkingDay = Callable[[date, int], date]
_LONGEST_TERM_DAYS: Final = 400
"""No answer term lasts so long, also where a year that is not confirmed lies in it."""

SHORTENED: Final = "feedback_answer_days"
"""The fact of an agency that shortens its answer term; `_basis`, `_from` and `_to` in place of `_days` go with it."""


class Terms:
    """``wd(a, n)`` on ISO dates, each reckoned once; None: it needs a year that nobody has confirmed."""

    def __init__(self, working_day: WorkingDay) -> None:
        self._working_day = working_day
        self._known: dict[tuple[str, int], str | None] = {}

    def due_on(self, clock: str, days: int) -> str | None:
        """The last local date that is in time."""
        key = (clock, days)
        if key not in self._known:
            try:
                self._known[key] = self._working_day(date.fromisoformat(clock), days).isoformat()
            except UnconfirmedYear:
                self._known[key] = None
        return self._known[key]

    def is_in_time(self, standing: Standing, last: str) -> bool | None:
        """Whether every deed at the end of ``last`` was or still is in time; None: the calendar does not say."""
        verdicts = [self._verdict(clock, TERMS[deed], on or last) for deed, clock, on in standing.deeds if clock is not None]
        return None if None in verdicts else all(verdicts)

    def _verdict(self, clock: str, days: int, on: str) -> bool | None:
        due_on = self.due_on(clock, days)
        return None if due_on is None else on <= due_on

    def last_overdue_clock(self, today: date) -> str | None:
        """The last day on which a clock can have begun whose answer term has passed; None: not known."""
        for days in range(_LONGEST_TERM_DAYS):
            clock = (today - timedelta(days=days)).isoformat()
            due_on = self.due_on(clock, TERMS["answer"])
            if due_on is not None and due_on < today.isoformat():
                return clock
        return None

    def is_overdue(self, standing: Standing, last: str) -> bool | None:
        """Of one that is open then: not waiting, and the answer term has passed; None: the calendar does not say."""
        if standing.waits or standing.clock is None:
            return False
        due_on = self.due_on(standing.clock, TERMS["answer"])
        return None if due_on is None else last > due_on


@dataclass(frozen=True, slots=True)
class Term:
    """A term: the deed (a key of `TERMS`), its working days, from when, until when, when it was done."""

    deed: str
    days: int
    clock: str
    due_on: str | None
    done_on: str | None
    in_time: bool | None


def terms_of(standing: Standing, last: str, terms: Terms, answer_days: int = TERMS["answer"]) -> list[Term]:
    """The terms of all deeds at the end of ``last``; of an answer ``answer_days``."""
    found: list[Term] = []
    for deed, clock, on in standing.deeds:
        if clock is not None:
            days = answer_days if deed == "answer" else TERMS[deed]
            due_on = terms.due_on(clock, days)
            found.append(Term(deed, days, clock, due_on, on, None if due_on is None else (on or last) <= due_on))
    return found


@dataclass(frozen=True, slots=True)
class ShortenedTerm:
    """An answer term that an order made shorter than 15 working days: shown beside, never counted by the index."""

    days: int
    legal_basis: str
    agency: str


def shortened_term(tree: AgencyTree, agency: str | None, clock: str) -> ShortenedTerm | None:
    """What the nearest agency at or above ``agency`` says whose order is in force on ``clock``."""
    if agency is None:
        return None
    code = tree.resolve(agency)
    for one in (code, *tree.ancestors(code)):
        term = _told(tree.facts(one), clock)
        if term is not None:
            return ShortenedTerm(*term, one)
    return None


def _told(facts: Mapping[str, str], clock: str) -> tuple[int, str] | None:
    days, basis = facts.get(SHORTENED, ""), facts.get("feedback_answer_basis", "")
    begins, ends = facts.get("feedback_answer_from", ""), facts.get("feedback_answer_to", "9999-12-31")
    if not (days.isascii() and days.isdecimal()) or not 0 < int(days) < TERMS["answer"] or not basis:
        return None
    return (int(days), basis) if begins <= clock <= ends else None
