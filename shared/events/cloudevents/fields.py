"""The fields that events are made of. Strict: no value of one JSON type is taken for another.

Lengths are in characters. ``id`` and ``source`` together stay under the 2,704 bytes of a PostgreSQL index row at four bytes
a character.
"""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, Strict, StringConstraints
from pydantic_core import PydanticCustomError

from shared.events.rules.personal_text import personal_in_code
from shared.events.rules.registers import LONGEST_SUBJECT, RECORD_CODE_PATTERN
from shared.vocabulary.codes import (
    AGENCY_CODE_PATTERN,
    DOSSIER_CODE_PATTERN,
    OLD_AGENCY_CODE_PATTERN,
    PROCEDURE_CODE_PATTERN,
)

FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 9998
"""Room for a day either way: local dates and the day after a due date stay inside what a date can be."""

LONGEST_ID: Final = 200
LONGEST_SOURCE: Final = 400

_INSTANT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,30})?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_is_to_the_second: Final = re.compile(
    r"(?:19[1-9][0-9]|20[0-9]{2})-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
).fullmatch
_TO_THE_SECOND: Final = len("2018-01-02T08:30:00")
_USUAL_OFFSETS: Final = {"+07:00": timedelta(hours=7), "Z": timedelta(0)}


def instant_of(value: Any) -> datetime:
    """An RFC 3339 text as an instant in UTC, cut to microseconds; pydantic's own would take numbers and other forms."""
    if not isinstance(value, str):
        raise PydanticCustomError("instant", "an RFC 3339 instant")
    offset = _USUAL_OFFSETS.get(value[_TO_THE_SECOND:])
    local = value[:_TO_THE_SECOND]
    if offset is not None and _is_to_the_second(local):  # nearly all: in half the time
        try:
            return datetime.fromisoformat(local + "+00:00") - offset
        except ValueError:
            pass
    return _any_instant_of(value)


def _any_instant_of(value: str) -> datetime:
    if not _INSTANT.fullmatch(value):
        raise PydanticCustomError("instant", "an RFC 3339 instant")
    try:
        instant = datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise PydanticCustomError("instant", "an RFC 3339 instant") from None
    if not FIRST_YEAR <= instant.year <= LAST_YEAR:
        raise PydanticCustomError("instant", "an RFC 3339 instant")
    return instant


Instant = Annotated[
    datetime,
    PlainValidator(
        instant_of,
        json_schema_input_type=Annotated[
            str, Field(json_schema_extra={"format": "date-time"}, examples=["2018-01-02T08:30:00+07:00"])
        ],
    ),
]
"""RFC 3339 with an offset; kept in UTC, cut to microseconds, years 1900 to 9998."""

_NO_CONTROLS: Final = r"^[^\x00-\x1f\x7f-\x9f]+$"
_NO_BLANKS: Final = r"^[^\x00-\x20\x7f-\xa0]+$"

EventId = Annotated[str, Strict(), StringConstraints(min_length=1, max_length=LONGEST_ID, pattern=_NO_CONTROLS)]
Source = Annotated[str, Strict(), StringConstraints(min_length=1, max_length=LONGEST_SOURCE, pattern=_NO_BLANKS)]


def unpersonal(text: str) -> str:
    """Ids and codes stay in the log for ever, and are read everywhere: no number or address of a person is taken there."""
    if personal_in_code(text) is not None:
        raise PydanticCustomError("personal", "no number or address of a person")
    return text


OwnId = Annotated[EventId, AfterValidator(unpersonal)]
"""The id of an event that is told now; one that names another event may be older than the rule."""
OwnSource = Annotated[Source, AfterValidator(unpersonal)]
DossierCodeText = Annotated[str, Strict(), StringConstraints(max_length=60, pattern=DOSSIER_CODE_PATTERN)]
RecordCodeText = Annotated[
    str, Strict(), StringConstraints(max_length=LONGEST_SUBJECT, pattern=RECORD_CODE_PATTERN), AfterValidator(unpersonal)
]
AgencyCodeText = Annotated[
    str, Strict(), StringConstraints(max_length=30, pattern=f"{AGENCY_CODE_PATTERN}|{OLD_AGENCY_CODE_PATTERN}")
]
ProcedureCodeText = Annotated[
    str,
    Strict(),
    StringConstraints(min_length=1, max_length=50, pattern=PROCEDURE_CODE_PATTERN),
    AfterValidator(unpersonal),
]

_STAFF_CODE: Final = r"[A-Za-z0-9._/-]+"


def _staff_code(text: str) -> str:
    # people's names have blanks or letters beyond ASCII: the log is for ever and takes none
    if not re.fullmatch(_STAFF_CODE, text):
        raise PydanticCustomError("staff_code", "a staff code, not a name")
    return unpersonal(text)


StaffCode = Annotated[
    str,
    Strict(),
    StringConstraints(min_length=1, max_length=50),
    AfterValidator(_staff_code),
    Field(json_schema_extra={"pattern": f"^{_STAFF_CODE}$"}),
]

Code = Annotated[str, Strict(), StringConstraints(min_length=1, max_length=100)]
Name = Annotated[str, Strict(), StringConstraints(min_length=1, max_length=500)]
PublicCode = Annotated[Code, AfterValidator(unpersonal)]
"""A code or a name of a thing, which everybody may read; `Code` and `Name` are an applicant's too."""
PublicName = Annotated[Name, AfterValidator(unpersonal)]
Text = Annotated[str, Strict(), StringConstraints(min_length=1, max_length=4000)]
Link = Annotated[str, Strict(), StringConstraints(min_length=1, max_length=2000, pattern=_NO_BLANKS)]
Truth = Annotated[bool, Strict()]

PERSONAL: Final[dict[str, Any]] = {"x-personal": True}
"""Says of a field of data that it is personal, as its ``json_schema_extra``: the log gets a keyed digest instead, the one
table of personal data the text (decision 46)."""


def whole(value: Any) -> Any:
    """``50000.0`` as 50000: in JSON it is the same number, and some writers know no whole ones."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE: Final = BeforeValidator(whole)
AmountVnd = Annotated[int, Strict(), Field(ge=0, le=10**15), WHOLE]
PaymentVnd = Annotated[int, Strict(), Field(gt=0, le=10**15), WHOLE]
Score = Annotated[int, Strict(), Field(ge=0, le=100), WHOLE]
Number = Annotated[int, Strict(), Field(ge=0, le=10**9), WHOLE]
Quantity = Annotated[float, Strict(), Field(ge=0, le=10**9, allow_inf_nan=False)]
"""Hours, times a year: a decimal fraction of at most 15 digits is kept as it was told."""
Year = Annotated[int, Strict(), Field(ge=FIRST_YEAR, le=LAST_YEAR), WHOLE]
Grade = Annotated[int, Strict(), Field(ge=0, le=2), WHOLE]
"""The points of one answer of a sheet."""


def _without_null(value: Any) -> Any:
    return {key: one for key, one in value.items() if one is not None} if isinstance(value, dict) else value


Grades = Annotated[dict[Literal["1", "2", "3", "4", "5", "6", "7", "8", "9"], Grade], BeforeValidator(_without_null)]
"""By the number of the question; null is absent."""
Ordinal = Annotated[int, Strict(), Field(ge=1, le=1000), WHOLE]

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _date_of(value: object) -> date:
    if type(value) is date:
        return value
    if not isinstance(value, str):
        raise PydanticCustomError("date_type", "a date")
    if _DATE.fullmatch(value):
        try:
            on = date.fromisoformat(value)
            if FIRST_YEAR <= on.year <= LAST_YEAR:
                return on
        except ValueError:
            pass
    raise PydanticCustomError("date_parsing", "a date")


LocalDate = Annotated[date, BeforeValidator(_date_of)]
"""A local date, yyyy-mm-dd; pydantic's own would take numbers too, and texts of digits: seconds or days since 1970.

What callers tell is of the years that instants are of: the midnights of others may be no instants. Stored ones are taken.
"""

Channel = Literal["online", "direct", "postal"]
"""trực tuyến, trực tiếp, bưu chính công ích."""
