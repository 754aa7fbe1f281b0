"""The words of every problem, Vietnamese and English."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final


class Language(StrEnum):
    """A language that we answer in."""

    ENGLISH = "en"
    VIETNAMESE = "vi"


def preferred_language(accept_language: str) -> Language:
    """The language of an ``Accept-Language`` header that we know and the reader likes best; English by default."""
    best, best_weight = Language.ENGLISH, 0.0
    for entry in accept_language[:500].split(","):
        tag, _, parameters = entry.strip().partition(";")
        name, _, text = parameters.strip().partition("=")
        try:
            weight = float(text) if name.strip() == "q" else 1.0
        except ValueError:
            continue
        language = next((known for known in Language if tag.lower().split("-")[0] == known), None)
        if language is not None and weight > best_weight:
            best, best_weight = language, weight
    return best


@dataclass(frozen=True, slots=True)
class Words:
    """One sentence in both languages; ``{name}`` stands for a value that is ours, never for what the caller sent."""

    english: str
    vietnamese: str

    def text(self, language: Language, values: Mapping[str, Any] | None = None) -> str:
        """The sentence in one language."""
        template = self.vietnamese if language is Language.VIETNAMESE else self.english
        return template.format_map(values) if values else template


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: its stable code (the end of ``type``), HTTP status, title, and a detail in default of a better."""

    code: str
    status: int
    title: Words
    detail: Words


def _kind(code: str, status: int, title: tuple[str, str], detail: tuple[str, str]) -> Kind:
    return Kind(code, status, Words(*title), Words(*detail))


MALFORMED: Final = _kind(
    "malformed",
    400,
    ("Malformed request", "Yêu cầu sai định dạng"),
    ("The body cannot be read as what its content type says.", "Không đọc được nội dung theo kiểu đã khai báo."),
)
UNAUTHENTICATED: Final = _kind(
    "unauthenticated",
    401,
    ("A valid key is needed", "Cần có khóa hợp lệ"),
    ("Send the header `Authorization: Bearer <key>`.", "Hãy gửi tiêu đề `Authorization: Bearer <khóa>`."),
)
FORBIDDEN: Final = _kind(
    "forbidden",
    403,
    ("Not allowed", "Không được phép"),
    ("The key lacks the right to do this.", "Khóa không có quyền thực hiện việc này."),
)
WRONG_SIGNATURE: Final = _kind(
    "wrong_signature",
    403,
    ("Wrong signature", "Chữ ký không đúng"),
    (
        "No partner of this gateway has signed this message. Nothing was changed.",
        "Không có đối tác nào của cổng này ký bản tin như vậy. Không có gì thay đổi.",
    ),
)
NOT_FOUND: Final = _kind(
    "not_found",
    404,
    ("Not found", "Không tìm thấy"),
    ("There is nothing here that this key may see.", "Không có gì ở đây mà khóa này được xem."),
)
METHOD_NOT_ALLOWED: Final = _kind(
    "method_not_allowed",
    405,
    ("Method not allowed", "Phương thức không được hỗ trợ"),
    ("See the header Allow.", "Xem tiêu đề Allow."),
)
NOT_ACCEPTABLE: Final = _kind(
    "not_acceptable",
    406,
    ("Not acceptable", "Không có định dạng được yêu cầu"),
    ("None of the accepted formats can be given.", "Không có định dạng nào được chấp nhận."),
)
CONFLICT: Final = _kind(
    "conflict",
    409,
    ("Conflict", "Xung đột"),
    (
        "This source and id are already recorded with other content.",
        "Nguồn (source) và mã (id) này đã được ghi với nội dung khác.",
    ),
)
BUSY: Final = _kind(
    "busy",
    409,
    ("Already running", "Đang chạy"),
    ("Work of this kind is running already.", "Một công việc cùng loại đang chạy."),
)
TIMED_OUT: Final = _kind(
    "timed_out",
    408,
    ("Body too slow", "Nội dung gửi quá chậm"),
    (
        "The body did not arrive in time. What was recorded of lines stays; send the whole again.",
        "Nội dung không đến kịp. Những dòng đã ghi được giữ lại; hãy gửi lại toàn bộ.",
    ),
)
TOO_LARGE: Final = _kind(
    "too_large",
    413,
    ("Body too large", "Nội dung quá lớn"),
    (
        "Send less at once; events also as lines (application/x-ndjson).",
        "Hãy gửi ít hơn mỗi lần; sự kiện có thể gửi theo dòng (application/x-ndjson).",
    ),
)
UNSUPPORTED_TYPE: Final = _kind(
    "unsupported_type",
    415,
    ("Unsupported content type", "Kiểu nội dung không được hỗ trợ"),
    ("The content type or encoding of the body is not known here.", "Kiểu hoặc mã hóa của nội dung không được hỗ trợ."),
)
INVALID: Final = _kind(
    "invalid",
    422,
    ("Invalid input", "Dữ liệu không hợp lệ"),
    ("See errors.", "Xem errors."),
)
AHEAD_OF_LOG: Final = _kind(
    "ahead_of_log",
    422,
    ("Beyond the end of the log", "Vượt quá cuối nhật ký"),
    (
        "The log does not have this position. See head and log: read it from a position that it has.",
        "Nhật ký không có vị trí này. Xem head và log: hãy đọc từ vị trí mà nhật ký có.",
    ),
)
TOO_MANY: Final = _kind(
    "too_many",
    429,
    ("Too much at once", "Quá nhiều yêu cầu cùng lúc"),
    (
        "This key has too much under way. Try again after the time in Retry-After.",
        "Khóa này đang có quá nhiều yêu cầu chưa xong. Hãy thử lại sau thời gian trong Retry-After.",
    ),
)
TOO_MANY_WRONG_KEYS: Final = _kind(
    "too_many_wrong_keys",
    429,
    ("Too many wrong keys", "Quá nhiều khóa sai"),
    (
        "This address has sent too many wrong keys. Try again after the time in Retry-After; a valid key is taken at once.",
        "Địa chỉ này đã gửi quá nhiều khóa sai. Hãy thử lại sau thời gian trong Retry-After; khóa đúng vẫn được nhận ngay.",
    ),
)
TOO_MANY_RECEIPTS: Final = _kind(
    "too_many_receipts",
    413,
    ("Too many receipts", "Quá nhiều biên nhận"),
    (
        "Too many lines were not newly accepted. What was recorded stays; send the rest in smaller uploads.",
        "Quá nhiều dòng không được ghi mới. Những gì đã ghi được giữ lại; hãy gửi phần còn lại thành nhiều lần nhỏ hơn.",
    ),
)
MISDIRECTED: Final = _kind(
    "misdirected",
    421,
    ("Not the name of this API", "Không phải tên của API này"),
    ("The name in Host is none that this API answers to.", "Tên trong Host không phải tên mà API này phục vụ."),
)
UNEXPECTED: Final = _kind(
    "unexpected",
    500,
    ("Unexpected error", "Lỗi không mong đợi"),
    (
        "The fault is ours. Quote the request id when you report it.",
        "Lỗi thuộc về hệ thống. Khi báo lỗi, xin gửi kèm mã yêu cầu (request_id).",
    ),
)
UNAVAILABLE: Final = _kind(
    "unavailable",
    503,
    ("Temporarily unavailable", "Tạm thời không phục vụ được"),
    ("Try again after the time in Retry-After.", "Hãy thử lại sau thời gian trong Retry-After."),
)
NOT_YET: Final = _kind(
    "not_yet",
    503,
    ("Not counted yet", "Chưa được tính"),
    ("The asked position is not counted yet.", "Vị trí được hỏi chưa được tính."),
)

KINDS: Final = (
    MALFORMED,
    UNAUTHENTICATED,
    FORBIDDEN,
    WRONG_SIGNATURE,
    NOT_FOUND,
    METHOD_NOT_ALLOWED,
    NOT_ACCEPTABLE,
    CONFLICT,
    BUSY,
    TIMED_OUT,
    TOO_LARGE,
    UNSUPPORTED_TYPE,
    INVALID,
    AHEAD_OF_LOG,
    TOO_MANY,
    TOO_MANY_WRONG_KEYS,
    TOO_MANY_RECEIPTS,
    MISDIRECTED,
    UNEXPECTED,
    UNAVAILABLE,
    NOT_YET,
)
