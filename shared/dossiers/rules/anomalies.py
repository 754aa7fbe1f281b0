"""What is strange about a dossier: kept, effective, listed for a person (rules, section 4)."""

from dataclasses import dataclass
from enum import StrEnum

from shared.vocabulary.events import Event


class AnomalyCode(StrEnum):
    """The codes of rules, section 4. Those from ``unknown_procedure`` on are found outside the fold."""

    UNEXPECTED_STEP = "unexpected_step"
    NOT_RECEIVED = "not_received"
    BEFORE_RECEPTION = "before_reception"
    RECEIVED_TWICE = "received_twice"
    DUE_BEFORE_RECEPTION = "due_before_reception"
    NO_DUE_DATE = "no_due_date"
    DATE_AFTER_LATENESS = "date_after_lateness"
    EXTENDED_TWICE = "extended_twice"
    SUPPLEMENTS_MANY = "supplements_many"
    RETURNED_UNPROCESSED = "returned_unprocessed"
    TAKEN_OVER_UNRECEIVED = "taken_over_unreceived"
    TAKEN_OVER_TWICE = "taken_over_twice"
    CODE_DATE_LATER = "code_date_later"
    UNKNOWN_PROCEDURE = "unknown_procedure"
    UNKNOWN_AGENCY = "unknown_agency"
    VOID_OF_VOID = "void_of_void"
    VOID_ELSEWHERE = "void_elsewhere"
    VOID_WAITING = "void_waiting"


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One anomaly of one event; an anomaly of the whole dossier names the event that shows it first."""

    code: AnomalyCode
    source: str
    event_id: str
    position: int

    @classmethod
    def of(cls, code: AnomalyCode, event: Event) -> "Anomaly":
        return cls(code, event.source, event.id, event.position)
