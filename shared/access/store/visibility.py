"""The one predicate of access: an agency of the dossier, on today's tree, lies in the caller's subtree.

That is the competent one that has it now, or the one whose desk received it for that (rules, section 11).

List, single, search, count, expand, export, aggregate, feed and stream all ask here. In SQL it is a list of agency codes
as events tell them (``agency = ANY(codes)``), None where the caller sees the whole tenant; for one dossier it is `sees`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from shared.catalogue.store.catalogues import Catalogue
from shared.vocabulary.codes import is_agency_code, is_old_agency_code, is_pair, receiving_agency, tenant_of_agency
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
        """Whether the caller sees a dossier of this agency, or of either of a pair; None: a dossier without an agency."""
        if self.root is None:
            return True
        tree = self.catalogue.tree_on(self.today)
        return tree.contains(self.root, agency) or (
            agency is not None and is_pair(agency) and tree.contains(self.root, receiving_agency(agency))
        )

    def codes(self) -> frozenset[str] | None:
        """The agency codes and pairs that the caller sees; None: all, and dossiers without an agency too."""
        own = self.own_codes()
        if own is None or self.root is None:
            return None
        received = self.catalogue.codes_received_by(self.root, self.today)
        return own if received <= own else own | received

    def own_codes(self) -> frozenset[str] | None:
        """Those whose competent agency is the caller's: what figures count for him (rules, section 11)."""
        return None if self.root is None else self.catalogue.codes_under(self.root, self.today)

    def codes_within(self, agency: AgencyCode | None, on: date | None = None) -> frozenset[str] | None:
        """The caller's own codes under ``agency`` (None: all) on the tree of a date (None: today); None: no limit."""
        allowed = self.own_codes()
        if agency is None or agency == self.catalogue.agencies.root:
            return allowed
        within = self.catalogue.codes_under(agency, on or self.today)
        return within if allowed is None else within & allowed

    def scope(
        self, agency: str | None, then: Catalogue | None = None, pointer: str = "/agency", *, anywhere: bool = False
    ) -> AgencyCode | None:
        """The agency that a caller names as scope (``agency=``), resolved; None where none is named.

        One that nobody knows is an error of a caller who sees the whole tenant. To any other it is told as one that stands
        elsewhere is, or a key would learn which agencies there are beyond its subtree. ``then``: an earlier catalogue that
        may have known it. ``anywhere``: as a desk that received, which narrows what is seen and may stand outside it.

        Raises:
            InvalidInput: it is no agency code, or neither catalogue nor log knows it.
            Forbidden: it belongs to another tenant or is outside the caller's subtree.
        """
        if agency is None:
            return None
        resolved = self.catalogue.agencies.resolve(agency)
        known = self.catalogue.knows(agency) or (then is not None and then.knows(agency))
        is_ours = tenant_of_agency(resolved) == self.tenant and not is_pair(agency)
        if known and is_ours and (anywhere or self.sees(resolved)):
            return resolved
        if anywhere and is_ours and self.root is not None and is_agency_code(resolved):
            return resolved  # whether there is such an agency is not told
        if not is_agency_code(agency) and not is_old_agency_code(agency):
            raise InvalidInput.of(pointer, "agency_pattern", "an agency code such as H51.12")
        if self.root is not None or tenant_of_agency(resolved) != self.tenant:
            raise Forbidden(f"agency {agency} is outside what this key may see, or there is none")
        raise InvalidInput.of(pointer, "unknown_code", "an agency that the catalogue or an event names, such as H51.12")

    def desk(self, agency: str | None, then: Catalogue | None = None) -> AgencyCode | None:
        """The agency that a caller names as the one that received (``receiving_agency=``); raises as `scope` does."""
        return self.scope(agency, then, "/receiving_agency", anywhere=True)


def any_of(codes: Iterable[str] | None) -> list[str] | None:
    """A code list as a statement's parameter: ``($n::text[] IS NULL OR agency = ANY($n))``."""
    return None if codes is None else sorted(codes)
