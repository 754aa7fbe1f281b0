"""Days saved by reduced terms: of dossiers that ended in time under the new limit, the old one less the new. Pure."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Final

from shared.calendar.rules.calendar import UnconfirmedYear
from shared.catalogue.rules.agency_tree import AgencyTree
from shared.catalogue.rules.terms import Term, TermUnit
from shared.registers.catalogue.decisions import Item
from shared.registers.catalogue.precedence import limit_hours
from shared.registers.catalogue.publications import decided
from shared.registers.measures import Counted, StoredDossier, World
from shared.vocabulary.local_time import local_date

_DAYS: Final = ("working_days", "calendar_days")


def savings(world: World, first: date, last: date) -> Iterator[Counted]:
    """The dossiers ended in the period whose term a decision in force on the day of reception had reduced."""
    decisions = world.records("catalogue")
    if not any(one.facts.get("kind") == "reduced_terms" for one in decisions.values()):
        return
    catalogue = decided(world)
    for code, dossier in world.dossiers().items():
        row = dossier.row
        if row.received_on is None or row.procedure is None or row.ended_on is None or not first <= row.ended_on <= last:
            continue
        items = catalogue.reduced_terms(row.procedure, row.received_on)
        item = _item_for(row.agency, items, world.tree_on(row.received_on)) if items else None
        if item is not None:
            yield Counted(code, row.agency, row.procedure, _saved(world, row, item), dossier=code, channel=row.channel)


def _item_for(agency: str | None, items: Mapping[str, Item], tree: AgencyTree) -> Item | None:
    """That of the level of the agency, or of the nearest one above that has a level; where none has, the only one."""
    levels = tree.levels()
    above = () if agency is None else (tree.resolve(agency), *tree.ancestors(agency))
    level = next((levels[code] for code in above if code in levels), None)
    if level is None:
        return next(iter(items.values())) if len(items) == 1 else None
    return items.get(level)


def _saved(world: World, row: StoredDossier, item: Item) -> dict[str, int | None]:
    before, after = item["limit_before"], item["limit_after"]
    is_in_time = _ended_in_time(world, row, Term(after["value"], TermUnit(after["unit"])))
    if not is_in_time:
        return {"reduced_dossiers": 1, "reduced_in_time": None if is_in_time is None else 0}
    counts: dict[str, int | None] = {"reduced_dossiers": 1, "reduced_in_time": 1}
    if before["unit"] == after["unit"] in _DAYS:
        return counts | {"days_saved": before["value"] - after["value"]}
    hours_before, hours_after = limit_hours(before), limit_hours(after)
    if hours_before is None or hours_after is None:
        return counts | {"saving_incomparable": 1}
    return counts | {"hours_saved": hours_before - hours_after}


def _ended_in_time(world: World, row: StoredDossier, limit: Term) -> bool | None:
    """By local date, as index 1 of scores; None: the calendar does not say."""
    assert row.received_at is not None
    assert row.ended_on is not None
    try:
        due_at = world.working_time(row.agency).add(row.received_at, limit)
    except UnconfirmedYear:
        return None
    return row.ended_on <= local_date(due_at)
