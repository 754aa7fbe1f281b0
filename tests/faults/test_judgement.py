"""The oracle of the campaign finds what it should: each promise is broken once in what it is given."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.faults.load import Book, flat
from tests.faults.oracle import Verdict, _judge_log, _order, _portal, _said, calls_bounded, versions_backwards
from tests.faults.proxy import Proxy
from tests.faults.report import Outcome, Report
from tests.oracle.computation import compute
from tests.oracle.histories import Event
from tests.oracle.stack import identity
from tests.system.end_to_end import steps_of, tidy_lives

FIELDS = ("TrangThaiHoSo", "MaTTHC", "NgayTiepNhan", "NgayHenTra", "NgayKetThucXuLy")


def logged(events: list[Event]) -> list[dict[str, Any]]:
    return [
        {"position": n, "recorded_at": f"2026-01-01T00:00:{n:02}Z", "event": event}
        for n, event in enumerate(events, start=1)
    ]


def booked(life: list[Event]) -> Book:
    book = Book(lives=[[identity(event) for event in life]])
    for position, event in enumerate(life, start=1):
        book.sent(event)
        book.receipt(event, {"status": "accepted", "position": position})
    return book


def log_rows(items: list[dict[str, Any]], book: Book) -> tuple[Verdict, list[str]]:
    verdict = Verdict()
    _judge_log(items, book, verdict)
    return verdict, [*verdict.rows, *_order(items, book)]


def test_log_and_positions() -> None:
    (life,) = tidy_lives(3, 1)
    items = logged(life)
    assert log_rows(items, booked(life)) == (Verdict(), [])

    verdict, rows = log_rows(items[:-1], booked(life))
    assert verdict.lost == 1
    assert len(rows) == 1
    verdict, rows = log_rows(logged([*life, life[0]]), booked(life))
    assert verdict.doubled == 1
    assert any("2 times" in row for row in rows)
    (other,) = tidy_lives(4, 1, after=1)
    assert any("told by nobody" in row for row in log_rows(logged([*life, other[0]]), booked(life))[1])
    hole = [item | {"position": item["position"] + (item["position"] > 1)} for item in items]
    assert any("positions are not" in row for row in log_rows(hole, booked(life))[1])
    swapped = logged([life[1], life[0], *life[2:]])
    assert any("in order" in row for row in log_rows(swapped, booked(life))[1])

    unknown = Book()
    unknown.sent(life[0])
    assert log_rows(logged(life[:1]), unknown)[1] == log_rows([], unknown)[1] == [], "in the log or not"
    unknown.receipt(life[0], {"status": "HTTP 422"})
    assert any("refused" in row for row in log_rows(logged(life[:1]), unknown)[1])
    contradicting = booked(life)
    contradicting.receipt(life[0], {"status": "duplicate", "position": 9})
    assert any("acknowledged at 1 and at 9" in row for row in log_rows(items, contradicting)[1])


def held_by_portal(life: list[Event]) -> dict[str, Any]:
    """What a perfect portal holds of a dossier after it was told each state once."""
    code = life[0]["subject"]
    versions = [
        dict(zip(FIELDS, _said(compute(life[: n + 1])[code]), strict=True)) | {"same_as_before": False}
        for n in range(len(life))
    ]
    whole = compute(life)[code]
    returned = [event for event in whole.events if event.name == "returned"]
    steps = [
        {"ThoiDiemXuLy": at, "TrangThai": status, "NguoiXuLy": officer, "repeats": 0}
        for at, status, officer in steps_of(whole)
    ]
    last = steps[-1]["ThoiDiemXuLy"] if returned else ""
    return {"MaHoSo": code, "NgayTra": last, "versions": versions, "progress": steps} | {
        name: versions[-1][name] for name in FIELDS
    }


def portal_rows(life: list[Event], held: dict[str, Any], ambiguous: int = 0) -> tuple[Verdict, list[str]]:
    verdict = Verdict(ambiguous=ambiguous)
    code = life[0]["subject"]
    return verdict, _portal(compute(life), logged(life), {code: held}, {code}, verdict)


def long_life() -> list[Event]:
    life = next(life for life in tidy_lives(5, 40) if life[-1]["type"].endswith("returned.v1"))
    return [
        event | {"data": event["data"] | {"due_at": "2026-01-09T08:00:00+07:00"}} if n == 0 else event
        for n, event in enumerate(life)
    ]


def test_portal() -> None:
    life = long_life()
    assert portal_rows(life, held_by_portal(life)) == (Verdict(), [])

    held = held_by_portal(life)
    held["versions"] = [held["versions"][-1], *held["versions"]]
    assert any("an older state after a newer one" in row for row in portal_rows(life, held)[1])
    held = held_by_portal(life)
    held["versions"][0]["MaTTHC"] = "9.999999"
    assert any("a state that it never had" in row for row in portal_rows(life, held)[1])
    held = held_by_portal(life)
    held["progress"].append(held["progress"][0])
    assert portal_rows(life, held)[0].doubled == 1
    held = held_by_portal(life)
    del held["progress"][0]
    assert portal_rows(life, held)[0].lost == 1
    held = held_by_portal(life)
    held["progress"][0]["repeats"] = 2
    assert any("sent again 2 times" in row for row in portal_rows(life, held, ambiguous=1)[1])
    assert portal_rows(life, held, ambiguous=2)[1] == []
    assert versions_backwards(life[0]["subject"], life[:1], held["versions"][:1]) == []
    assert flat([life]) == life


def test_calls_to_a_dead_portal() -> None:
    proxy = Proxy("portal", 1)
    proxy.requests = [(n * 1.0, b"") for n in range(60)]
    assert calls_bounded(proxy, 0, 60, most_a_minute=60, time_scale=1) == []
    assert calls_bounded(proxy, 0, 60, most_a_minute=10, time_scale=1) != []
    assert calls_bounded(proxy, 0, 60, most_a_minute=10, time_scale=10) == [], "6 s of ours are a minute of the product's"


def test_report_passes_only_when_all_is_well() -> None:
    report = Report(1, 10.0, full=False)
    good = Outcome(4, "good", faults=Counter({"portal reset": 3}), recoveries={"a reset": [0.5, 2.0]})
    report.outcomes = [good]
    assert report.passed
    assert "| portal reset | 3 |" in report.text()
    assert "| a reset | 2 | 1.25 | 2.00 |" in report.text()
    for bad in (
        Outcome(5, "raised", error="AssertionError: x"),
        Outcome(5, "differs", verdict=Verdict(rows=["part 3: x"])),
        Outcome(5, "lost", verdict=Verdict(lost=1)),
        Outcome(5, "doubled", verdict=Verdict(doubled=1)),
    ):
        report.outcomes = [good, bad]
        assert not report.passed, bad
        assert f"| 5 | {bad.name} | **no** |" in report.text()
    report.outcomes, report.missing = [good], ["7 state and outbox not atomic"]
    assert not report.passed
