"""Officials' lists: open dossiers by age, those coming due, letters of apology, reasons for lateness."""

from operator import attrgetter
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.api.deadlines.parameters import (
    AgeingListQuestion,
    AgeingQuestion,
    ApologyListQuestion,
    LatePeriod,
    ReasonListQuestion,
)
from services.api.deadlines.schemas import AgeingAnswer, ApologiesAnswer, ApologyItem, ApologyList, ReasonsAnswer
from services.api.deadlines.use_cases import (
    count_apologies,
    count_open,
    find_apologies,
    select_late,
    select_open,
    tally_reasons,
)
from services.api.dossiers.lists import listed, serve_list
from services.api.http import cursors
from services.api.http.access.callers import DossierReader, StatsCaller
from services.api.http.answers import json_answer
from services.api.http.context import RequestContext
from services.api.http.openapi import error_answers
from services.api.http.reads.handover import heavy

router = APIRouter(tags=["overdue"])


@router.get(
    "/v1/overdue",
    summary="Open dossiers by age, and coming due",
    description="""How many open dossiers (hồ sơ đang giải quyết) that do not wait for the applicant are due today,
late by 1-3, 4-10 and over 10 working days (ngày làm việc, by the agency's own week: `/v1/office-hours`), or come due
within 24 hours and 3 days, by the competent agency (cơ quan có thẩm quyền). Late by local date: the three late
figures together are column 13 of form II.06 for today.""",
    response_model=AgeingAnswer,
    responses=error_answers(),
)
async def ageing(context: RequestContext, caller: StatsCaller, asked: Annotated[AgeingQuestion, Query()]) -> Response:
    return json_answer(await count_open(context, caller, asked.agency))


@serve_list(
    router,
    "/v1/overdue/dossiers",
    "Open dossiers of one age",
    """The dossiers (hồ sơ) behind one figure of `/v1/overdue`, named by `bucket`: exactly as many, as
pages or as CSV, the earliest due date (hạn) first.""",
)
async def ageing_dossiers(
    request: Request, context: RequestContext, caller: DossierReader, asked: Annotated[AgeingListQuestion, Query()]
) -> Response:
    """List the open dossiers of one age."""
    selection = await select_open(context, caller, asked.agency, asked.bucket)
    return await listed(request, context, caller, selection, asked)


@router.get(
    "/v1/overdue/apologies",
    summary="Letters of apology",
    description="""Who owes a letter of apology with a new date (văn bản xin lỗi và hẹn lại ngày trả, điều 19 Nghị
định 61/2018/NĐ-CP), who sent it before the term ended, who sent it late, who not: counts by the competent agency, over
the dossiers that are open now or ended in the period. Folded from the log: it takes the longer, the more dossiers
are late.""",
    response_model=ApologiesAnswer,
    responses=error_answers(),
)
@heavy
async def apologies(context: RequestContext, caller: StatsCaller, asked: Annotated[LatePeriod, Query()]) -> Response:
    return json_answer(await count_apologies(context, caller, asked))


@router.get(
    "/v1/overdue/apologies/dossiers",
    summary="Dossiers that owe or owed a letter",
    description="""The dossiers (hồ sơ) behind `/v1/overdue/apologies`, by code: what became of the letter (văn bản
xin lỗi), when it was sent, and the reason for lateness (lý do trễ hạn) that the agency gives.""",
    response_model=ApologyList,
    responses=error_answers(),
)
@heavy
async def apology_dossiers(
    request: Request, context: RequestContext, caller: DossierReader, asked: Annotated[ApologyListQuestion, Query()]
) -> Response:
    """List the dossiers with a letter that is or was owed."""
    filters = asked.model_dump(exclude={"cursor", "limit"}, mode="json")
    digest = cursors.digest_of({**filters, "path": request.url.path, "tenant": caller.tenant, "root": caller.agency})
    mark = cursors.read(asked.cursor, digest)
    found = await find_apologies(context, caller, asked, "" if mark is None else mark.code)
    page, following = cursors.cut(found, asked.limit, digest, attrgetter("code"))
    return json_answer(ApologyList(items=[ApologyItem.of(one) for one in page], next_cursor=following))


@router.get(
    "/v1/overdue/reasons",
    summary="Reasons for lateness",
    description="""Reasons (lý do trễ hạn) that agencies give for dossiers that ended late in the period (column 10)
or are overdue today (column 13), tallied, the most frequent first; the latest `processed` or `overdue` of the agency
that gives one counts. Dossiers of a competent agency (cơ quan có thẩm quyền), whatever desk received them.""",
    response_model=ReasonsAnswer,
    responses=error_answers(),
)
@heavy
async def reasons(context: RequestContext, caller: StatsCaller, asked: Annotated[LatePeriod, Query()]) -> Response:
    return json_answer(await tally_reasons(context, caller, asked))


@serve_list(
    router,
    "/v1/overdue/reasons/dossiers",
    "Late dossiers by reason",
    """The dossiers (hồ sơ) behind one figure of `/v1/overdue/reasons`, of one `reason` (lý do trễ hạn) or of
all: exactly as many, as pages or as CSV.""",
)
@heavy
async def reason_dossiers(
    request: Request, context: RequestContext, caller: DossierReader, asked: Annotated[ReasonListQuestion, Query()]
) -> Response:
    """List the late dossiers of a reason."""
    return await listed(request, context, caller, await select_late(context, caller, asked), asked)
