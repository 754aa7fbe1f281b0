"""Everything the clock computes from, with its history: calendar, office hours and terms, as known at each instant.

A computed date names the version of the calendar it was computed by: the instant from which the newest fact about days,
years and office hours was known. By it the same date can be computed again, whatever was told since.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, Final, Protocol

from shared.calendar.rules.calendar import DayKind, WorkingCalendar
from shared.calendar.rules.working_time import OFFICE_HOURS, OfficeHours, WorkingTime
from shared.catalogue.rules.terms import ProcedureTerms, Term, TermsVersion, terms_for
from shared.vocabulary.codes import present_form
from shared.vocabulary.events import Event
from shared.vocabulary.local_time import local_date

_VERSIONS_KEPT: Final = 64
_OFFICES_KEPT: Final = 512


@dataclass(frozen=True, slots=True)
class DayFact:
    """From ``known_from`` on ``on`` is of this kind; None: as the week's rule says."""

    known_from: datetime
    on: date
    kind: DayKind | None


@dataclass(frozen=True, slots=True)
class YearFact:
    """From ``known_from`` on the days of ``year`` are confirmed, or no longer."""

    known_from: datetime
    year: int
    confirmed: bool


@dataclass(frozen=True, slots=True)
class HoursFact:
    """From ``known_from`` on ``agency`` and those below it have these hours; None: those of the agencies above."""

    known_from: datetime
    agency: str
    hours: OfficeHours | None


class Limits(Protocol):
    """The limits that decisions give procedures, and their steps."""

    def limit(self, procedure: str, agency: str, on: date, known_at: datetime) -> Term | None:
        """That of a dossier received on a day, as known then; None: no decision says one."""

    def process(self, procedure: str, on: date) -> Mapping[str, Any] | None:
        """The internal process of a dossier received on a day: an item of a decision; None: there is none."""


def version_text(version: datetime) -> str:
    """A calendar version as events name it."""
    return version.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def read_version(text: str) -> datetime | None:
    """The instant of a calendar version; None if the text is not one of ours."""
    try:
        version = datetime.fromisoformat(text)
    except ValueError:
        return None
    return version if version.tzinfo is not None else None


class Almanac:
    """The calendar, the office hours and the procedures of one tenant. Facts are given in the order of ``known_from``.

    ``former_up_to``: the last position of the log that was recorded while the clock went by former rules. ``limits``: what
    decisions say instead of the procedures.
    """

    def __init__(
        self,
        days: Iterable[DayFact] = (),
        years: Iterable[YearFact] = (),
        hours: Iterable[HoursFact] = (),
        procedures: Mapping[str, Iterable[TermsVersion]] | None = None,
        *,
        former_up_to: int = 0,
        limits: Limits | None = None,
    ) -> None:
        self._former_up_to: Final = former_up_to
        self.limits: Final = limits
        self._days: Final = tuple(days)
        self._years: Final = tuple(years)
        self._hours: Final = tuple(hours)
        self._procedures: Final = {code: tuple(versions) for code, versions in (procedures or {}).items()}
        instants = [
            *(fact.known_from for fact in self._days),
            *(fact.known_from for fact in self._years),
            *(fact.known_from for fact in self._hours),
        ]
        self.version: Final = max(instants, default=None)
        """Of the calendar and the office hours; None: nothing is known of them."""
        self.any_payment_pauses: Final = any(
            terms is not None and terms.payment_pauses for versions in self._procedures.values() for _, terms in versions
        )
        self.calendar = lru_cache(maxsize=_VERSIONS_KEPT)(self._calendar)
        self._hours_at = lru_cache(maxsize=_VERSIONS_KEPT)(self._hours_known)
        self.hours_of = lru_cache(maxsize=_OFFICES_KEPT)(self._hours_of)
        """The office hours told for an agency; on days for which nothing is, those of the next one above it by code, else
        the usual ones. By a version of the calendar (None: the newest)."""
        self._office = lru_cache(maxsize=_OFFICES_KEPT)(self._office_time)

    def is_former(self, event: Event) -> bool:
        """Whether the event was recorded while the clock went by former rules: what they promised stands (decision 38)."""
        return event.position <= self._former_up_to

    def terms(self, procedure_code: str, recorded_at: datetime) -> ProcedureTerms | None:
        """The terms of a dossier of this procedure whose reception was recorded then; None: unknown procedure."""
        return terms_for(self._procedures.get(procedure_code, ()), recorded_at)

    def terms_of(self, received: Event) -> ProcedureTerms | None:
        """The terms of a received dossier: where a decision in force on its day says a limit, that wins over the sheet's."""
        code = received.data["procedure_code"]
        terms = self.terms(code, received.recorded_at)
        if self.limits is None:
            return terms
        agency = received.data["agency_code"]
        limit = self.limits.limit(code, agency, local_date(received.time), received.recorded_at)
        return terms if limit is None else replace(terms or ProcedureTerms(None), term=limit)

    def working_time(self, agency_code: str, version: datetime | None = None) -> WorkingTime:
        """The working time of an agency by a version of the calendar (None: by the newest)."""
        return self._office(self.hours_of(agency_code, version), version)

    def _hours_of(self, agency_code: str, version: datetime | None = None) -> OfficeHours:
        stated = self._hours_at(version)
        code: str = present_form(agency_code)
        found: list[OfficeHours] = []
        while code and not (found and found[-1].is_unlimited):
            if code in stated:
                found.append(stated[code])
            code = code.rpartition(".")[0]
        hours = OFFICE_HOURS
        for own in reversed(found):
            hours = own if own.is_unlimited else replace(own, above=hours)
        return hours

    def _office_time(self, hours: OfficeHours, version: datetime | None) -> WorkingTime:
        return WorkingTime(self.calendar(version), hours)

    def _calendar(self, version: datetime | None) -> WorkingCalendar:
        days: dict[date, DayKind] = {}
        for fact in self._days:
            if version is not None and fact.known_from > version:
                continue
            if fact.kind is None:
                days.pop(fact.on, None)
            else:
                days[fact.on] = fact.kind
        years: set[int] = set()
        for stated in self._years:
            if version is None or stated.known_from <= version:
                (years.add if stated.confirmed else years.discard)(stated.year)
        return WorkingCalendar(days, frozenset(years))

    def _hours_known(self, version: datetime | None) -> Mapping[str, OfficeHours]:
        known: dict[str, OfficeHours] = {}
        for fact in self._hours:
            if version is not None and fact.known_from > version:
                continue
            if fact.hours is None:
                known.pop(fact.agency, None)
            else:
                known[fact.agency] = fact.hours
        return known
