"""Working time to resolve: how long dossiers took in office hours."""

import asyncio
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from services.api.dossiers.lists import serve_list
from services.api.figures.anomaly_schemas import WorkingTimeAnswer, working_time_links
from services.api.figures.lists import listed_by_calendar
from services.api.figures.parameters import PLAIN, Filters, ListQuestion
from services.api.figures.schemas import head_answer
from services.api.figures.use_cases import view_when_counted
from services.api.figures.views import Seen
from services.api.http.access.callers import DossierReader, StatsCaller
from services.api.http.answers import json_answer
from services.api.http.context import RequestContext
from services.api.http.openapi import error_answers
from services.api.http.parameters import OneSpelling
from services.api.http.reads.handover import heavy
from shared.calendar.rules.almanac import Almanac
from shared.calendar.rules.calendar import UnconfirmedYear
from shared.calendar.rules.durations import durations, microseconds
from shared.calendar.store.stored_almanacs import read_almanac
from shared.counting.rules.figure_definitions import Figure
from shared.database.engine import DriverConnection
from shared.database.pace import Pace
from shared.figures.store import drill_down
from shared.figures.store.agency_rows import AgencyRows
from shared.figures.store.drill_down import Resolved
from shared.figures.store.tables import UNKNOWN, FigureScope, pieces_of
from shared.search.store.filters import Selection
from shared.vocabulary.events import ProcedureCode
from shared.vocabulary.local_time import local_date
from shared.vocabulary.periods import TimeGrain

router = APIRouter(tags=["figures"])

TimesBy = Literal["agency", "procedure", "field", "channel", "quarter", "month", "week", "day"]

MEASURE: Final = "received_to_ended_less_waits/1"


class WorkingTimeQuestion(Filters):
    """Which resolved dossiers."""

    by: Annotated[
        TimesBy | None,
        Field(
            description="Also for each agency (cơ quan), procedure (thủ tục), field (lĩnh vực), channel (kênh), or quarter"
            " (quý), month (tháng), ISO week (tuần) or day (ngày) of the end (ngày kết thúc)."
        ),
    ] = None


class WorkingTimeList(ListQuestion):
    """Dossiers of a working-time answer, and how they are listed."""

    by: Annotated[TimesBy | None, Field(description="What the answer was cut by, for `row`; agency unless told.")] = None
    row: Annotated[
        str | None, Field(max_length=200, pattern=PLAIN, description="Only those in this row, by its key."), OneSpelling
    ] = None
    unconfirmed: Annotated[
        int | None,
        Field(
            ge=1,
            le=9999,
            description="Those left out because nobody has confirmed the days off of this year (năm chưa xác nhận lịch"
            " nghỉ); without it those whose working time is known.",
        ),
    ] = None


@serve_list(
    router,
    "/v1/stats/working-time/dossiers",
    "The dossiers behind working times",
    """The resolved dossiers (hồ sơ đã giải quyết) whose working time `stats/working-time` computes, or that it
leaves out because of a year: exactly as many as it says, as pages or as CSV.""",
)
async def working_time_dossiers(
    request: Request, context: RequestContext, caller: DossierReader, asked: Annotated[WorkingTimeList, Query()]
) -> Response:
    """List the dossiers of one figure of the working times."""

    def choose(scope: FigureScope, now: datetime, almanac: Almanac) -> Selection:
        selection = drill_down.selection_of(scope, now, Figure.RESOLVED)
        if asked.row is not None:
            selection = drill_down.of_row(selection, scope, asked.by or "agency", asked.row)
        return drill_down.timed(selection, almanac.calendar(None).confirmed_years, asked.unconfirmed)

    return await listed_by_calendar(request, context, caller, asked, choose)


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
reception (tiếp nhận), at whatever desk, to the end (kết thúc) of the dossiers that column 7 of form II.06 counts for
their competent agency (cơ quan có thẩm quyền), less those in which
it waited for the applicant (trừ thời gian chờ bổ sung: the pauses). Dossiers that need a year
whose days off nobody has confirmed (năm chưa xác nhận lịch nghỉ) are left out and told (`unconfirmed`). `as_of`: as the
dossiers and the calendar were known then. Computed from each dossier when asked: a whole province's year takes tens of
seconds, while other requests go on.""",
    response_model=WorkingTimeAnswer,
    responses=error_answers(),
)
@heavy
async def working_time(
    context: RequestContext, caller: StatsCaller, asked: Annotated[WorkingTimeQuestion, Query()]
) -> Response:
    """Answer how long resolved dossiers took."""

    async def gather(connection: DriverConnection, seen: Seen) -> _Gathered:
        chosen = await seen.as_it_stood(drill_down.selection_of(seen.scope, seen.instant, Figure.RESOLVED))
        gathered = _Gathered(asked.by, seen.scope, await read_almanac(connection, caller.tenant, seen.known_by))
        await gathered.take_all(connection, chosen, context.heavy.pace)
        return gathered

    view = await view_when_counted(context, caller, asked)
    gathered = await view.read(gather)
    # sorting a year's dossiers takes longer than other requests may wait
    return json_answer(await asyncio.to_thread(gathered.answer))


_AT_ONCE: Final = 25


class _Gathered:
    """Working times as pages come in: of all, and by row."""

    def __init__(self, by: str | None, scope: FigureScope, almanac: Almanac) -> None:
        self.by = by
        self.scope = scope
        self.almanac = almanac
        self.table = AgencyRows.of(scope.access, scope.top, scope.tree_on)
        self.total = _Times()
        self.buckets = pieces_of(scope.period, TimeGrain(by)) if by in set(TimeGrain) else []
        self.begins = [bucket.period.from_on for bucket in self.buckets]
        self.rows: dict[str, _Times] = {bucket.key: _Times() for bucket in self.buckets}

    async def take_all(self, connection: DriverConnection, selection: Selection, pace: Pace) -> None:
        """Take what is selected, page by page; others have their turns."""
        page: Sequence[Resolved] = ()
        while not page or len(page) == drill_down.PAGE:
            page = await drill_down.resolved(connection, selection, page[-1].code if page else "")
            work = pace.begin()
            for start in range(0, len(page), _AT_ONCE):
                self._take(page[start : start + _AT_ONCE])
                await work.rest()
            if not page:
                return

    def _take(self, page: Sequence[Resolved]) -> None:
        for one in page:
            counted_in = [self.total]
            if self.by is not None:
                counted_in.append(self.rows.setdefault(self._row(self.by, one), _Times()))
            try:
                office = self.almanac.working_time(one.agency or self.scope.access.top)
                took = office.between(one.received_at, one.ended_at)
                took -= sum((office.between(begin, end) for begin, end in one.waits), timedelta())
            except UnconfirmedYear as error:
                for times in counted_in:
                    times.unconfirmed[error.year] += 1
            else:
                for times in counted_in:
                    times.values.append(microseconds(took))

    def _row(self, by: str, one: Resolved) -> str:
        if self.buckets:
            return self.buckets[bisect_right(self.begins, local_date(one.ended_at)) - 1].key
        return _key(by, one, self.scope, self.table)

    def answer(self) -> dict[str, Any]:
        """The answer of ``stats/working-time``."""
        name = partial(_name, self.by, scope=self.scope, table=self.table)
        head = head_answer(self.scope) | {"measure": MEASURE, "by": self.by}
        rows = list(self.rows.items()) if self.buckets else sorted(self.rows.items(), key=_known_first)
        return head | _took(self.total, rows, name) | working_time_links(self.scope, self.by)


def _known_first(row: tuple[str, _Times]) -> tuple[bool, str]:
    return row[0] == UNKNOWN, row[0]


def _took(total: _Times, rows: list[tuple[str, _Times]], name: Callable[[str], str | None]) -> dict[str, Any]:
    return {
        "rows": [{"key": key, "name": name(key), **times.answer()} for key, times in rows],
        "total": total.answer(),
    }


def _key(by: str, one: Resolved, scope: FigureScope, table: AgencyRows) -> str:
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


def _name(by: str | None, key: str, scope: FigureScope, table: AgencyRows) -> str | None:
    if by == "agency":
        return table.name(key)
    if by == "procedure":
        procedure = scope.access.catalogue.procedures.get(ProcedureCode(key))
        return None if procedure is None else procedure.name
    return None if key == UNKNOWN else key
