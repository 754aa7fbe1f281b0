"""Columns of a statement's rows as lines of one text each: the driver spends more on a list than on all else it does.

Only what cannot hold a line feed goes so: codes, numbers, instants, words of our own. One that did would leave its column
longer than the others, and the statement would break on NOT NULL. Free text and what may be absent stay lists.
"""

from collections.abc import Iterable


def column(parameter: int, kind: str) -> str:
    """The SQL of a parameter's lines as an array of ``kind``."""
    return f"string_to_array(${parameter}::text, E'\\n')::{kind}[]"


def lines(values: Iterable[str]) -> str:
    """The text of a column."""
    return "\n".join(list(values))
