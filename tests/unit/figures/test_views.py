"""One road for now and then: only the views ask whether there is an ``as_of``."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ASKS_FOR_A_PAST = re.compile(r"\bpast is (not )?None")
SUBJECTS = ("figures", "index766", "reports", "stream")
ASKS = re.compile(r"\bas_of is (not )?None")
ALLOWED = {"services/api/figures/views.py", "services/api/stream/routes.py"}
"""The views, and the stream, which refuses it."""


def test_only_the_views_ask_whether_there_is_an_instant() -> None:
    asking = {
        path.relative_to(ROOT).as_posix()
        for top in ("services", "shared")
        for path in (ROOT / top).rglob("*.py")
        if ASKS.search(path.read_text("utf-8"))
    }
    assert asking == ALLOWED


def test_no_module_asks_whether_there_is_a_past() -> None:
    """A scope has a moment, of now or of then, and asks that."""
    modules = (path for top in ("services", "shared") for path in (ROOT / top).rglob("*.py"))
    assert [path for path in modules if ASKS_FOR_A_PAST.search(path.read_text("utf-8"))] == []


@pytest.mark.parametrize("subject", SUBJECTS)
def test_no_route_of_figures_imports_another_one(subject: str) -> None:
    imported = {
        (path.name, node.module)
        for path in (ROOT / "services" / "api" / subject).glob("*routes.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module is not None
        if node.module.endswith("routes") and node.module.split(".")[2] in SUBJECTS
    }
    assert imported == set()
