"""Every GET of the document, with what a client gives its parameters. A new GET comes in by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

LEFT_OUT = {"/v1/stream": "server-sent events: these clients wait for the end of an answer, and it has none"}

VALUES: dict[str, Any] = {
    "period": "2022",
    "bucket": "late_over_10",
    "/v1/stats/summary/dossiers figure": "received.total",
    "/v1/stats/by/{by}/dossiers figure": "received.total",
}
"""By parameter, or by path and parameter, where the document has no example or the data of the test another value."""


@dataclass(frozen=True)
class Question:
    path: str
    operation_id: str
    tag: str
    media_type: str
    in_path: dict[str, Any]
    in_query: dict[str, Any]
    takes_query: bool

    @property
    def target(self) -> str:
        return self.path.format_map(self.in_path)

    @property
    def is_json(self) -> bool:
        return self.media_type.endswith("json")

    def plain(self) -> dict[str, Any]:
        return asdict(self)


def questions(document: dict[str, Any], known: dict[str, Any]) -> list[Question]:
    """``known``: values that only the data of the test has."""
    return list(_questions(document, VALUES | known))


def _questions(document: dict[str, Any], values: dict[str, Any]) -> Iterator[Question]:
    for path, item in document["paths"].items():
        if "get" not in item or path in LEFT_OUT:
            continue
        operation = item["get"]
        given: dict[str, dict[str, Any]] = {"path": {}, "query": {}}
        for parameter in operation.get("parameters", ()):
            found = _value(path, parameter, values)
            if found is not None:
                given[parameter["in"]][parameter["name"]] = found
        ok = next(answer for status, answer in operation["responses"].items() if status.startswith("2"))
        media_type = next(iter(ok["content"]))
        takes_query = any(parameter["in"] == "query" for parameter in operation.get("parameters", ()))
        names = operation["operationId"], operation["tags"][0]
        yield Question(path, *names, media_type, given["path"], given["query"], takes_query)


def _value(path: str, parameter: dict[str, Any], values: dict[str, Any]) -> Any:
    name, schema = parameter["name"], parameter["schema"]
    for key in (f"{path.removesuffix('.csv')} {name}", name):
        if key in values:
            return values[key]
    if not parameter.get("required"):
        return None
    shown = [*schema.get("examples", ()), *schema.get("enum", ()), *([schema["const"]] if "const" in schema else ())]
    shown += [parameter["example"]] if "example" in parameter else []
    shown += [example["value"] for example in parameter.get("examples", {}).values()]
    assert shown, f"GET {path}: give `{name}` an example, or a value in VALUES of {__name__}"
    return shown[0]
