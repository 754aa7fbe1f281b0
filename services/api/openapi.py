"""How operations describe themselves: error answers declared alike, every schema named once."""

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from services.api import messages
from services.api.messages import KINDS, Language
from services.api.problems import MEDIA_TYPE, problem_body


class FieldProblem(BaseModel):
    """One wrong field."""

    pointer: str = Field(description="RFC 6901 pointer into the input.", examples=["/data/agency_code"])
    code: str = Field(description="Stable code.", examples=["missing"])
    detail: str = Field(description="What was expected, in the language of the answer.", examples=["required"])


class Problem(BaseModel):
    """An error answer, RFC 9457 (thông báo lỗi); Vietnamese or English by `Accept-Language`."""

    model_config = ConfigDict(title="Problem")

    type: str = Field(description="Stable identifier of the kind of problem.", examples=["urn:motcua:problem:invalid"])
    title: str = Field(description="The kind in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="More words.")
    instance: str | None = Field(None, description="The path that was asked.")
    request_id: str | None = Field(None, description="The id of the request in the logs.")
    errors: list[FieldProblem] | None = Field(None, description="The wrong fields, if any.")


_ALWAYS: Final = (401, 403, 422, 503)


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


__all__ = ["FieldProblem", "Problem", "error_answers", "messages"]
