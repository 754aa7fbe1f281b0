"""Which figures of a period one dossier stands in (rules, section 6): the other reading of `contributions`."""

from collections.abc import Iterator
from typing import Final

from shared.counting.rules.contributions import Contributions, Resolution, covers
from shared.counting.rules.figure_definitions import Figure
from shared.dossiers.rules.lifecycle import EndKind
from shared.vocabulary.events import Channel
from shared.vocabulary.periods import Period

_BY_CHANNEL: Final = {
    Channel.ONLINE.value: Figure.RECEIVED_ONLINE,
    Channel.DIRECT.value: Figure.RECEIVED_DIRECT,
    Channel.POSTAL.value: Figure.RECEIVED_POSTAL,
}
_BY_RESOLUTION: Final = {
    Resolution.EARLY: Figure.RESOLVED_EARLY,
    Resolution.ON_TIME: Figure.RESOLVED_ON_TIME,
    Resolution.LATE: Figure.RESOLVED_LATE,
}
_BY_END: Final = {EndKind.WITHDRAWN: Figure.WITHDRAWN, EndKind.STOPPED: Figure.STOPPED}


def places(contributed: Contributions | None, channel: str | None, period: Period) -> frozenset[Figure]:
    """Every figure of ``period`` that counts the dossier; none for one that was never received."""
    return frozenset() if contributed is None else frozenset(_places(contributed, channel, period))


def _places(contributed: Contributions, channel: str | None, period: Period) -> Iterator[Figure]:
    received_on, ended_on = contributed.received_on, contributed.ended_on
    if received_on > period.to_on:
        return
    if received_on in period:
        yield Figure.RECEIVED
        yield Figure.RECEIVED_NEW
        if channel in _BY_CHANNEL:
            yield _BY_CHANNEL[channel]
    elif ended_on is None or ended_on >= period.from_on:
        yield Figure.RECEIVED
        yield Figure.CARRIED_OVER
    if ended_on is None or ended_on > period.to_on:
        yield Figure.OPEN
        yield Figure.OVERDUE if covers(contributed.overdue, period.to_on) else Figure.WITHIN
        if covers(contributed.paused, period.to_on):
            yield Figure.PAUSED
    elif ended_on in period:
        yield Figure.RESOLVED
        if contributed.resolution is not None:
            yield _BY_RESOLUTION[contributed.resolution]
        if contributed.end_kind in _BY_END:
            yield _BY_END[contributed.end_kind]
