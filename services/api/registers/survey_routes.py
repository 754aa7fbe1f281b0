"""Sheets of surveys: lists, and one with all that its events tell."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.api.dossiers.record_timeline import timeline_of
from services.api.http.access.callers import DossierReader
from services.api.http.answers import json_answer
from services.api.http.context import RequestContext
from services.api.http.openapi import error_answers
from services.api.http.parameters import PRINTABLE, PageCursor, PageLimit
from services.api.registers.record_schemas import SheetDetail, SheetList
from services.api.registers.record_use_cases import read_page, read_record
from shared.access.store.keys import Permission
from shared.database.engine import driver_session
from shared.dossiers.store import applicant_access
from shared.dossiers.store.applicant_access import Reading
from shared.events.rules.registers import LONGEST_SUBJECT, SURVEY
from shared.events.store import lookups
from shared.registers.measures import Known
from shared.vocabulary.codes import DOSSIER_CODE_PATTERN
from shared.vocabulary.events import DossierCode

router = APIRouter(tags=["surveys"])

_TOLD: Final = ("dossier_code", "channel", "overall", "officer")


class SheetQuestion(BaseModel):
    """Which sheets; all that is given must hold."""

    model_config = ConfigDict(extra="forbid")

    agency: Annotated[
        str | None,
        Field(
            max_length=200, pattern=PRINTABLE, description="This agency and what is below it (cơ quan).", examples=["H51.12"]
        ),
    ] = None
    dossier: Annotated[
        str | None, Field(max_length=60, pattern=DOSSIER_CODE_PATTERN, description="About this dossier (mã hồ sơ).")
    ] = None
    channel: Literal["paper", "device", "online"] | None = Field(None, description="How it was filled in.")
    overall: Literal["very_satisfied", "satisfied", "not_satisfied"] | None = Field(None, description="What it says.")
    cursor: PageCursor = None
    limit: PageLimit = 50


def _sheet(known: Known) -> Mapping[str, Any]:
    facts = known.facts
    told = {name: facts.get(name) for name in _TOLD}
    return {
        "code": known.code,
        "agency": known.agency,
        **told,
        "answers": facts.get("answers", {}),
        "submitted_at": facts["at"],
    }


@router.get(
    "/v1/surveys",
    summary="Sheets of surveys, page by page",
    description="""Sheets (phiếu khảo sát hài lòng) by their number, also those that no figure counts because a later one
of the same dossier and channel does. Lists are as old as the projection, and show nothing personal.""",
    response_model=SheetList,
    responses=error_answers(),
)
async def list_surveys(context: RequestContext, caller: DossierReader, asked: Annotated[SheetQuestion, Query()]) -> Response:
    told = {"dossier_code": asked.dossier, "channel": asked.channel, "overall": asked.overall}
    page, following = await read_page(
        context, caller, SURVEY, told, agency=asked.agency, after=asked.cursor, limit=asked.limit
    )
    return json_answer({"items": [_sheet(known) for known in page], "next_cursor": following})


@router.get(
    "/v1/surveys/{code:inner}",
    summary="One sheet of a survey",
    description="""A sheet (phiếu khảo sát) with all that its events tell. Folded from the log when asked: never older
than your own accepted events. What somebody wrote on it only with a `purpose`, for keys with `applicants:read`; each such
reading is recorded before it is answered.""",
    response_model=SheetDetail,
    responses=error_answers(404),
)
async def get_survey(
    request: Request,
    context: RequestContext,
    caller: DossierReader,
    code: Annotated[
        str,
        Path(
            max_length=LONGEST_SUBJECT,
            pattern=SURVEY.subject_pattern,
            description="Sheet number (số phiếu).",
            examples=["PKS-2022-000017"],
        ),
    ],
    purpose: Annotated[
        str | None,
        Query(
            min_length=3,
            max_length=500,
            pattern=PRINTABLE,
            description="What the comment is read for (mục đích); it is recorded.",
            examples=["Xem xét ý kiến"],
        ),
    ] = None,
) -> Response:
    """Answer the sheet, a reading of its comment recorded."""
    found = await read_record(context, caller, SURVEY, code)
    facts, anomalies, comment = found.known.facts, list(found.known.anomalies), None
    async with driver_session(context.engine) as connection:
        dossier = facts.get("dossier_code")
        if dossier is not None and not await lookups.statuses(connection, caller.tenant, [DossierCode(dossier)]):
            anomalies.append("dossier_unknown")
        if purpose is not None and caller.may(Permission.APPLICANTS_READ):
            reading = Reading(
                dossier_code=DossierCode(code),
                reader=caller.key_id,
                purpose=purpose,
                request_id=request.state.request_id,
            )
            words = await applicant_access.read_texts(connection, caller.tenant, reading, found.events)
            comment = words.get((facts.get("source", ""), facts.get("id", "")), {}).get("comment")
    answer = {
        "sheet": _sheet(found.known) if facts else None,
        "comment": comment,
        "anomalies": anomalies,
        "timeline": timeline_of(SURVEY, found.events),
    }
    return json_answer(answer, headers={"cache-control": "no-store"})
