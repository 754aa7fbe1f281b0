"""The agency tree on a date (rules, sections 1 and 9; contract, section 4, catalogues).

Agencies are never renamed in place and never deleted: a code has versions, each valid from a day to a day, both included.
An agency that is not on the tree of the date asked for still has its place, or the sums of the children would not be the
parent's: an abolished one stands under what it passed into, any other unknown code under the longest known prefix of its
code, else under the tenant's root.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Final

from shared.vocabulary.codes import is_agency_code, present_form, receiving_agency, tenant_of_agency
from shared.vocabulary.errors import FieldError, InvalidInput
from shared.vocabulary.events import AgencyCode, Tenant
from shared.vocabulary.local_time import day_after
from shared.vocabulary.spelling import one_spelling

_TREES_KEPT: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class AgencyVersion:
    """One agency as it is from ``valid_from`` to ``valid_to``, both included; None: without limit."""

    code: AgencyCode
    name: str
    parent: AgencyCode | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    legal_basis: str | None = None
    successors: tuple[AgencyCode, ...] = ()
    aliases: tuple[str, ...] = ()
    level: str | None = None
    """``province``, ``district`` or ``commune``: units that offer online services are counted by it."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What else is known of it, by name: the portal's fields read them."""

    def is_valid(self, on: date) -> bool:
        """Whether it stands on the tree of ``on``."""
        return (self.valid_from is None or self.valid_from <= on) and (self.valid_to is None or on <= self.valid_to)


class AgencyTree:
    """The tree of one tenant on one date. Codes go in as events tell them: aliases and old forms are resolved."""

    def __init__(self, catalogue: "AgencyCatalogue", on: date) -> None:
        self.on = on
        self.root: Final = catalogue.root
        self._catalogue = catalogue
        self._versions = {
            code: version for code in catalogue.codes if (version := catalogue.version_on(code, on)) is not None
        }
        self._children: dict[AgencyCode, list[AgencyCode]] = {}
        self._parents: dict[AgencyCode, AgencyCode] = {}
        for code, version in self._versions.items():
            if code == self.root:
                continue
            parent = None if version.parent is None else self.resolve(version.parent)
            if parent is None or (parent not in self._versions and parent != self.root):
                parent = self._longest_prefix(code)
            self._parents[code] = parent
        self.cut_off: Final = self._break_cycles()
        """Members of cycles that hang under the root instead; none in a catalogue that was checked."""
        for code in sorted(self._parents):
            self._children.setdefault(self._parents[code], []).append(code)

    def resolve(self, code: str) -> AgencyCode:
        """The agency that ``code`` names, through aliases and the old form; an unknown one names itself."""
        return self._catalogue.resolve(code)

    def is_known(self, code: str) -> bool:
        resolved = self.resolve(code)
        return resolved == self.root or resolved in self._versions

    def name(self, code: str) -> str:
        """The agency's name on this date, else its latest one, else its code."""
        version = self._known(code)
        return self.resolve(code) if version is None else version.name

    def facts(self, code: str) -> Mapping[str, str]:
        """What else is known of the agency on this date, else at its latest."""
        version = self._known(code)
        return {} if version is None else version.facts

    def levels(self) -> Mapping[AgencyCode, str]:
        """The agencies of this tree that have a level, and it."""
        return {code: version.level for code, version in self._versions.items() if version.level is not None}

    def _known(self, code: str) -> AgencyVersion | None:
        resolved = self.resolve(code)
        return self._versions.get(resolved) or self._catalogue.latest(resolved)

    def parent(self, code: str) -> AgencyCode | None:
        """The agency above; None for the root."""
        resolved = self.resolve(code)
        if resolved == self.root:
            return None
        return self._parents.get(resolved) or self._place(resolved)

    def ancestors(self, code: str) -> tuple[AgencyCode, ...]:
        """The agencies above, the nearest first, the root last; none for the root."""
        above: list[AgencyCode] = []
        parent = self.parent(code)
        while parent is not None:
            above.append(parent)
            parent = self.parent(parent)
        return tuple(above)

    def successors(self, code: str) -> tuple[AgencyCode, ...]:
        """The agencies of this tree that an abolished one passed into; itself while it stands."""
        return tuple(self._successors(self.resolve(code)))

    def children(self, code: str) -> tuple[AgencyCode, ...]:
        """The agencies of this tree right below, sorted; unknown codes that hang there are not among them."""
        return tuple(self._children.get(self.resolve(code), ()))

    def contains(self, root: str, code: str | None) -> bool:
        """Whether ``code`` is ``root`` or stands below it; no agency (None) stands under the tenant's root only."""
        return self.branch(root, code) is not None

    def branch(self, root: str, code: str | None) -> AgencyCode | None:
        """The row of ``code`` in a table of the direct children of ``root``.

        That is the child whose subtree it is in, or ``root`` for itself and for no agency (None); None if it is outside.
        """
        top = self.resolve(root)
        if code is None:
            return top if top == self.root else None
        below = self.resolve(code)
        if below == top:
            return top
        for above in self.ancestors(below):
            if above == top:
                return below
            below = above
        return None

    def desk_row(self, root: str, code: str) -> AgencyCode:
        """The row of ``code`` in a table of the direct children of ``root`` by the agency that received (`agency_pair`).

        One outside ``root`` has a row of its own: it received for an agency inside.
        """
        desk = receiving_agency(code)
        return self.branch(root, desk) or self.resolve(desk)

    def codes_under(self, root: str, seen_codes: Iterable[str] = ()) -> frozenset[str]:
        """``root`` and all codes below: those of this tree and those of ``seen_codes`` (as events told them) that belong."""
        top = self.resolve(root)
        found: set[str] = {root, top}
        pending = [top]
        while pending:
            below = self._children.get(pending.pop(), ())
            found.update(below)
            pending.extend(below)
        found.update(code for code in seen_codes if code not in found and self.contains(top, code))
        return frozenset(found)

    def _place(self, code: AgencyCode) -> AgencyCode:
        """Where a code that is not on this tree hangs."""
        successors = self._successors(code)
        if successors:
            return self._common(successors)
        return self._longest_prefix(code)

    def _successors(self, code: AgencyCode) -> list[AgencyCode]:
        """The agencies of this tree that an abolished one passed into, over as many steps as it takes."""
        found: set[AgencyCode] = set()
        seen: set[AgencyCode] = set()
        pending = [code]
        while pending:
            current = pending.pop()
            if current in seen:
                continue
            seen.add(current)
            if current in self._versions:
                found.add(current)
            elif (version := self._catalogue.last_before(current, self.on)) is not None:
                pending.extend(self.resolve(successor) for successor in version.successors)
        return sorted(found)

    def _common(self, codes: Sequence[AgencyCode]) -> AgencyCode:
        """The lowest agency that holds all of ``codes``: a predecessor of several is counted once, above them."""
        first, *others = codes
        for candidate in (first, *self.ancestors(first)):
            if all(self.contains(candidate, other) for other in others):
                return candidate
        return self.root

    def _longest_prefix(self, code: AgencyCode) -> AgencyCode:
        prefix = code
        while "." in prefix:
            prefix = AgencyCode(prefix.rpartition(".")[0])
            if prefix in self._versions:
                return prefix
        return self.root

    def _break_cycles(self) -> tuple[AgencyCode, ...]:
        """Hang one member of each cycle under the root: a figure must not loop, whatever a catalogue says."""
        cut_off: list[AgencyCode] = []
        safe: set[AgencyCode] = {self.root}
        for code in sorted(self._parents):
            path: list[AgencyCode] = []
            current = code
            while current not in safe and current not in path:
                path.append(current)
                current = self._parents[current]
            if current not in safe:
                self._parents[current] = self.root
                cut_off.append(current)
            safe.update(path)
        return tuple(cut_off)


class AgencyCatalogue:
    """All versions of a tenant's agencies; `tree_on` gives the tree of a date."""

    def __init__(self, tenant: Tenant, versions: Iterable[AgencyVersion]) -> None:
        self.tenant: Final = tenant
        self.root: Final = AgencyCode(tenant)
        self.versions: Final = tuple(versions)
        self._by_code: dict[AgencyCode, list[AgencyVersion]] = {}
        self._aliases: dict[str, AgencyCode] = {}
        for version in self.versions:
            self._by_code.setdefault(version.code, []).append(version)
            for alias in version.aliases:
                self._aliases[alias] = version.code
        for of_code in self._by_code.values():
            of_code.sort(key=lambda version: version.valid_from or date.min)
        self.tree_on = lru_cache(maxsize=_TREES_KEPT)(self._tree_on)

    @property
    def codes(self) -> Iterable[AgencyCode]:
        """Every code that has a version."""
        return self._by_code.keys()

    def resolve(self, code: str) -> AgencyCode:
        """The agency that ``code`` names: a code of the catalogue, an alias, else the present form of the code."""
        if code in self._by_code:
            return AgencyCode(code)
        alias = self._aliases.get(code) or self._aliases.get(one_spelling(code))
        if alias is not None:
            return alias
        present = present_form(code)
        return self._aliases.get(present, present) if present not in self._by_code else present

    def version_on(self, code: str, on: date) -> AgencyVersion | None:
        """The version of ``code`` that is valid on a date; of several the one that began last."""
        for version in reversed(self._by_code.get(AgencyCode(code), ())):
            if version.is_valid(on):
                return version
        return None

    def is_known(self, code: str, on: date) -> bool:
        """Whether ``code`` names an agency that is valid on a date (rules, section 4: unknown_agency)."""
        resolved = self.resolve(code)
        return resolved == self.root or self.version_on(resolved, on) is not None

    def latest(self, code: str) -> AgencyVersion | None:
        """The version of ``code`` that began last."""
        of_code = self._by_code.get(AgencyCode(code))
        return of_code[-1] if of_code else None

    def last_before(self, code: str, on: date) -> AgencyVersion | None:
        """The last version of ``code`` that had ended before a date."""
        for version in reversed(self._by_code.get(AgencyCode(code), ())):
            if version.valid_to is not None and version.valid_to < on:
                return version
        return None

    def problems(self) -> list[FieldError]:
        """What is wrong with it, each with a pointer into ``versions``; empty if it can be taken."""
        errors: list[FieldError] = []
        aliased: dict[str, AgencyCode] = {}
        begun: set[tuple[AgencyCode, date | None]] = set()
        for index, version in enumerate(self.versions):
            errors.extend(self._version_problems(f"/{index}", version))
            if (version.code, version.valid_from) in begun:
                detail = f"a second version of {version.code} from the same day"
                errors.append(FieldError(f"/{index}/valid_from", "duplicate", detail))
            begun.add((version.code, version.valid_from))
            for number, alias in enumerate(version.aliases):
                pointer = f"/{index}/aliases/{number}"
                if aliased.setdefault(alias, version.code) != version.code:
                    errors.append(FieldError(pointer, "taken", f"{alias} names {aliased[alias]} already"))
                elif alias != version.code and (alias in self._by_code or present_form(alias) == self.root != version.code):
                    errors.append(FieldError(pointer, "taken", f"{alias} is an agency of its own"))
        return errors or self._cycles()

    def check(self) -> None:
        """Raise InvalidInput with all `problems`, if there are any."""
        errors = self.problems()
        if errors:
            raise InvalidInput(errors)

    def _tree_on(self, on: date) -> AgencyTree:
        return AgencyTree(self, on)

    def _version_problems(self, pointer: str, version: AgencyVersion) -> Iterable[FieldError]:
        if not is_agency_code(version.code):
            yield FieldError(f"{pointer}/code", "malformed", "expected a code such as H51.12")
        elif tenant_of_agency(version.code) != self.tenant:
            yield FieldError(f"{pointer}/code", "other_tenant", f"expected a code of {self.tenant}")
        if version.valid_from and version.valid_to and version.valid_to < version.valid_from:
            yield FieldError(f"{pointer}/valid_to", "before_valid_from", "ends before it begins")
        if version.parent is not None:
            parent = self.resolve(version.parent)
            if version.code == self.root:
                yield FieldError(f"{pointer}/parent", "root_has_parent", f"{self.tenant} is the root")
            elif parent != self.root and parent not in self._by_code:
                yield FieldError(f"{pointer}/parent", "unknown", f"no agency {version.parent}")
        for number, successor in enumerate(version.successors):
            # One of another tenant is none of ours to know: provinces are merged too.
            if not is_agency_code(successor):
                yield FieldError(f"{pointer}/successors/{number}", "malformed", "expected a code such as H51.12")

    def _cycles(self) -> list[FieldError]:
        """Parents that lead back to themselves, on any date: the tree changes only where a version begins or ends."""
        changes = {version.valid_from or date.min for version in self.versions}
        changes |= {day_after(version.valid_to) for version in self.versions if version.valid_to is not None}
        for on in sorted(changes):
            for code in self._tree_on(on).cut_off:
                version = self.version_on(code, on)
                index = next(i for i, candidate in enumerate(self.versions) if candidate is version)
                return [FieldError(f"/{index}/parent", "cycle", f"{code} is above itself on {on}")]
        return []
