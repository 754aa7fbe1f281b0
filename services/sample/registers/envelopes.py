"""One event of the second sample as a CloudEvent. The same sample gives the same ids: loading twice adds nothing."""

from collections import Counter
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from services.sample.history import LOCAL, SATURDAY
from services.sample.table import REGISTERS_SAMPLE

NAME: Final = REGISTERS_SAMPLE
YEAR: Final = 2022
SOURCE: Final = f"urn:motcua:sample:{NAME}"


class EventWriter:
    """Writes events, and numbers those of one record that have one name."""

    def __init__(self) -> None:
        self._numbers: Counter[tuple[str, str]] = Counter()

    def write(self, name: str, subject: str, at: datetime, **data: Any) -> dict[str, Any]:
        """The event ``<register>.<name>`` of a record; what is None in ``data`` is left out."""
        self._numbers[name, subject] += 1
        return {
            "specversion": "1.0",
            "type": f"vn.motcua.{name}.v1",
            "source": SOURCE,
            "id": f"{subject}/{name}/{self._numbers[name, subject]}",
            "subject": subject,
            "time": at.isoformat(),
            "data": {key: value for key, value in data.items() if value is not None},
        }


def at_hour(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), tzinfo=LOCAL)


def weekday_from(day: date) -> date:
    """The first day from ``day`` on that is no weekend."""
    while day.weekday() >= SATURDAY:
        day += timedelta(days=1)
    return day
