"""What stands behind the figures: anomalies with their share, working time to resolve, the dossiers of a table's row."""

import asyncio
from array import array
from collections import Counter
from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Annotated, Any, Final, Literal

import orjson
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from services.api.context import Context, RequestContext
from services.api.keyring import Caller
from services.api.openapi import error_answers
from services.api.routes.dossiers import DossierReader, Paging, listed
from services.api.routes.stats import By, Filters, StatsCaller, scope_of, wait_until_counted
from services.api.schemas.dossiers import DossierList
from services.api.schemas.quality import AnomalyAnswer, WorkingTimeAnswer
from services.api.schemas.stats import head_answer, link_answer
from shared.db import row_selection
from shared.db.agency_rows import AgencyRows
from shared.db.almanacs import read_almanac
from shared.db.engine import driver_session
from shared.db.row_selection import AnomalyCounts, Resolved
from shared.db.statistics import UNKNOWN, Scope
from shared.domain.anomalies import AnomalyCode
from shared.domain.calendar import UnconfirmedYear
from shared.domain.durations import durations, microseconds
from shared.domain.errors import InvalidInput
from shared.domain.events import ProcedureCode
from shared.domain.report import Figure, percent

router = APIRouter(tags=["figures"])

MEASURE: Final = "received_to_ended/1"

_FIRST_DAY: Final = date(1900, 1, 1)
_LIST: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}


def _json(answer: Any) -> Response:
    return Response(orjson.dumps(answer, option=orjson.OPT_UTC_Z), media_type="application/json")


async def _present_scope(context: Context, caller: Caller, asked: Filters) -> Scope:
    """The scope on present knowledge, which is all that rows and folded dossiers can answer for."""
    if "as_of" in asked.model_fields_set:
        raise InvalidInput.of("/as_of", "present_only", "this is answered on present knowledge only")
    if asked.min_position:
        await wait_until_counted(context, caller, asked.min_position)
    return await scope_of(context, caller, asked)


class RowQuestion(Filters, Paging):
    """A figure in a row of a table, and how its dossiers are listed."""

    row: Annotated[str, Field(max_length=200, description="The row by its key in the table.", examples=["H51.12"])]
    figure: Annotated[Figure, Field(description="The figure by its path in the row.", examples=["resolved.late"])]


@router.get(
    "/v1/stats/by/{by}/dossiers",
    summary="The dossiers behind a figure of a row",
    description="""The dossiers (hồ sơ) that one figure of one row of `stats/by/{by}` counts, asked with the same
filters: exactly as many, as pages or as CSV. The row `unknown` is opened too.""",
    response_model=DossierList,
    responses=error_answers() | _LIST,
)
async def row_dossiers(
    request: Request,
    context: RequestContext,
    caller: DossierReader,
    asked: Annotated[RowQuestion, Query()],
    by: Annotated[By, Path(description="What the table is cut by.", examples=["agency"])],
) -> Response:
    """List the dossiers of one figure of one row."""
    scope = await _present_scope(context, caller, asked)
    selection = row_selection.selection_of(scope, context.catalogues.now(), asked.figure)
    return await listed(request, context, caller, row_selection.of_row(selection, scope, by, asked.row), asked)


def _whole(asked: Filters) -> tuple[Filters, bool]:
    """Without a period all dossiers are meant."""
    if (asked.period, asked.from_, asked.to) != (None, None, None):
        return asked, False
    return asked.model_copy(update={"from_": _FIRST_DAY, "to": date.max}), True


class AnomalyQuestion(Filters, Paging):
    """A kind of anomaly, and how its dossiers are listed."""

    anomaly: Annotated[AnomalyCode, Field(description="The kind (loại bất thường).", examples=["extended_twice"])]


@router.get(
    "/v1/stats/anomalies",
    summary="Anomalies by kind and agency",
    description="""How many dossiers (hồ sơ) are strange (bất thường) in which way, by agency (cơ quan), and their
share of the dossiers that column 3 of form II.06 counts for the period; without a period of all dossiers ever told.""",
    response_model=AnomalyAnswer,
    responses=error_answers(),
)
async def anomalies(context: RequestContext, caller: StatsCaller, asked: Annotated[Filters, Query()]) -> Response:
    """Count the anomalies."""
    filters, everything = _whole(asked)
    scope = await _present_scope(context, caller, filters)
    selection = row_selection.selection_of(scope, context.catalogues.now(), None if everything else Figure.RECEIVED)
    async with driver_session(context.engine) as connection:
        counted = await row_selection.anomaly_counts(connection, selection)
    rows = AgencyRows.of(scope.access, scope.agency, scope.tree_on)
    by_row: dict[str, list[AnomalyCounts]] = {key: [] for key in rows.keys}
    for code, of_code in counted.items():
        by_row[rows.key(code)].append(of_code)
    head = head_answer(scope)
    return _json(
        head
        | {
            "period": None if everything else head["period"],
            "rows": [
                {"key": key, "name": rows.name(key), **_share(found)}
                for key, found in by_row.items()
                if found or key in rows.children
            ],
            "total": _share(list(counted.values())),
            "dossiers": link_answer(scope, "/v1/stats/anomalies/dossiers", with_period=not everything, anomaly="{anomaly}"),
        }
    )


def _share(counted: list[AnomalyCounts]) -> dict[str, Any]:
    dossiers = sum(one.dossiers for one in counted)
    strange = sum(one.with_anomaly for one in counted)
    kinds = Counter[str]()
    for one in counted:
        kinds.update(one.kinds)
    return {
        "dossiers": dossiers,
        "with_anomaly": strange,
        "share": percent(strange, dossiers),
        "kinds": {kind.value: kinds[kind.value] for kind in AnomalyCode if kinds[kind.value]},
    }


@router.get(
    "/v1/stats/anomalies/dossiers",
    summary="The dossiers with an anomaly",
    description="""The dossiers (hồ sơ) behind one figure of `stats/anomalies`, named by `anomaly`, asked with the
same filters: exactly as many, as pages or as CSV.""",
    response_model=DossierList,
    responses=error_answers() | _LIST,
)
async def anomaly_dossiers(
    request: Request, context: RequestContext, caller: DossierReader, asked: Annotated[AnomalyQuestion, Query()]
) -> Response:
    """List the dossiers with one kind of anomaly."""
    filters, everything = _whole(asked)
    scope = await _present_scope(context, caller, filters)
    selection = row_selection.selection_of(scope, context.catalogues.now(), None if everything else Figure.RECEIVED)
    return await listed(request, context, caller, row_selection.with_anomaly(selection, asked.anomaly), asked)


class WorkingTimeQuestion(Filters):
    """Which resolved dossiers."""

    by: Annotated[
        Literal["agency", "procedure", "field", "channel"] | None,
        Field(description="Also for each agency (cơ quan), procedure (thủ tục), field (lĩnh vực) or channel (kênh)."),
    ] = None


class _Times:
    """Working times as they are gathered, and the years that left some out."""

    def __init__(self) -> None:
        self.values = array("q")
        self.unconfirmed: Counter[int] = Counter()

    def answer(self) -> dict[str, Any]:
        took = durations(self.values)
        left_out = {str(year): number for year, number in sorted(self.unconfirmed.items())}
        return {
            "dossiers": took.dossiers,
            "mean_hours": took.mean_hours,
            "median_hours": took.median_hours,
            "p90_hours": took.p90_hours,
            "unconfirmed": left_out,
        }


@router.get(
    "/v1/stats/working-time",
    summary="Working time to resolve",
    description="""Mean, median and 90th percentile (trung bình, trung vị, bách phân vị 90) of the office hours from
reception (tiếp nhận) to the end (kết thúc) of the dossiers that column 7 of form II.06 counts. Waiting for the
applicant is included. Dossiers that need a year whose days off nobody has confirmed (năm chưa xác nhận lịch nghỉ) are
left out and told. Computed from each dossier when asked: a whole province's year takes tens of seconds, while other
requests go on.""",
    response_model=WorkingTimeAnswer,
    responses=error_answers(),
)
async def working_time(
    context: RequestContext, caller: StatsCaller, asked: Annotated[WorkingTimeQuestion, Query()]
) -> Response:
    """Answer how long resolved dossiers took."""
    scope = await _present_scope(context, caller, asked)
    selection = row_selection.selection_of(scope, context.catalogues.now(), Figure.RESOLVED)
    async with driver_session(context.engine) as connection:
        almanac = await read_almanac(connection, caller.tenant)
    total, rows = _Times(), dict[str, _Times]()
    table = AgencyRows.of(scope.access, scope.agency, scope.tree_on)
    async for page in row_selection.resolved(context.engine, selection):
        for one in page:
            told = [total, *([] if asked.by is None else [rows.setdefault(_key(asked.by, one, scope, table), _Times())])]
            try:
                office = almanac.working_time(one.agency or scope.access.top)
                took = microseconds(office.between(one.received_at, one.ended_at))
            except UnconfirmedYear as error:
                for times in told:
                    times.unconfirmed[error.year] += 1
            else:
                for times in told:
                    times.values.append(took)
    answer = head_answer(scope) | {"measure": MEASURE, "by": asked.by}
    # sorting a year's dossiers takes longer than other requests may wait
    return _json(answer | await asyncio.to_thread(_took, total, rows, partial(_name, asked.by, scope=scope, table=table)))


def _took(total: _Times, rows: dict[str, _Times], name: Callable[[str], str | None]) -> dict[str, Any]:
    ordered = sorted(rows.items(), key=lambda item: (item[0] == UNKNOWN, item[0]))
    return {
        "rows": [{"key": key, "name": name(key), **times.answer()} for key, times in ordered],
        "total": total.answer(),
    }


def _key(by: str, one: Resolved, scope: Scope, table: AgencyRows) -> str:
    match by:
        case "agency":
            return table.key(one.agency)
        case "procedure":
            return one.procedure or UNKNOWN
        case "field":
            procedure = scope.access.catalogue.procedures.get(ProcedureCode(one.procedure or ""))
            return UNKNOWN if procedure is None else procedure.field or UNKNOWN
        case _:
            return one.channel or UNKNOWN


def _name(by: str | None, key: str, scope: Scope, table: AgencyRows) -> str | None:
    if by == "agency":
        return table.name(key)
    if by == "procedure":
        procedure = scope.access.catalogue.procedures.get(ProcedureCode(key))
        return None if procedure is None else procedure.name
    return None if key == UNKNOWN else key
