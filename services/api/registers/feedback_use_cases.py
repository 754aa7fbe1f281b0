"""What is done when feedback is asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any, Final

import orjson

from services.api.dossiers.record_timeline import timeline_of
from services.api.http.access.keyring import Caller
from services.api.http.access.visibility import access_of
from services.api.http.context import Context
from shared.access.store.keys import Permission
from shared.access.store.visibility import Access
from shared.calendar.rules.almanac import Almanac, version_text
from shared.calendar.rules.working_time import OFFICE_HOURS, WorkingTime
from shared.database.engine import DriverConnection, driver_session
from shared.dossiers.store import applicant_access
from shared.dossiers.store.applicant_access import Reading
from shared.events.rules.registers import FEEDBACK
from shared.events.rules.voids import effective_events, in_fold_order, void_problems
from shared.events.store import lookups, record_events
from shared.projection.rules.records import fold_record
from shared.projection.rules.register_projections import PROJECTIONS
from shared.projection.store import cursor, records
from shared.registers.feedback.records import standing_at
from shared.registers.feedback.standing import TERMS, state_after
from shared.registers.feedback.terms import Term, Terms, shortened_term, terms_of
from shared.registers.measures import Known
from shared.search.store import feedback
from shared.search.store.feedback import FeedbackFilter, FeedbackSort, Mark
from shared.vocabulary.errors import NotFound
from shared.vocabulary.events import DossierCode, RecordEvent
from shared.vocabulary.local_time import local_date
from shared.vocabulary.voids import Identity, absent_void_targets

DUE_ON: Final = "due_on"
_NO_DATE: Final = "~"
"""After every date."""


@dataclass(frozen=True, slots=True)
class Reckoner:
    """What depends on the calendar, on one day."""

    terms: Terms
    today: date
    version: datetime | None

    @classmethod
    def of(cls, almanac: Almanac, today: date) -> "Reckoner":
        return cls(Terms(WorkingTime(almanac.calendar(None), OFFICE_HOURS).day_after), today, almanac.version)

    @property
    def calendar_version(self) -> str | None:
        return None if self.version is None else version_text(self.version)

    def item(self, known: Known) -> dict[str, Any]:
        """A feedback of a list."""
        facts = known.facts
        deed, clock = facts["owes"] or ("", "")
        names = ("route", "about_dossier", "sent_at", "received_at", "handled_at", "published_at")
        return {
            "code": known.code,
            "state": facts["state"],
            "kind": facts["kind"],
            "agency": known.agency,
            **{name: facts[name] for name in names},
            "owes": deed or None,
            "due_on": None if not deed else self.terms.due_on(clock, TERMS[deed]),
            "overdue": self.is_overdue(known),
            "anomalies": list(known.anomalies),
        }

    def is_overdue(self, known: Known) -> bool | None:
        """As the figure `overdue` of the day; None: the year is not confirmed."""
        standing = standing_at(known.facts, self.today.isoformat())
        is_open = standing.received is not None and standing.state == "open"
        return self.terms.is_overdue(standing, self.today.isoformat()) if is_open else False


async def read_page(
    context: Context,
    caller: Caller,
    chosen: FeedbackFilter,
    order: tuple[str, bool],
    after: Mark | None,
    *,
    limit: int,
) -> tuple[dict[str, Any], Mark | None]:
    """A page of feedback, without its cursor, and the mark of the next one.

    ``order``: by a `FeedbackSort`, or by `DUE_ON` those that owe a deed; and whether downwards.
    """
    by, is_downwards = order
    async with driver_session(context.engine) as connection:
        almanac, _ = await context.almanacs.of(connection, caller.tenant)
        reckoner = Reckoner.of(almanac, context.catalogues.today())
        chosen = replace(chosen, overdue_clock=reckoner.terms.last_overdue_clock(reckoner.today) or "")
        if by == DUE_ON:
            owing = await feedback.owing(connection, caller.tenant, chosen)
            codes, mark = by_due_date(owing, reckoner.terms, after, limit, is_downwards=is_downwards)
            found = await feedback.of_codes(connection, caller.tenant, codes)
        else:
            sort = FeedbackSort(by), is_downwards
            found, mark = await feedback.page(connection, caller.tenant, chosen, sort, after, limit=limit)
    items = [reckoner.item(known) for known in found]
    return {"items": items, "calendar_version": reckoner.calendar_version}, mark


def by_due_date(
    owing: Sequence[tuple[str, str, str]], terms: Terms, after: Mark | None, limit: int, *, is_downwards: bool
) -> tuple[list[str], Mark | None]:
    """The codes of a page, and the mark of the next one; what no confirmed year dates stands last, downwards first."""
    marks = sorted(
        (Mark(terms.due_on(clock, TERMS[deed]) or _NO_DATE, code) for code, deed, clock in owing), reverse=is_downwards
    )
    if after is not None:
        marks = [mark for mark in marks if (mark < after if is_downwards else mark > after)]
    page = marks[:limit]
    return [mark.code for mark in page], page[-1] if len(marks) > limit else None


async def read_feedback(context: Context, caller: Caller, code: str, purpose: str, request_id: str) -> dict[str, Any]:
    """One feedback with everything that its events tell, folded now; the sender's words only for who may read them.

    Raises:
        NotFound: there is none of this code that the caller may see.
    """
    access = await access_of(context, caller)
    async with driver_session(context.engine) as connection:
        events = (await record_events.histories(connection, caller.tenant, FEEDBACK.name, [code])).get(code, [])
        record = fold_record(PROJECTIONS[FEEDBACK.name], code, events)
        if not events or not access.sees(record.agency):
            raise NotFound
        facts = orjson.loads(records.row_of(code, events[-1].position, record).facts)
        strange = await _strange(connection, access, facts, record.agency, events)
        known = Known(code, record.agency, facts, [*record.anomalies, *strange])
        almanac, _ = await context.almanacs.of(connection, caller.tenant)
        words: Mapping[Identity, Mapping[str, Any]] = {}
        if caller.may(Permission.APPLICANTS_READ):
            reading = Reading(dossier_code=DossierCode(code), reader=caller.key_id, purpose=purpose, request_id=request_id)
            words = await applicant_access.read_texts(connection, caller.tenant, reading, events)
    reckoner = Reckoner.of(almanac, access.today)
    return _detail(reckoner, access, known, events, words)


def _detail(
    reckoner: Reckoner,
    access: Access,
    known: Known,
    events: Sequence[RecordEvent],
    words: Mapping[Identity, Mapping[str, Any]],
) -> dict[str, Any]:
    facts, today = known.facts, reckoner.today.isoformat()
    standing = standing_at(facts, today)
    effective = effective_events(in_fold_order(FEEDBACK, events))
    submitted = next((event for event in effective if event.name.local_name == "submitted"), None)
    told = {} if submitted is None else words.get((submitted.source, submitted.id), {})
    is_sent = standing.sent_on is not None
    return reckoner.item(known) | {
        "position": events[-1].position,
        **{name: facts[name] for name in ("about_officer", "repeats", "founded")},
        "terms": [_term(reckoner, access, known.agency, one) for one in terms_of(standing, today, reckoner.terms)],
        "in_time": reckoner.terms.is_in_time(standing, today) if is_sent else None,
        "timeline": _timeline(events, words),
        "sender": told.get("sender"),
        "content": told.get("content"),
        "calendar_version": reckoner.calendar_version,
    }


def _term(reckoner: Reckoner, access: Access, agency: str | None, term: Term) -> dict[str, Any]:
    shortened = None
    if term.deed == "answer":
        tree = access.catalogue.tree_on(date.fromisoformat(term.clock))
        order = shortened_term(tree, agency, term.clock)
        if order is not None:
            due_on = reckoner.terms.due_on(term.clock, order.days)
            in_time = None if due_on is None else (term.done_on or reckoner.today.isoformat()) <= due_on
            shortened = asdict(order) | {"due_on": due_on, "in_time": in_time}
    return asdict(term) | {"shortened": shortened}


def _timeline(events: Sequence[RecordEvent], words: Mapping[Identity, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """All events in fold order, each with the state after it."""
    effective = {(event.source, event.id) for event in effective_events(in_fold_order(FEEDBACK, events))}
    state, received = None, False
    found: list[dict[str, Any]] = []
    for entry in timeline_of(FEEDBACK, events, words):
        if (entry["source"], entry["id"]) in effective:
            state = state_after(state, entry["name"], received=received)
            received = received or entry["name"] == "received"
        found.append({**entry, "state": state})
    return found


async def _strange(
    connection: DriverConnection, access: Access, facts: Mapping[str, Any], agency: str | None, events: Sequence[RecordEvent]
) -> list[str]:
    """The anomalies that depend on other records, catalogues and what else the log holds."""
    tenant = access.tenant
    found: list[str] = []
    repeats, about = facts["repeats"], facts["about_dossier"]
    if repeats is not None and not await records.statuses(connection, tenant, FEEDBACK.name, [repeats]):
        found.append("repeats_unknown")
    if about is not None and not await lookups.statuses(connection, tenant, [DossierCode(about)]):
        found.append("dossier_unknown")
    began = facts["received_at"] or facts["sent_at"]
    on = access.today if began is None else local_date(datetime.fromisoformat(began))
    if agency is not None and not access.catalogue.agencies.is_known(agency, on):
        found.append("unknown_agency")
    absent = absent_void_targets(events)
    elsewhere = await cursor.present(connection, tenant, absent)
    return [*found, *dict.fromkeys(problem.value for problem in void_problems(events, elsewhere))]
