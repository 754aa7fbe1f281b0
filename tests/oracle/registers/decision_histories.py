"""Histories of decisions and reviews, the setting they stand in, and the whole tenant."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tests.oracle.histories import AGENCIES, PROCEDURES, Seeded
from tests.oracle.log import local_date
from tests.oracle.registers.catalogue import AGENCY_LEVELS, LEVELS
from tests.oracle.registers.dossier_histories import (
    DEPARTMENTS,
    beginnings_of,
    component_history,
    dossier_history,
    post_history,
    step_history,
)
from tests.oracle.registers.events import Event
from tests.oracle.registers.histories import (
    Teller,
    arrival,
    feedback_history,
    payment_history,
    survey_history,
    voids,
)
from tests.oracle.registers.working_days import WorkingDays
from tests.oracle.registers.world import Setting

TODAY = date(2026, 6, 30)
UNKNOWN_AGENCIES = ("H51.10", "H51.11", "H51.12.04", "H51.02.101")
CODES = (*PROCEDURES, *(f"1.{number:06d}" for number in range(100, 136)))
KINDS = ("publication",) * 5 + ("services",) * 3 + ("process",) * 2 + ("reduced_terms",) + ("integration",) * 2
SHARES = {
    "dossier": 20,
    "component": 12,
    "step": 12,
    "post": 8,
    "feedback": 20,
    "payment": 11,
    "survey": 7,
    "catalogue": 3,
    "review": 1,
}
"""Of a hundred records; a payment here is an obligation, of about two attempts."""


def calendar() -> WorkingDays:
    """The days off of the product's own copy: the authority's list."""
    found = next(Path(__file__).parents[3].glob("**/holidays_vn.csv"))
    return WorkingDays.of_csv(found.read_text(encoding="utf-8"))


def setting() -> Setting:
    known = [code for code in AGENCIES if code not in UNKNOWN_AGENCIES]
    agencies: list[dict[str, Any]] = []
    for number, code in enumerate(sorted(known)):
        level = None if code == "H51" else "commune" if code.count(".") > 1 else AGENCY_LEVELS[number % 3]
        parent = code.rpartition(".")[0] or None
        agencies.append({"code": code, "name": f"Cơ quan {code}", "parent": parent, "level": level})
    procedures = [
        {"code": code, "name": f"Thủ tục {code}", "has_fee": fee, "result_is_document": document}
        for code, fee, document in zip(CODES[:3], (True, True, False), (True, False, True), strict=True)
    ]
    return Setting("H51", agencies, procedures, calendar(), TODAY)


def limit(teller: Teller) -> dict[str, Any]:
    unit = teller.choose.of(("working_days", "working_days", "working_hours", "calendar_days", "months"))
    return {"value": teller.choose.between(1, 3 if unit == "months" else 20), "unit": unit}


def publication_item(teller: Teller) -> dict[str, Any]:
    choose = teller.choose
    action = choose.of(("new", "new", "new", "amended", "amended", "replaced", "abolished"))
    item: dict[str, Any] = {"action": action, "procedure_code": choose.of(CODES)}
    if action == "replaced" and choose.chance(80):
        item["replaces"] = choose.of(CODES)
    if action == "abolished":
        return item
    item |= {
        "name": f"Thủ tục {item['procedure_code']}",
        "field": choose.of(("Hộ tịch", "Đất đai", "Đầu tư")),
        "levels": choose.order(list(LEVELS))[: choose.of((1, 1, 2, 3))],
    }
    if choose.chance(30):
        item["agencies"] = choose.order(list(AGENCIES))[: choose.between(1, 3)]
    if choose.chance(80):
        item["origin"] = choose.of(("central", "local"))
    if choose.chance(60):
        item["limit"] = limit(teller)
    for name in ("fee", "result_document", "persons", "post_in", "post_out", "eligible_full"):
        if choose.chance(60):
            item[name] = choose.chance(60)
    return item


def process_steps(teller: Teller) -> list[dict[str, Any]]:
    steps = []
    for number in (1, 2, 3, 4):
        step = {"no": number, "name": f"Bước {number}", "department": DEPARTMENTS[number], "role": f"Vai {number % 3}"}
        if number < 4 or teller.choose.chance(30):
            step["hours"] = teller.choose.of((4, 8, 8, 16, 24))
        if teller.choose.chance(10):
            step["counts"] = False
        steps.append(step)
    return steps


def items(teller: Teller, kind: str) -> list[dict[str, Any]]:
    choose = teller.choose
    count = choose.between(1, 20 if kind in ("integration", "services") else 8)
    if kind == "publication":
        return [publication_item(teller) for _ in range(count)]
    scheme, levels = choose.of((("levels4", (1, 2, 3, 4)), ("levels2", ("full", "partial", "none"))))
    found = []
    for _ in range(count):
        item: dict[str, Any] = {"procedure_code": choose.of(CODES)}
        if kind == "services":
            item |= {"scheme": scheme, "level": choose.of(levels)}
        elif kind == "process":
            item["steps"] = process_steps(teller)
        elif kind == "integration":
            item["integrated"] = choose.chance(60)
        else:
            item |= {"level": choose.of(AGENCY_LEVELS), "limit_before": limit(teller), "limit_after": limit(teller)}
        found.append(item)
    if kind == "process":  # one process a procedure in one decision
        found = list({item["procedure_code"]: item for item in found}.values())
    return found


def decision_history(teller: Teller, serial: int) -> None:
    choose = teller.choose
    moment = teller.moment(teller.first if serial <= 4 else None)
    day = local_date(moment)
    subject = f"H51/{serial}/{day.year}"
    kind = ("publication", "process", "services", "publication")[serial - 1] if serial <= 4 else choose.of(KINDS)
    effective_on = day
    for _ in range(choose.of((1, 1, 1, 1, 2))):  # "a later decided of the same subject replaces the earlier"
        effective_on = day if serial <= 4 else day + timedelta(days=choose.of((-3, 0, 0, 1, 15, 40)))
        said = items(teller, kind)
        if serial <= 4 and kind in ("publication", "process"):
            said += [core_item(teller, kind, code) for code in PROCEDURES]
        dates = {"signed_on": day.isoformat(), "effective_on": effective_on.isoformat()}
        teller.tell("catalogue", "decided", subject, moment, kind=kind, **dates, items=said)
        moment = teller.later(moment)
    if kind == "publication" and choose.chance(30):
        code = said[0]["procedure_code"]
        posted = (day + timedelta(days=choose.of((1, 5, 9)))).isoformat()
        teller.tell("catalogue", "posted", subject, moment, procedure_code=code, posted_on=posted)
    for _ in range(choose.of((0, 0, 0, 0, 0, 0, 1, 2))):
        repealed = (effective_on + timedelta(days=choose.of((0, 10, 90, 200)))).isoformat()
        teller.tell("catalogue", "repealed", subject, moment, by=f"H51/{serial + 1}/{day.year}", effective_on=repealed)


def core_item(teller: Teller, kind: str, code: str) -> dict[str, Any]:
    """The procedures that dossiers are about have an entry and a process from the start."""
    if kind == "process":
        return {"procedure_code": code, "steps": process_steps(teller)}
    return publication_item(teller) | {
        "action": "new",
        "procedure_code": code,
        "name": f"Thủ tục {code}",
        "field": "Hộ tịch",
        "levels": ["commune"],
    }


def cost_sheet(teller: Teller) -> dict[str, Any]:
    choose = teller.choose
    activities = [
        {
            "name": f"Việc {number}",
            "hours": choose.of((0.1, 0.25, 0.5, 1, 1.5, 3, 7.35)),
            "wage_vnd_per_hour": choose.of((36_200, 41_333, 50_000)),
        }
        | ({"service_vnd": choose.of((0, 15_000, 20_001))} if choose.chance(50) else {})
        for number in range(choose.between(1, 3))
    ]
    sheet: dict[str, Any] = {
        "activities": activities,
        "times_per_year": choose.of((1, 2, 12)),
        "persons": choose.of((1, 3, 3228)),
    }
    return sheet | ({"fees_vnd": choose.of((0, 8_000, 50_000))} if choose.chance(70) else {})


def review_history(teller: Teller, code: str) -> None:
    choose = teller.choose
    moment = teller.moment()
    if choose.chance(70):
        group = teller.maybe(50, "Nhóm 1")
        teller.tell("review", "planned", code, moment, year=local_date(moment).year, group=group)
    for _ in range(choose.of((1, 1, 1, 2))):
        moment = teller.later(moment)
        teller.tell("review", "reviewed", code, moment, sheet_before=cost_sheet(teller), issues=choose.between(0, 4))
        for _ in range(choose.of((0, 1, 1, 2))):
            moment = teller.later(moment)
            data = {"sheet_after": cost_sheet(teller), "to": choose.of(("own", "ministry"))}
            teller.tell("review", "proposed", code, moment, **data, issues_proposed=choose.between(0, 6))
        if choose.chance(40):
            moment = teller.later(moment)
            teller.tell("review", "approved", code, moment, decision="H51/85/2022")


def tenant(seed: int | str, records: int, first: date = date(2023, 1, 3), span: int = 700) -> list[Event]:
    """About that many records of all registers, in recording order. From a day of 2022 some terms meet an unconfirmed year."""
    choose = Seeded(f"registers {seed}")
    teller = Teller(choose, first, span)
    counts = {name: max(1, records * share // 100) for name, share in SHARES.items()}
    dossiers = [dossier_history(teller, serial) for serial in range(1, counts["dossier"] + 1)]
    beginnings = beginnings_of(teller)
    about = [*dossiers, "H51.12-230101-99999"]  # the last one nobody received
    for name, history in (("component", component_history), ("step", step_history), ("post", post_history)):
        for code in choose.order(about)[: counts[name]]:
            history(teller, code, beginnings)
    others: list[str] = []
    for serial in range(1, counts["feedback"] + 1):
        feedback_history(teller, serial, others, dossiers[: len(dossiers) // 3 + 1])
    for serial in range(1, counts["payment"] + 1):
        payment_history(teller, serial, about)
    for serial in range(1, counts["survey"] + 1):
        survey_history(teller, serial, dossiers)
    for serial in range(1, max(counts["catalogue"], 8) + 1):
        decision_history(teller, serial)
    for code in (f"{choose.of((1, 2))}.{number:06d}" for number in range(500, 500 + counts["review"])):
        review_history(teller, code)
    voids(teller)
    return arrival(choose, teller.events)
