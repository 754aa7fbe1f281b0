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
    SampleProcedure("1.001193", "Đăng ký khai sinh", "G15-HT05", 3),
    SampleProcedure("1.000894", "Đăng ký kết hôn", "G15-HT05", 5),
    SampleProcedure("1.000656", "Đăng ký khai tử", "G15-HT05", 3),
    SampleProcedure("2.000815", "Chứng thực bản sao từ bản chính", "G15-CT01", 2, has_fee=True),
    SampleProcedure("1.009122", "Cấp giấy phép xây dựng nhà ở riêng lẻ", "G17-XD04", 15, has_fee=True),
    SampleProcedure("1.001612", "Đăng ký thành lập hộ kinh doanh", "G05-KD02", 7, has_fee=True),
    SampleProcedure("1.004193", "Tách thửa hoặc hợp thửa đất", "G10-DD01", 21, has_fee=True),
)

NOT_INTEGRATED: Final = (
    SampleProcedure("2.000884", "Chứng thực chữ ký trong các giấy tờ, văn bản", "G15-CT01", 2, has_fee=True),
    SampleProcedure("2.000635", "Cấp bản sao trích lục hộ tịch", "G15-HT05", 2, has_fee=True),
    SampleProcedure("1.004873", "Cấp giấy xác nhận tình trạng hôn nhân", "G15-HT05", 3),
)
"""Procedures that stand in for those not integrated into the national portal (817 services were in 2022): the practice
portal's catalogue does not have them, and where it insists on its catalogue it refuses their dossiers."""

FIELD_NAMES: Final = {
    "G05-KD02": "Thành lập và hoạt động của doanh nghiệp",
    "G10-DD01": "Đất đai",
    "G15-CT01": "Chứng thực",
    "G15-HT05": "Hộ tịch",
    "G17-XD04": "Hoạt động xây dựng",
}


def agencies(table: UnitTable) -> list[dict[str, Any]]:
    """Bodies of ``PUT /v1/agencies``: the root, then each unit as its direct child (a whole province is the root)."""
    root = {"code": table.tenant, "name": f"UBND {table.place}", "parent": None}
    return [root, *({"code": u.code, "name": u.name, "parent": table.tenant} for u in table.units if u.code != table.tenant)]


def procedures(table: UnitTable) -> list[dict[str, Any]]:
    """Bodies of ``PUT /v1/procedures``; those not integrated only where the table says how many dossiers were synced."""
    others = NOT_INTEGRATED if any(unit.synced is not None for unit in table.units) else ()
    return [sheet_of(procedure) for procedure in (*PROCEDURES, *others)]


def sheet_of(procedure: SampleProcedure) -> dict[str, Any]:
    """One body of ``PUT /v1/procedures``."""
    return {
        "code": procedure.code,
        "name": procedure.name,
        "field": procedure.field,
        "field_name": FIELD_NAMES[procedure.field],
        "limit": {"value": procedure.term_days, "unit": "calendar_days"},
        "supplement_policy": "pause",
        "payment_pauses": False,
        "result_is_document": procedure.document,
        "has_fee": procedure.has_fee,
        "online_level": "partial",
    }


def calendar() -> dict[str, Any]:
    """Body of ``PUT /v1/calendar``: the days off and make-up Saturdays of 2023-2026, whose years are confirmed."""
    text = files("services.sample").joinpath("holidays_vn.csv").read_text(encoding="utf-8")
    days = list(csv.DictReader(text.splitlines()))
    return {"days": days, "confirmed_years": sorted({int(day["date"][:4]) for day in days})}
