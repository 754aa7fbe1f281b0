"""How a dossier lives: which events bear a status, which end it, which step is expected next (rules, sections 2 and 4)."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from shared.vocabulary.events import EventName, Status

STATUS_AFTER: Final[Mapping[EventName, Status]] = {
    EventName.SUBMITTED: Status.SUBMITTED,
    EventName.RECEIVED: Status.RECEIVED,
    EventName.PAYMENT_REQUESTED: Status.PAYMENT_REQUESTED,
    EventName.PAID: Status.IN_PROGRESS,
    EventName.SUPPLEMENT_REQUESTED: Status.SUPPLEMENT_REQUESTED,
    EventName.SUPPLEMENTED: Status.IN_PROGRESS,
    EventName.ASSIGNED: Status.IN_PROGRESS,
    EventName.WITHDRAWN: Status.WITHDRAWN,
    EventName.REJECTED: Status.NOT_RECEIVED,
    EventName.STOPPED: Status.STOPPED,
    EventName.PROCESSED: Status.PROCESSED,
    EventName.RETURNED: Status.RETURNED,
}
"""The status after each status-bearing event. ``paid`` bears it with outcome succeeded only, and neither ``paid`` nor
``payment_requested`` does after an end event with nothing reopening in between (fees are also collected at return)."""

STATUS_BEARING: Final = frozenset(STATUS_AFTER)

PROGRESS_BEARING: Final = STATUS_BEARING | {EventName.TRANSFERRED, EventName.EXTENDED}
"""Events that give the portal a progress step (portal protocol, 11.4), those of them that bear a status where they do."""


class EndKind(StrEnum):
    """What ended a dossier: the name of the event that gives ``ended_at``."""

    PROCESSED = "processed"
    RETURNED = "returned"
    STOPPED = "stopped"
    WITHDRAWN = "withdrawn"
    REJECTED = "rejected"


END_PRECEDENCE: Final[Mapping[EventName, EndKind]] = {
    EventName.PROCESSED: EndKind.PROCESSED,
    EventName.RETURNED: EndKind.RETURNED,
    EventName.STOPPED: EndKind.STOPPED,
    EventName.WITHDRAWN: EndKind.WITHDRAWN,
    EventName.REJECTED: EndKind.REJECTED,
}
"""The end events, the one that gives ``ended_at`` first: the last of its kind since the last reopening, of the returned
ones the first (rules, section 3)."""

END_EVENTS: Final = frozenset(END_PRECEDENCE)

_WORK: Final = frozenset(
    {
        EventName.ASSIGNED,
        EventName.SUPPLEMENT_REQUESTED,
        EventName.PAYMENT_REQUESTED,
        EventName.WITHDRAWN,
        EventName.STOPPED,
        EventName.PROCESSED,
    },
)
_RECEPTION: Final = frozenset({EventName.RECEIVED, EventName.REJECTED})

EXPECTED_NEXT: Final[Mapping[EventName | None, frozenset[EventName]]] = {
    None: frozenset({EventName.SUBMITTED, EventName.RECEIVED}),
    EventName.SUBMITTED: frozenset(
        {
            EventName.RECEIVED,
            EventName.REJECTED,
            EventName.WITHDRAWN,
            EventName.SUPPLEMENT_REQUESTED,
            EventName.PAYMENT_REQUESTED,
        },
    ),
    EventName.RECEIVED: _WORK | {EventName.PAID},
    EventName.ASSIGNED: _WORK,
    EventName.SUPPLEMENTED: _WORK,
    EventName.PAID: _WORK,
    EventName.SUPPLEMENT_REQUESTED: frozenset(
        {EventName.SUPPLEMENTED, EventName.WITHDRAWN, EventName.STOPPED, EventName.REJECTED},
    ),
    EventName.PAYMENT_REQUESTED: frozenset(
        {
            EventName.PAID,
            EventName.PAYMENT_REQUESTED,
            EventName.ASSIGNED,
            EventName.WITHDRAWN,
            EventName.STOPPED,
            EventName.PROCESSED,
        },
    ),
    EventName.WITHDRAWN: frozenset({EventName.STOPPED, EventName.ASSIGNED}),
    EventName.PROCESSED: frozenset({EventName.RETURNED, EventName.ASSIGNED}),
    EventName.REJECTED: frozenset(),
    EventName.STOPPED: frozenset(),
    EventName.RETURNED: frozenset(),
}
"""The first table of rules, section 4: by the last status-bearing event (None: there was none), the expected next ones."""

EXPECTED_NEXT_BEFORE_RECEPTION: Final[Mapping[EventName | None, frozenset[EventName]]] = {
    **EXPECTED_NEXT,
    EventName.SUPPLEMENTED: EXPECTED_NEXT[EventName.SUPPLEMENTED] | _RECEPTION,
    EventName.PAID: EXPECTED_NEXT[EventName.PAID] | _RECEPTION,
    EventName.PAYMENT_REQUESTED: EXPECTED_NEXT[EventName.PAYMENT_REQUESTED] | _RECEPTION,
}
"""The same, with what the table adds "when not yet received"."""

MAY_PRECEDE_RECEPTION: Final = frozenset(
    {
        EventName.SUBMITTED,
        EventName.RECEIVED,
        EventName.SUPPLEMENT_REQUESTED,
        EventName.SUPPLEMENTED,
        EventName.PAYMENT_REQUESTED,
        EventName.PAID,
        EventName.REJECTED,
        EventName.WITHDRAWN,
        EventName.TRANSFERRED,
    },
)
"""Events that are no ``before_reception`` anomaly when timed before the first received."""

NEEDS_RECEPTION: Final = frozenset(
    {EventName.ASSIGNED, EventName.STOPPED, EventName.PROCESSED, EventName.RETURNED},
)
"""Events that make a dossier without a received ``not_received``."""
