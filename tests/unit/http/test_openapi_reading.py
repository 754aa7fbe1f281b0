"""Every operation describes itself: summary, description, parameters, an example, error answers."""

from typing import Any

import pytest

from services.api.main import create_app
from shared.settings import Settings

SPEC: dict[str, Any] = create_app(Settings(_env_file=None)).openapi()  # type: ignore[call-arg]
OPERATIONS = [(path, method) for path, methods in SPEC["paths"].items() for method in methods]
PUBLIC = {"/healthz", "/readyz", "/metrics"}
SIGNED = {"/v1/payments/results/{gateway}"}
"""Without a key: the partner's signature says who it is."""


def has_example(answer: dict[str, Any]) -> bool:
    for content in answer.get("content", {}).values():
        # nobody reads a workbook as text
        if "example" in content or "examples" in content or content.get("schema", {}).get("format") == "binary":
            return True
        name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
        if name and SPEC["components"]["schemas"][name].get("examples"):
            return True
    return False


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_it_describes_itself(path: str, method: str) -> None:
    operation = SPEC["paths"][path][method]
    assert operation["summary"]
    assert operation["description"]
    for parameter in operation.get("parameters", []):
        assert parameter.get("description") or parameter["schema"].get("description"), parameter["name"]
    successes = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
    assert any(has_example(answer) for answer in successes)
    if path in SIGNED:
        assert "security" not in operation
    elif path not in PUBLIC:
        assert {"401", "403", "422", "503"} <= set(operation["responses"])
        assert operation["security"]
