from datetime import date

import pytest

from shared.vocabulary.codes import (
    date_in_code,
    is_agency_code,
    is_dossier_code,
    is_old_agency_code,
    is_tenant,
    present_form,
    tenant_of_agency,
    tenant_of_dossier,
)


@pytest.mark.parametrize(
    "code",
    [
        "000.00.04.H51-200221-0001",
        "H51.12-220512-0003",
        "G09.20-20260609-0092637",
        "H51-220512-0003",
        "H51.12.003.04-220512-0003",
    ],
)
def test_dossier_codes(code):
    assert is_dossier_code(code)


@pytest.mark.parametrize(
    "code",
    [
        "", "H51.12-220512-003", "H51.12-220512-00000003", "H51.12-2205123-0003", "Z51.12-220512-0003", "h51.12-220512-0003",
        "H51.1-220512-0003", "H51.12.12.12.12-220512-0003", "H51.12-220512-0003\n", " H51.12-220512-0003",
        "H51.12-22051٢-0003", "00.00.04.H51-200221-0001",
    ],
)  # fmt: skip
def test_no_dossier_codes(code):
    assert not is_dossier_code(code)


def test_agency_codes():
    assert is_agency_code("H51")
    assert is_agency_code("H51.12.003")
    assert not is_agency_code("000.00.12.H51")
    assert not is_agency_code("H51.12\n")
    assert is_old_agency_code("000.00.12.H51")
    assert not is_old_agency_code("H51.12")
    assert is_tenant("H51")
    assert not is_tenant("H51.12")


@pytest.mark.parametrize(
    ("logged", "present"),
    [
        ("000.00.12.H51", "H51.12"),
        ("000.00.00.H51", "H51"),
        ("000.03.12.H51", "H51.12.03"),
        ("101.03.12.H51", "H51.12.03.101"),
        ("101.00.12.H51", "H51.12.00.101"),
        ("H51.12", "H51.12"),
        ("nonsense", "nonsense"),
    ],
)
def test_the_old_right_to_left_form_names_the_same_agency(logged, present):
    assert present_form(logged) == present


def test_tenants():
    assert tenant_of_agency("H51.12.03") == "H51"
    assert tenant_of_agency("000.00.12.H51") == "H51"
    assert tenant_of_dossier("000.00.04.H51-200221-0001") == "H51"
    assert tenant_of_dossier("G09.20-20260609-0092637") == "G09"


@pytest.mark.parametrize(
    ("code", "on"),
    [
        ("H51.12-220512-0003", date(2022, 5, 12)),
        ("H51.12-20220512-0003", date(2022, 5, 12)),
        ("000.00.04.H51-200221-0001", date(2020, 2, 21)),
        ("H51.12-991231-0003", date(2099, 12, 31)),
        ("H51.12-220230-0003", None),
        ("H51.12-000000-0003", None),
        ("H51.12-00000101-0003", None),
        ("H51.12-20211301-0003", None),
        ("no code", None),
    ],
)
def test_the_date_in_a_code(code, on):
    assert date_in_code(code) == on
