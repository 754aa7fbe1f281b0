"""A route never imports a route, a use case nothing of the framework; one module alone types the driver's connection."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
API = ROOT / "services" / "api"

CONNECTION = ROOT / "shared" / "database" / "engine.py"
"""Where the driver's connection gets its type."""


def is_route(module: str) -> bool:
    return module.rpartition(".")[2].endswith("routes")


def imported(text: str) -> Iterator[str]:
    """The modules, and the names of modules that may be modules, that a module imports."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def routes_between(modules: dict[str, str]) -> set[tuple[str, str]]:
    """Who imports a module of routes: routes, and middleware, which is before them."""
    return {
        (name, other)
        for name, text in modules.items()
        for other in imported(text)
        if is_route(other) and other.startswith("services.api.") and name != other
    }


def modules_of(folder: Path) -> dict[str, str]:
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path.read_text() for path in sorted(folder.rglob("*.py"))
    }


def test_no_module_of_the_api_imports_routes():
    assert routes_between(modules_of(API)) == set()


@pytest.mark.parametrize(
    "text",
    [
        "from services.api.dossiers.routes import Paging",
        "from services.api.dossiers import routes",
        "import services.api.sync.lag_routes",
        "def f():\n    from services.api.sync import lag_routes\n",
    ],
)
def test_an_import_of_routes_is_seen(text):
    assert len(routes_between({"services.api.figures.scopes": text})) == 1


def types_of_the_framework(text: str) -> set[str]:
    return {one for one in imported(text) if one.partition(".")[0] in {"fastapi", "starlette"}}


def test_use_cases_know_nothing_of_the_framework():
    use_cases = {name: text for name, text in modules_of(API).items() if name.endswith("use_cases")}
    assert use_cases
    assert {name for name, text in use_cases.items() if types_of_the_framework(text)} == set()
    assert types_of_the_framework("from fastapi import Request\nfrom starlette.responses import Response\n")


def hidden_connections(text: str) -> list[str]:
    """What `if TYPE_CHECKING` blocks say of the driver or of its connection."""
    return [
        ast.unparse(statement)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}
        for statement in node.body
        if "asyncpg" in ast.unparse(statement) or "DriverConnection" in ast.unparse(statement)
    ]


def test_the_driver_s_connection_is_typed_in_one_place():
    folders = ("shared", "services", "deploy", "migrations")
    found = {path for folder in folders for path in (ROOT / folder).rglob("*.py") if hidden_connections(path.read_text())}
    assert found == {CONNECTION}


def test_a_hidden_connection_is_seen():
    text = "if TYPE_CHECKING:\n    from shared.database.engine import DriverConnection\n"
    assert hidden_connections(text)
    assert hidden_connections("if typing.TYPE_CHECKING:\n    import asyncpg\n")
