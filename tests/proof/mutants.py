"""Mutants of a module: one small change each, told as words. Deterministic: the same source gives the same list.

Left out: annotations, decorators, texts, imports, and what a raised error says.
"""

from __future__ import annotations

import ast
import copy
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

LONGEST_WORDS = 90

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
UNTOUCHED = (ast.Import, ast.ImportFrom, ast.Raise, ast.JoinedStr)

Change = Callable[[ast.AST], ast.AST]


@dataclass(frozen=True)
class Mutant:
    """One change of a module."""

    module: str
    place: str
    """The function or class that it is in."""
    line: int
    words: str
    source: str

    @property
    def name(self) -> str:
        """What it is known by; survives a move within the module."""
        return f"{self.module}.{self.place}: {self.words}"


def count(source: str) -> int:
    """How many mutants a module has."""
    return len(_choices(ast.parse(source)))


def sample(module: str, source: str, seed: str, most: int) -> list[Mutant]:
    """A seeded sample of a module's mutants; a larger one begins with the smaller one."""
    tree = ast.parse(source)
    chosen = _choices(tree)
    random.Random(f"{seed} {module}").shuffle(chosen)
    return [_made(module, source, tree, *choice) for choice in chosen[:most]]


def _choices(tree: ast.AST) -> list[tuple[int, int]]:
    """The number of each site, with the number of each of its changes."""
    return [(number, index) for number, (node, _) in enumerate(_sites(tree)) for index, _ in enumerate(_changes(node))]


def _made(module: str, source: str, tree: ast.AST, number: int, index: int) -> Mutant:
    tree = copy.deepcopy(tree)
    target, place = list(_sites(tree))[number]
    before = _words(target)
    changed = list(_changes(target))[index](target)
    _replace(tree, target, changed)
    ast.fix_missing_locations(tree)
    words = f"`{before}` becomes `{_words(changed)}`"
    if isinstance(target, ast.Dict):
        first = _unlike_neighbours(target.values)[index]
        words = f"`{_words(target.values[first])}` and `{_words(target.values[first + 1])}` change places"
    line = getattr(target, "lineno", 0)
    if isinstance(target, ast.Constant):
        words += f" in `{source.splitlines()[line - 1].strip()}`"
    return Mutant(module, place, line, words, ast.unparse(tree))


def _words(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= LONGEST_WORDS else f"{text[: LONGEST_WORDS - 1]}…"


def _sites(tree: ast.AST, place: str = "") -> Iterator[tuple[ast.AST, str]]:
    for name, value in ast.iter_fields(tree):
        if name in ("annotation", "returns", "decorator_list", "type_comment", "bases", "keywords") and not _is_call(tree):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or isinstance(child, UNTOUCHED) or _is_text(child):
                continue
            inner = place
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                inner = f"{place}.{child.name}".lstrip(".")
            yield child, place
            yield from _sites(child, inner)


def _is_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call)


def _is_text(node: ast.AST) -> bool:
    if isinstance(node, ast.Expr):
        node = node.value
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _changes(node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for other in COMPARISONS[type(node.ops[0])]:
            yield lambda target, other=other: _with(target, ops=[other()])
    elif isinstance(node, ast.Compare):
        for index, operator in enumerate(node.ops):
            for other in COMPARISONS[type(operator)]:
                yield lambda target, index=index, other=other: _with(
                    target, ops=[other() if at == index else op for at, op in enumerate(target.ops)]
                )
    elif isinstance(node, (ast.BinOp, ast.AugAssign)) and type(node.op) in ARITHMETIC and not _has_text(node):
        yield lambda target: _with(target, op=ARITHMETIC[type(target.op)]())
    elif isinstance(node, ast.BoolOp):
        yield lambda target: _with(target, op=ast.Or() if isinstance(target.op, ast.And) else ast.And())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield lambda target: target.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield lambda target: ast.Constant(not target.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield lambda target: ast.Constant(target.value + 1)
        yield lambda target: ast.Constant(target.value - 1)
    elif isinstance(node, (ast.If, ast.IfExp)) and not _is_type_checking(node.test):
        yield lambda target: _with(target, test=ast.UnaryOp(ast.Not(), target.test))
    elif isinstance(node, ast.Dict) and None not in node.keys:
        for index in _unlike_neighbours(node.values):
            yield lambda target, index=index: _with(target, values=_swapped(target.values, index))
    elif isinstance(node, ast.comprehension) and node.ifs:
        for index in range(len(node.ifs)):
            yield lambda target, index=index: _with(target, ifs=[one for at, one in enumerate(target.ifs) if at != index])
    elif isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
        yield lambda _target: ast.Return(ast.Constant(None))
    if isinstance(node, (ast.AugAssign, ast.Continue, ast.Break)) or (
        isinstance(node, ast.Expr) and isinstance(node.value, (ast.Call, ast.Yield, ast.YieldFrom))
    ):
        yield lambda _target: ast.Pass()


def _unlike_neighbours(values: list[ast.expr]) -> list[int]:
    texts = [ast.dump(value) for value in values]
    return [index for index in range(len(texts) - 1) if texts[index] != texts[index + 1]]


def _swapped(values: list[ast.expr], index: int) -> list[ast.expr]:
    return [*values[:index], values[index + 1], values[index], *values[index + 2 :]]


def _with(node: ast.AST, **fields: object) -> ast.AST:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _has_text(node: ast.AST) -> bool:
    return any(_is_text(part) or isinstance(part, ast.JoinedStr) for part in ast.walk(node))


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "TYPE_CHECKING"


def _replace(tree: ast.AST, target: ast.AST, changed: ast.AST) -> None:
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is target:
                setattr(parent, name, changed)
                return
            if isinstance(value, list):
                for index, child in enumerate(value):
                    if child is target:
                        value[index] = changed
                        return
    raise AssertionError("the site is not in its own tree")
