"""Reviews of procedures of the second sample: ten in seven groups in 2022, one in 2025, with the published savings."""

from collections.abc import Iterator
from datetime import date
from typing import Any, Final, NamedTuple

from services.sample.registers.agencies import WAGE_VND_PER_HOUR
from services.sample.registers.decisions import invented
from services.sample.registers.envelopes import EventWriter, at_hour


class _Review(NamedTuple):
    """Costs are those of one time, in đồng; each person complies once a year."""

    procedure: str
    group: str
    persons: int
    before_vnd: int
    after_vnd: int
    issues: int = 1


_REVIEWS: Final = (
    _Review(invented(1), "Hộ tịch", 1_000, 150_000, 110_000),
    _Review(invented(2), "Hộ tịch", 500, 240_000, 180_000),
    _Review(invented(3), "Đất đai", 300, 320_000, 240_000, 2),
    _Review(invented(4), "Đất đai", 800, 110_000, 85_000),
    _Review(invented(5), "Xây dựng", 200, 400_000, 310_000),
    _Review(invented(6), "Xây dựng", 400, 170_000, 130_000, 2),
    _Review(invented(7), "Chứng thực", 600, 90_000, 70_000),
    _Review(invented(8), "Đầu tư", 100, 520_000, 400_000),
    _Review(invented(9), "Lao động", 500, 80_000, 63_000),
    _Review(invented(10), "Giáo dục", 133, 411_000, 274_977),
)
"""Published: 198,591,059 đồng a year saved, 24.74 % of a cost that is not printed; 12 proposals of 10 procedures."""

_REVIEW_2025: Final = _Review("2.000635", "Hộ tịch", 3_228, 1_024_000, 231_000)
DECISIONS: Final = 8
_VND_AN_HOUR_WITH_FEES: Final = 50_000


def review_events(writer: EventWriter) -> Iterator[dict[str, Any]]:
    """Planned, reviewed, proposed and approved; two decisions approve two proposals each."""
    for place, review in enumerate(_REVIEWS):
        yield from _events_of(writer, 2022, review, f"{1201 + place % DECISIONS}/QĐ-UBND")
    yield from _events_of(writer, 2025, _REVIEW_2025, "77/QĐ-UBND")


def _events_of(writer: EventWriter, year: int, review: _Review, decision: str) -> Iterator[dict[str, Any]]:
    def told(name: str, month: int, **data: Any) -> dict[str, Any]:
        return writer.write(f"review.{name}", review.procedure, at_hour(date(year, month, 15), 9), **data)

    yield told("planned", 1, year=year, group=review.group)
    yield told("reviewed", 4, sheet_before=_sheet(review.before_vnd, review.persons), issues=review.issues)
    after = _sheet(review.after_vnd, review.persons)
    yield told("proposed", 6, sheet_after=after, to="own", issues_proposed=review.issues)
    yield told("approved", 9, decision=decision)


def _sheet(cost_vnd: int, persons: int) -> dict[str, Any]:
    hours = cost_vnd // _VND_AN_HOUR_WITH_FEES
    activity = {"name": "Chuẩn bị và nộp hồ sơ", "hours": float(hours), "wage_vnd_per_hour": WAGE_VND_PER_HOUR}
    fees_vnd = cost_vnd - hours * WAGE_VND_PER_HOUR
    return {"activities": [activity], "fees_vnd": fees_vnd, "times_per_year": 1.0, "persons": persons}
