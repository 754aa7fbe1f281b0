"""The period figures and rates of docs/rules.md sections 6 and 7, dossier by dossier, from the oracle's computations."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

from tests.oracle.computation import Computation, local_date

Scope = Callable[[Computation], bool]

PATHS = (
    "received.total",
    "received.new.total",
    "received.new.online",
    "received.new.direct",
    "received.new.postal",
    "received.carried_over",
    "resolved.total",
    "resolved.early",
    "resolved.on_time",
    "resolved.late",
    "resolved.withdrawn",
    "resolved.stopped",
    "open.total",
    "open.within",
    "open.overdue",
    "open.paused",
)


def in_subtree(root: str, agency: str | None, tenant: str = "H51") -> bool:
    """The agency tree as the codes tell it; 'none' and unknown ones stand under the tenant's root."""
    if root == tenant:
        return True
    return agency is not None and (agency == root or agency.startswith(root + "."))


def scope(
    *,
    agency: str | None = None,
    receiving: str | None = None,
    procedures: Iterable[str] | None = None,
    channel: str | None = None,
    tenant: str = "H51",
) -> Scope:
    wanted = None if procedures is None else set(procedures)

    def belongs(dossier: Computation) -> bool:
        return (
            (agency is None or in_subtree(agency, dossier.agency, tenant))
            and (receiving is None or in_subtree(receiving, dossier.receiving_agency, tenant))
            and (wanted is None or dossier.procedure in wanted)
            and (channel is None or dossier.channel == channel)
        )

    return belongs


def effective_to(to: date, today: date) -> date:
    """'For a period that has not ended, T is today.'"""
    return min(to, today)


def places(dossier: Computation, start: date, to: date) -> set[str]:
    """The columns of form II.06 where one dossier stands for [F, T], by their path in the answer."""
    if dossier.received_at is None:
        return set()  # "Without a received the dossier is in no period figure"
    R = local_date(dossier.received_at)
    E = local_date(dossier.ended_at) if dossier.ended_at else None
    found: set[str] = set()

    if start <= R <= to and dossier.channel == "online":
        found |= {"received.new.online", "received.new.total"}  # 4
    if start <= R <= to and dossier.channel != "online":
        found |= {f"received.new.{dossier.channel}", "received.new.total"}  # 5
    if start > R and (E is None or start <= E):
        found |= {"received.carried_over"}  # 6
    if found:
        found |= {"received.total"}  # 3

    if E is not None and start <= E <= to:
        due = dossier.due_at_moment(dossier.ended_at)  # "for columns 8-10 at ended_at (same-instant events included)"
        D = local_date(due) if due else None
        if D is not None and E < D:
            found |= {"resolved.early"}  # 8
        if D is None or E == D:
            found |= {"resolved.on_time"}  # 9
        if D is not None and E > D:
            found |= {"resolved.late"}  # 10
        found |= {"resolved.total"}  # 7
        if dossier.end_kind in ("withdrawn", "stopped"):
            found |= {f"resolved.{dossier.end_kind}"}  # "of column 7 by end_kind, withdrawn and stopped"

    if to >= R and (E is None or to < E):
        due = dossier.due_at_end_of(to)  # "for columns 12-13 at the end of day T, also where the dossier ended later"
        D = local_date(due) if due else None
        paused = dossier.paused_at_end_of(to)
        if D is None or to <= D or paused:
            found |= {"open.within"}  # 12
        if D is not None and to > D and not paused:
            found |= {"open.overdue"}  # 13
        if paused:
            found |= {"open.paused"}  # "of column 11 those paused at the end of T"
        found |= {"open.total"}  # 11
    return found


def overdue_on(dossier: Computation, day: date) -> bool:
    """'`overdue` is by date, as column 13'."""
    return "open.overdue" in places(dossier, day, day)


def dossiers_behind(dossiers: Iterable[Computation], start: date, to: date, belongs: Scope) -> dict[str, set[str]]:
    """For each figure's path, the codes of the dossiers in it."""
    behind: dict[str, set[str]] = {path: set() for path in PATHS}
    for dossier in dossiers:
        if belongs(dossier):
            for path in places(dossier, start, to):
                behind[path].add(dossier.code)
    return behind


def rounded(numerator: int, denominator: int) -> str | None:
    """'ROUND_HALF_UP to 2 decimals on exact integers; a zero denominator gives null'."""
    if denominator == 0:
        return None
    hundredths = Fraction(numerator * 100, denominator) * 100
    whole = hundredths.numerator // hundredths.denominator
    if hundredths - whole >= Fraction(1, 2):
        whole += 1
    return str((Decimal(whole) / 100).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP))


def rates(counts: dict[str, int]) -> dict[str, dict[str, Any]]:
    """The table of section 7."""
    in_time = counts["resolved.early"] + counts["resolved.on_time"]
    pairs = {
        "resolved_on_time": (in_time, in_time + counts["resolved.late"]),
        "index_on_time": (in_time + counts["open.within"], counts["resolved.total"] + counts["open.total"]),
        "on_time_of_received": (in_time, counts["received.total"]),
        "open_within": (counts["open.within"], counts["open.total"]),
    }
    return {
        key: {"value": rounded(top, bottom), "numerator": top, "denominator": bottom} for key, (top, bottom) in pairs.items()
    }


def identities(counts: dict[str, int]) -> dict[str, bool]:
    """'Identities that must hold in every answer, for every scope'."""
    new_others = counts["received.new.direct"] + counts["received.new.postal"]
    return {
        "3=4+5+6": counts["received.total"] == counts["received.new.online"] + new_others + counts["received.carried_over"],
        "7=8+9+10": counts["resolved.total"]
        == counts["resolved.early"] + counts["resolved.on_time"] + counts["resolved.late"],
        "11=12+13": counts["open.total"] == counts["open.within"] + counts["open.overdue"],
        "3=7+11": counts["received.total"] == counts["resolved.total"] + counts["open.total"],
    }


def summary(
    dossiers: Iterable[Computation], start: date, to: date, belongs: Scope = lambda _dossier: True
) -> dict[str, Any]:
    """The `stats/summary` answer in outline: figures nested as in the contract, rates, checks."""
    counts = {path: len(codes) for path, codes in dossiers_behind(dossiers, start, to, belongs).items()}
    answer: dict[str, Any] = {}
    for path, count in counts.items():
        *above, last = path.split(".")
        room = answer
        for step in above:
            room = room.setdefault(step, {})
        room[last] = count
    answer["rates"] = rates(counts)
    answer["checks"] = [{"identity": name, "holds": holds} for name, holds in identities(counts).items()]
    answer["period"] = {"from": start.isoformat(), "to": to.isoformat()}
    return answer
