"""The figures of feedback: form II.05 and the rates of indices 5.1 to 5.3 (docs/registers.md, section 1)."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

from shared.events.rules.registers import FEEDBACK
from shared.registers.feedback.records import standing_at
from shared.registers.feedback.standing import TERMS, Standing
from shared.registers.feedback.terms import Terms
from shared.registers.measures import ByUnit, Check, FigureSet, Rate, Turns, Unit, World
from shared.vocabulary.local_time import day_after

UNKNOWN: Final = "unknown"
_OF_KIND: Final[Mapping[str | None, str]] = {"rule": "f4", "behaviour": "f5"}


def units(world: World) -> Iterator[Unit]:
    """Every feedback of the world."""
    terms = Terms(world.working_day)
    records = world.records("feedback")
    repeated: dict[str, str] = {}
    for code, known in records.items():
        target = known.facts["repeats"]
        if target not in {None, code}:
            sent_on = _sent_on(known.facts["steps"])
            repeated[target] = min(sent_on, repeated.get(target, sent_on))
    for code, known in records.items():
        one = _Feedback(known.facts, repeated.get(code), terms)
        cuts = {name: known.facts[name] or UNKNOWN for name in ("kind", "route")}
        yield Unit(case=code, code=code, agency=known.agency, counts=one.counts, turns=one.turns, cuts=cuts)


def _sent_on(steps: Sequence[Sequence[Any]]) -> str:
    """The date of the first submitted, which says what it repeats."""
    return str(next(step[1] for step in steps if step[0] == "submitted"))


class _Feedback:
    """One feedback in any period. ``repeated_on``: when another one first said that it repeats this one."""

    def __init__(self, facts: Mapping[str, Any], repeated_on: str | None, terms: Terms) -> None:
        self._facts = facts
        self._repeated_on = repeated_on
        self._terms = terms
        self._known: dict[str, Standing] = {}

    def _standing(self, last: str) -> Standing:
        if last not in self._known:
            self._known[last] = standing_at(self._facts, last)
        return self._known[last]

    def counts(self, first: date, last: date) -> dict[str, int | None]:
        since, until = first.isoformat(), last.isoformat()
        standing = self._standing(until)
        if _is_over(self._facts["steps"], standing, since):
            return {}
        counts = _of_form(self._facts, standing, since, until, self._terms)
        is_repeated = self._repeated_on is not None and self._repeated_on <= until
        return counts | _of_index(standing, since, until, self._terms, is_new="f2" in counts, is_repeated=is_repeated)

    def turns(self, _: date) -> Turns:
        """Days of steps, and those on which a term has passed of what was still to be done."""
        steps = self._facts["steps"]
        days = sorted({step[1] for step in steps})
        refused = [step[1] for step in steps if step[0] == "refused"][:1]
        over = {*days[-1:], *refused, *(steps[place][1] for place in self._facts["standing"][-3:] if place is not None)}
        passed: set[str] = set()
        for on, following in zip(days, [*days[1:], None], strict=False):
            standing = self._standing(on)
            if standing.finished_on is not None:
                over.add(standing.finished_on)
            owed = [(clock, TERMS[deed]) for deed, clock, done_on in standing.deeds if done_on is None and clock is not None]
            if standing.clock is not None and not standing.waits:
                owed.append((standing.clock, TERMS["answer"]))
            due = {self._terms.due_on(clock, term) for clock, term in owed}
            passed |= {on for on in due if on is not None and (following is None or on < following)}
        lasts = {*days, *([] if self._repeated_on is None else [self._repeated_on])}
        return Turns(
            {day_after(date.fromisoformat(on)) for on in over},
            {date.fromisoformat(on) for on in lasts} | {day_after(date.fromisoformat(on)) for on in passed},
        )


def _is_over(steps: Sequence[Sequence[Any]], standing: Standing, since: str) -> bool:
    """Whether it counts nowhere, because all was done before the period; of a register of years nearly all are so."""
    is_closed = standing.finished_on is not None and (standing.received is None or standing.handled is not None)
    return is_closed and steps[-1][1] < since


def _of_form(facts: Mapping[str, Any], standing: Standing, since: str, until: str, terms: Terms) -> dict[str, int | None]:
    """The columns: when it was received and handled, as the whole record says."""
    steps, places = facts["steps"], facts["standing"][-3:]
    received, handled, published = (None if place is None else steps[place][1] for place in places)
    if received is None:
        refused = next((step[1] for step in steps if step[0] == "refused"), "")
        return {"refused": 1} if since <= refused <= until else {}
    if received > until or (handled is not None and handled < since):
        return {}
    found: dict[str, int | None] = {"f1": 1, "f2" if received >= since else "f3": 1, _OF_KIND.get(facts["kind"], "f0"): 1}
    if handled is not None and handled <= until:
        found["f6"] = 1
        end = steps[places[1]][0]
        if end in {"forwarded", "withdrawn"}:
            found[end] = 1
        if published is not None and published <= until:
            found["f8"] = 1
        return found
    found["f7"] = 1
    if standing.waits:
        found["waiting"] = 1
    else:
        overdue = terms.is_overdue(standing, until)
        found |= {"overdue": None, "within": None} if overdue is None else {"overdue" if overdue else "within": 1}
    return found


def _of_index(
    standing: Standing, since: str, until: str, terms: Terms, *, is_new: bool, is_repeated: bool
) -> dict[str, int | None]:
    """What indices 5.2 and 5.3 are made of, all by the end of ``until``."""
    is_in_time: bool | None = True
    in_population = (
        standing.sent_on is not None
        and not standing.withdrawn
        and (standing.finished_on is None or standing.finished_on >= since)
    )
    if (in_population or is_new) and not standing.withdrawn:
        is_in_time = terms.is_in_time(standing, until)
    found: dict[str, int | None] = {}
    if in_population:
        found |= {"on_time_population": 1, "on_time": None if is_in_time is None else int(is_in_time)}
        overdue = standing.finished_on is None and terms.is_overdue(standing, until)
        dragging = True if standing.reopened or is_repeated else overdue
        found["dragging"] = None if dragging is None else int(dragging)
    if is_new:
        late = None if is_in_time is None else int(not is_in_time)
        parts = {"disliked": int(standing.disliked), "late": late, "repeated": int(standing.reopened or is_repeated)}
        union = 1 if 1 in parts.values() else late
        found |= parts | {"satisfied": None if union is None else 1 - union}
    return {name: amount for name, amount in found.items() if amount != 0}


_BY_UNIT: Final = ByUnit(units=units, cases=frozenset({FEEDBACK.name}), evidence_in={FEEDBACK.name: "repeats"})
count: Final = _BY_UNIT.count

FIGURE_SET: Final = FigureSet(
    path="feedback",
    title="Feedback (phản ánh, kiến nghị; biểu II.05)",
    unit=FEEDBACK.name,
    needs=frozenset({FEEDBACK.name}),
    figures={
        "f0": "of f1, of unknown kind (chưa phân loại)",
        "f1": "received, total (tổng số tiếp nhận)",
        "f2": "received, new (mới tiếp nhận trong kỳ)",
        "f3": "carried over (kỳ trước chuyển sang)",
        "f4": "of f1, about rules (về quy định hành chính)",
        "f5": "of f1, about behaviour (về hành vi hành chính)",
        "f6": "handled (đã xử lý)",
        "f7": "open (đang xử lý)",
        "f8": "of f6, published (đã công khai kết quả trả lời)",
        "refused": "never received, first refused in the period (từ chối tiếp nhận)",
        "forwarded": "of f6, forwarded outside (chuyển cơ quan khác)",
        "withdrawn": "of f6, withdrawn (người gửi rút)",
        "waiting": "of f7, waiting for the sender (chờ bổ sung thông tin)",
        "within": "of f7, within 15 working days (trong hạn)",
        "overdue": "of f7, past 15 working days (quá hạn)",
    },
    parts={
        "on_time": "of on_time_population, every deed in time (đúng hạn)",
        "on_time_population": "sent by the end and not finished before the period (thuộc diện tính 5.2)",
        "dragging": "of on_time_population, open and overdue, or reopened or repeated (kéo dài)",
        "satisfied": "of f2, less disliked, late and repeated, each once (hài lòng)",
        "disliked": "of f2, more often not satisfied than satisfied (không hài lòng)",
        "late": "of f2, not in time (trễ hạn)",
        "repeated": "of f2, reopened or repeated (phản ánh lại)",
    },
    count=count,
    by_unit=_BY_UNIT,
    rates=(
        Rate("fb.handled", "f6", "f1", "f6 / f1"),
        Rate("fb.published", "f8", "f6", "f8 / f6"),
        Rate("fb.rule_share", "f4", "f1", "f4 / f1 (766, 5.1)"),
        Rate("fb.behaviour_share", "f5", "f1", "f5 / f1 (766, 5.1)"),
        Rate("fb.on_time", "on_time", "on_time_population", "in time / population (766, 5.2); empty: full points"),
        Rate("fb.satisfied", "satisfied", "f2", "(n - union(disliked, late, repeated)) / n (766, 5.3); empty: full points"),
    ),
    checks=(
        Check(("f1",), ("f2", "f3")),
        Check(("f1",), ("f4", "f5", "f0")),
        Check(("f1",), ("f6", "f7")),
        Check(("f7",), ("waiting", "within", "overdue")),
        Check(("f8",), ("f6",), "<="),
    ),
    cuts={"kind": "Kind (loại): rule, behaviour, unknown.", "route": "Route (kênh phản ánh)."},
)
