"""The index set as data and its points, with the published observations of rules, section 8."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import date
from fractions import Fraction

import pytest

from shared.index766.rules import indicators
from shared.index766.rules.indicators import (
    GIVEN_INDICATORS,
    RULES,
    FigureOrigin,
    Group,
    IndicatorCounts,
    ProcedureFacts,
    Share,
    measured,
    online_points,
    points,
    rules_on,
    scored,
    sync_denominator,
    two_decimals,
)
from shared.settings import Settings
from shared.vocabulary.periods import Period, parse_period

RULE = {rule.id: rule for rule in RULES}
ONLINE = online_points(Settings.model_fields["index_online_points"].default)


def score(indicator: str, numerator: int, denominator: int) -> tuple[str | None, str | None]:
    rule = RULE[indicator]
    share = Share(numerator, denominator)
    found = points(rule, share, rule.max_points or 0)
    return share.percent, None if found is None else two_decimals(found)


@pytest.mark.parametrize(
    ("indicator", "numerator", "denominator", "value", "found"),
    [
        ("5.4", 144_574, 184_513, "78.35", "5.22"),
        ("5.2", 182, 247, "73.68", "4.42"),
        ("5.3", 137, 247, "55.47", "3.33"),
    ],
)
def test_the_published_observations(indicator, numerator, denominator, value, found):
    assert score(indicator, numerator, denominator) == (value, found)


def test_at_or_over_the_threshold_it_scores_in_full():
    assert score("3.5", 8, 10) == ("80.00", "2.00")
    assert score("3.5", 10, 10) == ("100.00", "2.00")
    assert score("3.5", 4, 10) == ("40.00", "1.00")
    assert score("2.1", 86, 99) == ("86.87", "17.37")
    assert score("2.1", 0, 99) == ("0.00", "0.00")


@pytest.mark.parametrize(
    ("indicator", "found"),
    [("5.4", "0.00"), ("5.2", "6.00"), ("5.3", "6.00"), ("1.4", "0.00"), ("2.1", None), ("4.1", None)],
)
def test_empty_denominators(indicator, found):
    assert score(indicator, 0, 0) == (None, found)


def test_the_set_has_100_points_by_group():
    found = dict.fromkeys(Group, 0)
    for one in scored(date(2026, 1, 1), ONLINE, {}, {}):
        found[one.rule.group] += one.max_points
    assert list(found.values()) == [18, 20, 12, 10, 22, 18]


def test_the_online_points_are_configuration():
    assert online_points("4,4,4") == {"3.1": 4, "3.2": 4, "3.3": 4}
    for wrong in ("12", "4,4,5", "13,-1,0", "a,b,c"):
        with pytest.raises(ValueError):
            online_points(wrong)
        with pytest.raises(ValueError):
            Settings(index_online_points=wrong)


def test_no_data_until_given():
    found = {one.rule.id: one for one in scored(date(2026, 1, 1), ONLINE, {}, {"5.2": Share(182, 247), "2.1": Share(1, 1)})}
    assert found["5.3"].standing is FigureOrigin.NO_DATA
    assert found["5.3"].points is None
    assert found["5.2"].standing is FigureOrigin.GIVEN
    assert (found["2.1"].standing, found["2.1"].share) == (FigureOrigin.COMPUTED, None)


def test_the_whole_of_5_4_goes_before_the_dossier_part():
    found = {one.rule.id: one for one in scored(date(2026, 1, 1), ONLINE, {"5.4": Share(9, 10)}, {})}["5.4"]
    assert (found.standing, found.points) == (FigureOrigin.COMPUTED, 6)
    found = {one.rule.id: one for one in scored(date(2026, 1, 1), ONLINE, {"5.4": Share(9, 10)}, {"5.4": Share(45, 100)})}[
        "5.4"
    ]
    assert (found.standing, found.points) == (FigureOrigin.GIVEN, 3)


def test_formulas_are_versioned_by_date():
    assert {rule.valid_from for rule in rules_on(date(2018, 1, 1))} == {date(2022, 6, 23)}  # the first, before there was any
    assert RULE["2.1"].formula == "766.2.1/1"
    assert len({rule.formula for rule in RULES}) == len(RULES)


def test_a_version_is_valid_from_its_first_day_on(monkeypatch):
    first = RULE["5.2"]
    second = replace(first, version=2, valid_from=date(2026, 7, 1), max_points=4)
    monkeypatch.setattr(indicators, "RULES", (*RULES, second))
    versions = {on: {rule.id: rule.version for rule in rules_on(on)}["5.2"] for on in (date(2026, 6, 30), date(2026, 7, 1))}
    assert list(versions.values()) == [1, 2]
    assert second.formula == "766.5.2/2"


def test_what_others_give():
    others = {"1.1", "1.2", "1.3", "3.1", "3.2", "4.6", "5.1a", "5.1b", "5.2", "5.3"}
    assert others | {"5.4", "1.4"} == set(GIVEN_INDICATORS)


def test_one_dossier_makes_a_procedure_and_none_does_not():
    assert set(asdict(IndicatorCounts()).values()) == {0}
    assert asdict(IndicatorCounts(received=2, late=1) + IndicatorCounts(received=3)) == asdict(
        IndicatorCounts(received=5, late=1)
    )
    one = {
        FEE: IndicatorCounts(received=1, charged=1, paid_online=1, verified=1),
        BOTH: IndicatorCounts(),
        None: IndicatorCounts(received=1),
    }
    found = measured(one, TRAITS)
    shares = {key: (found[key].numerator, found[key].denominator) for key in ("3.5", "3.5b", "4.5a")}
    assert shares == {"3.5": (1, 2), "3.5b": (1, 1), "4.5a": (1, 1)}
    assert measured({}, {})["3.3"].factor == 0


def test_1_4_divides_by_the_larger_count_else_by_last_years():
    month, quarter, year = parse_period("2026-02"), parse_period("2026-Q1"), parse_period("2026")
    assert sync_denominator(10, None, 120, month) == 10
    assert sync_denominator(10, 12, 120, month) == 12
    assert [sync_denominator(0, 0, 120, period) for period in (month, quarter, year)] == [10, 30, 120]
    assert sync_denominator(0, None, 1, month) == 1  # rounded up: not none
    assert sync_denominator(0, 0, 0, month) == 0
    assert sync_denominator(0, 0, 365, Period(date(2026, 1, 1), date(2026, 1, 7))) == 7


FEE, PAPER, BOTH, NEITHER = "1.000001", "1.000002", "1.000003", "1.000004"
TRAITS = {
    FEE: ProcedureFacts(has_fee=True),
    PAPER: ProcedureFacts(result_is_document=True),
    BOTH: ProcedureFacts(True, True),
    NEITHER: ProcedureFacts(),
}


def test_3_3_counts_online_with_an_electronic_result_where_that_is_a_document_times_the_sync_rate():
    found = measured(
        {
            FEE: IndicatorCounts(received=10, online=6, synced=5),
            PAPER: IndicatorCounts(received=10, online=8, online_linked=3, linked=4, synced=10),
        },
        TRAITS,
    )["3.3"]
    assert (found.numerator, found.denominator, found.factor) == (9, 20, Fraction(15, 20))
    assert found.percent == "33.75"
    assert points(RULE["3.3"], found, 12) == Fraction(27, 80) * 2 * 12


def test_payment():
    found = measured(
        {
            FEE: IndicatorCounts(received=10, charged=4, uncharged=3, paid_online=3, paid_online_charged=2),
            BOTH: IndicatorCounts(received=5),
            NEITHER: IndicatorCounts(received=7, charged=2, paid_online=2, paid_online_charged=2),
        },
        TRAITS,
    )
    assert (found["3.5"].numerator, found["3.5"].denominator) == (1, 2)
    assert (found["3.5b"].numerator, found["3.5b"].denominator) == (1, 2)
    assert (found["3.6"].numerator, found["3.6"].denominator) == (2, 12)


def test_digitisation():
    found = measured(
        {
            FEE: IndicatorCounts(received=10, digitised=5, reused=2, from_store=1, verified=3, linked=9),
            PAPER: IndicatorCounts(received=10, digitised=6, digitised_linked=4, linked=7),
            None: IndicatorCounts(received=5, verified=1),
        },
        TRAITS,
    )
    expected = {"4.1": (7, 10), "4.2": (9, 25), "4.3": (2, 25), "4.4": (1, 25), "4.5a": (1, 2), "4.5b": (4, 25)}
    assert {key: (found[key].numerator, found[key].denominator) for key in expected} == expected


def test_progress_and_satisfaction():
    found = measured({FEE: IndicatorCounts(in_hand=99, late=13, late_or_disliked=20)}, TRAITS)
    assert (found["2.1"].percent, found["5.4"].numerator) == ("86.87", 79)
