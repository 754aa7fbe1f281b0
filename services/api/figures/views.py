"""One road for now and then: a view is of now or of an earlier instant, and is asked the same way.

What is asked sees a scope, an instant and what was known by it; only here stands what differs between the two.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import Enum, auto
from typing import Protocol, TypeVar

from fastapi import Request, Response

from services.api.dossiers.lists import listed
from services.api.dossiers.lists_as_of import listed_then
from services.api.dossiers.parameters import Paging
from services.api.figures.parameters import Filters, ScopeParameters
from services.api.http import as_of as past_views
from services.api.http.access.keyring import Caller
from services.api.http.access.visibility import access_of
from services.api.http.context import Context
from shared.access.store.visibility import Access
from shared.as_of.store.moments import Then
from shared.as_of.store.rows import fold_those_with_events_elsewhere
from shared.calendar.rules.almanac import Almanac
from shared.calendar.store.stored_almanacs import read_almanac
from shared.counting.store.answers import Stamp
from shared.database.engine import DriverConnection, driver_session
from shared.figures.rules.filters import given_filters
from shared.figures.store.drill_down import as_then
from shared.figures.store.tables import FigureScope
from shared.search.store.filters import Selection
from shared.vocabulary.local_time import local_date
from shared.vocabulary.periods import read_period

_T = TypeVar("_T")


class Place(Enum):
    """Where a question of now is read; one of an earlier instant always has a snapshot among the heavy reads."""

    LIGHT = auto()
    HEAVY = auto()
    HEAVY_SNAPSHOT = auto()


class Seen(Protocol):
    """What a view sees while it is asked."""

    @property
    def scope(self) -> FigureScope:
        """What is asked about, as far as the key sees it."""

    @property
    def instant(self) -> datetime:
        """The instant that is asked about."""

    @property
    def known_by(self) -> datetime | None:
        """Catalogues and calendars count as known by then; None: as they are."""

    def session(self) -> AbstractAsyncContextManager[DriverConnection]:
        """A connection to read with."""

    async def almanac(self) -> Almanac:
        """The calendar as known."""

    async def as_it_stood(self, selection: Selection, *, by_others: bool = False) -> Selection:
        """A part of the scope over the dossiers as they stood; ``by_others``: by what events of other dossiers change."""


Answer = Callable[[DriverConnection, Seen], Awaitable[_T]]
Select = Callable[[Seen], Awaitable[Selection]]


class View(Protocol):
    """Now, or an earlier instant."""

    async def read(self, answer: Answer[_T], place: Place = Place.HEAVY) -> _T:
        """``answer(connection, seen)``."""

    async def listed(self, request: Request, paging: Paging, select: Select) -> Response:
        """The page of what ``select`` answers that is asked for, or all of it as CSV."""

    def is_outdated(self, scope: FigureScope, stamp: Stamp) -> bool:
        """Whether to ask again, because the catalogue was older than the figures; it is read anew then."""


@dataclass(frozen=True, slots=True)
class _SeenNow:
    context: Context
    caller: Caller
    scope: FigureScope
    known_by: None = None

    @property
    def instant(self) -> datetime:
        return self.context.catalogues.now()

    def session(self) -> AbstractAsyncContextManager[DriverConnection]:
        return driver_session(self.context.engine)

    async def almanac(self) -> Almanac:
        async with driver_session(self.context.engine) as connection:
            almanac, _ = await self.context.almanacs.of(connection, self.caller.tenant)
        return almanac

    async def as_it_stood(self, selection: Selection, *, by_others: bool = False) -> Selection:  # noqa: ARG002
        return selection


class Now:
    """The present, on present knowledge."""

    def __init__(self, context: Context, caller: Caller, asked: Filters) -> None:
        self._context = context
        self._caller = caller
        self._asked = asked

    async def scope(self) -> FigureScope:
        """What the caller asks about, as far as the key sees it."""
        access = await access_of(self._context, self._caller)
        return _scope(self._asked, access, access.today, access)

    async def _seen(self) -> _SeenNow:
        return _SeenNow(self._context, self._caller, await self.scope())

    async def read(self, answer: Answer[_T], place: Place = Place.HEAVY) -> _T:
        """As `View` says."""
        seen = await self._seen()
        async with self._session(place) as connection:
            return await answer(connection, seen)

    @asynccontextmanager
    async def _session(self, place: Place) -> AsyncGenerator[DriverConnection, None]:
        if place is Place.LIGHT:
            async with driver_session(self._context.engine) as connection:
                yield connection
            return
        async with self._context.heavy.session(self._caller) as connection:
            if place is Place.HEAVY:
                yield connection
                return
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                yield connection

    async def listed(self, request: Request, paging: Paging, select: Select) -> Response:
        """As `View` says."""
        return await listed(request, self._context, self._caller, await select(await self._seen()), paging)

    def is_outdated(self, scope: FigureScope, stamp: Stamp) -> bool:
        """An agency is new to us, or it has just become another day."""
        asked = self._asked
        is_limited = (self._caller.agency, asked.agency, asked.receiving_agency) != (None, None, None)
        is_new = is_limited and stamp.seen_agencies != len(scope.access.catalogue.seen)
        if not is_new and local_date(stamp.answered_at) == scope.access.today:
            return False
        self._context.catalogues.forget(self._caller.tenant)
        return True


def past_scope_of(view: past_views.PastView, asked: ScopeParameters) -> FigureScope:
    """What the caller asks about, as of an earlier instant."""
    scope = _scope(asked, view.then, view.on, view)
    return replace(scope, moment=Then(view.past, view.visible))


def _scope(asked: ScopeParameters, access: Access, today: date, named: Access | past_views.PastView) -> FigureScope:
    """``named``: knows the agencies that are asked about."""
    period = read_period(asked.period, asked.from_, asked.to).until(today)
    return FigureScope(
        access=access,
        period=period,
        tree_on=asked.tree_on or period.to_on,
        agency=named.scope(asked.agency),
        **{**given_filters(asked), "receiving_agency": named.desk(asked.receiving_agency)},
    )


class _SeenThen:
    def __init__(self, connection: DriverConnection, view: past_views.PastView, asked: Filters) -> None:
        self._connection = connection
        self._view = view
        self.scope = past_scope_of(view, asked)
        self.instant = self.known_by = view.prefix.as_of

    def session(self) -> AbstractAsyncContextManager[DriverConnection]:
        return nullcontext(self._connection)

    async def almanac(self) -> Almanac:
        return await read_almanac(self._connection, self._view.prefix.tenant, self.known_by)

    async def as_it_stood(self, selection: Selection, *, by_others: bool = False) -> Selection:
        if by_others:
            await fold_those_with_events_elsewhere(self._connection, self._view.past)
        return await as_then(self._connection, self.scope, selection)


class AsOf:
    """An earlier instant, on what was known then."""

    def __init__(self, context: Context, caller: Caller, asked: Filters, as_of: str) -> None:
        self._context = context
        self._caller = caller
        self._asked = asked
        self._as_of = as_of

    async def read(self, answer: Answer[_T], place: Place = Place.HEAVY) -> _T:  # noqa: ARG002 - always in a snapshot
        """As `View` says."""

        async def then(connection: DriverConnection, view: past_views.PastView) -> _T:
            return await answer(connection, _SeenThen(connection, view, self._asked))

        return await self._context.as_of_views.read(self._caller, self._as_of, then)

    async def listed(self, request: Request, paging: Paging, select: Select) -> Response:
        """As `View` says."""

        async def then(connection: DriverConnection, view: past_views.PastView) -> Selection:
            return await select(_SeenThen(connection, view, self._asked))

        return await listed_then(request, self._context, self._caller, select=then, as_of=self._as_of, asked=paging)

    def is_outdated(self, scope: FigureScope, stamp: Stamp) -> bool:  # noqa: ARG002
        """What was known then does not change."""
        return False


async def now_or_then(as_of: str | None, now: Callable[[], Awaitable[_T]], then: Callable[[str], Awaitable[_T]]) -> _T:
    """What is answered from tables of the present, by ``now``; where there is an ``as_of``, by ``then`` from the log."""
    return await (now() if as_of is None else then(as_of))


def view_of(context: Context, caller: Caller, asked: Filters) -> View:
    """The view that is asked for."""
    return Now(context, caller, asked) if asked.as_of is None else AsOf(context, caller, asked, asked.as_of)
