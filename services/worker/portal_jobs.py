"""Long work with the portal: taking things up again (replay), and comparing both sides (reconciliation)."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.worker.jobs import Report
from services.worker.portal_sync import PortalSync, Post
from shared.db import event_log, ledger, ledger_checks, ledger_lists
from shared.db.engine import driver_session
from shared.db.jobs import Job
from shared.db.ledger_checks import Discrepancy, Settled
from shared.db.ledger_lists import REPLAY_PAGE
from shared.domain.applicant import NOBODY
from shared.domain.circuit import Lane
from shared.domain.dossier import fold
from shared.domain.errors import InvalidInput
from shared.domain.events import Event, Tenant
from shared.observability import get_logger
from shared.portal import wire
from shared.portal.outcomes import Found
from shared.portal.wire import Body, ProcedureNames

LOOK_UP_PAGE: Final = 100
"""Codes of a ``TraCuuHoSo``."""

EXAMPLES_KEPT: Final = 100

COUNTED_EVERY_PAGES: Final = 20
"""After so many pages what remains is counted anew: meanwhile dossiers have been sent, and are compared too."""

_PAUSE_SECONDS: Final = 1.0


class Replay:
    """The handler of ``replay`` jobs. Parameters: ``dossiers``, or ``error``, or ``from`` and ``to`` (instants)."""

    def __init__(self, engine: AsyncEngine, portal: PortalSync) -> None:
        self._engine = engine
        self._portal = portal

    async def __call__(self, job: Job, report: Report) -> Mapping[str, Any]:
        """Take up again what the parameters name, and ring."""
        asked = job.parameters
        what = ledger_lists.Replay(
            codes=asked.get("dossiers"),
            error=asked.get("error"),
            first_at=_instant(asked.get("from")),
            before=_instant(asked.get("to")),
        )
        if what == ledger_lists.Replay():
            raise InvalidInput.of("", "required", "dossiers, error, or from and to")
        total, after, page = 0, "", REPLAY_PAGE
        while page == REPLAY_PAGE:
            async with driver_session(self._engine) as connection:
                now = await ledger.clock(connection)
                page, after = await ledger_lists.replay_page(connection, job.tenant, what, after, now)
            total += page
            await report({"replayed": total})
            self._portal.ring(job.tenant)
        return {"replayed": total}


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


class Reconcile:
    """The handler of ``reconcile`` jobs: dossiers of which nothing is under way are looked up at the portal.

    Parameters as for a replay; none of them: every dossier that needs nothing by our ledger.

    What is missing or differs there is sent again. A look-up that fails says nothing and is repeated. One that is late (F17)
    makes us create what exists, which the portal answers with "exists" and the sender with an update: both sides then agree.
    """

    def __init__(self, engine: AsyncEngine, portal: PortalSync) -> None:
        self._engine = engine
        self._portal = portal

    async def __call__(self, job: Job, report: Report) -> Mapping[str, Any]:
        """Compare, page by page, in the backlog's part of the pace."""
        asked = job.parameters
        scope = ledger_checks.Scope(
            codes=asked.get("dossiers"),
            error=asked.get("error"),
            first_at=_instant(asked.get("from")),
            before=_instant(asked.get("to")),
        )
        total = pages = 0
        counts: Counter[str] = Counter()
        fields: Counter[str] = Counter()
        examples: list[dict[str, str]] = []
        after = ""
        post = self._portal.post(job.tenant)
        while True:
            async with driver_session(self._engine) as connection:
                if pages % COUNTED_EVERY_PAGES == 0:
                    remaining = await ledger_checks.settled_count(connection, job.tenant, scope, after)
                    total = counts["looked_up"] + remaining
                page = await ledger_checks.settled_page(connection, job.tenant, scope, after, LOOK_UP_PAGE)
            if not page:
                break
            pages += 1
            after = page[-1].dossier_code
            found = await self._compare(post, page)
            async with driver_session(self._engine) as connection:
                now = await ledger.clock(connection)
                reopened = await ledger_checks.reopen(connection, job.tenant, found, now) if found else set()
            counts["looked_up"] += len(page)
            for one in found:
                if one.settled.dossier_code not in reopened:
                    continue  # changed meanwhile: it is on its way anyhow
                reason = "missing_there" if one.missing else "differs_there"
                counts[reason] += 1
                fields.update(one.fields)
                if len(examples) < EXAMPLES_KEPT:
                    examples.append({"dossier": one.settled.dossier_code, "reason": reason, "fields": ", ".join(one.fields)})
            total = max(total, counts["looked_up"])
            reopened_so_far = counts["missing_there"] + counts["differs_there"]
            await report({"looked_up": counts["looked_up"], "of": total, "reopened": reopened_so_far})
            if reopened:
                self._portal.ring(job.tenant)
        result = {
            "looked_up": counts["looked_up"],
            "missing_there": counts["missing_there"],
            "differs_there": counts["differs_there"],
            "fields": dict(fields),
            "examples": examples,
        }
        if counts["missing_there"] or counts["differs_there"]:
            get_logger().warning(
                "portal_differed",
                tenant=job.tenant,
                missing_there=counts["missing_there"],
                differs_there=counts["differs_there"],
            )
        return result

    async def _compare(self, post: Post, page: Sequence[Settled]) -> list[Discrepancy]:
        rows = await self._look_up(post, [settled.dossier_code for settled in page])
        bodies = await self._bodies(post.tenant, page)
        found: list[Discrepancy] = []
        for settled in page:
            body = bodies.get(settled.dossier_code)
            if body is None:
                continue
            held = rows.get(settled.dossier_code)
            if held is None:
                found.append(Discrepancy(settled, missing=True, fields=()))
            elif differing := wire.differences(body, held):
                found.append(Discrepancy(settled, missing=False, fields=tuple(differing)))
        return found

    async def _look_up(self, post: Post, codes: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        while True:
            admission = await post.gate.admit(Lane.BACKLOG)
            if admission is not None:
                outcome = await post.client.look_up(codes)
                await post.gate.report(outcome, admission)
                if isinstance(outcome, Found):
                    return {row["MAHOSO"]: row for row in outcome.rows if isinstance(row.get("MAHOSO"), str)}
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _bodies(self, tenant: Tenant, page: Sequence[Settled]) -> dict[str, Body]:
        """What the portal should say of each dossier: as of the version that it acknowledged."""
        async with driver_session(self._engine) as connection:
            histories = await event_log.of_dossiers(connection, tenant, [settled.dossier_code for settled in page])
        bodies: dict[str, Body] = {}
        for settled in page:
            code = settled.dossier_code
            events: list[Event] = [event for event in histories.get(code, []) if event.position <= settled.position]
            dossier = fold(code, events)
            if wire.unsendable(dossier) is None:
                bodies[code] = wire.dossier_body(dossier, NOBODY, _NoNames())
        return bodies


class _NoNames:
    """A look-up tells no names: none are needed."""

    def procedure(self, code: str) -> ProcedureNames:  # noqa: ARG002 - the port's signature
        """None."""
        return ProcedureNames()

    def agency(self, code: str | None) -> str:
        """The code."""
        return code or ""
