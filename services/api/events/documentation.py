"""What the explorer says about ``POST /v1/events``: its body kinds with schemas and runnable examples, its answers."""

from typing import Any, Final

import orjson

from services.api.events.schemas import BatchReceipt, Receipt
from services.api.http.openapi import schema_of
from shared.events.cloudevents.registered import models_by_type
from shared.events.rules.registers import REGISTERS

POST_DESCRIPTION: Final = """
What an agency's software tells: events of dossiers (sự kiện của hồ sơ) as [CloudEvents](https://cloudevents.io) 1.0.
**202 means committed to disk.**

* One event: `application/cloudevents+json` or `application/json`, or binary mode, where `ce-` headers hold the
  attributes and the body the data (the content type may then be absent). Any `ce-` header decides for binary mode. At most
  256 KiB.
* Up to 10,000: a JSON array, `application/cloudevents-batch+json` or `application/json`, at most 32 MiB.
* Without bound: one event a line, `application/x-ndjson`, also with `Content-Encoding: gzip`, at most 256 KiB a line.
  The answer begins when the whole body is read; a cut upload keeps what was recorded and can be sent again as it is.

An event is known by `source` and `id`: told again with the same content it is a *duplicate* (first position, counted
once), with other content a conflict, 409. Content is type, subject, time and data, whatever the spelling, offset or
transport. A repetition after a lost connection to the database may call `duplicate` what the same request recorded a
moment before.

Values are taken strictly: `true` is no number, a number is no time, a time has an offset (second 60 is refused, digits
beyond microseconds are cut), `null` is the same as absent, an unknown field of `data` is refused. CloudEvents extension
attributes such as `traceparent`, and `dataschema`, are accepted but neither recorded nor compared. `data_base64` is
refused. Events dated more than five minutes ahead of our clock are refused; late and unexpected ones are recorded.
Personal data (`applicant`) goes to a table of its own and never enters the log.

Bodies that are not JSON are answered 400, wrong values 422; in arrays and lines each item has its own receipt and harms
no other.
"""


_ANYTHING: Final = {"description": "Whatever is no event is answered in a receipt of its own, and harms no other item."}


def _post_body() -> dict[str, Any]:
    event_examples = {}
    for name, model in (
        (register.logged(name), models_by_type()[register.type_of(name)])
        for register in REGISTERS.values()
        for name in register.told
    ):
        example = schema_of(model)["examples"][0]
        summary = (model.__doc__ or "").strip().splitlines()[0].removesuffix(".")
        event_examples[str(name)] = {"summary": summary, "value": example}
    received, assigned = event_examples["received"]["value"], event_examples["assigned"]["value"]
    lines = "".join(orjson.dumps(event).decode() + "\n" for event in (received, assigned))
    one = {"$ref": "#/components/schemas/Event"}
    several = {"type": "array", "maxItems": 10_000, "items": {"anyOf": [one, _ANYTHING]}}
    either = {"oneOf": [one, several]}
    array_example = {"two": {"summary": "Two events of a dossier", "value": [received, assigned]}}
    return {
        "required": True,
        "description": "One event, an array, or lines.",
        "content": {
            "application/cloudevents+json": {"schema": either, "examples": event_examples},
            "application/cloudevents-batch+json": {"schema": several, "examples": array_example},
            "application/json": {
                "schema": either,
                "examples": {"received": event_examples["received"], **array_example},
            },
            "application/x-ndjson": {
                "schema": {"type": "string", "description": "One event a line."},
                "examples": {"two": {"summary": "Two lines", "value": lines}},
            },
        },
    }


POST_BODY: Final = _post_body()

_LINES_EXAMPLE: Final = (
    '{"line":2,"id":"2018-000123-received","source":"urn:h51:motcua","status":"duplicate","position":1}\n'
    '{"accepted":1,"duplicates":1,"rejected":0,"last_position":2}\n'
)

POST_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    202: {
        "description": "Recorded on disk: one receipt, or for an array the receipts in its order (đã ghi).",
        "content": {
            "application/json": {
                "schema": {
                    "oneOf": [{"$ref": "#/components/schemas/Receipt"}, {"$ref": "#/components/schemas/BatchReceipt"}]
                },
                "examples": {
                    "one": {"summary": "One event", "value": schema_of(Receipt)["examples"][0]},
                    "array": {"summary": "An array", "value": schema_of(BatchReceipt)["examples"][0]},
                },
            }
        },
    },
    200: {
        "description": "Lines: a receipt for each line that was not newly accepted, at last the sums (kết quả từng dòng).",
        "content": {"application/x-ndjson": {"schema": {"type": "string"}, "example": _LINES_EXAMPLE}},
    },
}
