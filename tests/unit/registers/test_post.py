"""Public post, rule by rule (registers.md, section 6)."""

from __future__ import annotations

from typing import Any

import pytest

from shared.registers.post.figures import FIGURE_SET
from shared.vocabulary.events import RecordEvent
from tests.support.registers.records import (
    DOSSIER,
    SmallWorld,
    known,
    known_dossier,
    published,
    rate,
    record,
    sums,
    told,
    voided,
)

ASKED = told("post", "return_requested", "2025-03-03 10:00", address={"digest": "x"})


def item(name: str, at: str, item_no: str = "EA1", **data: Any) -> RecordEvent:
    return told("post", name, at, item_no=item_no, **data)


SENT, BROUGHT = item("dispatched", "2025-03-04 10:00"), item("delivered", "2025-03-06 10:00")
LOST = item("failed", "2025-03-06 10:00", reason="lost")


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([], "not_dispatched"),
        ([item("collected", "2025-03-02 10:00"), item("handed_over", "2025-03-03 08:00")], "not_dispatched"),
        ([SENT], "in_transit"),
        ([SENT, BROUGHT], "delivered"),
        ([SENT, item("failed", "2025-03-06 10:00", reason="absent")], "failed"),
        (
            [SENT, item("failed", "2025-03-05 10:00", reason="lost"), item("dispatched", "2025-03-06 10:00", "EA2")],
            "in_transit",
        ),
        ([SENT, BROUGHT, voided(BROUGHT)], "in_transit"),
        ([SENT, item("delivered", "2025-04-01 00:00")], "in_transit"),
    ],
)
def test_where_a_result_is_on_the_last_day(events: list[RecordEvent], state: str) -> None:
    assert sums(FIGURE_SET, SmallWorld([ASKED, *events]), "2025-03-01", "2025-03-31") == {"requested": 1, state: 1}


def test_what_is_lost_has_failed_too() -> None:
    assert sums(FIGURE_SET, SmallWorld([ASKED, SENT, LOST]), "2025-03-01", "2025-03-31") == {
        "requested": 1, "failed": 1, "lost": 1,
    }  # fmt: skip


def test_the_first_request_gives_the_period() -> None:
    again = told("post", "return_requested", "2025-04-02 10:00")
    world = SmallWorld([ASKED, again])
    assert sums(FIGURE_SET, world, "2025-03-01", "2025-03-31")["requested"] == 1
    assert sums(FIGURE_SET, world, "2025-04-01", "2025-04-30") == {}
    assert sums(FIGURE_SET, SmallWorld([ASKED, again, voided(ASKED)]), "2025-04-01", "2025-04-30")["requested"] == 1


def test_without_a_dossier_a_request_is_nobodys() -> None:
    (unit,) = FIGURE_SET.count(SmallWorld([ASKED]), *[__import__("datetime").date(2025, 3, 3)] * 2)  # type: ignore[arg-type]
    assert (unit.dossier, unit.agency) == (DOSSIER, None)


POSTAL = ("received", "2025-03-03 09:00", {"channel": "postal"})
DIRECT = ("received", "2025-03-03 09:00", {"channel": "direct"})
BY_POST, BY_HAND = (("returned", "2025-03-05 09:00", {"method": method}) for method in ("postal", "direct"))


@pytest.mark.parametrize(
    ("steps", "into", "out", "both"),
    [
        ([POSTAL], (1, 1), (0, 0), (0, 0)),
        ([DIRECT], (0, 1), (0, 0), (0, 0)),
        ([POSTAL, BY_POST], (1, 1), (1, 1), (1, 1)),
        ([POSTAL, BY_HAND], (1, 1), (0, 1), (0, 1)),
        ([DIRECT, BY_POST], (0, 1), (1, 1), (0, 1)),
        ([DIRECT, BY_HAND, ("returned", "2025-03-06 09:00", {"method": "postal"})], (0, 1), (0, 1), (0, 1)),
        ([("received", "2025-02-03 09:00", {"channel": "postal"}), BY_POST], (0, 0), (1, 1), (1, 1)),
        ([POSTAL, ("returned", "2025-04-01 09:00", {"method": "postal"})], (1, 1), (0, 0), (0, 0)),
        ([POSTAL, ("returned", "2025-03-31 23:59", {"method": "postal"})], (1, 1), (1, 1), (1, 1)),
        ([("received", "2025-02-28 09:00"), ("returned", "2025-03-01 00:00", {"method": "postal"})], (0, 0), (1, 1), (0, 1)),
        ([BY_POST], (0, 0), (0, 0), (0, 0)),
        # asked for by hand, returned by post: the deed counts
        ([("received", "2025-03-03 09:00", {"return_method": "direct"}), BY_POST], (0, 1), (1, 1), (0, 1)),
    ],
)
def test_in_and_out_by_post(steps: list[Any], into: tuple[int, int], out: tuple[int, int], both: tuple[int, int]) -> None:
    world = SmallWorld((), {DOSSIER: known_dossier(DOSSIER, *steps)})
    totals = sums(FIGURE_SET, world, "2025-03-01", "2025-03-31")
    assert [rate(FIGURE_SET, totals, f"post.{name}") for name in ("in", "out", "both")] == [into, out, both]


def test_what_the_post_may_carry_the_publication_in_force_at_the_reception_says() -> None:
    def asked(*steps: Any, **item: Any) -> list[tuple[int, int]]:
        world = SmallWorld([published("2025-03-01", **item)], {DOSSIER: known_dossier(DOSSIER, *steps)})
        totals = sums(FIGURE_SET, world, "2025-03-01", "2025-03-31")
        return [rate(FIGURE_SET, totals, f"post.{name}_allowed") for name in ("in", "out")]

    assert asked(POSTAL, BY_POST, post_in=True) == [(1, 1), (0, 0)]
    assert asked(POSTAL, BY_POST, post_out=True) == [(0, 0), (1, 1)]
    assert asked(DIRECT, BY_HAND, post_in=True, post_out=True) == [(0, 1), (0, 1)]
    assert asked(POSTAL, BY_POST) == [(0, 0), (0, 0)]


@pytest.mark.parametrize(
    ("steps", "events", "strange"),
    [
        ([POSTAL], [], {"postal_without_item"}),
        ([DIRECT], [], set()),
        ([POSTAL], [item("handed_over", "2025-03-03 08:59")], set()),
        ([POSTAL], [item("handed_over", "2025-03-03 09:01")], {"received_before_handover"}),
        ([DIRECT], [item("handed_over", "2025-03-03 09:01")], {"received_before_handover"}),
        ([POSTAL], [ASKED, BROUGHT], {"postal_without_item", "delivered_not_dispatched"}),
    ],
)
def test_what_is_strange_is_listed_too(steps: list[Any], events: list[RecordEvent], strange: set[str]) -> None:
    world = SmallWorld(events, {DOSSIER: known_dossier(DOSSIER, *steps)})
    totals = sums(FIGURE_SET, world, "2025-03-01", "2025-03-31")
    assert totals.keys() & {"postal_without_item", "received_before_handover", "delivered_not_dispatched"} == strange


@pytest.mark.parametrize(
    ("events", "anomalies"),
    [
        ([SENT, BROUGHT], []),
        ([BROUGHT], ["delivered_not_dispatched"]),
        ([item("dispatched", "2025-03-04 10:00", "EA2"), BROUGHT], ["delivered_not_dispatched"]),
        ([item("dispatched", "2025-03-07 10:00"), BROUGHT], ["delivered_not_dispatched"]),
        ([SENT, LOST], ["lost"]),
        ([SENT, LOST, item("delivered", "2025-03-09 10:00")], ["lost"]),
    ],
)
def test_anomalies(events: list[RecordEvent], anomalies: list[str]) -> None:
    assert list(record(*events).anomalies) == anomalies


def test_the_fee_of_the_post_is_told_once_an_item() -> None:
    collected = [item("collected", f"2025-03-02 1{hour}:00", no, fee_vnd=fee) for hour, no, fee in
                 ((0, "EA1", 20_000), (1, "EA1", 25_000), (2, "EA2", 5_000))]  # fmt: skip
    assert known(*collected).facts["fee_vnd"] == 30_000
