"""What stands behind the figures: anomalies with their share, the dossiers of a table's row."""

from collections import Counter
from datetime import date, datetime
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from services.api.dossiers.lists import serve_list
from services.api.figures.anomaly_schemas import AnomalyAnswer, anomaly_links
from services.api.figures.lists import listed_of
from services.api.figures.parameters import PLAIN, By, Filters, ListQuestion
from services.api.figures.schemas import head_answer
from services.api.figures.use_cases import view_when_counted
from services.api.figures.views import Seen
from services.api.http.access.callers import DossierReader, StatsCaller
from services.api.http.answers import json_answer
from services.api.http.context import RequestContext
from services.api.http.openapi import error_answers
from services.api.http.parameters import OneSpelling
from services.api.http.reads.handover import heavy
from shared.counting.rules.figure_definitions import AnyFigure, Figure
from shared.counting.rules.period_sums import percent
from shared.database.engine import DriverConnection
from shared.dossiers.rules.anomalies import AnomalyCode
from shared.figures.store import drill_down
from shared.figures.store.agency_rows import AgencyRows
from shared.figures.store.drill_down import AnomalyCounts, AnomalyFilter
from shared.figures.store.tables import FigureScope
from shared.search.store.filters import Selection

router = APIRouter(tags=["figures"])

_FIRST_DAY: Final = date(1900, 1, 1)

Question = TypeVar("Question", bound=Filters)


class RowQuestion(ListQuestion):
    """A figure in a row of a table, and how its dossiers are listed."""

    row: Annotated[
        str,
        Field(max_length=200, pattern=PLAIN, description="The row by its key in the table.", examples=["H51.12"]),
        OneSpelling,
    ]
    figure: Annotated[AnyFigure, Field(description="The figure by its path in the row.", examples=["resolved.late"])]


@serve_list(
    router,
    "/v1/stats/by/{by}/dossiers",
    "The dossiers behind a figure of a row",
    """The dossiers (hồ sơ) that one figure of one row of `stats/by/{by}` counts, asked with the same
filters: exactly as many, as pages or as CSV. The row `unknown` is opened too.""",
)
async def row_dossiers(
    request: Request,
    context: RequestContext,
    caller: DossierReader,
    asked: Annotated[RowQuestion, Query()],
    by: Annotated[By, Path(description="What the table is cut by.", examples=["agency"])],
) -> Response:
    """List the dossiers of one figure of one row."""

    def choose(scope: FigureScope, now: datetime) -> Selection:
        return drill_down.of_row(drill_down.selection_of(scope, now, asked.figure), scope, by, asked.row)

    return await listed_of(request, context, caller, asked, choose)


def _whole(asked: Question) -> tuple[Question, bool]:
    """Without a period all dossiers are meant."""
    if (asked.period, asked.from_, asked.to) != (None, None, None):
        return asked, False
    return asked.model_copy(update={"from_": _FIRST_DAY, "to": date.max}), True


class AnomalyQuestion(ListQuestion):
    """A kind of anomaly, and how its dossiers are listed."""

    anomaly: Annotated[
        AnomalyCode | AnomalyFilter,
        Field(
            description="The kind (loại bất thường); `any`: with one or more, as `with_anomaly` counts; `all`: with or"
            " without, as `dossiers` counts.",
            examples=["extended_twice"],
        ),
    ]
    row: Annotated[
        str | None,
        Field(max_length=200, pattern=PLAIN, description="Only those in this row, by its key.", examples=["H51.12"]),
        OneSpelling,
    ] = None


@router.get(
    "/v1/stats/anomalies",
    summary="Anomalies by kind and agency",
    description="""How many dossiers (hồ sơ) are strange (bất thường) in which way, by competent agency (cơ quan có
thẩm quyền), and their share of the dossiers that column 3 of form II.06 counts for the period; without a period of all
dossiers ever told.""",
    response_model=AnomalyAnswer,
    responses=error_answers(),
)
@heavy
async def anomalies(context: RequestContext, caller: StatsCaller, asked: Annotated[Filters, Query()]) -> Response:
    filters, everything = _whole(asked)

    async def answer(connection: DriverConnection, seen: Seen) -> dict[str, Any]:
        scope = seen.scope
        selection = drill_down.selection_of(scope, seen.instant, None if everything else Figure.RECEIVED)
        selection = await seen.as_it_stood(selection, by_others=True)
        counted = await drill_down.anomaly_counts(connection, selection)
        return _anomalies(scope, counted, everything=everything)

    view = await view_when_counted(context, caller, filters)
    return json_answer(await view.read(answer))


def _anomalies(scope: FigureScope, counted: dict[str | None, AnomalyCounts], *, everything: bool) -> dict[str, Any]:
    rows = AgencyRows.of(scope.access, scope.top, scope.tree_on)
    by_row: dict[str, list[AnomalyCounts]] = {key: [] for key in rows.keys}
    for code, of_code in counted.items():
        by_row[rows.key(code)].append(of_code)
    head = head_answer(scope)
    return head | {
        "period": None if everything else head["period"],
        "rows": [
            {"key": key, "name": rows.name(key), **_share(found)}
            for key, found in by_row.items()
            if found or key in rows.children
        ],
        "total": _share(list(counted.values())),
        **anomaly_links(scope, with_period=not everything),
    }


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


@serve_list(
    router,
    "/v1/stats/anomalies/dossiers",
    "The dossiers with an anomaly",
    """The dossiers (hồ sơ) behind one figure of `stats/anomalies`, named by `anomaly`, asked with the
same filters: exactly as many, as pages or as CSV.""",
)
async def anomaly_dossiers(
    request: Request, context: RequestContext, caller: DossierReader, asked: Annotated[AnomalyQuestion, Query()]
) -> Response:
    """List the dossiers with one kind of anomaly."""
    filters, everything = _whole(asked)

    def choose(scope: FigureScope, now: datetime) -> Selection:
        selection = drill_down.selection_of(scope, now, None if everything else Figure.RECEIVED)
        if asked.row is not None:
            selection = drill_down.of_row(selection, scope, "agency", asked.row)
        return drill_down.with_anomaly(selection, asked.anomaly)

    return await listed_of(request, context, caller, filters, choose, by_others=True)
