"""Published tables as given: what they break, what is quoted, and the published figures of the sample to the digit."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import services.sample
from services.api.registers.given_schemas import GivenTableIn, beside_answer, table_answer
from shared.register_figures.rules.given_tables import GivenTable, breaks, given_rates
from shared.register_figures.rules.sums import Sums
from shared.registers.figure_sets import FIGURE_SETS
from shared.vocabulary.periods import Period

FILES = sorted((Path(services.sample.__file__).parent / "given").glob("*.json"))
FEEDBACK = FIGURE_SETS["feedback"]


def table(register: str = "feedback", **figures: int | str) -> GivenTable:
    day = date(2022, 12, 31)
    return GivenTable("t", register, "UBND", day, Period(date(2022, 1, 1), day), "…", figures)


def sample(name: str) -> dict[str, Any]:
    file = next(one for one in FILES if one.stem == name)
    told = GivenTableIn.model_validate_json(file.read_bytes())
    return json.loads(json.dumps(table_answer(told.to_domain(file.stem)), default=str))


def test_an_identity_is_checked_where_all_its_ids_are_given() -> None:
    assert list(breaks(FEEDBACK, table(f1=5, f2=2))) == []
    (broken,) = breaks(FEEDBACK, table(f1=5, f2=2, f3=2))
    assert (broken.identity, broken.left, broken.right) == ("f1=f2+f3", 5, 4)
    (more,) = breaks(FEEDBACK, table(f6=1, f8=2))
    assert more.identity == "f8<=f6"
    assert list(breaks(FEEDBACK, table(f6=2, f8=1))) == []


def test_what_is_quoted_is_in_no_sum() -> None:
    one = table(f1=5, f2="2", f3=4)
    assert list(breaks(FEEDBACK, one)) == []
    assert one.quoted == ["f2"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_published_tables_break_nothing(file: Path) -> None:
    assert sample(file.stem)["breaks"] == []


def test_published_rates_come_out_to_the_digit() -> None:
    feedback = sample("soctrang_2022_feedback")["rates"]
    assert {name: feedback[name]["value"] for name in ("fb.handled", "fb.published")} == {
        "fb.handled": "100.00",
        "fb.published": "100.00",
    }
    payments = sample("soctrang_2022_payments")
    assert payments["rates"]["pay.success"] == {
        "value": "46.85",
        "numerator": 260,
        "denominator": 555,
        "formula": "pay.success/1",
    }
    assert payments["rates"]["pay.success.land"]["value"] == "53.73"
    assert (payments["figures"]["land.p5"], payments["figures"]["total.p5"]) == (271_954_550, "139.870.00 đồng")
    assert "total.p5" in payments["quoted"]
    services_ = sample("soctrang_2022_catalogue")
    assert services_["rates"]["svc.integrated"]["value"] == "59.38"
    # the whole of which these are parts is not printed: the rates stay quoted
    assert not {"svc.rate.3", "svc.rate.4"} & services_["rates"].keys()


def test_reviews_are_as_printed() -> None:
    figures = sample("soctrang_2022_reviews")["figures"]
    assert (figures["reviewed"], figures["proposed"], figures["saving_vnd"]) == (10, 12, 198_591_059)
    one = sample("review_2.000635_2025")["figures"]
    saved = one["cost_per_time_before_vnd"] - one["cost_per_time_after_vnd"]
    assert saved * one["persons"] == one["saving_vnd"]
    assert round(saved * 100 / one["cost_per_time_before_vnd"], 2) == 77.44
    process = sample("process_1.012994_2025")["figures"]
    assert process["process_hours"] == process["process_days"] * 8 == 4 + 4 + 112 + 24 + 16 + 8


def test_beside_ours_stands_the_formula_of_ours() -> None:
    ours = Sums({"f1": 60, "f6": 30})
    figures = beside_answer(FEEDBACK, table(**{"f1": 65, "fb.handled": "100%", "else": 3}), ours)["figures"]
    assert figures == {
        "f1": {"given": 65, "quoted": None, "ours": 60, "rate": None, "formula": "feedback.f1/1"},
        "fb.handled": {"given": None, "quoted": "100%", "ours": None, "rate": "50.00", "formula": "fb.handled/1"},
        "else": {"given": 3, "quoted": None, "ours": None, "rate": None, "formula": None},
    }


def test_our_rates_of_its_numbers_need_both_parts_and_no_more() -> None:
    assert {name: rate.value for name, rate in given_rates(FEEDBACK, table(f1=65, f6=65)).items()} == {
        "fb.handled": "100.00"
    }
    assert given_rates(FEEDBACK, table(f1=65)) == {}
