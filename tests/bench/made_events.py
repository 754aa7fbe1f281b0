"""Made dossiers of a province as CloudEvents in JSON: about eight events each, the same for the same seed and number."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

LOCAL = timezone(timedelta(hours=7))
FIRST = datetime(2021, 1, 4, 8, tzinfo=LOCAL)
DAYS = 1_000
SPREAD_DAYS = 5
"""So many days of reception are under way at a time."""
UNITS = tuple(f"H51.{unit:02d}.{commune:02d}" for unit in range(1, 13) for commune in range(1, 21))
PROCEDURES = tuple(f"1.{number:06d}" for number in range(5_000, 5_200))
FAMILY_NAMES = ("Nguyễn", "Trần", "Lê", "Phạm", "Huỳnh", "Thạch", "Sơn", "Lâm")
GIVEN_NAMES = ("Văn An", "Thị Bình", "Minh Châu", "Ngọc Dung", "Hữu Đức", "Thanh Hà", "Quốc Khánh")

Event = tuple[str, str, str, str, str]
"""id, name, dossier code, time, data (JSON text)."""


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def dossier(seed: int, number: int, of: int, *, people: bool = True) -> list[Event]:
    """All events of dossier ``number`` of a province that has ``of`` in all, in order.

    Dossiers come in day after day, as their numbers do: a history is told in the order in which it was lived.
    """
    chance = random.Random(seed * 1_000_003 + number)
    unit = UNITS[int(len(UNITS) * chance.random() ** 1.7)]
    procedure = PROCEDURES[int(len(PROCEDURES) * chance.random() ** 2)]
    online = chance.random() < 0.55
    channel = "online" if online else ("direct", "postal")[chance.random() < 0.1]
    day = DAYS * number // of + int(chance.random() * SPREAD_DAYS)
    begun = FIRST + timedelta(days=day, minutes=int(chance.random() * 480))
    code = f"{unit[:6]}-{begun:%y%m%d}-{number % 9_999_999 + 1:07d}"
    events: list[Event] = []
    now = begun

    def add(name: str, minutes: float, data: str) -> None:
        nonlocal now
        now += timedelta(minutes=int(minutes))
        events.append((f"{seed}-{number}-{len(events)}", name, code, _text(now), data))

    person = ""
    if people:
        person = (
            f',"applicant":{{"kind":"citizen","name":"{FAMILY_NAMES[number % 8]} {GIVEN_NAMES[number % 7]}","id_type":"cccd",'
            f'"id_number":"0942{number:08d}","phone":"09{number:08d}"}}'
        )
    base = f'"procedure_code":"{procedure}","agency_code":"{unit}","channel":"{channel}"'
    due = begun + timedelta(days=3 + int(chance.random() * 20))
    if online:
        add("submitted", 0, f"{{{base}{person}}}")
        person = ""
    add("received", 30 + chance.random() * 300, f'{{{base},"due_at":"{_text(due)}","return_method":"{channel}"{person}}}')
    add("assigned", 60, f'{{"department":"Bộ phận chuyên môn","officer":"CB-{number % 997:04d}"}}')
    if chance.random() < 0.5:
        add("payment_requested", 20, '{"fees":[{"code":"LP01","name":"Lệ phí","amount_vnd":50000}]}')
        add("paid", 200, '{"amount_vnd":50000,"gateway":"national","outcome":"succeeded"}')
    if chance.random() < 0.12:
        add("supplement_requested", 400, '{"content":"Bổ sung bản sao giấy tờ tùy thân"}')
        add("supplemented", 2_000, "{}")
    for _ in range(1 + int(chance.random() * 2)):
        add("assigned", 600, f'{{"officer":"CB-{number % 991:04d}"}}')
    if chance.random() < 0.06:
        return events  # still open
    add("processed", 600 + chance.random() * 20_000, '{"outcome":"approved","results":[{"code":"KQ01"}]}')
    add("returned", 100, f'{{"method":"{channel}"}}')
    if chance.random() < 0.6:
        add("rated", 60, '{"satisfied":true,"score":5}')
    return events


def line(event: Event) -> bytes:
    """The CloudEvent in JSON, without a line end."""
    id_, name, code, time, data = event
    return (
        f'{{"specversion":"1.0","id":"{id_}","source":"urn:h51:mcdt","type":"vn.motcua.dossier.{name}.v1",'
        f'"subject":"{code}","time":"{time}","datacontenttype":"application/json","data":{data}}}'
    ).encode()


def events(seed: int, dossiers: int, *, people: bool = True) -> Iterator[Event]:
    """Events of dossiers in an order like that of life: eight hundred dossiers are under way at a time."""
    for first in range(0, dossiers, 800):
        histories = [dossier(seed, number, dossiers, people=people) for number in range(first, min(first + 800, dossiers))]
        for step in range(max(map(len, histories))):
            yield from (history[step] for history in histories if step < len(history))


def some(seed: int, count: int) -> list[Event]:
    """The first ``count`` events."""
    found: list[Event] = []
    for event in events(seed, count):
        found.append(event)
        if len(found) == count:
            break
    return found
