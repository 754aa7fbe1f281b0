"""The figures of online payments, by line: fee, land, other, and all (rules of registers, section 2). Pure.

Beside them what the index 766 asks of dossiers and procedures: 3.5, 3.5b and 3.6 (rules, section 8).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any, Final

from shared.dossiers.rules.instant_facts import DossierMark
from shared.registers.catalogue.precedence import truth_of
from shared.registers.catalogue.publications import decided, published
from shared.registers.measures import ByUnit, Check, FigureSet, OneDay, Rate, Turns, Unit, World
from shared.registers.payment.obligations import is_paid_online
from shared.registers.payment.records import PaymentState
from shared.vocabulary.local_time import day_after

_LINES: Final = {
    "fee": "phí, lệ phí (fees)",
    "land": "nghĩa vụ tài chính về đất đai (land)",
    "other": "khoản khác (other)",
}
_TOTAL: Final = "total"
_ALL: Final = {**_LINES, _TOTAL: "tổng cộng (all)"}

_COLUMNS: Final = {
    "p1": "giao dịch đã khởi tạo (initiated)",
    "p2": "trong đó thành công (succeeded)",
    "p3": "thất bại (failed)",
    "p4": "đang xử lý (pending)",
    "p5": "số tiền thành công, đồng (amount of p2)",
    "p6": "trong đó đã hoàn trả, đồng (refunded)",
    "p7": "còn lại, đồng (p5 - p6)",
    "q2": "giao dịch có tiền về trong kỳ (cash view: paid in the period)",
    "q5": "số tiền về trong kỳ, đồng (cash view: amount)",
}
_BY_STATE: Final = {PaymentState.SUCCEEDED: "p2", PaymentState.FAILED: "p3", PaymentState.PENDING: "p4"}

_PAYMENT: Final = "payment"


def _at(changes: Sequence[tuple[str, Any]], last: str, before: Any) -> Any:
    """The last value of changes by day that had come by ``last``."""
    return next((value for on, value in reversed(changes) if on <= last), before)


def _columns(facts: Mapping[str, Any], first: str, last: str) -> dict[str, int]:
    # local dates in ISO form compare as texts
    counts: dict[str, int] = {}
    if first <= facts["initiated_on"] <= last:
        state = PaymentState(_at(facts["states"], last, PaymentState.PENDING))
        counts = {"p1": 1, _BY_STATE[state]: 1}
        if state is PaymentState.SUCCEEDED:
            refunded = _at(facts["refunded"], last, 0)
            counts |= {"p5": facts["amount_vnd"], "p6": refunded, "p7": facts["amount_vnd"] - refunded}
    if facts["paid_on"] is not None and first <= facts["paid_on"] <= last:
        counts |= {"q2": 1, "q5": facts["amount_vnd"]}
    return counts


def _counts(facts: Mapping[str, Any], first: date, last: date) -> dict[str, int]:
    columns = _columns(facts, first.isoformat(), last.isoformat())
    return {f"{line}.{column}": n for line in (facts["purpose"], _TOTAL) for column, n in columns.items()}


def _turns(facts: Mapping[str, Any], _: date) -> Turns:
    told = {on for on in (facts["initiated_on"], facts["paid_on"]) if on is not None}
    changes = {on for name in ("states", "refunded") for on, _ in facts[name]}
    return Turns({day_after(date.fromisoformat(on)) for on in told}, set(map(date.fromisoformat, told | changes)))


def units(world: World) -> Iterator[Unit]:
    """Every payment that was initiated, and the dossiers of procedures with a fee."""
    yield from _payments(world)
    yield from _dossiers(world)


def _payments(world: World) -> Iterator[Unit]:
    """A payment stands where its dossier does, under the root without one."""
    dossiers = world.dossiers()
    for payment in world.records(_PAYMENT).values():
        facts = payment.facts
        if facts["obligation"] is None:
            continue
        known = dossiers.get(facts["dossier_code"])
        row = None if known is None else known.row
        yield Unit(
            case=facts["dossier_code"],
            code=payment.code,
            agency=None if row is None else row.agency,
            procedure=None if row is None else row.procedure,
            counts=partial(_counts, facts),
            turns=partial(_turns, facts),
            dossier=facts["dossier_code"],
            channel=None if row is None else row.channel,
            cuts={"gateway": facts["gateway"]},
        )


def _fees(world: World) -> Callable[[str | None, date], bool]:
    """Whether a procedure has a fee: the decision in force on the day says, else the sheet."""
    item_of, sheets = published(world), world.procedures
    return lambda procedure, on: truth_of("fee", item_of(procedure, on), sheets.get(procedure or ""))


def _fee_procedures(world: World, last: date) -> list[str]:
    has_fee = _fees(world)
    return [code for code in {*world.procedures, *decided(world).procedures} if has_fee(code, last)]


def _dossiers(world: World) -> Iterator[Unit]:
    """By the day of reception: a fee, and what was paid."""
    has_fee = _fees(world)
    started = (one for one in world.records(_PAYMENT).values() if one.facts["obligation"] is not None)
    paid = {one.facts["dossier_code"] for one in started if is_paid_online([one], has_online_paid=False)}
    for code, dossier in world.dossiers().items():
        row = dossier.row
        if row.received_on is None or not has_fee(row.procedure, row.received_on):
            continue
        owing = not row.marks & DossierMark.FEES_ALL_ZERO
        is_paid = bool(row.marks & DossierMark.PAID_ONLINE) or code in paid
        counts = {
            "fee_dossiers": True,
            "fee_charged": bool(row.marks & DossierMark.FEE),
            "fee_paid": is_paid,
            "owing": owing,
            "paid_online": owing and is_paid,
        }
        day = OneDay(row.received_on, {name: 1 for name, counted in counts.items() if counted})
        yield Unit(
            case=code,
            code=code,
            agency=row.agency,
            procedure=row.procedure,
            counts=day.counts,
            turns=day.turns,
            dossier=code,
            channel=row.channel,
        )


def _sums(column: str) -> tuple[str, ...]:
    return tuple(f"{line}.{column}" for line in _LINES)


def _success(line: str) -> Rate:
    name = "pay.success" if line == _TOTAL else f"pay.success.{line}"
    return Rate(name, f"{line}.p2", f"{line}.p1", f"{name}/1")


def _of_procedures(name: str, numerator: str, denominator: str, formula: str) -> Rate:
    return Rate(name, numerator, denominator, f"procedures {formula}", of_procedures=True)


_BY_UNIT: Final = ByUnit(
    units=units,
    cases=frozenset({_PAYMENT, "dossier"}),
    named_in={_PAYMENT: "dossier_code"},
    shared=frozenset({"catalogue"}),
    sheet=True,
)

FIGURE_SET: Final = FigureSet(
    path="payments",
    title="Thanh toán trực tuyến (online payments)",
    unit=_PAYMENT,
    needs=frozenset({_PAYMENT, "dossier", "catalogue"}),
    figures={
        f"{line}.{column}": f"{of_line}: {words}" for line, of_line in _ALL.items() for column, words in _COLUMNS.items()
    },
    count=_BY_UNIT.count,
    by_unit=_BY_UNIT,
    parts={
        "fee_dossiers": "hồ sơ tiếp nhận trong kỳ của thủ tục có phí, lệ phí",
        "fee_charged": "trong đó phải nộp số tiền lớn hơn 0",
        "fee_paid": "trong đó đã thanh toán trực tuyến",
        "owing": "hồ sơ của thủ tục có phí, trừ hồ sơ được miễn toàn bộ",
        "paid_online": "trong đó đã thanh toán trực tuyến, trừ hồ sơ được miễn toàn bộ",
        "fee_procedures": "thủ tục có phí, lệ phí",
    },
    rates=[
        *(_success(line) for line in (_TOTAL, *_LINES)),
        Rate("pay.online", "paid_online", "owing", "dossiers paid online / of fee procedures, less all fees 0 (766 3.6)"),
        _of_procedures("pay.procedures", "fee_charged", "fee_procedures", "charging a fee / having a fee (766 3.5)"),
        _of_procedures("pay.procedures_paid", "fee_paid", "fee_dossiers", "paid online / with dossiers (766 3.5b)"),
    ],
    procedures={"fee_procedures": _fee_procedures},
    checks=[
        *(Check((f"{line}.p1",), (f"{line}.p2", f"{line}.p3", f"{line}.p4")) for line in _ALL),
        *(Check((f"{line}.p5",), (f"{line}.p6", f"{line}.p7")) for line in _ALL),
        *(Check((f"{_TOTAL}.{column}",), _sums(column)) for column in _COLUMNS),
    ],
    cuts={"gateway": "cổng thanh toán (national, local)"},
)
