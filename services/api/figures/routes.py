"""Period figures: the whole of a scope, and cut by agency, procedure, field, channel or time."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.api.dossiers.lists import listed
from services.api.dossiers.lists_as_of import listed_then
from services.api.dossiers.parameters import Paging
from services.api.dossiers.schemas import DossierList
from services.api.figures.schemas import SummaryOut, TableOut, summary_answer, table_answer
from services.api.http.answers import json_answer
from services.api.http.as_of import View
from services.api.http.auth import Caller
from services.api.http.callers import DossierReader, StatsCaller
from services.api.http.context import Context, RequestContext
from services.api.http.openapi import error_answers
from services.api.http.parameters import LocalDate
from services.api.projection.use_cases import wait_until_counted
from shared.access.store.visibility import Access
from shared.counting.rules.figure_definitions import AnyFigure
from shared.database.engine import DriverConnection, driver_session
from shared.figures.store import tables
from shared.figures.store.drill_down import as_then, selection_of
from shared.figures.store.tables import FigureScope, Table
from shared.search.store.filters import Selection
from shared.vocabulary.events import Channel
from shared.vocabulary.local_time import local_date
from shared.vocabulary.periods import TimeGrain, read_period

router = APIRouter(tags=["figures"])

By = Literal["agency", "procedure", "field", "channel", "quarter", "month", "week", "day"]
Ask = Callable[[DriverConnection, FigureScope], Awaitable[Table]]

_KEYED: Final[dict[str, Ask]] = {
    "agency": tables.by_agency,
    "procedure": tables.by_procedure,
    "field": tables.by_field,
    "channel": tables.by_channel,
}


def _text(description: str, example: str) -> Any:
    return Field(description=description, examples=[example], min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")


class Filters(BaseModel):
    """What all figures can be asked for. A parameter that is not known is refused, or it would seem to have an effect."""

    model_config = ConfigDict(extra="forbid")

    period: Annotated[
        str | None,
        Field(
            description="Short form of a period (kỳ báo cáo), instead of `from` and `to`: 2018, 2018-H1, 2018-Q3, 2018-05,"
            " 2018-W07, and of Decree 09/2019: ND09:2018, ND09:2018-6M, ND09:2018-9M, ND09:2018-Q3, ND09:2018-05.",
            examples=["2018-Q3"],
            max_length=20,
        ),
    ] = None
    from_: Annotated[
        LocalDate | None, Field(alias="from", description="First local date (từ ngày), such as 2018-01-01.")
    ] = None
    to: Annotated[LocalDate | None, Field(description="Last local date, included (đến ngày), such as 2018-12-31.")] = None
    agency: Annotated[
        str | None, _text("Only this agency (cơ quan) and what is below it; default: all that the key may see.", "H51.12")
    ] = None
    field: Annotated[
        str | None, _text("Only procedures of this field (lĩnh vực); `unknown`: those that have none.", "G15-HT05")
    ] = None
    procedure: Annotated[str | None, _text("Only this procedure (mã thủ tục).", "1.001193")] = None
    channel: Annotated[Channel | None, Field(description="Only this channel (kênh tiếp nhận).")] = None
    tree_on: Annotated[
        LocalDate | None,
        Field(description="The date whose agency tree is used (cây cơ quan ngày); default: the period's last day."),
    ] = None
    as_of: Annotated[
        str | None,
        Field(
            max_length=40,
            description="The figures as they stood then (số liệu tại thời điểm): a date, for its local end of day (today:"
            " now), or an RFC 3339 instant such as 2026-01-31T17:00:00+07:00. Counts the events recorded by"
            " then, with the catalogues as then known.",
        ),
    ] = None
    min_position: Annotated[
        int | None,
        Field(
            ge=0, le=2**63 - 1, description="Wait, a few seconds at most, until the event at this log position is counted."
        ),
    ] = None


FilterParameters = Annotated[Filters, Query()]


async def scope_of(context: Context, caller: Caller, asked: Filters) -> FigureScope:
    """What the caller asks about, as far as the key sees it."""
    catalogue = await context.catalogues.of(caller.tenant)
    access = Access.of(catalogue, caller.agency, context.catalogues.today())
    period = read_period(asked.period, asked.from_, asked.to).until(access.today)
    return FigureScope(
        access=access,
        period=period,
        tree_on=asked.tree_on or period.to_on,
        agency=access.scope(asked.agency),
        field=asked.field,
        procedure=asked.procedure,
        channel=asked.channel,
    )


async def answered(context: Context, caller: Caller, asked: Filters, ask: Ask) -> tuple[FigureScope, Table]:
    """Ask once; again where an agency is new to us, or it has just become another day."""
    if asked.min_position:
        await wait_until_counted(context, caller, asked.min_position)
    if asked.as_of is not None:
        return await context.as_of_views.read(caller, asked.as_of, partial(_answered_then, asked=asked, ask=ask))
    scope = await scope_of(context, caller, asked)
    async with driver_session(context.engine) as connection:
        table = await ask(connection, scope)
    limited = caller.agency is not None or asked.agency is not None
    agency_is_new = limited and table.stamp.seen_agencies != len(scope.access.catalogue.seen)
    if agency_is_new or local_date(table.stamp.answered_at) != scope.access.today:
        context.catalogues.forget(caller.tenant)
        scope = await scope_of(context, caller, asked)
        async with driver_session(context.engine) as connection:
            table = await ask(connection, scope)
    return scope, table


def past_scope_of(view: View, asked: Filters) -> FigureScope:
    """What the caller asks about, as of an earlier instant."""
    period = read_period(asked.period, asked.from_, asked.to).until(view.on)
    return FigureScope(
        access=view.then,
        period=period,
        tree_on=asked.tree_on or period.to_on,
        agency=view.scope(asked.agency),
        field=asked.field,
        procedure=asked.procedure,
        channel=asked.channel,
        past=view.past,
        visible=view.visible,
    )


async def _answered_then(connection: DriverConnection, view: View, *, asked: Filters, ask: Ask) -> tuple[FigureScope, Table]:
    scope = past_scope_of(view, asked)
    return scope, await ask(connection, scope)


class FigureQuestion(Filters, Paging):
    """A figure of a summary, and how its dossiers are listed."""

    figure: Annotated[
        AnyFigure, Field(description="The figure by its path in the answer (chỉ tiêu).", examples=["resolved.late"])
    ]


@router.get(
    "/v1/stats/summary/dossiers",
    summary="The dossiers behind a figure",
    description="""The dossiers (hồ sơ) that one figure of `stats/summary` counts, named by its path in that answer
(`resolved.late`, `received.new.online`, `open.overdue`, `rates.open_within.numerator`): exactly as many, as pages or as
CSV.""",
    response_model=DossierList,
    responses=error_answers() | {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def summary_dossiers(
    request: Request, context: RequestContext, caller: DossierReader, asked: Annotated[FigureQuestion, Query()]
) -> Response:
    """List the dossiers of one figure."""
    if asked.min_position:
        await wait_until_counted(context, caller, asked.min_position)
    if asked.as_of is not None:

        async def select(connection: DriverConnection, view: View) -> Selection:
            scope = past_scope_of(view, asked)
            return await as_then(connection, scope, selection_of(scope, view.prefix.as_of, asked.figure))

        return await listed_then(request, context, caller, select=select, as_of=asked.as_of, asked=asked)
    scope = await scope_of(context, caller, asked)
    selection = selection_of(scope, context.catalogues.now(), asked.figure)
    return await listed(request, context, caller, selection, asked)


@router.get(
    "/v1/stats/summary",
    summary="The figures of a period",
    description="""The columns of form II.06 (biểu II.06a, Thông tư 01/2020/TT-VPCP) for a period and a scope: received
(tiếp nhận), resolved (đã giải quyết), open (đang giải quyết), with the four named rates (tỷ lệ) and the identities that hold
between them. By local date, in the zone Asia/Ho_Chi_Minh. `as_of` in the answer says which events are counted; asked as of
an earlier instant, these are the events recorded by then, and the answer never changes.""",
    response_model=SummaryOut,
    responses=error_answers(),
)
async def summary(context: RequestContext, caller: StatsCaller, asked: FilterParameters) -> Response:
    """Answer the figures of the scope."""
    scope, table = await answered(context, caller, asked, tables.summary)
    return json_answer(summary_answer(scope, table))


@router.get(
    "/v1/stats/by/{by}",
    summary="The figures of a period, cut",
    description="""The same figures for each part and for the whole (`total`).

`agency` (cơ quan): the direct children of `agency`, each with its subtree, and the agency's own dossiers under its own key;
`procedure` (thủ tục), `field` (lĩnh vực), `channel` (kênh); `quarter` (quý), `month` (tháng), ISO `week` (tuần) or `day`
(ngày) of the period. Dossiers whose agency or field no catalogue knows stand in the row `unknown`: the rows add up.""",
    response_model=TableOut,
    responses=error_answers(),
)
async def by(
    context: RequestContext,
    caller: StatsCaller,
    asked: FilterParameters,
    by: Annotated[By, Path(description="What the figures are cut by.", examples=["agency"])],
) -> Response:
    """Answer the figures cut by something."""

    async def cut_by_time(connection: DriverConnection, scope: FigureScope) -> Table:
        return await tables.by_time(connection, scope, TimeGrain(by))

    scope, table = await answered(context, caller, asked, _KEYED.get(by, cut_by_time))
    return json_answer(table_answer(scope, by, table))
