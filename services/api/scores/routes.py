"""Scores of agencies and officers by Circular 01/2018."""

from fastapi import APIRouter, Response

from services.api.figures.parameters import FilterParameters
from services.api.http.access.callers import StatsCaller
from services.api.http.answers import json_answer
from services.api.http.context import RequestContext
from services.api.http.openapi import error_answers
from services.api.http.reads.handover import heavy
from services.api.registers.use_cases import asked_of
from services.api.scores.schemas import ScoresOut, agencies_answer, officers_answer
from shared.scores.rules.tt01_2018 import AGENCIES, OFFICERS

router = APIRouter(tags=["scores"])


@router.get(
    "/v1/scores/tt01_2018",
    summary="Scores of agencies",
    description="""The nine indices (tiêu chí) of Circular 01/2018, articles 13-15, for the agencies right below one, each
with its subtree (of dossiers the competent one): points (điểm), values that they are of, total, maximum and class (xếp
loại). Counted over dossiers that
ended in the period; a missing index is not 0 and makes the class `incomplete`. Indices 5 and 6 are facts of an agency,
`tt01_5` and `tt01_6`. Where dossiers are filtered, 5, 6, 8 and 9 are missing: they are of a whole agency.""",
    response_model=ScoresOut,
    responses=error_answers(),
)
@heavy
async def read_scores(context: RequestContext, caller: StatsCaller, asked: FilterParameters) -> Response:
    return json_answer(await asked_of(context, caller, AGENCIES, asked, agencies_answer))


@router.get(
    "/v1/scores/tt01_2018/officers",
    summary="Scores of officers",
    description="""Indices 1, 2, 3, 4 and 7 of Circular 01/2018 over the dossiers that each officer (cán bộ) received, held
or returned and that ended in the period, with total and class: the part of the task that counts as done.""",
    response_model=ScoresOut,
    responses=error_answers(),
)
@heavy
async def read_officer_scores(context: RequestContext, caller: StatsCaller, asked: FilterParameters) -> Response:
    return json_answer(await asked_of(context, caller, OFFICERS, asked, officers_answer))
