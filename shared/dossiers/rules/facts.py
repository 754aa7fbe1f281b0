"""The small facts that a folded dossier is made of (rules, section 3; portal protocol, 11.4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from shared.vocabulary.events import Event, EventName, Status


@dataclass(frozen=True, slots=True)
class DueSetting:
    """One date that a setting event carried.

    ``moved``: it became the due date in force. Otherwise lateness was not erased: the date in force was over on
    ``reference_on``, the event's own local date or that on which the pause began that it stands in or at the end of.
    """

    event: Event
    due_at: datetime
    moved: bool
    reference_on: date | None


@dataclass(frozen=True, slots=True)
class DueChange:
    """From the instant ``at`` on, ``due_at`` is the due date in force (``D``)."""

    at: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Pause:
    """The applicant's turn: from a supplement request to the next status-bearing event; ``until`` None: still."""

    begun_at: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Supplement:
    """One supplement request and the ``supplemented`` that answered it (the first after it), with the promises then."""

    requested: Event
    promised_before: datetime | None
    completed: Event | None = None
    promised_after: datetime | None = None


@dataclass(frozen=True, slots=True)
class Fee:
    """One fee of a ``payment_requested``, in dong."""

    code: str
    name: str
    amount_vnd: int


@dataclass(frozen=True, slots=True)
class Payment:
    """A succeeded ``paid``; ``gateway`` is national, local or counter."""

    paid_at: datetime
    amount_vnd: int
    gateway: str


@dataclass(frozen=True, slots=True)
class Result:
    """One result paper of a ``processed``."""

    code: str
    url: str | None


@dataclass(frozen=True, slots=True)
class Flags:
    """What the reception knew, for the national index (rules, section 8: 4.2 - 4.5)."""

    vneid_verified: bool = False
    components_digitised: bool = False
    components_reused: bool = False
    from_national_store: bool = False

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "Flags":
        """The flags of a ``flags`` object; what is absent is false."""
        return cls(
            vneid_verified=data.get("vneid_verified", False),
            components_digitised=data.get("components_digitised", False),
            components_reused=data.get("components_reused", False),
            from_national_store=data.get("from_national_store", False),
        )


NO_FLAGS: Final = Flags()


@dataclass(frozen=True, slots=True)
class ProgressStep:
    """A step for the portal: an event and the status after it (None: transferred or extended before any status)."""

    event: Event
    status: Status | None

    @property
    def time(self) -> datetime:
        """When it happened."""
        return self.event.time

    @property
    def name(self) -> EventName:
        return self.event.name

    @property
    def officer(self) -> str | None:
        """Staff code of who did it, if the event has it."""
        officer: str | None = self.event.data.get("officer")
        return officer

    @property
    def department(self) -> str | None:
        """Department, if the event names one (``assigned`` does)."""
        department: str | None = self.event.data.get("department")
        return department


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """An event as a person sees it in the dossier's history.

    ``status`` is the dossier's after this event. ``effective`` is false for a ``voided`` itself, for what a void took out
    (``voided_by`` names that void), and for a due_set whose followed event does not count.
    """

    event: Event
    status: Status | None
    effective: bool
    voided_by: Event | None
