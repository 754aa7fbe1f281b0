from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.catalogue.rules.agency_tree import AgencyCatalogue, AgencyVersion
from shared.vocabulary.errors import InvalidInput
from shared.vocabulary.events import AgencyCode, Tenant

H51 = Tenant("H51")
OLD, NEW = date(2025, 6, 30), date(2025, 7, 1)


def version(code, parent=None, **more):
    more["successors"] = tuple(map(AgencyCode, more.get("successors", ())))
    return AgencyVersion(code=AgencyCode(code), name=more.pop("name", f"Cơ quan {code}"), parent=parent, **more)


def catalogue(*versions):
    return AgencyCatalogue(H51, versions)


REFORM = catalogue(
    version("H51", name="Tỉnh"),
    version("H51.12", "H51", name="Sở"),
    version("H51.12.03", "H51.12", aliases=("SO-03",)),
    version("H51.20", "H51", name="Huyện", valid_to=OLD, successors=["H51.31", "H51.32"]),
    version("H51.20.01", "H51.20", valid_to=OLD, successors=["H51.31"]),
    version("H51.20.02", "H51.20", valid_to=OLD, successors=["H51.99"]),
    version("H51.31", "H51", valid_from=NEW),
    version("H51.32", "H51", valid_from=NEW),
)


def test_the_tree_of_a_date():
    old, new = REFORM.tree_on(OLD), REFORM.tree_on(NEW)
    assert old.children("H51") == ("H51.12", "H51.20")
    assert old.children("H51.20") == ("H51.20.01", "H51.20.02")
    assert new.children("H51") == ("H51.12", "H51.31", "H51.32")
    assert new.ancestors("H51.12.03") == ("H51.12", "H51")
    assert new.ancestors("H51") == ()
    assert (old.name("H51.20"), new.name("H51.20"), new.name("H51.77")) == ("Huyện", "Huyện", "H51.77")
    assert REFORM.tree_on(NEW) is new


def test_an_agency_stands_on_its_last_day_and_not_after_it():
    assert REFORM.is_known("H51.20", OLD)
    assert not REFORM.is_known("H51.20", NEW)
    assert not REFORM.is_known("H51.31", OLD)
    assert REFORM.tree_on(NEW).is_known("000.00.12.H51")


def test_aliases_and_the_old_form_name_the_same_agency():
    tree = REFORM.tree_on(NEW)
    assert tree.resolve("000.00.12.H51") == "H51.12"
    assert tree.resolve("SO-03") == "H51.12.03"
    assert tree.resolve("000.03.12.H51") == "H51.12.03"
    assert tree.contains("000.00.12.H51", "SO-03")
    assert tree.codes_under("H51.12", ["000.03.12.H51", "SO-03", "H51.31"]) == {
        "H51.12",
        "H51.12.03",
        "000.03.12.H51",
        "SO-03",
    }


def test_an_alias_of_the_present_form_of_an_old_one():
    tree = catalogue(version("H51.12", aliases=("H51.01",))).tree_on(NEW)
    assert tree.resolve("000.00.01.H51") == "H51.12"


def test_unknown_codes_hang_under_the_longest_known_prefix():
    tree = REFORM.tree_on(NEW)
    assert tree.parent("H51.12.03.07") == "H51.12.03"
    assert tree.parent("H51.12.44.07") == "H51.12"
    assert tree.parent("H51.55") == "H51"
    assert tree.parent("nonsense") == "H51"
    assert tree.contains("H51.12", "H51.12.44.07")
    assert not tree.contains("H51.31", "H51.12.44.07")
    assert catalogue().tree_on(NEW).contains("H51", "H51.12")
    assert catalogue().tree_on(NEW).parent("H51.12.03") == "H51"


def test_no_agency_stands_under_the_root():
    tree = REFORM.tree_on(NEW)
    assert tree.contains("H51", None)
    assert not tree.contains("H51.12", None)
    assert tree.branch("H51", None) == "H51"


def test_what_was_abolished_counts_with_what_it_passed_into():
    tree = REFORM.tree_on(NEW)
    assert tree.parent("H51.20.01") == "H51.31"
    assert tree.parent("H51.20") == "H51"  # two successors: above both
    assert tree.parent("H51.20.02") == "H51"  # its successor is unknown
    assert tree.codes_under("H51.31", ["H51.20.01", "H51.20"]) == {"H51.31", "H51.20.01"}
    assert REFORM.tree_on(OLD).parent("H51.20.01") == "H51.20"


def test_successors_are_followed_over_several_steps():
    tree = catalogue(
        version("H51.01", valid_to=date(2020, 1, 1), successors=["H51.02"]),
        version("H51.02", valid_to=date(2022, 1, 1), successors=["H51.03", "H51.01"]),
        version("H51.03"),
        version("H51.03.01", "H51.03"),
    ).tree_on(NEW)
    assert tree.parent("H51.01") == "H51.03"
    both = catalogue(version("H51.01", valid_to=OLD, successors=["H51.03", "H51.03.01"]), version("H51.03"),
                     version("H51.03.01", "H51.03")).tree_on(NEW)  # fmt: skip
    assert both.parent("H51.01") == "H51.03"


def test_the_row_of_a_code():
    tree = REFORM.tree_on(OLD)
    assert tree.branch("H51", "H51.12.03") == "H51.12"
    assert tree.branch("H51", "H51.12.44.09") == "H51.12"
    assert tree.branch("H51", "H51.55") == "H51.55"
    assert tree.branch("H51", "H51") == "H51"
    assert tree.branch("H51.12", "H51.12") == "H51.12"
    assert tree.branch("H51.12", "SO-03") == "H51.12.03"
    assert tree.branch("H51.12", "H51") is None
    assert tree.branch("H51.55", "H51.55") == "H51.55"
    assert tree.branch("H51.55", "H51.12") is None


def test_a_parent_that_is_not_on_the_tree_gives_way_to_the_prefix():
    tree = catalogue(version("H51.20", valid_to=OLD), version("H51.12"), version("H51.12.03", "H51.20")).tree_on(NEW)
    assert tree.parent("H51.12.03") == "H51.12"


def test_versions_follow_each_other():
    moved = catalogue(
        version("H51.12", name="Sở cũ", valid_to=NEW),
        version("H51.12", name="Sở mới", valid_from=NEW),
    )
    assert moved.tree_on(OLD).name("H51.12") == "Sở cũ"
    assert moved.tree_on(NEW).name("H51.12") == "Sở mới"
    assert moved.problems() == []


@pytest.mark.parametrize(
    ("versions", "pointer", "code"),
    [
        ([version("H51.1")], "/0/code", "malformed"),
        ([version("H52.12")], "/0/code", "other_tenant"),
        ([version("H51.12", "H51.11")], "/0/parent", "unknown"),
        ([version("H51", "H51.11"), version("H51.11")], "/0/parent", "root_has_parent"),
        ([version("H51.12", valid_from=NEW, valid_to=OLD)], "/0/valid_to", "before_valid_from"),
        ([version("H51.12", successors=["x"])], "/0/successors/0", "malformed"),
        ([version("H51.12"), version("H51.12")], "/1/valid_from", "duplicate"),
        ([version("H51.12", aliases=("a",)), version("H51.13", aliases=("b", "a"))], "/1/aliases/1", "taken"),
        ([version("H51.12", aliases=("H51.13",)), version("H51.13")], "/0/aliases/0", "taken"),
        ([version("H51.12", "H51.12")], "/0/parent", "cycle"),
        ([version("H51.12", "H51.12.03"), version("H51.12.03")], "/0/parent", "cycle"),
    ],
)
def test_what_a_catalogue_may_not_say(versions, pointer, code):
    problems = catalogue(*versions).problems()
    assert [(problem.pointer, problem.code) for problem in problems] == [(pointer, code)]
    with pytest.raises(InvalidInput):
        catalogue(*versions).check()


def test_a_cycle_on_any_date_is_found():
    turned = catalogue(
        version("H51.12", "H51.13", valid_from=NEW),
        version("H51.12", valid_to=OLD),
        version("H51.13", "H51.12"),
    )
    assert [(problem.pointer, problem.code) for problem in turned.problems()] == [("/0/parent", "cycle")]
    assert turned.tree_on(OLD).cut_off == ()
    tree = turned.tree_on(NEW)
    assert tree.contains("H51", "H51.12")
    assert tree.contains("H51", "H51.13")


def test_a_good_catalogue_has_no_problems():
    REFORM.check()
    other_province = version("H51.12", valid_to=OLD, successors=["H92.12"])
    catalogue(other_province, version("H51.14", "000.00.12.H51")).check()


CODES = [f"H51.{first:02}{rest}" for first in range(4) for rest in ("", ".01", ".02", ".01.03")]


@given(
    st.lists(
        st.builds(
            version,
            st.sampled_from(CODES),
            st.one_of(st.none(), st.sampled_from([*CODES, "H51"])),
            valid_from=st.sampled_from([None, OLD, NEW]),
            valid_to=st.sampled_from([None, OLD]),
            successors=st.lists(st.sampled_from(CODES), max_size=2),
        ),
        max_size=12,
    ),
    st.sampled_from([OLD, NEW]),
)
def test_every_code_has_one_place_below_the_root(versions, on):
    tree = catalogue(*versions).tree_on(on)
    everyone = [*CODES, "H51", "H51.99", "000.01.02.H51"]
    for code in everyone:
        above = tree.ancestors(code)
        assert len(above) == len(set(above))
        assert tree.resolve(code) == "H51" or above[-1] == "H51"
    rows = {code: tree.branch("H51", code) for code in everyone}
    for row in set(rows.values()) - {"H51"}:
        assert row is not None
        assert {code for code in everyone if rows[code] == row} == set(tree.codes_under(row, everyone)) & set(everyone)
    assert set(everyone) <= tree.codes_under("H51", everyone)
