"""The peer of a rebuild: one process that folds every dossier of a log and adds up its figures, and writes nothing."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from datetime import date

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.audit.store import rebuild_statements, snapshots
from shared.audit.store.range_comparison import Codes
from shared.counting.rules.contributions import contributions, signed_counts
from shared.database.engine import driver_session
from shared.dossiers.rules.dossier import fold
from shared.events.store import event_log
from shared.vocabulary.events import Tenant

PAGE_EVENTS = 10_000


@dataclass(frozen=True, slots=True)
class FoldLoop:
    """``fold_seconds`` for the fold and the counts alone, ``seconds`` with the reading of the events from PostgreSQL."""

    events: int
    dossiers: int
    fold_seconds: float
    seconds: float

    @property
    def per_second(self) -> float:
        """Events a second of the fold alone."""
        return self.events / self.fold_seconds

    @property
    def per_second_with_reading(self) -> float:
        """Events a second, reading included."""
        return self.events / self.seconds


async def fold_loop(engine: AsyncEngine, tenant: Tenant, most_events: int | None = None) -> FoldLoop:
    """Fold all dossiers of ``tenant`` up to its cursor, or those of about ``most_events`` events."""
    events = dossiers = 0
    fold_seconds = 0.0
    sums: Counter[tuple[str, str, str, date, str]] = Counter()
    begun = time.perf_counter()
    async with driver_session(engine) as connection:
        cursor = await snapshots.cursor_unlocked(connection, tenant)
        last = Codes("", "")
        while codes := await rebuild_statements.next_codes(connection, tenant, last, PAGE_EVENTS):
            histories = await rebuild_statements.histories(connection, tenant, codes, cursor.position)
            page = {code: [event_log.event_of_record(row) for row in rows] for code, rows in histories.items()}
            started = time.perf_counter()
            for code, history in page.items():
                dossier = fold(code, history)
                scope = (dossier.agency_code or "", dossier.procedure_code or "", dossier.channel or "")
                for day, measure, count in signed_counts(contributions(dossier)):
                    sums[(*scope, day, measure)] += count
            fold_seconds += time.perf_counter() - started
            events += sum(map(len, page.values()))
            dossiers += len(page)
            last = codes
            if most_events is not None and events >= most_events:
                break
    return FoldLoop(events, dossiers, fold_seconds, time.perf_counter() - begun)
