"""Officials' lists: open dossiers by age, those coming due, letters of apology, reasons for lateness."""

from collections import Counter
from dataclasses import replace
from datetime import date
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import orjson
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.api.deadlines.schemas import (
    AgeingAnswer,
    ApologiesAnswer,
    ApologyList,
    ApologyState,
    Bucket,
    LateFigure,
    ReasonsAnswer,
    apology_item,
)
from services.api.dossiers.routes import DossierReader, Paging, access_of, listed
from services.api.dossiers.schemas import DossierList
from services.api.figures.parameters import StatsCaller
from services.api.http import cursors
from services.api.http.context import Context, RequestContext
from services.api.http.keyring import Caller
from services.api.http.openapi import error_answers
from services.api.http.parameters import LocalDate
from shared.access.store.visibility import Access
from shared.catalogue.store.catalogues import seen_count
from shared.counting.rules.contributions import Resolution, resolution
from shared.database.engine import driver_session
from shared.deadlines.rules.ageing import Ageing, ComingDue, Office, offices
from shared.deadlines.rules.apology import Apology
from shared.deadlines.store import open_by_due_date
from shared.figures.store.agency_rows import AgencyRows
from shared.search.store import late_dossiers
from shared.search.store.filters import Selection
from shared.search.store.pages import PageKey
from shared.vocabulary.local_time import local_date
from shared.vocabulary.periods import Period, read_period

router = APIRouter(tags=["overdue"])

_STATES: Final = tuple(state.value for state in Apology if state is not Apology.NOT_OWED)
_MOST_REASONS: Final = 200

Agency = Annotated[
    str | None,
    Field(max_length=200, description="This agency and what is below it (cơ quan); default: all.", examples=["H51.12"]),
]


class AgeingQuestion(BaseModel):
    """Whose open dossiers."""

    model_config = ConfigDict(extra="forbid")

    agency: Agency = None


class AgeingListQuestion(Paging):
    """Which open dossiers, and how they are listed."""

    bucket: Annotated[
        Bucket,
        Field(description="The figure of `/v1/overdue`, by its name.", examples=["late_1_3"]),
    ]
    agency: Agency = None
    sort: Annotated[
        str, Field(pattern=r"^-?(received_at|due_at|code)$", description="Order; the earliest due date first unless told.")
    ] = "due_at"


class LatePeriod(AgeingQuestion):
    """Whose dossiers, ended when; those open now are always among them."""

    period: Annotated[
        str | None, Field(description="Short form of a period (kỳ), as in the figures.", examples=["2026-05"], max_length=20)
    ] = None
    from_: Annotated[
        LocalDate | None, Field(alias="from", description="Ended on this local date or later; default: this month's first.")
    ] = None
    to: Annotated[LocalDate | None, Field(description="Ended on this local date or before; default: today.")] = None

    def read(self, today: date) -> Period:
        """The period; the present month where none is told."""
        if (self.period, self.from_, self.to) == (None, None, None):
            return Period(today.replace(day=1), today)
        return read_period(self.period, self.from_, self.to).until(today)


class ApologyListQuestion(LatePeriod):
    """Which letters, and how they are listed."""

    state: Annotated[ApologyState | None, Field(description="Only those of this state.", examples=["owed"])] = None
    cursor: Annotated[str | None, Field(max_length=400, description="`next_cursor` of the page before.")] = None
    limit: Annotated[int, Field(ge=1, le=500, description="Dossiers a page.")] = 50


class ReasonListQuestion(LatePeriod, Paging):
    """Which late dossiers, and how they are listed."""

    reason: Annotated[
        str | None,
        Field(
            max_length=4000,
            description="Only those with this reason of `/v1/overdue/reasons`, upper and lower case being the same; empty:"
            " those without one (không nêu lý do).",
        ),
    ] = None
    figure: Annotated[
        LateFigure, Field(description="The figure of `/v1/overdue/reasons`, by its name.", examples=["resolved_late"])
    ] = "dossiers"


def _json(answer: Any) -> Response:
    return Response(orjson.dumps(answer, option=orjson.OPT_UTC_Z), media_type="application/json")


def _selected(context: Context, access: Access, agency: str | None, **more: Any) -> Selection:
    codes = access.codes_within(access.scope(agency))
    return Selection(access=access, now=context.catalogues.now(), agencies=codes, **more)


async def _access(context: Context, caller: Caller) -> Access:
    """What the caller may see now, with every agency that dossiers have by now: one that no catalogue names is news."""
    access = await access_of(context, caller)
    async with driver_session(context.engine) as connection:
        seen = await seen_count(connection, caller.tenant)
    if seen == len(access.catalogue.seen):
        return access
    context.catalogues.forget(caller.tenant)
    return await access_of(context, caller)


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


@router.get(
    "/v1/overdue",
    summary="Open dossiers by age, and coming due",
    description="""How many open dossiers (hồ sơ đang giải quyết) that do not wait for the applicant are due today,
late by 1-3, 4-10 and over 10 working days (ngày làm việc, by the agency's own week: `/v1/office-hours`), or come due
within 24 hours and 3 days, by agency. Late by local date: the three late figures together are column 13 of
form II.06 for today.""",
    response_model=AgeingAnswer,
    responses=error_answers(),
)
async def ageing(context: RequestContext, caller: StatsCaller, asked: Annotated[AgeingQuestion, Query()]) -> Response:
    """Count the open dossiers."""
    access = await _access(context, caller)
    scope = access.scope(asked.agency)
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
    return _json(
        {
            "today": access.today,
            "answered_at": context.catalogues.now(),
            "agency": rows.top,
            "unconfirmed_years": unconfirmed,
            "rows": [
                {"key": key, "name": rows.name(key), **_buckets(found)}
                for key, found in sums.items()
                if found or key in rows.children
            ],
            "total": _buckets(total),
            "dossiers": f"/v1/overdue/dossiers?{urlencode({'agency': rows.top})}&bucket={{bucket}}",
        }
    )


def _buckets(counted: Counter[str]) -> dict[str, Any]:
    return {
        "ageing": {bucket.value: counted[bucket.value] for bucket in Ageing},
        "coming_due": {coming.value: counted[coming.value] for coming in ComingDue},
    }


@router.get(
    "/v1/overdue/dossiers",
    summary="Open dossiers of one age",
    description="""The dossiers (hồ sơ) behind one figure of `/v1/overdue`, named by `bucket`: exactly as many, as
pages or as CSV, the earliest due date (hạn) first.""",
    response_model=DossierList,
    responses=error_answers() | {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def ageing_dossiers(
    request: Request, context: RequestContext, caller: DossierReader, asked: Annotated[AgeingListQuestion, Query()]
) -> Response:
    """List the open dossiers of one age."""
    access = await _access(context, caller)
    offices_known, _ = await _offices(context, access)
    due, more = open_by_due_date.due_in(offices_known, asked.bucket)
    selection = _selected(context, access, asked.agency, due=due, more=more)
    return await listed(request, context, caller, selection, asked)


@router.get(
    "/v1/overdue/apologies",
    summary="Letters of apology",
    description="""Who owes a letter of apology with a new date (văn bản xin lỗi và hẹn lại ngày trả, điều 19 Nghị
định 61/2018/NĐ-CP), who sent it before the term ended, who sent it late, who not: counts by agency, over the dossiers
that are open now or ended in the period. Folded from the log: it takes the longer, the more dossiers are late.""",
    response_model=ApologiesAnswer,
    responses=error_answers(),
)
async def apologies(context: RequestContext, caller: StatsCaller, asked: Annotated[LatePeriod, Query()]) -> Response:
    """Count the letters."""
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
    return _json(
        {
            "today": access.today,
            "period": {"from": period.from_on, "to": period.to_on},
            "agency": rows.top,
            "rows": [
                {"key": key, "name": rows.name(key), **{state: found[state] for state in _STATES}}
                for key, found in sums.items()
                if found or key in rows.children
            ],
            "total": {state: sum(found[state] for found in sums.values()) for state in _STATES},
            "dossiers": f"/v1/overdue/apologies/dossiers?{link}&state={{state}}",
        }
    )


@router.get(
    "/v1/overdue/apologies/dossiers",
    summary="Dossiers that owe or owed a letter",
    description="""The dossiers (hồ sơ) behind `/v1/overdue/apologies`, by code: what became of the letter (văn bản
xin lỗi), when it was sent, and the reason for lateness (lý do trễ hạn) that the agency gives.""",
    response_model=ApologyList,
    responses=error_answers(),
)
async def apology_dossiers(
    request: Request, context: RequestContext, caller: DossierReader, asked: Annotated[ApologyListQuestion, Query()]
) -> Response:
    """List the dossiers with a letter that is or was owed."""
    access = await _access(context, caller)
    period = asked.read(access.today)
    filters = asked.model_dump(exclude={"cursor", "limit"}, mode="json")
    digest = cursors.digest_of({**filters, "path": request.url.path, "tenant": caller.tenant, "root": caller.agency})
    mark = cursors.read(asked.cursor, digest)
    found: list[late_dossiers.LateDossier] = []
    selection, heavy = _selected(context, access, asked.agency), context.heavy
    async with heavy.place(caller):
        pages = late_dossiers.apologies(heavy.engine, heavy.pace, selection, period, "" if mark is None else mark.code)
        async for page in pages:
            found.extend(one for one in page if asked.state in (None, one.apology.value))
            if len(found) > asked.limit:
                break
        await pages.aclose()
    after = PageKey(None, found[asked.limit - 1].code) if len(found) > asked.limit else None
    return _json(
        {"items": [apology_item(one) for one in found[: asked.limit]], "next_cursor": cursors.written(after, digest)}
    )


@router.get(
    "/v1/overdue/reasons",
    summary="Reasons for lateness",
    description="""Reasons (lý do trễ hạn) that agencies give for dossiers that ended late in the period (column 10)
or are overdue today (column 13), tallied, the most frequent first; the latest `processed` or `overdue` of the agency
that gives one counts.""",
    response_model=ReasonsAnswer,
    responses=error_answers(),
)
async def reasons(context: RequestContext, caller: StatsCaller, asked: Annotated[LatePeriod, Query()]) -> Response:
    """Tally the reasons."""
    access = await _access(context, caller)
    period = asked.read(access.today)
    tallies: dict[str, Counter[str]] = {}
    words: dict[str, str | None] = {}
    heavy = context.heavy
    async with heavy.place(caller):
        async for page in late_dossiers.late(heavy.engine, heavy.pace, _selected(context, access, asked.agency), period):
            for one in page:
                reason = _plain(one.reason)
                tally = tallies.setdefault(reason.casefold(), Counter())
                words.setdefault(reason.casefold(), reason or None)
                tally["dossiers"] += 1
                tally[_late_figure(one)] += 1
    link = urlencode({"agency": access.scope(asked.agency) or access.top, "from": period.from_on, "to": period.to_on})
    ordered = sorted(tallies.items(), key=lambda item: (not item[0], -item[1]["dossiers"], item[0]))
    total = sum(tallies.values(), Counter[str]())
    return _json(
        {
            "today": access.today,
            "period": {"from": period.from_on, "to": period.to_on},
            "agency": access.scope(asked.agency) or access.top,
            "rows": [{"reason": words[key], **_tally(tally)} for key, tally in _shown(ordered)],
            "total": _tally(total),
            "reasons": sum(1 for key in tallies if key),
            "dossiers": f"/v1/overdue/reasons/dossiers?{link}&figure={{figure}}",
            "row_dossiers": f"/v1/overdue/reasons/dossiers?{link}&figure={{figure}}&reason={{reason}}",
        }
    )


@router.get(
    "/v1/overdue/reasons/dossiers",
    summary="Late dossiers by reason",
    description="""The dossiers (hồ sơ) behind one figure of `/v1/overdue/reasons`, of one `reason` (lý do trễ hạn) or of
all: exactly as many, as pages or as CSV.""",
    response_model=DossierList,
    responses=error_answers() | {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def reason_dossiers(
    request: Request, context: RequestContext, caller: DossierReader, asked: Annotated[ReasonListQuestion, Query()]
) -> Response:
    """List the late dossiers of a reason."""
    access = await _access(context, caller)
    period = asked.read(access.today)
    chosen = _selected(context, access, asked.agency)
    heavy = context.heavy
    async with heavy.place(caller):
        codes = [
            one.code
            async for page in late_dossiers.late(heavy.engine, heavy.pace, chosen, period)
            for one in page
            if (asked.reason is None or _plain(one.reason).casefold() == _plain(asked.reason).casefold())
            and asked.figure in ("dossiers", _late_figure(one))
        ]
    selection = replace(chosen, more=[("code = ANY({}::text[])", [codes])])
    return await listed(request, context, caller, selection, asked)


def _plain(reason: str | None) -> str:
    return " ".join((reason or "").split())


def _shown(ordered: list[tuple[str, Counter[str]]]) -> list[tuple[str, Counter[str]]]:
    """The most frequent reasons; those without one are always told."""
    return [*[one for one in ordered if one[0]][:_MOST_REASONS], *[one for one in ordered if not one[0]]]


def _tally(tally: Counter[str]) -> dict[str, int]:
    return {name: tally[name] for name in ("dossiers", "resolved_late", "overdue")}


def _late_figure(one: late_dossiers.LateDossier) -> LateFigure:
    ended_at = one.dossier.ended_at
    ended_late = ended_at is not None and resolution(local_date(ended_at), one.dossier.due_at) is Resolution.LATE
    return "resolved_late" if ended_late else "overdue"
