"""The one predicate of access: the dossier's present agency on today's tree lies in the caller's subtree.

List, single, search, count, expand, export, aggregate, feed and stream all ask here. In SQL it is a list of agency codes
as events tell them (``agency = ANY(codes)``), None where the caller sees the whole tenant; for one dossier it is `sees`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from shared.catalogue.store.catalogues import Catalogue
from shared.vocabulary.codes import is_agency_code, is_old_agency_code, tenant_of_agency
from shared.vocabulary.errors import Forbidden, InvalidInput
from shared.vocabulary.events import AgencyCode, Tenant


@dataclass(frozen=True, slots=True)
class Access:
    """What one caller may see. ``root``: the agency above all of it; None: the whole tenant."""

    catalogue: Catalogue
    root: AgencyCode | None
    today: date

    @classmethod
    def of(cls, catalogue: Catalogue, agency: AgencyCode | None, today: date) -> "Access":
        """The access of a key with the subtree of ``agency``; None: of the whole tenant."""
        root = None if agency is None else catalogue.agencies.resolve(agency)
        return cls(catalogue, None if root == catalogue.agencies.root else root, today)

    @property
    def tenant(self) -> Tenant:
        return self.catalogue.tenant

    @property
    def top(self) -> AgencyCode:
        """The agency above all that the caller sees."""
        return self.catalogue.agencies.root if self.root is None else self.root

    def sees(self, agency: str | None) -> bool:
        """Whether the caller sees a dossier that this agency has now; None: a dossier without an agency."""
        return self.root is None or self.catalogue.tree_on(self.today).contains(self.root, agency)

    def codes(self) -> frozenset[str] | None:
        """The agency codes that the caller sees; None: all, and dossiers without an agency too."""
        return None if self.root is None else self.catalogue.codes_under(self.root, self.today)

    def codes_within(self, agency: AgencyCode | None, on: date | None = None) -> frozenset[str] | None:
        """The codes that the caller sees under ``agency`` on the tree of a date (None: today); None: no limit."""
        allowed = self.codes()
        if agency is None or agency == self.catalogue.agencies.root:
            return allowed
        within = self.catalogue.codes_under(agency, on or self.today)
        return within if allowed is None else within & allowed

    def scope(self, agency: str | None, then: Catalogue | None = None, pointer: str = "/agency") -> AgencyCode | None:
        """The agency that a caller names as scope (``agency=``), resolved; None where none is named.

        One that nobody knows is an error of a caller who sees the whole tenant. To any other it is told as one that stands
        elsewhere is, or a key would learn which agencies there are beyond its subtree. ``then``: an earlier catalogue that
        may have known it.

        Raises:
            InvalidInput: it is no agency code, or neither catalogue nor log knows it.
            Forbidden: it belongs to another tenant or is outside the caller's subtree.
        """
        if agency is None:
            return None
        resolved = self.catalogue.agencies.resolve(agency)
        known = self.catalogue.knows(agency) or (then is not None and then.knows(agency))
        seen = known and tenant_of_agency(resolved) == self.tenant and self.sees(resolved)
        if seen:
            return resolved
        if not is_agency_code(agency) and not is_old_agency_code(agency):
            raise InvalidInput.of(pointer, "agency_pattern", "an agency code such as H51.12")
        if self.root is not None or tenant_of_agency(resolved) != self.tenant:
            raise Forbidden(f"agency {agency} is outside what this key may see, or there is none")
        raise InvalidInput.of(pointer, "unknown_code", "an agency that the catalogue or an event names, such as H51.12")


def any_of(codes: Iterable[str] | None) -> list[str] | None:
    """A code list as a statement's parameter: ``($n::text[] IS NULL OR agency = ANY($n))``."""
    return None if codes is None else sorted(codes)
