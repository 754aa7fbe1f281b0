"""How the tests themselves lie: helpers in `tests/support` by noun, no test module that another one needs, folders that end."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[2]
LARGEST_FOLDER = 16


def imported(path: Path) -> Iterator[str]:
    """The modules, and what may be modules, that a file imports anywhere."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{name.name}" for name in node.names)


def test_nobody_imports_a_test_module_or_a_conftest() -> None:
    modules = {
        ".".join(path.relative_to(TESTS.parent).with_suffix("").parts): path
        for path in TESTS.rglob("*.py")
        if path.stem.startswith("test_") or path.stem == "conftest"
    }
    assert len(modules) > 100
    found = {(str(path), name) for path in TESTS.rglob("*.py") for name in imported(path) if name in modules}
    assert not found, "what two test modules need belongs into tests/support"


def test_no_folder_is_too_full() -> None:
    folders = Counter(str(path.parent.relative_to(TESTS)) for path in TESTS.rglob("*.py"))
    assert {folder: files for folder, files in folders.items() if files > LARGEST_FOLDER} == {}
