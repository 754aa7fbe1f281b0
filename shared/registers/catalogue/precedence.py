"""Decisions and the sheet of procedures (`PUT /v1/procedures`): where a publication item in force speaks, it wins.

Registers, section 4 (choice). A difference is the anomaly ``sheet_differs``.
"""

from collections.abc import Mapping
from typing import Any, Final

from shared.registers.catalogue.decisions import HOURS_A_DAY, Item
from shared.registers.measures import ProcedureFacts
from shared.vocabulary.spelling import one_spelling

_TEXTS: Final = ("name", "field")
_TRUTHS: Final = {"fee": "has_fee", "result_document": "result_is_document"}


def limit_of(item: Item | None, sheet: ProcedureFacts | None) -> Mapping[str, Any] | None:
    """The legal limit: of the item, else of the sheet."""
    if item is not None and "limit" in item:
        limit: Mapping[str, Any] = item["limit"]
        return limit
    if sheet is None or sheet.limit_value is None:
        return None
    return {"value": sheet.limit_value, "unit": sheet.limit_unit}


def text_of(name: str, item: Item | None, sheet: ProcedureFacts | None) -> str | None:
    """A procedure's ``name`` or ``field``."""
    if item is not None and name in item:
        return one_spelling(item[name])
    text: str | None = None if sheet is None else getattr(sheet, name)
    return text


def truth_of(name: str, item: Item | None, sheet: ProcedureFacts | None) -> bool:
    """Whether a procedure has a ``fee``, or a ``result_document``."""
    if item is not None and name in item:
        return bool(item[name])
    return sheet is not None and bool(getattr(sheet, _TRUTHS[name]))


def differences(item: Item, sheet: ProcedureFacts) -> list[str]:
    """What the item and the sheet say both, and not the same."""
    found = [name for name in _TEXTS if name in item and getattr(sheet, name) not in (None, one_spelling(item[name]))]
    found += [name for name, theirs in _TRUTHS.items() if name in item and item[name] != getattr(sheet, theirs)]
    if "limit" in item and limit_of(None, sheet) not in (None, item["limit"]):
        found.append("limit")
    return found


def limit_hours(limit: Mapping[str, Any] | None) -> int | None:
    """A limit in working hours, a working day as 8; None: there is none, or one that is not counted in working time."""
    if limit is None:
        return None
    hours = {"working_hours": 1, "working_days": HOURS_A_DAY}.get(limit["unit"])
    return None if hours is None else limit["value"] * hours


def process_sum_differs(process: Item, limit: Mapping[str, Any] | None) -> bool:
    """Whether the hours that count are not the procedure's limit (``process_sum``); never where that is no working time."""
    expected = limit_hours(limit)
    counted = sum(step.get("hours", 0) for step in process["steps"] if step.get("counts", True))
    return expected is not None and counted != expected
