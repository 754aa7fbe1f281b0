"""What request bodies may take: bytes by operation, time to arrive, memory of the process.

One table, by operation. Whoever adds an operation whose body may be larger than `USUAL` says so here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from services.api.http.access.rates import Rate
from services.api.http.errors import messages
from services.api.http.errors.field_errors import Fault
from services.api.http.errors.problems import Refused
from shared.vocabulary.errors import Overloaded

_MIB: Final = 2**20

LONGEST_EVENT: Final = 256 * 2**10
"""Of one event, however it is told: alone, in binary mode, in an array or as a line. The largest that agencies tell are some
kilobytes; one parse of this much, wrong in every field, is what the event loop can spare."""


MOST_MEMBERS: Final = 5_000
"""Of all objects of an event that is longer than 64 KiB, counted by colons: each of them may be a fault, and finding ten
thousands takes long. The largest event has some hundreds."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The most that the body of an operation may be."""

    most_bytes: int
    most_members: int | None = None
    """Of objects in JSON, counted by colons, where the framework validates the body in one go: each of them may be a fault,
    and faults cost a hundred times what a byte does. None: our own code reads the body in pieces."""
    lines: bool = False
    """Lines have no limit; each of them has."""


USUAL: Final = Limit(64 * 2**10, most_members=1_000)
"""Some short fields and at most a note: a hundredth of this."""

EVENTS: Final = Limit(32 * _MIB, lines=True)
"""10,000 events at three kilobytes each."""

ARRAY: Final = Limit(EVENTS.most_bytes)

CATALOGUE: Final = Limit(32 * _MIB)
"""20,000 items at more than a kilobyte each."""

_STATEMENT: Final = Limit(64 * _MIB)
"""200,000 lines at three hundred bytes each, a third more in Base64."""

_CODES: Final = Limit(_MIB, most_members=1_000)
"""10,000 dossier codes at a hundred bytes each."""

_FIGURES: Final = Limit(4 * _MIB)
"""5,000 figures at eight hundred bytes each."""

LIMITS: Final[Mapping[tuple[str, str], Limit]] = {
    ("POST", "/v1/events"): EVENTS,
    ("POST", "/v1/events/batch"): ARRAY,
    ("POST", "/v1/events/lines"): EVENTS,
    ("PUT", "/v1/agencies"): CATALOGUE,
    ("PUT", "/v1/agencies.csv"): CATALOGUE,
    ("PUT", "/v1/procedures"): CATALOGUE,
    ("PUT", "/v1/procedures.csv"): CATALOGUE,
    ("PUT", "/v1/calendar"): CATALOGUE,
    ("PUT", "/v1/calendar.csv"): CATALOGUE,
    ("PUT", "/v1/office-hours"): CATALOGUE,
    ("PUT", "/v1/office-hours.csv"): CATALOGUE,
    ("PUT", "/v1/payments/statements/{gateway}/{date}"): _STATEMENT,
    ("PUT", "/v1/payments/statements/{gateway}/{date}.csv"): _STATEMENT,
    ("PUT", "/v1/payments/statements/{gateway}/{date}.txt"): _STATEMENT,
    ("PUT", "/v1/indices/766/inputs"): _FIGURES,
    ("POST", "/v1/sync/replay"): _CODES,
    ("POST", "/v1/sync/reconcile"): _CODES,
    ("POST", "/v1/projection/retry"): _CODES,
}
"""By method and path as the routes have it; every other operation has `USUAL`."""


def limit_of(method: str, path: str) -> Limit:
    return LIMITS.get((method, path), USUAL)


def too_large(most_bytes: int) -> Refused:
    """413 that names the limit."""
    return Refused(messages.TOO_LARGE, [Fault("", "body_too_large", {"limit": most_bytes})], f"At most {most_bytes} bytes.")


FIRST_PIECE_BYTES: Final = 64 * 2**10
"""So much is read before the key is looked at."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long bodies may take, and how much of them the process holds. An object, so that a test can have less of it."""

    stall_seconds: float = 30.0
    """Without any byte."""
    least_bytes_a_second: float = 1024.0
    """On average over `window_seconds` of waiting for the client; time that we take ourselves does not count."""
    window_seconds: float = 30.0
    first_pieces_bytes: int = 32 * _MIB
    """Of these, in all connections together; beyond it the key comes before the first byte too. Nobody is refused so."""
    bodies_bytes: int = 256 * _MIB
    """Of all bodies that are read or worked on; beyond it 503."""
    key_bytes: int = 128 * _MIB
    """Of those of one key."""
    upload_receipts_bytes: int = 1024 * _MIB
    """Of the receipts of one upload of lines, which wait on disk for its end; some millions. Beyond it the upload stops."""
    receipts_bytes: int = 4096 * _MIB
    """Of those of all uploads."""
    linger_seconds: float = 30.0
    """A client that still sends what nobody reads has so long to read its answer, before the connection is closed,"""
    linger_silence_seconds: float = 3.0
    """and so long if it sends nothing; less than what a process that is asked to end grants."""
    linger_bytes_a_second: int = 64 * _MIB
    """Of what nobody reads, in all connections together: reading it costs as much as reading what counts."""


_RETRY_AFTER_SECONDS: Final = 5


@dataclass(slots=True)
class Held:
    """What the bodies of this process hold of its memory."""

    patience: Patience = field(default_factory=Patience)
    first_pieces: int = 0
    bodies: int = 0
    of_keys: dict[str, int] = field(default_factory=dict)
    receipts: int = 0
    """Bytes of receipts of lines, on disk."""
    unread: Rate = field(init=False)
    """Of what is sent after its answer."""

    def __post_init__(self) -> None:
        self.unread = Rate(self.patience.linger_bytes_a_second, at_once=_MIB)


@dataclass(slots=True)
class Share:
    """What one body holds."""

    held: Held
    key: str = ""
    """Whose it is, once that is known."""
    size: int = 0

    def check(self, size: int) -> None:
        """Whether there is room for so much more.

        Raises:
            Overloaded: there is none at the moment.
        """
        patience = self.held.patience
        if self.held.of_keys.get(self.key, 0) + size > patience.key_bytes:
            raise Overloaded("too many large bodies of this key are under way", _RETRY_AFTER_SECONDS)
        if self.held.bodies + size > patience.bodies_bytes:
            raise Overloaded("too many large bodies are under way", _RETRY_AFTER_SECONDS)

    def take(self, size: int) -> None:
        """Hold so much more.

        Raises:
            Overloaded: there is no room for it at the moment; it is not held.
        """
        self.check(size)
        self._change(size)

    def give_back(self) -> None:
        """Hold nothing any more."""
        self._change(-self.size)

    def _change(self, size: int) -> None:
        self.size += size
        self.held.bodies += size
        left = self.held.of_keys.pop(self.key, 0) + size
        if left:
            self.held.of_keys[self.key] = left
