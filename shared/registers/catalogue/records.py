"""A decision by its events (registers, section 4)."""

import re
from collections.abc import Sequence
from typing import Any, Final

from shared.projection.rules.records import Record
from shared.vocabulary.events import RecordEvent

FIGURES: Final = ()

_NATIONAL_CODE: Final = re.compile(r"[0-9]\.[0-9]{6}")
"""Of the national database of procedures, `1.005129`."""


def fold(_code: str, events: Sequence[RecordEvent]) -> Record:
    """The last decided counts; of several posts of a procedure the first by date, of several repeals too (choices)."""
    told: dict[str, list[RecordEvent]] = {"decided": [], "posted": [], "repealed": []}
    for event in events:
        told[event.name.local_name].append(event)
    facts: dict[str, Any] = {}
    anomalies: list[str] = []
    if told["decided"]:
        facts |= told["decided"][-1].data
        facts.pop("officer", None)
        if any(not _NATIONAL_CODE.fullmatch(item["procedure_code"]) for item in facts["items"]):
            anomalies.append("code_malformed")
    posted: dict[str, str] = {}
    for event in told["posted"]:
        code, on = event.data["procedure_code"], event.data["posted_on"]
        posted[code] = min(on, posted.get(code, on))
    if posted:
        facts["posted"] = posted
    if told["repealed"]:
        first = min(told["repealed"], key=lambda event: event.data["effective_on"])
        facts["repealed"] = {"by": first.data["by"], "on": first.data["effective_on"]}
    if len(told["repealed"]) > 1:
        anomalies.append("decision_repealed_twice")
    return Record(None, facts, anomalies=anomalies)
