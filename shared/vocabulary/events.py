"""The events of a dossier, as the log keeps them (rules, section 2).

An event is a fact that an agency's software sent. Instants are UTC; ``data`` is the validated, canonical JSON object of the
event: absent and null fields are left out, instants are RFC 3339 strings in UTC (``2018-01-02T03:04:05Z``), and personal
data is not in it (an applicant is present only as ``{"kind": ..., "digest": ...}``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any, Final, NewType

Tenant = NewType("Tenant", str)
DossierCode = NewType("DossierCode", str)
AgencyCode = NewType("AgencyCode", str)
ProcedureCode = NewType("ProcedureCode", str)

SYSTEM_SOURCE: Final = "urn:motcua:system"
"""The CloudEvents ``source`` of every event that the product writes itself."""

PRODUCT_PREFIX: Final = "vn.motcua."
"""Begins the CloudEvents type of every event; the register's name and the event's follow."""
TYPE_PREFIX: Final = f"{PRODUCT_PREFIX}dossier."
TYPE_SUFFIX: Final = ".v1"


VOIDED: Final = "voided"
"""Every register has this event: it takes out another one of the same register and subject."""


class EventName(StrEnum):
    """The middle part of a CloudEvents type, ``vn.motcua.dossier.<name>.v1``."""

    SUBMITTED = "submitted"
    RECEIVED = "received"
    TAKEN_OVER = "taken_over"
    DUE_SET = "due_set"
    PAYMENT_REQUESTED = "payment_requested"
    PAID = "paid"
    SUPPLEMENT_REQUESTED = "supplement_requested"
    SUPPLEMENTED = "supplemented"
    ASSIGNED = "assigned"
    TRANSFERRED = "transferred"
    EXTENDED = "extended"
    OVERDUE = "overdue"
    RATED = "rated"
    WITHDRAWN = "withdrawn"
    REJECTED = "rejected"
    STOPPED = "stopped"
    PROCESSED = "processed"
    RETURNED = "returned"
    VOIDED = "voided"

    @property
    def type(self) -> str:
        """The CloudEvents type of this event, for example ``vn.motcua.dossier.received.v1``."""
        return f"{TYPE_PREFIX}{self.value}{TYPE_SUFFIX}"

    @property
    def rank(self) -> int:
        """Place in the fold among events of the same instant; ``voided`` has none and stands last."""
        return RANKS[self]


RANKS: Final[Mapping[EventName, int]] = {name: rank for rank, name in enumerate(EventName, start=1)}


class Status(IntEnum):
    """The ten statuses of the national portal (``TrangThaiHoSo``)."""

    SUBMITTED = 1
    RECEIVED = 2
    NOT_RECEIVED = 3
    IN_PROGRESS = 4
    SUPPLEMENT_REQUESTED = 5
    PAYMENT_REQUESTED = 6
    WITHDRAWN = 7
    STOPPED = 8
    PROCESSED = 9
    RETURNED = 10


class Channel(StrEnum):
    """How the dossier came in (``KenhThucHien``: direct 1, online 2, postal 3)."""

    ONLINE = "online"
    DIRECT = "direct"
    POSTAL = "postal"


@dataclass(frozen=True, slots=True)
class Event:
    """One recorded event.

    ``position`` is its place in the tenant's log (1, 2, 3 … without a hole); the fold never looks at it, nor at
    ``recorded_at``: any order of arrival gives the same dossier.
    """

    position: int
    recorded_at: datetime
    source: str
    id: str
    name: EventName
    dossier_code: DossierCode
    time: datetime
    data: Mapping[str, Any]

    @property
    def subject(self) -> str:
        """The code of the record that it is about."""
        return self.dossier_code

    @property
    def is_void(self) -> bool:
        """Whether it takes out another event of the record."""
        return self.name is EventName.VOIDED


class RecordEventName(str):
    """What the log calls an event of a register other than the dossiers', ``<register>.<name>``.

    The dossiers' events have no point in their name, so the name alone tells the register of a row.
    """

    __slots__ = ()

    @property
    def register(self) -> str:
        """The name of its register."""
        return self.partition(".")[0]

    @property
    def local_name(self) -> str:
        """What the register calls it."""
        return self.partition(".")[2]

    @property
    def type(self) -> str:
        """The CloudEvents type, ``vn.motcua.<register>.<name>.v1``."""
        return f"{PRODUCT_PREFIX}{self}{TYPE_SUFFIX}"


@dataclass(frozen=True, slots=True)
class RecordEvent:
    """One recorded event of a register other than the dossiers'; ``subject`` is the code of its record."""

    position: int
    recorded_at: datetime
    source: str
    id: str
    name: RecordEventName
    subject: str
    time: datetime
    data: Mapping[str, Any]

    @property
    def is_void(self) -> bool:
        """Whether it takes out another event of the record."""
        return self.name.local_name == VOIDED


def logged_name(name: str) -> EventName | RecordEventName:
    """A name as the log keeps it, distinguished by its register."""
    return RecordEventName(name) if "." in name else EventName(name)
