"""The row of a dossier with a plain history, straight from the log's rows: the same as by the fold, at a tenth of the cost.

Most dossiers are received, worked on, perhaps postponed, and ended, each step as section 4 of the rules expects it. For
these a single pass without any object of the domain is enough. Whatever is not plain - an anomaly, a pause, a void, a step
back, two events of which only their ids tell the order, a value that is not as it should be - is none of this module's
business: `plain_row` answers None, and the fold decides. A property test holds the two equal.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import orjson

from shared.db.dossier_rows import NO_SPANS, DossierRow
from shared.db.event_log import Recorded
from shared.domain.codes import date_in_code
from shared.domain.events import RANKS, SYSTEM_SOURCE, Channel, DossierCode
from shared.domain.figures import days_by_due_date
from shared.domain.folding import PAID_SUCCEEDED
from shared.domain.index_facts import ONLINE_GATEWAYS, Mark
from shared.domain.lifecycle import EXPECTED_NEXT, STATUS_AFTER

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LOCAL: Final = timedelta(hours=7)
_ONE_DAY: Final = timedelta(days=1)
_CHANNELS: Final = frozenset(channel.value for channel in Channel)
_RANKS: Final = {name.value: rank for name, rank in RANKS.items()}
_STATUS: Final = {name.value: status.value for name, status in STATUS_AFTER.items()}
_EXPECTED: Final = {
    None if last is None else last.value: frozenset(name.value for name in names) for last, names in EXPECTED_NEXT.items()
}
_FLAGS: Final = tuple(
    (mark.name.lower(), mark.value)
    for mark in (Mark.VNEID_VERIFIED, Mark.COMPONENTS_DIGITISED, Mark.COMPONENTS_REUSED, Mark.FROM_NATIONAL_STORE)
    if mark.name is not None
)
# plain numbers: an enum's own cost more than the rest of a row's marks
_RESULT_LINK: Final = Mark.RESULT_LINK.value
_FEE: Final = Mark.FEE.value
_FEES_ALL_ZERO: Final = Mark.FEES_ALL_ZERO.value
_PAID_ONLINE: Final = Mark.PAID_ONLINE.value
_DISLIKED: Final = Mark.DISLIKED.value
_RATED: Final = Mark.RATED.value
# what may stand in a plain history and bears a status whenever it comes
_STEPS: Final = frozenset({"assigned", "processed", "returned", "withdrawn", "stopped"})
_FEES: Final = frozenset({"payment_requested", "paid"})
_UNREADABLE: Final = (KeyError, ValueError, TypeError, AttributeError, OverflowError)


class _OutOfPlain(Exception):  # noqa: N818 - it is no error
    """The fold decides."""


def plain_row(code: DossierCode, recorded: Sequence[Recorded]) -> DossierRow | None:
    """The row of dossier ``code`` after all of its events, in log order; None if its history is not plain.

    Times are aware and UTC, as the driver reads them.
    """
    position: int = recorded[-1][0]
    try:
        try:
            return _row(code, recorded, position)
        except _OutOfPlain:
            ordered = sorted(recorded, key=lambda event: (event[6], _RANKS[event[4]]))
            if all(one is other for one, other in zip(ordered, recorded, strict=True)):
                return None
            return _row(code, ordered, position)  # it only came in another order
    except _OutOfPlain:
        return None
    except _UNREADABLE:
        return None  # the fold says what is wrong with it


def _row(  # noqa: C901, PLR0912, PLR0915 - one pass over the events, without a call for each: that is its purpose
    code: DossierCode, recorded: Sequence[Recorded], position: int
) -> DossierRow:
    latest: datetime | None = None
    rank = 0
    bearing: str | None = None
    status: int | None = None
    received: dict[str, Any] | None = None
    received_at = ended_at = promised_at = touched_at = None
    agency: str | None = None
    end_kind: str | None = None
    settings: list[tuple[datetime, datetime]] = []
    extended = False
    fees: str | None = None
    processed: str | None = None
    payment: dict[str, Any] | None = None
    rated: Any = None
    for _, _, source, _, name, _, time, data in recorded:
        last_rank, rank = rank, _RANKS[name]
        if latest is not None and (time < latest or (time == latest and rank <= last_rank)):
            raise _OutOfPlain
        latest = time
        if source != SYSTEM_SOURCE:
            touched_at = time
        if name in _STEPS or (name in _FEES and end_kind is None):
            if received is None:
                raise _OutOfPlain
            if name == "paid":
                paid = _paid(data)
                if paid is None:
                    continue
                payment = paid
            if name not in _EXPECTED[bearing] or (end_kind is not None and name != "returned"):
                raise _OutOfPlain
            bearing, status = name, _STATUS[name]
            if name == "assigned":
                continue
            if name == "returned":
                if received.get("return_method") is None:
                    orjson.loads(data)["method"]
            elif name == "payment_requested":
                fees = data
            elif name != "paid":
                ended_at, end_kind = time, name
                if name == "processed":
                    processed = data
        elif name == "received":
            if received is not None or name not in _EXPECTED[bearing]:
                raise _OutOfPlain
            received = orjson.loads(data)
            received_at, bearing, status = time, name, _STATUS[name]
            agency = received["agency_code"]
            due = received.get("due_at")
            if due is not None:
                promised_at = datetime.fromisoformat(due)
                settings.append((time, promised_at))
        elif name == "submitted":
            if bearing is not None:
                raise _OutOfPlain
            bearing, status = name, _STATUS[name]
        elif received is None:
            raise _OutOfPlain
        elif name in {"extended", "due_set"}:
            if end_kind is not None or (name == "extended" and extended):
                raise _OutOfPlain
            told = orjson.loads(data)
            if name == "extended":
                extended = True
            elif not _follows_one_of(told, recorded):
                raise _OutOfPlain
            if promised_at is not None and _local(promised_at) < _local(time):
                raise _OutOfPlain  # lateness is not erased
            promised_at = datetime.fromisoformat(told["new_due_at"])
            settings.append((time, promised_at))
        elif name == "rated":
            rated = orjson.loads(data)["satisfied"]
        elif name == "transferred":
            agency = orjson.loads(data)["agency_code"]
        elif name == "paid":
            payment = _paid(data) or payment
        elif name == "payment_requested":
            fees = data
        elif name != "overdue":
            raise _OutOfPlain
    if received is None or received_at is None:
        raise _OutOfPlain
    if received["channel"] not in _CHANNELS or any(due_at < received_at for _, due_at in settings):
        raise _OutOfPlain
    received_on = _local(received_at)
    ended_on = None if ended_at is None else _local(ended_at)
    anomalies = [] if settings else ["no_due_date"]
    code_date = date_in_code(code)
    if code_date is not None and code_date > received_on:
        anomalies.insert(0, "code_date_later")
    within, overdue = _days(settings, received_on, ended_on)
    return DossierRow(
        code,
        position,
        status,
        agency,
        received["procedure_code"],
        received["channel"],
        received_at,
        promised_at,
        promised_at,
        ended_at,
        end_kind,
        latest,
        touched_at,
        ",".join(anomalies),
        received_on,
        ended_on,
        None if ended_on is None else _resolution(ended_on, promised_at),
        within,
        overdue,
        NO_SPANS,
        ended_at,
        settings[0][0] if settings else None,
        _late(settings, ended_at) if settings else NO_SPANS,
        NO_SPANS,
        _marks(received, processed=processed, fees=fees, payment=payment, rated=rated),
    )


def _paid(data: str) -> dict[str, Any] | None:
    """A payment that succeeded."""
    paid: dict[str, Any] = orjson.loads(data)
    if paid["outcome"] != PAID_SUCCEEDED:
        return None
    paid["amount_vnd"], paid["gateway"]
    return paid


def _follows_one_of(due_set: dict[str, Any], recorded: Sequence[Recorded]) -> bool:
    """Whether a due_set follows nothing, or an event of this dossier (nothing is voided here)."""
    follows = due_set.get("follows")
    if follows is None:
        return True
    source, id_ = follows["source"], follows["id"]
    return any(event[2] == source and event[3] == id_ for event in recorded)


def _local(instant: datetime) -> date:
    """The local date of an instant in UTC; OverflowError in the last hours of the year 9999."""
    return (instant + _LOCAL).date()


def _microseconds(instant: datetime) -> int:
    since = instant - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _resolution(ended_on: date, due_at: datetime | None) -> str:
    if due_at is None:
        return "on_time"
    due_on = _local(due_at)
    if ended_on < due_on:
        return "early"
    return "on_time" if ended_on == due_on else "late"


def _days(settings: Sequence[tuple[datetime, datetime]], received_on: date, ended_on: date | None) -> tuple[str, str]:
    """The days within time and overdue, as the text of multiranges."""
    if len(settings) != 1:
        by_day = {_local(at): due_at for at, due_at in settings}
        within, overdue = days_by_due_date(by_day.items(), received_on, ended_on)
        return _text(within), _text(overdue)
    if ended_on is not None and received_on >= ended_on:
        return NO_SPANS, NO_SPANS
    at, due_at = settings[0]
    if _local(at) > received_on:
        within, overdue = days_by_due_date([(_local(at), due_at)], received_on, ended_on)
        return _text(within), _text(overdue)
    late_from = _local(due_at) + _ONE_DAY
    if ended_on is not None and ended_on <= late_from:
        return f"{{[{received_on},{ended_on})}}", NO_SPANS
    return f"{{[{received_on},{late_from})}}", f"{{[{late_from},{'' if ended_on is None else ended_on})}}"


def _text(spans: Sequence[tuple[Any, Any]]) -> str:
    return "{" + ",".join([f"[{begin},{'' if until is None else until})" for begin, until in spans]) + "}"


def _late(settings: Sequence[tuple[datetime, datetime]], handled_at: datetime | None) -> str:
    """The instants at which the dossier is late (`shared.domain.index_facts`), where nothing was waited for."""
    handled = None if handled_at is None else _microseconds(handled_at)
    spans: list[tuple[int, int | None]] = []
    last = len(settings) - 1
    for number, (told_at, due_at) in enumerate(settings):
        begin = max(_microseconds(told_at), _microseconds(due_at) + 1)
        until = handled
        if number < last:
            until = _microseconds(settings[number + 1][0])
            if handled is not None and until > handled:
                until = handled
        if until is None or begin < until:
            _append(spans, begin, until)
    if handled is not None and handled > _microseconds(settings[-1][1]):
        _append(spans, handled, None)
    return _text(spans) if spans else NO_SPANS


def _append(spans: list[tuple[int, int | None]], begin: int, until: int | None) -> None:
    if spans and spans[-1][1] == begin:
        spans[-1] = (spans[-1][0], until)
    else:
        spans.append((begin, until))


def _marks(
    received: dict[str, Any], *, processed: str | None, fees: str | None, payment: dict[str, Any] | None, rated: Any
) -> int:
    marks = 0
    flags = received.get("flags")
    if flags:
        for flag, mark in _FLAGS:
            if flags.get(flag, False):
                marks |= mark
    if processed is not None:
        results = [(result["code"], result.get("url")) for result in orjson.loads(processed).get("results", ())]
        if any(url for _, url in results):
            marks |= _RESULT_LINK
    if fees is not None:
        marks |= _fee_mark(fees)
    if payment is not None and payment["gateway"] in ONLINE_GATEWAYS:
        marks |= _PAID_ONLINE
    if rated is not None:
        marks |= _RATED | (_DISLIKED if rated is False else 0)
    return marks


def _fee_mark(payment_requested: str) -> int:
    amounts = [(fee["code"], fee["name"], fee["amount_vnd"]) for fee in orjson.loads(payment_requested)["fees"]]
    if any(amount > 0 for _, _, amount in amounts):
        return _FEE
    return _FEES_ALL_ZERO if amounts else 0
