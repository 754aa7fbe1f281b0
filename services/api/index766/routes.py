"""The national index set: Decision 766/QĐ-TTg, and the figures that dossiers do not feed."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field, TypeAdapter

from services.api.catalogue.bodies import body_described, read_array, validated
from services.api.catalogue.schemas import Change
from services.api.figures.parameters import FilterParameters
from services.api.figures.use_cases import view_when_counted
from services.api.figures.views import Place, Seen
from services.api.http.access.auth import Caller, Permission, requires
from services.api.http.access.callers import StatsCaller
from services.api.http.access.visibility import access_of
from services.api.http.answers import json_answer
from services.api.http.context import RequestContext
from services.api.http.errors.problems import InvalidFields
from services.api.http.openapi import error_answers
from services.api.http.parameters import read_known_at
from services.api.http.reads.handover import heavy
from services.api.index766.input_schemas import INPUT_EXAMPLE, InputItem, Inputs, inputs_answer
from services.api.index766.schemas import IndexOut, index_answer
from shared.access.store.visibility import Access
from shared.database.engine import DriverConnection, driver_session
from shared.figures.store.tables import FigureScope
from shared.index766.rules.indicators import online_points
from shared.index766.store import counts, given_figures
from shared.index766.store.counts import Reading
from shared.vocabulary.errors import FieldError, Forbidden
from shared.vocabulary.periods import read_period

router = APIRouter(tags=["figures"])

MAX_INPUTS: Final = 5_000

_INPUTS: Final = TypeAdapter(list[InputItem])
_INPUTS_DESCRIBED: Final = TypeAdapter(Annotated[list[InputItem], Field(max_length=MAX_INPUTS)])

Admin = Annotated[Caller, Depends(requires(Permission.ADMIN))]


@router.get(
    "/v1/indices/766",
    summary="The national index set",
    description="""The indicators of Decision 766/QĐ-TTg (bộ chỉ số phục vụ người dân, doanh nghiệp) of a period and scope,
each with numerator (tử số), denominator (mẫu số), value, points (điểm), the most points (điểm tối đa) and the formula with
the date it is valid from. What dossiers feed is computed: sync rate 1.4 (tỷ lệ đồng bộ) live from the portal ledger,
progress 2.1 (đúng hạn) by instant and against the promise, mean time 2.2, online services, payment, digitisation and the
dossier part of satisfaction 5.4. What others feed says `no_data` until it is given for the same agency and period. 3.1, 3.2
and 3.3 share 12 points by `MOTCUA_INDEX_ONLINE_POINTS`. `as_of` says which events are counted; asked as of an earlier
instant, these are the events, catalogues, given figures and acknowledgements of the portal known by then. Dossiers count for
their competent agency (cơ quan có thẩm quyền) and from reception, at whatever desk.""",
    response_model=IndexOut,
    responses=error_answers(),
)
@heavy
async def read_index(context: RequestContext, caller: StatsCaller, asked: FilterParameters) -> Response:
    """Answer the set; again where an agency is new to us, or it has just become another day."""
    covered = read_period(asked.period, asked.from_, asked.to)
    view = await view_when_counted(context, caller, asked)

    async def answer(connection: DriverConnection, seen: Seen) -> tuple[FigureScope, Reading]:
        return seen.scope, await counts.read(connection, seen.scope, covered, context.worlds)

    scope, reading = await view.read(answer, Place.HEAVY_SNAPSHOT)
    if view.is_outdated(scope, reading.stamp):
        scope, reading = await view.read(answer, Place.HEAVY_SNAPSHOT)
    return json_answer(index_answer(scope, reading, online_points(context.settings.index_online_points)))


@router.get(
    "/v1/indices/766/inputs",
    summary="The given figures",
    description="The newest version of every figure (số liệu cung cấp) given for the indicators of Decision 766 that"
    " dossiers do not feed, of the agencies that the key may see; with `history` every version, the newest first; with"
    " `as_of` as known then.",
    response_model=Inputs,
    responses=error_answers(),
)
async def read_inputs(
    context: RequestContext,
    caller: StatsCaller,
    *,
    history: Annotated[bool, Query(description="Every version (mọi phiên bản), withdrawn ones too.")] = False,
    as_of: Annotated[str | None, Query(max_length=40, description="As known then: a date or an RFC 3339 instant.")] = None,
) -> Response:
    access = await access_of(context, caller)
    known_by = read_known_at(as_of)
    async with driver_session(context.engine) as connection:
        read = given_figures.read_versions if history else given_figures.read_given
        given = await read(connection, caller.tenant, known_by)
    return json_answer(inputs_answer(one for one in given if access.sees(one.agency)))


@router.put(
    "/v1/indices/766/inputs",
    summary="Give figures",
    description="""Gives figures (cung cấp số liệu) of the indicators that dossiers do not feed, each with the paper it
stands in and that paper's date. They count where the index is asked for the same agency and the same period. A figure given
again is a new version; earlier ones are kept. `withdrawn` takes a figure back. Given again unchanged, nothing is
written. A key with an agency subtree gives those of agencies inside it, else 403 with the row.""",
    responses=error_answers(400, 415),
    openapi_extra=body_described(_INPUTS_DESCRIBED, [INPUT_EXAMPLE]),
)
async def put_inputs(request: Request, context: RequestContext, caller: Admin) -> Change:
    body = await read_array(request, MAX_INPUTS)
    given = await validated(_INPUTS, body, context.fairness.turn, lambda item: item)
    if faults := [fault for index, item in enumerate(given) for fault in item.faults(f"/{index}")]:
        raise InvalidFields(faults)
    access = await access_of(context, caller)
    foreign = [index for index, item in enumerate(given) if not _is_visible(access, item.agency, f"/{index}/agency")]
    if foreign:
        detail = "a figure of an agency outside what this key may see"
        errors = [FieldError(f"/{index}/agency", "outside", "an agency inside the key's subtree") for index in foreign]
        raise Forbidden(detail, errors)
    figures = [item.to_domain(access.scope(item.agency) or access.top) for item in given]
    async with driver_session(context.engine) as connection, connection.transaction():
        change = await given_figures.put_given(connection, caller.tenant, figures)
    return Change.model_validate(change, from_attributes=True)


def _is_visible(access: Access, agency: str | None, pointer: str) -> bool:
    try:
        access.scope(agency, pointer=pointer)
    except Forbidden:
        return False
    return True
