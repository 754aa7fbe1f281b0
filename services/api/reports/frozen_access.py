"""Who may read a frozen report, and whose dossiers it is compared by: the caller's access rules every number.

A frozen report is a text with a checksum: it is told whole or not at all. A key with a subtree reads it while it sees all
agencies that the report counts; once one of them has moved away it is answered like a report that there is not.
"""

from dataclasses import dataclass

from services.api.http.access.keyring import Caller
from services.api.http.access.visibility import access_of
from services.api.http.as_of import with_seen
from services.api.http.context import Context
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
        """Whether the caller may read this report: it sees now its agency and all agencies that it counts."""
        mine = self.access.codes()
        if mine is None:
            return True
        if not self.access.sees(frozen.agency):
            return False
        counted = await self._counted(connection, frozen)
        return counted is not None and counted <= mine

    async def _counted(self, connection: DriverConnection, frozen: Freeze) -> Codes:
        """The agencies whose dossiers it counts, by the catalogue as known at the freeze."""
        known = await self.context.as_of_views.known_at(connection, frozen.tenant, frozen.as_of)
        known = with_seen(known, self.access.catalogue.seen)
        top = known.agencies.resolve(frozen.agency)
        within = None if top == known.agencies.root else known.codes_under(top, frozen.tree_on)
        holder = holder_access(frozen, known)
        # one that has come to the holder since then was counted as far as it saw it at the freeze: all of it at most
        return both(within, holder.codes()) if holder.sees(top) else within
