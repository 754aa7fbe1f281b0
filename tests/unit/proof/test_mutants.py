"""The mutants are small, different from their source, and the same every time."""

import ast

from tests.proof.mutants import count, sample

SOURCE = '''
"""A text."""
from typing import Final

LIMIT: Final = 3
TABLE = {"a": 1, "b": 1, "c": 2}


def f(items: list[int], wanted: "int | None" = None) -> int:
    """A text with 7 in it."""
    if wanted is not None and 0 < len(items) <= LIMIT:
        return sum(one + 1 for one in items if not one % 2)
    items.append(1)
    raise ValueError(f"{1 + 2}")
'''


def words(most: int = 1_000, seed: str = "x") -> list[str]:
    return [mutant.words for mutant in sample("f", SOURCE, seed, most)]


def test_every_operator_occurs_and_texts_annotations_and_errors_are_left_alone():
    found = set(words())
    assert {
        "`3` becomes `4` in `LIMIT: Final = 3`",
        "`3` becomes `2` in `LIMIT: Final = 3`",
        "`1` and `2` change places",
        "`wanted is not None` becomes `wanted is None`",
        "`0 < len(items) <= LIMIT` becomes `0 <= len(items) <= LIMIT`",
        "`0 < len(items) <= LIMIT` becomes `0 < len(items) < LIMIT`",
        "`wanted is not None and 0 < len(items) <= LIMIT` becomes `wanted is not None or 0 < len(items) <= LIMIT`",
        "`return sum((one + 1 for one in items if not one % 2))` becomes `return None`",
        "`one + 1` becomes `one - 1`",
        "`not one % 2` becomes `one % 2`",
        "`one % 2` becomes `one * 2`",
        "`for one in items if not one % 2` becomes `for one in items`",
        "`items.append(1)` becomes `pass`",
    } <= found
    assert not [text for text in found if "ValueError" in text or "A text" in text or "list[int]" in text]


def test_each_is_one_module_that_differs_and_a_larger_sample_begins_with_a_smaller_one():
    every = sample("f", SOURCE, "x", 1_000)
    assert len(every) == count(SOURCE)
    same = ast.unparse(ast.parse(SOURCE))
    assert all(mutant.source != same for mutant in every)
    assert len({mutant.source for mutant in every}) == len(every)
    assert words(5) == words()[:5] != words(5, "y")
