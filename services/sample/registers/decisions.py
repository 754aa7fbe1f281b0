"""The procedure catalogue of the second sample: 1,847 procedures in force at the end of 2022, by decisions.

Published are: 79 decisions about 561 procedures in 2022, 35 about the internal processes of 622, 394 services at level 3
and 982 at level 4, 817 of them integrated. Which procedures these are
is invented; their codes begin with 9, as no real one does.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final

from services.sample.catalogue import FIELD_NAMES, NOT_INTEGRATED, PROCEDURES, SampleProcedure
from services.sample.registers.agencies import SEVEN_STEPS
from services.sample.registers.envelopes import EventWriter, at_hour, weekday_from

DECISIONS: Final = 79
NEW: Final = 180
AMENDED: Final = 330
ABOLISHED: Final = 33
REPLACED: Final = 18
"""561 procedures in the decisions of the year, each once."""

AMENDED_AGAIN: Final = 12
"""So many are in two decisions: mentions are not procedures."""

INVENTED_BEFORE: Final = 1_690
"""In force before the year, beside the ten that dossiers are for: 1,700, and 1,847 after it."""

PROCESS_DECISIONS: Final = 35
PROCESSES: Final = 622
LEVEL_4: Final = 982
LEVEL_3: Final = 394
INTEGRATED: Final = 817

_CARRYING: Final = (*PROCEDURES, *NOT_INTEGRATED)
_FIELDS: Final = tuple(FIELD_NAMES)
_LEVELS: Final = (["province"], ["district"], ["commune"], ["district", "commune"], ["province"])
_LIMIT_DAYS: Final = (3, 5, 7, 10, 15, 21, 30)
_PARTS: Final = ("name", "sequence", "manner", "components", "limit", "who", "agency")
_STEP_NAMES: Final = (
    "Tiếp nhận hồ sơ",
    "Phân công thụ lý",
    "Thẩm định hồ sơ",
    "Xem xét kết quả",
    "Ký duyệt",
    "Đóng dấu, vào sổ",
)
_HOURS_A_DAY: Final = 8
_PUBLISHED_HOURS: Final = (4, 4, 112, 24, 16, 8)
"""Of 1.012994, with a seventh step, the return of the result, that has no hours: 168 = 21 working days."""

_ITEMS_A_DECISION: Final = 100
_LATE_EVERY: Final = 13
_FIRST_SIGNED_ON: Final = date(2022, 1, 10)


def invented(number: int) -> str:
    """The code of an invented procedure."""
    return f"9.{number:06d}"


def codes_in_force() -> list[str]:
    """At the end of the year: those that dossiers are for first."""
    left = INVENTED_BEFORE - ABOLISHED - REPLACED
    added = range(INVENTED_BEFORE + 1, INVENTED_BEFORE + NEW + REPLACED + 1)
    return [*(one.code for one in _CARRYING), *map(invented, range(1, left + 1)), *map(invented, added)]


def process_steps(code: str) -> list[dict[str, Any]]:
    """The internal process of a procedure: its hours are its limit, a working day as 8, shared by its steps."""
    hours = _PUBLISHED_HOURS if code == SEVEN_STEPS.code else _shared_hours(_working_days(code) * _HOURS_A_DAY)
    last = len(hours) - 1
    counted = [
        {
            "no": place + 1,
            "name": _STEP_NAMES[place],
            "department": "Bộ phận Một cửa" if place in {0, last} else "Bộ phận chuyên môn",
            "role": "Tiếp nhận" if place == 0 else "Lãnh đạo" if place == last else "Thụ lý",
            "hours": amount,
        }
        for place, amount in enumerate(hours)
    ]
    returning = {"name": "Trả kết quả", "department": "Bộ phận Một cửa", "role": "Tiếp nhận", "counts": False}
    return [*counted, {"no": len(hours) + 1, **returning}]


def _shared_hours(whole: int) -> Sequence[int]:
    first = min(4, whole // 4)
    return (first, whole - 3 * first, 2 * first)


def _working_days(code: str) -> int:
    known = next((one for one in _CARRYING if one.code == code), None)
    return _LIMIT_DAYS[int(code[2:]) % len(_LIMIT_DAYS)] if known is None else _office_days(known.term_days)


def _office_days(term_days: int) -> int:
    """Working days that are surely in so many days and the first one, so that a dossier on time is hardly late in a step."""
    return term_days + 1 if term_days <= 3 else term_days * 5 // 7 + 2  # noqa: PLR2004 - no weekend lies in so short a term


def _published(procedure: SampleProcedure, action: str, unit: str = "calendar_days") -> dict[str, Any]:
    return {
        "action": action,
        "procedure_code": procedure.code,
        "name": procedure.name,
        "field": procedure.field,
        "levels": ["district", "commune"] if procedure in _CARRYING else ["province"],
        "origin": "central",
        "limit": {"value": procedure.term_days, "unit": unit},
        "fee": procedure.has_fee,
        "result_document": procedure.document,
        "post_in": True,
        "post_out": True,
        "eligible_full": True,
        "parts": list(_PARTS),
    }


def _item(number: int, action: str, **more: Any) -> dict[str, Any]:
    """An invented procedure, made of its number."""
    if action == "abolished":
        return {"action": action, "procedure_code": invented(number)}
    field = _FIELDS[number % len(_FIELDS)]
    return {
        "action": action,
        "procedure_code": invented(number),
        "name": f"Thủ tục mẫu số {number} ({FIELD_NAMES[field]})",
        "field": field,
        "levels": _LEVELS[number // len(_FIELDS) % len(_LEVELS)],
        "origin": "local" if number % 11 == 0 else "central",
        "limit": {"value": _working_days(invented(number)), "unit": "working_days"},
        "fee": number % 3 == 0,
        "result_document": number % 7 != 0,
        "post_in": number % 2 == 0,
        "post_out": number % 4 != 1,
        "parts": list(_PARTS[: -1 if number % 25 == 0 else None]),
        **more,
    }


def catalogue_events(writer: EventWriter, tenant: str) -> Iterator[dict[str, Any]]:
    """All decisions, and the posts of their procedures."""

    def decided(number: int, kind: str, signed_on: date, items: Sequence[Mapping[str, Any]], **more: Any) -> dict[str, Any]:
        data = {"kind": kind, "signed_on": str(signed_on), "effective_on": str(signed_on), "items": items} | more
        return writer.write("catalogue.decided", f"{tenant}/{number}/{signed_on.year}", at_hour(signed_on, 9), **data)

    before = [_published(one, "new") for one in _CARRYING] + [
        _item(number, "new") for number in range(1, INVENTED_BEFORE + 1)
    ]
    for place, items in enumerate(_batches(before)):
        yield decided(1 + place, "publication", weekday_from(date(2021, 3, 1) + timedelta(days=7 * place)), items)
    for place, items in enumerate(_year_items()):
        signed_on = weekday_from(_FIRST_SIGNED_ON + timedelta(days=4 * place))
        effective_on = str(signed_on + timedelta(days=14))
        # one in thirteen is signed too short before the legal text takes effect
        legal = str(signed_on + timedelta(days=2)) if place % _LATE_EVERY == 0 else effective_on
        more = {"effective_on": effective_on, "legal_effective_on": legal}
        yield decided(101 + place, "publication", signed_on, items, **more)
        yield from _posts(writer, f"{tenant}/{101 + place}/2022", signed_on, items)
    codes = codes_in_force()
    for place in range(PROCESS_DECISIONS):
        items = [
            {"procedure_code": code, "steps": process_steps(code)} for code in codes[:PROCESSES][place::PROCESS_DECISIONS]
        ]
        yield decided(301 + place, "process", weekday_from(date(2022, 1, 4) + timedelta(days=9 * place)), items)
    services = [
        {
            "procedure_code": code,
            "scheme": "levels4",
            "level": 4 if place < LEVEL_4 else 3 if place < LEVEL_4 + LEVEL_3 else 2,
        }
        for place, code in enumerate(codes)
    ]
    for place, items in enumerate(_batches(services)):
        yield decided(401 + place, "services", date(2022, 12, 5), items)
    online = LEVEL_4 + LEVEL_3
    integration = [
        {"procedure_code": code, "integrated": place * INTEGRATED // online != (place + 1) * INTEGRATED // online}
        for place, code in enumerate(codes[:online])
    ]
    for place, items in enumerate(_batches(integration)):
        yield decided(501 + place, "integration", date(2022, 12, 6), items)
    reduced = [
        {
            "procedure_code": code,
            "level": "commune",
            "limit_before": _working_days(code),
            "limit_after": _working_days(code) - 1,
        }
        for code in map(invented, range(1, 25))
    ]
    yield decided(601, "reduced_terms", date(2022, 7, 1), reduced)
    yield decided(11, "publication", date(2025, 3, 3), [_published(SEVEN_STEPS, "new", "working_days")])
    steps = process_steps(SEVEN_STEPS.code)
    yield decided(12, "process", date(2025, 3, 3), [{"procedure_code": SEVEN_STEPS.code, "steps": steps}])


def _batches(items: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[Mapping[str, Any]]]:
    for first in range(0, len(items), _ITEMS_A_DECISION):
        yield items[first : first + _ITEMS_A_DECISION]


def _year_items() -> list[list[dict[str, Any]]]:
    """The items of each decision of the year."""
    last = INVENTED_BEFORE
    items = [_item(number, "new") for number in range(last + 1, last + NEW + 1)]
    items += [_item(number, "amended") for number in range(1, AMENDED + 1)]
    items += [_item(number, "abolished") for number in range(last - ABOLISHED + 1, last + 1)]
    items += [
        _item(last + NEW + place, "replaced", replaces=invented(last - ABOLISHED - REPLACED + place))
        for place in range(1, REPLACED + 1)
    ]
    decisions = [items[place::DECISIONS] for place in range(DECISIONS)]
    for number in range(1, AMENDED_AGAIN + 1):
        decisions[(NEW + number + DECISIONS // 2) % DECISIONS].append(_item(number, "amended"))
    return decisions


def _posts(
    writer: EventWriter, decision: str, signed_on: date, items: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Made public within five working days, but for one in twenty; what is abolished is not posted."""
    for item in items:
        if item["action"] != "abolished":
            number = int(item["procedure_code"][2:])
            posted_on = weekday_from(signed_on + timedelta(days=14 if number % 20 == 0 else 2 + number % 3))
            told = {"procedure_code": item["procedure_code"], "posted_on": str(posted_on)}
            yield writer.write("catalogue.posted", decision, at_hour(posted_on, 10), **told)
