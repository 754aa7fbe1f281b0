"""Codes that a spreadsheet took for numbers or dates, and saved as it shows these: ``1.009990`` as ``1.00999``.

A sheet with such a code would tell of a code that nobody has, and with ``replace`` take away the one that it was.
"""

import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from decimal import ROUND_DOWN, Context, Decimal
from typing import Any, Final

from services.api.http.errors.field_errors import Fault

_NUMBER: Final = re.compile(r"[0-9]{1,40}(?:[.,][0-9]{1,40})?(?:[eE][+-]?[0-9]{1,3})?")
_THOUSANDS: Final = re.compile(r"[0-9]{1,3}(?:[.,][0-9]{3})+")
_PADDED: Final = re.compile(r"0[0-9]")
_WHOLE: Final = re.compile(r"[0-9]\.[0-9]{6}")
"""The form of the country's list, ``1.009990``."""
_KEPT: Final = Context(prec=15, rounding=ROUND_DOWN)
"""The digits that a spreadsheet keeps of a number."""
_SHOWN: Final = (Context(prec=6), Context(prec=3))
"""Those that it shows of a wide one, and of one that was written as a power of ten."""
_NARROW: Final = Decimal(10) ** 11

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH: Final = re.compile(rf"{'|'.join(_MONTHS)}|thg ?(?=[0-9])")
_DATE: Final = re.compile(r"[0-9]{1,4}(?:[-/. ][0-9]{1,4}){1,2}")
_IS_SHOWN_DATE: Final = re.compile(r"/|[a-z]")
_CENTURY: Final = 100

Row = Mapping[str, Any]


def is_shortened(told: str, code: str) -> bool:
    """Whether ``told`` is what a spreadsheet may make of ``code``."""
    return told != code and not _looks(told).isdisjoint(_readings(code))


def _readings(code: str) -> set[Hashable]:
    """The numbers and dates that a spreadsheet may read in a code, as it shows them."""
    numbers = [Decimal(code.replace(",", "."))] if _NUMBER.fullmatch(code) else []
    if _THOUSANDS.fullmatch(code):
        numbers.append(Decimal(re.sub(r"[.,]", "", code)))
    found: set[Hashable] = {_KEPT.plus(number) for number in numbers}
    for number in numbers:
        if number >= _NARROW or "e" in code.lower():
            found.update(context.plus(number) for context in _SHOWN)
    if _DATE.fullmatch(code):
        found.add(tuple(sorted(_parts(code))))
    return found


def _looks(told: str) -> set[Hashable]:
    """The numbers and dates that a cell shows, if it is written as spreadsheets write them."""
    if _NUMBER.fullmatch(told):
        number = Decimal(told.replace(",", "."))
        # no zeros before it, and none at its end that make it a whole code: that would mend one that lacks them
        if not _PADDED.match(told) and not (told.endswith("0") and _WHOLE.fullmatch(told)):
            return {_KEPT.plus(number)}
    lowered = told.lower()
    date = _MONTH.sub(lambda month: str(_MONTHS.index(month[0]) + 1) if month[0] in _MONTHS else "", lowered)
    if not (_IS_SHOWN_DATE.search(lowered) and _DATE.fullmatch(date)):
        return set()
    parts = _parts(date)
    # a year or a first day that the code did not have
    return {tuple(sorted(parts[:n] + parts[n + 1 :])) for n in range(len(parts))} | {tuple(sorted(parts))}


def _parts(date: str) -> list[int]:
    """Its numbers, in whatever order, a year by its last digits."""
    return [int(part) % _CENTURY for part in re.findall(r"[0-9]+", date)]


def shortened(told: Sequence[tuple[int, Row]], known: Iterable[Row], codes: Iterable[str], key: str) -> list[Fault]:
    """The cells of a sheet that are what spreadsheets make of what is known.

    ``told``: its rows with their numbers; ``known``: the rows that are known; ``key``: the column that names what a row is
    of, ``codes``: all codes of it that anybody has told. A text of another column is compared with that of the known row.
    """
    rows = {str(row[key]): row for row in known}
    given = {str(row.get(key)) for _, row in told}
    absent = _by_reading({*rows, *codes} - given)
    faults: list[Fault] = []
    for number, row in told:
        code = str(row.get(key))
        before = rows.get(code)
        if before is None:
            faults += _faults(f"/{number}/{key}", [code], absent)
            continue
        for name, cell in row.items():
            texts, others = _texts(cell), _texts(before.get(name))
            if name != key and texts != others:
                faults += _faults(f"/{number}/{name}", set(texts) - set(others), _by_reading(set(others) - set(texts)))
    return faults


def _by_reading(codes: Iterable[str]) -> dict[Hashable, str]:
    return {reading: code for code in codes if code[:1].isdigit() for reading in _readings(code)}


def _faults(pointer: str, texts: Iterable[str], known: Mapping[Hashable, str]) -> Iterator[Fault]:
    for text in texts:
        code = next((known[look] for look in _looks(text) if look in known), None) if known else None
        if code is not None:
            yield Fault(pointer, "shortened", {"told": text, "known": code})


def _texts(cell: Any) -> list[str]:
    return [one for one in (cell if isinstance(cell, list) else [cell]) if isinstance(one, str)]
