"""Feedback of the second sample: the 65 of 2022, and the 247 of the published observation of indices 5.2 and 5.3.

The year of the observation is not printed; here it is 2023. Days are counted so that no calendar is needed: an answer after
up to 13 days is in time whatever days are off, one after 40 is late.
"""

import random
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any, Final

from services.sample.history import office_day
from services.sample.registers.agencies import departments, desks
from services.sample.registers.dossiers import Dossier
from services.sample.registers.envelopes import NAME, EventWriter, at_hour, weekday_from

RECEIVED: Final = 65
REFUSED: Final = 4
OBSERVED: Final = {"late": 65, "disliked": 30, "reopened": 10, "repeated": 5, "liked": 137}
"""247 in all: 182 in time, and 137 of them neither disliked nor asked again."""

_LATE_DAYS: Final = 40
_ROUTES: Final = ("portal", "phone", "direct", "letter", "survey")


def feedback_events(writer: EventWriter, tenant: str, late: Sequence[Dossier]) -> Iterator[dict[str, Any]]:
    """Both years. ``late``: dossiers that feedback complains about."""
    places = [*desks(tenant), *departments(tenant)]
    for number in range(1, RECEIVED + 1):
        sent_on = office_day(date(2022, 1, 10) + timedelta(days=5 * (number - 1)), date(2022, 1, 10))
        about = late[number - 1] if number <= len(late) else None
        kind = "behaviour" if about or number % 3 else "rule"
        agency = places[number % len(places)] if about is None else about.agency
        if about is not None and about.ended_at is not None:
            sent_on = weekday_from(about.ended_at.date() + timedelta(days=1))
        life = _Life(writer, f"PAKN-2022-{number:05d}", sent_on, agency)
        yield from life.received(kind, number, about)
        days = _LATE_DAYS if number % 16 == 6 else 3 + number % 9  # noqa: PLR2004 - one in sixteen
        yield from life.answered(days, founded=number % 2 == 0 if kind == "behaviour" else None)
        if number % 2:
            yield from life.rated(satisfied=number % 10 != 1)
    for number in range(RECEIVED + 1, RECEIVED + REFUSED + 1):
        life = _Life(writer, f"PAKN-2022-{number:05d}", date(2022, 3, 14), places[number % len(places)])
        yield life.sent("behaviour", number)
        yield life.write("refused", 1, reason="unclear")
    yield from _observed(writer, places)


def _observed(writer: EventWriter, places: Sequence[str]) -> Iterator[dict[str, Any]]:
    fates = [fate for fate, count in OBSERVED.items() for _ in range(count)]
    random.Random(NAME).shuffle(fates)  # noqa: S311 - a repeatable sample, not a secret
    repeated = [number for number, fate in enumerate(fates, start=1) if fate == "repeated"]
    liked = [number for number, fate in enumerate(fates, start=1) if fate == "liked"]
    repeats = dict(zip(liked[-len(repeated) :], repeated, strict=True))
    for number, fate in enumerate(fates, start=1):
        sent_on = weekday_from(date(2023, 1, 9) + timedelta(days=300 * number // len(fates)))
        life = _Life(writer, f"PAKN-2023-{number:05d}", sent_on, places[number % len(places)])
        earlier = repeats.get(number)
        yield from life.received(
            "behaviour" if number % 4 else "rule", number, None, None if earlier is None else f"PAKN-2023-{earlier:05d}"
        )
        yield from life.answered(_LATE_DAYS if fate == "late" else 2 + number % 9)
        if fate == "reopened":
            yield life.write("reopened", 1, reason="Chưa trả lời đúng nội dung")
            yield from life.answered(3)
        elif fate == "disliked" or (fate == "liked" and number % 3):
            yield from life.rated(satisfied=fate == "liked")


class _Life:
    """Writes the events of one feedback, each some days after the one before, on a weekday."""

    def __init__(self, writer: EventWriter, code: str, sent_on: date, agency: str) -> None:
        self._writer, self._code, self._on, self._agency = writer, code, sent_on, agency
        self._hour = 8

    def write(self, name: str, days: int, **data: Any) -> dict[str, Any]:
        self._on = weekday_from(self._on + timedelta(days=days))
        return self._writer.write(f"feedback.{name}", self._code, at_hour(self._on, self._hour), **data)

    def sent(self, kind: str, number: int, about: Dossier | None = None, repeats: str | None = None) -> dict[str, Any]:
        told = {"agency_code": self._agency, "route": _ROUTES[number % len(_ROUTES)], "kind": kind, "repeats": repeats}
        told["about_dossier"] = None if about is None else about.code
        sender = {"kind": "citizen", "name": f"Người Gửi Thử {number}", "phone": f"0900{number:06d}"}
        return self.write("submitted", 0, **told, sender=sender, content=f"Nội dung mẫu số {number}")

    def received(
        self, kind: str, number: int, about: Dossier | None = None, repeats: str | None = None
    ) -> Iterator[dict[str, Any]]:
        yield self.sent(kind, number, about, repeats)
        yield self.write("received", 1, kind=kind, agency_code=self._agency)

    def answered(self, days: int, founded: bool | None = None) -> Iterator[dict[str, Any]]:
        """Answered, and published on the next working day."""
        yield self.write("answered", days, public=True, founded=founded)
        yield self.write("published", 1, url=f"https://pakn.example.vn/{self._code}")

    def rated(self, *, satisfied: bool) -> Iterator[dict[str, Any]]:
        yield self.write("rated", 2, satisfied=satisfied)
