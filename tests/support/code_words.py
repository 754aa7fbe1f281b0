"""The words of the code: docstrings by line, and every name and value, for the tests that hold docs and code together."""

import ast
import re
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
def docstring_nodes(path: Path) -> tuple[ast.Constant, ...]:
    """Every text of a module that is no value: docstrings, also those of attributes."""
    return tuple(
        node.value
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    )


def docstrings_of(path: Path) -> tuple[tuple[int, str], ...]:
    return tuple((node.lineno, str(node.value)) for node in docstring_nodes(path))


_COMMENT = re.compile(r"(^|\s)#\s.*$")


@cache
def words_of_the_code(*tops: str) -> frozenset[str]:
    """Every name of the code and every word of its values; docstrings and comments are left out."""
    words: set[str] = set()
    for path in modules(*tops):
        lines = path.read_text(encoding="utf-8").splitlines()
        for node in docstring_nodes(path):
            lines[node.lineno - 1 : node.end_lineno] = [""] * ((node.end_lineno or node.lineno) - node.lineno + 1)
        words.update(re.findall(r"\w+", "\n".join(_COMMENT.sub("", line) for line in lines)))
        words.update(path.relative_to(ROOT).with_suffix("").parts)
    return frozenset(words)


def parts_of(name: str) -> list[str]:
    """The words that a name is made of, in lower case: ``FigureScope``, ``due_set`` and ``DUE_SET`` alike."""
    return [part.lower() for part in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)]


def parts_of_all(names: Iterable[str]) -> set[str]:
    """The words that the names are made of."""
    return {part for name in names for part in parts_of(name)}
