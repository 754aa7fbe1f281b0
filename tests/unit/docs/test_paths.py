"""Every path, module and test that the docs and the docstrings name exists, and the index of decisions is whole."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.code_words import ROOT, docstrings_of, modules, words_of_the_code

TOPS = ("decisions", "deploy", "docs", "findings", "migrations", "services", "shared", "tests")
CODE = ("deploy", "migrations", "services", "shared", "tests")

DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "tests/faults/README.md", "services/mock_portal/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "decisions").glob("*.md")),
]
MODULES = modules(*CODE)

PATH = re.compile(rf"(?<![\w./-])(?:{'|'.join(TOPS)})/[\w./-]*(?![\w./-])(?P<open>[<{{*…])?")
MODULE = re.compile(rf"(?<![\w./:-])(?:{'|'.join(CODE)})(?:\.\w+)+(?![\w/<*])")
FILE = re.compile(r"(?<![\w./<*…-])[a-z_]\w*\.py\b")
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")
BACKTICKS = re.compile(r"`+([^`\n]+)`+")
DECISION = re.compile(r"\bdecisions? (\d{1,2})\b")

NOT_OURS = {"noun_verbed", "Location"}
"""A pattern of names, and a header of HTTP."""

OF_A_READER = {"first.py"}
"""Files that a page shows whole and asks its reader to write."""


@cache
def file_names() -> frozenset[str]:
    return frozenset(path.name for path in MODULES)


def is_there(path: str) -> bool:
    return (ROOT / path.rstrip("./")).exists()


def is_module(name: str) -> bool:
    """Whether ``name`` is a module, a package, or something that a module defines at its top or in a class."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        place = ROOT.joinpath(*parts[:length])
        if place.is_dir() and length == len(parts):
            return True
        source = place.with_suffix(".py")
        if source.is_file():
            return all(re.search(rf"\b{part}\b", source.read_text(encoding="utf-8")) for part in parts[length:])
    return False


def missing_in(text: str) -> Iterator[str]:
    """What ``text`` names and the repository has not."""
    for found in PATH.finditer(text):
        # `tests/<kind>/` and `shared/…/rules/` are patterns: what stands before the gap must be there
        path = found[0].rstrip("<{*…")
        if not is_there(path if not found["open"] else path.rpartition("/")[0]):
            yield path
    for found in MODULE.finditer(text):
        if not found[0].endswith((".py", ".md", ".json", ".csv")) and not is_module(found[0]):
            yield found[0]
    for found in FILE.finditer(text):
        if found[0] not in file_names() | OF_A_READER:
            yield found[0]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_names_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    links = [link for link in LINK.findall(text) if not (document.parent / link).exists()]
    assert [*missing_in(text), *links] == []


def test_what_a_docstring_names_exists() -> None:
    missing = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in MODULES
        for line, text in docstrings_of(path)
        for quoted in BACKTICKS.findall(text)
        for name in missing_in(quoted)
    ]
    assert missing == []


@cache
def known_names() -> frozenset[str]:
    return frozenset(words_of_the_code(*CODE) | NOT_OURS)


CODE_NAME = re.compile(r"_?[a-z]+(?:_[a-z0-9]+)+|_?[A-Za-z]\w*(?:\.\w+)+|[A-Z][a-z0-9]+(?:[A-Z][a-z0-9]*)*")
"""``snake_case``, ``dotted.names`` and ``CamelCase``."""


def test_code_names_in_docstrings_of_the_product_are_names_of_the_code() -> None:
    """A name that was changed and stayed in a docstring."""
    unknown = [
        f"{path.relative_to(ROOT)}:{line}: {quoted}"
        for path in MODULES
        if path.is_relative_to(ROOT / "shared") or path.is_relative_to(ROOT / "services")
        for line, text in docstrings_of(path)
        for quoted in BACKTICKS.findall(text)
        if CODE_NAME.fullmatch(quoted) and not set(quoted.split(".")) <= known_names()
    ]
    assert unknown == []


def test_code_names_in_the_docs_are_names_of_the_code() -> None:
    """The same in decisions, map, glossary and CONTRIBUTING."""
    unknown = [
        f"{document.relative_to(ROOT)}: {quoted}"
        for document in DOCUMENTS
        if document.parent.name == "decisions" or document.name in {"CONTRIBUTING.md", "glossary.md", "map.md"}
        for quoted in BACKTICKS.findall(document.read_text(encoding="utf-8"))
        if CODE_NAME.fullmatch(quoted) and not set(quoted.split(".")) <= known_names()
    ]
    assert unknown == []


@cache
def decisions() -> dict[int, Path]:
    return {int(path.name[:4]): path for path in sorted((ROOT / "decisions").glob("[0-9]*.md"))}


def test_every_decision_has_its_headings_and_its_line_in_the_index() -> None:
    index = (ROOT / "decisions" / "README.md").read_text(encoding="utf-8")
    for number, path in decisions().items():
        text = path.read_text(encoding="utf-8")
        title = text.partition("\n")[0]
        assert title.startswith(f"# {number}. "), path.name
        assert re.findall(r"^## (.*)$", text, re.MULTILINE) == [
            "Status",
            "Context",
            "Decision",
            "Consequences",
            "Enforced by",
        ], path.name
        line = f"| [{number}]({path.name}) | {title.removeprefix(f'# {number}. ')} |"
        assert line in index, f"decisions/README.md needs a line that begins with: {line}"


def test_every_decision_that_is_referred_to_exists() -> None:
    texts = [(str(document.relative_to(ROOT)), document.read_text(encoding="utf-8")) for document in DOCUMENTS]
    texts += [(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")) for path in MODULES]
    named = [(where, int(number)) for where, text in texts for number in DECISION.findall(text)]
    assert [(where, number) for where, number in named if number not in decisions()] == []
    assert named
