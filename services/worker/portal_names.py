"""Names for the portal: our catalogue, else the portal's own ``LayThuTuc``, remembered for a while (protocol, 11.4)."""

import time
from collections.abc import Iterable
from typing import Final

from services.worker.portal_gate import Gate
from shared.db.catalogue_cache import CatalogueCache
from shared.db.catalogues import Catalogue
from shared.domain.agency_tree import AgencyTree
from shared.domain.circuit import Lane
from shared.domain.events import ProcedureCode, Tenant
from shared.portal import wire
from shared.portal.client import PortalClient
from shared.portal.outcomes import Found
from shared.portal.wire import ProcedureNames

REMEMBERED_SECONDS: Final = 3600.0
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
            return ProcedureNames(known.name, known.field or "", known.field_name or "")
        return self._asked.get(code, _UNKNOWN)

    def agency(self, code: str | None) -> str:
        """The agency's name on today's tree, else its latest one, else its code."""
        return self._tree.name(self._tree.root if code is None else code)


class PortalNames:
    """One for a tenant and process."""

    def __init__(self, cache: CatalogueCache, tenant: Tenant, client: PortalClient, gate: Gate) -> None:
        self._cache = cache
        self._tenant = tenant
        self._client = client
        self._gate = gate
        self._asked: dict[str, ProcedureNames] = {}
        self._asked_until: dict[str, float] = {}

    async def for_procedures(self, codes: Iterable[str], lane: Lane) -> KnownNames:
        """The names now, the portal asked for those procedures of ``codes`` that our catalogue does not know.

        A look-up that fails is no answer: nothing is remembered of it, and the names stay empty this time.
        """
        catalogue = await self._cache.of(self._tenant)
        names = KnownNames(catalogue, catalogue.tree_on(self._cache.today()), self._asked)
        now = time.monotonic()
        for code in sorted(set(codes)):
            if code in catalogue.procedures or self._asked_until.get(code, 0.0) > now:
                continue
            admission = await self._gate.admit(lane)
            if admission is None:
                break
            outcome = await self._client.procedure(code)
            await self._gate.report(outcome, admission)
            if not isinstance(outcome, Found):
                break
            self._asked[code] = wire.procedure_names(outcome.rows) or _UNKNOWN
            self._asked_until[code] = now + REMEMBERED_SECONDS
        return names
