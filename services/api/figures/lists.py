"""The dossiers behind figures, as pages or CSV."""

from collections.abc import Callable
from datetime import datetime

from fastapi import Request, Response

from services.api.figures.parameters import ListQuestion
from services.api.figures.use_cases import view_when_counted
from services.api.figures.views import Seen
from services.api.http.access.keyring import Caller
from services.api.http.context import Context
from shared.calendar.rules.almanac import Almanac
from shared.figures.store.tables import FigureScope
from shared.search.store.filters import Selection

Choose = Callable[[FigureScope, datetime], Selection]
"""The dossiers of a scope that are listed, at an instant."""


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
