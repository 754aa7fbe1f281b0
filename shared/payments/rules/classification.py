"""A gateway's statement of one day against our payments: each line, and each of ours, gets exactly one class (đối soát).

Rules of registers, section 2. Pure: amounts are whole đồng, and the identities hold exactly whatever is classed.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol


class LineClass(StrEnum):
    """What a line of a statement, or a payment that it lacks, is; the first that fits."""

    DUPLICATE_LINE = "duplicate_line"
    UNKNOWN_THERE = "unknown_there"
    NOT_SUCCEEDED_HERE = "not_succeeded_here"
    OTHER_DAY = "other_day"
    AMOUNT_DIFFERS = "amount_differs"
    MATCHED = "matched"
    FAILED_THERE = "failed_there"
    FAILED_BOTH = "failed_both"
    MISSING_THERE = "missing_there"

    @property
    def is_agreement(self) -> bool:
        """All others are differences: the worker asks about `NOT_SUCCEEDED_HERE`, a person closes the rest."""
        return self in {LineClass.MATCHED, LineClass.FAILED_BOTH}


_WITH_OURS: Final = (LineClass.MATCHED, LineClass.AMOUNT_DIFFERS, LineClass.FAILED_THERE, LineClass.MISSING_THERE)
_ONLY_THERE: Final = (
    LineClass.DUPLICATE_LINE,
    LineClass.UNKNOWN_THERE,
    LineClass.NOT_SUCCEEDED_HERE,
    LineClass.OTHER_DAY,
)
_ONLY_HERE: Final = (LineClass.FAILED_THERE, LineClass.MISSING_THERE)
_WITH_LINE: Final = tuple(one for one in LineClass if one is not LineClass.MISSING_THERE)
_CLOSED_ONE_BY_ONE: Final = tuple(
    one for one in LineClass if not one.is_agreement and one not in {LineClass.DUPLICATE_LINE, LineClass.NOT_SUCCEEDED_HERE}
)

SUCCEEDED: Final = "succeeded"

WORKING_DAYS_OPEN: Final = 2
"""A difference may be open for so long after the day of its statement; then there is an alarm (choice)."""


class Line(Protocol):
    """A line of a statement; ``state``: succeeded, failed or pending."""

    @property
    def reference(self) -> str: ...
    @property
    def amount_vnd(self) -> int: ...
    @property
    def state(self) -> str: ...


@dataclass(slots=True)
class OfClass:
    """The lines of one class. ``statement_vnd``: of the succeeded ones."""

    statement_vnd: int = 0
    ours_vnd: int = 0
    lines: list[Any] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Difference:
    """What somebody has to look into: all lines of one class and reference together."""

    line_class: LineClass
    reference: str
    statement_vnd: int
    ours_vnd: int


@dataclass(frozen=True, slots=True)
class Classified:
    """A classed statement. ``paid``: ours with their amounts; ``missing``: the references of those that no line names."""

    classes: Mapping[LineClass, OfClass]
    paid: Mapping[str, int]
    missing: Sequence[str]
    lines: int

    @property
    def statement_vnd(self) -> int:
        """Of the succeeded lines."""
        return sum(one.statement_vnd for one in self.classes.values())

    @property
    def ours_vnd(self) -> int:
        return sum(self.paid.values())

    def count(self, kind: LineClass) -> int:
        """How many lines have the class, or how many of ours no line names."""
        return len(self.missing) if kind is LineClass.MISSING_THERE else len(self.classes[kind].lines)

    @staticmethod
    def has_ours(kind: LineClass) -> bool:
        """Whether lines of the class stand for a payment of ours of that day."""
        return kind in _WITH_OURS

    def identities(self) -> dict[str, bool]:
        """The checks of the rules, and whether they hold."""
        of = self.classes
        differs = of[LineClass.AMOUNT_DIFFERS]
        by_class = sum(of[one].statement_vnd for one in _ONLY_THERE) + differs.statement_vnd - differs.ours_vnd
        by_class -= sum(of[one].ours_vnd for one in _ONLY_HERE)
        return {
            "lines=" + "+".join(_WITH_LINE): self.lines == sum(map(self.count, _WITH_LINE)),
            "ours=" + "+".join(_WITH_OURS): len(self.paid) == sum(map(self.count, _WITH_OURS)),
            "difference_vnd=" + "+".join(_ONLY_THERE) + "+amount_differs-" + "-".join(_ONLY_HERE): (
                self.statement_vnd - self.ours_vnd == by_class
            ),
        }

    def differences(self, references: Collection[str]) -> list[Difference]:
        """What is to be looked into of these references, each class and reference once."""
        found: dict[tuple[LineClass, str], tuple[int, int]] = {}
        if not references:
            return []
        for kind, of_class in self.classes.items():
            for line in of_class.lines if not kind.is_agreement else ():
                if line.reference in references:
                    statement_vnd, _ = found.get((kind, line.reference), (0, 0))
                    statement_vnd += line.amount_vnd if line.state == SUCCEEDED else 0
                    found[kind, line.reference] = statement_vnd, self.paid[line.reference] if kind in _WITH_OURS else 0
        for reference in self.missing:
            if reference in references:
                found[LineClass.MISSING_THERE, reference] = 0, self.paid[reference]
        return [Difference(kind, reference, *amounts) for (kind, reference), amounts in found.items()]

    @property
    def for_a_person(self) -> int:
        """How many differences a person closes: each class and reference once, without those the worker asks about."""
        repeated = {line.reference for line in self.classes[LineClass.DUPLICATE_LINE].lines}
        return len(repeated) + sum(map(self.count, _CLOSED_ONE_BY_ONE))

    @property
    def not_succeeded_here(self) -> list[str]:
        """The references that the worker asks the gateway about."""
        return [line.reference for line in self.classes[LineClass.NOT_SUCCEEDED_HERE].lines]


def classify(lines: Iterable[Line], paid: Mapping[str, int], others: Mapping[str, bool]) -> Classified:
    """Class the lines of a gateway's statement of a day.

    ``paid``: the amounts of all payments initiated with the gateway and paid on the day, by reference. ``others``: of the
    further payments of the gateway, at least those that the lines name, whether they succeeded on another day.
    """
    classes = {one: OfClass() for one in LineClass}
    seen: set[str] = set()
    total = 0
    for line in lines:
        total += 1
        reference, has_succeeded = line.reference, line.state == SUCCEEDED
        ours_vnd = paid.get(reference)
        if reference in seen:
            kind, ours_vnd = LineClass.DUPLICATE_LINE, None
        elif ours_vnd is not None:
            kind = _class_of_paid(line.amount_vnd == ours_vnd, has_succeeded)
        elif reference not in others:
            kind = LineClass.UNKNOWN_THERE
        elif not has_succeeded:
            kind = LineClass.FAILED_BOTH
        else:
            kind = LineClass.OTHER_DAY if others[reference] else LineClass.NOT_SUCCEEDED_HERE
        seen.add(reference)
        of_class = classes[kind]
        of_class.lines.append(line)
        if has_succeeded:
            of_class.statement_vnd += line.amount_vnd
        if ours_vnd is not None:
            of_class.ours_vnd += ours_vnd
    missing = [reference for reference in paid if reference not in seen]
    classes[LineClass.MISSING_THERE].ours_vnd = sum(paid[reference] for reference in missing)
    return Classified(classes, paid, missing, total)


def _class_of_paid(is_equal: bool, has_succeeded: bool) -> LineClass:
    if not has_succeeded:
        return LineClass.FAILED_THERE
    return LineClass.MATCHED if is_equal else LineClass.AMOUNT_DIFFERS
