"""What the national index asks of one dossier (rules, section 8): by instant, and against what the applicant was told.

Indicator 2.1 of a period depends on its end only through one instant P, its last one. So a dossier keeps the spans of all
instants P at which it is late: before it was handled as it stood then, from then on as it was handled. Instants are whole
microseconds since 1970 in UTC: exact, and the same text everywhere.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntFlag
from itertools import pairwise
from typing import Final

from shared.dossiers.rules.dossier import Dossier
from shared.dossiers.rules.facts import Fee, Pause
from shared.dossiers.rules.lifecycle import END_EVENTS, STATUS_BEARING, EndKind
from shared.vocabulary.events import EventName

InstantSpan = tuple[int, int | None]
"""Microseconds since 1970 [from, until); until None: without an end."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_BY_THE_FOLD: Final = frozenset({EndKind.PROCESSED, EndKind.RETURNED})
ONLINE_GATEWAYS: Final = frozenset({"national", "local"})


class DossierMark(IntFlag):
    """What else is counted of a dossier. The numbers are stored: they never change."""

    VNEID_VERIFIED = 1
    COMPONENTS_DIGITISED = 2
    COMPONENTS_REUSED = 4
    FROM_NATIONAL_STORE = 8
    RESULT_LINK = 16
    """The latest processed has a result with a link."""
    FEE = 32
    """A fee above 0 was asked for."""
    FEES_ALL_ZERO = 64
    """Fees were named, and every one is 0."""
    PAID_ONLINE = 128
    """The last succeeded payment came by the national or a local gateway."""
    DISLIKED = 256
    """The last rating says: not satisfied."""
    RATED = 512


@dataclass(frozen=True, slots=True)
class IndexFacts:
    """A dossier's part in the index.

    ``handled_at``: the end by 2.1: 9, else 10, else the last of 8 and refusal, else 7, since the last reopening.
    ``promised_from``: since when there has been a promise; where there is none, the procedure's maximum term decides, which
    no fold knows: ``late`` then says nothing. ``late``: sorted, disjoint, not touching. ``waits``: the pauses.
    """

    handled_at: datetime | None
    promised_from: datetime | None
    late: tuple[InstantSpan, ...]
    waits: tuple[InstantSpan, ...]
    marks: DossierMark


def microseconds(instant: datetime) -> int:
    """Whole microseconds since 1970."""
    return (instant - _EPOCH) // _MICROSECOND


def index_facts(dossier: Dossier) -> IndexFacts:
    """The facts of a folded dossier; one never received has marks only."""
    marks = _marks(dossier)
    if dossier.received_at is None:
        return IndexFacts(None, None, (), (), marks)
    handled_at = _handled_at(dossier)
    settings = dossier.due_settings
    return IndexFacts(
        handled_at=handled_at,
        promised_from=settings[0].event.time if settings else None,
        late=tuple(_late(dossier, microseconds(dossier.received_at), handled_at)),
        waits=tuple(_span(pause) for pause in dossier.pauses),
        marks=marks,
    )


def is_late(facts: IndexFacts, at: int) -> bool:
    """Whether the dossier is late in a period whose last instant is ``at``; of one without a promise: by its requests."""
    return any(begin <= at and (until is None or at < until) for begin, until in facts.late)


def waited(waits: Iterable[InstantSpan], until: int) -> int:
    """Microseconds of waiting up to an instant."""
    return sum(max(0, (until if end is None else min(end, until)) - begin) for begin, end in waits)


def _handled_at(dossier: Dossier) -> datetime | None:
    if dossier.end_kind is None or dossier.end_kind in _BY_THE_FOLD:
        return dossier.ended_at
    for step in reversed(dossier.steps):
        if step.name in (EventName.STOPPED, EventName.REJECTED):
            return step.time
        if step.name in STATUS_BEARING and step.name not in END_EVENTS:
            break
    return dossier.ended_at


def _late(dossier: Dossier, received: int, handled_at: datetime | None) -> list[InstantSpan]:
    handled = None if handled_at is None else microseconds(handled_at)
    requests = dossier.supplements
    many_from = microseconds(requests[1].requested.time) if len(requests) > 1 else None
    spans: list[InstantSpan] = []
    # as it stood while it was open, until a second request
    stood_until = handled if many_from is None else many_from if handled is None else min(many_from, handled)
    _stand(dossier, received, stood_until, spans)
    if many_from is not None:
        _append(spans, max(many_from, received), handled)
    # as it was handled
    if handled is not None and (many_from is not None or _ended_late(dossier, handled)):
        _append(spans, handled, None)
    return spans


def _ended_late(dossier: Dossier, handled: int) -> bool:
    if dossier.promised_at is None:
        return False
    waits = [_span(pause) for pause in dossier.pauses]
    return handled - waited(waits, handled) > microseconds(dossier.promised_at)


def _stand(dossier: Dossier, received: int, until: int | None, spans: list[InstantSpan]) -> None:
    """The instants in [received, until) at which the open dossier is late: instant less waiting is after the promise."""
    promises = [(microseconds(setting.event.time), microseconds(setting.due_at)) for setting in dossier.due_settings]
    waits = [_span(pause) for pause in dossier.pauses]
    cuts = {received}
    for instant in (*(at for at, _ in promises), *(end for span in waits for end in span)):
        if instant is not None and instant > received and (until is None or instant < until):
            cuts.add(instant)
    ordered: list[int | None] = [*sorted(cuts), until]
    for begin, end in pairwise(ordered):
        assert begin is not None
        promise = _promised(promises, begin)
        if promise is None:
            continue
        late_from = promise + waited(waits, begin) + 1
        waiting = any(at <= begin and (over is None or begin < over) for at, over in waits)
        if waiting and begin < late_from:
            continue  # the clock stands still: late as it was when the wait began, or not at all
        _append(spans, max(begin, late_from), end)


def _promised(promises: Sequence[tuple[int, int]], at: int) -> int | None:
    promise: int | None = None
    for told_at, due in promises:
        if told_at > at:
            break
        promise = due
    return promise


def _append(spans: list[InstantSpan], begin: int, until: int | None) -> None:
    """Add a span that is not before the others; one that touches the last goes on with it."""
    if until is not None and begin >= until:
        return
    if spans and spans[-1][1] == begin:
        spans[-1] = (spans[-1][0], until)
    else:
        spans.append((begin, until))


def _span(pause: Pause) -> InstantSpan:
    return microseconds(pause.begun_at), None if pause.until is None else microseconds(pause.until)


def _marks(dossier: Dossier) -> DossierMark:
    flags = dossier.flags
    present = (
        (flags.vneid_verified, DossierMark.VNEID_VERIFIED),
        (flags.components_digitised, DossierMark.COMPONENTS_DIGITISED),
        (flags.components_reused, DossierMark.COMPONENTS_REUSED),
        (flags.from_national_store, DossierMark.FROM_NATIONAL_STORE),
        (any(result.url for result in dossier.results), DossierMark.RESULT_LINK),
        (_any_fee(dossier.fees), DossierMark.FEE),
        (bool(dossier.fees) and not _any_fee(dossier.fees), DossierMark.FEES_ALL_ZERO),
        (dossier.payment is not None and dossier.payment.gateway in ONLINE_GATEWAYS, DossierMark.PAID_ONLINE),
        (dossier.satisfied is False, DossierMark.DISLIKED),
        (dossier.satisfied is not None, DossierMark.RATED),
    )
    marks = 0
    for holds, mark in present:
        if holds:
            marks |= mark.value
    return DossierMark(marks)


def _any_fee(fees: Iterable[Fee]) -> bool:
    return any(fee.amount_vnd > 0 for fee in fees)
