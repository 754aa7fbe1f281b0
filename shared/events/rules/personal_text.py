"""What looks like somebody's identity number, telephone number or e-mail address in a text (decision 40).

Ids and codes stand in the log for ever and are read everywhere: there it is refused, so the rules take what can hardly be
anything else. In texts that people write it is marked, for somebody to look at; in addresses of results too.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final
from urllib.parse import unquote


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
_CALLED: Final = "(?:0|(?:[+]|00)?84 ?0? ?)"

# people write numbers in groups; what stands between these is one blank here
_GROUPS: Final = (
    f"{_MOBILE}(?:[0-9] [0-9]{{3}} [0-9]{{3}}|(?: [0-9]{{3}}|[0-9] [0-9]{{2}})(?: [0-9]{{2}}){{2}}| [0-9]{{3}} [0-9]{{4}})"
)
_MORE_GROUPS: Final = f"{_MOBILE}(?:[0-9] [0-9]{{6}}| [0-9]{{7}}| [0-9]{{4}} [0-9]{{3}})"

_Kinds = tuple[tuple[PersonalKind, re.Pattern[str]], ...]

_NUMBERS_IN_CODES: Final[_Kinds] = (
    (PersonalKind.IDENTITY_NUMBER, re.compile(_ALONE.format(_IDENTITY))),
    (PersonalKind.IDENTITY_NUMBER, re.compile(_ALONE.format(f"{_PROVINCE} {_BORN} [0-9]{{3}} [0-9]{{3}}"))),
    (PersonalKind.IDENTITY_NUMBER, re.compile(f"{_OLD_IDENTITY}(?![0-9])")),
    (PersonalKind.PHONE, re.compile(_ALONE.format(f"{_NO_HOUR}{_CALLED}(?:{_MOBILE}[0-9]{{7}}|{_GROUPS})"))),
)
_NUMBERS_IN_TEXTS: Final[_Kinds] = (
    *_NUMBERS_IN_CODES,
    (PersonalKind.IDENTITY_NUMBER, re.compile(_ALONE.format(f"{_PROVINCE} ?{_BORN} ?[0-9]{{3}} ?[0-9]{{3}}"))),
    (PersonalKind.PHONE, re.compile(_ALONE.format(f"{_CALLED}{_MORE_GROUPS}"))),
)
_is_email: Final = re.compile(_EMAIL).search

# other digits, wide and small ones, blanks and hyphens of all kinds, marks that are not seen, letters in parts
_is_odd: Final = re.compile(r"[\xa0\xad\xb2\xb3\xb9\u0300-\u036f\u0590-\u1cff\u2000-\U0010ffff]").search
_UNSEEN: Final = re.compile(r"[\xad\u200b-\u200f\u2060-\u2064\ufeff]")
_OTHER_DIGIT: Final = re.compile(r"(?![0-9])\d")
_BETWEEN: Final = re.compile(r"[\s().\u2010-\u2015\u2212_-]+")

# what no number is without: nearly all texts need no further look
_numbers_in_code: Final = re.compile("[0-9]{2}(?:[0-9]{7}|[ ()._-]{1,4}[0-9]{2,3}[ ()._-]{1,4}[0-9]{2,4}(?![0-9]))").search
_numbers_in_text: Final = re.compile(r"[0-9](?:[\s()._-]{0,4}[0-9]){8}").search

TEXT_FIELDS: Final = frozenset({"reason", "late_reason", "content", "comment"})
"""The fields of data that people write in."""


def personal_in_code(text: str) -> PersonalKind | None:
    """What an id, a code or a name looks like; None: nothing of the kind."""
    return _first(text, _NUMBERS_IN_CODES) if _is_odd_one(text) or _numbers_in_code(text) else None


def personal_in_text(text: str) -> PersonalKind | None:
    """What a text that somebody has written looks like."""
    return _first(text, _NUMBERS_IN_TEXTS) if _is_odd_one(text) or _numbers_in_text(text) else None


def _is_odd_one(text: str) -> bool:
    return "@" in text or "%" in text or (not text.isascii() and _is_odd(text) is not None)


def _first(text: str, kinds: _Kinds) -> PersonalKind | None:
    text = _UUID.sub("", _plain(text))
    numbers = _BETWEEN.sub(" ", text)
    found = next((kind for kind, pattern in kinds if pattern.search(numbers)), None)
    return PersonalKind.EMAIL if found is None and _is_email(text) else found


def _plain(text: str) -> str:
    """The text as it is read: addresses decoded, in plain digits, without what is not seen."""
    if "%" in text:
        text = unquote(text)
    if not text.isascii() and _is_odd(text):
        text = _UNSEEN.sub("", unicodedata.normalize("NFKC", text))
        text = _OTHER_DIGIT.sub(lambda digit: str(unicodedata.decimal(digit[0])), text)
    return text


ADDRESS_FIELDS: Final = frozenset({"file", "url"})
"""The fields of data that are addresses of results and papers, which an agency's software makes."""


def personal_texts(data: Mapping[str, Any]) -> Iterator[tuple[str, PersonalKind]]:
    """The texts and addresses in the data of an event that look like it, by their names (`reason`, `results/0/url`)."""
    for name in sorted((TEXT_FIELDS | ADDRESS_FIELDS) & data.keys()):
        look = personal_in_text if name in TEXT_FIELDS else personal_in_code
        kind = look(data[name]) if isinstance(data[name], str) else None
        if kind is not None:
            yield name, kind
    results = data.get("results")
    for number, result in enumerate(results if isinstance(results, list) else ()):
        url = result.get("url") if isinstance(result, dict) else None
        kind = personal_in_code(url) if isinstance(url, str) else None
        if kind is not None:
            yield f"results/{number}/url", kind
