"""What stands in the log: a register is a kind of record, and one row here (DECISIONS, 32). The first one are the dossiers.

The rest of a register is its folder ``shared/registers/<name>``, found by the row's name: ``events.py`` with the models of
its events by type (`MODELS`), and ``records.py`` with its fold (`fold`) and the names of its figures (`FIGURES`).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from shared.events.rules.personal_text import personal_in_code
from shared.vocabulary.codes import (
    AGENCY_CODE_PATTERN,
    DOSSIER_CODE_PATTERN,
    PROCEDURE_CODE_PATTERN,
    tenant_of_agency,
    tenant_of_dossier,
)
from shared.vocabulary.events import PRODUCT_PREFIX, TYPE_SUFFIX, VOIDED, EventName, RecordEventName, Tenant
from shared.vocabulary.projections import DOSSIERS

LONGEST_SUBJECT: Final = 60
RECORD_CODE_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$"
"""Codes of records that follow no pattern of their own."""

FOLDERS: Final = "shared.registers"
"""Where the folder of every register but the dossiers' stands."""

_NAME: Final = re.compile(r"[a-z][a-z_]{0,39}")
_SUBJECT_CHARACTERS: Final = re.compile(r"[^\\\"\x00-\x20\x7f-\U0010ffff]+")
"""A subject goes into canonical JSON and into a line of the append as it is: nothing to escape, no blank, ASCII."""


@dataclass(frozen=True, slots=True)
class Register:
    """One kind of record. ``events`` stand in the order of their ranks, ``voided`` last.

    ``subject_pattern``: the whole of a record's code (one that looks like a number of a person is refused all the same).
    ``tenant_of``: the tenant that a code tells, None where codes tell none. ``moving``: the events that may change which
    agency has the record. ``projection``: the name of its cursor. ``written_here``: events that the product alone writes.
    ``stands_with``: the record stands where its dossier does, whose code is its own code or the ``dossier_code`` of its
    first event. ``agency_in_code``: the agency that a code begins with.
    ``tied``: the events that share the rank of the one before them.
    """

    name: str
    events: tuple[str, ...]
    subject_pattern: str
    projection: str
    moving: frozenset[str]
    tenant_of: Callable[[str], Tenant] | None = None
    written_here: frozenset[str] = frozenset()
    stands_with: Literal["code", "data"] | None = None
    agency_in_code: Callable[[str], str] | None = None
    tied: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Refuse a row that the log could not keep apart from others."""
        for name in (self.name, *self.events):
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r}: names of registers and events are lower-case words")
        if self.events[-1] != VOIDED or len(set(self.events)) != len(self.events):
            raise ValueError(f"{self.name}: each event once, and voided last")
        if not self.moving <= set(self.events) or not self.written_here <= set(self.events):
            raise ValueError(f"{self.name}: moving and written_here name its events")

    @property
    def told(self) -> tuple[str, ...]:
        """The events that others may tell."""
        return tuple(name for name in self.events if name not in self.written_here)

    def type_of(self, event: str) -> str:
        """The CloudEvents type of one of its events."""
        return f"{PRODUCT_PREFIX}{self.name}.{event}{TYPE_SUFFIX}"

    def logged(self, event: str) -> EventName | RecordEventName:
        """What the log calls one of its events."""
        return EventName(event) if self.name == DOSSIER.name else RecordEventName(f"{self.name}.{event}")

    def rank(self, name: RecordEventName) -> int:
        """The place of an event in the fold among those of the same instant."""
        place = self.events.index(name.local_name)
        return place - (name.local_name in self.tied)

    def is_subject(self, text: str) -> bool:
        """Whether ``text`` is a code of one of its records."""
        return (
            len(text) <= LONGEST_SUBJECT
            and re.fullmatch(self.subject_pattern, text) is not None
            and _SUBJECT_CHARACTERS.fullmatch(text) is not None
            and (self.tenant_of is not None or personal_in_code(text) is None)
        )


DOSSIER: Final = Register(
    name="dossier",
    events=tuple(name.value for name in EventName),
    subject_pattern=DOSSIER_CODE_PATTERN,
    projection=DOSSIERS,
    moving=frozenset({EventName.SUBMITTED, EventName.RECEIVED, EventName.TRANSFERRED, EventName.VOIDED}),
    tenant_of=tenant_of_dossier,
    written_here=frozenset({EventName.DUE_SET}),
)


def _of_dossiers(name: str, *events: str, tied: frozenset[str] = frozenset()) -> Register:
    """A register whose records have the codes of dossiers and stand where these do."""
    return Register(
        name=name,
        events=(*events, VOIDED),
        subject_pattern=DOSSIER_CODE_PATTERN,
        projection=name,
        moving=frozenset(),
        tenant_of=tenant_of_dossier,
        stands_with="code",
        tied=tied,
    )


COMPONENT: Final = _of_dossiers("component", "submitted", "exempt", "digitised", "reused", "result_issued", "result_revoked")

CATALOGUE: Final = Register(
    name="catalogue",
    events=("decided", "posted", "repealed", VOIDED),
    subject_pattern=rf"{AGENCY_CODE_PATTERN.removesuffix('$')}/[0-9A-Za-z][0-9A-Za-z.-]{{0,29}}/[0-9]{{4}}$",
    projection="catalogue",
    moving=frozenset(),
    tenant_of=lambda decision: tenant_of_agency(decision.partition("/")[0]),
)

STEP: Final = _of_dossiers(
    "step", "handed", "taken", "returned_back", "paused", "resumed", "finished", tied=frozenset({"resumed"})
)

FEEDBACK: Final = Register(
    name="feedback",
    events=(
        "submitted",
        "received",
        "reclassified",
        "transferred",
        "more_requested",
        "more_given",
        "answered",
        "published",
        "refused",
        "forwarded",
        "withdrawn",
        "rated",
        "reopened",
        VOIDED,
    ),
    subject_pattern=RECORD_CODE_PATTERN,
    projection="feedback",
    moving=frozenset({"submitted", "received", "transferred", VOIDED}),
)

POST: Final = _of_dossiers("post", "collected", "handed_over", "return_requested", "dispatched", "delivered", "failed")

SURVEY: Final = Register(
    name="survey",
    events=("submitted", VOIDED),
    subject_pattern=r"^[0-9A-Za-z][0-9A-Za-z._/-]*$",
    projection="survey",
    moving=frozenset({"submitted", VOIDED}),
)

REVIEW: Final = Register(
    name="review",
    events=("planned", "reviewed", "proposed", "approved", VOIDED),
    subject_pattern=PROCEDURE_CODE_PATTERN,
    projection="review",
    moving=frozenset(),
)

PAYMENT: Final = Register(
    name="payment",
    events=(
        "initiated",
        "confirmed",
        "queried",
        "receipt_issued",
        "receipt_cancelled",
        "refund_requested",
        "refunded",
        VOIDED,
    ),
    subject_pattern=RECORD_CODE_PATTERN,
    projection="payments",
    moving=frozenset(),
    stands_with="data",
)


REGISTERS: Final[dict[str, Register]] = {
    register.name: register for register in (DOSSIER, FEEDBACK, PAYMENT, COMPONENT, CATALOGUE, STEP, POST, SURVEY, REVIEW)
}
"""All of them, by name."""


def register_of(name: EventName | RecordEventName) -> Register:
    """The register of an event of the log.

    Raises:
        KeyError: there is none of that name (the log was written by a newer version).
    """
    return REGISTERS[name.register] if isinstance(name, RecordEventName) else DOSSIER
