"""The control slip as people file and print it: a workbook, and a page for the printer; both as the circular's form."""

import io
from collections.abc import Iterator
from datetime import datetime
from html import escape
from typing import Any, Final

import xlsxwriter

from services.api.dossiers.step_schemas import SlipOut, SlipRowOut
from shared.vocabulary.local_time import LOCAL_ZONE

TITLE: Final = "PHIẾU KIỂM SOÁT QUÁ TRÌNH GIẢI QUYẾT HỒ SƠ"
HEADINGS: Final = ("TÊN CƠ QUAN, BỘ PHẬN", "THỜI GIAN GIAO, NHẬN HỒ SƠ", "KẾT QUẢ GIẢI QUYẾT HỒ SƠ", "GHI CHÚ")
STANDINGS: Final = {"early": "Trước hạn", "on_time": "Đúng hạn", "late": "Quá hạn", "untimed": "Không quy định thời hạn"}

_WIDTHS: Final = (34, 34, 20, 26)
_A4: Final = 9
_BLANK: Final = "……"
_FONT: Final[dict[str, Any]] = {"font_name": "Times New Roman", "font_size": 12, "text_wrap": True, "valign": "top"}


def _moment(at: datetime | None) -> str:
    """As the form has it: giờ, phút, ngày, tháng, năm."""
    if at is None:
        return "…… giờ …… phút, ngày …… tháng …… năm ……"
    local = at.astimezone(LOCAL_ZONE)
    return f"{local:%H} giờ {local:%M} phút, ngày {local:%d} tháng {local:%m} năm {local:%Y}"


def head(slip: SlipOut) -> Iterator[str]:
    """The lines above the table."""
    yield f"Mẫu số {slip.form} (Thông tư số {slip.basis})"
    yield slip.agency_name or slip.agency or _BLANK
    yield f"Mã hồ sơ: {slip.code}"
    procedure = f"{slip.procedure} - {slip.procedure_name}" if slip.procedure_name else slip.procedure
    yield f"Thủ tục hành chính: {procedure or _BLANK}"
    yield f"Tiếp nhận: {_moment(slip.received_at)}"
    yield f"Hẹn trả: {_moment(slip.due_at)}"


def cells(row: SlipRowOut) -> tuple[str, str, str, str]:
    """One row of the form, lines apart."""
    step = f"Bước {row.step_no}" + (f": {row.step_name}" if row.step_name else "")
    giver = " - ".join(one for one in (row.giver_department, row.giver) if one) or _BLANK
    sheets = [] if row.sheets is None else [f"Số tờ: {row.sheets}"]
    names = [step, f"1. Giao: {giver}", f"2. Nhận: {row.receiver_department} - {row.receiver}", *sheets]
    times = [f"1. {_moment(row.handed_at)}", f"2. {_moment(row.taken_at)}"]
    standing = "" if row.standing is None else STANDINGS[row.standing]
    minutes = [] if row.used_minutes is None else [f"Đã dùng {row.used_minutes} phút"]
    if row.allowed_minutes is not None:
        minutes.append(f"Được dùng {row.allowed_minutes} phút")
    return "\n".join(names), "\n".join(times), "\n".join([standing, *minutes]), row.note or ""


def workbook(slip: SlipOut) -> bytes:
    """The slip on an A4 sheet."""
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True, "strings_to_formulas": False}) as book:
        formats = {
            "line": book.add_format(_FONT),
            "title": book.add_format({**_FONT, "bold": True, "align": "center", "font_size": 14}),
            "heading": book.add_format({**_FONT, "bold": True, "align": "center", "border": 1}),
            "cell": book.add_format({**_FONT, "border": 1}),
        }
        sheet = book.add_worksheet("Phiếu kiểm soát")
        sheet.set_paper(_A4)
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        for column, width in enumerate(_WIDTHS):
            sheet.set_column(column, column, width)
        form, agency, *lines = head(slip)
        last = len(HEADINGS) - 1
        texts = [form, agency, TITLE, *lines]
        for number, text in enumerate(texts):
            sheet.merge_range(number, 0, number, last, text, formats["title" if text is TITLE else "line"])
        top = len(texts)
        sheet.repeat_rows(top)
        for column, text in enumerate(HEADINGS):
            sheet.write_string(top, column, text, formats["heading"])
        for place, row in enumerate(slip.rows, start=top + 1):
            for column, text in enumerate(cells(row)):
                sheet.write_string(place, column, text, formats["cell"])
    return file.getvalue()


_STYLE: Final = """@page { size: A4 landscape; margin: 15mm }
body { font: 12pt "Times New Roman", serif; margin: 0 } h1 { font-size: 14pt; text-align: center } p { margin: 2pt 0 }
table { border-collapse: collapse; width: 100%; margin-top: 8pt }
thead { display: table-header-group } tr { break-inside: avoid }
th, td { border: 1px solid #000; padding: 4pt; text-align: left; vertical-align: top; white-space: pre-line }"""


def page(slip: SlipOut) -> str:
    """The slip as a page to print; it loads nothing and runs nothing."""
    form, agency, *lines = (escape(line) for line in head(slip))
    paragraphs = "".join(f"<p>{line}</p>" for line in lines)
    headings = "".join(f'<th scope="col">{escape(text)}</th>' for text in HEADINGS)
    rows = "".join(f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in cells(row))}</tr>" for row in slip.rows)
    return (
        f'<!DOCTYPE html><html lang="vi"><head><meta charset="utf-8"><title>{escape(slip.code)}</title>'
        f"<style>{_STYLE}</style></head>"
        f"<body><p>{form}</p><p><strong>{agency}</strong></p><h1>{TITLE}</h1>{paragraphs}"
        f"<table><thead><tr>{headings}</tr></thead><tbody>{rows}</tbody></table></body></html>"
    )
