"""What the rules say of a dossier, computed slowly from docs/rules.md alone (sections 2-4).

Nothing of the product is imported or imitated here: every function quotes the sentence it stands for, and walks over
the whole history again each time it is asked. `compute` takes CloudEvents as posted (plain dicts) in arrival order.
"""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime
from typing import Any

from tests.oracle.log import Told, effective_events, listen, local_date, midnight_ending, void_fault

STATUS = {
    "submitted": 1,
    "received": 2,
    "payment_requested": 6,
    "paid": 4,
    "supplement_requested": 5,
    "supplemented": 4,
    "assigned": 4,
    "withdrawn": 7,
    "rejected": 3,
    "stopped": 8,
    "processed": 9,
    "returned": 10,
}

END_NAMES = ("withdrawn", "rejected", "stopped", "processed", "returned")

WORK = ("assigned", "supplement_requested", "payment_requested", "withdrawn", "stopped", "processed")
EXPECTED: dict[str | None, tuple[str, ...]] = {
    None: ("submitted", "received"),
    "submitted": ("received", "rejected", "withdrawn", "supplement_requested", "payment_requested"),
    "received": (
        "assigned",
        "supplement_requested",
        "payment_requested",
        "paid",
        "withdrawn",
        "stopped",
        "processed",
    ),
    "assigned": WORK,
    "supplemented": WORK,
    "paid": WORK,
    "supplement_requested": ("supplemented", "withdrawn", "stopped", "rejected"),
    "payment_requested": ("paid", "payment_requested", "assigned", "withdrawn", "stopped", "processed"),
    "withdrawn": ("stopped", "assigned"),
    "processed": ("returned", "assigned"),
    "rejected": (),
    "stopped": (),
    "returned": (),
}
EXPECTED_WHILE_NOT_RECEIVED = {
    "supplemented": ("received", "rejected"),
    "paid": ("received", "rejected"),
    "payment_requested": ("received", "rejected"),
}

ALLOWED_BEFORE_RECEPTION = (
    "submitted",
    "supplement_requested",
    "supplemented",
    "payment_requested",
    "paid",
    "rejected",
    "withdrawn",
    "transferred",
)

Anomaly = tuple[str, str | None, str | None]  # code, source, id; the last two are None for one a dossier


# ------------------------------------------------------------------------------------------------------ a dossier


class Computation:
    """One dossier: its effective events in fold order, and every question the rules answer about it."""

    def __init__(self, code: str, events: list[Told], voids: list[tuple[str, Told]] = ()) -> None:
        self.code = code
        self.events = events
        self.faulty_voids = list(voids)
        self.firsts = [logged for logged in events if logged.name == "received"]
        self.reception = self.firsts[0] if self.firsts else None
        self.roles = self._roles()
        self.pauses = self._pauses()
        self.end = self._end()

    # -- status

    def _roles(self) -> list[str | None]:
        """For each event: 'end', 'other' (another status-bearing event: reopens), or None (bears no status)."""
        roles: list[str | None] = []
        for index, logged in enumerate(self.events):
            received_already = any(earlier.name == "received" for earlier in self.events[:index])
            bearing_before = [role for role in roles if role is not None]
            if logged.name not in STATUS:
                roles.append(None)
            elif logged.name == "paid" and logged.data["outcome"] != "succeeded":
                roles.append(None)  # "A failed paid bears nothing."
            elif logged.name in ("payment_requested", "paid") and bearing_before and bearing_before[-1] == "end":
                roles.append(None)  # "after an end event with nothing reopening in between is not"
            elif logged.name in END_NAMES and received_already:
                roles.append("end")  # "end events are …, once the dossier has been received"
            else:
                roles.append("other")  # "Any other status-bearing event reopens."
        return roles

    @property
    def bearing(self) -> list[Told]:
        return [logged for logged, role in zip(self.events, self.roles, strict=True) if role is not None]

    @property
    def status(self) -> int | None:
        """'the status is that of the last status-bearing event, none if there is none'."""
        return STATUS[self.bearing[-1].name] if self.bearing else None

    @property
    def received_at(self) -> datetime | None:
        return self.reception.time if self.reception else None

    def _end(self) -> Told | None:
        """'ended_at, end_kind, if the last status-bearing event is an end event: among the end events after the last
        reopening event, the last processed; else the first returned; else the last stopped; else the last withdrawn;
        else the last rejected.'"""
        pairs = [(logged, role) for logged, role in zip(self.events, self.roles, strict=True) if role is not None]
        if self.reception is None or not pairs or pairs[-1][1] != "end":
            return None
        reopenings = [index for index, pair in enumerate(pairs) if pair[1] == "other"]
        ends = [logged for logged, role in pairs[(reopenings[-1] + 1) if reopenings else 0 :] if role == "end"]
        for name, which in (("processed", -1), ("returned", 0), ("stopped", -1), ("withdrawn", -1), ("rejected", -1)):
            named = [logged for logged in ends if logged.name == name]
            if named:
                return named[which]
        raise AssertionError("an end event of no kind")

    @property
    def ended_at(self) -> datetime | None:
        return self.end.time if self.end else None

    @property
    def end_kind(self) -> str | None:
        return self.end.name if self.end else None

    @property
    def is_open(self) -> bool:
        """'Without a received … it is neither open nor ended.'"""
        return self.reception is not None and self.end is None

    def is_after_reception(self, logged: Told) -> bool:
        return self.reception is not None and logged.place > self.reception.place

    # -- whose

    @property
    def agency(self) -> str | None:
        """'that of the last transferred (before reception too), else of the first received, else of the last
        submitted'."""
        transfers = [logged for logged in self.events if logged.name == "transferred"]
        return transfers[-1].data["agency_code"] if transfers else self._said("agency_code")

    @property
    def desk(self) -> str | None:
        """'what the first received tells, if that is another agency than its agency_code'."""
        told = self.reception.data.get("receiving_agency_code") if self.reception else None
        return None if self.reception is None or told == self.reception.data["agency_code"] else told

    @property
    def receiving_agency(self) -> str | None:
        """'else the agency that has the dossier, also after a transfer'; without a received nobody received it."""
        return (self.desk or self.agency) if self.reception else None

    @property
    def taken_over_at(self) -> datetime | None:
        """'the first taken_over not before reception; where the two are one and none was told, received_at'."""
        if self.reception is None:
            return None
        told = [one.time for one in self.events if one.name == "taken_over" and one.time >= self.reception.time]
        if told:
            return told[0]
        return self.received_at if self.receiving_agency == self.agency else None

    @property
    def awaiting_takeover(self) -> bool:
        """'An open dossier without it awaits takeover.'"""
        return self.is_open and self.taken_over_at is None

    @property
    def procedure(self) -> str | None:
        return self._said("procedure_code")

    @property
    def channel(self) -> str | None:
        return self._said("channel")

    def _said(self, key: str) -> str | None:
        """'of the first received, else of the last submitted; else none'."""
        submissions = [logged for logged in self.events if logged.name == "submitted"]
        said = self.reception or (submissions[-1] if submissions else None)
        return said.data[key] if said else None

    # -- pauses

    def _pauses(self) -> list[tuple[datetime, datetime | None]]:
        """'intervals from a supplement_requested to the next status-bearing event; touching ones merge, empty ones are
        dropped, those before reception count as pauses of nothing'."""
        bearing = self.bearing
        intervals: list[tuple[datetime, datetime | None]] = []
        for index, logged in enumerate(bearing):
            if logged.name != "supplement_requested" or not self.is_after_reception(logged):
                continue
            until = bearing[index + 1].time if index + 1 < len(bearing) else None
            if until != logged.time:
                intervals.append((logged.time, until))
        merged: list[tuple[datetime, datetime | None]] = []
        for began, ended in intervals:
            if merged and merged[-1][1] == began:
                merged[-1] = (merged[-1][0], ended)
            else:
                merged.append((began, ended))
        return merged

    def paused_at_end_of(self, day: date) -> bool:
        """'if a pause began before that midnight and did not end before it'."""
        midnight = midnight_ending(day)
        return any(began < midnight and not (ended is not None and ended < midnight) for began, ended in self.pauses)

    def pauses_at(self, moment: datetime) -> list[tuple[datetime, datetime | None]]:
        """'inside or at the end of a pause'."""
        return [pause for pause in self.pauses if pause[0] <= moment and (pause[1] is None or moment <= pause[1])]

    # -- due dates

    def date_set_by(self, logged: Told) -> datetime | None:
        """'Setting events: the first received (due_at), due_set, extended and supplemented (new_due_at).'"""
        if logged is self.reception:
            return logged.moment_in("due_at")
        if logged.name in ("due_set", "extended", "supplemented"):
            return logged.moment_in("new_due_at")
        return None

    @property
    def setting(self) -> list[tuple[Told, datetime]]:
        """'An event that sets no date leaves the date as it is.'"""
        dated = [(logged, self.date_set_by(logged)) for logged in self.events]
        return [(logged, when) for logged, when in dated if when is not None]

    @property
    def promised_at(self) -> datetime | None:
        """'the date set by the latest of them'."""
        return self.setting[-1][1] if self.setting else None

    @property
    def original_due_at(self) -> datetime | None:
        """'The original date is the first one set'."""
        return self.setting[0][1] if self.setting else None

    def reference_day(self, logged: Told) -> date:
        """'its own local date, or, inside or at the end of a pause, the local date on which that pause began. (For a
        due_set that follows the step that ended it: that pause too.)' Where several would do, the earliest; never a later
        day than its own (a pause that began after the event says nothing of it)."""
        pauses = self.pauses_at(logged.time)
        if logged.name == "due_set":
            follows = logged.data["follows"]
            for other in self.bearing:
                if other.identity == (follows["source"], follows["id"]):
                    pauses = pauses + [pause for pause in self.pauses_at(other.time) if pause[0] < other.time]
        return min([local_date(logged.time)] + [local_date(began) for began, _ in pauses])

    def due_dates(self, setting: list[tuple[Told, datetime]]) -> tuple[datetime | None, list[Told]]:
        """D after these setting events, and those refused: 'after reception a setting event does not move D if D's
        local day was over on the event's reference day. … The first received's due_at always moves D, and so does any
        setting event before it.'"""
        due: datetime | None = None
        refused: list[Told] = []
        for logged, when in setting:
            if self.is_after_reception(logged) and due is not None and local_date(due) < self.reference_day(logged):
                refused.append(logged)
            else:
                due = when
        return due, refused

    def due_at_moment(self, moment: datetime) -> datetime | None:
        """'In force at a moment: computed from the setting events at or before it.'"""
        return self.due_dates([(logged, when) for logged, when in self.setting if logged.time <= moment])[0]

    def due_at_end_of(self, day: date) -> datetime | None:
        """'At the end of day T: from those whose local date is <= T.'"""
        return self.due_dates([(logged, when) for logged, when in self.setting if local_date(logged.time) <= day])[0]

    @property
    def due_at(self) -> datetime | None:
        """'A dossier's answer shows due_at = D in force at ended_at, else after its last event.'"""
        return self.due_at_moment(self.ended_at) if self.ended_at else self.due_dates(self.setting)[0]

    @property
    def postponements(self) -> list[Told]:
        """'the effective extended, and supplemented with a new date, after the first received and not after the event
        that gives ended_at, in fold order'."""
        return [
            logged
            for logged in self.events
            if (logged.name == "extended" or (logged.name == "supplemented" and self.date_set_by(logged) is not None))
            and self.is_after_reception(logged)
            and (self.end is None or logged.place <= self.end.place)
        ]

    # -- anomalies (the second table of section 4, line by line)

    @property
    def anomalies(self) -> Counter[Anomaly]:
        """'one anomaly an event, but one a dossier for not_received, no_due_date, code_date_later'; those of the fold
        and those of voids. unknown_* needs a catalogue: see `unknown`."""
        found: list[Anomaly] = [(code, void.source, void.id) for code, void in self.faulty_voids]
        refused = self.due_dates(self.setting)[1]
        for index, logged in enumerate(self.events):
            before = self.events[:index]
            codes = []
            if self.roles[index] is not None and not self._expected(index):
                codes.append("unexpected_step")
            if self.reception and logged.time < self.reception.time and logged.name not in ALLOWED_BEFORE_RECEPTION:
                codes.append("before_reception")
            if logged.name == "received" and any(other.name == "received" for other in before):
                codes.append("received_twice")
            when = self.date_set_by(logged)
            if when is not None and self.reception and when < self.reception.time:
                codes.append("due_before_reception")
            if logged in refused:
                codes.append("date_after_lateness")
            if logged.name == "extended" and any(other.name == "extended" for other in before):
                codes.append("extended_twice")
            if logged.name == "supplement_requested" and any(other.name == "supplement_requested" for other in before):
                codes.append("supplements_many")
            if logged.name == "returned" and not any(other.name == "processed" for other in before):
                codes.append("returned_unprocessed")
            if logged.name == "taken_over" and not any(other.name == "received" for other in before):
                codes.append("taken_over_unreceived")
            if logged.name == "taken_over" and any(other.name == "taken_over" for other in before):
                codes.append("taken_over_twice")
            found.extend((code, logged.source, logged.id) for code in codes)
        if self.reception is None and any(
            logged.name in ("assigned", "stopped", "processed", "returned") for logged in self.events
        ):
            found.append(("not_received", None, None))
        if self.reception is not None and self.due_at is None:
            found.append(("no_due_date", None, None))
        dated = date_in_code(self.code)
        if self.reception is not None and dated is not None and dated > local_date(self.reception.time):
            found.append(("code_date_later", None, None))
        return Counter(found)

    def _expected(self, index: int) -> bool:
        """'Expected steps': from the status-bearing event before to this one."""
        logged = self.events[index]
        earlier = [other for other, role in zip(self.events[:index], self.roles[:index], strict=True) if role is not None]
        last = earlier[-1].name if earlier else None
        if logged.name in EXPECTED[last]:
            return True
        not_yet_received = not any(other.name == "received" for other in self.events[:index])
        return not_yet_received and last is not None and logged.name in EXPECTED_WHILE_NOT_RECEIVED.get(last, ())

    def unknown(self, procedures: set[str], agencies: set[str]) -> Counter[Anomaly]:
        """'unknown_* by the derived agency and procedure'; the agencies are those of the reception day's tree."""
        found: list[Anomaly] = []
        if self.procedure is not None and self.procedure not in procedures:
            found.append(("unknown_procedure", None, None))
        if self.agency is not None and self.agency not in agencies:
            found.append(("unknown_agency", None, None))
        return Counter(found)


def date_in_code(code: str) -> date | None:
    """'the date in a code is yymmdd (20yy) or yyyymmdd, an impossible date is none'."""
    digits = code.split("-")[1]
    digits = "20" + digits if len(digits) == 6 else digits
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None


def compute(posted: list[dict[str, Any]]) -> dict[str, Computation]:
    """Every dossier that an event names, by code."""
    log = listen(posted)
    by_code: dict[str, dict[tuple[str, str], Told]] = {}
    for logged in log.values():
        by_code.setdefault(logged.dossier, {})[logged.identity] = logged
    answer = {}
    for code, own in by_code.items():
        voids = [logged for logged in own.values() if logged.name == "voided"]
        faulty = [(fault, void) for void in voids if (fault := void_fault(void, log)) is not None]
        answer[code] = Computation(code, effective_events(code, own), faulty)
    return answer
