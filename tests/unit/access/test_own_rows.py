"""What a key with a subtree may tell of agencies: whatever it tells, it sees nothing more, and nobody else sees otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.access.store.own_rows import crossing_agencies, foreign_agencies, foreign_hours
from shared.access.store.visibility import Access
from shared.catalogue.rules.agency_tree import AgencyCatalogue, AgencyVersion
from shared.catalogue.store.catalogues import Catalogue
from shared.vocabulary.events import AgencyCode, Tenant

H51 = Tenant("H51")
TODAY = date(2026, 5, 12)
DAYS = [date(2024, 1, 1), date(2025, 7, 1), TODAY, date(2027, 1, 1)]
CODES = [f"H51.{unit}{part}" for unit in ("12", "13", "20", "30") for part in ("", ".01", ".02")]
OTHERS = ["000.00.12.H51", "000.01.12.H51", "000.02.13.H51", "SO-12", "H51.12.01.07", "H51.30.09", "H51.99"]
FOREVER = [None, *DAYS]


def version(code: str, parent: str | None = None, begin: date | None = None, end: date | None = None, **more: Iterable[str]):
    successors = tuple(AgencyCode(one) for one in more.get("successors", ()))
    up = None if parent is None else AgencyCode(parent)
    aliases = tuple(more.get("aliases", ()))
    return AgencyVersion(
        code=AgencyCode(code), name=code, parent=up, valid_from=begin, valid_to=end, successors=successors, aliases=aliases
    )


def periods(random: Random, code: str, pool: Sequence[str]) -> list[AgencyVersion]:
    """What a catalogue may say of a code: one period or two, of any days, under, after and beside anything."""
    cut = random.choice(DAYS) if random.random() < 0.35 else None
    spans = [(random.choice(FOREVER[:3]) if random.random() < 0.3 else None, None)]
    if cut is not None:
        spans = random.choice(
            [[(None, cut - timedelta(days=1)), (cut, None)], [(None, cut - timedelta(days=1))], [(cut, None)]]
        )
    return [
        version(
            code,
            random.choice([None, "H51", *pool, *pool]),
            begin,
            end,
            successors=random.sample(pool, min(len(pool), random.choice([0, 0, 1, 2]))) if end is not None else (),
            aliases=random.sample(OTHERS, 1) if random.random() < 0.15 else (),
        )
        for begin, end in spans
    ]


def checked(versions: Iterable[AgencyVersion]) -> AgencyCatalogue:
    """A catalogue without what could not be told at all: what makes a problem is left out."""
    kept = list(versions)
    while problems := AgencyCatalogue(H51, kept).problems():
        del kept[int(problems[0].pointer.split("/")[1])]
    return AgencyCatalogue(H51, kept)


def told_by(random: Random, access: Access) -> list[AgencyVersion]:
    """A body that its sender has chosen with care: mostly of what it sees, often kept as it is but for one thing."""
    own = sorted(code for code in CODES if access.sees(code)) or CODES
    below = [code for code in own if code != access.root] or own
    logged: list[AgencyVersion] = []
    for code in random.sample(below, min(len(below), random.choice([1, 1, 1, 2, 3]))):
        pool = own if random.random() < 0.9 else CODES
        known = [one for one in access.catalogue.agencies.versions if one.code == code]
        new = periods(random, code, pool)
        if known and random.random() < 0.7:
            mixed = [*known[:-1], AgencyVersion(**_fields(known[-1]) | _one_of(random, _fields(new[0])))]
            logged += mixed
        else:
            logged += new
    return logged


def _fields(one: AgencyVersion) -> dict[str, object]:
    return {name: getattr(one, name) for name in AgencyVersion.__slots__}


def _one_of(random: Random, fields: dict[str, object]) -> dict[str, object]:
    name = random.choice(["parent", "valid_from", "valid_to", "successors", "aliases"])
    return {name: fields[name]}


def after_putting(before: AgencyCatalogue, logged: Sequence[AgencyVersion]) -> AgencyCatalogue | None:
    """The catalogue with ``logged``; None: it would be refused for everybody."""
    codes = {one.code for one in logged}
    after = AgencyCatalogue(H51, [*logged, *(one for one in before.versions if one.code not in codes)])
    return None if after.problems() else after


def case(random: Random) -> tuple[Access, list[AgencyVersion], AgencyCatalogue | None]:
    before = checked(one for code in random.sample(CODES, random.randrange(4, 12)) for one in periods(random, code, CODES))
    seen = random.sample([*CODES, *OTHERS], 8)
    roots = [Access.of(Catalogue(before, {}, seen), AgencyCode(code), TODAY) for code in random.sample(CODES, 4)]
    access = max(roots, key=lambda one: sum(map(one.sees, CODES))) if random.random() < 0.9 else roots[0]
    for _ in range(5):
        logged = told_by(random, access)
        after = after_putting(before, logged)
        if after is not None:
            break
    return access, logged, after


def assert_nobody_gained(access: Access, after: AgencyCatalogue) -> None:
    """Of everything that may be told, on every day: the key sees no more, others see the same."""
    before = access.catalogue.agencies
    root = access.top
    # what nobody has named or told yet is of nobody: it may hang elsewhere afterwards, though never with the key
    real = {*access.catalogue.seen, *before.codes, *after.codes}
    texts = {*CODES, *OTHERS, *real, *(f"{code}.77" for code in CODES), *(f"000.77.{unit}.H51" for unit in (12, 20))}
    days = {day + timedelta(days=shift) for day in DAYS for shift in (-1, 0, 1)} | {date.min, date.max, date(1990, 1, 1)}
    for on in days:
        was, is_ = before.tree_on(on), after.tree_on(on)
        for text in texts:
            if is_.contains(root, text):
                assert was.contains(root, text), f"{root} gained {text} on {on}"
        for other in ["H51", *CODES]:
            if was.contains(root, other) and other != root:
                continue  # inside: an admin of the whole subtree may order it
            for text in real:
                assert was.contains(other, text) == is_.contains(other, text), f"{other} and {text} on {on}"
                if not was.contains(root, text):
                    assert was.branch(other, text) == is_.branch(other, text)
    new = Access.of(Catalogue(after, {}, access.catalogue.seen), root, TODAY).codes()
    old = access.codes()
    if new is not None and old is not None:
        assert {code for code in new - old if not access.sees(code)} == set()


@given(st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_what_is_let_through_gives_the_key_nothing_and_moves_nobody(random: Random) -> None:
    access, logged, after = case(random)
    if after is not None and not foreign_agencies(access, logged) and not crossing_agencies(access, after, logged):
        assert_nobody_gained(access, after)


@given(st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_the_last_line_alone_would_do(random: Random) -> None:
    access, logged, after = case(random)
    if after is not None and not crossing_agencies(access, after, logged):
        assert_nobody_gained(access, after)


def test_the_cases_are_not_empty() -> None:
    """Many are let through, and some are stopped by the last line only."""
    outcomes = Counter[str]()
    for seed in range(300):
        access, logged, after = case(Random(seed))
        if after is None:
            outcomes["invalid"] += 1
        elif foreign_agencies(access, logged):
            outcomes["foreign"] += 1
        elif crossing_agencies(access, after, logged):
            outcomes["crossing"] += 1
        else:
            outcomes["taken"] += 1
    assert min(outcomes["taken"], outcomes["foreign"]) > 15, outcomes
    assert outcomes["crossing"] > 5, outcomes


REFORM = checked(
    [
        version("H51"),
        version("H51.12", "H51", aliases=["SO-12"]),
        version("H51.12.01", "H51.12"),
        version("H51.12.02", "H51.12"),
        version("H51.12.03", "H51.12", end=date(2026, 12, 31)),
        version("H51.12.03", "H51.13", date(2027, 1, 1)),
        version("H51.13", "H51", aliases=["SO-13"]),
        version("H51.13.01", "H51.13"),
        version("H51.20", "H51", end=date(2025, 6, 30), successors=["H51.12.01"]),
        version("H51.20.01", "H51.20", end=date(2025, 6, 30)),
        version("H51.20.01", "H51.12", date(2025, 7, 1)),
    ]
)
SEEN = ["H51.12", "H51.12.01", "H51.13.01", "H51.77", "000.03.12.H51", "H51.20.01", "H51.12.99"]
ADMIN = Access.of(Catalogue(REFORM, {}, SEEN), AgencyCode("H51.12"), TODAY)


@pytest.mark.parametrize(
    ("logged", "field"),
    [
        ([version("H51.13", "H51.12")], "/0/code"),
        ([version("H51.99", "H51.12")], "/0/code"),
        ([version("G09.12", "H51.12")], "/0/code"),
        ([version("H51", None)], "/0/code"),
        ([version("H51.12.01", "H51.12"), version("H51.13.01", "H51.12")], "/1/code"),
        # handed to others, or hung below what does not exist: the same words
        ([version("H51.12.01", "H51.13")], "/0/parent"),
        ([version("H51.12.01", "H51.98")], "/0/parent"),
        ([version("H51.12.01", "H51")], "/0/parent"),
        ([version("H51.12.01", "H51.12", end=TODAY, successors=["H51.12.02", "H51.13"])], "/0/successors/1"),
        ([version("H51.12.01", "H51.12", end=TODAY, successors=["G09.12"])], "/0/successors/0"),
        # what others are called by, or may be one day
        ([version("H51.12.01", "H51.12", aliases=["H51.13.01"])], "/0/aliases/0"),
        ([version("H51.12.01", "H51.12", aliases=["SO-13"])], "/0/aliases/0"),
        ([version("H51.12.01", "H51.12", aliases=["H51.77"])], "/0/aliases/0"),
        ([version("H51.12.01", "H51.12", aliases=["000.00.13.H51"])], "/0/aliases/0"),
        ([version("H51.12.01", "H51.12", aliases=["H51"])], "/0/aliases/0"),
        ([version("H51.12.01", "H51.12", aliases=["anything"])], "/0/aliases/0"),
        # its own root: not moved, not begun or ended, not handed on, not without one of its periods
        ([version("H51.12", "H51.13", aliases=["SO-12"])], "/0/parent"),
        ([version("H51.12", None, aliases=["SO-12"])], "/0/parent"),
        ([version("H51.12", "H51", end=date(2027, 1, 1), aliases=["SO-12"])], "/0/valid_to"),
        ([version("H51.12", "H51", date(2020, 1, 1), aliases=["SO-12"])], "/0/valid_from"),
        ([version("H51.12", "H51", successors=["H51.12.01"], aliases=["SO-12"])], "/0/successors"),
    ],
)
def test_a_row_that_names_what_is_outside_is_refused_where_it_does(logged: list[AgencyVersion], field: str) -> None:
    assert [error.pointer for error in foreign_agencies(ADMIN, logged)] == [field]


@pytest.mark.parametrize(
    "logged",
    [
        # promised to another one from 2027 on, and kept
        [version("H51.12.03", "H51.12")],
        [version("H51.12.03", "H51.12", end=date(2027, 12, 31)), version("H51.12.03", "H51.13", date(2028, 1, 1))],
        # taken over before its time, or from the day on
        [version("H51.20.01", "H51.12")],
        [version("H51.20.01", "H51.12", date(2020, 1, 1))],
        # abolished, seen because of its successor, and revived: what nobody has told yet below it would be gained
        [version("H51.20", "H51.12.01")],
        # what may name its own agency no longer does, or ends without a successor: then it hangs elsewhere
        [version("H51.12", "H51")],
        [version("H51.20.01", "H51.12", date(2025, 7, 1), TODAY)],
    ],
)
def test_what_only_other_days_or_other_codes_show_is_stopped_at_the_last_line(logged: list[AgencyVersion]) -> None:
    after = after_putting(REFORM, logged)
    assert after is not None
    errors = crossing_agencies(ADMIN, after, logged)
    assert [(error.pointer[:2], error.code) for error in errors] == [("/0", "crossing")]


@pytest.mark.parametrize(
    "logged",
    [
        [version("H51.12", "H51", aliases=["SO-12", "000.00.12.H51"])],
        [version("H51.12.05", "H51.12"), version("H51.12.05.01", "H51.12.05")],
        [version("H51.12.05")],
        [version("H51.12.02", "H51.12.01", aliases=["000.02.12.H51", "H51.12.99"])],
        [version("H51.12.01", "H51.12", end=date(2026, 12, 31), successors=["H51.12.02"])],
        [version("H51.12.01", "H51.12", end=date(2025, 12, 31)), version("H51.12.01", "H51.12.02", date(2026, 1, 1))],
        # periods that name others are taken as they are known
        [*(one for one in REFORM.versions if one.code == "H51.12.03")],
        [version("H51.20.01", "H51.20", end=date(2025, 6, 30)), version("H51.20.01", "H51.12.01", date(2025, 7, 1))],
    ],
)
def test_its_own_house_is_its_own_to_order(logged: list[AgencyVersion]) -> None:
    after = after_putting(REFORM, logged)
    assert after is not None
    assert foreign_agencies(ADMIN, logged) == []
    assert crossing_agencies(ADMIN, after, logged) == []
    assert_nobody_gained(ADMIN, after)


def test_a_subtree_whose_root_no_catalogue_knows_has_nothing_below_it() -> None:
    admin = Access.of(Catalogue(REFORM, {}, SEEN), AgencyCode("H51.40"), TODAY)
    assert {error.code for error in foreign_agencies(admin, [version("H51.40", "H51")])} == {"root_moved"}
    assert [error.pointer for error in foreign_agencies(admin, [version("H51.40.01", "H51.40")])] == ["/0/code"]


def test_office_hours_go_by_code_and_so_does_the_right_to_them() -> None:
    strange = checked([*REFORM.versions, version("H51.12.02.01", "H51.13"), version("H51.55", "H51.12", aliases=["H51.44"])])
    admin = Access.of(Catalogue(strange, {}, SEEN), AgencyCode("H51.12"), TODAY)
    for code, is_own in (
        ("H51.12.01", True),
        ("H51.12.77", True),
        ("H51.55", True),
        ("H51.13", False),
        ("H51.98", False),
        ("H51", False),
        # others stand below it by code, or may
        ("H51.12", False),
        ("H51.12.02", False),
        ("H51.20", False),
        ("H51.44", False),
    ):
        assert (foreign_hours(admin, [AgencyCode(code)]) == []) == is_own, code
    assert foreign_hours(ADMIN, [AgencyCode("H51.12")]) == []


def test_a_row_is_valid_no_longer_than_what_it_lies_in() -> None:
    begin = date(2025, 7, 1)
    young = checked([version("H51"), version("H51.12", "H51", begin), version("H51.13", "H51")])
    admin = Access.of(Catalogue(young, {}, ["H51.12"]), AgencyCode("H51.12"), TODAY)
    for logged, is_taken in (([version("H51.12.05", "H51.12")], False), ([version("H51.12.05", "H51.12", begin)], True)):
        after = after_putting(young, logged)
        assert after is not None
        assert foreign_agencies(admin, logged) == []
        assert (crossing_agencies(admin, after, logged) == []) == is_taken
