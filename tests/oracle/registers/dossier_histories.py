"""Histories of dossiers and of what stands beside them: components, steps, post."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.oracle.histories import Dossier, Seeded, chaos, dossier_code, due_dates, ends, life
from tests.oracle.log import instant
from tests.oracle.registers.histories import Teller

COMPONENTS = ("TP1", "TP2", "TP3", "TP9")
DEPARTMENTS = {1: "Một cửa", 2: "Chuyên môn", 3: "Lãnh đạo", 4: "Một cửa", 9: "Kho"}
OFFICERS = ("CB-01", "CB-02", "CB-03", "CB-04", "CB-05")
ELECTRONIC_FLAGS = ("components_digitised", "components_reused", "from_national_store")


def dossier_history(teller: Teller, serial: int) -> str:
    """One dossier, told by the generator of dossiers from an instant of this teller."""
    choose: Seeded = teller.choose
    first = teller.moment()
    dossier = Dossier(choose, dossier_code(choose, first, serial), serial, first, True, [first])
    choose.of((life, life, life, life, life, chaos, due_dates, ends))(dossier, choose.between(1, 8))
    for event in dossier.events:
        name = event["type"].split(".")[3]
        if name == "received":
            event["data"]["officer"] = choose.of(OFFICERS)
            if choose.chance(40):
                event["data"]["flags"] = {flag: choose.chance(50) for flag in ELECTRONIC_FLAGS}
            if "due_at" not in event["data"] and choose.chance(70):
                event["data"]["due_at"] = dossier.date(first)
        if name == "processed" and choose.chance(40):
            result = {"code": f"KQ-{serial}"} | ({"url": "https://h51.example/kq"} if choose.chance(70) else {})
            event["data"]["results"] = [result]
        if name == "returned" and choose.chance(50):
            event["data"]["officer"] = choose.of(OFFICERS)
    teller.events += dossier.events
    return dossier.code


def times_of(teller: Teller, code: str, beginnings: dict[str, datetime]) -> datetime:
    """Near the beginning of the dossier, so that what stands beside it meets its pauses and its end."""
    began = beginnings.get(code)
    if began is None:
        return teller.moment()
    return began + timedelta(days=teller.choose.of((0, 0, 0, 1, 2)))


def beginnings_of(teller: Teller) -> dict[str, datetime]:
    found: dict[str, datetime] = {}
    for event in teller.events:
        moment = instant(event["time"]).astimezone(UTC)
        found[event["subject"]] = min(found.get(event["subject"], moment), moment)
    return found


def component_history(teller: Teller, code: str, beginnings: dict[str, datetime]) -> None:
    choose = teller.choose
    moment = times_of(teller, code, beginnings)
    for component in choose.order(list(COMPONENTS))[: choose.between(1, 3)]:
        known = {"component_code": component}
        if choose.chance(85):
            form = choose.of(("paper", "paper", "electronic"))
            teller.tell("component", "submitted", code, moment, **known, form=form)
        if choose.chance(15):
            reason = choose.of(("shown_only", "opinion", "secret", "electronic"))
            teller.tell("component", "exempt", code, teller.later(moment), **known, reason=reason)
        if choose.chance(50):
            teller.tell("component", "digitised", code, teller.later(moment), **known, file=f"tep-{component}")
        if choose.chance(20):
            source = choose.of(("national_store", "local_store", "database", "earlier_result"))
            teller.tell("component", "reused", code, teller.later(moment), **known, source=source)
    for number in range(choose.of((0, 0, 1, 2))):
        result = f"KQ{choose.between(1, 2)}"
        moment = teller.later(moment)
        file = teller.maybe(70, f"ket-qua-{number}")
        teller.tell("component", "result_issued", code, moment, result_code=result, file=file, signed=choose.chance(50))
        if choose.chance(35):
            teller.tell("component", "result_revoked", code, teller.later(moment), result_code=result, reason="Sai")


def step_history(teller: Teller, code: str, beginnings: dict[str, datetime]) -> None:
    """The control slip of a dossier: handed on, signed, handed back, paused, and sometimes after its end."""
    choose = teller.choose
    moment = teller.moment(times_of(teller, code, beginnings).date())
    number, officer = 1, choose.of(OFFICERS)
    for row in range(choose.between(1, 6)):
        sender = officer if row else None
        officer = choose.of(OFFICERS)
        data = {"step_no": number, "department": DEPARTMENTS[number], "officer": officer, "from_officer": sender}
        teller.tell("step", "handed", code, moment, **data, sheets=teller.maybe(20, 3))
        if choose.chance(60):
            moment = soon(teller, moment)
            teller.tell("step", "taken", code, moment, officer=officer if choose.chance(90) else choose.of(OFFICERS))
        if choose.chance(25):
            began = soon(teller, moment)
            teller.tell("step", "paused", code, began, reason="Chờ ý kiến")
            if choose.chance(80):
                moment = soon(teller, began)
                teller.tell("step", "resumed", code, moment)
        moment = soon(teller, moment)
        if choose.chance(15):
            teller.tell("step", "returned_back", code, moment, reason="Thiếu")
            moment = soon(teller, moment)
        number = choose.of((number, number % 4 + 1, number % 4 + 1, number % 4 + 1, 9, 1))
        number = number if number in DEPARTMENTS else 1
    if choose.chance(50):
        teller.tell("step", "finished", code, moment, outcome=teller.maybe(50, "xong"))


def soon(teller: Teller, moment: datetime) -> datetime:
    """Some working day or two on, mostly when the office opens."""
    if teller.choose.chance(10):
        return moment
    day = moment.astimezone(UTC) + timedelta(days=teller.choose.of((0, 1, 1, 1, 2, 3)), hours=7)
    return max(teller.moment(day.date()), moment) if teller.choose.chance(90) else teller.later(moment)


def post_history(teller: Teller, code: str, beginnings: dict[str, datetime]) -> None:
    choose = teller.choose
    moment = times_of(teller, code, beginnings)
    item = {"item_no": f"EV{choose.between(10**6, 10**7)}VN"}
    if choose.chance(50):
        teller.tell("post", "collected", code, moment, **item, fee_vnd=teller.maybe(50, 30_000))
        teller.tell("post", "handed_over", code, teller.later(moment), **item)
    if choose.chance(90):
        teller.tell("post", "return_requested", code, moment)
    for _ in range(choose.between(0, 4)):
        moment = teller.later(moment)
        name = choose.of(("dispatched", "dispatched", "delivered", "failed"))
        if name == "failed":
            reason = choose.of(("absent", "refused", "address", "lost"))
            teller.tell("post", "failed", code, moment, **item, reason=reason)
        elif name == "delivered":
            teller.tell("post", "delivered", code, moment, **item, received_by_proxy=teller.maybe(50, choose.chance(30)))
        else:
            teller.tell("post", "dispatched", code, moment, **item)
