"""docs/glossary.md explains the words that the code's public names are made of, and no word that the code has not.

A name is explained if the glossary has it, or each of its words: a word of a term there, or an ordinary English one that
means here what it means anywhere (`ORDINARY`). A word of the field in a new name is in neither, until somebody writes it down.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.code_words import PRODUCT, ROOT, modules, parts_of, parts_of_all, words_of_the_code

TEXT = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
FIELD, CODE = TEXT.split("\n## ")[1:]

MEMBERS_EXPLAINED = {"EventName", "Status", "AnomalyCode", "Figure", "Channel"}

WORDS_OF_ANY_BOOK = """
after again before busy change check choice class code coming compare computed conflict count counts date day definition difference
elsewhere empty end entry error fact facts forbidden found go group health hours identity in input invalid key kind later limit
limits line many motcua name new no not of on origin over overloaded part policy predicate problem raised range reason request requested rule
scored set setting share state time too twice unexpected unit units unknown wait waiting year yet
"""
ORDINARY = frozenset(WORDS_OF_ANY_BOOK.split())
"""English words without a second meaning here, and the product's name."""


def rows(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("| `")]


def terms(table: str) -> list[str]:
    return [term for row in rows(table) for term in re.findall(r"`([^`]+)`", row[0])]


def public_names() -> Iterator[tuple[Path, str]]:
    """Public classes of rules and vocabulary, and the members of the lists that people meet."""
    for path in modules("shared"):
        if not {"rules", "rules.py", "vocabulary"} & set(path.parts):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ClassDef) or node.name.startswith("_"):
                continue
            yield path, node.name
            if node.name in MEMBERS_EXPLAINED:
                for statement in node.body:
                    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                        yield path, statement.targets[0].id


def unexplained(name: str, explained: set[str]) -> list[str]:
    """The words of a name that nothing explains; a plural is explained with its singular."""
    return [word for word in parts_of(name) if not {word, word.removesuffix("s")} & (explained | ORDINARY)]


def test_every_public_name_of_the_rules_is_made_of_explained_words():
    known = {*terms(FIELD), *terms(CODE)}
    explained = parts_of_all(known)
    missing = [
        f"{path.relative_to(ROOT)}: {name}: {', '.join(unexplained(name, explained))}"
        for path, name in public_names()
        if name not in known and unexplained(name, explained)
    ]
    assert missing == [], "add the word to docs/glossary.md, with its source"


def test_the_lists_that_people_meet_are_looked_at():
    names = {name for _, name in public_names()}
    assert names >= MEMBERS_EXPLAINED
    assert {"Dossier", "PathOutcome", "RECEIVED", "VOID_ELSEWHERE", "CARRIED_OVER", "POSTAL"} <= names


def test_every_ordinary_word_is_needed_and_no_term():
    used = {word for _, name in public_names() for word in parts_of(name)}
    assert ORDINARY - used == set()
    single = {term for term in (*terms(FIELD), *terms(CODE)) if parts_of(term) == [term.lower()]}
    assert ORDINARY & single == set()


def test_every_term_is_a_word_of_the_product():
    words = words_of_the_code(*PRODUCT)
    parts = parts_of_all(words)
    assert [term for term in (*terms(FIELD), *terms(CODE)) if term not in words and term not in parts] == []


def test_every_term_stands_once_with_all_that_belongs_to_it():
    every = [*terms(FIELD), *terms(CODE)]
    assert sorted({term for term in every if every.count(term) > 1}) == []
    assert [row[0] for row in rows(FIELD) if len(row) != 4 or not all(row)] == []
    assert [row[0] for row in rows(CODE) if len(row) != 3 or not all(row)] == []
    for term in rows(CODE):
        for path in re.findall(r"`([^`]+\.py)`", term[2]):
            source = (ROOT / path).read_text(encoding="utf-8").lower()
            names = [name.lower() for name in re.findall(r"`([^`]+)`", term[0])]
            assert any(name in source or name in path for name in names), f"{term[0]} does not stand in {path}"
