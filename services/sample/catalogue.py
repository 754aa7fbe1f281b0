"""The catalogues of the sample: its agencies, a handful of common procedures, and the calendar."""

import csv
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

from services.sample.table import UnitTable


@dataclass(frozen=True, slots=True)
class SampleProcedure:
    """A procedure of the sample; ``term_days`` is the promise in calendar days that its receipts carry."""

    code: str
    name: str
    field: str
    term_days: int
    has_fee: bool = False
    document: bool = True


PROCEDURES: Final = (
    SampleProcedure("1.001193", "Đăng ký khai sinh", "Hộ tịch", 3),
    SampleProcedure("1.000894", "Đăng ký kết hôn", "Hộ tịch", 5),
    SampleProcedure("2.000815", "Chứng thực bản sao từ bản chính", "Chứng thực", 2, has_fee=True),
    SampleProcedure("1.005129", "Cấp giấy phép hoạt động", "Hoạt động xây dựng", 15, has_fee=True),
    SampleProcedure("2.001610", "Đăng ký thành lập doanh nghiệp", "Doanh nghiệp", 7, has_fee=True),
    SampleProcedure("1.004193", "Đăng ký biến động quyền sử dụng đất", "Đất đai", 21, has_fee=True),
    SampleProcedure("2.000488", "Cấp phiếu lý lịch tư pháp", "Lý lịch tư pháp", 14, has_fee=True),
    SampleProcedure("1.003003", "Giải quyết chế độ ưu đãi", "Người có công", 10, document=False),
)


def agencies(table: UnitTable) -> list[dict[str, Any]]:
    """Bodies of ``PUT /v1/agencies``: the root, then each unit as its direct child."""
    root = {"code": table.tenant, "name": f"UBND {table.place}", "parent": None}
    return [root, *({"code": u.code, "name": u.name, "parent": table.tenant} for u in table.units)]


def procedures() -> list[dict[str, Any]]:
    """Bodies of ``PUT /v1/procedures``."""
    return [
        {
            "code": procedure.code,
            "name": procedure.name,
            "field": procedure.field,
            "limit": {"value": procedure.term_days, "unit": "calendar_days"},
            "supplement_policy": "pause",
            "payment_pauses": False,
            "result_is_document": procedure.document,
            "has_fee": procedure.has_fee,
            "online_level": "partial",
        }
        for procedure in PROCEDURES
    ]


def calendar() -> dict[str, Any]:
    """Body of ``PUT /v1/calendar``: the days off and make-up Saturdays of 2023-2026, whose years are confirmed."""
    text = files("services.sample").joinpath("holidays_vn.csv").read_text(encoding="utf-8")
    days = list(csv.DictReader(text.splitlines()))
    return {"days": days, "confirmed_years": sorted({int(day["date"][:4]) for day in days})}
