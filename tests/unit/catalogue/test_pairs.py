"""Pairs of a competent agency and the desk that received for it: where they stand, who sees them, who counts them."""

from __future__ import annotations

from datetime import date

import pytest

from shared.access.store.visibility import Access
from shared.catalogue.rules.agency_tree import AgencyCatalogue, AgencyVersion
from shared.catalogue.store.catalogues import Catalogue
from shared.counting.rules.branches import branches_of
from shared.figures.store.agency_rows import AgencyRows
from shared.vocabulary.codes import agency_pair, competent_agency, is_pair, present_form, receiving_agency, tenant_of_agency
from shared.vocabulary.errors import Forbidden, InvalidInput
from shared.vocabulary.events import AgencyCode, Tenant

TODAY = date(2026, 8, 5)
ROOT, SENIOR, DESK = AgencyCode("H51"), AgencyCode("H51.12"), AgencyCode("H51.13")
PAIR = "H51.12.01~H51.13.01"
SEEN = ("H51.12", "H51.12.01", PAIR, "H51.13~H51.12", "H51.99~H51.98")


@pytest.fixture
def catalogue() -> Catalogue:
    versions = [AgencyVersion(code=AgencyCode(code), name=code, parent=ROOT) for code in ("H51.12", "H51.13")]
    versions += [
        AgencyVersion(code=AgencyCode(f"{code}.01"), name=code, parent=AgencyCode(code)) for code in ("H51.12", "H51.13")
    ]
    return Catalogue(AgencyCatalogue(Tenant("H51"), versions), {}, SEEN)


def test_a_pair_is_made_where_the_two_are_apart() -> None:
    assert agency_pair("H51.12", "H51.13") == "H51.12~H51.13"
    for same in (None, "H51.12", "000.00.12.H51"):
        assert agency_pair("H51.12", same) == "H51.12"
    assert (competent_agency(PAIR), receiving_agency(PAIR), is_pair(PAIR)) == ("H51.12.01", "H51.13.01", True)
    assert (competent_agency("H51.12"), receiving_agency("H51.12"), is_pair("H51.12")) == ("H51.12", "H51.12", False)


def test_it_stands_where_its_competent_agency_does(catalogue: Catalogue) -> None:
    assert (present_form(PAIR), tenant_of_agency(PAIR)) == ("H51.12.01", "H51")
    assert present_form("000.01.12.H51~H51.13") == "H51.12.01"
    assert branches_of(PAIR) == branches_of("H51.12.01") == ["H51.12"]
    tree = catalogue.tree_on(TODAY)
    assert (tree.branch("H51", PAIR), tree.desk_row("H51", PAIR), tree.desk_row("H51.12", PAIR)) == (
        SENIOR,
        DESK,
        "H51.13.01",
    )
    assert catalogue.codes_under(SENIOR, TODAY) == {"H51.12", "H51.12.01", PAIR}
    assert catalogue.codes_received_by(SENIOR, TODAY) == {"H51.12", "H51.12.01", "H51.13~H51.12"}
    assert catalogue.knows("H51.98")
    assert not catalogue.knows("H51.97")


def test_keys_of_both_see_it_and_one_counts_it(catalogue: Catalogue) -> None:
    for root, sees in (
        (None, True),
        (SENIOR, True),
        (DESK, True),
        (AgencyCode("H51.12.01"), True),
        (AgencyCode("H51.14"), False),
    ):
        access = Access.of(catalogue, root, TODAY)
        codes = access.codes()
        assert access.sees(PAIR) is sees
        assert (codes is None or PAIR in codes) is sees
    desk = Access.of(catalogue, DESK, TODAY)
    assert desk.own_codes() == {"H51.13", "H51.13.01", "H51.13~H51.12"} == desk.codes_within(None)
    assert desk.codes() == {"H51.13", "H51.13.01", "H51.13~H51.12", PAIR}


def test_a_pair_is_no_agency_to_ask_for(catalogue: Catalogue) -> None:
    for root in (None, SENIOR):
        with pytest.raises(InvalidInput):
            Access.of(catalogue, root, TODAY).scope("H51.12~H51.13")


def test_whose_desk_may_be_anybody_of_the_province(catalogue: Catalogue) -> None:
    whole, restricted = Access.of(catalogue, None, TODAY), Access.of(catalogue, SENIOR, TODAY)
    assert whole.desk("H51.13") == restricted.desk("H51.13") == DESK
    assert restricted.desk("H51.77") == "H51.77", "whether there is one is not told"
    with pytest.raises(InvalidInput):
        whole.desk("H51.77")
    for access in (whole, restricted):
        with pytest.raises(Forbidden):
            access.desk("G09.01")
        with pytest.raises(InvalidInput):
            access.desk("Xã B")


def test_rows_of_desks(catalogue: Catalogue) -> None:
    rows = AgencyRows.of(Access.of(catalogue, None, TODAY), SENIOR, TODAY, of_desks=True)
    assert [rows.key(code) for code in ("H51.12", "H51.12.01", PAIR, "H51.12~H51.77", None)] == [
        "H51.12",
        "H51.12.01",
        "H51.13.01",
        "H51.77",
        "unknown",
    ]
    whole = AgencyRows.of(Access.of(catalogue, None, TODAY), None, TODAY, of_desks=True)
    assert [whole.key(code) for code in (PAIR, "H51.99~H51.98")] == ["H51.13", "unknown"]
