"""Questions as of an earlier instant: which events and catalogues were known, remembered for a short while."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from math import inf
from typing import Final, TypeVar

from services.api.http.access.keyring import Caller
from services.api.http.parameters import read_known_at
from services.api.http.reads.heavy import HeavyReads
from shared.access.store.visibility import Access
from shared.as_of.store import dossiers as past_dossiers
from shared.as_of.store.dossiers import PATIENCE_SECONDS, PointInTime
from shared.catalogue.rules.agency_tree import AgencyCatalogue
from shared.catalogue.store.cache import CatalogueCache
from shared.catalogue.store.catalogues import Catalogue, read_agencies, read_procedures, read_seen
from shared.database.engine import DriverConnection
from shared.events.store.log_prefix import Prefix, recorded_by
from shared.vocabulary.events import AgencyCode, Tenant
from shared.vocabulary.local_time import local_date

REMEMBERED_SECONDS: Final = 300.0
_MOST_PASTS: Final = 16
_MOST_CATALOGUES: Final = 16

_T = TypeVar("_T")

# Rows are only ever added to these tables, and none with an earlier instant once that of the question has passed.
_KNOWN: Final = """
SELECT (SELECT count(*) FROM agency WHERE tenant = $1 AND known_from <= $2) AS agencies,
       (SELECT count(*) FROM procedure WHERE tenant = $1 AND known_from <= $2) AS procedures"""


@dataclass(frozen=True, slots=True)
class PastView:
    """What a caller looks at: the past, its catalogue and place in it, and what the caller may see now.

    ``then`` holds the catalogue as it was known then, with the caller's root; ``now`` is the access of today.
    """

    prefix: Prefix
    past: PointInTime
    then: Access
    now: Access

    @property
    def on(self) -> date:
        """The local date of the instant that is asked about."""
        return local_date(self.prefix.as_of)

    @property
    def visible(self) -> frozenset[str] | None:
        """The agencies that a dossier must have now for the caller to see it; None: any."""
        return self.now.codes()

    def scope(self, agency: str | None) -> AgencyCode | None:
        """The agency that a caller names, as it was then; raises as `Access.scope` does."""
        return self._as_it_was(self.now.scope(agency, self.then.catalogue))

    def desk(self, agency: str | None) -> AgencyCode | None:
        """The same of the agency that received; raises as `Access.desk` does."""
        return self._as_it_was(self.now.desk(agency, self.then.catalogue))

    def _as_it_was(self, named: AgencyCode | None) -> AgencyCode | None:
        return None if named is None else self.then.catalogue.agencies.resolve(named)


@dataclass(slots=True)
class _Remembered:
    past: PointInTime
    until: float


class AsOfViews:
    """The pasts that were asked about lately, and the catalogues as they were known then."""

    def __init__(self, heavy: HeavyReads, catalogues: CatalogueCache, most_dossiers: int) -> None:
        """``most_dossiers``: so many are computed for a question at most, and remembered in all."""
        self._heavy = heavy
        self._catalogues = catalogues
        self._most = most_dossiers
        self.patience_seconds = PATIENCE_SECONDS
        self._pasts: OrderedDict[tuple[Tenant, int], _Remembered] = OrderedDict()
        self._known: OrderedDict[tuple[Tenant, int, int], Catalogue] = OrderedDict()

    async def read(
        self,
        caller: Caller,
        as_of: str | datetime | None,
        answer: Callable[[DriverConnection, PastView], Awaitable[_T]],
        *,
        patient: bool = False,
    ) -> _T:
        """``answer(connection, view)`` in one snapshot, with all dossiers computed that may have been other than now.

        ``as_of``: a date (its local end of day; today: now), an instant, or None: now. ``patient``: one that has begun to
        answer, and waits for a place and for what is computed however long it takes.

        Raises:
            InvalidInput: it is none of these, in the future, or too much has changed since.
            NotYet: it takes long to compute what the dossiers were; asked again, it goes on.
            TooMany, Overloaded: there was no place for it.
        """
        await self._catalogues.of(caller.tenant)  # before today is asked: with it comes the database's clock
        instant = self._instant(as_of)
        async with self._heavy.session(caller, patient=patient) as connection:
            prefix = await recorded_by(connection, caller.tenant, instant)
            past = await self._past(connection, prefix)
            known = await self.known_at(connection, caller.tenant, prefix.as_of)
            present = await self._catalogues.of(caller.tenant)

            async def answered() -> _T:
                seen = [*await read_seen(connection, caller.tenant), *past.agencies]
                view = PastView(
                    prefix,
                    past,
                    Access.of(with_seen(known, seen), caller.agency, local_date(prefix.as_of)),
                    Access.of(with_seen(present, seen), caller.agency, self._catalogues.today()),
                )
                return await answer(connection, view)

            return await past_dossiers.in_snapshot(
                connection, past, answered, most=self._most, patience_seconds=inf if patient else self.patience_seconds
            )

    def _instant(self, as_of: str | datetime | None) -> datetime | None:
        if not isinstance(as_of, str):
            return as_of
        # the end of today has not come: what is recorded until now
        return None if as_of == self._catalogues.today().isoformat() else read_known_at(as_of)

    async def _past(self, connection: DriverConnection, prefix: Prefix) -> PointInTime:
        now = time.monotonic()
        key = (prefix.tenant, prefix.position)
        found = self._pasts.pop(key, None)
        past = (
            await past_dossiers.begin(connection, prefix, self._heavy.pace)
            if found is None or found.until < now
            else found.past.at(prefix)
        )
        self._pasts[key] = _Remembered(past, now + REMEMBERED_SECONDS)
        for old in [key for key, one in self._pasts.items() if one.until < now]:
            del self._pasts[old]
        while len(self._pasts) > 1 and (
            len(self._pasts) > _MOST_PASTS or sum(len(one.past.dossiers) for one in self._pasts.values()) > self._most
        ):
            self._pasts.popitem(last=False)
        return past

    async def known_at(self, connection: DriverConnection, tenant: Tenant, at: datetime) -> Catalogue:
        """The catalogue as it was known at an instant that has passed, without the codes that dossiers have had."""
        counts = await connection.fetchrow(_KNOWN, tenant, at)
        assert counts is not None
        key = (tenant, counts["agencies"], counts["procedures"])
        known = self._known.pop(key, None)
        if known is None:
            agencies = AgencyCatalogue(tenant, await read_agencies(connection, tenant, at))
            known = Catalogue(agencies, await read_procedures(connection, tenant, at), ())
        self._known[key] = known
        if len(self._known) > _MOST_CATALOGUES:
            self._known.popitem(last=False)
        return known


def with_seen(catalogue: Catalogue, seen: Iterable[str]) -> Catalogue:
    """The same catalogue with the codes that dossiers have had."""
    return Catalogue(catalogue.agencies, catalogue.procedures, seen, catalogue.told)
