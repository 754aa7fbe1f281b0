"""What the explorer says about posting events: an operation for one, for an array and for lines, each with one shape."""

from typing import Any, Final, NamedTuple

import orjson

from services.api.events.posting import MOST_EVENTS
from services.api.events.schemas import BatchReceipt, Receipt
from services.api.http.bodies.kinds import BATCH_PATH, LINES, LINES_PATH, PATH
from services.api.http.openapi import error_answers, schema_of
from shared.events.cloudevents.registered import models_by_type
from shared.events.rules.registers import REGISTERS

_JSON: Final = "application/json"

_ALL: Final = """
An event is known by `source` and `id`: told again with the same content it is a *duplicate* (first position, counted
once), with other content a conflict, 409. Content is type, subject, time and data, whatever the spelling, offset or
transport. A repetition after a lost connection to the database may call `duplicate` what the same request recorded a
moment before.

Values are taken strictly: `true` is no number, a number is no time, a time has an offset (second 60 is refused, digits
beyond microseconds are cut), `null` is the same as absent, an unknown field of `data` is refused. `50000.0` is the whole
number 50000. Instead of `data` an event may have `data_base64`, the same JSON in base64, as SDKs of CloudEvents write it
when they are handed bytes. CloudEvents extension
attributes such as `traceparent`, and `dataschema`, are accepted but neither recorded nor compared.
Events dated more than five minutes ahead of our clock are refused; late and unexpected ones are recorded.
Personal data (`applicant`) goes to a table of its own and never enters the log.
"""

_ONE: Final = f"""
What an agency's software tells: an event of a dossier (sự kiện của hồ sơ) as a [CloudEvent](https://cloudevents.io) 1.0,
at most 256 KiB. **202 means committed to disk.**
{_ALL}
A body that is not JSON is answered 400, wrong values 422.

Taken here too, by content type: `application/cloudevents+json`; binary mode, where `ce-` headers hold the attributes
and the body the data (the content type may then be absent; any `ce-` header decides for binary mode); what `{BATCH_PATH}`
takes, where the body is an array or the content type `application/cloudevents-batch+json`; and what `{LINES_PATH}` takes.
Each is answered as there.
"""

_BATCH: Final = f"""
Up to 10,000 events (sự kiện của hồ sơ) in an array, at most 32 MiB. **202 means committed to disk.** Each has its own
receipt, in the order of the array: a bad one, whatever it is, harms no other. The content type may also be
`application/cloudevents-batch+json`.
{_ALL}"""

_LINES: Final = f"""
Events (sự kiện của hồ sơ) without bound: one a line (NDJSON), at most 256 KiB a line, also with
`Content-Encoding: gzip`. The answer begins when the whole body is read: a receipt for each line that was not newly
accepted, at last the sums. A cut upload keeps what was recorded and can be sent again as it is.
{_ALL}"""

_LINES_EXAMPLE: Final = (
    '{"line":2,"id":"2018-000123-received","source":"urn:h51:motcua","status":"duplicate","position":1}\n'
    '{"accepted":1,"duplicates":1,"rejected":0,"last_position":2}\n'
)


def _examples() -> dict[str, Any]:
    """An event of each kind, by its name."""
    examples = {}
    for name, model in (
        (register.logged(name), models_by_type()[register.type_of(name)])
        for register in REGISTERS.values()
        for name in register.told
    ):
        summary = (model.__doc__ or "").strip().splitlines()[0].removesuffix(".")
        examples[str(name)] = {"summary": summary, "value": schema_of(model)["examples"][0]}
    return examples


EXAMPLES: Final = _examples()

_EVENT: Final = {"$ref": "#/components/schemas/Event"}
_TWO: Final = [EXAMPLES["received"]["value"], EXAMPLES["assigned"]["value"]]


class PostOperation(NamedTuple):
    """One way of posting events, as the document has it."""

    path: str
    name: str
    status: int
    summary: str
    description: str
    content_type: str
    body: dict[str, Any]
    answer: dict[str, Any]

    def described(self) -> dict[str, Any]:
        """What FastAPI is told of it."""
        answer_type = LINES if self.content_type == LINES else _JSON
        answer = {"description": "On disk (đã ghi).", "content": {answer_type: self.answer}}
        return {
            "path": self.path,
            "name": self.name,
            "status_code": self.status,
            "summary": self.summary,
            "description": self.description,
            "openapi_extra": {"requestBody": {"required": True, "content": {self.content_type: self.body}}},
            "responses": {self.status: answer, **error_answers(400, 409, 413, 415)},
        }


POST_OPERATIONS: Final = (
    PostOperation(
        PATH,
        "post_event",
        202,
        "Tell what happened",
        _ONE,
        _JSON,
        {"schema": _EVENT, "examples": EXAMPLES},
        {"schema": {"$ref": "#/components/schemas/Receipt"}, "example": schema_of(Receipt)["examples"][0]},
    ),
    PostOperation(
        BATCH_PATH,
        "post_event_batch",
        202,
        "Tell several events",
        _BATCH,
        _JSON,
        {"schema": {"type": "array", "maxItems": MOST_EVENTS, "items": _EVENT}, "example": _TWO},
        {"schema": {"$ref": "#/components/schemas/BatchReceipt"}, "example": schema_of(BatchReceipt)["examples"][0]},
    ),
    PostOperation(
        LINES_PATH,
        "post_event_lines",
        200,
        "Tell any number of events",
        _LINES,
        LINES,
        {"schema": {"type": "string"}, "example": "".join(orjson.dumps(event).decode() + "\n" for event in _TWO)},
        {"schema": {"type": "string"}, "example": _LINES_EXAMPLE},
    ),
)
