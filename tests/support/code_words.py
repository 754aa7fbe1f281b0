"""The words of the code: docstrings by line, and every name and value, for the tests that hold docs and code together."""

import ast
import re
import tokenize
from collections.abc import Iterable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRODUCT = ("deploy", "migrations", "services", "shared")


@cache
def modules(*tops: str) -> tuple[Path, ...]:
    """Every module below the folders, in order."""
    return tuple(path for top in tops for path in sorted((ROOT / top).rglob("*.py")))


@cache
def docstrings_of(path: Path) -> tuple[tuple[int, str], ...]:
    """Every text of a module that is no value: docstrings, also those of attributes."""
    return tuple(
        (node.lineno, node.value.value)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    )


@cache
def words_of_the_code(*tops: str) -> frozenset[str]:
    """Every name of the code and every word of its values; docstrings and comments are left out."""
    words: set[str] = set()
    for path in modules(*tops):
        docstrings = {line for line, _ in docstrings_of(path)}
        with path.open("rb") as source:
            for token in tokenize.tokenize(source.readline):
                if token.type == tokenize.NAME:
                    words.add(token.string)
                elif (token.type == tokenize.STRING and token.start[0] not in docstrings) or tokenize.tok_name[
                    token.type
                ] == "FSTRING_MIDDLE":
                    words.update(re.findall(r"\w+", token.string))
        words.update(path.relative_to(ROOT).with_suffix("").parts)
    return frozenset(words)


def parts_of(name: str) -> list[str]:
    """The words that a name is made of, in lower case: ``FigureScope``, ``due_set`` and ``DUE_SET`` alike."""
    return [part.lower() for part in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)]


def parts_of_all(names: Iterable[str]) -> set[str]:
    """The words that the names are made of."""
    return {part for name in names for part in parts_of(name)}
