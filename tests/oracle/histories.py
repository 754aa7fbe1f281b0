"""Messy dossier histories of the tenant H51, valid by the table of section 2: seeded for big runs, drawn for hypothesis.

One generator serves both: it asks a `Chooser`, which is a `random.Random` or a hypothesis `draw`. Instants come from a
small pool a dossier, so that equal timestamps, touching pauses and local midnights are common, not lucky.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Protocol

from hypothesis import strategies as st

from tests.oracle.computation import END_NAMES, EXPECTED
from tests.oracle.log import RANK, instant

Event = dict[str, Any]

AGENCIES = (*(f"H51.{number:02d}" for number in range(1, 13)), "H51", "H51.12.03", "H51.12.04", "H51.02.101")
PROCEDURES = ("1.005129", "2.000123", "1.000001", "2.002192")
CHANNELS = ("online", "direct", "postal")
SOURCES = ("urn:h51:mcdt", "urn:h51:MCDT", "https://so.example/h51/một-cửa", "urn:h51:ﬀ")
ID_LETTERS = ("a", "B", "Z", "z", "é", "đ", "ﬀ", "😀", "-", "~")  # bytes, case, locale and UTF-16 order all differ
SYSTEM = "urn:motcua:system"
FIRST_DAYS = ("2018-12-28", "2019-12-14", "2021-06-29", "2022-05-12", "2023-02-26", "2024-02-27")
OFFSETS = (0, 7 * 60, -5 * 60, 14 * 60, 330, -12 * 60)

EASY = timedelta(hours=1), timedelta(hours=8), timedelta(days=1), timedelta(days=2), timedelta(days=5)
STEPS = (*EASY, timedelta(0), timedelta(microseconds=1), timedelta(minutes=3), timedelta(days=30))


class Chooser(Protocol):
    def of(self, options: Sequence[Any]) -> Any: ...
    def between(self, low: int, high: int) -> int: ...
    def chance(self, percent: int) -> bool: ...
    def order(self, items: list[Any]) -> list[Any]: ...


class Seeded:
    def __init__(self, seed: int | str) -> None:
        self.random = random.Random(seed)

    def of(self, options: Sequence[Any]) -> Any:
        return options[self.random.randrange(len(options))]

    def between(self, low: int, high: int) -> int:
        return self.random.randint(low, high)

    def chance(self, percent: int) -> bool:
        return self.random.randrange(100) < percent

    def order(self, items: list[Any]) -> list[Any]:
        items = list(items)
        self.random.shuffle(items)
        return items


class Drawn:
    def __init__(self, draw: Callable[[Any], Any]) -> None:
        self.draw = draw

    def of(self, options: Sequence[Any]) -> Any:
        return self.draw(st.sampled_from(list(options)))

    def between(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def chance(self, percent: int) -> bool:
        return self.draw(st.integers(0, 99)) >= 100 - percent  # shrinks towards 'no'

    def order(self, items: list[Any]) -> list[Any]:
        return list(self.draw(st.permutations(items)))


# ------------------------------------------------------------------------------------------------- single events


def written(moment: datetime, minutes: int = 0, digits: int = 6) -> str:
    """An instant in RFC 3339 at an offset; more than 6 digits are to be truncated by whoever reads it."""
    shown = moment.astimezone(timezone(timedelta(minutes=minutes)))
    text = shown.strftime("%Y-%m-%dT%H:%M:%S")
    micro = f"{shown.microsecond:06d}"
    if digits > 6:
        text += "." + micro + "9" * (digits - 6)
    elif shown.microsecond or digits:
        text += "." + micro
    if minutes == 0:
        return text + "Z"
    sign = "+" if minutes > 0 else "-"
    return f"{text}{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def event(name: str, code: str, time: str, source: str, identity: str, /, **data: Any) -> Event:
    posted: Event = {
        "specversion": "1.0",
        "type": f"vn.motcua.dossier.{name}.v1",
        "source": source,
        "id": identity,
        "subject": code,
        "time": time,
    }
    if data:
        posted["data"] = data
    return posted


@dataclass
class Dossier:
    """A history under construction."""

    choose: Chooser
    code: str
    serial: int
    first: datetime
    http: bool
    pool: list[datetime] = field(default_factory=list)
    dense: bool = False
    events: list[Event] = field(default_factory=list)

    def instant(self, moment: datetime) -> str:
        return written(moment, self.choose.of(OFFSETS), self.choose.of((0, 0, 6, 9)))

    def name_id(self) -> tuple[str, str]:
        letter = self.choose.of(ID_LETTERS)
        return self.choose.of(SOURCES), f"{letter}{self.serial}-{len(self.events)}"

    def tell(self, name: str, moment: datetime) -> Event:
        source, event_id = self.name_id()
        posted = event(name, self.code, self.instant(moment), source, event_id, **self.data(name, moment))
        self.events.append(posted)
        return posted

    def date(self, moment: datetime) -> str:
        """A date to promise: near the moment, near a local midnight, a pool instant, or long past."""
        kind = 8 if self.dense else self.choose.between(0, 9)
        if kind <= 5:
            moment += self.choose.of(STEPS) + self.choose.of(EASY)
        elif kind == 6:
            moment = midnight(moment) + timedelta(days=self.choose.between(-1, 4))
        elif kind == 7:
            moment = midnight(moment) + timedelta(days=self.choose.between(0, 4), microseconds=-1)
        elif kind == 8:
            moment = self.choose.of(self.pool)
        else:
            moment -= self.choose.of(STEPS)
        return self.instant(moment)

    def data(self, name: str, moment: datetime) -> dict[str, Any]:
        choose = self.choose
        data: dict[str, Any] = {}
        if name in ("submitted", "received"):
            data = {
                "procedure_code": choose.of(PROCEDURES),
                "agency_code": choose.of(AGENCIES),
                "channel": choose.of(CHANNELS),
            }
            if name == "received" and choose.chance(30):
                data["receiving_agency_code"] = choose.of(AGENCIES)
            if name == "received" and not choose.chance(20):
                data["due_at"] = self.date(moment)
        elif name == "payment_requested":
            data = {"fees": [{"code": "LP01", "name": "Lệ phí", "amount_vnd": choose.of((0, 20_000, 150_000))}]}
        elif name == "paid":
            data = {
                "amount_vnd": 20_000,
                "gateway": choose.of(("national", "local", "counter")),
                "outcome": choose.of(("succeeded", "succeeded", "failed")),
            }
        elif name == "supplement_requested":
            data = {"content": "Bổ sung bản sao giấy chứng nhận"}
        elif name == "supplemented":
            data = {"new_due_at": self.date(moment)} if choose.chance(50) else {}
        elif name == "assigned":
            data = {"department": "Phòng Một cửa", "step_due_at": self.date(moment)} if choose.chance(20) else {}
        elif name == "transferred":
            data = {"agency_code": choose.of(AGENCIES)}
        elif name == "extended":
            data = {"new_due_at": self.date(moment), "apology_number": "12/TB-UBND", "reason": "Chờ ý kiến sở"}
        elif name == "overdue":
            data = {"reason": "Thiếu người"} if choose.chance(50) else {}
        elif name == "rated":
            data = {"satisfied": choose.chance(50)}
        elif name == "withdrawn":
            data = {"reason": "Người dân rút"} if choose.chance(50) else {}
        elif name in ("rejected", "stopped"):
            data = {"reason": "Không đủ điều kiện"}
        elif name == "processed":
            data = {"outcome": choose.of(("approved", "refused"))}
        elif name == "returned":
            data = {"method": choose.of(CHANNELS)}
        if choose.chance(5):
            data["officer"] = "CB-07"
        return data


NAMES = tuple(name for name in RANK if name != "due_set")
BESIDE = ("transferred", "taken_over", "extended", "extended", "overdue", "rated")
FIRST_OFTEN = ("supplemented", "supplement_requested", "extended", "processed", "received", "assigned")
DUE_OFTEN = ("supplement_requested", "supplement_requested", "supplemented", "supplemented", "extended", "processed", "paid")
ENDS_OFTEN = (*END_NAMES, *END_NAMES, "assigned", "paid", "payment_requested", "extended")


def midnight(moment: datetime) -> datetime:
    """The local midnight that begins the moment's day."""
    local = moment.astimezone(timezone(timedelta(hours=7)))
    return local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


def dossier_code(choose: Chooser, first: datetime, serial: int) -> str:
    prefix = choose.of(("H51.12", "H51.03", "000.00.04.H51", "H51", "H51.12.03"))
    local = midnight(first + timedelta(days=choose.of((0, 0, 0, 0, -1, 1, 400)))) + timedelta(hours=9)
    dated = local.strftime("%Y%m%d")
    dated = choose.of((dated[2:], dated[2:], dated, "220230", "20211301", "000000", "99991231"))
    return f"{prefix}-{dated}-{serial:05d}"


def life(dossier: Dossier, length: int) -> None:
    """The expected steps in order, sometimes astray, with events that bear no status beside them."""
    choose = dossier.choose
    moment, last = dossier.first, None
    for _ in range(length):
        moment += choose.of(STEPS)
        if choose.chance(15):
            moment = midnight(moment) + timedelta(days=1, microseconds=choose.of((0, 0, -1, 1)))
        dossier.pool.append(moment)
        if choose.chance(25):
            dossier.tell(choose.of(BESIDE), moment)
            continue
        expected = EXPECTED[last]
        if last is None:
            expected = ("received", "received", "submitted")
        if last in ("supplemented", "paid", "payment_requested") and choose.chance(20):
            expected = ("received", "rejected")
        if "supplement_requested" in expected and choose.chance(25):
            expected = ("supplement_requested",)
        name = choose.of(NAMES) if not expected or choose.chance(8) else choose.of(expected)
        dossier.tell(name, moment)
        last = name if name in EXPECTED else last


def chaos(dossier: Dossier, length: int) -> None:
    """Anything at any instant of a small pool; usually received somewhere."""
    choose = dossier.choose
    for _ in range(max(2, length // 2)):
        dossier.pool.append(choose.of(dossier.pool) + choose.of(STEPS))
    if choose.chance(90):
        dossier.tell("received", choose.of(dossier.pool))
    for _ in range(length):
        dossier.tell(choose.of(choose.of((NAMES, FIRST_OFTEN))), choose.of(dossier.pool))


def due_dates(dossier: Dossier, length: int) -> None:
    """Dates and pauses on a few days close together: what may move D and what may not."""
    choose = dossier.choose
    dossier.dense = True
    dossier.pool = [dossier.first + timedelta(days=day) for day in range(choose.between(2, 5))]
    dossier.tell("received", choose.of(dossier.pool[:2]))
    for _ in range(length):
        dossier.tell(choose.of(DUE_OFTEN), choose.of(dossier.pool))


def ends(dossier: Dossier, length: int) -> None:
    """Many ends, some taken back, and payments after them."""
    choose = dossier.choose
    dossier.pool = [dossier.first + step for step in (timedelta(0), *EASY)]
    dossier.tell("received", choose.of(dossier.pool[:2]))
    for _ in range(length):
        dossier.tell(choose.of(ENDS_OFTEN), choose.of(dossier.pool))


def system_dates(dossier: Dossier) -> None:
    """due_set events as the worker would append them, and some that it would not."""
    choose = dossier.choose
    for logged in list(dossier.events):
        name = logged["type"].split(".")[3]
        cause = {"received": "received", "supplemented": "supplemented", "assigned": "waited", "paid": "waited"}.get(name)
        if cause is None or not choose.chance(45):
            continue
        when = instant(logged["time"])
        if choose.chance(60 if dossier.dense else 30):
            cause, when = "calendar", choose.of(dossier.pool)
        source, event_id = logged["source"], logged["id"]
        if choose.chance(3):
            event_id = "missing-" + event_id
        dossier.events.append(
            event(
                "due_set",
                dossier.code,
                dossier.instant(when),
                SYSTEM,
                f"due-{dossier.serial}-{len(dossier.events)}",
                new_due_at=dossier.date(when),
                cause=cause,
                follows={"source": source, "id": event_id},
                calendar_version=1,
            )
        )


def void(dossier: Dossier, target: Event, moment: datetime) -> Event:
    source, event_id = dossier.name_id()
    posted = event(
        "voided",
        dossier.code,
        dossier.instant(moment),
        source,
        event_id,
        event_id=target["id"],
        event_source=target["source"],
        reason="Nhập nhầm",
    )
    dossier.events.append(posted)
    return posted


def voids(dossier: Dossier, everyone: Sequence[Event]) -> None:
    choose = dossier.choose
    if not choose.chance(35):
        return
    for _ in range(choose.between(1, 2)):
        moment = choose.of(dossier.pool)
        kind = choose.between(0, 9)
        if kind <= 5:
            void(dossier, choose.of(dossier.events), moment)  # may itself be a void
        elif kind == 6:
            void(dossier, void(dossier, choose.of(dossier.events), moment), moment)
        elif kind == 7:
            void(dossier, {"source": "urn:h51:mcdt", "id": f"missing-{dossier.serial}"}, moment)
        elif kind == 8:
            void(dossier, choose.of(everyone) if everyone else dossier.events[0], moment)
        else:
            own = void(dossier, dossier.events[0], moment)
            own["data"] |= {"event_source": own["source"], "event_id": own["id"]}


def dossier_history(
    choose: Chooser, serial: int, everyone: Sequence[Event] = (), *, http: bool = False, longest: int = 12
) -> list[Event]:
    """The events of one dossier, in the order they were made. `http`: none that only the system may write."""
    day = date.fromisoformat(choose.of(FIRST_DAYS)) + timedelta(days=choose.between(0, 6))
    clock = choose.of((timedelta(hours=8), timedelta(0), timedelta(hours=23, minutes=59), timedelta(hours=16)))
    first = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=7) + clock
    dossier = Dossier(choose, dossier_code(choose, first, serial), serial, first, http, [first])
    length = choose.between(1, longest)
    choose.of((life, life, life, life, chaos, chaos, due_dates, ends))(dossier, length)
    if not http:
        system_dates(dossier)
    voids(dossier, everyone)
    return dossier.events


def arrival(choose: Chooser, events: list[Event]) -> list[Event]:
    """An arrival order: as it happened, shuffled, or backwards; some events told twice."""
    twice = [posted for posted in events if choose.chance(10)]
    kind = choose.between(0, 3)
    if kind == 0:
        return events + twice
    if kind == 1:
        return list(reversed(events + twice))
    return choose.order(events + twice)


def tenant_history(choose: Chooser, dossiers: int, *, http: bool = False, longest: int = 12) -> list[Event]:
    """Many dossiers, in one arrival order."""
    everyone: list[Event] = []
    for serial in range(1, dossiers + 1):
        everyone += dossier_history(choose, serial, everyone[-20:], http=http, longest=longest)
    return arrival(choose, everyone)


@st.composite
def dossiers(draw: Callable[[Any], Any], *, http: bool = False, longest: int = 8) -> list[Event]:
    """The events of one dossier in some arrival order, duplicates included."""
    choose = Drawn(draw)
    return arrival(choose, dossier_history(choose, 1, http=http, longest=longest))


@st.composite
def tenants(draw: Callable[[Any], Any], *, http: bool = False, most: int = 4, longest: int = 6) -> list[Event]:
    """A few dossiers together."""
    choose = Drawn(draw)
    return tenant_history(choose, choose.between(1, most), http=http, longest=longest)


def seeded_tenant(seed: int | str, dossiers: int, *, http: bool = False, longest: int = 12) -> list[Event]:
    return tenant_history(Seeded(seed), dossiers, http=http, longest=longest)
