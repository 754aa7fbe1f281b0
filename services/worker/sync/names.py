"""Names for the portal: our catalogue, else the portal's own ``LayThuTuc``, remembered for a while (protocol, 11.4)."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Final

from services.worker.sync.call_limits import CallLimiter
from shared.catalogue.rules.agency_tree import AgencyTree
from shared.catalogue.store.cache import CatalogueCache
from shared.catalogue.store.catalogues import Catalogue
from shared.sync.portal import wire
from shared.sync.portal.client import PortalClient
from shared.sync.portal.wire import ProcedureNames
from shared.sync.rules.circuit import Lane
from shared.sync.rules.outcomes import Found
from shared.vocabulary.events import ProcedureCode, Tenant

REMEMBERED_SECONDS: Final = 3600.0

AT_ONCE: Final = 4
"""Look-ups under way: all dossiers of a claim wait for the last of them."""

_UNKNOWN: Final = ProcedureNames()


class KnownNames:
    """The names as known at one moment; asking costs no call."""

    def __init__(self, catalogue: Catalogue, tree: AgencyTree, asked: dict[str, ProcedureNames]) -> None:
        self._catalogue = catalogue
        self._tree = tree
        self._asked = asked

    def procedure(self, code: str) -> ProcedureNames:
        """Our catalogue's names, else the portal's, else empty ones."""
        known = self._catalogue.procedures.get(ProcedureCode(code))
        if known is not None:
            return ProcedureNames(known.name, known.field or "", known.field_name or "", known.facts)
        return self._asked.get(code, _UNKNOWN)

    def agency(self, code: str | None) -> str:
        """The agency's name on today's tree, else its latest one, else its code."""
        return self._tree.name(self._tree.root if code is None else code)

    def agency_facts(self, code: str | None) -> Mapping[str, str]:
        """What the catalogue knows of the agency beside its name."""
        return self._tree.facts(self._tree.root if code is None else code)


class PortalNames:
    """One for a tenant and process."""

    def __init__(self, cache: CatalogueCache, tenant: Tenant, client: PortalClient, limiter: CallLimiter) -> None:
        self._cache = cache
        self._tenant = tenant
        self._client = client
        self._limiter = limiter
        self._asked: dict[str, ProcedureNames] = {}
        self._asked_until: dict[str, float] = {}
        self._asking = asyncio.Lock()
        self._failures = 0

    async def for_procedures(self, codes: Iterable[str], lane: Lane) -> KnownNames:
        """The names now, the portal asked for those procedures of ``codes`` that our catalogue does not know.

        A look-up that fails is no answer: nothing is remembered of it, and the names stay empty this time.
        """
        catalogue = await self._cache.of(self._tenant)
        names = KnownNames(catalogue, catalogue.tree_on(self._cache.today()), self._asked)
        unknown = sorted(code for code in set(codes) if code not in catalogue.procedures)
        if self._forgotten(unknown):
            failures = self._failures
            # whoever waits here finds what the others got: no procedure is asked for twice
            async with self._asking:
                if self._failures == failures:  # else the portal does not answer now, and one wait for it is enough
                    await self._ask(self._forgotten(unknown), lane)
        return names

    async def known(self) -> KnownNames:
        """The names as known now; nobody is asked."""
        return await self.for_procedures((), Lane.BACKLOG)

    def _forgotten(self, codes: Iterable[str]) -> list[str]:
        now = time.monotonic()
        return [code for code in codes if self._asked_until.get(code, 0.0) <= now]

    async def _ask(self, codes: list[str], lane: Lane) -> None:
        """Several at once, each a call of the pace, until one fails."""
        left = iter(codes)
        failed = False

        async def ask() -> None:
            nonlocal failed
            for code in left:
                admission = None if failed else await self._limiter.acquire(lane)
                if admission is None:
                    return
                outcome = await self._client.procedure(code)
                await self._limiter.report(outcome, admission)
                if not isinstance(outcome, Found):
                    failed = True
                    self._failures += 1
                    return
                self._asked[code] = wire.procedure_names(outcome.rows) or _UNKNOWN
                self._asked_until[code] = time.monotonic() + REMEMBERED_SECONDS

        for answers in await asyncio.gather(*(ask() for _ in codes[:AT_ONCE]), return_exceptions=True):
            if answers is not None:
                raise answers
