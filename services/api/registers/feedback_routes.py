"""Feedback: lists, what is due, one with all that its events tell."""

import re
from dataclasses import replace
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.api.figures.parameters import ANY_PERIOD, AsOf, Filters
from services.api.figures.views import now_or_then
from services.api.http import cursors
from services.api.http.access.callers import DossierReader
from services.api.http.access.visibility import list_access_of
from services.api.http.answers import json_answer
from services.api.http.context import RequestContext
from services.api.http.openapi import error_answers
from services.api.http.parameters import PRINTABLE, PageCursor, PageLimit
from services.api.registers.feedback_as_of import FeedbackThen, read_page_then
from services.api.registers.feedback_schemas import FeedbackDetail, FeedbackList
from services.api.registers.feedback_use_cases import read_feedback, read_page
from shared.events.rules.registers import FEEDBACK, RECORD_CODE_PATTERN
from shared.search.store.feedback import FeedbackFilter, Mark
from shared.search.store.pages import PageKey
from shared.vocabulary.codes import DOSSIER_CODE_PATTERN
from shared.vocabulary.errors import InvalidInput

router = APIRouter(tags=["registers"])

_PATH: Final = "/v1/feedback"
_is_value: Final = re.compile(r"[0-9TZ:.~-]{0,40}").fullmatch
_NOT_TOLD: Final = "không nêu"


class FeedbackQuestion(BaseModel):
    """Which feedback; all that is given must hold."""

    model_config = ConfigDict(extra="forbid")

    agency: Annotated[
        str | None, Field(max_length=200, description="This agency (cơ quan) and what is below it.", examples=["H51.12"])
    ] = None
    kind: Annotated[
        Literal["rule", "behaviour", "unknown"] | None, Field(description="About rules or behaviour (quy định, hành vi).")
    ] = None
    state: Annotated[
        Literal["sent", "open", "waiting", "handled", "refused"] | None, Field(description="State (trạng thái).")
    ] = None
    overdue: Annotated[
        bool | None, Field(description="Those of the figure `overdue` today (quá hạn trả lời); false: all others.")
    ] = None
    route: Annotated[
        Literal["portal", "phone", "letter", "direct", "survey"] | None, Field(description="Route (kênh phản ánh).")
    ] = None
    about_dossier: Annotated[
        str | None, Field(max_length=60, pattern=DOSSIER_CODE_PATTERN, description="About this dossier (mã hồ sơ).")
    ] = None
    sort: Annotated[
        str,
        Field(
            pattern=r"^-?(sent_at|received_at|due_on|code)$",
            description="Order, with `-` downwards. By `due_on` come only those that owe a deed (việc phải làm), by when"
            " it is due.",
            examples=["due_on"],
        ),
    ] = "-sent_at"
    as_of: AsOf = None
    cursor: PageCursor = None
    limit: PageLimit = 50


def _mark(cursor: str | None, digest: str) -> Mark | None:
    key = cursors.read(cursor, digest, any_code=True)
    if key is None:
        return None
    value, _, code = key.code.rpartition("|")
    if not _is_value(value) or not FEEDBACK.is_subject(code):  # it goes into a statement
        raise InvalidInput.of("/cursor", "cursor", "a next_cursor of this list")
    return Mark(value, code)


@router.get(
    _PATH,
    summary="Feedback, page by page",
    description="""Feedback (phản ánh, kiến nghị) that the key may see, narrowed by any combination of filters. The
worklist of what is due is `sort=due_on`. Lists are as old as the projection, and show nothing personal; `as_of` shows
them as they stood then.""",
    response_model=FeedbackList,
    responses=error_answers(),
)
async def list_feedback(
    context: RequestContext, caller: DossierReader, asked: Annotated[FeedbackQuestion, Query()]
) -> Response:
    chosen = FeedbackFilter(
        agencies=None,
        kind=asked.kind,
        state=asked.state,
        route=asked.route,
        about_dossier=asked.about_dossier,
        is_overdue=asked.overdue,
    )
    kept = asked.model_dump(exclude={"cursor", "limit"})
    digest = cursors.digest_of({**kept, "path": _PATH, "tenant": caller.tenant, "root": caller.agency})
    order = asked.sort.removeprefix("-"), asked.sort.startswith("-")
    after = _mark(asked.cursor, digest)

    async def now() -> tuple[dict[str, Any], Mark | None]:
        access = await list_access_of(context, caller, is_limited=asked.agency is not None)
        codes = access.codes_within(access.scope(asked.agency))
        return await read_page(context, caller, replace(chosen, agencies=codes), order, after, limit=asked.limit)

    async def then(as_of: str) -> tuple[dict[str, Any], Mark | None]:
        filters = Filters.model_construct(period=ANY_PERIOD, agency=asked.agency, as_of=as_of)  # as validated here
        return await read_page_then(context, caller, FeedbackThen(filters, chosen, order), after, limit=asked.limit)

    page, mark = await now_or_then(asked.as_of, now, then)
    key = None if mark is None else PageKey(None, f"{mark.value}|{mark.code}")
    return json_answer(page | {"next_cursor": cursors.written(key, digest)})


@router.get(
    f"{_PATH}/{{code}}",
    summary="One feedback",
    description="""A feedback (phản ánh, kiến nghị) with all that its events tell: state, dates, terms (thời hạn; a shortened
one beside), history and anomalies. Folded from the log when asked: never older than your own accepted events. Its sender and
words only for keys with `applicants:read`; each such reading is recorded before it is answered, with its `purpose`.""",
    response_model=FeedbackDetail,
    responses=error_answers(404),
)
async def get_feedback(
    request: Request,
    context: RequestContext,
    caller: DossierReader,
    code: Annotated[
        str,
        Path(
            max_length=60,
            pattern=RECORD_CODE_PATTERN,
            description="Feedback code (mã phản ánh, kiến nghị).",
            examples=["PAKN-2025-000123"],
        ),
    ],
    purpose: Annotated[
        str,
        Query(
            min_length=3,
            max_length=500,
            pattern=PRINTABLE,
            description="What the words are read for (mục đích); it is recorded.",
            examples=["Trả lời người phản ánh"],
        ),
    ] = _NOT_TOLD,
) -> Response:
    found = await read_feedback(context, caller, code, purpose, request.state.request_id)
    return json_answer(found, headers={"cache-control": "no-store"})
