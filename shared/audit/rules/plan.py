"""What an audit recounts: which scopes are due on a night, and how they are cut into parts. Pure.

Every agency, every procedure and every dossier belongs to one of as many slots as a walk has nights; each night the slot of
that night is due, with those of nights that were missed. So a full walk recounts everything, whatever comes and goes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final

PART_DOSSIERS: Final = 20_000
"""A part is recounted in one snapshot of the database; it has about so many dossiers."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """The dossiers whose code has a hash of ``number`` modulo ``of``."""

    number: int
    of: int


@dataclass(frozen=True, slots=True)
class Part:
    """What is recounted at one position of the log.

    ``agencies`` and ``procedures``: all sums of these keys ("" for none), with the rows of their dossiers. ``bucket``: the
    rows of these dossiers. ``drawn``: the rows of so many dossiers, drawn by the audit's seed. ``branches``: the sums of
    branches of agencies, by the sums that they are made of; after all agencies. ``register``: of that register instead
    of the dossiers, the records of the bucket, or without one all of its sums.
    """

    agencies: tuple[str, ...] = ()
    procedures: tuple[str, ...] = ()
    bucket: Bucket | None = None
    drawn: int = 0
    branches: bool = False
    register: str = ""

    def with_scopes(self, agencies: Iterable[str], procedures: Iterable[str]) -> "Part":
        """The same with further agencies and procedures."""
        return replace(
            self,
            agencies=tuple(sorted({*self.agencies, *agencies})),
            procedures=tuple(sorted({*self.procedures, *procedures})),
        )

    def as_json(self) -> dict[str, Any]:
        """As it is kept; what is empty is left out."""
        parts: dict[str, Any] = {}
        if self.agencies:
            parts["agencies"] = list(self.agencies)
        if self.procedures:
            parts["procedures"] = list(self.procedures)
        if self.bucket is not None:
            parts["bucket"] = [self.bucket.number, self.bucket.of]
        if self.drawn:
            parts["drawn"] = self.drawn
        if self.branches:
            parts["branches"] = True
        if self.register:
            parts["register"] = self.register
        return parts

    @classmethod
    def of_json(cls, parts: dict[str, Any]) -> "Part":
        bucket = parts.get("bucket")
        return cls(
            tuple(parts.get("agencies", ())),
            tuple(parts.get("procedures", ())),
            None if bucket is None else Bucket(*bucket),
            parts.get("drawn", 0),
            parts.get("branches", False),
            parts.get("register", ""),
        )


def slots_due(last: date | None, night: date, nights: int) -> tuple[int, ...]:
    """The slots of ``night`` and of all nights after ``last`` (the last that was audited; None: there is none)."""
    missed = 1 if last is None else min(max((night - last).days, 1), nights)
    return tuple(sorted({(night - timedelta(days=back)).toordinal() % nights for back in range(missed)}))


def grouped(weights: Sequence[tuple[str, int]], most: int = PART_DOSSIERS) -> list[tuple[str, ...]]:
    """Keys, each with its number of dossiers, in groups of at most ``most`` dossiers or of one key."""
    groups: list[list[str]] = []
    room = 0
    for key, weight in weights:
        if not groups or weight > room:
            groups.append([])
            room = most
        groups[-1].append(key)
        room -= weight
    return [tuple(group) for group in groups]


def buckets(dossiers: int, slots: Iterable[int], nights: int, most: int = PART_DOSSIERS) -> list[Bucket]:
    """The buckets of ``slots``: each slot cut so often that a bucket has about ``most`` dossiers."""
    cuts = max(1, -(-dossiers // (nights * most)))
    return [Bucket(slot + nights * cut, nights * cuts) for slot in sorted(slots) for cut in range(cuts)]
