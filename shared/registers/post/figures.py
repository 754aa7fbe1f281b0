"""The figures of public post (bưu chính công ích): dossiers that came by post, and results that went by it."""

from collections.abc import Iterator, Mapping
from datetime import date
from functools import partial
from typing import Any

from shared.dossiers.rules.dossier import Dossier
from shared.registers.catalogue.publications import Published, published
from shared.registers.measures import ByUnit, Check, FigureSet, Known, KnownDossier, Rate, Turns, Unit, World
from shared.registers.post.anomalies import dossier_anomalies
from shared.vocabulary.events import Channel, EventName
from shared.vocabulary.local_time import day_after, local_date, local_date_of

_STATES = {"dispatched": "in_transit", "delivered": "delivered", "failed": "failed"}


def units(world: World) -> Iterator[Unit]:
    """Dossiers on the days on which they were received and their result returned, or a return by post was asked for."""
    records, dossiers, item_of = world.records("post"), world.dossiers(), published(world)
    for code in dossiers.keys() | records.keys():
        dossier, known = dossiers.get(code), records.get(code)
        row = None if dossier is None else dossier.row
        yield Unit(
            case=code,
            code=code,
            agency=None if row is None else row.agency,
            procedure=None if row is None else row.procedure,
            counts=partial(_counts, item_of, dossier, known),
            turns=partial(_turns, dossier, known),
            dossier=code,
            channel=None if row is None else row.channel,
        )


def _counts(
    item_of: Published, dossier: KnownDossier | None, known: Known | None, first: date, last: date
) -> dict[str, int]:
    counts = _returns(known, first, last)
    if dossier is not None:
        counts |= _channels(item_of, dossier, {} if known is None else known.facts, first, last)
    return counts


def _turns(dossier: KnownDossier | None, known: Known | None, _: date) -> Turns:
    days: set[date] = set()
    steps: set[date] = set()
    if known is not None and "return_requested_at" in known.facts:
        days.add(local_date_of(known.facts["return_requested_at"]))
        steps = {local_date_of(step["at"]) for step in known.facts.get("way_back", ())}
    if dossier is not None and dossier.row.received_on is not None and dossier.folded is not None:
        days.add(dossier.row.received_on)
        if dossier.folded.returned_at is not None:
            days.add(local_date(dossier.folded.returned_at))
    return Turns(set(map(day_after, days)), days | steps)


def _returns(known: Known | None, first: date, last: date) -> dict[str, int]:
    """Where a result is on the last day, of which somebody first asked in the period that the post brings it."""
    requested_at = None if known is None else known.facts.get("return_requested_at")
    if known is None or requested_at is None or not first <= local_date_of(requested_at) <= last:
        return {}
    steps = [step for step in known.facts.get("way_back", ()) if local_date_of(step["at"]) <= last]
    step: dict[str, Any] = steps[-1] if steps else {}
    state = _STATES.get(step.get("step", ""), "not_dispatched")
    unsent = int("delivered_not_dispatched" in known.anomalies)
    return {"requested": 1, state: 1, "lost": int(step.get("reason") == "lost"), "delivered_not_dispatched": unsent}


def _channels(
    item_of: Published, dossier: KnownDossier, facts: Mapping[str, Any], first: date, last: date
) -> dict[str, int]:
    row, history = dossier.row, dossier.folded
    if row.received_on is None or history is None:
        return {}
    by_post = row.channel == Channel.POSTAL
    item = item_of(row.procedure, row.received_on) or {}
    allowed_in, allowed_out = item.get("post_in", False), item.get("post_out", False)
    counts: dict[str, int] = {}
    if first <= row.received_on <= last:
        counts |= {"new": 1, "in": by_post, "new_allowed": allowed_in, "in_allowed": allowed_in and by_post}
        counts |= dict.fromkeys(dossier_anomalies(facts, history), 1)
    if history.returned_at is not None and first <= local_date(history.returned_at) <= last:
        back_by_post = _first_return_method(history) == Channel.POSTAL
        counts |= {"returned": 1, "out": back_by_post, "both": by_post and back_by_post}
        counts |= {"returned_allowed": allowed_out, "out_allowed": allowed_out and back_by_post}
    return {name: int(amount) for name, amount in counts.items()}


def _first_return_method(history: Dossier) -> str:
    first = next(step.event for step in history.steps if step.name is EventName.RETURNED)
    method: str = first.data["method"]
    return method


_BY_UNIT = ByUnit(units=units, cases=frozenset({"dossier", "post"}), shared=frozenset({"catalogue"}))

FIGURE_SET = FigureSet(
    path="post",
    title="Bưu chính công ích",
    unit="dossier",
    needs=frozenset({"post", "dossier", "catalogue"}),
    histories=True,
    figures={
        "requested": "hồ sơ đăng ký nhận kết quả qua bưu chính trong kỳ",
        "delivered": "đã phát",
        "in_transit": "đang chuyển",
        "failed": "phát không thành công",
        "not_dispatched": "chưa gửi",
        "lost": "thất lạc",
    },
    count=_BY_UNIT.count,
    by_unit=_BY_UNIT,
    parts={
        "new": "hồ sơ tiếp nhận trong kỳ",
        "in": "hồ sơ tiếp nhận qua bưu chính",
        "new_allowed": "hồ sơ tiếp nhận của thủ tục được nộp qua bưu chính",
        "in_allowed": "hồ sơ tiếp nhận qua bưu chính của thủ tục được nộp qua bưu chính",
        "returned": "hồ sơ trả kết quả trong kỳ",
        "out": "hồ sơ trả kết quả qua bưu chính",
        "returned_allowed": "hồ sơ trả kết quả của thủ tục được trả qua bưu chính",
        "out_allowed": "hồ sơ trả kết quả qua bưu chính của thủ tục được trả qua bưu chính",
        "both": "hồ sơ nộp và trả kết quả qua bưu chính",
        "received_before_handover": "hồ sơ tiếp nhận trước khi bưu chính bàn giao",
        "postal_without_item": "hồ sơ nộp qua bưu chính, không có bàn giao",
        "delivered_not_dispatched": "kết quả đã phát, không có gửi đi",
    },
    rates=(
        Rate("post.in", "in", "new", "new dossiers with channel postal / new"),
        Rate("post.in_allowed", "in_allowed", "new_allowed", "post.in of procedures with post_in"),
        Rate("post.out", "out", "returned", "returned by method postal / returned"),
        Rate("post.out_allowed", "out_allowed", "returned_allowed", "post.out of procedures with post_out"),
        Rate("post.both", "both", "returned", "in and out / returned"),
    ),
    checks=(
        Check(("requested",), ("delivered", "in_transit", "failed", "not_dispatched")),
        Check(("lost",), ("failed",), "<="),
        Check(("in",), ("new",), "<="),
        Check(("both",), ("out",), "<="),
        Check(("out",), ("returned",), "<="),
    ),
)
