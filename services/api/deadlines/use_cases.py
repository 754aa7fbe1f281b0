"""What is done when officials ask what is due, what is late, and why."""

from collections import Counter
from dataclasses import replace
from typing import Any, Final, get_args
from urllib.parse import urlencode

from services.api.deadlines.parameters import ApologyListQuestion, LatePeriod, ReasonListQuestion
from services.api.deadlines.schemas import (
    AgeingAnswer,
    AgeingOut,
    AgeingRow,
    AgeingTotal,
    ApologiesAnswer,
    ApologiesOut,
    ApologiesRow,
    ApologyState,
    Bucket,
    ComingDueOut,
    LateFigure,
    ReasonRow,
    ReasonsAnswer,
    ReasonsTotal,
)
from services.api.figures.schemas import PeriodOut
from services.api.http.access.keyring import Caller
from services.api.http.access.visibility import list_access_of
from services.api.http.context import Context
from shared.access.store.visibility import Access
from shared.counting.rules.contributions import Resolution, resolution
from shared.database.engine import driver_session
from shared.deadlines.rules.ageing import Ageing, ComingDue, Office, offices
from shared.deadlines.store import open_by_due_date
from shared.figures.store.agency_rows import AgencyRows
from shared.search.store import late_dossiers
from shared.search.store.filters import Selection
from shared.search.store.late_dossiers import LateDossier
from shared.vocabulary.local_time import local_date
from shared.vocabulary.spelling import one_spelling

_STATES: Final[tuple[ApologyState, ...]] = get_args(ApologyState)
_MOST_REASONS: Final = 200


async def count_open(context: Context, caller: Caller, agency: str | None) -> AgeingAnswer:
    """How many open dossiers there are of each age, by agency."""
    access = await _access(context, caller)
    scope = access.scope(agency)
    offices_known, unconfirmed = await _offices(context, access)
    async with driver_session(context.engine) as connection, connection.transaction(isolation="repeatable_read"):
        counted = await open_by_due_date.counts_by_agency(
            connection, caller.tenant, offices_known, today=access.today, agencies=access.codes_within(scope)
        )
    rows = AgencyRows.of(access, scope, access.today)
    sums: dict[str, Counter[str]] = {key: Counter() for key in rows.keys}
    for code, of_code in counted.items():
        sums[rows.key(code)].update(of_code)
    total = sum(sums.values(), Counter[str]())
    return AgeingAnswer(
        today=access.today,
        answered_at=context.catalogues.now(),
        agency=rows.top,
        unconfirmed_years=unconfirmed,
        rows=[
            AgeingRow(key=key, name=rows.name(key), ageing=_ageing(found), coming_due=_coming_due(found))
            for key, found in sums.items()
            if found or key in rows.children
        ],
        total=AgeingTotal(ageing=_ageing(total), coming_due=_coming_due(total)),
        dossiers=f"/v1/overdue/dossiers?{urlencode({'agency': rows.top})}&bucket={{bucket}}",
    )


def _ageing(counted: Counter[str]) -> AgeingOut:
    return AgeingOut(**{bucket.value: counted[bucket.value] for bucket in Ageing})


def _coming_due(counted: Counter[str]) -> ComingDueOut:
    return ComingDueOut(**{coming.value: counted[coming.value] for coming in ComingDue})


async def select_open(context: Context, caller: Caller, agency: str | None, bucket: Bucket) -> Selection:
    """The open dossiers behind one figure of `count_open`."""
    access = await _access(context, caller)
    offices_known, _ = await _offices(context, access)
    due, more = open_by_due_date.due_in(offices_known, bucket)
    return _selected(context, access, agency, due=due, more=more)


async def count_apologies(context: Context, caller: Caller, asked: LatePeriod) -> ApologiesAnswer:
    """Who owes a letter of apology, and who sent it when, by agency."""
    access = await _access(context, caller)
    period = asked.read(access.today)
    rows = AgencyRows.of(access, access.scope(asked.agency), access.today)
    sums: dict[str, Counter[str]] = {key: Counter() for key in rows.keys}
    selection = _selected(context, access, asked.agency)
    heavy = context.heavy
    async with heavy.place(caller):
        async for page in late_dossiers.apologies(heavy.engine, heavy.pace, selection, period):
            for one in page:
                sums[rows.key(one.dossier.agency_code)][one.apology.value] += 1
    link = urlencode({"agency": rows.top, "from": period.from_on, "to": period.to_on})
    return ApologiesAnswer(
        today=access.today,
        period=PeriodOut.of(period),
        agency=rows.top,
        rows=[
            ApologiesRow(key=key, name=rows.name(key), **_states(found))
            for key, found in sums.items()
            if found or key in rows.children
        ],
        total=ApologiesOut(**_states(sum(sums.values(), Counter[str]()))),
        dossiers=f"/v1/overdue/apologies/dossiers?{link}&state={{state}}",
    )


def _states(counted: Counter[str]) -> dict[ApologyState, int]:
    return {state: counted[state] for state in _STATES}


async def find_apologies(context: Context, caller: Caller, asked: ApologyListQuestion, after: str) -> list[LateDossier]:
    """The dossiers with a letter that is or was owed, by code, beyond ``after``: more than a page if another one follows."""
    access = await _access(context, caller)
    period = asked.read(access.today)
    found: list[LateDossier] = []
    selection, heavy = _selected(context, access, asked.agency), context.heavy
    async with heavy.place(caller):
        pages = late_dossiers.apologies(heavy.engine, heavy.pace, selection, period, after)
        async for page in pages:
            found.extend(one for one in page if asked.state in (None, one.apology.value))
            if len(found) > asked.limit:
                break
        await pages.aclose()
    return found


async def tally_reasons(context: Context, caller: Caller, asked: LatePeriod) -> ReasonsAnswer:
    """The reasons that agencies give for late dossiers, the most frequent first."""
    access = await _access(context, caller)
    period = asked.read(access.today)
    tallies: dict[str, Counter[str]] = {}
    words: dict[str, str | None] = {}
    heavy = context.heavy
    async with heavy.place(caller):
        async for page in late_dossiers.late(heavy.engine, heavy.pace, _selected(context, access, asked.agency), period):
            for one in page:
                reason = one_spelling(one.reason or "")
                tally = tallies.setdefault(reason.casefold(), Counter())
                words.setdefault(reason.casefold(), reason or None)
                tally["dossiers"] += 1
                tally[_late_figure(one)] += 1
    agency = access.scope(asked.agency) or access.top
    link = urlencode({"agency": agency, "from": period.from_on, "to": period.to_on})
    ordered = sorted(tallies.items(), key=lambda item: (not item[0], -item[1]["dossiers"], item[0]))
    return ReasonsAnswer(
        today=access.today,
        period=PeriodOut.of(period),
        agency=agency,
        rows=[ReasonRow(reason=words[key], **_tally(tally)) for key, tally in _shown(ordered)],
        total=ReasonsTotal(**_tally(sum(tallies.values(), Counter[str]()))),
        reasons=sum(1 for key in tallies if key),
        dossiers=f"/v1/overdue/reasons/dossiers?{link}&figure={{figure}}",
        row_dossiers=f"/v1/overdue/reasons/dossiers?{link}&figure={{figure}}&reason={{reason}}",
    )


async def select_late(context: Context, caller: Caller, asked: ReasonListQuestion) -> Selection:
    """The late dossiers behind one figure of `tally_reasons`."""
    access = await _access(context, caller)
    period = asked.read(access.today)
    chosen = _selected(context, access, asked.agency)
    heavy = context.heavy
    async with heavy.place(caller):
        codes = [
            one.code
            async for page in late_dossiers.late(heavy.engine, heavy.pace, chosen, period)
            for one in page
            if (asked.reason is None or one_spelling(one.reason or "").casefold() == one_spelling(asked.reason).casefold())
            and asked.figure in ("dossiers", _late_figure(one))
        ]
    return replace(chosen, more=[("code = ANY({}::text[])", [codes])])


def _selected(context: Context, access: Access, agency: str | None, **more: Any) -> Selection:
    codes = access.codes_within(access.scope(agency))
    return Selection(access=access, now=context.catalogues.now(), agencies=codes, **more)


async def _access(context: Context, caller: Caller) -> Access:
    """What the caller may see now, with every agency that dossiers have by now: one that no catalogue names is news."""
    return await list_access_of(context, caller, is_limited=True)


async def _offices(context: Context, access: Access) -> tuple[list[Office], list[int]]:
    """The due dates of each bucket by the agencies' weekdays, and the years they look at that nobody has confirmed."""
    now = context.catalogues.now()
    async with driver_session(context.engine) as connection:
        almanac, _ = await context.almanacs.of(connection, access.tenant)
    agencies = access.catalogue.agencies
    hours = {code: almanac.hours_of(agencies.resolve(code)) for code in access.catalogue.seen}
    calendar = almanac.calendar(None)
    found = offices(now, calendar, almanac.hours_of(access.tenant), hours)
    years = range(min(office.looks_back_to for office in found).year, local_date(now).year + 1)
    return found, [year for year in years if year not in calendar.confirmed_years]


def _shown(ordered: list[tuple[str, Counter[str]]]) -> list[tuple[str, Counter[str]]]:
    """The most frequent reasons; those without one are always counted."""
    return [*[one for one in ordered if one[0]][:_MOST_REASONS], *[one for one in ordered if not one[0]]]


def _tally(tally: Counter[str]) -> dict[LateFigure, int]:
    return {name: tally[name] for name in get_args(LateFigure)}


def _late_figure(one: LateDossier) -> LateFigure:
    ended_at = one.dossier.ended_at
    ended_late = ended_at is not None and resolution(local_date(ended_at), one.dossier.due_at) is Resolution.LATE
    return "resolved_late" if ended_late else "overdue"
