"""What became of each told event, as the caller reads it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NotRequired, TypedDict

import msgspec

from services.api.http.bodies.limits import LONGEST_EVENT, MOST_MEMBERS
from services.api.http.errors import messages
from services.api.http.errors.field_errors import Fault, faults_of
from services.api.http.errors.messages import Kind, Language
from services.api.http.errors.problems import problem_body
from services.api.intake.group_commit import AppendResult
from shared.events.cloudevents.decoding import ValidatedEvent
from shared.events.cloudevents.fields import LONGEST_ID, LONGEST_SOURCE
from shared.events.cloudevents.json_format import InvalidEventError, parsed
from shared.events.store.event_log import Outcome

ACCEPTED: Final = "accepted"
DUPLICATE: Final = "duplicate"
REJECTED: Final = "rejected"


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why an event is not taken."""

    kind: Kind
    faults: tuple[Fault, ...] = ()

    def body(self, language: Language) -> dict[str, Any]:
        """The problem in a receipt."""
        return problem_body(self.kind, language, field_errors=[fault.as_field_error(language) for fault in self.faults])


class ReceiptJson(TypedDict):
    """A `Receipt` of the schemas as plain values: a batch has ten thousand."""

    id: str | None
    source: str | None
    status: str
    position: int | None
    problem: NotRequired[dict[str, Any]]
    marks: NotRequired[list[dict[str, str]]]


class SumsJson(TypedDict):
    """How many were accepted, duplicates and rejected: a `BatchReceipt` without its results."""

    accepted: int
    duplicates: int
    rejected: int


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """What became of one event. ``position`` is that of its first recording, None if there is none (or a dry run)."""

    id: str | None
    source: str | None
    position: int | None = None
    duplicate: bool = False
    rejection: Rejection | None = None
    personal: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """accepted, duplicate or rejected."""
        if self.rejection is not None:
            return REJECTED
        return DUPLICATE if self.duplicate else ACCEPTED

    def as_json(self) -> ReceiptJson:
        """The receipt as JSON, without the problem of one that was rejected."""
        answer: ReceiptJson = {"id": self.id, "source": self.source, "status": self.status, "position": self.position}
        if self.personal:
            answer["marks"] = [{"pointer": f"/data/{name}", "code": "personal"} for name in self.personal]
        return answer

    def body(self, language: Language) -> ReceiptJson:
        """The receipt as JSON."""
        body = self.as_json()
        if self.rejection is not None:
            body["problem"] = self.rejection.body(language)
        return body


OUTSIDE: Final = Rejection(messages.FORBIDDEN, (Fault("/subject", "outside", {}),))


def unreadable(raw: bytes, error: InvalidEventError) -> Receipt:
    """The receipt of an event that cannot be taken, with its identity as far as it can be read."""
    kind = messages.MALFORMED if error.malformed else messages.INVALID
    rejection = Rejection(kind, tuple(faults_of(error.errors)))
    if error.malformed:
        return Receipt(None, None, rejection=rejection)
    content = parsed(raw)
    if not isinstance(content, Mapping):
        return Receipt(None, None, rejection=rejection)
    return Receipt(
        _short_text(content.get("id"), LONGEST_ID), _short_text(content.get("source"), LONGEST_SOURCE), rejection=rejection
    )


def over_limits(raw: bytes) -> Receipt | None:
    """The receipt of a large event that is not read, because it is too long or has too many members."""
    if len(raw) > LONGEST_EVENT:
        fault = Fault("", "item_too_long", {"limit": LONGEST_EVENT})
    elif raw.count(b":") > MOST_MEMBERS:
        fault = Fault("", "too_many_members", {"limit": MOST_MEMBERS})
    else:
        return None
    return Receipt(None, None, rejection=Rejection(messages.INVALID, (fault,)))


def failed() -> Receipt:
    """The receipt of an event at which we failed."""
    return Receipt(None, None, rejection=Rejection(messages.UNEXPECTED))


def _short_text(value: Any, longest: int) -> str | None:
    return value if isinstance(value, str) and len(value) <= longest else None


def appended(as_field_error: ValidatedEvent, result: AppendResult, *, sees_first: bool = True) -> Receipt:
    """The receipt of an event that was given to the log. ``sees_first``: the caller may see what has its identity."""
    event = as_field_error.event
    if isinstance(result, Exception):
        return Receipt(event.id, event.source, rejection=Rejection(messages.UNEXPECTED))
    if result.outcome is Outcome.ACCEPTED:
        return Receipt(event.id, event.source, result.position, personal=as_field_error.personal)
    if result.outcome is Outcome.DUPLICATE:
        return Receipt(event.id, event.source, result.position, duplicate=True, personal=as_field_error.personal)
    if result.outcome is Outcome.CONFLICT:
        seen = Fault("/id", "conflict", {"position": result.position})
        fault = seen if sees_first else Fault("/id", "conflict_unseen", {})
        return Receipt(event.id, event.source, rejection=Rejection(messages.CONFLICT, (fault,)))
    return Receipt(event.id, event.source, rejection=Rejection(messages.INVALID, (Fault("/time", "future", {}),)))


def outside(as_field_error: ValidatedEvent) -> Receipt:
    """The receipt of an event that the caller may not tell."""
    return Receipt(as_field_error.event.id, as_field_error.event.source, rejection=OUTSIDE)


def sums_of(receipts: Iterable[Receipt]) -> SumsJson:
    """How many of these there are by what became of them."""
    sums: SumsJson = {"accepted": 0, "duplicates": 0, "rejected": 0}
    for receipt in receipts:
        if receipt.rejection is not None:
            sums["rejected"] += 1
        elif receipt.duplicate:
            sums["duplicates"] += 1
        else:
            sums["accepted"] += 1
    return sums
