"""One delivery: claimed dossiers go to the portal, first the dossiers, then their steps, and every outcome is recorded.

The pipeline reads top to bottom and decides nothing: what is sent is decided in `outbound`, what a failure means in
`shared.sync.rules.retry`. No transaction is open while a call is under way, and each outcome is recorded before the next
call.

The disk is waited for once before each call and once at the end, not at each statement: what is written without flush in
between goes there with the next commit that waits. The claims are there before the first call.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from services.worker.sync.call_limits import Admission, CallLimiter, DatabaseClock
from services.worker.sync.names import PortalNames
from services.worker.sync.outbound import (
    OutboundDossier,
    StepPage,
    next_dossier_call,
    next_step_call,
    prepare_dossier,
    unreadable,
)
from services.worker.sync.outcome_recorder import OutcomeRecorder
from shared.database.engine import DriverConnection
from shared.dossiers.rules.applicant import NOBODY
from shared.dossiers.rules.dossier import Dossier, fold
from shared.dossiers.store import applicants
from shared.events.store import event_log
from shared.sync.portal.client import PortalClient
from shared.sync.portal.wire import Unsendable
from shared.sync.rules.circuit import Lane
from shared.sync.rules.outcomes import Answered, Failure, ItemKind, ItemRefusal, Throttled
from shared.sync.rules.retry import ErrorClass, class_of
from shared.sync.store import steps as ledger_steps
from shared.sync.store.ledger import Claim
from shared.vocabulary.events import Tenant

SLICE: Final = 20
"""So many dossiers are put in words before other tasks of the process have a turn (about 6 ms): what comes meanwhile is to
be counted at once."""

MOST_TURNS: Final = 2
"""From create to update and back: a portal that then still disagrees contradicts itself."""


@dataclass(slots=True)
class DeliveryCount:
    """What a delivery did, for its log line."""

    calls: int = 0
    dossiers: int = 0
    steps: int = 0
    failed_calls: int = 0
    kinds: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Part:
    """Which part of the protocol a call was, for the attempts of its dossiers."""

    step: str
    operation: str
    started_at: datetime


class Delivery:
    """One for a set of claims. `run` ends with every claim recorded, or raises with some left (see `OutcomeRecorder`)."""

    def __init__(
        self,
        connection: DriverConnection,
        tenant: Tenant,
        lane: Lane,
        *,
        client: PortalClient,
        limiter: CallLimiter,
        names: PortalNames,
        clock: DatabaseClock,
        recorder: OutcomeRecorder,
    ) -> None:
        self._connection = connection
        self._tenant = tenant
        self._lane = lane
        self._client = client
        self._limiter = limiter
        self._names = names
        self._clock = clock
        self._recorder = recorder
        self._claims_kept = False
        """Whether the disk has been waited for since the claim."""
        self.tally = DeliveryCount()

    async def run(self, claims: Sequence[Claim]) -> None:
        """Deliver ``claims``: those that never failed first, so that none of them waits for a call that may hang again."""
        outgoing = await self._prepare(claims)
        for failed_before in (False, True):
            part = [prepared for prepared in outgoing if (prepared.claim.attempts > 0) is failed_before]
            if not await self._deliver(part):
                await self._recorder.release(outgoing)  # also the part that did not have its turn
                return

    async def _deliver(self, outgoing: Sequence[OutboundDossier]) -> bool:
        """First the dossiers, then their steps; whether the gate let all calls go."""
        waiting = [prepared for prepared in outgoing if prepared.needs_dossier]
        settled = [prepared for prepared in outgoing if not prepared.needs_dossier]
        while waiting:
            call = await self._recorder.still_held(next_dossier_call(waiting))
            if not call:
                continue
            admission = await self._acquire([*call, *waiting, *settled], without_flush=False)
            if admission is None:
                return False
            again, done = await self._send_dossiers(call, admission)
            waiting.extend(again)
            settled.extend(done)
        await self._recorder.finish_delivered(prepared for prepared in settled if not prepared.unsent)
        stepping = [prepared for prepared in settled if prepared.unsent]
        while stepping := [prepared for prepared in stepping if self._recorder.is_open(prepared)]:
            admission = await self._acquire(stepping, without_flush=self._claims_kept)
            if admission is None:
                return False
            paged = next_step_call(stepping)
            # only what the gate lets go has been sent: a step's time of sending is its first call's
            await self._recorder.intend_steps(page for _, pages in paged for page in pages)
            await self._send_steps(paged, admission, stepping)
        return True

    async def _acquire(self, outgoing: Iterable[OutboundDossier], *, without_flush: bool) -> Admission | None:
        admission = await self._limiter.acquire(self._lane, self._connection, without_flush=without_flush)
        if admission is None:
            await self._recorder.release(outgoing)
        else:
            self._claims_kept |= not without_flush
        return admission

    # Writing

    async def _prepare(self, claims: Sequence[Claim]) -> list[OutboundDossier]:
        histories = await event_log.of_dossiers(self._connection, self._tenant, [claim.dossier_code for claim in claims])
        dossiers: dict[str, Dossier | Unsendable] = {}
        for number, claim in enumerate(claims, 1):
            if number % SLICE == 0:
                await asyncio.sleep(0)
            try:
                dossiers[claim.dossier_code] = fold(claim.dossier_code, histories.get(claim.dossier_code, []))
            except Exception as error:  # noqa: BLE001 - one unreadable dossier blocks nobody
                dossiers[claim.dossier_code] = unreadable(error)
        folded = [dossier for dossier in dossiers.values() if isinstance(dossier, Dossier)]
        carrying = [dossier.applicant_event for dossier in folded if dossier.applicant_event is not None]
        people = await applicants.for_delivery(self._connection, self._tenant, carrying)
        sent = await ledger_steps.sent_steps(self._connection, self._tenant, dossiers)
        names = await self._names.for_procedures(
            (dossier.procedure_code for dossier in folded if dossier.procedure_code is not None), self._lane
        )
        outgoing: list[OutboundDossier] = []
        now = self._clock.now()
        for number, claim in enumerate(claims, 1):
            if number % SLICE == 0:
                await asyncio.sleep(0)
            code = claim.dossier_code
            dossier = dossiers[code]
            prepared: OutboundDossier | Unsendable
            try:
                prepared = (
                    dossier
                    if isinstance(dossier, Unsendable)
                    else prepare_dossier(
                        claim,
                        dossier,
                        applicant=people.get(code, NOBODY),
                        names=names,
                        sent=sent.get(code, {}),
                        now=now,
                    )
                )
            except Exception as error:  # noqa: BLE001 - one unreadable dossier blocks nobody
                prepared = unreadable(error)
            if isinstance(prepared, Unsendable):
                version = max([event.position for event in histories.get(code, [])], default=0)
                self._recorder.mark_unsendable(claim, version, prepared)
            else:
                outgoing.append(prepared)
        await self._recorder.finish_unsendable()
        return outgoing

    # First step of the protocol

    async def _send_dossiers(
        self, call: list[OutboundDossier], admission: Admission
    ) -> tuple[list[OutboundDossier], list[OutboundDossier]]:
        """One ``DongBoHoSoMC``; answers the dossiers that need another one, and those that are through."""
        started_at = self._clock.now()
        outcome = await self._client.put_dossiers([prepared.body for prepared in call], updating=call[0].updating)
        for prepared in call:
            prepared.on_wire = True
        await self._report(outcome, admission, call)
        operation = "update" if call[0].updating else "create"
        if not isinstance(outcome, Answered):
            if isinstance(outcome, Throttled):
                for prepared in call:
                    self._recorder.note(prepared, "dossier", operation, started_at, outcome=ErrorClass.THROTTLED)
                return call, []  # the gate makes everybody wait, or gives the leases back
            await self._fail_call(call, outcome, admission, _Part("dossier", operation, started_at))
            return [], []
        again: list[OutboundDossier] = []
        accepted: list[OutboundDossier] = []
        for prepared in call:
            refusals = outcome.refused.get(prepared.code)
            if refusals:
                verdict = refusals[0]
                self._recorder.note(prepared, "dossier", operation, started_at, outcome=verdict.kind, detail=verdict.message)
                if self._turned(prepared, verdict):
                    again.append(prepared)
            elif outcome.rest_stored:
                self._recorder.note(prepared, "dossier", operation, started_at, outcome="accepted")
                accepted.append(prepared)
            else:
                again.append(prepared)  # held back by its neighbours, which are not in the next call
        self.tally.dossiers += len(accepted)
        return again, await self._recorder.record_accepted(accepted)

    def _turned(self, prepared: OutboundDossier, refusal: ItemRefusal) -> bool:
        """Take a refusal of a dossier; whether it is to be sent again the other way, at once."""
        match refusal.kind:
            case ItemKind.ALREADY_THERE | ItemKind.UNKNOWN_THERE:
                prepared.updating = refusal.kind is ItemKind.ALREADY_THERE
                if not prepared.updating:
                    prepared.forgotten_there()
                prepared.turns += 1
                if prepared.turns <= MOST_TURNS:
                    return True
                self._recorder.failed(prepared, class_of(refusal), refusal.message)
            case ItemKind.REJECTED | ItemKind.OUT_OF_ORDER:
                self._recorder.failed(prepared, class_of(refusal), refusal.message)
        return False

    # Second step of the protocol

    async def _send_steps(
        self, call: list[tuple[OutboundDossier, list[StepPage]]], admission: Admission, stepping: Sequence[OutboundDossier]
    ) -> None:
        """One ``CapNhatTienDoHoSoMC``, of ``stepping``, which have steps to send."""
        started_at = self._clock.now()
        outcome = await self._client.add_steps([page.body for _, pages in call for page in pages])
        outgoing = [prepared for prepared, _ in call]
        await self._report(outcome, admission, outgoing)
        if isinstance(outcome, Throttled):
            for prepared in outgoing:
                self._recorder.note(prepared, "progress", "append", started_at, outcome=ErrorClass.THROTTLED)
            return
        if not isinstance(outcome, Answered):
            await self._fail_call(outgoing, outcome, admission, _Part("progress", "append", started_at))
            return
        taken: list[StepPage] = []
        for prepared, pages in call:
            refusals = outcome.refused.get(prepared.code, ())
            if refusals:
                kind = self._steps_refused(prepared, pages, refusals, taken)
                self._recorder.note(prepared, "progress", "append", started_at, outcome=kind, detail=refusals[0].message)
            elif outcome.rest_stored:
                self._recorder.note(prepared, "progress", "append", started_at, outcome="accepted")
                taken.extend(pages)
                prepared.unsent = prepared.unsent[len(pages) :]
        self.tally.steps += len(taken)
        through = [prepared for prepared in outgoing if not prepared.unsent and self._recorder.is_open(prepared)]
        for prepared in through:
            if prepared.refused_steps:
                self._recorder.failed(prepared, ErrorClass.REJECTED, "; ".join(prepared.refused_steps))
        more = any(prepared.unsent and self._recorder.is_open(prepared) for prepared in stepping)
        await self._recorder.record_steps(taken, [prepared for prepared in through if not prepared.refused_steps], more=more)

    def _steps_refused(
        self, prepared: OutboundDossier, pages: list[StepPage], refusals: Sequence[ItemRefusal], taken: list[StepPage]
    ) -> ItemKind:
        """Take the refusals of some of a dossier's steps; the answer does not name which, so they go apart if need be."""
        kind = refusals[0].kind
        match kind:
            case ItemKind.UNKNOWN_THERE:
                # answered accepted and not stored (F22), or lost since
                self._recorder.lost_there(prepared, refusals[0].message)
            case ItemKind.ALREADY_THERE:
                taken.extend(pages)
                prepared.unsent = prepared.unsent[len(pages) :]
            case ItemKind.REJECTED | ItemKind.OUT_OF_ORDER if len(pages) == 1:
                at = pages[0].body["ThoiDiemXuLy"]
                prepared.refused_steps.append(f"{at}: {prepared.without_personal(refusals[0].message)}")
                prepared.unsent = prepared.unsent[1:]
            case ItemKind.REJECTED | ItemKind.OUT_OF_ORDER if len(refusals) >= len(pages):
                self._recorder.failed(prepared, ErrorClass.REJECTED, refusals[0].message)
            case ItemKind.REJECTED | ItemKind.OUT_OF_ORDER:
                prepared.apart = True
        return kind

    # Failures of whole calls

    async def _report(
        self, outcome: Answered | Throttled | Failure, admission: Admission, call: list[OutboundDossier]
    ) -> None:
        self.tally.calls += 1
        if not isinstance(outcome, Answered):
            self.tally.failed_calls += 1
            self.tally.kinds.add(type(outcome).__name__)
        await self._limiter.report(outcome, admission, suspect=all(prepared.suspect for prepared in call))

    async def _fail_call(self, call: list[OutboundDossier], outcome: Failure, admission: Admission, part: "_Part") -> None:
        kind = class_of(outcome)
        for prepared in call:
            self._recorder.note(prepared, part.step, part.operation, part.started_at, outcome=kind, detail=outcome.reason)
            # a probe goes while the circuit is open: it counts for the circuit, not for its dossiers
            self._recorder.failed(prepared, kind, outcome.reason, counted=not admission.probe)
        await self._recorder.flush()
