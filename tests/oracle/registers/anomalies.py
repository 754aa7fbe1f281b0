"""What is strange about records, and the control slip, from docs/registers.md alone: the anomalies that its text defines in full.

Left out is what its text names only: kind_unknown, unknown_component, two_holders, handed_late.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from tests.oracle.computation import Computation
from tests.oracle.registers.digitisation import codes as components
from tests.oracle.registers.digitisation import with_file
from tests.oracle.registers.events import Told, after, before, first, last, named
from tests.oracle.registers.feedback import STATE_AFTER
from tests.oracle.registers.payments import Transaction, obligations, transactions
from tests.oracle.registers.steps import instances, steps_in_force
from tests.oracle.registers.world import World

# ---------------------------------------------------------------------------------------------------- feedback

EXPECTED = {
    None: ("submitted", "received"),
    "sent": ("received", "refused", "forwarded", "more_requested", "transferred"),
    "open": ("answered", "published", "forwarded", "withdrawn", "more_requested", "transferred", "reclassified"),
    "waiting": ("more_given", "answered", "refused", "withdrawn"),
    "handled": ("published", "rated", "reopened"),
    "refused": (),
}


def unexpected_step(events: list[Told]) -> bool:
    """The line 'Expected', by the state after each step; 'waiting: …, refused (if never received)'."""
    state: str | None = None
    received = False
    for event in events:
        too_late = event.name == "refused" and state == "waiting" and received
        if event.name not in EXPECTED[state] or too_late:
            return True
        received = received or event.name == "received"
        if event.name == "received" or (event.name == "more_given" and received):
            state = "open"
        else:
            state = STATE_AFTER.get(event.name, state)
    return False


def of_feedback(world: World, code: str) -> set[str]:
    events = world.records["feedback"][code]
    received, answered = named(events, "received"), named(events, "answered")
    submission = first(events, "submitted")
    said = submission.data if submission else {}
    about, repeats = said.get("about_dossier"), said.get("repeats")
    told = last(events, "transferred") or first(events, "received") or last(events, "submitted")

    def answered_again() -> bool:
        """A second one, if nobody asked again between."""
        for one, other in pairwise(answered):
            between = before(events, other)
            if first(between[between.index(one) :], "reopened") is None:
                return True
        return False

    found = {
        "unexpected_step": unexpected_step(events),
        "not_received": bool(named(events, "answered", "published")) and not received,
        "received_twice": len(received) > 1,
        "answered_twice": answered_again(),
        "published_unanswered": any(not named(before(events, e), "answered") for e in named(events, "published")),
        "published_private": any(
            (answer := last(before(events, e), "answered")) is not None and answer.data.get("public") is False
            for e in named(events, "published")
        ),
        "refused_after_reception": any(named(before(events, e), "received") for e in named(events, "refused")),
        "repeats_unknown": repeats is not None and repeats not in world.records["feedback"],
        "repeats_self": repeats == code,
        "dossier_unknown": about is not None and about not in world.dossiers,
        "unknown_agency": told is not None
        and told.data["agency_code"] not in {agency["code"] for agency in world.setting.agencies},
    }
    return {name for name, holds in found.items() if holds}


# ---------------------------------------------------------------------------------------------------- payments


def failures(events: list[Told]) -> list[Told]:
    return [e for e in events if e.data.get("outcome" if e.name == "confirmed" else "state") in ("failed", 4)]


def receipts(world: World) -> dict[str, set[str]]:
    """The transactions that have each number of a receipt."""

    def found() -> dict[str, set[str]]:
        answer: dict[str, set[str]] = {}
        for code, events in world.records["payment"].items():
            for event in named(events, "receipt_issued", "receipt_cancelled"):
                answer.setdefault(event.data["number"], set()).add(code)
        return answer

    return world.keep("receipts", found)


def of_payment(world: World, one: Transaction) -> set[str]:
    events, success = one.events, one.success
    told = named(events, "confirmed", "queried")
    orders = named(events, "refund_requested", "refunded")
    bills = named(events, "receipt_issued", "receipt_cancelled")

    def after_refund() -> bool:
        """A receipt issued when all that was paid had been given back."""
        for event in named(events, "receipt_issued"):
            so_far = Transaction(one.reference, before(events, event))
            if success is not None and so_far.refunded > 0 and so_far.refunded >= one.amount:
                return True
        return False

    late_failures = success is not None and any(e in told[told.index(success) :] for e in failures(told))
    found = {
        "failed_after_success": late_failures,
        "refund_unpaid": success is None and bool(orders),
        "refund_exceeds": one.refunded > one.amount,
        "receipt_unpaid": success is None and bool(bills),
        "receipt_after_refund": after_refund(),
        "receipt_twice": any(len(receipts(world)[event.data["number"]]) > 1 for event in bills),
        "double_paid": one.reference in obligations(world)[one.obligation]["double"],
    }
    return {name for name, holds in found.items() if holds}


# --------------------------------------------------------------------------------------- what stands beside a dossier


def of_components(world: World, code: str, dossier: Computation) -> set[str]:
    events = world.records["component"][code]
    exempt = {e.data["component_code"] for e in named(events, "exempt") if e.data["reason"] != "electronic"}
    processed = [event.time for event in dossier.events if event.name == "processed"]
    found = {
        "file_without_submission": bool(with_file(events) - components(events, "submitted")),
        "exempt_and_file": bool(exempt & with_file(events)),
        "result_unprocessed": any(not any(p <= e.time for p in processed) for e in named(events, "result_issued")),
    }
    return {name for name, holds in found.items() if holds}


def of_post(world: World, code: str, dossier: Computation) -> set[str]:
    events = world.records["post"][code]
    handed_over = first(events, "handed_over")
    received = dossier.received_at
    found = {
        "received_before_handover": handed_over is not None and received is not None and received < handed_over.time,
        "delivered_not_dispatched": any(not named(before(events, e), "dispatched") for e in named(events, "delivered")),
        "postal_without_item": dossier.channel == "postal" and handed_over is None,
        "lost": any(e.data["reason"] == "lost" for e in named(events, "failed")),
    }
    return {name for name, holds in found.items() if holds}


def of_steps(world: World, code: str, dossier: Computation) -> set[str]:
    events = world.records["step"][code]
    process = steps_in_force(world, dossier)
    done = {one.step_no for one in instances(world, code)}
    ended = dossier.ended_at

    def by_other(event: Told) -> bool:
        """Of the handing that waits to be signed: one that was handed back or finished does not."""
        handed = last(before(events, event), "handed", "returned_back", "finished")
        return handed is not None and handed.name == "handed" and handed.data["officer"] != event.data["officer"]

    found = {
        "taken_by_other": any(by_other(event) for event in named(events, "taken")),
        "step_unknown": bool(process) and any(e.data["step_no"] not in process for e in named(events, "handed")),
        "step_skipped": ended is not None
        and any(step.get("counts", True) and number not in done for number, step in process.items()),
        "handed_after_end": ended is not None and any(e.time >= ended for e in named(events, "handed")),
    }
    return {name for name, holds in found.items() if holds}


def of_dossier(world: World, code: str) -> dict[str, set[str]]:
    """By what stands beside it; only where something does."""
    dossier = world.dossiers[code]
    kinds = {"component": of_components, "post": of_post, "step": of_steps}
    return {name: of(world, code, dossier) for name, of in kinds.items() if code in world.records[name]}


def giver_of(events: list[Told], handed: Told) -> str | None:
    """Who the row says gave it, else the holder: 'officer of the last handed that was not returned_back (then the from of that
    row)'."""
    earlier = last(before(events, handed), "handed")
    if "from_officer" in handed.data or earlier is None:
        return handed.data.get("from_officer")
    between = before(events, handed)[before(events, handed).index(earlier) :]
    return earlier.data.get("from_officer") if named(between, "returned_back") else earlier.data["officer"]


def slip(world: World, code: str) -> list[dict[str, Any]]:
    """'a row per handed: when, who gave, who took, early / on time / late': of those that are instances and ended. Who took it
    signed the slip, though that was after the dossier's end."""
    events = world.records["step"].get(code, [])
    rows = []
    for one in instances(world, code):
        if one.ended_at is None:
            continue
        signed = first(after(events, one.handed), "taken", "handed", "returned_back", "finished")
        taken = signed if signed is not None and signed.name == "taken" else None
        rows.append(
            {
                "handed_at": one.handed.time,
                "taken_at": taken.time if taken else None,
                "giver": giver_of(events, one.handed),
                "receiver": taken.data["officer"] if taken else one.officer,
                "standing": one.outcome,
            }
        )
    return rows


KNOWN = {
    "feedback": "unexpected_step not_received received_twice answered_twice published_unanswered published_private"
    " refused_after_reception repeats_unknown repeats_self dossier_unknown unknown_agency",
    "payments": "failed_after_success refund_unpaid refund_exceeds receipt_unpaid receipt_after_refund receipt_twice"
    " double_paid",
    "component": "file_without_submission exempt_and_file result_unprocessed",
    "post": "received_before_handover delivered_not_dispatched postal_without_item lost",
    "step": "taken_by_other step_unknown step_skipped handed_after_end",
}
"""What is compared; an answer may have more."""


def payments(world: World) -> dict[str, Transaction]:
    return {one.reference: one for one in transactions(world)}


ASKED: dict[str, tuple[Callable[[World], Any], Callable[[World, str], Any]]] = {
    "feedback": (lambda world: world.records["feedback"], of_feedback),
    "payments": (payments, lambda world, code: of_payment(world, payments(world)[code])),
    "dossiers": (lambda world: world.dossiers, of_dossier),
    "slips": (lambda world: [code for code in world.dossiers if code in world.records["step"]], slip),
}
"""By what is asked: the codes that there are, and the answer of one."""


def strange(world: World, what: str, codes: tuple[str, ...]) -> dict[str, Any]:
    known, answer = ASKED[what]
    there = known(world)
    return {code: answer(world, code) for code in codes if code in there}
