"""Taking dossiers up again at the portal: the jobs that people ask for."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from services.worker.runtime.job_runner import Report
from services.worker.sync.senders import PortalSync
from shared.database.clock import database_now
from shared.database.engine import driver_session
from shared.jobs.store.queue import Job
from shared.sync.store import lists
from shared.sync.store.lists import REPLAY_PAGE
from shared.vocabulary.errors import InvalidInput


class Replay:
    """The handler of ``replay`` jobs. Parameters: ``dossiers``, or ``error``, or ``from`` and ``to`` (instants)."""

    def __init__(self, engine: AsyncEngine, portal: PortalSync) -> None:
        self._engine = engine
        self._portal = portal

    async def __call__(self, job: Job, report: Report) -> Mapping[str, Any]:
        """Take up again what the parameters name, and ring."""
        asked = job.parameters
        what = lists.Replay(
            codes=asked.get("dossiers"),
            error=asked.get("error"),
            first_at=_instant(asked.get("from")),
            before=_instant(asked.get("to")),
        )
        if what == lists.Replay():
            raise InvalidInput.of("", "required", "dossiers, error, or from and to")
        total, after, page = 0, "", REPLAY_PAGE
        while page == REPLAY_PAGE:
            async with driver_session(self._engine) as connection:
                now = await database_now(connection)
                page, after = await lists.replay_page(connection, job.tenant, what, after, now)
            total += page
            await report({"replayed": total})
            self._portal.ring(job.tenant)
        if what.codes is None:
            return {"replayed": total}
        async with driver_session(self._engine) as connection:
            return {"replayed": total, "unknown": await lists.unknown_codes(connection, job.tenant, what.codes)}


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
