"""When the platform is asked, when a payment was made, and that the same words are the same event."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from shared.payment_platform.rules.inquiries import PaymentState, Queried, coded, event_id, paid_at, pause_after
from shared.vocabulary.local_time import LOCAL_ZONE


def at(hour: int, minute: int = 0, day: int = 1) -> datetime:
    return datetime(2026, 12, day, hour, minute, tzinfo=LOCAL_ZONE)


@pytest.mark.parametrize(
    ("told", "initiated", "now", "paid"),
    [
        (at(13, 5), at(13), at(13, 6), at(13, 5)),  # as it should be
        (at(1, 5), at(13), at(13, 6), at(13, 5)),  # the hour written in twelve
        (at(12, 10), at(0, 5), at(0, 11), at(0, 10)),  # ten past midnight
        (at(13, 5), at(13), at(13, 5, day=3), at(13, 5)),  # late
        (at(1, 5), None, at(13, 6), at(1, 5)),  # nobody has told yet when it began: as it is told
        (at(13, 5), None, at(1, 6), at(1, 5)),
        (at(12, 58), at(13), at(13, 6), at(12, 58)),  # clocks differ by some minutes
        (at(9), at(13), at(13, 6), at(13, 6)),  # no reading of it is possible
        (at(9, day=9), at(13), at(13, 6), at(13, 6)),
    ],
)
def test_when_a_payment_was_made(told: datetime, initiated: datetime | None, now: datetime, paid: datetime) -> None:
    assert paid_at(told, initiated, now) == paid


def test_pauses_double_up_to_six_hours() -> None:
    assert [pause_after(n) / timedelta(hours=1) for n in (1, 2, 3, 4, 5, 6, 500)] == [0.5, 1, 2, 4, 6, 6, 6]


def test_the_same_words_are_the_same_event() -> None:
    assert event_id("result", ["00", "dvc1"]) == event_id("result", ["00", "dvc1"])
    assert event_id("result", ["00", "dvc1"]) != event_id("result", ["05", "dvc1"])
    assert event_id("result", ["00", "dvc1"]) != event_id("query", ["00", "dvc1"])
    assert len(event_id("result", ["00"])) < 100


def test_an_answer_names_only_what_it_has() -> None:
    assert Queried(PaymentState.PENDING).data == {"state": 3}
    assert Queried(PaymentState.SUCCEEDED, 50000, "NP1").data == {"state": 1, "amount_vnd": 50000, "gateway_txn": "NP1"}


def test_a_code_that_looks_like_a_person_gets_letters() -> None:
    assert [coded(text) for text in ("", "NP2612010001", "0912345678", "001099012345")] == [
        None,
        "NP2612010001",
        "GD0912345678",
        "GD001099012345",
    ]
