"""Parameters that several operations share."""

import re
from datetime import date, datetime, timedelta
from typing import Annotated, Final

from pydantic import BeforeValidator, Field
from starlette.convertors import StringConvertor, register_url_convertor

from shared.events.cloudevents import fields
from shared.vocabulary.errors import InvalidInput
from shared.vocabulary.local_time import end_of_day
from shared.vocabulary.spelling import one_spelling

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_FIRST_YEAR: Final = 1900
_LAST_YEAR: Final = 9998
_KNOWN_AT: Final = "a date such as 2018-12-31, or an RFC 3339 instant with an offset, years 1900 to 9998"

MOST_A_PAGE: Final = 500

PageCursor = Annotated[str | None, Field(max_length=400, description="`next_cursor` of the page before.")]
PageLimit = Annotated[int, Field(ge=1, le=MOST_A_PAGE, description="Items a page.")]
DossierPageLimit = Annotated[int, Field(ge=1, le=MOST_A_PAGE, description="Dossiers a page.")]


LocalDate = fields.LocalDate


class _WithoutEnding(StringConvertor):
    regex = r"(?![^/]*\.(?:csv|txt|xlsx|html)(?:/|$))[^/]+"


class _Inner(StringConvertor):
    regex = r"[^/](?:.*[^/])?"


register_url_convertor("without_ending", _WithoutEnding())
"""``{date:without_ending}``: the same path with the ending of a format is another one."""

register_url_convertor("inner", _Inner())
"""``{code:inner}``: slashes inside, none at an end."""


def _one_spelling(value: object) -> object:
    # control characters are for the pattern of the field to refuse
    return one_spelling(value) if isinstance(value, str) and not _CONTROL.search(value) else value


PRINTABLE: Final = r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f\u00ad\u200b\u2060\ufeff][^\x00-\x1f\x7f]*$"
"""Something to see, and no control character."""

OneSpelling: Final = BeforeValidator(_one_spelling)
"""Behind the other conditions of a text: it is taken in the one spelling of all that look like it."""


def read_known_at(text: str | None, pointer: str = "/as_of") -> datetime | None:
    """An as-of parameter: an instant, or a date for its local end of day.

    Raises:
        InvalidInput: it is neither.
    """
    if text is None:
        return None
    try:
        if _DATE.fullmatch(text):
            on = date.fromisoformat(text)
            if _FIRST_YEAR <= on.year <= _LAST_YEAR:
                return end_of_day(on) - timedelta(microseconds=1)
        else:
            instant = datetime.fromisoformat(text.replace(" ", "+"))  # a plus sign that was not percent-encoded
            if instant.tzinfo is not None and _FIRST_YEAR <= instant.year <= _LAST_YEAR:
                return instant
    except ValueError:
        pass
    raise InvalidInput.of(pointer, "as_of", _KNOWN_AT)
