"""Dossiers: lists, one with all that its events tell, and its applicant."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.api.dossiers.lists import listed, serve_list
from services.api.dossiers.parameters import DossierCodeInPath, DossierFilters
from services.api.dossiers.schemas import ApplicantOut, DossierDetail
from services.api.dossiers.use_cases import read_applicant, read_dossier
from services.api.http.access.callers import ApplicantReader, DossierReader
from services.api.http.access.visibility import list_access_of
from services.api.http.answers import json_answer
from services.api.http.context import RequestContext
from services.api.http.openapi import error_answers
from shared.search.store.filters import RECEIVED, Selection
from shared.vocabulary.errors import InvalidInput

router = APIRouter(tags=["dossiers"])


@serve_list(
    router,
    "/v1/dossiers",
    "Dossiers, page by page",
    """Dossiers (hồ sơ) that the key may see, narrowed by any combination of filters, as pages that neither
repeat nor leave out a dossier while others come in. Lists are as old as the projection (see `as_of` of the figures); one
dossier by its code is never old. As CSV all of them come in one answer.""",
)
async def list_dossiers(
    request: Request, context: RequestContext, caller: DossierReader, asked: Annotated[DossierFilters, Query()]
) -> Response:
    """Answer a page, or all as CSV."""
    if asked.received_from is not None and asked.received_to is not None and asked.received_to < asked.received_from:
        raise InvalidInput.of("/received_to", "before_from", f"{asked.received_to} is before {asked.received_from}")
    access = await list_access_of(context, caller, is_limited=asked.agency is not None or asked.receiving_agency is not None)
    agency, desk = access.scope(asked.agency), access.desk(asked.receiving_agency)
    codes = access.codes() if agency is None else access.codes_within(agency)
    if desk is not None:
        received = access.catalogue.codes_received_by(desk, access.today)
        codes = received if codes is None else received & codes
    selection = Selection(
        access=access,
        now=context.catalogues.now(),
        agencies=codes,
        procedures=None if asked.procedure is None else [asked.procedure],
        channel=asked.channel,
        status=asked.status,
        is_open=asked.open,
        is_overdue=asked.overdue,
        anomaly=asked.anomaly,
        received_from=asked.received_from,
        received_to=asked.received_to,
        due_before=asked.due_before,
        untouched_days=asked.untouched_days,
        code_prefix=asked.q,
        more=[] if desk is None else [RECEIVED],
    )
    return await listed(request, context, caller, selection, asked)


@router.get(
    "/v1/dossiers/{code}",
    summary="One dossier",
    description="""A dossier (hồ sơ) with everything that its events tell: status, due dates (hạn ban đầu, hiệu lực, đã hẹn),
pauses (chờ bổ sung), anomalies (bất thường), timeline (diễn biến; voided events are marked), the applicant masked, and how
far the national portal is. Folded from the log when asked: never older than your own accepted events.""",
    response_model=DossierDetail,
    responses=error_answers(404),
)
async def get_dossier(context: RequestContext, caller: DossierReader, code: DossierCodeInPath) -> Response:
    return json_answer(await read_dossier(context, caller, code))


@router.get(
    "/v1/dossiers/{code}/applicant",
    summary="The applicant's personal data",
    description="""Name, identity number, phone, e-mail and address of the applicant (dữ liệu cá nhân người nộp hồ sơ, Luật
91/2025/QH15). Each reading is recorded before it is answered: who, whose, what for, when.""",
    response_model=ApplicantOut,
    responses=error_answers(404),
)
async def get_applicant(
    request: Request,
    context: RequestContext,
    caller: ApplicantReader,
    code: DossierCodeInPath,
    purpose: Annotated[
        str,
        Query(
            min_length=3,
            max_length=500,
            pattern=r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$",
            description="What for (mục đích); it is recorded.",
            examples=["Gọi điện bổ sung giấy tờ"],
        ),
    ],
) -> Response:
    """Answer the applicant, the reading recorded."""
    found = await read_applicant(context, caller, code, purpose, request.state.request_id)
    return json_answer(found, headers={"cache-control": "no-store"})
