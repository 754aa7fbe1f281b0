"""The oracle's agency tree, by examples worked out by hand, and the product's on trees drawn at random."""

from __future__ import annotations

from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.catalogue.rules.agency_tree import AgencyCatalogue, AgencyVersion
from shared.vocabulary.events import AgencyCode, Tenant
from tests.oracle.tree import OracleTree, Version, changes

REFORM = date(2025, 7, 1)
EVE = "2025-06-30"
VERSIONS: list[Version] = [
    {"code": "H51"},
    {"code": "H51.30", "parent": "H51", "valid_to": EVE, "successors": ["H51.201", "H51.202"]},
    {"code": "H51.30.01", "parent": "H51.30", "valid_to": EVE, "successors": ["H51.201"]},
    {"code": "H51.31", "parent": "H51", "valid_to": EVE, "successors": ["H51.40"]},
    {"code": "H51.40", "parent": "H51.30", "valid_to": EVE, "successors": ["H51.202"]},
    {"code": "H51.201", "parent": "H51", "valid_from": "2025-07-01"},
    {"code": "H51.202", "parent": "H51", "valid_from": "2025-07-01"},
    {"code": "H51.50", "parent": "H51", "valid_to": EVE},
    {"code": "H51.50", "parent": "H51.202", "valid_from": "2025-07-01"},
]


def test_the_old_tree_and_the_new_one() -> None:
    old, new = (OracleTree(VERSIONS, "H51", on) for on in (date(2025, 6, 30), REFORM))
    assert old.chain("H51.30.01") == ["H51.30.01", "H51.30", "H51"]
    assert new.chain("H51.30.01") == ["H51.30.01", "H51.201", "H51"]  # one heir: summed there
    assert new.chain("H51.30") == ["H51.30", "H51"]  # two: counted once, above them
    assert new.chain("H51.31") == ["H51.31", "H51.202", "H51"]  # over two steps
    assert (old.above("H51.50"), new.above("H51.50")) == ("H51", "H51.202")
    assert (old.above("H51.201"), old.above("H51.50.07"), old.above("G09.01")) == ("H51", "H51.50", "H51")
    assert new.holds("H51", None)
    assert not new.holds("H51.201", None)
    assert [new.row("H51", code, "unknown") for code in ("H51.30.01", "H51.30", "H51", None, "H51.77")] == [
        "H51.201",
        "unknown",
        "H51",
        "unknown",
        "unknown",
    ]
    assert changes(VERSIONS) == [EVE, "2025-07-01"]


CODES = ("H51.01", "H51.02", "H51.02.01", "H51.03", "H51.04")
DAYS = (date(2024, 1, 1), date(2024, 6, 1), date(2025, 1, 1), date(2025, 7, 1))


@st.composite
def trees(draw: st.DrawFn) -> list[Version]:
    """Each agency once, under one that comes before it, for all time or to a day, with heirs that come after it."""
    versions: list[Version] = [{"code": "H51"}]
    for number, code in enumerate(CODES):
        version: Version = {"code": code, "parent": draw(st.sampled_from(("H51", *CODES[:number])))}
        begin, end = sorted(draw(st.lists(st.sampled_from(DAYS), min_size=2, max_size=2)))
        if draw(st.booleans()):
            version["valid_from"] = begin.isoformat()
        if draw(st.booleans()):
            version["valid_to"] = end.isoformat()
            version["successors"] = draw(st.lists(st.sampled_from(("H51", *CODES)), max_size=2, unique=True))
        versions.append(version)
    return versions


def product(version: Version) -> AgencyVersion:
    days = {name: date.fromisoformat(version[name]) for name in ("valid_from", "valid_to") if name in version}
    parent = None if "parent" not in version else AgencyCode(version["parent"])
    heirs = tuple(AgencyCode(code) for code in version.get("successors", ()))
    return AgencyVersion(code=AgencyCode(version["code"]), name="", parent=parent, successors=heirs, **days)


@given(trees(), st.sampled_from((*DAYS, date(2026, 1, 1))))
@settings(max_examples=300, deadline=None)
def test_the_product_agrees(versions: list[Version], on: date) -> None:
    ours = OracleTree(versions, "H51", on)
    theirs = AgencyCatalogue(Tenant("H51"), [product(version) for version in versions]).tree_on(on)
    for code in ("H51", *CODES, "H51.02.01.09", "H51.99"):
        assert tuple(ours.chain(code)[1:]) == theirs.ancestors(code), code
        for top in ours.standing:
            assert ours.holds(top, code) == theirs.contains(top, code), (top, code)
