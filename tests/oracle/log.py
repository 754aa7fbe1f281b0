"""The log as it was told: posted CloudEvents (plain dicts, arrival order) and which of them are effective (section 2).

Nothing of the product is imported or imitated here: every function quotes the sentence of docs/rules.md it stands for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

LOCAL = timezone(timedelta(hours=7))  # "Asia/Ho_Chi_Minh (UTC+07, no summer time)"

RANK = {
    "submitted": 1,
    "received": 2,
    "taken_over": 3,
    "due_set": 4,
    "payment_requested": 5,
    "paid": 6,
    "supplement_requested": 7,
    "supplemented": 8,
    "assigned": 9,
    "transferred": 10,
    "extended": 11,
    "overdue": 12,
    "rated": 13,
    "withdrawn": 14,
    "rejected": 15,
    "stopped": 16,
    "processed": 17,
    "returned": 18,
}


# ---------------------------------------------------------------------------------------------------- instants


def instant(text: str) -> datetime:
    """RFC 3339, any offset, truncated to microseconds; stored in UTC."""
    found = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:([Zz])|([+-])(\d\d):(\d\d))", text)
    if found is None:
        raise ValueError(f"not an RFC 3339 instant: {text}")
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    micro = int(((found[7] or "") + "000000")[:6])
    moment = datetime(year, month, day, hour, minute, second, micro, tzinfo=UTC)
    if found[8]:
        return moment
    offset = timedelta(hours=int(found[10]), minutes=int(found[11]))
    return moment - offset if found[9] == "+" else moment + offset


def local_date(moment: datetime) -> date:
    return moment.astimezone(LOCAL).date()


def midnight_ending(day: date) -> datetime:
    """The local midnight at which a local day is over."""
    return datetime(day.year, day.month, day.day, tzinfo=LOCAL) + timedelta(days=1)


# ------------------------------------------------------------------------------------------------------- events


@dataclass(eq=False)
class Told:
    """One event of the log."""

    name: str
    dossier: str
    source: str
    id: str
    time: datetime
    data: dict[str, Any]

    @property
    def identity(self) -> tuple[str, str]:
        return (self.source, self.id)

    @property
    def place(self) -> tuple[datetime, int, bytes, bytes]:
        """'ordered by (time, rank, source, id), strings as UTF-8 bytes'."""
        return (self.time, RANK[self.name], self.source.encode(), self.id.encode())

    def moment_in(self, key: str) -> datetime | None:
        text = self.data.get(key)
        return None if text is None else instant(text)


def listen(posted: list[dict[str, Any]]) -> dict[tuple[str, str], Told]:
    """'Same (source, id) and same content: duplicate: the first position, counted once.'"""
    log: dict[tuple[str, str], Told] = {}
    for item in posted:
        if (item["source"], item["id"]) in log:
            continue
        kind = re.fullmatch(r"vn\.motcua\.dossier\.([a-z_]+)\.v1", item["type"])
        if kind is None:
            raise ValueError(f"not an event of a dossier: {item['type']}")
        data = {key: value for key, value in (item.get("data") or {}).items() if value is not None}
        logged = Told(kind[1], item["subject"], item["source"], item["id"], instant(item["time"]), data)
        log[logged.identity] = logged
    return log


def void_fault(void: Told, log: dict[tuple[str, str], Told]) -> str | None:
    """What is wrong with a void, None if it takes its target out ('effective events', and the end of section 4)."""
    target = log.get((void.data["event_source"], void.data["event_id"]))
    if target is None:
        return "void_waiting"  # "one whose event is missing waits for it"
    if target.dossier != void.dossier:
        return "void_elsewhere"  # "a void that names another dossier's event"
    if target.name == "voided":
        return "void_of_void"  # "a void of oneself or of a void of the same dossier is void_of_void"
    return None


def is_effective(logged: Told, log: dict[tuple[str, str], Told], chain: tuple[Told, ...] = ()) -> bool:
    """'All but voided ones and those that a voided names. … A due_set counts only while the event that it follows
    is effective.'"""
    if logged.name == "voided" or logged in chain:
        return False
    for other in log.values():
        if (
            other.name == "voided"
            and other.dossier == logged.dossier
            and (other.data["event_source"], other.data["event_id"]) == logged.identity
        ):
            return False
    if logged.name != "due_set":
        return True
    follows = logged.data["follows"]
    followed = log.get((follows["source"], follows["id"]))
    return followed is not None and followed.dossier == logged.dossier and is_effective(followed, log, (*chain, logged))


def effective_events(code: str, log: dict[tuple[str, str], Told]) -> list[Told]:
    own = {logged.identity: logged for logged in log.values() if logged.dossier == code}
    return sorted((logged for logged in own.values() if is_effective(logged, own)), key=lambda logged: logged.place)
