"""What is sent for a claimed dossier, decided purely: its body, its unsent steps, or why it cannot be sent."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from shared.dossiers.rules.applicant import Applicant
from shared.dossiers.rules.dossier import Dossier
from shared.sync.portal import wire
from shared.sync.portal.wire import Body, Names, Unsendable
from shared.sync.rules.priorities import priority_of
from shared.sync.rules.retry import SUSPECT_TRIES, ErrorClass, call_size
from shared.sync.store.ledger import Claim
from shared.sync.store.steps import SentStep, Step, StepKey

STEPS_PER_CALL: Final = 100
STEPS_PER_DOSSIER: Final = 10


class StepPage(NamedTuple):
    """A step and its words on the wire."""

    step: Step
    body: Body


@dataclass(slots=True, eq=False)
class OutboundDossier:
    """A claimed dossier on its way: what is still to be sent of it. Lives for one delivery."""

    claim: Claim
    version: int
    body: Body
    body_hash: bytes
    priority: int
    pages: Sequence[StepPage]
    """All steps, in fold order."""
    unsent: list[StepPage]
    """Those that the portal has not acknowledged, in fold order."""
    updating: bool
    """Whether the next dossier call updates; else it creates."""
    turns: int = 0
    """How often the portal made us turn from create to update or back."""
    apart: bool = False
    """Whether its steps go one a call, to find the one that the portal refuses."""
    on_wire: bool = False
    """Whether a call with its dossier has been made."""
    refused_steps: list[str] = field(default_factory=list)
    """What the portal said about steps it refused."""

    @property
    def code(self) -> str:
        return self.claim.dossier_code

    @property
    def needs_dossier(self) -> bool:
        """Whether the dossier itself must be sent: the portal does not hold exactly this body for certain."""
        return not self.claim.known_there or self.claim.body_hash != self.body_hash

    @property
    def size(self) -> int:
        """With how many others it may share a call at most."""
        return call_size(self.claim.error_class, self.claim.attempts)

    @property
    def suspect(self) -> bool:
        """Whether it failed so often that it may itself be the reason."""
        return self.claim.attempts >= SUSPECT_TRIES

    def forgotten_there(self) -> None:
        """The portal does not know the dossier, so none of its steps either."""
        self.unsent = list(self.pages)

    def without_personal(self, message: str) -> str:
        """The portal's words with our personal data struck out of them."""
        for text in wire.personal_texts(self.body):
            message = message.replace(text, "…")
        return message


def prepare_dossier(
    claim: Claim,
    dossier: Dossier,
    *,
    applicant: Applicant,
    names: Names,
    sent: Mapping[StepKey, SentStep],
    now: datetime,
) -> OutboundDossier | Unsendable:
    """Put a dossier in the portal's words."""
    reason = wire.unsendable(dossier)
    if reason is not None:
        return reason
    body = wire.dossier_body(dossier, applicant, names)
    pages: list[StepPage] = []
    unsent: list[StepPage] = []
    for step_message in wire.step_messages(dossier):
        before = sent.get((step_message.happened_at, step_message.status, step_message.staff))
        officer = wire.officer_text(step_message, names) if before is None else before.officer
        event = step_message.event
        step = Step(
            claim.dossier_code,
            step_message.happened_at,
            step_message.status,
            step_message.staff,
            officer,
            event.position,
            event.recorded_at,
        )
        page = StepPage(step, wire.step_body(step_message, officer))
        pages.append(page)
        if before is None or not before.acknowledged:
            unsent.append(page)
    return OutboundDossier(
        claim=claim,
        # what was wanted when it was claimed is in the log that was read since
        version=max(dossier.last_position, claim.wanted_position),
        body=body,
        body_hash=wire.body_hash(body),
        priority=priority_of(dossier, now, followed=claim.known_there or claim.dossier_position > 0),
        pages=pages,
        unsent=unsent,
        updating=claim.known_there,
    )


def unreadable(error: Exception) -> Unsendable:
    """A dossier whose events cannot be folded or put in words; an exception's own message may quote them."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = "" if place is None else f" at {place.tb_frame.f_code.co_name}:{place.tb_lineno}"
    return Unsendable(ErrorClass.UNREADABLE, f"{type(error).__name__}{where}")


def next_dossier_call(waiting: list[OutboundDossier]) -> list[OutboundDossier]:
    """Take the next call's dossiers off ``waiting``: those that go the same way and may share a call with the first."""
    first = waiting[0]
    return _take(
        waiting, [prepared for prepared in waiting if _alike(prepared, first) and prepared.updating is first.updating]
    )


def next_step_call(waiting: Sequence[OutboundDossier]) -> list[tuple[OutboundDossier, list[StepPage]]]:
    """The next call's steps: at most 100, at most 10 of a dossier, each dossier's in their order."""
    first = waiting[0]
    call: list[tuple[OutboundDossier, list[StepPage]]] = []
    room = STEPS_PER_CALL
    for prepared in waiting:
        if not _alike(prepared, first):
            continue
        pages = prepared.unsent[: min(1 if prepared.apart else STEPS_PER_DOSSIER, room)]
        call.append((prepared, pages))
        room -= len(pages)
        if room == 0 or len(call) == first.size:
            break
    return call


def _alike(prepared: OutboundDossier, first: OutboundDossier) -> bool:
    return prepared.size == first.size


def _take(waiting: list[OutboundDossier], fitting: Iterable[OutboundDossier]) -> list[OutboundDossier]:
    call = list(fitting)[: waiting[0].size]
    taken = {id(prepared) for prepared in call}
    waiting[:] = [prepared for prepared in waiting if id(prepared) not in taken]
    return call
