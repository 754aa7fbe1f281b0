"""When nightly work is due: the local hour strikes, and the night is named by its local date. Pure."""

from datetime import date, datetime, time

from shared.vocabulary.local_time import LOCAL_ZONE, ONE_DAY


def last_tick(now: datetime, at: time) -> datetime:
    """The latest instant, not after ``now``, at which the local hour ``at`` struck."""
    local = now.astimezone(LOCAL_ZONE)
    tick = datetime.combine(local.date(), at, LOCAL_ZONE)
    return tick if tick <= local else tick - ONE_DAY


def night_of(tick: datetime) -> date:
    """The local date that a tick belongs to, which names its work."""
    return tick.astimezone(LOCAL_ZONE).date()
