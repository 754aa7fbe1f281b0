"""Form II.06 over HTTP, in all its formats, against counting the rows one by one."""

from __future__ import annotations

import csv
import io
from datetime import date
from typing import Any

import openpyxl
import pytest

from shared.access.store.keys import Permission
from shared.catalogue.rules.collation import vietnamese_key
from shared.reports.rules.form_ii06 import period_name
from tests.support.api import Days, Served, count
from tests.support.figures import BRANCH, CATALOGUE, FIELDS, Standing, api, load, standing

__all__ = ["api", "standing"]  # fixtures

PATH = "/v1/reports/II.06"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def columns(days: list[Days], begin: date, end: date) -> list[int]:
    """Columns 3 to 13 by hand."""
    found = count(days, begin, end)
    received = [found["received.new.online"], found["received.new.direct"] + found["received.new.postal"]]
    received.append(found["received.carried_over"])
    resolved = [found[f"resolved.{how}"] for how in ("early", "on_time", "late")]
    still_open = [found["open.within"], found["open.overdue"]]
    return [sum(received), *received, sum(resolved), *resolved, sum(still_open), *still_open]


def key_of(by: str, one: Days) -> str:
    if by == "agency":
        return BRANCH[one.row.agency]
    if by == "procedure":
        return one.row.procedure or "unknown"
    return FIELDS.get(one.row.procedure or "", "unknown")


async def asked(client: Any, **parameters: str) -> Any:
    response = await client.get(PATH, params=parameters)
    assert response.status_code == 200, response.text
    return response


@pytest.mark.parametrize("by", ["agency", "field", "procedure"])
@pytest.mark.parametrize(
    ("period", "begin", "end"),
    [
        ("2025-Q2", date(2025, 4, 1), date(2025, 6, 30)),
        ("ND09:2025-05", date(2025, 4, 15), date(2025, 5, 14)),
        ("ND09:2025", date(2024, 12, 15), date(2025, 12, 14)),
    ],
)
async def test_json_csv_and_workbook_equal_a_count_by_hand(
    standing: Standing, by: str, period: str, begin: date, end: date
) -> None:
    api = standing.api
    days = await standing.load(400, 11)
    client = await api.key(Permission.STATS_READ)
    found = (await asked(client, period=period, by=by)).json()
    total = columns(days, begin, end)
    hand = {row["key"]: columns([one for one in days if key_of(by, one) == row["key"]], begin, end) for row in found["rows"]}
    assert {row["key"]: list(row["columns"].values()) for row in found["rows"]} == hand
    assert list(found["total"]["columns"].values()) == total
    assert list(found["total"]["columns"]) == [str(number) for number in range(3, 14)]
    assert [sum(column) for column in zip(*hand.values(), strict=True)] == total
    assert [row["number"] for row in found["rows"]] == list(range(1, len(found["rows"]) + 1))
    assert all(check["holds"] for check in found["checks"])
    assert set(found["total"]["rates"]) == {"resolved_on_time", "index_on_time", "on_time_of_received", "open_within"}

    text = (await asked(client, period=period, by=by, format="csv")).content
    assert text.startswith(b"\xef\xbb\xbf")
    sheet = list(csv.reader(io.StringIO(text.decode("utf-8-sig"))))
    start = next(index for index, row in enumerate(sheet) if row[:2] == ["(1)", "(2)"]) + 1
    assert [[int(cell) for cell in row[2:13]] for row in sheet[start:]] == [*hand.values(), total]
    assert sheet[-1][1] == "Tổng cộng"
    assert {len(row) for row in sheet[start - 2 :]} == {22}, "every number stands under its heading"
    if by == "field":
        known = [row[1] for row in sheet[start:-1] if row[1] != "Chưa rõ lĩnh vực"]
        assert known == sorted(known, key=vietnamese_key) != sorted(known)

    book = openpyxl.load_workbook(io.BytesIO((await asked(client, period=period, by=by, format="xlsx")).content))
    form = book["II.06"]
    lines = [[cell.value for cell in row[:13]] for row in form.iter_rows(min_row=10, max_row=10 + len(hand))]
    assert [line[2:] for line in lines] == [*hand.values(), total]
    assert [line[0] for line in lines] == [*range(1, len(hand) + 1), "Tổng cộng"]
    apart = [[cell.value for cell in row] for row in book["Ngoài biểu"].iter_rows(min_row=5)]
    assert len(apart) == len(hand) + 1
    assert f"{apart[-1][7]:.2f}" == found["total"]["rates"]["resolved_on_time"]["value"]


async def test_the_workbook_looks_like_the_form(api: Served) -> None:
    await load(api, 50, 3)
    client = await api.key(Permission.STATS_READ)
    response = await asked(client, period="ND09:2025-6M", by="field", format="xlsx", receiving_unit="Văn phòng Chính phủ")
    assert response.headers["content-type"] == XLSX
    assert 'filename="II.06_H51_2024-12-15_2025-06-14_field.xlsx"' in response.headers["content-disposition"]
    form = openpyxl.load_workbook(io.BytesIO(response.content))["II.06"]
    text = "\n".join(str(cell.value) for row in form.iter_rows(max_row=5) for cell in row if cell.value)
    for words in (
        "Biểu số II.06/VPCP/KSTT",
        "01/2020/TT-VPCP",
        "TÌNH HÌNH, KẾT QUẢ GIẢI QUYẾT THỦ TỤC HÀNH CHÍNH",
        "Kỳ báo cáo: 6 tháng đầu năm 2025 theo kỳ báo cáo của Nghị định 09/2019/NĐ-CP",
        "(từ ngày 15/12/2024 đến ngày 14/06/2025)",
        "Đơn vị báo cáo: UBND tỉnh",
        "Văn phòng Chính phủ",
        "Đơn vị tính: hồ sơ",
    ):
        assert words in text
    merged = {str(merge) for merge in form.merged_cells.ranges}
    assert {"A6:A8", "B6:B8", "C6:F6", "G6:J6", "K6:M6", "C7:C8", "D7:E7", "F7:F8", "M7:M8"} <= merged
    assert [form.cell(6, column).value for column in (1, 2, 3, 7, 11)] == [
        "STT",
        "Lĩnh vực giải quyết",
        "Số lượng hồ sơ tiếp nhận",
        "Số lượng hồ sơ đã giải quyết",
        "Số lượng hồ sơ đang giải quyết",
    ]
    assert form.cell(7, 4).value == "Trong kỳ"
    assert [form.cell(8, column).value for column in (4, 5)] == ["Trực tuyến", "Trực tiếp, dịch vụ bưu chính"]
    assert [str(form.cell(9, column).value).split(")")[0] + ")" for column in range(1, 14)] == [
        f"({number})" for number in range(1, 14)
    ]
    assert form.page_setup.orientation == "landscape"
    assert str(form.page_setup.paperSize) == "9"
    assert form.print_title_rows == "$6:$9"
    cell = form.cell(10, 3)
    assert (cell.number_format, cell.border.left.style, cell.font.name) == ("#,##0", "thin", "Times New Roman")


async def test_the_header_accept_decides(api: Served) -> None:
    client = await api.key(Permission.STATS_READ)
    for accept, kind in (
        ("text/csv", "text/csv; charset=utf-8"),
        (XLSX, XLSX),
        ("application/json, text/csv", "application/json"),
        ("*/*", "application/json"),
    ):
        response = await client.get(PATH, params={"period": "2025"}, headers={"accept": accept})
        assert (response.status_code, response.headers["content-type"]) == (200, kind)
    assert (await client.get(PATH, params={"period": "2025", "format": "pdf"})).status_code == 422
    assert (await client.get(PATH, params={"period": "2025", "by": "day"})).status_code == 422


async def test_a_name_is_never_a_formula(api: Served) -> None:
    admin = await api.key()
    name = '=HYPERLINK("http://x")'
    agencies = [*CATALOGUE, {"code": "H51.15", "name": name, "parent": "H51"}]
    assert (await admin.put("/v1/agencies", json=agencies)).status_code == 200
    rows = list(csv.reader(io.StringIO((await asked(admin, period="2025", by="agency", format="csv")).text)))
    assert [row[1] for row in rows if row[:1] == ["4"]] == [f"'{name}"]
    book = openpyxl.load_workbook(io.BytesIO((await asked(admin, period="2025", by="agency", format="xlsx")).content))
    (cell,) = (row[1] for row in book["II.06"].iter_rows(min_row=10) if row[1].value == name)
    assert cell.data_type == "s"


async def test_a_restricted_key_reports_its_subtree(api: Served) -> None:
    days = await load(api, 300, 5)
    client = await api.key(Permission.STATS_READ, agency="H51.12")
    found = (await asked(client, period="2025")).json()
    own = [one for one in days if one.row.agency in ("H51.12", "H51.12.01", "000.00.12.H51", "H51.12.88")]
    assert list(found["total"]["columns"].values()) == columns(own, date(2025, 1, 1), date(2025, 12, 31))
    assert found["reporting_unit"] == {"code": "H51.12", "name": "Sở A"}
    assert (await client.get(PATH, params={"period": "2025", "agency": "H51"})).status_code == 403
    reader = await api.key(Permission.DOSSIERS_READ)
    assert (await reader.get(PATH, params={"period": "2025"})).status_code == 403


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2018", "Năm 2018"),
        ("2018-H1", "6 tháng đầu năm 2018"),
        ("2018-H2", "6 tháng cuối năm 2018"),
        ("2018-Q4", "Quý IV năm 2018"),
        ("2018-05", "Tháng 5 năm 2018"),
        ("2018-W07", "Tuần 7 năm 2018"),
        ("ND09:2018", "Năm 2018 theo kỳ báo cáo của Nghị định 09/2019/NĐ-CP"),
        ("ND09:2018-9M", "9 tháng đầu năm 2018 theo kỳ báo cáo của Nghị định 09/2019/NĐ-CP"),
        ("ND09:2018-Q1", "Quý I năm 2018 theo kỳ báo cáo của Nghị định 09/2019/NĐ-CP"),
        ("ND09:2018-12", "Tháng 12 năm 2018 theo kỳ báo cáo của Nghị định 09/2019/NĐ-CP"),
        (None, None),
    ],
)
def test_periods_in_words(text: str | None, words: str | None) -> None:
    assert period_name(text) == words
