"""The questions of the OpenAPI document that can be asked with a parameter; those that are heavy reads."""

from __future__ import annotations

import re
from typing import Any

HEAVY = [
    "/v1/stats/summary?period=2018&as_of=2020-01-01",
    "/v1/stats/summary/dossiers?period=2018&as_of=2020-01-01&figure=received.total&format=csv",
    "/v1/indices/766?period=2018",
    "/v1/stats/anomalies",
    "/v1/stats/working-time?period=2018",
    "/v1/overdue/apologies?period=2018",
    "/v1/overdue/apologies/dossiers?period=2018",
    "/v1/overdue/reasons?period=2018",
    "/v1/overdue/reasons/dossiers?period=2018&figure=dossiers",
    "/v1/sync/lag?period=2018",
    "/v1/dossiers?count=true",
]

EXPORTS = [
    "/v1/dossiers?format=csv",
    "/v1/stats/summary/dossiers?period=2018&figure=received.total&format=csv",
    "/v1/stats/summary/dossiers?period=2018&figure=received.total&format=csv&as_of=2020-01-01",
    "/v1/stats/anomalies/dossiers?anomaly=extended_twice&format=csv",
    "/v1/overdue/dossiers?bucket=overdue_1_3&format=csv",
    "/v1/overdue/reasons/dossiers?period=2018&figure=dossiers&format=csv",
]


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
