"""What looks like somebody's identity number, telephone number or e-mail address in a text (decision 40).

Ids and codes stand in the log for ever and are read everywhere: there it is refused, so the rules take what can hardly be
anything else. In texts that people write it is marked, for somebody to look at.
"""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final


class PersonalKind(StrEnum):
    """What a text looks like."""

    IDENTITY_NUMBER = "identity_number"
    PHONE = "phone"
    EMAIL = "email"


# Circular 07/2016/TT-BCA: the 63 provinces of birth, by their old numbers
_PROVINCE: Final = "0(?:0[12468]|1[0124579]|2[024-7]|3[013-8]|4[0245689]|5[12468]|6[024678]|7[024579]|8[0234679]|9[1-6])"
# century and sex, year of birth: 1921 to 1999 and 2000 to 2039, but 2020: `010220201530` is a time of day
_BORN: Final = "(?:[01](?:2[1-9]|[3-9][0-9])|[23](?:[013][0-9]|2[1-9]))"
_IDENTITY: Final = f"{_PROVINCE}{_BORN}[0-9]{{6}}"
_OLD_IDENTITY: Final = r"(?i:cmnd|cmt|chứng minh(?: nhân dân| thư)?)[^0-9@]{0,20}[0-9]{9}"
_MOBILE: Final = "(?:3[2-9]|5[25689]|7[06-9]|8[1-9]|9[0-9])"
_EMAIL: Final = r"[A-Za-z0-9_%+-][A-Za-z0-9._%+-]{0,63}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+"

# a letter or a digit beside it makes it a part of something else
_ALONE: Final = r"(?<![0-9A-Za-z])(?:{})(?![0-9A-Za-z])"

_UUID: Final = re.compile(r"(?i)\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
"""One in three hundred ends in twelve digits."""

# an hour of a day, `0903201814`, is no telephone number
_NO_HOUR: Final = "(?!0[1-9](?:0[1-9]|1[0-2])20[0-9]{2}(?:[01][0-9]|2[0-3])(?![0-9]))"

_IN_CODES: Final = (
    (PersonalKind.IDENTITY_NUMBER, re.compile(_ALONE.format(_IDENTITY))),
    (PersonalKind.IDENTITY_NUMBER, re.compile(f"{_OLD_IDENTITY}(?![0-9])")),
    (PersonalKind.PHONE, re.compile(_ALONE.format(rf"{_NO_HOUR}(?:0|\+84|0084){_MOBILE}[0-9]{{7}}"))),
    (PersonalKind.EMAIL, re.compile(_EMAIL)),
)
# people write numbers in groups
_GROUPS: Final = rf"(?:{_MOBILE}[0-9][ .-][0-9]{{3}}[ .-][0-9]{{3}}|{_MOBILE}[ .-][0-9]{{3}}[ .-][0-9]{{2}}[ .-][0-9]{{2}})"
_GROUPED_PHONE: Final = rf"(?:0|\(?\+84\)?[ .-]?|0084[ .-]?){_GROUPS}"
_GROUPED_IDENTITY: Final = rf"{_PROVINCE}[ .-]?{_BORN}[ .-]?[0-9]{{3}}[ .-]?[0-9]{{3}}"
_IN_TEXTS: Final = (
    *_IN_CODES,
    (PersonalKind.IDENTITY_NUMBER, re.compile(_ALONE.format(_GROUPED_IDENTITY))),
    (PersonalKind.PHONE, re.compile(_ALONE.format(_GROUPED_PHONE))),
)

# what none of these is without: nearly all texts need no further look
may_be_in_code: Final = re.compile("[0-9]{9}|@").search
_MAY_BE_IN_TEXT: Final = re.compile("[0-9]{9}|@|[0-9][ .-][0-9]{2}").search

TEXT_FIELDS: Final = frozenset({"reason", "late_reason", "content", "comment"})
"""The fields of data that people write in."""


def personal_in_code(text: str) -> PersonalKind | None:
    """What an id, a code or a name looks like; None: nothing of the kind."""
    if may_be_in_code(text) is None:
        return None
    return _first(_UUID.sub("", text), _IN_CODES)


def personal_in_text(text: str) -> PersonalKind | None:
    """What a text that somebody has written looks like."""
    return _first(_UUID.sub("", text), _IN_TEXTS) if _MAY_BE_IN_TEXT(text) is not None else None


def _first(text: str, kinds: tuple[tuple[PersonalKind, re.Pattern[str]], ...]) -> PersonalKind | None:
    return next((kind for kind, pattern in kinds if pattern.search(text)), None)


def personal_texts(data: Mapping[str, Any]) -> Iterator[tuple[str, PersonalKind]]:
    """The texts in the data of an event that look like it, by their names."""
    for name in sorted(TEXT_FIELDS & data.keys()):
        kind = personal_in_text(data[name]) if isinstance(data[name], str) else None
        if kind is not None:
            yield name, kind
