"""The agency tree of a date, from docs/rules.md section 9 and docs/contract.md alone: plain dicts as they are told to the API."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

Version = dict[str, Any]


class OracleTree:
    """'Agencies have valid_from, valid_to and successors (many to many)'; 'predecessors summed'."""

    def __init__(self, versions: Sequence[Version], root: str, on: date) -> None:
        self.root = root
        self.versions = versions
        self.on = on
        self.standing = {root} | {version["code"] for version in versions if self._valid(version)}

    def _valid(self, version: Version) -> bool:
        day = self.on.isoformat()  # the days of a catalogue are written as dates, which sort as text
        return (version.get("valid_from") or day) <= day <= (version.get("valid_to") or day)

    def heirs(self, code: str) -> set[str]:
        """Where an abolished agency went, over as many steps as it takes, of those that stand."""
        found, pending, seen = set(), [code], set()
        while pending:
            one = pending.pop()
            if one in self.standing:
                found.add(one)
            elif one not in seen:
                ended = [
                    v for v in self.versions if v["code"] == one and (v.get("valid_to") or "9999") < self.on.isoformat()
                ]
                if ended:
                    pending += max(ended, key=lambda version: version["valid_to"]).get("successors", ())
            seen.add(one)
        return found

    def above(self, code: str) -> str | None:
        """What an agency stands under; one of several heirs is counted once, above them; an unknown code 'hangs under the
        longest known prefix of its code, else under the tenant's root'."""
        if code == self.root:
            return None
        if code in self.standing:
            (version,) = [v for v in self.versions if v["code"] == code and self._valid(v)]
            if version.get("parent") in self.standing:
                return str(version["parent"])
        else:
            heirs = [set(self.chain(heir)) for heir in self.heirs(code)]
            if heirs:
                common = set.intersection(*heirs)
                return max(common, key=lambda one: len(self.chain(one)))
        prefix = code
        while "." in prefix:
            prefix = prefix.rpartition(".")[0]
            if prefix in self.standing:
                return prefix
        return self.root

    def chain(self, code: str) -> list[str]:
        """The agency and all above it, the root last."""
        found = [code]
        while (above := self.above(found[-1])) is not None:
            found.append(above)
        return found

    def holds(self, top: str, agency: str | None) -> bool:
        """A dossier without an agency stands under the tenant's root."""
        return top == self.root if agency is None else top in self.chain(agency)

    def row(self, top: str, agency: str | None, unknown: str) -> str:
        """'The direct children of `agency`, each with its subtree, and the parent's own dossiers under its own key'; what
        hangs there without being an agency of the tree has a row together."""
        if agency == top:
            return top
        if agency is None:
            return unknown
        chain = self.chain(agency)
        child = chain[chain.index(top) - 1]
        return child if child in self.standing else unknown


def changes(versions: Iterable[Version]) -> list[str]:
    """The first days of all trees but the first one, and the last days of all but the last one."""
    days = {day for version in versions for name in ("valid_from", "valid_to") if (day := version.get(name))}
    return sorted(days)
