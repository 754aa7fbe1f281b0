"""From the log's rows of some dossiers to what they are: no I/O, no clock. One that cannot be folded harms no other."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from shared.counting.rules.contributions import contributions
from shared.dossiers.rules.anomalies import AnomalyCode
from shared.dossiers.rules.dossier import fold
from shared.dossiers.rules.voids import void_problems
from shared.events.store.event_log import Recorded, event_of_record
from shared.projection.store.cursor import Failure, WaitingVoid
from shared.projection.store.dossier_rows import DossierRow, row_of
from shared.sync.rules.priorities import SyncRequest, sync_request
from shared.vocabulary.events import DossierCode, Event, EventName
from shared.vocabulary.voids import Identity, absent_void_targets, void_target

Histories = Mapping[DossierCode, Sequence[Recorded]]
"""All events of each dossier up to one position of the log, in log order."""

_REASON_LENGTH: Final = 500
_VOIDED: Final = EventName.VOIDED.value


@dataclass(slots=True)
class FoldedBatch:
    """What some dossiers are after their events: rows to store, requests to sync, waiting voids, failed dossiers."""

    rows: list[DossierRow] = field(default_factory=list)
    wants: list[SyncRequest] = field(default_factory=list)
    voids: list[WaitingVoid] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    def add(self, other: "FoldedBatch") -> None:
        """Take in what ``other`` found of further dossiers."""
        self.rows += other.rows
        self.wants += other.wants
        self.voids += other.voids
        self.failures += other.failures

    def take(self, row: DossierRow, recorded_at: datetime) -> None:
        """Take in a dossier that no void concerns, whose last event was recorded at ``recorded_at``."""
        self.rows.append(row)
        self.wants.append(sync_request(row, recorded_at))

    def only(self, codes: Collection[str]) -> "FoldedBatch":
        """The part of the dossiers in ``codes``."""
        return FoldedBatch(
            [row for row in self.rows if row.code in codes],
            [want for want in self.wants if want.dossier_code in codes],
            [void for void in self.voids if void.dossier_code in codes],
            [failure for failure in self.failures if failure.dossier_code in codes],
        )


def named_elsewhere(histories: Histories) -> frozenset[Identity]:
    """Identities that voids name and that are no events of their dossier: to be looked up in the log."""
    identities: set[Identity] = set()
    for recorded in histories.values():
        if _VOIDED in [row[4] for row in recorded]:
            try:
                identities |= absent_void_targets([event_of_record(row) for row in recorded])
            except (KeyError, TypeError):
                continue  # the fold says what is wrong with it
    return frozenset(identities)


def fold_histories(
    histories: Histories,
    present_elsewhere: Collection[Identity],
    folded: Callable[[str], None] = lambda _: None,
) -> FoldedBatch:
    """Fold every dossier of ``histories`` (all of its events up to one position of the log).

    ``present_elsewhere``: those of `named_elsewhere` that the log holds at that position. ``folded`` is called with each
    code before its fold and may raise, for tests.
    """
    found = FoldedBatch()
    for code, recorded in histories.items():
        try:
            folded(code)
            found.take(_fold(found, code, [event_of_record(row) for row in recorded], present_elsewhere), recorded[-1][1])
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one dossier, the others go on
            found.failures.append(failure_of_dossier(code, recorded[-1][0], error))
    return found


def failure_of_dossier(code: DossierCode, position: int, error: BaseException) -> Failure:
    """The failed dossier; the reason names the exception."""
    reason = f"{type(error).__name__}: {error}".replace("\0", "")
    return Failure(code, position, reason[:_REASON_LENGTH])


def _fold(
    found: FoldedBatch, code: DossierCode, events: Sequence[Event], present_elsewhere: Collection[Identity]
) -> DossierRow:
    dossier = fold(code, events)
    problems = void_problems(events, present_elsewhere) if _has_void(events) else ()
    row = row_of(dossier, contributions(dossier), problems)
    waiting = {(problem.source, problem.event_id) for problem in problems if problem.code is AnomalyCode.VOID_WAITING}
    # all or nothing: nothing above may fail half-way
    found.voids += [WaitingVoid(void_target(event), code) for event in _with_identity(events, waiting)] if waiting else []
    return row


def _has_void(events: Iterable[Event]) -> bool:
    return any(event.name is EventName.VOIDED for event in events)


def _with_identity(events: Iterable[Event], identities: Collection[Identity]) -> list[Event]:
    return [event for event in events if (event.source, event.id) in identities]
