"""The order of Vietnamese words: a ă â b c d đ e ê … (the 29 letters, with f j w z at their Latin places), then by tone."""

import unicodedata
from typing import Final

_LETTERS: Final = "aăâbcdđeêfghijklmnoôơpqrstuưvwxyz"
_TONES: Final = ("\u0300", "\u0309", "\u0303", "\u0301", "\u0323")
"""Huyền, hỏi, ngã, sắc, nặng: the order of dictionaries."""


def vietnamese_key(text: str) -> tuple[list[tuple[int, int]], list[int], str]:
    """What to sort a name by: its letters, upper and lower case being the same, then its tones, then the text itself."""
    letters: list[tuple[int, int]] = []
    tones: list[int] = []
    bare = "".join(mark for mark in unicodedata.normalize("NFD", text.casefold()) if mark not in _TONES)
    for letter in unicodedata.normalize("NFC", bare):
        place = _LETTERS.find(letter)
        letters.append((0, ord(letter)) if place < 0 else (1, place))
    for letter in unicodedata.normalize("NFC", text.casefold()):
        found = [_TONES.index(mark) + 1 for mark in unicodedata.normalize("NFD", letter) if mark in _TONES]
        tones.append(found[0] if found else 0)
    return letters, tones, text
