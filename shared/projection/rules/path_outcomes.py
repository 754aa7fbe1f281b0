"""What the steps of a dossier alone tell about it, where nothing in them is out of the ordinary.

A *path* is the steps of a dossier in the order of the fold, a symbol each. Most dossiers take one of some hundred paths, and
for those the status and the end follow from the path; the rest of the row are instants and values that any reader of the
events can pick out (`shared.projection.store.sql_rows` does, in SQL). What a path comes to is not written down a second
time: a made-up history with these steps is folded, once, and read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from shared.dossiers.rules.dossier import fold
from shared.dossiers.rules.folding import PAID_SUCCEEDED
from shared.dossiers.rules.lifecycle import EndKind
from shared.vocabulary.events import SYSTEM_SOURCE, DossierCode, Event, EventName, Status

LONGEST_PATH: Final = 40
"""Steps; a longer path is not looked at: there may be any number of them."""


@dataclass(frozen=True, slots=True)
class PathOutcome:
    """What a regular path comes to: the status, and what ended the dossier (None: it is open)."""

    status: Status
    end_kind: EndKind | None


_PAID_FAILED: Final = "failed"
_PAID: Final = {PAID_SUCCEEDED: "f", _PAID_FAILED: "g"}
"""Symbols of ``paid`` by its outcome: only one that succeeded bears a status."""

STEP_SYMBOLS: Final[Mapping[EventName, str]] = {
    EventName.SUBMITTED: "a",
    EventName.RECEIVED: "b",
    EventName.TAKEN_OVER: "c",
    EventName.DUE_SET: "d",
    EventName.PAYMENT_REQUESTED: "e",
    EventName.SUPPLEMENT_REQUESTED: "h",
    EventName.SUPPLEMENTED: "i",
    EventName.ASSIGNED: "j",
    EventName.TRANSFERRED: "k",
    EventName.EXTENDED: "l",
    EventName.OVERDUE: "m",
    EventName.RATED: "n",
    EventName.WITHDRAWN: "o",
    EventName.STOPPED: "q",
    EventName.PROCESSED: "r",
    EventName.RETURNED: "s",
}
"""The symbol of each step that may be regular, but for ``paid``; the alphabet orders them as the fold does."""

PAID_STEP_SYMBOLS: Final[Mapping[str, str]] = _PAID

OTHER: Final = "z"
"""The symbol of whatever is never regular: rejections, voids, what cannot be read."""

ENDS: Final = tuple(STEP_SYMBOLS[name] for name in (EventName.WITHDRAWN, EventName.STOPPED, EventName.PROCESSED))
"""The symbols of the steps that end a regular dossier; it takes one of them at most."""

SETTINGS: Final = tuple(
    STEP_SYMBOLS[name] for name in (EventName.RECEIVED, EventName.DUE_SET, EventName.SUPPLEMENTED, EventName.EXTENDED)
)
"""The symbols of the steps that may set a date."""

# Any number of these may come: from all but due_set nothing is read but that they came; whoever reads the dates of several
# due_sets must see to it that no two are of one instant.
_REPEATABLE: Final = frozenset(
    {STEP_SYMBOLS[name] for name in (EventName.ASSIGNED, EventName.OVERDUE, EventName.DUE_SET)} | {_PAID[_PAID_FAILED]}
)
_NAMES: Final = {symbol: name for name, symbol in STEP_SYMBOLS.items()} | dict.fromkeys(_PAID.values(), EventName.PAID)

_CODE: Final = DossierCode("H51.01-200101-0001")
_BEGIN: Final = datetime(2020, 1, 1, 1, tzinfo=UTC)
_FEES: Final = [{"code": "L", "name": "L", "amount_vnd": 1}]
_TOLD: Final[Mapping[str, Mapping[str, Any]]] = {
    "a": {"procedure_code": "1", "agency_code": "H51", "channel": "online"},
    "b": {"procedure_code": "1", "agency_code": "H51", "channel": "online", "due_at": "2030-01-01T00:00:00Z"},
    "d": {"new_due_at": "2031-01-01T00:00:00Z", "cause": "received", "calendar_version": ""},
    "e": {"fees": _FEES},
    "f": {"amount_vnd": 1, "gateway": "national", "outcome": PAID_SUCCEEDED},
    "g": {"amount_vnd": 1, "gateway": "national", "outcome": _PAID_FAILED},
    "h": {"content": "x"},
    "k": {"agency_code": "H51.02"},
    "l": {"new_due_at": "2032-01-01T00:00:00Z", "apology_number": "1", "reason": "x"},
    "n": {"satisfied": True},
    "o": {},
    "q": {"reason": "x"},
    "r": {"outcome": "approved"},
    "s": {"method": "online"},
}


def path_outcome(path: str) -> PathOutcome | None:
    """What dossiers with this path come to, whatever their dates; None: the dates, or more than the steps, decide.

    A regular dossier was received once; all of its dates were set from then until its end; it waited once at most for the
    applicant, after its reception; it ended once and nothing reopened it; no step is an anomaly.
    """
    received, requested = STEP_SYMBOLS[EventName.RECEIVED], STEP_SYMBOLS[EventName.SUPPLEMENT_REQUESTED]
    if len(path) > LONGEST_PATH or received not in path or not set(path) <= _NAMES.keys():
        return None
    if any(path.count(symbol) > 1 for symbol in set(path) - _REPEATABLE):
        return None
    ends = [path.index(symbol) for symbol in ENDS if symbol in path]
    dates = [place for place, symbol in enumerate(path) if symbol in SETTINGS]
    if len(ends) > 1 or path[dates[0]] != received or (ends and dates[-1] > ends[0]):
        return None
    if requested in path and path.index(requested) < path.index(received):
        return None
    dossier = fold(_CODE, [_event(place, symbol) for place, symbol in enumerate(path)])
    if dossier.anomalies or dossier.ended_at != (_instant(ends[0]) if ends else None) or dossier.status is None:
        return None
    return PathOutcome(dossier.status, dossier.end_kind)


def _event(place: int, symbol: str) -> Event:
    name = _NAMES[symbol]
    source = SYSTEM_SOURCE if name is EventName.DUE_SET else "s"
    instant = _instant(place)
    return Event(place + 1, instant, source, f"e{place}", name, _CODE, instant, _TOLD.get(symbol, {}))


def _instant(place: int) -> datetime:
    return _BEGIN + timedelta(minutes=place)
