"""When the payment platform is asked about an attempt, and what its words become in the log. Pure.

Source of the protocol and of the half hour and the three days: docs/payment_platform.md.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any, Final

from shared.events.rules.personal_text import personal_in_code
from shared.vocabulary.sources import PAYMENT_PLATFORM_SOURCE

ASKED_FROM: Final = timedelta(minutes=30)
"""An attempt that is pending is asked about from so long after its initiation [as one province does],"""

ASKED_UNTIL: Final = timedelta(days=3)
"""and until so long after it; then it is left pending, and listed."""

LONGEST_PAUSE: Final = timedelta(hours=6)
"""Between two questions answered *pending*: half an hour after the first one, then twice as long each time (a choice)."""

TWELVE_HOURS: Final = timedelta(hours=12)
TOLERANCE: Final = timedelta(minutes=5)
"""Of clocks, as for every event (rules, section 2)."""


class PaymentState(IntEnum):
    """What the platform says of an attempt (``TrangThaiGD``)."""

    SUCCEEDED = 1
    PENDING = 3
    FAILED = 4


@dataclass(frozen=True, slots=True)
class Queried:
    """The platform's answer to a question. ``amount_vnd``, ``gateway_txn``: None where it names none."""

    state: PaymentState
    amount_vnd: int | None = None
    gateway_txn: str | None = None

    @property
    def data(self) -> dict[str, Any]:
        """The data of the event ``queried``."""
        told = {"state": self.state.value, "amount_vnd": self.amount_vnd, "gateway_txn": self.gateway_txn}
        return {name: value for name, value in told.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Undecided:
    """The platform answers and names no state: it does not know the attempt, or not by this time."""

    reason: str


def source_of(gateway: str) -> str:
    """The CloudEvents ``source`` of what a gateway told: nobody else may tell by it."""
    return f"{PAYMENT_PLATFORM_SOURCE}{gateway}"


def coded(text: str) -> str | None:
    """A code of the platform as the log takes it: one that looks like a person's number gets letters before it."""
    return None if not text else text if personal_in_code(text) is None else f"GD{text}"


def event_id(kind: str, values: Iterable[str]) -> str:
    """The id of an event by all that it was made from: the same words again are the same event."""
    return f"{kind}-{hashlib.sha256('|'.join(values).encode()).hexdigest()[:40]}"


def pause_after(answers: int) -> timedelta:
    """How long to wait after the nth answer *pending* (1, 2 …)."""
    return min(ASKED_FROM * float(2 ** min(answers - 1, 10)), LONGEST_PAUSE)


def paid_at(told: datetime, initiated: datetime | None, now: datetime) -> datetime:
    """When a payment was made that the platform dates ``told``. ``initiated``: when its attempt began; None: not known yet.

    A clock of twelve hours tells 01:05 for 13:05 and 12:10 for 00:10. So of the instant told and those twelve hours later
    and earlier the first one counts that lies between the initiation and now; if none does, the instant at which it is told.
    """
    earliest = told - 2 * TWELVE_HOURS if initiated is None else initiated - TOLERANCE
    readings = (told, told + TWELVE_HOURS, told - TWELVE_HOURS)
    return next((one for one in readings if earliest <= one <= now + TOLERANCE), now)
