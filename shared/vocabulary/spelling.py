"""One spelling of texts that look alike: Vietnamese letters composed (NFC), single blanks, nothing that cannot be seen.

For what people tell apart by eye: names, fields, reasons. Never for what is hashed into the log, which keeps what was told.
"""

import re
import unicodedata
from typing import Final

_INVISIBLE: Final = re.compile("[\u00ad\u200b\u2060\ufeff]")
"""Soft hyphen, blanks without width, byte order mark: they come with what is copied from pages and documents."""


def one_spelling(text: str) -> str:
    """The spelling that all texts which look like this one have; empty if there is nothing to see."""
    if not text.isascii():
        if not unicodedata.is_normalized("NFC", text):
            text = unicodedata.normalize("NFC", text)
        text = _INVISIBLE.sub("", text)
    return " ".join(text.split())


def is_utf8(text: bytes) -> bool:
    """Whether these may be the bytes of a text in UTF-8. NUL among the first is what other encodings of Unicode have."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return b"\0" not in text[:4]
