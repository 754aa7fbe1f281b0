"""The agencies of the second sample, all invented, the days off of its year, and the sheet of its procedures."""

from collections.abc import Iterator
from typing import Any, Final

from services.sample import catalogue

LAND_OFFICE: Final = "53"
_DEPARTMENTS: Final = {
    "51": "Sở Xây dựng (mẫu)",
    "52": "Sở Tư pháp (mẫu)",
    LAND_OFFICE: "Sở Tài nguyên và Môi trường (mẫu)",
    "54": "Sở Kế hoạch và Đầu tư (mẫu)",
}
_DISTRICTS: Final = {"61": "Huyện Mẫu Đông", "62": "Huyện Mẫu Tây", "63": "Huyện Mẫu Nam"}
_COMMUNES_A_DISTRICT: Final = 3

WAGE_VND_PER_HOUR: Final = 40_000

SEVEN_STEPS: Final = catalogue.SampleProcedure("1.012994", "Thủ tục mẫu có quy trình bảy bước", "G10-DD01", 21)
"""Its internal process of 2025 is published: seven steps, 168 hours, 21 working days."""

_PLACE: Final = "tỉnh Sóc Trăng"

_DAYS_OFF_2022: Final = {
    "245/VPCP-KGVX": ("01-31", "02-01", "02-02", "02-03", "02-04", "09-01", "09-02"),
    "Bộ luật Lao động, điều 111-112": ("01-03", "04-11", "05-02", "05-03"),
}


def departments(tenant: str) -> dict[str, str]:
    """Their names by code."""
    return {f"{tenant}.{number}": name for number, name in _DEPARTMENTS.items()}


def desks(tenant: str) -> dict[str, str]:
    """The agencies that receive dossiers: districts, then communes, whose codes begin with that of their district."""
    districts = {f"{tenant}.{number}": name for number, name in _DISTRICTS.items()}
    communes = {
        f"{code}.{number:02d}": f"Xã {name.removeprefix('Huyện ')} {number}"
        for code, name in districts.items()
        for number in range(1, _COMMUNES_A_DISTRICT + 1)
    }
    return districts | communes


def agencies(tenant: str) -> Iterator[dict[str, Any]]:
    """Bodies of ``PUT /v1/agencies``, each with its level and what scores and reviews read of it."""
    wage = {
        "review_wage_vnd_per_hour": str(WAGE_VND_PER_HOUR),
        "review_wage_source": "Mức giả định của dữ liệu mẫu",
        "review_wage_from": "2022-01-01",
    }
    yield {"code": tenant, "name": f"UBND {_PLACE}", "parent": None, "facts": wage}
    for code, name in (departments(tenant) | desks(tenant)).items():
        parent = code.rpartition(".")[0]
        level = "commune" if parent != tenant else "province" if code in departments(tenant) else "district"
        facts = {"tt01_5": "2", "tt01_6": "1" if level == "commune" else "2"}
        yield {"code": code, "name": name, "parent": parent, "level": level, "facts": facts}


def procedures() -> list[dict[str, Any]]:
    """Bodies of ``PUT /v1/procedures``: the sheet of the first samples, and the procedure with seven steps."""
    seven = catalogue.sheet_of(SEVEN_STEPS) | {"limit": {"value": SEVEN_STEPS.term_days, "unit": "working_days"}}
    return [*map(catalogue.sheet_of, (*catalogue.PROCEDURES, *catalogue.NOT_INTEGRATED)), seven]


def calendar() -> dict[str, Any]:
    """Body of ``PUT /v1/calendar``: that of the first samples, and 2022."""
    known = catalogue.calendar()
    days = [
        {"date": f"2022-{day}", "kind": "off", "source": source} for source, group in _DAYS_OFF_2022.items() for day in group
    ]
    return {"days": days + known["days"], "confirmed_years": [2022, *known["confirmed_years"]]}
