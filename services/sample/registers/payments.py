"""Online payments of the second sample: the published counts of 2022, double payments, and a gateway's statement of one day.

Published are 555 attempts, 260 of them successful; 268, 144 and 271,954,550 đồng of them for land. Whether these are among
the 555 is not printed: here they are. The amount of the others is invented, for the printed total is malformed.
"""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

from services.sample.catalogue import PROCEDURES
from services.sample.registers.dossiers import Dossier
from services.sample.registers.envelopes import NAME, EventWriter

STATEMENT_GATEWAY: Final = "national"
STATEMENT_ON: Final = date(2022, 8, 26)

_LAND_PROCEDURE: Final = "1.004193"
_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class _Line:
    """Attempts of one purpose. ``doubles``: obligations that were paid twice; ``amount_vnd``: of all that succeeded."""

    purpose: str
    attempts: int
    succeeded: int
    doubles: int
    amount_vnd: int | None = None


_LINES: Final = (
    _Line("fee", 257, 100, 2),
    _Line("land", 268, 144, 1, 271_954_550),
    _Line("other", 30, 16, 0),
)
_UNIT_VND: Final = 5_000


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt. ``paid_at``: when it was known to have succeeded; ``is_double``: what it pays was paid already."""

    reference: str
    dossier: Dossier
    purpose: str
    gateway: str
    amount_vnd: int
    at: datetime
    state: str
    paid_at: datetime | None = None
    is_double: bool = False


def attempts(dossiers: Sequence[Dossier]) -> list[Attempt]:
    """Every attempt, line by line; of each those that succeeded first."""
    with_fee = {procedure.code for procedure in PROCEDURES if procedure.has_fee}
    chance = random.Random(NAME)  # noqa: S311 - a repeatable sample, not a secret
    rest = [dossier for dossier in dossiers if dossier.procedure in with_fee]
    found: list[Attempt] = []
    for line in _LINES:
        fitting = [dossier for dossier in rest if (dossier.procedure == _LAND_PROCEDURE) == (line.purpose == "land")]
        chance.shuffle(fitting)
        needed = line.attempts - line.doubles
        chosen = _with_the_day(fitting, needed, line.succeeded - line.doubles)
        taken = {dossier.code for dossier in chosen}
        rest = [dossier for dossier in rest if dossier.code not in taken]
        found += _attempts_of(line, chosen, chance)
    return found


def _with_the_day(fitting: Sequence[Dossier], needed: int, succeeded: int) -> list[Dossier]:
    """Dossiers of the statement's day first, paid ones and two that are not."""
    of_day = [dossier for dossier in fitting if dossier.received_at.date() == STATEMENT_ON]
    others = [dossier for dossier in fitting if dossier.received_at.date() != STATEMENT_ON]
    paid = [*of_day[:-2], *others][:succeeded]
    return [*paid, *of_day[-2:], *(one for one in others if one not in paid)][:needed]


def _attempts_of(line: _Line, dossiers: Sequence[Dossier], chance: random.Random) -> Iterator[Attempt]:
    """First what succeeded, then what is pending, then what failed: a third of it was tried again and paid."""
    obligations = line.succeeded - line.doubles
    weights = [chance.randint(5, 15) for _ in range(obligations)]
    shares = sum(weights) + sum(weights[: line.doubles])
    unit = _UNIT_VND if line.amount_vnd is None else line.amount_vnd // shares
    amounts = [weight * unit for weight in weights]
    if line.amount_vnd is not None:
        amounts[-1] += line.amount_vnd - unit * shares
    for place in range(obligations):
        gateway = STATEMENT_GATEWAY if place % 4 != 3 else "local"  # noqa: PLR2004 - one in four
        if place < line.doubles:
            # thought failed, so the citizen pays again; the gateway, asked later, says that it had succeeded
            double = _attempt(line, dossiers[place], gateway, amounts[place], 20)
            yield replace(double, state="succeeded", paid_at=double.at + 60 * _MINUTE, is_double=True)
        kept = _attempt(line, dossiers[place], gateway, amounts[place], 40)
        yield replace(kept, state="succeeded", paid_at=kept.at + 5 * _MINUTE)
    unpaid = line.attempts - line.succeeded
    pending, again = unpaid // 5, unpaid // 3
    alone = iter(dossiers[obligations:])
    for place in range(unpaid):
        gateway, amount = STATEMENT_GATEWAY if place % 4 else "local", chance.randint(5, 15) * _UNIT_VND
        if place < pending:
            gateway = STATEMENT_GATEWAY if place < 2 else gateway  # noqa: PLR2004 - those of the statement's day
            yield _attempt(line, next(alone), gateway, amount, 30)
        elif place < pending + again:
            paid = obligations - 1 - (place - pending) % obligations
            failed = _attempt(line, dossiers[paid], gateway, amounts[paid], 10 + (place - pending) // obligations)
            yield replace(failed, state="failed")
        else:
            yield replace(_attempt(line, next(alone), gateway, amount, 30), state="failed")


def _attempt(line: _Line, dossier: Dossier, gateway: str, amount_vnd: int, minutes: int) -> Attempt:
    at = (dossier.received_at + minutes * _MINUTE).replace(microsecond=0)
    reference = f"dvc{dossier.code.replace('.', '').replace('-', '')}{at:%Y%m%d%H%M%S}"
    return Attempt(reference, dossier, line.purpose, gateway, amount_vnd, at, "pending")


def payment_events(writer: EventWriter, attempt: Attempt, place: int) -> Iterator[dict[str, Any]]:
    """What is told of the ``place``-th attempt. Double payments are refunded, but for the very first attempt."""

    def told(name: str, at: datetime, **data: Any) -> dict[str, Any]:
        return writer.write(f"payment.{name}", attempt.reference, at, **data)

    yield told(
        "initiated",
        attempt.at,
        dossier_code=attempt.dossier.code,
        amount_vnd=attempt.amount_vnd,
        owed_vnd=attempt.amount_vnd,
        purpose=attempt.purpose,
        gateway=attempt.gateway,
        payer={"kind": "citizen", "name": f"Người Nộp Thử {place}"},
    )
    txn = _transaction(attempt)
    if attempt.state == "failed" or attempt.is_double:
        yield told("confirmed", attempt.at + 10 * _MINUTE, outcome="failed", error_code="99")
    if attempt.paid_at is None:
        if attempt.state == "pending":
            yield told("queried", attempt.at + 30 * _MINUTE, state=3)
        return
    if attempt.is_double:
        yield told("queried", attempt.paid_at, state=1, amount_vnd=attempt.amount_vnd, gateway_txn=txn)
    else:
        yield told(
            "confirmed",
            attempt.paid_at,
            outcome="succeeded",
            amount_vnd=attempt.amount_vnd,
            gateway_txn=txn,
            bank_code="NHMAU",
        )
    yield told("receipt_issued", attempt.paid_at + 2 * _MINUTE, number=f"BL22-{place:05d}")
    if attempt.is_double and place:
        refund = {"refund_ref": f"HT22-{place:05d}", "amount_vnd": attempt.amount_vnd}
        yield told("refund_requested", attempt.paid_at + timedelta(days=1), **refund, reason="double")
        yield told("refunded", attempt.paid_at + timedelta(days=4), **refund, outcome="succeeded")


def _transaction(attempt: Attempt) -> str:
    return f"GD{attempt.reference[-10:]}M{attempt.reference[8:13]}"


def statement(told: Sequence[Attempt]) -> list[dict[str, Any]]:
    """The lines of the gateway's statement of one day: most of them match, and every class of difference has one."""
    of_gateway = [one for one in told if one.gateway == STATEMENT_GATEWAY]
    paid = [one for one in of_gateway if one.paid_at is not None and one.paid_at.date() == STATEMENT_ON]
    of_dossier = Counter(one.dossier.code for one in paid)
    paid.sort(key=lambda one: of_dossier[one.dossier.code], reverse=True)  # double payments match
    elsewhere = next(one for one in of_gateway if one.paid_at is not None and one.paid_at.date() != STATEMENT_ON)
    not_here, both = [one for one in of_gateway if one.state == "pending"][:2]
    differs, failed, missing, *matching = reversed(paid)
    lines = [_statement_line(one) for one in reversed(matching)]
    return [
        *lines,
        lines[0],  # duplicate_line
        _statement_line(differs, amount_vnd=differs.amount_vnd + 1_000),
        _statement_line(failed, state="failed"),
        _statement_line(elsewhere),  # other_day
        _statement_line(not_here),
        _statement_line(both, state="failed"),
        _statement_line(missing, reference="dvcH51MAU20220826101500"),  # unknown there; ours has no line: missing_there
    ]


def _statement_line(attempt: Attempt, **odd: Any) -> dict[str, Any]:
    at = attempt.paid_at or attempt.at + 5 * _MINUTE
    return {
        "reference": attempt.reference,
        "gateway_txn": _transaction(attempt),
        "amount_vnd": attempt.amount_vnd,
        "state": "succeeded",
        "time": at.isoformat(),
    } | odd
