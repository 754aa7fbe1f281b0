"""Examples worked out by hand from docs/rules.md sections 6 and 7; they pin the oracle itself. Clock as in
`examples`: May 2022, local time."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings

from tests.oracle.comparison import figure_differences
from tests.oracle.computation import compute
from tests.oracle.examples import RECEIVED, logged, may, of
from tests.oracle.figures import (
    dossiers_behind,
    effective_to,
    identities,
    in_subtree,
    overdue_on,
    places,
    rounded,
    scope,
    summary,
)
from tests.oracle.histories import seeded_tenant, tenants

OPEN = {"open.total", "open.within"}
LATE = {"open.total", "open.overdue"}
NEW = {"received.total", "received.new.total", "received.new.direct"}
CARRIED = {"received.total", "received.carried_over"}


def test_an_open_dossier_is_new_then_carried_over_and_late_after_its_day():
    dossier = of(RECEIVED)  # 12 May, due 16 May
    assert places(dossier, may(1), may(11)) == set()
    assert places(dossier, may(12), may(12)) == NEW | OPEN
    assert places(dossier, may(1), may(31)) == NEW | LATE
    assert places(dossier, may(13), may(16)) == CARRIED | OPEN
    assert places(dossier, may(13), may(17)) == CARRIED | LATE
    assert [overdue_on(dossier, may(day)) for day in (11, 16, 17)] == [False, False, True]


@pytest.mark.parametrize(("channel", "path"), [("online", "online"), ("direct", "direct"), ("postal", "postal")])
def test_channels_apart(channel, path):
    dossier = of(logged("received", "12 08:00", channel=channel))
    assert places(dossier, may(12), may(12)) == {"received.total", "received.new.total", f"received.new.{path}"} | OPEN


@pytest.mark.parametrize(
    ("ended", "kind"),
    [("15 23:59", "early"), ("16 00:00", "on_time"), ("16 23:59", "on_time"), ("17 00:00", "late")],
)
def test_an_ended_dossier_is_classed_by_date(ended, kind):
    dossier = of(RECEIVED, logged("processed", ended))
    assert places(dossier, may(1), may(31)) == NEW | {"resolved.total", f"resolved.{kind}"}


def test_an_ended_dossier_on_both_sides_of_its_end():
    dossier = of(RECEIVED, logged("processed", "20 08:00"))
    assert places(dossier, may(12), may(15)) == NEW | OPEN
    assert places(dossier, may(18), may(19)) == CARRIED | LATE
    assert places(dossier, may(20), may(20)) == CARRIED | {"resolved.total", "resolved.late"}
    assert places(dossier, may(21), may(31)) == set()


def test_no_due_date_is_on_time_and_within():
    bare = logged("received", "12 08:00")
    assert places(of(bare), may(12), may(31)) == NEW | OPEN
    ended = of(bare, logged("processed", "30 08:00"))
    assert places(ended, may(13), may(31)) == CARRIED | {"resolved.total", "resolved.on_time"}


@pytest.mark.parametrize("name", ["withdrawn", "stopped"])
def test_withdrawn_and_stopped_are_classed_and_stand_beside(name):
    dossier = of(RECEIVED, logged(name, "17 08:00"))
    assert places(dossier, may(17), may(17)) == CARRIED | {"resolved.total", "resolved.late", f"resolved.{name}"}


def test_paused_is_within_whatever_the_date():
    dossier = of(RECEIVED, logged("supplement_requested", "17 08:00"), logged("supplemented", "20 08:00"))
    assert places(dossier, may(16), may(16)) == CARRIED | OPEN
    assert places(dossier, may(17), may(17)) == CARRIED | OPEN | {"open.paused"}
    assert places(dossier, may(19), may(19)) == CARRIED | OPEN | {"open.paused"}
    assert places(dossier, may(20), may(20)) == CARRIED | LATE


def test_the_date_at_the_end_of_the_period_counts_for_the_open():
    dossier = of(
        RECEIVED,
        logged("extended", "16 08:00", new_due_at="20 17:00"),
        logged("extended", "20 09:00", new_due_at="25 17:00"),
        logged("processed", "24 08:00"),
    )
    assert places(dossier, may(1), may(15)) == NEW | OPEN  # due 16
    assert places(dossier, may(1), may(19)) == NEW | OPEN  # due 20
    assert places(dossier, may(1), may(23)) == NEW | OPEN  # due 25, also where the dossier ended later
    assert places(dossier, may(24), may(24)) == CARRIED | {"resolved.total", "resolved.early"}


def test_a_rework_takes_the_first_end_back():
    dossier = of(RECEIVED, logged("processed", "13 08:00"), logged("assigned", "14 08:00"), logged("processed", "18 08:00"))
    assert places(dossier, may(13), may(13)) == CARRIED | OPEN
    assert places(dossier, may(18), may(18)) == CARRIED | {"resolved.total", "resolved.late"}


def test_a_date_set_after_the_end_changes_nothing():
    dossier = of(RECEIVED, logged("processed", "15 08:00"), logged("extended", "15 09:00", new_due_at="15 17:00"))
    assert places(dossier, may(15), may(15)) == CARRIED | {"resolved.total", "resolved.early"}


def test_never_received_is_in_no_figure():
    dossier = of(logged("submitted", "12 08:00"), logged("processed", "13 08:00"))
    assert places(dossier, may(1), may(31)) == set()


def test_the_local_day_counts_not_the_utc_one():
    dossier = of(logged("received", "12 00:00", due_at="16 00:00"), logged("processed", "17 00:00"))
    assert places(dossier, may(12), may(12)) == NEW | OPEN
    assert "resolved.late" in places(dossier, may(17), may(17))
    assert "open.within" in places(dossier, may(16), may(16))


def small_tenant():
    lines = [("A", "H51.12", "online", "13 08:00"), ("B", "H51.12.03", "direct", "18 08:00")]
    lines += [("C", "H51.12.03", "postal", None), ("D", "H51.1", "direct", None)]
    events = []
    for number, (name, agency, channel, ended) in enumerate(lines):
        code = f"H51-220512-000{number}"
        events.append(
            logged(
                "received",
                "12 08:00",
                name,
                code=code,
                agency_code=agency,
                channel=channel,
                procedure_code=f"1.00000{number}",
                due_at="16 17:00",
            )
        )
        if ended:
            events.append(logged("processed", ended, f"{name}-", code=code))
    return compute(events)


def test_a_summary_by_hand():
    answer = summary(small_tenant().values(), may(1), may(31))
    assert answer["received"] == {
        "total": 4,
        "new": {"total": 4, "online": 1, "direct": 2, "postal": 1},
        "carried_over": 0,
    }
    assert answer["resolved"] == {"total": 2, "early": 1, "on_time": 0, "late": 1, "withdrawn": 0, "stopped": 0}
    assert answer["open"] == {"total": 2, "within": 0, "overdue": 2, "paused": 0}
    assert {key: rate["value"] for key, rate in answer["rates"].items()} == {
        "resolved_on_time": "50.00",
        "index_on_time": "25.00",
        "on_time_of_received": "25.00",
        "open_within": "0.00",
    }
    assert all(check["holds"] for check in answer["checks"])
    assert figure_differences(answer, answer) == []


def test_scopes_by_hand():
    tenant = small_tenant().values()

    def total(**filters):
        return summary(tenant, may(1), may(31), scope(**filters))["received"]["total"]

    assert (total(agency="H51"), total(agency="H51.12"), total(agency="H51.12.03"), total(agency="H51.1")) == (4, 3, 2, 1)
    assert (total(channel="postal"), total(procedures=["1.000000", "1.000003"]), total(channel="fax")) == (1, 2, 0)
    assert in_subtree("H51", None)
    assert not in_subtree("H51.12", None)


def test_rounding_is_half_up_on_exact_integers():
    assert rounded(86, 99) == "86.87"
    assert rounded(1, 800) == "0.13"  # 0.125
    assert rounded(1, 1) == "100.00"
    assert rounded(0, 7) == "0.00"
    assert rounded(0, 0) is None
    assert rounded(144_574, 184_513) == "78.35"
    assert rounded(182, 247) == "73.68"


def test_a_period_that_has_not_ended_ends_today():
    assert effective_to(may(31), may(12)) == may(12)
    assert effective_to(may(1), may(12)) == may(1)


def hold_identities(events, starts, lengths):
    dossiers = compute(events).values()
    for start in starts:
        for length in lengths:
            to = start + timedelta(days=length)
            behind = dossiers_behind(dossiers, start, to, lambda _dossier: True)
            assert all(identities({path: len(found) for path, found in behind.items()}).values())
            after = dossiers_behind(dossiers, to + timedelta(days=1), to + timedelta(days=1), lambda _dossier: True)
            assert behind["open.total"] == after["received.carried_over"]


@given(tenants())
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_identities_hold_of_any_history(events):
    hold_identities(events, [date(2018, 12, 31), date(2022, 5, 14)], [0, 1, 400])


def test_the_identities_hold_of_a_messy_tenant():
    hold_identities(seeded_tenant("identities", 300), [date(2018, 12, 30), date(2022, 5, 14)], [0, 2, 365])
