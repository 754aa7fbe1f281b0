"""What may become of a call to the portal, as types. Nothing here is raised: every outcome is an answer to act on.

Outcome
├── Answered       the portal took the call: item by item accepted, or refused with its reason
├── LoggedIn       a session
├── Found          the rows of a look-up, complete
├── Listed         a page of what the portal holds
├── Throttled      slow down, everybody
└── Failure
    ├── Unavailable   nothing was done: not reached, or the adapter says 5xx
    ├── Ambiguous     sent, and no answer: done or not, nobody knows
    ├── Garbled       an answer that is none; done or not, nobody knows
    ├── SessionLost   refused even with a fresh session
    └── Refused       login, route or service: a matter of configuration
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias


class ItemKind(StrEnum):
    """Why the portal did not take one item of a call."""

    ALREADY_THERE = "already_there"
    UNKNOWN_THERE = "unknown_there"
    REJECTED = "rejected"
    OUT_OF_ORDER = "out_of_order"


@dataclass(frozen=True, slots=True)
class ItemRefusal:
    """One item that was not taken, with the portal's own words."""

    kind: ItemKind
    message: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The portal's decision. ``refused``: by dossier code, a refusal for each item that was not taken.

    ``rest_stored``: the items without a refusal were taken; false for a strict batch, of which nothing was.
    """

    refused: Mapping[str, Sequence[ItemRefusal]] = field(default_factory=dict)
    rest_stored: bool = True


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A new session."""

    session: str


@dataclass(frozen=True, slots=True)
class Found:
    """A look-up's rows, complete; an empty list means that there is nothing, and only this does."""

    rows: list[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Held:
    """A dossier in the portal's own list. ``steps``: the natural keys of its progress steps; None: the list has none.

    ``row``: all that the list says of it, personal data too: to be compared, never kept.
    """

    code: str
    steps: frozenset[tuple[str, str, str]] | None
    row: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of what the portal holds, by code; ``next``: after which the next page begins, None: it was the last."""

    items: Sequence[Held]
    next: str | None


@dataclass(frozen=True, slots=True)
class Throttled:
    """HTTP 429 or ``-7``."""

    retry_after_seconds: float


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Nothing was done. ``retry_after_seconds``: the portal says for how long it is closed."""

    reason: str
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Time-out or cut after sending."""

    reason: str


@dataclass(frozen=True, slots=True)
class Garbled:
    """Empty, HTML, truncated, without ``error_code`` or with one that nobody knows.

    ``declined``: it is an answer, that the question itself is not accepted (4xx; a look-up with ``-5``).
    """

    reason: str
    declined: bool = False


@dataclass(frozen=True, slots=True)
class SessionLost:
    """The session was refused, and the renewed one too."""

    reason: str = "session refused"


@dataclass(frozen=True, slots=True)
class Refused:
    """Login, route or service refused."""

    reason: str


Failure: TypeAlias = Unavailable | Ambiguous | Garbled | SessionLost | Refused
Outcome: TypeAlias = Answered | Throttled | Failure
LoginOutcome: TypeAlias = LoggedIn | Throttled | Failure
LookUpOutcome: TypeAlias = Found | Throttled | Failure
ListOutcome: TypeAlias = Listed | Throttled | Failure
