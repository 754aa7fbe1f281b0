"""The questions of the OpenAPI document that can be asked with a parameter."""

from __future__ import annotations

import re
from typing import Any


def narrowed(document: dict[str, Any], name: str) -> list[tuple[str, dict[str, str]]]:
    """(path, what must be given beside) of every GET with a query parameter of that name."""
    found = []
    for path, operations in document["paths"].items():
        parameters = operations.get("get", {}).get("parameters", [])
        if not any(one["name"] == name and one["in"] == "query" for one in parameters):
            continue
        shown = {one["name"]: str(_shown(one)) for one in parameters if one.get("required")}
        at = path.format_map({key: shown.pop(key) for key in re.findall("{([a-z_]+)}", path)})
        period = {"period": "2022"} if any(one["name"] == "period" for one in parameters) else {}
        seconds = {"seconds": "0"} if path == "/v1/stream" else {}
        found.append((at, shown | period | seconds))
    assert found, name
    return found


def _shown(parameter: dict[str, Any]) -> Any:
    schema = parameter["schema"]
    shown = [parameter["example"]] if "example" in parameter else parameter.get("examples")
    return (shown or schema.get("examples") or schema.get("enum") or ["x"])[0]
