"""How operations describe themselves: error answers declared alike, every schema named once."""

from collections.abc import Sequence
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from services.api.http import document
from services.api.http.answers import CODE_PARAMETERS
from services.api.http.answers import MEDIA_TYPE as MEDIA_TYPE_JSON
from services.api.http.bodies.limits import limit_of
from services.api.http.errors.messages import KINDS, Language
from services.api.http.errors.problems import problem_body
from services.serving.refusals import MEDIA_TYPE
from shared.events.cloudevents.registered import told_event

_REFERENCE: Final = "#/components/schemas/{model}"


class FieldProblem(BaseModel):
    """One wrong field."""

    pointer: str = Field(description="RFC 6901 pointer into the input.", examples=["/data/agency_code"])
    code: str = Field(description="Stable code.", examples=["missing"])
    detail: str = Field(description="What was expected, in the language of the answer.", examples=["required"])


class Problem(BaseModel):
    """An error answer, RFC 9457 (thông báo lỗi); Vietnamese or English by `Accept-Language`."""

    type: str = Field(description="Stable identifier of the kind of problem.", examples=["urn:motcua:problem:invalid"])
    title: str = Field(description="The kind in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="More words.")
    instance: str | None = Field(None, description="The path that was asked.")
    request_id: str | None = Field(None, description="The id of the request in the logs.")
    errors: list[FieldProblem] | None = Field(None, description="The wrong fields, if any.")
    head: int | None = Field(None, description="Only of `ahead_of_log`: the last position of the log.")
    log: str | None = Field(None, description="Only of `ahead_of_log`: the log's identity.")


_ALWAYS: Final = (401, 403, 422, 429, 503)


def error_answers(*statuses: int, public: bool = False) -> dict[int | str, dict[str, Any]]:
    """The ``responses=`` of an operation: the given statuses beside those that every operation with a key has.

    ``public`` operations need no key and have only the given ones.
    """
    answers: dict[int | str, dict[str, Any]] = {}
    for status in sorted({*statuses, *(() if public else _ALWAYS)}):
        kinds = [kind for kind in KINDS if kind.status == status]
        examples = {
            kind.code: {"summary": kind.title.english, "value": problem_body(kind, Language.ENGLISH)} for kind in kinds
        }
        answers[status] = {
            "description": " / ".join(f"{kind.title.english} ({kind.title.vietnamese})" for kind in kinds),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples}},
        }
    return answers


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """A model's schema with every reference into the components."""
    return model.model_json_schema(ref_template=_REFERENCE)


def _components(named: Sequence[type[BaseModel]]) -> dict[str, Any]:
    """Schemas that operations refer to by name, which FastAPI does not gather by itself."""
    # a prefix, because answers have a Fee and an Applicant of their own
    events = told_event().json_schema(ref_template=_REFERENCE.format(model="Event{model}"))
    components = {f"Event{name}": schema for name, schema in events.pop("$defs").items()}
    components["Event"] = {**events, "description": "One event of a dossier, told apart by `type`."}
    _, gathered = models_json_schema([(model, "serialization") for model in named], ref_template=_REFERENCE)
    components.update(gathered["$defs"])
    return components


def _add_body_answers(schema: dict[str, Any]) -> None:
    """Whatever takes a body answers 400, 408, 413 and 415 where it cannot be read: nobody need remember to say so."""
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            if "requestBody" in operation:
                answers = error_answers(400, 408, 413, 415, public=True)
                limit = limit_of(method.upper(), path)
                but = ", but lines" if limit.lines else ""
                answers[413]["description"] += f": at most {limit.most_bytes} bytes{but}"
                answers[400] = operation["responses"].get("400", answers[400])
                operation["responses"] |= {str(status): answer for status, answer in answers.items()}


def _add_unknown_codes(schema: dict[str, Any]) -> None:
    """Whatever is narrowed by codes says which of them nobody knows (`services.api.http.unknown_codes`)."""
    for operation in (one["get"] for one in schema["paths"].values() if "get" in one):
        if not CODE_PARAMETERS.isdisjoint(one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"):
            answer = operation["responses"]["200"]
            answer.setdefault("headers", {})["X-Unknown-Code"] = {
                "description": "The parameters whose code neither catalogue nor log knows (mã không có).",
                "schema": {"type": "string", "examples": ["procedure, field"]},
            }
            model = answer["content"].get(MEDIA_TYPE_JSON, {}).get("schema", {}).get("$ref", "").rpartition("/")[2]
            if model:
                schema["components"]["schemas"][model]["properties"]["unknown_code"] = {
                    "title": "Unknown Code",
                    "type": "object",
                    "additionalProperties": {"type": "string"},
                    "description": "Only where there are such: parameters with a code that neither catalogue nor log knows.",
                    "examples": [{"procedure": "9.999999"}],
                }


def install(app: FastAPI, named: Sequence[type[BaseModel]]) -> None:
    """Describe ``app`` completely: FastAPI's own description, with events and the ``named`` schemas beside it."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(
                title=app.title,
                version=app.version,
                summary=app.summary,
                description=app.description,
                routes=app.routes,
                tags=app.openapi_tags,
                license_info=app.license_info,
                separate_input_output_schemas=app.separate_input_output_schemas,
            )
            schema.setdefault("components", {}).setdefault("schemas", {}).update(_components(named))
            _add_body_answers(schema)
            _add_unknown_codes(schema)
            document.prepare(schema)
            app.openapi_schema = schema
        described: dict[str, Any] = app.openapi_schema
        return described

    app.openapi = describe  # type: ignore[method-assign]
