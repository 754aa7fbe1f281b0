"""The catalogue on any day, as a pure function of decisions (registers, sections 4, 5 and 8).

Decisions are in force from their ``effective_on`` to the day before their repeal's, and count in the order of (effective_on,
signed_on, subject, place of the item). Of each procedure the last item in force decides, so nothing is folded day by day.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, NamedTuple

HOURS_A_DAY: Final = 8

Item = Mapping[str, Any]
"""An item as its decision tells it."""

_ORDER: Final[Mapping[int | str, int]] = {"none": 0, 1: 1, 2: 2, 3: 3, "partial": 3, 4: 4, "full": 4}
"""Of levels that one decision names together. It converts no scheme: each level stays what it was told as."""

SERVICE_FIGURES: Final[Mapping[int | str, str]] = {3: "level_3", 4: "level_4", "partial": "partial", "full": "full"}
"""The levels that make a procedure an online service, and their figures."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision. ``repealed_on``: the first day on which it is repealed."""

    code: str
    kind: str
    signed_on: date
    effective_on: date
    items: Sequence[Item]
    legal_effective_on: date | None = None
    is_shortened: bool = False
    posted: Mapping[str, date] = field(default_factory=dict)
    repealed_on: date | None = None

    @classmethod
    def of(cls, code: str, facts: Mapping[str, Any]) -> "Decision | None":
        """The decision that a record's facts tell; None: it was never decided."""
        if "kind" not in facts:
            return None
        legal = facts.get("legal_effective_on")
        return cls(
            code,
            facts["kind"],
            date.fromisoformat(facts["signed_on"]),
            date.fromisoformat(facts["effective_on"]),
            facts["items"],
            None if legal is None else date.fromisoformat(legal),
            facts.get("shortened", False),
            {procedure: date.fromisoformat(on) for procedure, on in facts.get("posted", {}).items()},
            date.fromisoformat(facts["repealed"]["on"]) if "repealed" in facts else None,
        )

    def is_in_force(self, on: date) -> bool:
        return self.effective_on <= on and (self.repealed_on is None or on < self.repealed_on)

    def names(self, procedure: str) -> bool:
        return any(procedure in (item["procedure_code"], item.get("replaces")) for item in self.items)


class Act(NamedTuple):
    """What an item does to an entry: it puts it in force, or takes it out."""

    decision: Decision
    item: Item
    puts_in: bool


class CatalogueAnomaly(NamedTuple):
    """Something strange about an item, which depends on the decisions before it."""

    decision: str
    procedure: str
    code: str


class DecidedCatalogue:
    """All decisions of a tenant, asked about any day."""

    def __init__(self, decisions: Iterable[Decision]) -> None:
        self.decisions: Final = sorted(decisions, key=lambda one: (one.effective_on, one.signed_on, one.code))
        self._acts: dict[str, list[Act]] = defaultdict(list)
        self._items: dict[str, dict[str, list[tuple[Decision, Item]]]] = defaultdict(lambda: defaultdict(list))
        for decision in self.decisions:
            for item in decision.items:
                if decision.kind == "publication":
                    self._add_acts(decision, item)
                else:
                    self._items[decision.kind][item["procedure_code"]].append((decision, item))

    def _add_acts(self, decision: Decision, item: Item) -> None:
        if item["action"] == "replaced" and "replaces" in item:
            self._acts[item["replaces"]].append(Act(decision, item, puts_in=False))
        self._acts[item["procedure_code"]].append(Act(decision, item, puts_in=item["action"] != "abolished"))

    @classmethod
    def of(cls, facts: Mapping[str, Mapping[str, Any]]) -> "DecidedCatalogue":
        """From the facts of the register's records by code."""
        found = (Decision.of(code, told) for code, told in facts.items())
        return cls(decision for decision in found if decision is not None)

    @property
    def procedures(self) -> Iterable[str]:
        """Every code that a publication names."""
        return self._acts.keys()

    def acts(self, procedure: str) -> Sequence[Act]:
        """What decisions did to an entry, in their order, repealed ones too."""
        return self._acts.get(procedure, ())

    def entry(self, procedure: str, on: date) -> Act | None:
        """What puts the procedure in force on a day; None: it is not in force."""
        last = next((act for act in reversed(self.acts(procedure)) if act.decision.is_in_force(on)), None)
        return last if last is not None and last.puts_in else None

    def entry_for(self, procedure: str, on: date, binds: Callable[[Sequence[str]], bool]) -> Act | None:
        """The same where ``binds`` says whether a territory binds the agency concerned: items of others are passed over."""
        for act in reversed(self.acts(procedure)):
            if act.decision.is_in_force(on):
                if not act.puts_in:
                    return None
                if "territory" not in act.item or binds(act.item["territory"]):
                    return act
        return None

    def _last(self, kind: str, procedure: str, on: date) -> list[tuple[Decision, Item]]:
        """The items of the last decision of a kind in force that names the procedure."""
        told = self._items[kind].get(procedure, ())
        in_force = [(decision, item) for decision, item in told if decision.is_in_force(on)]
        return [(decision, item) for decision, item in in_force if decision.code == in_force[-1][0].code]

    def service(self, procedure: str, on: date) -> Item | None:
        """The item with the procedure's level: the highest in the last services decision in force that names it."""
        told = self._last("services", procedure, on)
        return max((item for _, item in told), key=lambda item: _ORDER[item["level"]], default=None)

    def services(self, on: date) -> Mapping[str, tuple[Act, Item]]:
        """The online services of a day: the procedures in force at such a level, each with that item."""
        entries = ((code, self.entry(code, on), self.service(code, on)) for code in self.procedures)
        return {
            code: (act, item)
            for code, act, item in entries
            if act is not None and item is not None and item["level"] in SERVICE_FIGURES
        }

    def is_integrated(self, procedure: str, on: date) -> bool | None:
        """What its last integration item says; None: nothing."""
        told = self._last("integration", procedure, on)
        return told[-1][1]["integrated"] if told else None

    def processes(self, procedure: str, on: date) -> list[tuple[Decision, Item]]:
        """Its processes by the last process decision in force that names it: one for each variant."""
        return self._last("process", procedure, on)

    def process(self, procedure: str, on: date) -> Item | None:
        """The process that its dossiers run through: the last one without a variant, else the last (choice)."""
        told = [item for _, item in self.processes(procedure, on)]
        return next((item for item in reversed(told) if "variant" not in item), told[-1] if told else None)

    def reduced_terms(self, procedure: str, on: date) -> Mapping[str, Item]:
        """The reduced terms that dossiers received on a day have, by level."""
        told = self._items["reduced_terms"].get(procedure, ())
        return {item["level"]: item for decision, item in told if decision.is_in_force(on)}

    def anomalies(self) -> Iterator[CatalogueAnomaly]:
        """Publication items that do not fit what was in force right before them, by the decisions in force on their day."""
        for procedure, acts in self._acts.items():
            for index, (decision, item, puts_in) in enumerate(acts):
                before = next(
                    (act for act in reversed(acts[:index]) if act.decision.is_in_force(decision.effective_on)), None
                )
                was_in_force = before is not None and before.puts_in
                if puts_in and was_in_force and item["action"] == "new":
                    yield CatalogueAnomaly(decision.code, procedure, "new_already_in_force")
                elif not puts_in and not was_in_force:
                    code = "abolished_not_in_force" if item["action"] == "abolished" else "replaces_unknown"
                    yield CatalogueAnomaly(decision.code, procedure, code)
