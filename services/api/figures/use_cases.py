"""What is done when figures are asked for."""

from collections.abc import Awaitable, Callable
from typing import Final

from services.api.figures.parameters import Filters
from services.api.figures.views import Place, Seen, View, view_of
from services.api.http.access.keyring import Caller
from services.api.http.context import Context
from services.api.projection.use_cases import wait_until_counted
from shared.database.engine import DriverConnection
from shared.figures.store import tables
from shared.figures.store.tables import FigureScope, Table
from shared.vocabulary.periods import TimeGrain

Ask = Callable[[DriverConnection, FigureScope], Awaitable[Table]]

_KEYED: Final[dict[str, Ask]] = {
    "agency": tables.by_agency,
    "receiving_agency": tables.by_receiving_agency,
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
