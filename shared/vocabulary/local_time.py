"""Local dates: every date of the rules is one of Asia/Ho_Chi_Minh (UTC+07, no summer time)."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Final

LOCAL_ZONE: Final = timezone(timedelta(hours=7), "+07:00")
"""Asia/Ho_Chi_Minh; a fixed offset, because the country keeps no summer time."""

ONE_DAY: Final = timedelta(days=1)


def local_date(instant: datetime) -> date:
    """The local date on which ``instant`` (aware) falls; the last representable day for what lies beyond it."""
    try:
        return instant.astimezone(LOCAL_ZONE).date()
    except OverflowError:  # the last seven hours of the year 9999
        return date.max


def start_of_day(on: date) -> datetime:
    """The local midnight at which ``on`` begins, in UTC."""
    return datetime.combine(on, time.min, LOCAL_ZONE).astimezone(UTC)


def end_of_day(on: date) -> datetime:
    """The local midnight that ends ``on``, in UTC: the first instant that is no longer of that day."""
    return start_of_day(on) + ONE_DAY


def day_after(on: date) -> date:
    """The next day; the last representable day stays where it is."""
    return on + ONE_DAY if on < date.max else on


def local_date_of(written: str) -> date:
    """The local date of an instant in RFC 3339, as facts of records have it."""
    return local_date(datetime.fromisoformat(written))
