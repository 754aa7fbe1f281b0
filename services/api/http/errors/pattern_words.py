"""What a text must look like, for every pattern of the OpenAPI document, with an example: a test holds the two together.

pydantic says of a text that does not match only its pattern. So the words go by that; an example goes by the field where
many fields share a pattern.
"""

from collections.abc import Mapping
from typing import Any, Final

from services.api.http.errors.messages import Words
from shared.events.rules.registers import CATALOGUE, RECORD_CODE_PATTERN, SURVEY
from shared.vocabulary.codes import AGENCY_CODE_PATTERN, DOSSIER_CODE_PATTERN, OLD_AGENCY_CODE_PATTERN

_LINE: Final = Words("a text in one line, such as {example}", "phải là chuỗi ký tự trên một dòng, ví dụ {example}")
_NO_BLANKS: Final = Words(
    "a text without blanks or control characters, such as {example}",
    "phải là chuỗi không có khoảng trắng và ký tự điều khiển, ví dụ {example}",
)
_AGENCY: Final = Words("an agency code such as {example}", "phải là mã cơ quan, ví dụ {example}")
_PROCEDURE: Final = Words("a procedure code such as {example}", "phải là mã thủ tục hành chính, ví dụ {example}")
_ID: Final = Words("an id as this system gives it, such as {example}", "phải là mã do hệ thống cấp, ví dụ {example}")
_NO_SEMICOLONS: Final = Words(
    "a text in one line without semicolons, such as {example}",
    "phải là chuỗi trên một dòng, không có dấu chấm phẩy, ví dụ {example}",
)
_REASON: Final = Words(
    "words in one line, not blanks alone, such as {example}", "phải có nội dung, trên một dòng, ví dụ {example}"
)

_SPAN: Final = r"([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]"

_JSON_TYPE: Final = (
    r"^(?:[aA][pP][pP][lL][iI][cC][aA][tT][iI][oO][nN]|[tT][eE][xX][tT])/(?:[A-Za-z0-9.\-]+\+)?[jJ][sS][oO][nN]\s*(?:;.*)?$"
)

_BY_PATTERN: Final[Mapping[str, tuple[Words, str]]] = {
    AGENCY_CODE_PATTERN: (_AGENCY, "H51.12"),
    f"{AGENCY_CODE_PATTERN}|{OLD_AGENCY_CODE_PATTERN}": (
        Words(
            "an agency code such as {example}, or of the old form, such as 000.00.12.H51",
            "phải là mã cơ quan, ví dụ {example}, hoặc mã cũ, ví dụ 000.00.12.H51",
        ),
        "H51.12",
    ),
    DOSSIER_CODE_PATTERN: (
        Words("a dossier code such as {example}", "phải là mã hồ sơ, ví dụ {example}"),
        "H51.12-220512-0003",
    ),
    CATALOGUE.subject_pattern: (
        Words(
            "a decision by its agency, number and year, such as {example}",
            "phải là cơ quan, số và năm của quyết định, ví dụ {example}",
        ),
        "H51/85/2022",
    ),
    SURVEY.subject_pattern: (
        Words("a sheet number such as {example}", "phải là số phiếu, ví dụ {example}"),
        "PKS-2022-000017",
    ),
    r"^[0-9A-Za-z][0-9A-Za-z._-]*$": (_PROCEDURE, "1.005129"),
    r"^[0-9A-Za-z][0-9A-Za-z._-]{0,49}$": (_PROCEDURE, "1.005129"),
    r"^[^\x00-\x1f\x7f-\x9f]+$": (_LINE, "2018-000123-received"),
    r"^[^\x00-\x20\x7f-\xa0]+$": (_NO_BLANKS, "urn:h51:motcua"),
    r"^[A-Za-z0-9._/-]+$": (
        Words("a staff code, not a name, such as {example}", "phải là mã cán bộ, không phải họ tên, ví dụ {example}"),
        "CB-0042",
    ),
    r"^[0-9A-Za-z][0-9A-Za-z._-]{0,99}$": (
        Words("a name without blanks, such as {example}", "phải là tên không có khoảng trắng, ví dụ {example}"),
        "feedback_2022",
    ),
    RECORD_CODE_PATTERN: (Words("a code such as {example}", "phải là mã, ví dụ {example}"), "PAKN-2026-00017"),
    r"^-?(sent_at|received_at|due_on|code)$": (
        Words(
            "sent_at, received_at, due_on or code, with `-` before it downwards, such as {example}",
            "phải là sent_at, received_at, due_on hoặc code, thêm `-` phía trước để sắp xếp giảm dần, ví dụ {example}",
        ),
        "due_on",
    ),
    r"^-?(received_at|due_at|code)$": (
        Words(
            "received_at, due_at or code, with `-` before it downwards, such as {example}",
            "phải là received_at, due_at hoặc code, thêm `-` phía trước để sắp xếp giảm dần, ví dụ {example}",
        ),
        "-received_at",
    ),
    r"^[0-9A-Y.-]{1,40}$": (
        Words(
            "the beginning of a dossier code, at most 40 characters, such as {example}",
            "phải là phần đầu của mã hồ sơ, nhiều nhất 40 ký tự, ví dụ {example}",
        ),
        "H51.12-2605",
    ),
    r"^[^\x00-\x1f\x7f]*$": (_LINE, "H51.12"),
    r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+$": (
        Words("words, in lines, such as {example}", "phải là nội dung, có thể nhiều dòng, ví dụ {example}"),
        "65 phản ánh đã tiếp nhận",
    ),
    r"^[^\x00-\x1f\x7f]+$": (_LINE, "Văn phòng Chính phủ"),
    r"^[^\x00-\x1f]*$": (_LINE, "1.005129"),
    r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f\u00ad\u200b\u2060\ufeff][^\x00-\x1f\x7f]*$": (_LINE, "Văn phòng Chính phủ"),
    r"^[^\x00-\x1f\x7f;]*[^\s\x00-\x1f\x7f;\u00ad\u200b\u2060\ufeff][^\x00-\x1f\x7f;]*$": (_NO_SEMICOLONS, "Khu vực I"),
    r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$": (_REASON, "Gọi điện bổ sung giấy tờ"),
    r"^[0-9a-z]{1,80}$": (_ID, "audit20261122"),
    r"^(?:[0-9a-f]{32}|[a-z]{1,20}[0-9]{8})$": (_ID, "6a1f0f2c9d4b4f6e8a52c1d7e0b3a9f4"),
    r"^[0-9a-z]{1,64}$": (_ID, "6a1f0f2c9d4b4f6e8a52c1d7e0b3a9f4"),
    "^[0-9A-Za-z]+$": (_ID, "reconcile20260512"),
    rf"^{_SPAN}(,{_SPAN}){{0,7}}$": (
        Words("spans of local time, such as {example}", "phải là các buổi làm việc, ví dụ {example}"),
        "07:30-11:30,13:30-17:00",
    ),
    _JSON_TYPE: (
        Words("a content type of JSON, such as {example}", "phải là kiểu nội dung JSON, ví dụ {example}"),
        "application/json",
    ),
    r"^[^|\x00-\x1f\x7f]*$": (
        Words(
            "a text in one line without `|`, such as {example}", "phải là chuỗi trên một dòng, không có `|`, ví dụ {example}"
        ),
        "H51-national",
    ),
    r"^[0-9]{0,15}$": (
        Words("an amount in digits, such as {example}", "phải là số tiền bằng chữ số, ví dụ {example}"),
        "50000",
    ),
    r"^[0-9]{14}$": (
        Words(
            "a time as yyyyMMddHHmmss, 24 hours, such as {example}",
            "phải là thời gian dạng yyyyMMddHHmmss, 24 giờ, ví dụ {example}",
        ),
        "20261201093000",
    ),
    r"^([0-9]{4}(,[0-9]{4})*)?$": (
        Words(
            "years, with commas between them, such as {example}", "phải là các năm, cách nhau bằng dấu phẩy, ví dụ {example}"
        ),
        "2026,2027",
    ),
}

_OF_NAMES: Final[Mapping[str, tuple[Words, str]]] = {
    r"^[a-z][a-z0-9_]{0,39}$": (
        Words(
            "a name of at most 40 characters a-z, 0-9 and _, a letter first, such as {example}",
            "phải là tên gồm nhiều nhất 40 ký tự a-z, 0-9 và _, bắt đầu bằng chữ cái, ví dụ {example}",
        ),
        "phone",
    ),
    r"^[0-9a-z][0-9a-z._]{0,59}$": (
        Words(
            "an id of a figure: at most 60 characters a-z, 0-9, _ and points, such as {example}",
            "phải là mã chỉ tiêu gồm nhiều nhất 60 ký tự a-z, 0-9, _ và dấu chấm, ví dụ {example}",
        ),
        "fee.p1",
    ),
}
"""Of the members of an object, where callers name them."""

_LINES: Final[Mapping[str, str]] = {
    "agency": "H51.12",
    "aliases": "000.00.12.H51",
    "code": "H51.12",
    "field": "G15-HT05",
    "field_name": "Hộ tịch",
    "legal_basis": "202/2025/QH15",
    "level": "Cấp tỉnh",
    "name": "Sở Tài nguyên và Môi trường",
    "procedure": "1.001193",
    "row": "H51.12",
    "source": "9441/TB-BNV",
}
_OF_FIELD: Final[Mapping[Words, Mapping[str, str]]] = {
    _LINE: _LINES,
    _NO_BLANKS: {"url": "https://motcua.example.vn/ket-qua/000123"},
}
"""Where many fields have the same words."""


def pattern_words(pointer: str, pattern: Any) -> tuple[Words, Mapping[str, str]] | None:
    """The words for a text at ``pointer`` that must match ``pattern``, and the example in them; None: not known here."""
    found = _BY_PATTERN.get(str(pattern)) or _OF_NAMES.get(str(pattern))
    if found is None:
        return None
    words, example = found
    field = next((part for part in reversed(pointer.split("/")) if not part.isdecimal()), "")
    return words, {"example": _OF_FIELD.get(words, {}).get(field, example)}


def is_of_names(pattern: Any) -> bool:
    """Whether the names of members must match ``pattern``."""
    return str(pattern) in _OF_NAMES
