"""Form II.05 of Circular 01/2020/TT-VPCP, feedback received and handled: its columns and its words.

Each column stands for all of it and once more for each kind; column letters are ours (docs/registers.md, section 1).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from shared.registers.feedback.figures import FIGURE_SET

CODE: Final = "II.05"
FORM: Final = "Biểu số II.05/VPCP/KSTT"
TITLE: Final = "KẾT QUẢ TIẾP NHẬN, XỬ LÝ PHẢN ÁNH, KIẾN NGHỊ"
UNIT: Final = "phản ánh, kiến nghị"

FormBy = Literal["agency", "route", "month"]
NAME_HEADINGS: Final[Mapping[str, str]] = {"agency": "Cơ quan, đơn vị", "route": "Kênh phản ánh", "month": "Tháng"}
NAMES: Final[Mapping[str, str]] = {
    "portal": "Cổng dịch vụ công",
    "phone": "Điện thoại",
    "letter": "Văn bản, thư",
    "direct": "Trực tiếp",
    "survey": "Phiếu khảo sát",
    "unknown": "Chưa rõ",
}
"""Of rows that no catalogue names."""

KINDS: Final[Mapping[str, str]] = {
    "rule": "Về quy định hành chính",
    "behaviour": "Về hành vi hành chính",
    "unknown": "Chưa phân loại",
}
_ALL: Final = "Tổng số"
_HEADINGS: Final[Mapping[str, str]] = {
    "f1": "Tiếp nhận",
    "f2": "Mới tiếp nhận trong kỳ",
    "f3": "Kỳ trước chuyển qua",
    "f6": "Đã xử lý",
    "f7": "Đang xử lý",
    "f8": "Đã công khai kết quả",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A figure of all feedback (``kind`` None) or of a kind."""

    figure: str
    kind: str | None
    number: int

    @property
    def group(self) -> str:
        return _ALL if self.kind is None else KINDS[self.kind]

    @property
    def part(self) -> str | None:
        """No heading stands between those of the group and the column."""
        return None

    @property
    def heading(self) -> str:
        return _HEADINGS[self.figure]

    @property
    def label(self) -> str:
        """Its number, as forms print it, and what it adds up."""
        parts = f"=({self.number + 1})+({self.number + 2})" if self.figure == "f1" else ""
        return f"({self.number}){parts}"

    @property
    def path(self) -> str:
        return f"{self.group}: {self.heading}"


COLUMNS: Final = tuple(
    Column(figure, kind, number)
    for number, (kind, figure) in enumerate(((kind, figure) for kind in (None, *KINDS) for figure in _HEADINGS), start=3)
)

BESIDE: Final = {
    name: words for name, words in FIGURE_SET.figures.items() if name not in _HEADINGS and name not in {"f0", "f4", "f5"}
}
"""Counts that stand beside the form, with their words."""
