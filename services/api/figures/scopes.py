"""Questions about a scope of figures that rows of dossiers answer: of now, or of an earlier instant."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final, TypeVar

from fastapi import Request, Response

from services.api.dossiers.lists import listed
from services.api.dossiers.lists_as_of import listed_then
from services.api.dossiers.parameters import Paging
from services.api.figures.routes import Filters, past_scope_of, scope_of
from services.api.http.as_of import View
from services.api.http.context import Context
from services.api.http.keyring import Caller
from services.api.projection.use_cases import wait_until_counted
from shared.as_of.store.rows import fold_those_with_events_elsewhere
from shared.calendar.rules.almanac import Almanac
from shared.calendar.store.stored_almanacs import read_almanac
from shared.database.engine import DriverConnection, driver_session
from shared.figures.store import drill_down
from shared.figures.store.tables import FigureScope
from shared.search.store.filters import Selection

LIST_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}
"""What a list answers beside JSON."""

PLAIN: Final = r"^[^\x00-\x1f\x7f]*$"
"""A key of a row: no control characters, which the database would not take."""

Choose = Callable[[FigureScope, datetime, Almanac], Selection]
"""The dossiers of a scope that are listed, at an instant and by the calendar as known then."""

_T = TypeVar("_T")


class ListQuestion(Filters, Paging):
    """A scope of figures, and how its dossiers are listed."""


async def present_scope(context: Context, caller: Caller, asked: Filters) -> FigureScope:
    """The scope on present knowledge, once the events that are waited for are counted."""
    if asked.min_position:
        await wait_until_counted(context, caller, asked.min_position)
    return await scope_of(context, caller, asked)


async def asked_of(
    context: Context,
    caller: Caller,
    asked: Filters,
    answer: Callable[[DriverConnection, FigureScope, datetime], Awaitable[_T]],
) -> _T:
    """``answer(connection, scope, instant)`` of now, or of ``as_of`` in one snapshot with its past computed."""
    if asked.as_of is None:
        scope = await present_scope(context, caller, asked)
        async with context.heavy.session(caller) as connection:
            return await answer(connection, scope, context.catalogues.now())

    async def then(connection: DriverConnection, view: View) -> _T:
        return await answer(connection, past_scope_of(view, asked), view.prefix.as_of)

    return await context.as_of_views.read(caller, asked.as_of, then)


async def listed_of(
    request: Request, context: Context, caller: Caller, asked: ListQuestion, choose: Choose, *, by_others: bool = False
) -> Response:
    """The dossiers that ``choose(scope, instant, almanac)`` selects, now or as of then.

    ``by_others``: by anomalies, which events of other dossiers change.
    """
    if asked.as_of is None:
        scope = await present_scope(context, caller, asked)
        async with driver_session(context.engine) as connection:
            almanac, _ = await context.almanacs.of(connection, caller.tenant)
        return await listed(request, context, caller, choose(scope, context.catalogues.now(), almanac), asked)

    async def then(connection: DriverConnection, view: View) -> Selection:
        if by_others:
            await fold_those_with_events_elsewhere(connection, view.past)
        scope = past_scope_of(view, asked)
        almanac = await read_almanac(connection, caller.tenant, view.prefix.as_of)
        return await drill_down.as_then(connection, scope, choose(scope, view.prefix.as_of, almanac))

    return await listed_then(request, context, caller, select=then, as_of=asked.as_of, asked=asked)
