"""What is done when figures are asked for."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

from fastapi import Request, Response

from services.api.figures.parameters import Filters, ListQuestion
from services.api.figures.views import Place, Seen, View, view_of
from services.api.http.context import Context
from services.api.http.keyring import Caller
from services.api.projection.use_cases import wait_until_counted
from shared.calendar.rules.almanac import Almanac
from shared.database.engine import DriverConnection
from shared.figures.store import tables
from shared.figures.store.tables import FigureScope, Table
from shared.search.store.filters import Selection
from shared.vocabulary.periods import TimeGrain

Ask = Callable[[DriverConnection, FigureScope], Awaitable[Table]]
Choose = Callable[[FigureScope, datetime], Selection]
"""The dossiers of a scope that are listed, at an instant."""

_KEYED: Final[dict[str, Ask]] = {
    "agency": tables.by_agency,
    "procedure": tables.by_procedure,
    "field": tables.by_field,
    "channel": tables.by_channel,
}


def ask_by(by: str | None) -> Ask:
    """What answers figures cut by something; None: not cut."""
    if by is None:
        return tables.summary

    async def cut_by_time(connection: DriverConnection, scope: FigureScope) -> Table:
        return await tables.by_time(connection, scope, TimeGrain(by))

    return _KEYED.get(by, cut_by_time)


async def view_when_counted(context: Context, caller: Caller, asked: Filters) -> View:
    """The view that is asked for, once the events that are waited for are counted."""
    if asked.min_position:
        await wait_until_counted(context, caller, asked.min_position)
    return view_of(context, caller, asked)


async def answered(context: Context, caller: Caller, asked: Filters, ask: Ask) -> tuple[FigureScope, Table]:
    """Ask once; again where an agency is new to us, or it has just become another day."""
    view = await view_when_counted(context, caller, asked)

    async def answer(connection: DriverConnection, seen: Seen) -> tuple[FigureScope, Table]:
        return seen.scope, await ask(connection, seen.scope)

    scope, table = await view.read(answer, Place.LIGHT)
    return await view.read(answer, Place.LIGHT) if view.is_outdated(scope, table.stamp) else (scope, table)


async def listed_of(
    request: Request, context: Context, caller: Caller, asked: ListQuestion, choose: Choose, *, by_others: bool = False
) -> Response:
    """The dossiers that ``choose(scope, instant)`` selects, now or as of then.

    ``by_others``: by anomalies, which events of other dossiers change.
    """
    view = await view_when_counted(context, caller, asked)

    async def select(seen: Seen) -> Selection:
        return await seen.as_it_stood(choose(seen.scope, seen.instant), by_others=by_others)

    return await view.listed(request, asked, select)


TimedChoose = Callable[[FigureScope, datetime, Almanac], Selection]


async def listed_by_calendar(
    request: Request, context: Context, caller: Caller, asked: ListQuestion, choose: TimedChoose
) -> Response:
    """As `listed_of`, by the calendar as known too."""
    view = await view_when_counted(context, caller, asked)

    async def select(seen: Seen) -> Selection:
        return await seen.as_it_stood(choose(seen.scope, seen.instant, await seen.almanac()))

    return await view.listed(request, asked, select)
