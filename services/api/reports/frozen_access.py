"""Who may read a frozen report, and whose dossiers it is compared by: the caller's access rules every number.

A frozen report says what was counted; that stays as it is. A key with a subtree reads it if it sees its agency now, and all
that it counts is what the key sees now or might have frozen itself. What is told of the present is of agencies that the key
sees now: one that has moved away since is not told of any more.
"""

from dataclasses import dataclass

from services.api.http.as_of import with_seen
from services.api.http.context import Context
from services.api.http.keyring import Caller
from services.api.http.visibility import access_of
from shared.access.store.visibility import Access
from shared.catalogue.store.catalogues import Catalogue
from shared.database.engine import DriverConnection
from shared.reports.store.frozen_reports import Freeze
from shared.vocabulary.events import AgencyCode
from shared.vocabulary.local_time import local_date

Codes = frozenset[str] | None
"""Agencies as events tell them; None: all."""


def both(some: Codes, others: Codes) -> Codes:
    """What is in both."""
    if some is None or others is None:
        return others if some is None else some
    return some & others


def holder_access(frozen: Freeze, known: Catalogue) -> Access:
    """What the key that froze it saw then, by the catalogue as ``known`` then."""
    return Access.of(known, None if frozen.root is None else AgencyCode(frozen.root), local_date(frozen.as_of))


@dataclass(frozen=True, slots=True)
class FrozenAccess:
    """What one caller may read of frozen reports."""

    context: Context
    caller: Caller
    access: Access

    @classmethod
    async def of(cls, context: Context, caller: Caller) -> "FrozenAccess":
        """The access of now."""
        return cls(context, caller, await access_of(context, caller))

    async def may_read(self, connection: DriverConnection, frozen: Freeze) -> bool:
        """Whether the caller may read this report."""
        mine = self.access.codes()
        if mine is None:
            return True
        if not self.access.sees(frozen.agency):
            return False
        known, counted = await self._counted(connection, frozen)
        then = Access.of(known, self.caller.agency, local_date(frozen.as_of)).codes()
        return then is None or (counted is not None and counted <= mine | then)

    async def sees_all(self, connection: DriverConnection, frozen: Freeze) -> bool:
        """Whether the caller now sees all agencies that it counts."""
        mine = self.access.codes()
        if mine is None:
            return True
        _, counted = await self._counted(connection, frozen)
        return counted is not None and counted <= mine

    async def _counted(self, connection: DriverConnection, frozen: Freeze) -> tuple[Catalogue, Codes]:
        """The catalogue as known at the freeze, and the agencies whose dossiers it counts."""
        known = await self.context.as_of_views.known_at(connection, frozen.tenant, frozen.as_of)
        known = with_seen(known, self.access.catalogue.seen)
        top = known.agencies.resolve(frozen.agency)
        within = None if top == known.agencies.root else known.codes_under(top, frozen.tree_on)
        return known, both(within, holder_access(frozen, known).codes())
