"""Every index says what `FigureSet.count` says: for any period, cut and list, and after whatever else is told."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from datetime import date, timedelta

import numpy as np
import pytest

from shared.register_figures.rules.index import FigureIndex, TooMuch
from shared.register_figures.rules.sums import Sums
from shared.registers.figure_sets import FIGURE_SETS
from shared.registers.measures import FigureSet, Turns, Unit
from tests.support.histories.office import OFFICE
from tests.support.registers.told_worlds import LATER_UNCONFIRMED, ToldWorld, told, touched

INDEXED = sorted(path for path, one in FIGURE_SETS.items() if one.by_unit is not None)
UNTIL = date(2026, 12, 31)
RECORDS = int(os.environ.get("INDEX_RECORDS", "350"))
PERIODS = int(os.environ.get("INDEX_PERIODS", "20"))
FIRST, DAYS = date(2022, 11, 1), 1_150


def periods(chance: random.Random, count: int) -> Iterator[tuple[date, date]]:
    for _ in range(count):
        first = FIRST + timedelta(days=chance.randrange(DAYS))
        yield first, min(first + timedelta(days=chance.choice((0, 0, 1, 6, 30, 90, 365, 800))), UNTIL)
    yield date(1990, 1, 1), UNTIL


def counted(
    figures: FigureSet, world: ToldWorld, first: date, last: date
) -> dict[tuple[object, ...], dict[str, int | None]]:
    """What `count` says of each unit, by code and place; nothing where it counts for nothing."""
    found: dict[tuple[object, ...], dict[str, int | None]] = {}
    for unit in figures.count(world, first, last):  # type: ignore[arg-type]
        key = (unit.code, unit.agency, unit.procedure, unit.channel, *unit.cuts.items())
        assert key not in found
        counts = {name: amount for name, amount in unit.counts.items() if amount != 0}
        if counts:
            found[key] = counts
    return found


def same(figures: FigureSet, index: FigureIndex, world: ToldWorld, first: date, last: date) -> None:
    """All that can be asked of the index, against the same added up of what `count` says."""
    wanted = counted(figures, world, first, last)
    by_agency: dict[object, Sums] = {agency: Sums() for agency in index.agencies}
    by_place: dict[tuple[object, ...], Sums] = {}
    for key, counts in wanted.items():
        for sums in (by_agency.setdefault(key[1], Sums()), by_place.setdefault(key[1:], Sums())):
            for name, amount in counts.items():
                if amount is None:
                    sums.unknown.add(name)
                else:
                    sums.amounts[name] = sums.amounts.get(name, 0) + amount
    by_pair: dict[tuple[object, object], dict[str, int]] = {}
    for (_, agency, procedure, *_), counts in wanted.items():
        parts = by_pair.setdefault((agency, procedure), {})
        for name in counts.keys() & set(index.divided):
            parts[name] = parts.get(name, 0) + (counts[name] or 0)
    for pair, amounts in zip(index.pairs, index.by_pair(first, last).tolist(), strict=True):
        found = {name: amount for name, amount in zip(index.divided, amounts, strict=True) if amount}
        assert found == by_pair.get((pair.agency, pair.procedure), {})
    totals = index.by_agency(first, last)
    assert {one: _plain(index.sums(totals[row])) for row, one in enumerate(index.agencies)} == {
        agency: _plain(sums) for agency, sums in by_agency.items()
    }, (first, last)
    rows = index.by_row(first, last, np.arange(len(index.places), dtype=np.int32), len(index.places))
    places = {(one.agency, one.procedure, one.channel, *one.cuts.items()): row for row, one in enumerate(index.places)}
    for place, row in places.items():
        assert _plain(index.sums(rows[row])) == _plain(by_place.get(place, Sums())), (place, first, last)
    for figure in (*figures.figures, *figures.parts):
        behind = index.behind(figure, first, last, np.ones(len(index.places), bool))
        order = index.in_order(behind, None, None)
        listed = [
            (index.code(behind.units[one]), None if behind.is_unknown[one] else int(behind.amounts[one])) for one in order
        ]
        assert listed == sorted((str(key[0]), counts[figure]) for key, counts in wanted.items() if figure in counts)
        middle = listed[len(listed) // 2][0] if listed else ""
        page = [index.code(behind.units[one]) for one in index.in_order(behind, middle, 3)]
        assert page == [code for code, _ in listed if code > middle][:3]


def _plain(sums: Sums) -> tuple[dict[str, int], set[str]]:
    # of what is not known the known rest is in no answer
    return {name: amount for name, amount in sums.amounts.items() if amount and name not in sums.unknown}, sums.unknown


@pytest.mark.parametrize("office", [OFFICE, LATER_UNCONFIRMED], ids=["confirmed", "unconfirmed"])
@pytest.mark.parametrize("path", INDEXED)
def test_an_index_says_what_count_says(path: str, office: object) -> None:
    figures, chance = FIGURE_SETS[path], random.Random(path)
    world = ToldWorld.of(told(path, RECORDS), office)  # type: ignore[arg-type]
    index = filled(figures, world)
    for first, last in periods(chance, PERIODS):
        same(figures, index, world, first, last)


@pytest.mark.parametrize("path", INDEXED)
def test_an_index_follows_what_is_told_later(path: str) -> None:
    figures, chance = FIGURE_SETS[path], random.Random(path)
    events = told(f"later {path}", 130)
    shared = [one for one in events if "catalogue" in str(one.name)]  # what all units share makes an index anew
    rest = [one for one in events if "catalogue" not in str(one.name)]
    known = len(rest) // 2
    index = filled(figures, ToldWorld.of([*shared, *rest[:known]], LATER_UNCONFIRMED))
    while known < len(rest):
        late = rest[known : known + chance.randrange(1, 120)]
        known += len(late)
        told_by_now = [*shared, *rest[:known]]
        world = ToldWorld.of(told_by_now, LATER_UNCONFIRMED)
        # which dossiers the portal holds is not told by events
        world._synced = set(sorted(world._dossiers)[::2]) if not figures.portal else ()
        codes = touched(figures, told_by_now, late)
        take_in(figures, index, world, codes)
        if figures.portal:
            take_in(figures, index, world, set(world._dossiers))
        for first, last in periods(chance, 3):
            same(figures, index, world, first, last)


def filled(figures: FigureSet, world: ToldWorld) -> FigureIndex:
    index = FigureIndex(figures, UNTIL)
    index.replace(_AnyCase(), units(figures, world))
    index.finish()
    return index


class _AnyCase:
    def __contains__(self, case: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def take_in(figures: FigureSet, index: FigureIndex, world: ToldWorld, codes: set[str]) -> None:
    index.replace(codes, units(figures, world.part(figures, codes)))


def units(figures: FigureSet, world: ToldWorld) -> Iterator[Unit]:
    assert figures.by_unit is not None
    return figures.by_unit.units(world)  # type: ignore[arg-type]


def test_many_changes_are_packed_and_counted_once() -> None:
    figures = FIGURE_SETS["surveys"]
    index = FigureIndex(figures, UNTIL)
    index.finish()
    day = date(2025, 3, 3)
    for turn in range(60):
        cases = {f"P{number}" for number in range(400)}
        index.replace(cases, [unit(case, day + timedelta(days=turn), turn + 1) for case in sorted(cases)])
        if turn % 20 == 19:
            for first, last, amount in ((0, turn, 400 * (turn + 1)), (0, turn - 1, 0), (turn, turn, 400 * (turn + 1))):
                (row,) = index.by_agency(day + timedelta(days=first), day + timedelta(days=last))
                assert index.sums(row).of("sheets") == amount
    assert index.is_worn is (60 * 400 * 2 > 100_000)


def test_amounts_beyond_what_arrays_hold_are_refused() -> None:
    index = FigureIndex(FIGURE_SETS["surveys"], UNTIL)
    with pytest.raises(TooMuch):
        index.replace({"P"}, [unit("P", date(2025, 3, 3), 2**62)])


def unit(case: str, day: date, amount: int) -> Unit:
    def counts(first: date, last: date) -> dict[str, int | None]:
        return {"sheets": amount} if first <= day <= last else {}

    turns: Callable[[date], Turns] = lambda _: Turns((day + timedelta(days=1),), (day,))  # noqa: E731
    return Unit(case=case, code=case, agency="H51", counts=counts, turns=turns)
