"""What a delivery writes down: leases held, attempts, outcomes. All its writing to PostgreSQL is here.

Outcomes are gathered and written together with the attempts that led to them, in one statement.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.worker.sync.call_limits import DatabaseClock, held_session
from services.worker.sync.outbound import OutboundDossier, StepPage
from shared.database.clock import database_now
from shared.database.engine import DriverConnection, driver_session
from shared.observability import get_logger
from shared.sync.portal.wire import Unsendable
from shared.sync.rules.retry import UNSENDABLE, Again, ErrorClass, Park, after_failure
from shared.sync.store import ledger, outcome_records
from shared.sync.store import steps as ledger_steps
from shared.sync.store.ledger import Claim, SyncState
from shared.sync.store.outcome_records import Attempt, DossierAccepted, Finished
from shared.vocabulary.events import DossierCode, Tenant

LEASE_SECONDS: Final = 20.0
"""Renewed while the delivery lives; a dead worker's dossiers are taken up by another one after this time."""

LONGEST_DETAIL: Final = 500


class OutcomeRecorder:
    """One for a delivery. ``open`` are the claims whose lease it holds and whose outcome is not yet recorded."""

    def __init__(
        self,
        engine: AsyncEngine,
        connection: DriverConnection,
        tenant: Tenant,
        claims: Sequence[Claim],
        clock: DatabaseClock,
        *,
        time_scale: float = 1.0,
    ) -> None:
        self._engine = engine
        # the delivery's own, one statement after the other; the heartbeat beside it takes another one
        self._connection: DriverConnection | None = connection
        self._tenant = tenant
        self._clock = clock
        self._time_scale = time_scale
        self.open: dict[str, Claim] = {claim.dossier_code: claim for claim in claims}
        self._finished: dict[str, Finished] = {}
        self._attempts: list[Attempt] = []
        self._forgotten: set[str] = set()

    def is_open(self, prepared: OutboundDossier) -> bool:
        """Whether the dossier still has something to send, under our lease."""
        return prepared.code in self.open and prepared.code not in self._finished

    # Leases

    async def heartbeat(self) -> None:
        """Prolong the leases; those that are lost are closed here, their calls under way are found out later."""
        claims = list(self.open.values())
        if not claims:
            return
        async with driver_session(self._engine) as connection:
            held = await ledger.renew(
                connection, self._tenant, claims, now=await database_now(connection), lease_seconds=LEASE_SECONDS
            )
        for claim in claims:
            if claim.dossier_code not in held and self.open.get(claim.dossier_code) is claim:
                await self._lost({claim.dossier_code})

    async def still_held(self, call: list[OutboundDossier]) -> list[OutboundDossier]:
        """Note, without flush, that these versions go on the wire; answer those whose lease holds: only they may go."""
        call = [prepared for prepared in call if prepared.code in self.open]
        if not call:
            return []
        async with held_session(self._engine, self._connection) as connection:
            held = await ledger.mark_sent(
                connection, self._tenant, [(prepared.claim, prepared.version) for prepared in call]
            )
        await self._lost({prepared.code for prepared in call} - held)
        return [prepared for prepared in call if prepared.code in held]

    async def release(self, outgoing: Iterable[OutboundDossier]) -> None:
        """Give back what was not tried: nothing counts."""
        for prepared in outgoing:
            if self.is_open(prepared):
                self._finish_unchanged(prepared.claim, prepared.version, prepared.priority)
        await self.flush()

    async def release_all(self) -> None:
        """Give everything back, after an error of ours, on another connection: ours may be what is broken."""
        self._connection = None
        self._attempts.clear()
        self._finished.clear()
        for claim in self.open.values():
            self._finish_unchanged(claim, claim.wanted_position, None)
        await self.flush()

    def _finish_unchanged(self, claim: Claim, version: int, priority: int | None) -> None:
        self._finished[claim.dossier_code] = Finished(
            dossier_code=claim.dossier_code,
            fence=claim.fence,
            state=SyncState.PENDING,
            position=version,
            next_try_at=self._clock.now(),
            attempts=claim.attempts,
            error_class=claim.error_class,
            priority=priority,
        )

    # What happened

    def note(
        self,
        prepared: OutboundDossier,
        step: str,
        operation: str,
        started_at: datetime,
        *,
        outcome: str,
        detail: str | None = None,
    ) -> None:
        """An attempt, to be written with the next outcomes."""
        self._attempts.append(
            Attempt(
                dossier_code=prepared.claim.dossier_code,
                fence=prepared.claim.fence,
                step=step,
                position=prepared.version,
                body_hash=prepared.body_hash if step == "dossier" else None,
                operation=operation,
                started_at=started_at,
                ended_at=self._clock.now(),
                outcome=outcome,
                detail=None if detail is None else prepared.without_personal(detail)[:LONGEST_DETAIL],
            )
        )

    def failed(self, prepared: OutboundDossier, kind: ErrorClass, detail: str, *, counted: bool = True) -> None:
        """The dossier's delivery ends with a failure: again later, or parked."""
        claim, now = prepared.claim, self._clock.now()
        if counted:
            decision = after_failure(kind, claim.attempts, now, random.random(), time_scale=self._time_scale)  # noqa: S311
        else:
            decision = Again(now, claim.attempts)
        parked = isinstance(decision, Park)
        self._finished[prepared.code] = Finished(
            dossier_code=claim.dossier_code,
            fence=claim.fence,
            state=SyncState.PARKED if parked else SyncState.PENDING,
            position=prepared.version,
            next_try_at=now if isinstance(decision, Park) else decision.at,
            attempts=decision.attempts,
            error_class=kind,
            error_detail=prepared.without_personal(detail)[:LONGEST_DETAIL],
            priority=prepared.priority,
        )
        if parked:
            get_logger().warning(
                "dossier_parked", tenant=self._tenant, dossier=prepared.code, kind=kind.value, position=prepared.version
            )

    def lost_there(self, prepared: OutboundDossier, detail: str) -> None:
        """The portal took the dossier and does not know it: create it anew, with all its steps."""
        self.failed(prepared, ErrorClass.CONTRADICTION, detail)
        self._finished[prepared.code] = replace(self._finished[prepared.code], known_there=False)
        self._forgotten.add(prepared.code)

    def mark_unsendable(self, claim: Claim, version: int, reason: Unsendable) -> None:
        """A dossier that cannot be sent, listed with its reason."""
        state = SyncState.UNSENDABLE if reason.kind in UNSENDABLE else SyncState.PARKED
        if state is SyncState.PARKED:
            get_logger().error("dossier_unreadable", tenant=self._tenant, dossier=claim.dossier_code, detail=reason.detail)
        self._finished[claim.dossier_code] = Finished(
            dossier_code=claim.dossier_code,
            fence=claim.fence,
            state=state,
            position=max(version, claim.wanted_position),
            next_try_at=self._clock.now(),
            attempts=claim.attempts,
            error_class=reason.kind,
            error_detail=reason.detail,
        )

    # Writing it down

    async def finish_unsendable(self) -> None:
        """Write down the dossiers that cannot be sent."""
        await self.flush()

    async def record_accepted(self, outgoing: Sequence[OutboundDossier]) -> list[OutboundDossier]:
        """The portal acknowledged these dossiers; answer those that are still ours, for their steps."""
        accepted = [
            DossierAccepted(prepared.claim.dossier_code, prepared.claim.fence, prepared.version, prepared.body_hash)
            for prepared in outgoing
        ]
        # a create was taken of what had been taken before, or where we meant to update: the portal had lost it all
        self._forgotten.update(
            prepared.code
            for prepared in outgoing
            if not prepared.updating and (prepared.turns or prepared.claim.dossier_position > 0)
        )
        # whoever is accepted has steps to send or an end to record: the disk is waited for then
        held = await self._write(accepted=accepted, without_flush=bool(accepted))
        return [prepared for prepared in outgoing if prepared.code in held]

    async def intend_steps(self, pages: Iterable[StepPage]) -> None:
        """Write down which steps are about to be sent, by a call that the gate has let go."""
        steps = [page.step for page in pages]
        if steps:
            async with held_session(self._engine, self._connection) as connection:
                await ledger_steps.record_intended(connection, self._tenant, steps, self._clock.now())

    async def record_steps(
        self, taken: Sequence[StepPage], through: Sequence[OutboundDossier], *, more: bool = False
    ) -> None:
        """The portal took these steps; ``through`` have no more of them. ``more``: others of this delivery follow."""
        self._deliver(through)
        await self._write(taken=taken, without_flush=more)

    async def finish_delivered(self, outgoing: Iterable[OutboundDossier]) -> None:
        """These need no step: all of them is there."""
        self._deliver(outgoing)
        await self.flush()

    async def flush(self) -> None:
        """Write down what has ended so far."""
        if self._finished or self._attempts:
            await self._write()

    def _deliver(self, outgoing: Iterable[OutboundDossier]) -> None:
        now = self._clock.now()
        for prepared in outgoing:
            self._finished[prepared.code] = Finished(
                dossier_code=prepared.claim.dossier_code,
                fence=prepared.claim.fence,
                state=SyncState.SENT,
                position=prepared.version,
                next_try_at=now,
                priority=prepared.priority,
            )

    async def _write(
        self, *, accepted: Sequence[DossierAccepted] = (), taken: Sequence[StepPage] = (), without_flush: bool = False
    ) -> set[DossierCode]:
        """Write attempts and outcomes; answers the dossiers whose lease held, and closes the others."""
        finished, attempts, forgotten = list(self._finished.values()), self._attempts, self._forgotten
        self._finished, self._attempts, self._forgotten = {}, [], set()
        async with held_session(self._engine, self._connection) as connection:
            if forgotten:
                await ledger_steps.forget_acknowledged(connection, self._tenant, forgotten)
            held = await outcome_records.record(
                connection,
                self._tenant,
                self._clock.now(),
                accepted=accepted,
                finished=finished,
                steps=[page.step for page in taken],
                attempts=attempts,
                without_flush=without_flush,
            )
        for row in finished:
            self.open.pop(row.dossier_code, None)
        written = {row.dossier_code for row in accepted} | {row.dossier_code for row in finished}
        await self._lost(written - held)
        return held

    async def _lost(self, codes: Iterable[str]) -> None:
        """The lease was lost: our calls may have reached the portal after newer ones, so the newest goes once more."""
        lost = sorted(codes)
        if not lost:
            return
        for code in lost:
            self.open.pop(code, None)
            self._finished.pop(code, None)
        get_logger().warning("lease_lost", tenant=self._tenant, dossiers=len(lost))
        async with driver_session(self._engine) as connection:
            await ledger.mark_in_doubt(connection, self._tenant, lost, await database_now(connection))
