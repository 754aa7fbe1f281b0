"""docs/contract.md names every route of the API, and none that there is not."""

import re
from pathlib import Path

from pydantic import SecretStr

from services.api.main import create_app
from shared.settings import Settings

CONTRACT = (Path(__file__).parents[3] / "docs" / "contract.md").read_text()
NAMED = re.compile(r"`(GET|PUT|POST|DELETE|PATCH) (/[^\s`?]*)")
PARAMETER = re.compile(r"\{[^}]*\}")
ELSEWHERE = ("/mapi/", "/_portal/")
"""Of the mock portal."""
NO_OPERATIONS = {("GET", "/docs"), ("GET", "/openapi.json")}


def routes() -> set[tuple[str, str]]:
    nowhere = SecretStr("postgresql://nobody@127.0.0.1/none")
    app = create_app(Settings(database_url=nowhere, redis_url=SecretStr("redis://127.0.0.1")))
    paths = app.openapi()["paths"]
    return {(method.upper(), PARAMETER.sub("{}", path)) for path, operations in paths.items() for method in operations}


def named() -> set[tuple[str, str]]:
    found = {(method, PARAMETER.sub("{}", path.replace("\\|", "|"))) for method, path in NAMED.findall(CONTRACT)}
    return {(method, path) for method, path in found if not path.startswith(ELSEWHERE)}


def test_every_route_stands_in_the_contract() -> None:
    assert sorted(routes() - named()) == []


def test_the_contract_names_no_route_that_there_is_not() -> None:
    assert sorted(named() - routes() - NO_OPERATIONS) == []
