"""What is done after each kind of failure at the portal: one table, published in ``docs/delivery.md``.

Pure: ``now`` and ``jitter`` (a random number in [0, 1)) are arguments. Nothing is ever dropped: a failure either gives the
instant of the next try or parks the dossier with its reason, from where a new event or a person takes it up again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from shared.sync.rules.outcomes import (
    Ambiguous,
    Failure,
    Garbled,
    ItemKind,
    ItemRefusal,
    Refused,
    SessionLost,
    Unavailable,
)

WHOLE_CALL: Final = 100
"""Dossiers in a call of those that never failed; also the portal's limit."""


class ErrorClass(StrEnum):
    """Kinds of failures, as kept in the ledger (``error_class``)."""

    UNAVAILABLE = "unavailable"
    """Nothing reached the portal, or its adapter answered 5xx (F3, F4, F16, F21)."""
    AMBIGUOUS = "ambiguous"
    """Time-out or cut after sending: applied or not, nobody knows (F5, F6, F7 beyond the deadline)."""
    GARBLED = "garbled"
    """An answer that is none: empty, HTML, truncated, without ``error_code`` or with an unknown one (F8, F9)."""
    THROTTLED = "throttled"
    """HTTP 429 or ``-7`` (F15)."""
    SESSION = "session"
    """The session was refused even after a renewal (F1, twice)."""
    REFUSED = "refused"
    """Login, route or service refused: a matter of configuration (F2)."""
    CONTRADICTION = "contradiction"
    """Answered "exists" on create and "does not exist" on update."""
    OUT_OF_ORDER = "out_of_order"
    """A status that goes backwards was refused (F18, ``-6``)."""
    REJECTED = "rejected"
    """The portal refuses this content (F12-F14, ``-5``)."""
    UNREADABLE = "unreadable"
    """Its events cannot be folded or written for the portal; a defect or a damaged event."""
    NO_PROCEDURE = "no_procedure"
    """Unsendable: no procedure code (protocol, 11.4)."""
    NO_STATUS = "no_status"
    """Unsendable: no status (protocol, 11.4)."""
    NOT_RECEIVED = "not_received"
    """Unsendable: a status that needs a reception date, and no reception (protocol, 11.4)."""


def class_of(failure: Failure | ItemRefusal) -> ErrorClass:  # noqa: PLR0911 - a table of outcomes
    """The row of the table for a failed call, or for an item that the portal did not take however it was sent."""
    match failure:
        case Unavailable():
            return ErrorClass.UNAVAILABLE
        case Ambiguous():
            return ErrorClass.AMBIGUOUS
        case Garbled():
            return ErrorClass.GARBLED
        case SessionLost():
            return ErrorClass.SESSION
        case Refused():
            return ErrorClass.REFUSED
        case ItemRefusal(ItemKind.OUT_OF_ORDER):
            return ErrorClass.OUT_OF_ORDER
        case ItemRefusal(ItemKind.REJECTED):
            return ErrorClass.REJECTED
        case ItemRefusal():
            return ErrorClass.CONTRADICTION


@dataclass(frozen=True, slots=True)
class RetryRule:
    """What is done after a failure.

    The nth counted try waits ``first_seconds * 2 ** (n - 1)``, at most ``most_seconds``, of which the second half is
    jitter. ``tries``: after so many counted tries it is parked; 0: at once; None: never. ``counts``: the try counts.
    ``call_sizes``: at most so many dossiers in the call of the 1st, 2nd, … repetition, the last one for all later ones: so
    a bad one is found, and blocks nobody.
    """

    first_seconds: float = 0.0
    most_seconds: float = 0.0
    tries: int | None = None
    counts: bool = True
    call_sizes: tuple[int, ...] = (WHOLE_CALL,)


_PERMANENT: Final = RetryRule(tries=0)

RETRY_TABLE: Final[Mapping[ErrorClass, RetryRule]] = {
    ErrorClass.UNAVAILABLE: RetryRule(1, 300, call_sizes=(WHOLE_CALL, 10, 1)),
    ErrorClass.AMBIGUOUS: RetryRule(1, 300, call_sizes=(10, 1)),
    ErrorClass.GARBLED: RetryRule(1, 300, call_sizes=(10, 1)),
    ErrorClass.THROTTLED: RetryRule(1, 1, counts=False),
    ErrorClass.SESSION: RetryRule(1, 60, counts=False),
    ErrorClass.REFUSED: RetryRule(1, 1, counts=False),
    ErrorClass.CONTRADICTION: RetryRule(5, 300, call_sizes=(10, 1)),
    ErrorClass.OUT_OF_ORDER: RetryRule(2, 60, tries=5),
    ErrorClass.REJECTED: _PERMANENT,
    ErrorClass.UNREADABLE: _PERMANENT,
    ErrorClass.NO_PROCEDURE: _PERMANENT,
    ErrorClass.NO_STATUS: _PERMANENT,
    ErrorClass.NOT_RECEIVED: _PERMANENT,
}

UNSENDABLE: Final = frozenset({ErrorClass.NO_PROCEDURE, ErrorClass.NO_STATUS, ErrorClass.NOT_RECEIVED})
"""Not the portal's refusal but ours: state ``unsendable`` instead of ``parked``."""

TRANSIENT: Final = frozenset(kind for kind, rule in RETRY_TABLE.items() if rule.tries is None)
"""What never parks, however often it happens."""

SUSPECT_TRIES: Final = 2
"""From so many failed tries on, a dossier itself may be what fails: its calls are no evidence against the portal."""


@dataclass(frozen=True, slots=True)
class Again:
    """Try again at ``at``; ``attempts`` is the new count."""

    at: datetime
    attempts: int


@dataclass(frozen=True, slots=True)
class Park:
    """Needs a person or a new event; ``attempts`` is the new count."""

    attempts: int


def after_failure(kind: ErrorClass, attempts: int, now: datetime, jitter: float, *, time_scale: float = 1.0) -> Again | Park:
    """Decide after a failure of a dossier that had ``attempts`` counted failures before.

    ``time_scale`` divides the wait (``MOTCUA_TIME_SCALE``).
    """
    rule = RETRY_TABLE[kind]
    counted = attempts + 1 if rule.counts else attempts
    if rule.tries is not None and counted >= rule.tries:
        return Park(counted)
    return Again(now + timedelta(seconds=wait_seconds(rule, max(counted, 1), jitter) / time_scale), counted)


def wait_seconds(rule: RetryRule, attempt: int, jitter: float) -> float:
    """The wait before the try after the ``attempt``-th counted failure (1, 2, …), between half and the whole of its step."""
    # the exponent is bounded: a float overflows after a thousand failures
    step = min(rule.first_seconds * 2.0 ** min(attempt - 1, 60), rule.most_seconds)
    return step * (0.5 + 0.5 * jitter)


def call_size(kind: ErrorClass | None, attempts: int) -> int:
    """How many dossiers may share the call of one whose last failure was ``kind``, after ``attempts`` counted ones."""
    if kind is None or attempts < 1:
        return WHOLE_CALL
    sizes = RETRY_TABLE[kind].call_sizes
    return sizes[min(attempts, len(sizes)) - 1]
