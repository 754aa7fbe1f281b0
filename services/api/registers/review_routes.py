"""Reviews of procedures: lists, and one with all that its events tell."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict

from services.api.dossiers.record_timeline import timeline_of
from services.api.http.access.callers import ProvinceReader
from services.api.http.answers import json_answer
from services.api.http.context import RequestContext
from services.api.http.openapi import error_answers
from services.api.http.parameters import PageCursor, PageLimit
from services.api.registers.record_schemas import ReviewDetail, ReviewList
from services.api.registers.record_use_cases import read_page, read_record
from shared.events.rules.registers import REVIEW
from shared.registers.measures import Known
from shared.registers.review.wages import wage_anomalies, wage_on, wages_of

router = APIRouter(tags=["reviews"])


class ReviewQuestion(BaseModel):
    """A page of reviews."""

    model_config = ConfigDict(extra="forbid")

    cursor: PageCursor = None
    limit: PageLimit = 50


def _review(known: Known) -> dict[str, Any]:
    planned, reviewed, proposed, approved = (
        known.facts.get(name, {}) for name in ("planned", "reviewed", "proposed", "approved")
    )
    before, after = reviewed.get("cost_vnd"), proposed.get("cost_vnd")
    return {
        "code": known.code,
        "year": planned.get("year"),
        "group": planned.get("group"),
        "reviewed_at": reviewed.get("at"),
        "issues": reviewed.get("issues"),
        "cost_before_vnd": before,
        "proposed_at": proposed.get("at"),
        "to": proposed.get("to"),
        "issues_proposed": proposed.get("issues_proposed"),
        "cost_after_vnd": after,
        "saving_vnd": None if before is None or after is None else before - after,
        "decision": approved.get("decision"),
        "anomalies": list(known.anomalies),
    }


@router.get(
    "/v1/reviews",
    summary="Reviews of procedures, page by page",
    description="""Procedures under review (rà soát thủ tục hành chính) by their code: the last review, its proposal,
the yearly cost before and after. No agency has them: needs a key
without an agency subtree. Lists are as old as the projection.""",
    response_model=ReviewList,
    responses=error_answers(),
)
async def list_reviews(
    context: RequestContext, caller: ProvinceReader, asked: Annotated[ReviewQuestion, Query()]
) -> Response:
    page, following = await read_page(context, caller, REVIEW, {}, after=asked.cursor, limit=asked.limit)
    return json_answer({"items": [_review(known) for known in page], "next_cursor": following})


@router.get(
    "/v1/reviews/{code}",
    summary="One review of a procedure",
    description="""A procedure's review (rà soát) with all that its events tell, both sheets among them, and the wage (thu
nhập bình quân) that costs go by. Folded from the log when asked: never older than your own accepted events.""",
    response_model=ReviewDetail,
    responses=error_answers(404),
)
async def get_review(
    context: RequestContext,
    caller: ProvinceReader,
    code: Annotated[
        str,
        Path(
            max_length=50,
            pattern=REVIEW.subject_pattern,
            description="Procedure code (mã thủ tục hành chính).",
            examples=["2.000635"],
        ),
    ],
) -> Response:
    found = await read_record(context, caller, REVIEW, code)
    tree = found.access.catalogue.tree_on(found.access.today)
    wages = wages_of(tree.facts(tree.root))
    answer = _review(found.known)
    answer["anomalies"] += wage_anomalies(found.known.facts, wages)
    wage = wage_on(wages, found.access.today)
    return json_answer(answer | {"wage": wage, "wages": wages, "timeline": timeline_of(REVIEW, found.events)})
