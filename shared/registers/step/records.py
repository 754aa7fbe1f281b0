"""The rows of a dossier's control slip by its events (registers, section 5); times and terms are computed when read."""

from collections.abc import Sequence
from typing import Any, Final

from shared.projection.rules.records import Record
from shared.vocabulary.events import RecordEvent

FIGURES: Final = ()

_HANDED: Final = ("step_no", "department", "officer", "from_officer", "sheets")


class _Walk:
    """The rows so far. A row without ``ended_at`` is the open one; it is the last."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.anomalies: list[str] = []

    @property
    def open_row(self) -> dict[str, Any] | None:
        return self.rows[-1] if self.rows and "ended_at" not in self.rows[-1] else None

    @property
    def holder(self) -> dict[str, Any] | None:
        """Of the last row; of one that went back who gave it, whose department no row says."""
        if not self.rows:
            return None
        last = self.rows[-1]
        if "returned_at" not in last:
            return {name: last[name] for name in ("officer", "department", "step_no")}
        return {"officer": last["from_officer"]} if "from_officer" in last else None

    def handed(self, event: RecordEvent) -> None:
        holder, giver = self.holder, event.data.get("from_officer")
        if holder is not None and giver is not None and giver != holder["officer"]:
            self.anomalies.append("two_holders")
        self.end(event)
        self.rows.append({"at": event.time} | {name: event.data[name] for name in _HANDED if name in event.data})

    def taken(self, event: RecordEvent) -> None:
        row = self.open_row
        if row is None:
            return
        if event.data["officer"] != row["officer"]:
            self.anomalies.append("taken_by_other")
        if "taken_at" not in row:
            row |= {"taken_at": event.time, "taken_by": event.data["officer"]}

    def returned_back(self, event: RecordEvent) -> None:
        self.end(event)
        if self.rows and "returned_at" not in self.rows[-1]:
            self.rows[-1] |= {"returned_at": event.time, "reason": event.data["reason"]}

    def paused(self, event: RecordEvent) -> None:
        row = self.open_row
        if row is not None and not _is_paused(row):
            row.setdefault("pauses", []).append([event.time, None])

    def resumed(self, event: RecordEvent) -> None:
        row = self.open_row
        if row is not None and _is_paused(row):
            row["pauses"][-1][1] = event.time

    def finished(self, event: RecordEvent) -> None:
        row = self.open_row
        self.end(event)
        if row is not None and "outcome" in event.data:
            row["outcome"] = event.data["outcome"]

    def end(self, event: RecordEvent) -> None:
        row = self.open_row
        if row is not None:
            row["ended_at"] = event.time


def _is_paused(row: dict[str, Any]) -> bool:
    return "pauses" in row and row["pauses"][-1][1] is None


def fold(_code: str, events: Sequence[RecordEvent]) -> Record:
    """The rows; the agency is that of the dossier."""
    walk = _Walk()
    for event in events:
        getattr(walk, event.name.local_name)(event)
    holder = walk.holder
    return Record(None, {"rows": walk.rows} | ({} if holder is None else {"holder": holder}), anomalies=walk.anomalies)
