"""What is wrong with a field, in words: pydantic's errors as (pointer, code, detail), Vietnamese or English.

Details are made of our own limits and expectations only; what the caller sent is never repeated, it may be personal.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from services.api.http.errors.messages import Language, Words
from services.api.http.errors.pattern_words import is_of_names, pattern_words
from shared.vocabulary.errors import FieldError

_Expected = tuple[str, Words]


def _words(code: str, english: str, vietnamese: str) -> _Expected:
    return code, Words(english, vietnamese)


_TEXT: Final = _words("text", "a text", "phải là chuỗi ký tự")
_INTEGER: Final = _words("integer", "a whole number", "phải là số nguyên")
_BOOLEAN: Final = _words("boolean", "true or false", "phải là true hoặc false")
_OBJECT: Final = _words("object", "an object", "phải là một đối tượng (object)")
_CHOICE: Final = _words("choice", "one of {expected}", "phải là một trong {expected}")
_PATTERN: Final = _words("pattern", "a text of the documented form", "không đúng định dạng quy định")
_INSTANT: Final = _words(
    "instant",
    "an RFC 3339 instant with an offset, such as 2018-01-02T08:30:00+07:00, years 1900 to 9998",
    "phải là thời điểm RFC 3339 có múi giờ, ví dụ 2018-01-02T08:30:00+07:00, năm 1900 đến 9998",
)
_DATE: Final = _words(
    "date", "a date such as 2018-12-31, years 1900 to 9998", "phải là ngày, ví dụ 2018-12-31, năm 1900 đến 9998"
)
_INVALID: Final = _words("invalid", "not as documented", "không đúng quy định")
_MISSING: Final = _words("missing", "required", "bắt buộc phải có")

# by pydantic's error type, and by the types of our own validators
_EXPECTED: Final[Mapping[str, _Expected]] = {
    "missing": _MISSING,
    "extra_forbidden": _words("unknown_field", "not a known field", "trường không có trong quy định"),
    "string_type": _TEXT,
    "string_unicode": _TEXT,
    "string_pattern_mismatch": _PATTERN,
    "string_too_short": _words("too_short", "at least {min_length} character(s)", "ít nhất {min_length} ký tự"),
    "string_too_long": _words("too_long", "at most {max_length} characters", "nhiều nhất {max_length} ký tự"),
    "too_short": _words("too_short", "at least {min_length} item(s)", "ít nhất {min_length} phần tử"),
    "too_long": _words("too_long", "at most {max_length} items", "nhiều nhất {max_length} phần tử"),
    "int_type": _INTEGER,
    "int_parsing": _INTEGER,
    "int_parsing_size": _INTEGER,
    "int_from_float": _INTEGER,
    "float_type": _words("number", "a number", "phải là số"),
    "float_parsing": _words("number", "a number", "phải là số"),
    "finite_number": _words("number", "a finite number", "phải là số hữu hạn"),
    "bool_type": _BOOLEAN,
    "bool_parsing": _BOOLEAN,
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "list_type": _words("array", "an array", "phải là một mảng (array)"),
    "literal_error": _CHOICE,
    "enum": _CHOICE,
    "greater_than_equal": _words("too_small", "at least {ge}", "không nhỏ hơn {ge}"),
    "greater_than": _words("too_small", "more than {gt}", "phải lớn hơn {gt}"),
    "less_than_equal": _words("too_big", "at most {le}", "không lớn hơn {le}"),
    "less_than": _words("too_big", "less than {lt}", "phải nhỏ hơn {lt}"),
    "date_type": _DATE,
    "date_parsing": _DATE,
    "date_from_datetime_parsing": _DATE,
    "date_from_datetime_inexact": _DATE,
    "datetime_type": _INSTANT,
    "datetime_parsing": _INSTANT,
    "datetime_from_date_parsing": _INSTANT,
    "timezone_aware": _INSTANT,
    "instant": _INSTANT,
    "union_tag_not_found": _MISSING,
    "union_tag_invalid": _words("unknown_type", "one of {expected_tags}", "phải là một trong {expected_tags}"),
    "json_invalid": _words("json", "valid JSON", "phải là JSON hợp lệ"),
    "json_type": _words("json", "valid JSON", "phải là JSON hợp lệ"),
    "another_follows": _words(
        "another_follows",
        "one object or array: another one follows",
        "chỉ một đối tượng (object) hoặc mảng (array): còn phần khác nối tiếp phía sau",
    ),
    "another_follows_at": _words(
        "another_follows",
        "one object or array: another one follows at line {line}, character {column}",
        "chỉ một đối tượng (object) hoặc mảng (array): còn phần khác ở dòng {line}, ký tự thứ {column}",
    ),
    "item_follows": _words(
        "another_follows",
        "a comma between two items: another object follows without one at line {line}, character {column}",
        "giữa hai phần tử phải có dấu phẩy: còn phần tử khác nối tiếp ở dòng {line}, ký tự thứ {column}",
    ),
    "object_follows": _words(
        "another_follows",
        "one object a line: another object follows on this line, at character {column}",
        "mỗi dòng một đối tượng (object): còn đối tượng khác nối tiếp trên dòng này, từ ký tự thứ {column}",
    ),
    "object_follows_below": _words(
        "another_follows",
        "one object: another object follows at line {line}, character {column}; objects in lines are application/x-ndjson",
        "chỉ một đối tượng (object): còn đối tượng khác ở dòng {line}, ký tự thứ {column};"
        " nhiều dòng thì gửi theo application/x-ndjson",
    ),
    "shortened": _words(
        "shortened",
        "{known}, of which a spreadsheet has made {told}; if {told} is meant, tell it as JSON",
        "phải là {known}: bảng tính đã đổi mã này thành {told}; nếu đúng là {told} thì gửi bằng JSON",
    ),
    "gzip": _words("gzip", "a whole body compressed by gzip", "phải là nội dung nén gzip đầy đủ"),
    "content_type": _words("content_type", "the content type {taken}", "phải là kiểu nội dung {taken}"),
    "content_encoding": _words(
        "content_encoding", "a body that is not compressed, or by {taken}", "nội dung không nén, hoặc nén {taken}"
    ),
    "encoding": _words("encoding", "expected UTF-8", "phải theo bảng mã UTF-8"),
    "charset": _words("charset", "the charset UTF-8", "phải theo bảng mã UTF-8"),
    "nul": _words("nul", "a text without the character NUL", "không được chứa ký tự NUL"),
    "system_only": _words(
        "system_only", "reserved for events that this system writes", "chỉ dành cho sự kiện do hệ thống tự ghi"
    ),
    "tenant": _words("tenant", "a code of the key's tenant, {tenant}", "phải thuộc mã của khóa, {tenant}"),
    "attribute_name": _words(
        "attribute_name",
        "CloudEvents attribute names are 1-64 of a-z and 0-9",
        "tên thuộc tính CloudEvents gồm 1-64 ký tự a-z, 0-9",
    ),
    "attribute_value": _words(
        "attribute_value",
        "a text of at most 2,048 characters, a 32-bit whole number or a boolean",
        "phải là chuỗi tối đa 2.048 ký tự, số nguyên 32 bit hoặc giá trị đúng/sai",
    ),
    "data_twice": _words("data_twice", "data or data_base64, not both", "cho data hoặc data_base64, không cho cả hai"),
    "base64": _words("base64", "a text in base64 (RFC 4648)", "phải là chuỗi base64 (RFC 4648)"),
    "base64_json": _words("base64_json", "JSON in base64", "phải là JSON được mã hóa base64"),
    "outside": _words(
        "outside",
        "an agency and a dossier inside the key's subtree",
        "cơ quan và hồ sơ phải thuộc phạm vi của khóa",
    ),
    "future": _words(
        "future",
        "at most 5 minutes after this system's clock",
        "không được muộn hơn đồng hồ hệ thống quá 5 phút",
    ),
    "conflict": _words(
        "conflict",
        "recorded already with other content, at position {position}",
        "đã được ghi với nội dung khác, tại vị trí {position}",
    ),
    "conflict_unseen": _words("conflict", "recorded already with other content", "đã được ghi với nội dung khác"),
    "personal": _words(
        "personal",
        "no identity number, telephone number or e-mail address: it is kept for ever; if it is none, put a letter before it",
        "không được là số định danh, số điện thoại hay thư điện tử vì được lưu mãi mãi; nếu không phải, hãy thêm một chữ cái"
        " ngay phía trước",
    ),
    "staff_code": _words(
        "pattern", "a staff code, not a name, such as CB-0042", "phải là mã cán bộ, không phải họ tên, ví dụ CB-0042"
    ),
    "too_many": _words("too_many", "at most {limit} items", "nhiều nhất {limit} phần tử"),
    "too_many_members": _words(
        "too_many", "at most {limit} members of objects in all", "nhiều nhất {limit} thành phần của các đối tượng (object)"
    ),
    "body_too_large": _words("too_large", "a body of at most {limit} bytes", "nội dung nhiều nhất {limit} byte"),
    "item_too_long": _words("item_too_long", "at most {limit} bytes an item", "mỗi phần tử nhiều nhất {limit} byte"),
    "line_too_long": _words("line_too_long", "at most {limit} bytes a line", "mỗi dòng nhiều nhất {limit} byte"),
    "parameter_repeated": _words("repeated", "given once", "chỉ được cho một lần"),
    "numerator_missing": _words("missing", "required, but of 1.4", "bắt buộc phải có, trừ chỉ số 1.4"),
    "denominator_missing": _words(
        "missing", "required, unless the figure is withdrawn", "bắt buộc phải có, trừ khi rút lại số liệu"
    ),
    "withdrawn_number": _words(
        "withdrawn_number", "absent where the figure is withdrawn", "không được có khi rút lại số liệu"
    ),
    "before_from": _words("before_from", "not before from", "không được trước ngày bắt đầu"),
    "ahead_of_log": _words(
        "ahead_of_log",
        "at most {head}, the last position of the log {log}; this one is of another log, or of one since restored",
        "nhiều nhất là {head}, vị trí cuối của nhật ký {log}; vị trí này thuộc nhật ký khác hoặc nhật ký đã được phục hồi",
    ),
    "percent_encoding": _words(
        "percent_encoding", "percent-encoded UTF-8", "phải mã hóa phần trăm (percent-encoding) theo UTF-8"
    ),
}

# in Vietnamese, what the domain and the database say of parameters, by code, or by pointer and code where others use the
# code too; their own details are English
_TOLD: Final[Mapping[str, str]] = {
    "required": "bắt buộc phải có: cho từ ngày (from) và đến ngày (to), hoặc kỳ (period)",
    "ambiguous": "cho kỳ (period), hoặc từ ngày (from) và đến ngày (to), không cho cả hai",
    "/period malformed": "phải là kỳ như 2018, 2018-H1, 2018-Q3, 2018-05, 2018-W07, ND09:2018, ND09:2018-6M, ND09:2018-9M,"
    " ND09:2018-Q3 hoặc ND09:2018-05",
    "/period out_of_range": "không có kỳ này trong các năm 1900 đến 9998",
    "row_too_long": "dòng quá dài: nhiều nhất 262.144 ký tự",
    "csv": "phải là CSV",
    "in_future": "chưa đến: phải là thời gian đã qua, tính đến thời điểm được hỏi",
    "too_many_pieces": "kỳ quá dài so với cách chia",
    "as_of": "phải là ngày, ví dụ 2018-12-31, hoặc thời điểm RFC 3339 có múi giờ, năm 1900 đến 9998",
    "present_only": "luồng chỉ cho biết hiện tại",
    "too_much_changed": "từ đó đến nay quá nhiều hồ sơ đã thay đổi; hãy hỏi thời điểm gần hơn",
    "no_row": "phải là khóa (key) của một dòng trong bảng",
    "no_indicator": "phải là một chỉ số được tính từ hồ sơ",
    "no_part": "phải là phần mà chỉ số này có",
    "weekday_repeated": "mỗi thứ trong tuần chỉ được ghi một lần",
    "agency_pattern": "phải là mã cơ quan, ví dụ H51.12",
    "malformed": "phải là mã cơ quan, ví dụ H51.12",
    "unknown_code": "phải là cơ quan có trong danh mục hoặc trong sự kiện đã ghi, ví dụ H51.12",
    "cursor": "phải là next_cursor của danh sách này",
    "root_moved": "cơ quan của chính khóa phải giữ nguyên cơ quan cấp trên, thời hạn hiệu lực và cơ quan tiếp nhận",
    "crossing": "phải giữ nguyên mọi thứ ngoài phạm vi của khóa, vào mọi ngày",
    "whole_province": "chỉ dành cho khóa của cả tỉnh",
    "cursor_of_another_list": "phải là next_cursor của đúng danh sách này: cùng bộ lọc, thứ tự và khóa",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One wrong field: an RFC 6901 pointer, a pydantic or own error type, and our limits that its sentence names."""

    pointer: str
    type: str
    values: Mapping[str, Any]

    def as_field_error(self, language: Language) -> FieldError:
        """The fault in one language."""
        code, words = _EXPECTED.get(self.type, _INVALID)
        if self.type == "string_pattern_mismatch":
            known = pattern_words(self.pointer, self.values.get("pattern"))
            if known is not None:
                return FieldError(self.pointer, code, known[0].text(language, known[1]))
        try:
            return FieldError(self.pointer, code, words.text(language, _in(language, self.values)))
        except (KeyError, ValueError):
            return FieldError(self.pointer, code, _INVALID[1].text(language))


def _in(language: Language, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values with pydantic's lists of choices joined in the language."""
    if language is Language.ENGLISH or "expected" not in values:
        return values
    return {**values, "expected": " hoặc ".join(str(values["expected"]).rsplit(" or ", 1))}


def translated(error: FieldError, language: Language) -> FieldError:
    """A field error of the domain: its own detail in English, our sentence for its code in Vietnamese where there is one."""
    if language is Language.ENGLISH:
        return error
    as_field_error = _TOLD.get(f"{error.pointer} {error.code}") or _TOLD.get(error.code)
    if as_field_error is not None:
        return FieldError(error.pointer, error.code, as_field_error)
    return Fault(error.pointer, error.code, {}).as_field_error(language) if error.code in _EXPECTED else error


def pointer_of(location: Iterable[int | str]) -> str:
    """The RFC 6901 pointer of a pydantic location."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in location)


def parameter_faults(errors: Sequence[Any]) -> list[Fault]:
    """Faults of FastAPI's errors; those of a query parameter that may be one of several types are one, with every choice.

    A location begins with the place: query, path, header or body. Of a parameter only its name and a place in a list are
    the caller's; the types of a union that pydantic adds are not.
    """
    faults: list[Fault] = []
    of_parameter: dict[str, Fault] = {}
    for error in errors:
        place, *rest = error["loc"]
        if place == "body":
            faults += faults_of([error], skip=1)
            continue
        (fault,) = faults_of(
            [{**error, "loc": [part for index, part in enumerate(rest) if index == 0 or isinstance(part, int)]}]
        )
        known = of_parameter.setdefault(fault.pointer, fault)
        if known is not fault and "expected" in known.values and "expected" in fault.values:
            choices = ", ".join(str(one.values["expected"]).replace(" or ", ", ") for one in (known, fault))
            expected = " or ".join(choices.rsplit(", ", 1))
            of_parameter[fault.pointer] = Fault(fault.pointer, known.type, {"expected": expected})
    return [*of_parameter.values(), *faults]


def faults_of(errors: Sequence[Any], skip: int = 0, prefix: str = "") -> list[Fault]:
    """Faults of pydantic's ``errors()``; ``skip`` leading parts of a location are not of the input."""
    faults: list[Fault] = []
    for error in errors:
        type_ = error["type"]
        if error.get("input", ...) is None and type_.endswith("_type"):
            type_ = "missing"  # null is the same as absent
        location, values = error["loc"][skip:], error.get("ctx", {})
        if list(location[-1:]) == ["[key]"] and is_of_names(values.get("pattern")):
            location = location[:-1]  # pydantic's word for the name itself: the member is meant
        faults.append(Fault(prefix + pointer_of(location), type_, values))
    return faults
