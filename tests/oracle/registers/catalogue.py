"""The catalogue of procedures, docs/registers.md section 4: decisions, the catalogue on a day, services, units offering."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from tests.oracle.registers.events import last, named
from tests.oracle.registers.world import UNKNOWN, Counts, Unit, World

AGENCY_LEVELS = ("province", "district", "commune")
LEVELS = (*AGENCY_LEVELS, "vertical")
ACTIONS = ("new", "amended", "replaced", "abolished")
SERVICE_LEVELS = {3: "level_3", 4: "level_4", "partial": "partial", "full": "full"}
HEIGHT = ("none", 1, 2, 3, 4, "partial", "full")

FIGURES = (
    "decisions",
    "procedures_covered",
    "items",
    "in_force",
    "central",
    "local",
    "unknown_origin",
    *LEVELS,
    *ACTIONS,
    "put_in",
    "taken_out",
    *SERVICE_LEVELS.values(),
    "services",
    "integrated",
    "units_offering",
    "units",
    *(f"units_{level}" for level in AGENCY_LEVELS),
    *(f"units_offering_{level}" for level in AGENCY_LEVELS),
    "covered_by_process",
)
RATES = {
    "svc.rate.3": ("level_3", "in_force"),
    "svc.rate.4": ("level_4", "in_force"),
    "svc.rate.partial": ("partial", "in_force"),
    "svc.rate.full": ("full", "in_force"),
    "svc.online": ("services", "in_force"),
    "svc.full_of_eligible": ("eligible_full_offered", "eligible_full"),
    "svc.integrated": ("integrated", "services"),
    "proc.covered": ("covered_by_process", "in_force"),
}
IDENTITIES = (
    ("in_force", ("central", "local", "unknown_origin")),
    ("services", ("level_3", "level_4", "partial", "full")),
    ("units", tuple(f"units_{level}" for level in AGENCY_LEVELS)),
    ("units_offering", tuple(f"units_offering_{level}" for level in AGENCY_LEVELS)),
)


@dataclass(frozen=True)
class Decision:
    subject: str
    kind: str
    signed_on: date
    effective_on: date
    items: tuple[dict[str, Any], ...]
    repealed_on: date | None

    def in_force(self, day: date) -> bool:
        """'effective_on <= day and not repealed by then (the repeal's effective_on)'."""
        return self.effective_on <= day and (self.repealed_on is None or day < self.repealed_on)

    @property
    def place(self) -> tuple[date, date, bytes]:
        """'folded by (effective_on, signed_on, subject, position)'."""
        return (self.effective_on, self.signed_on, self.subject.encode())


def decisions(world: World) -> list[Decision]:
    """'A later decided of the same subject replaces the earlier.'"""

    def found() -> list[Decision]:
        answer = []
        for subject, events in world.records["catalogue"].items():
            decided = last(events, "decided")
            if decided is None:
                continue
            repeals = [date.fromisoformat(e.data["effective_on"]) for e in named(events, "repealed")]
            signed_on = date.fromisoformat(decided.data["signed_on"])
            effective_on = date.fromisoformat(decided.data["effective_on"])
            items = tuple(decided.data["items"])
            answer.append(
                Decision(subject, decided.data["kind"], signed_on, effective_on, items, min(repeals, default=None))
            )
        return sorted(answer, key=lambda one: one.place)

    return world.keep("decisions", found)


def in_force(world: World, kind: str, day: date) -> list[Decision]:
    return [one for one in decisions(world) if one.kind == kind and one.in_force(day)]


def entries(world: World, day: date) -> dict[str, dict[str, Any]]:
    """'new or amended puts the entry in force, replaced also takes out `replaces`, abolished takes the entry out'."""

    def found() -> dict[str, dict[str, Any]]:
        answer: dict[str, dict[str, Any]] = {}
        for decision in in_force(world, "publication", day):
            for item in decision.items:
                if item["action"] == "abolished":
                    answer.pop(item["procedure_code"], None)
                    continue
                if item["action"] == "replaced" and item.get("replaces"):
                    answer.pop(item["replaces"], None)
                answer[item["procedure_code"]] = item
        return answer

    return world.keep(("entries", day), found)


def service_levels(world: World, day: date) -> dict[str, Any]:
    """'a procedure's level is the highest in the last services decision in force that names it, of whatever scheme'."""

    def found() -> dict[str, Any]:
        answer: dict[str, Any] = {}
        for decision in in_force(world, "services", day):
            said: dict[str, Any] = {}
            for item in decision.items:
                code = item["procedure_code"]
                said[code] = max(said.get(code, "none"), item["level"], key=HEIGHT.index)
            answer |= said
        return answer

    return world.keep(("levels", day), found)


def last_items(world: World, kind: str, day: date) -> dict[str, dict[str, Any]]:
    """For each procedure, its last item in the decisions of a kind in force."""

    def found() -> dict[str, dict[str, Any]]:
        return {item["procedure_code"]: item for one in in_force(world, kind, day) for item in one.items}

    return world.keep(("items", kind, day), found)


def fact(world: World, procedure: str | None, day: date, decided: str, told: str) -> Any:
    """'Where a publication item in force on R says something that PUT /v1/procedures says too, the decision wins …; the
    sheet serves where no decision speaks'."""
    if procedure is None:
        return None
    said = entries(world, day).get(procedure, {}).get(decided)
    return world.sheet.get(procedure, {}).get(told) if said is None else said


def resolves(item: dict[str, Any], agency: str, level: str) -> bool:
    """'agencies (codes that resolve it; without: every agency of its levels)'."""
    return agency in item["agencies"] if item.get("agencies") else level in item["levels"]


def service_of(world: World, code: str, day: date) -> str | None:
    """level_3, level_4, partial or full, of a procedure in force."""
    return SERVICE_LEVELS.get(service_levels(world, day).get(code)) if code in entries(world, day) else None


def units(world: World, start: date, to: date) -> Iterator[Unit]:
    root = world.setting.root
    published = [one for one in decisions(world) if one.kind == "publication"]
    signed = [one for one in published if start <= one.signed_on <= to]
    for one in signed:
        yield Unit(one.subject, root, {"decisions": 1, "items": len(one.items)})
    for code in {item["procedure_code"] for one in signed for item in one.items}:
        yield Unit(code, root, {"procedures_covered": 1})
    for action in ACTIONS:
        effective = [one for one in published if start <= one.effective_on <= to]
        for code in {i["procedure_code"] for one in effective for i in one.items if i["action"] == action}:
            yield Unit(code, root, {action: 1})
    now, before = entries(world, to), entries(world, start - timedelta(days=1))
    for code in set(now) | set(before):
        counts: Counts = {"put_in": int(code in now and code not in before)}
        counts["taken_out"] = int(code in before and code not in now)
        yield Unit(code, root, counts)
    integrated = last_items(world, "integration", to)
    processes = last_items(world, "process", to)
    for code, item in now.items():
        counts = {"in_force": 1, {"central": "central", "local": "local"}.get(item.get("origin"), "unknown_origin"): 1}
        counts |= {level: int(level in item["levels"]) for level in LEVELS}
        counts["covered_by_process"] = int(code in processes)
        service = service_of(world, code, to)
        if service is not None:
            counts |= {"services": 1, service: 1, "integrated": int(bool(integrated.get(code, {}).get("integrated")))}
        if item.get("eligible_full"):
            counts |= {"eligible_full": 1, "eligible_full_offered": int(service == "full")}
        yield Unit(code, root, counts, {"field": item.get("field") or UNKNOWN})
    services = [item for code, item in now.items() if service_of(world, code, to)]
    for agency in world.setting.agencies:
        code, level = agency["code"], agency.get("level")
        if code in world.tree.standing and level is not None:
            offers = int(any(resolves(item, code, level) for item in services))
            yield Unit(
                code,
                root,
                {"units": 1, f"units_{level}": 1, "units_offering": offers, f"units_offering_{level}": offers},
            )
