"""Online payments, docs/registers.md section 2: transactions, obligations, statements."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any

from tests.oracle.log import local_date
from tests.oracle.registers.catalogue import entries, fact
from tests.oracle.registers.events import Told, by, first, named
from tests.oracle.registers.world import Counts, Unit, World

LINES = ("fee", "land", "other", "total")
COLUMNS = ("p1", "p2", "p3", "p4", "p5", "p6", "p7", "q2", "q5")
FIGURES = tuple(f"{line}.{column}" for line in LINES for column in COLUMNS)
RATES = {
    "pay.success": ("total.p2", "total.p1"),
    "pay.success.fee": ("fee.p2", "fee.p1"),
    "pay.success.land": ("land.p2", "land.p1"),
    "pay.success.other": ("other.p2", "other.p1"),
    "pay.online": ("paid_online", "owing"),
}
IDENTITIES = (
    *((f"{line}.p1", (f"{line}.p2", f"{line}.p3", f"{line}.p4")) for line in LINES),
    *((f"{line}.p5", (f"{line}.p6", f"{line}.p7")) for line in LINES),
    *((f"total.{column}", (f"fee.{column}", f"land.{column}", f"other.{column}")) for column in COLUMNS),
)
CLASSES = (
    "duplicate_line",
    "unknown_there",
    "not_succeeded_here",
    "other_day",
    "amount_differs",
    "matched",
    "failed_there",
    "failed_both",
    "missing_there",
)


class Transaction:
    def __init__(self, reference: str, events: list[Told]) -> None:
        self.reference = reference
        self.events = events
        self.initiation = first(events, "initiated")
        self.success = self._success()

    def at(self, day: date) -> Transaction:
        return Transaction(self.reference, by(self.events, day))

    def _success(self) -> Told | None:
        """'succeeded from the first confirmed succeeded or queried 1 (paid_at) and for ever'."""
        for event in self.events:
            if event.name == "confirmed" and event.data["outcome"] == "succeeded":
                return event
            if event.name == "queried" and event.data["state"] == 1:
                return event
        return None

    @property
    def state(self) -> str:
        """'Else failed if the last confirmed / queried says so, else pending.'"""
        if self.success is not None:
            return "succeeded"
        told = named(self.events, "confirmed", "queried")
        if told and (told[-1].data.get("outcome") == "failed" or told[-1].data.get("state") == 4):
            return "failed"
        return "pending"

    @property
    def said(self) -> dict[str, Any]:
        """'The first initiated gives dossier, line, gateway, obligation'."""
        assert self.initiation is not None
        return self.initiation.data

    @property
    def obligation(self) -> str:
        return self.said.get("obligation") or f"{self.said['dossier_code']}/{self.said['purpose']}"

    @property
    def amount(self) -> int:
        """'amount_vnd of the event that gave success, if it has one, else of initiated'."""
        given = self.success.data.get("amount_vnd") if self.success else None
        return self.said["amount_vnd"] if given is None else given

    @property
    def refunded(self) -> int:
        """'sum over refund_ref of the last refunded if succeeded'."""
        latest = {event.data["refund_ref"]: event.data for event in named(self.events, "refunded")}
        return sum(data["amount_vnd"] for data in latest.values() if data["outcome"] == "succeeded")

    @property
    def net(self) -> int:
        return self.amount - self.refunded


def transactions(world: World) -> list[Transaction]:
    """'without [an initiated] the transaction is in no figure'."""

    def found() -> list[Transaction]:
        every = [Transaction(reference, events) for reference, events in world.records["payment"].items()]
        return [one for one in every if one.initiation is not None]

    return world.keep("transactions", found)


def units(world: World, start: date, to: date) -> Iterator[Unit]:
    for whole in transactions(world):
        assert whole.initiation is not None
        columns: dict[str, int] = {}
        if start <= whole.initiation.day <= to:
            then = whole.at(to)
            columns["p1"] = 1
            columns[{"succeeded": "p2", "failed": "p3", "pending": "p4"}[then.state]] = 1
            if then.success is not None:
                columns["p5"], columns["p6"], columns["p7"] = then.amount, then.refunded, then.net
        if whole.success is not None and start <= whole.success.day <= to:
            columns["q2"], columns["q5"] = 1, whole.amount
        counts: Counts = {}
        for line in (whole.said["purpose"], "total"):
            counts |= {f"{line}.{column}": value for column, value in columns.items()}
        code = whole.said["dossier_code"]
        yield Unit(whole.reference, world.agency_of_dossier(code), counts, world.keys_of_dossier(code))
    paid = paid_online(world)
    for code, dossier, day in world.new(start, to):
        fees = [fee["amount_vnd"] for e in dossier.events if e.name == "payment_requested" for fee in e.data["fees"]]
        owing = has_fee(world, dossier.procedure, day) and not (fees and not any(fees))
        counts = {"owing": int(owing), "paid_online": int(owing and code in paid)}
        yield Unit(code, dossier.agency, counts, world.keys_of_dossier(code))


def has_fee(world: World, procedure: str | None, day: date) -> bool:
    """The decision in force on R wins, else the sheet (section 4)."""
    return fact(world, procedure, day, "fee", "has_fee") is True


def paid_online(world: World) -> set[str]:
    """'iff some transaction of it succeeded and has net > 0, or it has a paid succeeded by national or local gateway'."""

    def found() -> set[str]:
        paid = {one.said["dossier_code"] for one in transactions(world) if one.success is not None and one.net > 0}
        for code, dossier in world.dossiers.items():
            for event in dossier.events:
                online = event.name == "paid" and event.data["gateway"] in ("national", "local")
                if online and event.data["outcome"] == "succeeded":
                    paid.add(code)
        return paid

    return world.keep("paid online", found)


# -------------------------------------------------------------------------------------------------- obligations


def obligations(world: World) -> dict[str, dict[str, Any]]:
    """For each obligation: owed, excess, its attempts; `double` where two or more succeeded and excess > 0, and then `kept`."""

    def found() -> dict[str, dict[str, Any]]:
        grouped: dict[str, list[Transaction]] = {}
        for one in transactions(world):
            grouped.setdefault(one.obligation, []).append(one)
        answer = {}
        for name, attempts in grouped.items():
            said = min(attempts, key=lambda one: one.initiation.place).said  # "owed_vnd of its first initiated"
            owed = said["amount_vnd"] if said.get("owed_vnd") is None else said["owed_vnd"]
            succeeded = [one for one in attempts if one.success is not None]
            excess = max(sum(one.net for one in succeeded) - owed, 0)
            double = len(succeeded) >= 2 and excess > 0
            holding = [one for one in succeeded if one.net > 0]
            kept = min(holding, key=lambda one: (one.success.time, one.reference.encode()), default=None)
            answer[name] = {
                "owed": owed,
                "excess": excess,
                "double": sorted(one.reference for one in succeeded) if double else [],
                "kept": kept.reference if double and kept else None,
            }
        return answer

    return world.keep("obligations", found)


def records(world: World) -> dict[str, dict[str, Any]]:
    """'A transaction answers …': those that were initiated; `kept` where its obligation is paid double."""
    answer = {}
    for one in transactions(world):
        owed = obligations(world)[one.obligation]
        answer[one.reference] = {
            "dossier_code": one.said["dossier_code"],
            "purpose": one.said["purpose"],
            "state": one.state,
            "amount_vnd": one.amount,
            "refunded_vnd": one.refunded,
            "net_vnd": one.net,
            "paid_at": one.success.time if one.success else None,
            "obligation": one.obligation,
            "excess_vnd": owed["excess"],
            "double": one.reference in owed["double"],
        }
        if one.reference in owed["double"]:
            answer[one.reference]["kept"] = one.reference == owed["kept"]
    return answer


# --------------------------------------------------------------------------------------------------- statements


def classed(world: World, gateway: str, day: date, lines: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """'Each line and each of ours gets exactly one class, first match': {class: {count, statement_vnd, ours_vnd,
    references}}."""
    known = {one.reference: one for one in transactions(world) if one.said["gateway"] == gateway}
    ours = {
        reference: one for reference, one in known.items() if one.success is not None and local_date(one.success.time) == day
    }
    answer: dict[str, dict[str, Any]] = {
        name: {"count": 0, "statement_vnd": 0, "ours_vnd": 0, "references": []} for name in CLASSES
    }
    seen: set[str] = set()

    def add(name: str, reference: str, line: dict[str, Any] | None, mine: Transaction | None) -> None:
        answer[name]["count"] += 1
        answer[name]["references"].append(reference)
        if line is not None and line["state"] == "succeeded":
            answer[name]["statement_vnd"] += line["amount_vnd"]
        if mine is not None:
            answer[name]["ours_vnd"] += mine.amount

    for line in lines:
        reference = line["reference"]
        one = known.get(reference)
        mine = ours.get(reference)
        if reference in seen:
            add("duplicate_line", reference, line, None)
        elif one is None:
            add("unknown_there", reference, line, None)
        elif line["state"] == "succeeded" and one.success is None:
            add("not_succeeded_here", reference, line, None)
        elif line["state"] == "succeeded" and mine is None:
            add("other_day", reference, line, None)
        elif line["state"] == "succeeded":
            assert mine is not None
            add("matched" if mine.amount == line["amount_vnd"] else "amount_differs", reference, line, mine)
        elif mine is not None:
            add("failed_there", reference, line, mine)
        else:
            add("failed_both", reference, line, None)
        seen.add(reference)
    for reference, mine in ours.items():
        if reference not in seen:
            add("missing_there", reference, None, mine)
    return answer


def statement_totals(classes: dict[str, dict[str, Any]]) -> dict[str, int]:
    there = sum(row["statement_vnd"] for row in classes.values())
    ours = sum(row["ours_vnd"] for row in classes.values())
    return {"statement_vnd": there, "ours_vnd": ours, "difference_vnd": there - ours}


# ------------------------------------------------------------------------------------- rates of procedures (rules.md 8)


def procedure_rates(
    world: World, chosen: Callable[[str | None, dict[str, str]], bool], start: date, to: date, procedure: str | None = None
) -> dict[str, tuple[int, int]]:
    """3.5 'procedures with dossiers carrying a fee / procedures with a fee'; 3.5b 'procedures with a successful online payment /
    fee procedures with dossiers'. Distinct procedures, so each scope and each row counts anew; `chosen` says whether a dossier of
    an agency and with these keys is of it, `procedure` is that of a row by procedure."""
    paid = paid_online(world)
    with_fee, with_dossiers, with_payment = set(), set(), set()
    for code, dossier, day in world.new(start, to):
        if not chosen(dossier.agency, world.keys_of_dossier(code)) or not has_fee(world, dossier.procedure, day):
            continue
        with_dossiers.add(dossier.procedure)
        fees = [fee["amount_vnd"] for e in dossier.events if e.name == "payment_requested" for fee in e.data["fees"]]
        if any(fees):
            with_fee.add(dossier.procedure)
        if code in paid:
            with_payment.add(dossier.procedure)
    # section 4: where no sheet speaks, a decision in force does
    known = {*world.sheet, *entries(world, to)} if procedure is None else {procedure}
    return {
        "pay.procedures": (len(with_fee), sum(has_fee(world, code, to) for code in known)),
        "pay.procedures_paid": (len(with_payment), len(with_dossiers)),
    }
