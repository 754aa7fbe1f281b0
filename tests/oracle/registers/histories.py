"""Messy histories of all registers of the tenant H51, valid by the tables of docs/registers.md, seeded.

Instants fall on few times of day, so that equal timestamps, office hours, midnights and days of a term are common, not lucky.
`tenant` makes a log in recording order: late, out of order, repeated, voided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from tests.oracle.histories import AGENCIES, OFFSETS, Seeded, written
from tests.oracle.log import LOCAL, instant, local_date
from tests.oracle.registers.events import Event
from tests.oracle.registers.payments import transactions
from tests.oracle.registers.world import World

CLOCKS = (
    time(7, 30),
    time(7, 30),
    time(7, 30),
    time(9, 15),
    time(11, 30),
    time(13, 30),
    time(15),
    time(16, 59),
    time(17),
    time(0),
)
DAYS = (0, 0, 0, 1, 1, 2, 2, 3, 4, 5, 6, 7, 9, 13, 15, 19, 20, 21, 22, 24, 45)
SOURCES = ("urn:h51:pakn", "urn:h51:dvc", "https://so.example/h51/một-cửa")
LAST_DAY = date(2025, 12, 20)
ELSEWHERE = "Bộ Y tế"


@dataclass
class Teller:
    """Tells events of one record after another; knows what it told."""

    choose: Seeded
    first: date
    span: int
    events: list[Event] = field(default_factory=list)

    def moment(self, day: date | None = None) -> datetime:
        day = day or self.first + timedelta(days=self.choose.between(0, self.span))
        return datetime.combine(day, self.choose.of(CLOCKS), LOCAL).astimezone(UTC)

    def later(self, moment: datetime) -> datetime:
        """The same instant, the same day, or some days on; seldom before."""
        kind = self.choose.between(0, 19)
        if kind == 0:
            return moment
        if kind == 1:
            return moment - timedelta(days=self.choose.between(0, 3))
        if kind <= 4:
            return moment + timedelta(minutes=self.choose.of((1, 30, 59, 128, 240)))
        return self.moment(local_date(moment) + timedelta(days=self.choose.of(DAYS)))

    def tell(self, register: str, name: str, subject: str, moment: datetime, /, **data: Any) -> Event:
        event: Event = {
            "specversion": "1.0",
            "type": f"vn.motcua.{register}.{name}.v1",
            "source": self.choose.of(SOURCES),
            "id": f"{self.choose.of('aBzé')}{len(self.events)}",
            "subject": subject,
            "time": written(moment, self.choose.of(OFFSETS)),
        }
        said = {key: value for key, value in data.items() if value is not None}
        if said:
            event["data"] = said
        self.events.append(event)
        return event

    def maybe(self, percent: int, value: Any) -> Any:
        return value if self.choose.chance(percent) else None


# ------------------------------------------------------------------------------------------------------- feedback

FEEDBACK_NEXT = {
    "submitted": ("received", "received", "received", "refused", "forwarded", "more_requested", "transferred", "answered"),
    "received": (
        "answered",
        "answered",
        "answered",
        "published",
        "forwarded",
        "more_requested",
        "transferred",
        "reclassified",
    ),
    "reclassified": ("answered", "withdrawn", "transferred"),
    "transferred": ("answered", "received", "more_requested"),
    "more_requested": ("more_given", "more_given", "answered", "refused", "withdrawn", "received", "more_requested"),
    "more_given": ("answered", "received", "refused"),
    "answered": ("published", "published", "rated", "rated", "reopened", "answered"),
    "published": ("rated", "rated", "reopened", "answered"),
    "refused": ("rated", "reopened", "received"),
    "forwarded": ("rated", "published", "reopened"),
    "withdrawn": ("reopened", "rated"),
    "rated": ("rated", "reopened", "published"),
    "reopened": ("answered", "answered", "more_requested", "withdrawn", "transferred", "published"),
}


def feedback_data(teller: Teller, name: str, others: Sequence[str], dossiers: Sequence[str]) -> dict[str, Any]:
    choose = teller.choose
    if name == "submitted":
        return {
            "agency_code": choose.of(AGENCIES),
            "route": choose.of(("portal", "phone", "letter", "direct", "survey")),
            "kind": teller.maybe(50, choose.of(("rule", "behaviour"))),
            "about_dossier": teller.maybe(40, choose.of(dossiers)) if dossiers else None,
            "repeats": teller.maybe(8, choose.of((*others[-40:], "PAKN-000000-0000"))),
        }
    if name == "answered":
        return {"public": teller.maybe(60, choose.chance(60)), "founded": teller.maybe(40, choose.chance(50))}
    return {
        "received": {"kind": choose.of(("rule", "behaviour", "behaviour")), "agency_code": choose.of(AGENCIES)},
        "reclassified": {"kind": choose.of(("rule", "behaviour"))},
        "transferred": {"agency_code": choose.of(AGENCIES)},
        "more_requested": {"reason": "Chưa rõ địa điểm"},
        "published": {"url": teller.maybe(50, "https://h51.example/pakn/1")},
        "refused": {"reason": choose.of(("not_feedback", "unclear", "no_contact", "other"))},
        "forwarded": {"to": ELSEWHERE},
        "rated": {"satisfied": choose.chance(50)},
        "reopened": {"reason": "Chưa thỏa đáng"},
    }.get(name, {})


def feedback_history(teller: Teller, serial: int, others: list[str], dossiers: Sequence[str]) -> None:
    choose = teller.choose
    moment = teller.moment()
    code = f"PAKN-{local_date(moment):%y%m%d}-{serial:05d}"
    others.append(code)
    name = choose.of(("submitted", "submitted", "submitted", "received", "answered", "more_requested"))
    for _ in range(choose.between(1, 9)):
        told = name if choose.chance(92) else choose.of(sorted(FEEDBACK_NEXT))
        data = feedback_data(teller, told, others, dossiers)
        if told == "submitted" and choose.chance(2):
            data["repeats"] = code
        teller.tell("feedback", told, code, moment, **data)
        moment = teller.later(moment)
        name = choose.of(FEEDBACK_NEXT[told])


# ------------------------------------------------------------------------------------------------------- payments


def payment_history(teller: Teller, serial: int, dossiers: Sequence[str]) -> None:
    """The attempts of one obligation: the next one often begins when the one before seemed to fail."""
    choose = teller.choose
    dossier = choose.of(dossiers)
    purpose = choose.of(("fee", "fee", "land", "other"))
    owed = choose.of((20_000, 50_000, 150_000, 1_000_000))
    obligation = teller.maybe(30, f"KN-{serial}")
    moment = teller.moment()
    for attempt in range(choose.of((1, 1, 1, 2, 2, 3))):
        reference = f"dvc{serial:07d}{attempt}"
        began = moment
        amount = owed if choose.chance(85) else choose.of((10_000, 2 * owed))
        said = {
            "dossier_code": dossier,
            "amount_vnd": amount,
            "purpose": purpose,
            "gateway": choose.of(("national", "local")),
            "obligation": obligation,
            "owed_vnd": teller.maybe(50, owed),
        }
        if not choose.chance(3):
            teller.tell("payment", "initiated", reference, began, **said)
        if choose.chance(3):
            teller.tell("payment", "initiated", reference, teller.later(began), **(said | {"amount_vnd": amount + 1000}))
        for _ in range(choose.between(0, 3)):
            moment = teller.later(moment)
            given = teller.maybe(60, amount) if choose.chance(95) else amount + 500
            if choose.chance(50):
                outcome = choose.of(("succeeded", "succeeded", "failed"))
                teller.tell("payment", "confirmed", reference, moment, outcome=outcome, amount_vnd=given)
            else:
                teller.tell("payment", "queried", reference, moment, state=choose.of((1, 3, 4)), amount_vnd=given)
        if choose.chance(20):
            teller.tell("payment", "receipt_issued", reference, moment, number=f"BL{choose.between(1, 9999)}")
        if choose.chance(5):
            teller.tell("payment", "receipt_cancelled", reference, teller.later(moment), number="BL1", reason="sai")
        refunds(teller, reference, amount, moment)


def refunds(teller: Teller, reference: str, amount: int, moment: datetime) -> None:
    choose = teller.choose
    if not choose.chance(25):
        return
    for number in range(choose.between(1, 2)):
        part = choose.of((amount, amount, amount // 2, amount * 2))
        moment = teller.later(moment)
        known = {"refund_ref": f"HT{number}", "amount_vnd": part}
        teller.tell("payment", "refund_requested", reference, moment, **known, reason=choose.of(("double", "withdrawn")))
        for _ in range(choose.between(0, 2)):
            moment = teller.later(moment)
            outcome = choose.of(("succeeded", "succeeded", "pending", "failed"))
            teller.tell("payment", "refunded", reference, moment, **known, outcome=outcome)


def statements_of(world: World, seed: int | str, count: int) -> dict[tuple[str, date], list[dict[str, Any]]]:
    """Statements with every class, by gateway and day, from what the transactions of a log came to."""
    choose = Seeded(f"statements {seed}")
    every = transactions(world)
    paid = [one for one in every if one.success is not None]
    found: dict[tuple[str, date], list[dict[str, Any]]] = {}
    for _ in range(count):
        near = choose.of(paid)
        gateway, day = near.said["gateway"], near.success.day
        ours = [one for one in paid if one.said["gateway"] == gateway and one.success.day == day]
        named = [one for one in ours if choose.chance(90)] + [choose.of(every) for _ in range(choose.between(0, 4))]
        lines = [
            {
                "reference": one.reference if choose.chance(95) else f"{one.reference}9",
                "gateway_txn": f"GD{choose.between(1, 10**9)}",
                "amount_vnd": one.amount if choose.chance(85) else one.amount + 700,
                "state": choose.of(("succeeded",) * 8 + ("failed", "pending")),
                "time": written(datetime.combine(day, time(12), LOCAL), 7 * 60),
            }
            for one in named
        ]
        found[gateway, day] = choose.order(lines + [line for line in lines if choose.chance(8)])
    return found


# -------------------------------------------------------------------------------------------------------- surveys


def survey_history(teller: Teller, serial: int, dossiers: Sequence[str]) -> None:
    choose = teller.choose
    sheet = f"PK-{serial:06d}"
    dossier = teller.maybe(80, choose.of(dossiers[: len(dossiers) // 2 + 1]))
    moment = teller.moment()
    for _ in range(choose.of((1, 1, 1, 2))):
        answers = {str(number): choose.between(0, 2) for number in range(1, 10) if choose.chance(60)}
        teller.tell(
            "survey",
            "submitted",
            sheet,
            moment,
            dossier_code=dossier,
            agency_code=choose.of(AGENCIES),
            officer=teller.maybe(50, choose.of(("CB-01", "CB-02"))),
            channel=choose.of(("paper", "device", "online")),
            overall=choose.of(("very_satisfied", "satisfied", "not_satisfied")),
            answers=answers or None,
        )
        moment = teller.later(moment)


# ------------------------------------------------------------------------------------------------- voids and arrival


def voids(teller: Teller) -> None:
    """Of one event in twenty-five; some of a void, of another record's event, or of one that is missing."""
    choose = teller.choose
    for target in list(teller.events):
        if not choose.chance(4):
            continue
        register = target["type"].split(".")[2]
        subject, source, named = target["subject"], target["source"], target["id"]
        kind = choose.between(0, 19)
        if kind == 0:
            named = f"missing {named}"
        if kind == 1:
            other = choose.of(teller.events)
            source, named = other["source"], other["id"]
        moment = instant(target["time"]) + timedelta(days=choose.of((-1, 0, 1, 10)))
        void = teller.tell(register, "voided", subject, moment, event_id=named, event_source=source, reason="Nhập nhầm")
        if kind == 2:
            ids = {"event_id": void["id"], "event_source": void["source"]}
            teller.tell(register, "voided", subject, moment, **ids, reason="Nhập nhầm")


def arrival(choose: Seeded, events: list[Event]) -> list[Event]:
    """In recording order: mostly as it happened, some late, some early by the others' lateness; some told twice."""
    placed = []
    for number, event in enumerate(events):
        moment = instant(event["time"])
        if local_date(moment) > LAST_DAY:
            continue
        lag = timedelta(days=choose.of((0, 0, 0, 0, 0, 0, 1, 5, 40, 200)))
        placed.append((moment + lag, number, event))
        if choose.chance(3):
            placed.append((moment + lag + timedelta(days=choose.between(0, 9)), number, event))
    return [event for _, _, event in sorted(placed, key=lambda one: one[:2])]
