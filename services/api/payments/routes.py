"""Payments: lists, one with all that its events tell; and how far the statements of gateways are worked off."""

from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.api.dossiers.payment_schemas import PaymentDetail, PaymentList
from services.api.figures.parameters import AsOf
from services.api.figures.views import now_or_then
from services.api.http import cursors
from services.api.http.access.callers import DossierReader, ProvinceReader
from services.api.http.answers import json_answer
from services.api.http.context import RequestContext
from services.api.http.openapi import error_answers
from services.api.http.parameters import PRINTABLE, PageCursor, PageLimit
from services.api.payments import statement_use_cases, use_cases
from services.api.payments.statement_schemas import StatementList, StatementQuestion
from shared.events.rules.registers import RECORD_CODE_PATTERN
from shared.payments.store.attempts import Filter
from shared.search.store.pages import PageKey
from shared.vocabulary.codes import DOSSIER_CODE_PATTERN

router = APIRouter(tags=["payments"])


class PaymentQuestion(BaseModel):
    """Which payments; all that is given must hold."""

    model_config = ConfigDict(extra="forbid")

    dossier: Annotated[
        str | None, Field(max_length=60, pattern=DOSSIER_CODE_PATTERN, description="Of this dossier (mã hồ sơ).")
    ] = None
    line: Literal["fee", "land", "other"] | None = Field(None, description="What is paid for.")
    state: Literal["succeeded", "failed", "pending"] | None = Field(None, description="What became of it.")
    double: bool | None = Field(
        None, description="Only those that paid an obligation twice, or only all others (nộp trùng)."
    )
    as_of: AsOf = None
    cursor: PageCursor = None
    limit: PageLimit = 50


@router.get(
    "/v1/payments",
    summary="Payments, page by page",
    description="""Attempts to pay (giao dịch thanh toán) by their reference, each with its obligation and what was paid too
much for it. A payment is where its dossier is: keys with a subtree see those of its dossiers. Lists are as old as the
projection; `as_of` shows them as they stood then.""",
    response_model=PaymentList,
    responses=error_answers(),
)
async def list_payments(
    context: RequestContext, caller: DossierReader, asked: Annotated[PaymentQuestion, Query()]
) -> Response:
    kept = asked.model_dump(exclude={"cursor", "limit"})
    digest = cursors.digest_of({**kept, "path": "/v1/payments", "tenant": caller.tenant, "root": caller.agency})
    mark = cursors.read(asked.cursor, digest, any_code=True)
    page = use_cases.Page(
        Filter(asked.dossier, asked.line, asked.state), asked.double, "" if mark is None else mark.code, asked.limit
    )
    items, has_more = await now_or_then(
        asked.as_of,
        partial(use_cases.read_page, context, caller, page),
        partial(use_cases.read_page_then, context, caller, page),
    )
    following = cursors.written(PageKey(None, items[-1]["reference"]), digest) if has_more else None
    return json_answer({"items": items, "next_cursor": following})


# before a payment by its reference, whose pattern this path fits
@router.get(
    "/v1/payments/statements",
    summary="Statements of gateways",
    description="How far the statements (sao kê) are worked off, the newest day first: open differences and alarms."
    " Of the whole province: needs a key without an agency subtree.",
    responses=error_answers(),
)
async def list_payment_statements(
    context: RequestContext, caller: ProvinceReader, asked: Annotated[StatementQuestion, Query()]
) -> StatementList:
    return await statement_use_cases.read_page(context, caller, asked)


@router.get(
    "/v1/payments/{reference}",
    summary="One payment",
    description="""An attempt to pay with all that its events tell: state, amounts, refunds, receipts, obligation, timeline.
Folded from the log when asked: never older than your own accepted events. With `purpose` also who pays, for keys with
`applicants:read`; each such reading is recorded before it is answered.""",
    response_model=PaymentDetail,
    responses=error_answers(404),
)
async def get_payment(
    request: Request,
    context: RequestContext,
    caller: DossierReader,
    reference: Annotated[
        str,
        Path(
            pattern=RECORD_CODE_PATTERN,
            description="Its reference (MaThamChieu).",
            examples=["dvcH511218010200123-20180102090000"],
        ),
    ],
    purpose: Annotated[
        str | None,
        Query(
            min_length=3,
            max_length=500,
            pattern=PRINTABLE,
            description="What for (mục đích), to read who pays too; it is recorded. Needs `applicants:read`.",
            examples=["Hoàn trả tiền nộp trùng"],
        ),
    ] = None,
) -> Response:
    found = await use_cases.read_payment(context, caller, reference, purpose, request.state.request_id)
    return json_answer(found, headers={"cache-control": "no-store"})
