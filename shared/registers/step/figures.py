"""The figures of the internal process (registers, section 5)."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, partial
from typing import Any, Final

from shared.registers.catalogue.publications import decided
from shared.registers.measures import ByUnit, Check, FigureSet, Known, StoredDossier, Turns, Unit, World
from shared.registers.step.anomalies import step_anomalies
from shared.registers.step.instances import Span, StepTime, Timed, instances, timed
from shared.vocabulary.local_time import ONE_DAY, day_after, end_of_day, local_date

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SPAN: Final = re.compile(r"\[(-?[0-9]+),(-?[0-9]*)\)")


def pauses_of(row: StoredDossier) -> list[Span]:
    """As its row has them: PostgreSQL's text of spans of microseconds since 1970. No history is read for them."""
    return [
        (_EPOCH + timedelta(microseconds=int(begin)), _EPOCH + timedelta(microseconds=int(until)) if until else None)
        for begin, until in _SPAN.findall(row.waits)
    ]


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _instant_or_none(text: str | None) -> datetime | None:
    return None if text is None else _instant(text)


def _counts(one: Timed, first: date, last: date) -> dict[str, int | None]:
    instance, standing = one.instance, one.standing
    ended_on = None if instance.ended_at is None else local_date(instance.ended_at)
    if ended_on is not None and ended_on <= last:
        if ended_on < first:
            return {}
        counts: dict[str, int | None] = {"finished": 1, "used_minutes": one.used}
        return counts | (dict.fromkeys(("early", "on_time", "late")) if standing is None else {standing.value: 1})
    if instance.is_paused(end_of_day(last)):
        return {"open": 1, "paused": 1}
    if standing is None:
        return {"open": 1, "within": None, "overdue": None}
    return {"open": 1, "overdue" if standing is StepTime.LATE else "within": 1}


class _Slip:
    """The steps of one dossier as they stand at the end of any day. Of those that are done nothing is computed twice."""

    def __init__(self, world: World, steps: Known, row: StoredDossier, process: Mapping[str, Any] | None) -> None:
        self.row = row
        self.rows: Sequence[Mapping[str, Any]] = steps.facts["rows"]
        self._world, self._steps, self._process = world, steps, process
        self._office = world.working_time(row.agency)
        self._pauses = pauses_of(row)
        ends = ((_instant_or_none(one.get("ended_at")), row.ended_at) for one in self.rows)
        self._ends = [min((end for end in both if end is not None), default=None) for both in ends]
        self._done: dict[int, Timed] = {}
        self._known: dict[date, Mapping[int, Timed]] = {}

    def at_end_of(self, on: date) -> Mapping[int, Timed]:
        """By row."""
        if on not in self._known:
            at = end_of_day(on)
            found = instances(self.rows, self._process, self.row.ended_at, self._pauses, at)
            done = {row: self._done[row] for row in self._ended_before(at) if row in self._done}
            self._known[on] = {one.instance.row: one for one in timed(found, self._office, at, done)}
            self._done.update((row, self._known[on][row]) for row in self._ended_before(at) if row in self._known[on])
        return self._known[on]

    def _ended_before(self, at: datetime) -> Iterator[int]:
        return (row for row, ended_at in enumerate(self._ends) if ended_at is not None and ended_at < at)

    def counts(self, row: int, first: date, last: date) -> dict[str, int | None]:
        """What one of its steps counts for."""
        one = self.at_end_of(last).get(row)
        return {} if one is None else _counts(one, first, last)

    def turns(self, row: int, until: date) -> Turns:
        """The days on which something happens to a step, and on which it becomes overdue or no longer known."""
        told = self.rows[row]
        pauses = [*self._pauses, *((_instant(begin), _instant_or_none(end)) for begin, end in told.get("pauses", ()))]
        instants = [
            *(_instant_or_none(told.get(name)) for name in ("at", "taken_at", "ended_at")),
            self.row.ended_at,
            *(instant for span in pauses for instant in span),
        ]
        days = {local_date(instant) for instant in instants if instant is not None}
        handed_on = local_date(_instant(told["at"]))
        days |= {date(year, 1, 1) for year in range(handed_on.year + 1, until.year + 1)}
        ended_at = self._ends[row]
        over = until if ended_at is None else local_date(ended_at)
        lasts = sorted(on for on in days if handed_on <= on <= until)
        lasts += [
            turn
            for on, following in zip(lasts, [*lasts[1:], day_after(until)], strict=True)
            if on < over and (turn := self._turn(row, on, following - ONE_DAY)) is not None
        ]
        return Turns((day_after(over),), lasts)

    def _turn(self, row: int, begin: date, until: date) -> date | None:
        """The day on which it becomes overdue: between two days of `turns` it does so at most once."""
        before = self.counts(row, until, begin)
        if begin == until or self.counts(row, until, until) == before:
            return None
        while begin < until:
            middle = begin + (until - begin) // 2
            if self.counts(row, until, middle) == before:
                begin = middle + ONE_DAY
            else:
                until = middle
        return until

    @cached_property
    def anomalies(self) -> dict[str, int]:
        row = self.row
        more = step_anomalies(self._world.working_day, self.rows, self._process, row.received_at, row.ended_at)
        return dict(Counter((*self._steps.anomalies, *more)))

    @cached_property
    def handed_on(self) -> Collection[date]:
        return {local_date(_instant(one["at"])) for one in self.rows}

    @cached_property
    def held(self) -> Mapping[str, Any] | None:
        """Who has the dossier now."""
        holder: Mapping[str, Any] | None = self._steps.facts.get("holder")
        return None if self.row.ended_at is not None else holder

    def counts_of_all(self, first: date, last: date) -> dict[str, int]:
        """Who has it now, and what is strange about its steps if it was handed in the period (choice)."""
        counts = {} if self.held is None else {"held": 1}
        return counts | self.anomalies if any(first <= on <= last for on in self.handed_on) else counts

    def turns_of_all(self, _: date) -> Turns:
        return Turns(set(map(day_after, self.handed_on)), self.handed_on) if self.anomalies else Turns()


def units(world: World) -> Iterator[Unit]:
    """The steps of received dossiers, and who has a dossier now."""
    catalogue = decided(world)
    dossiers = world.dossiers()
    for code, steps in world.records("step").items():
        dossier = dossiers.get(code)
        received_on = None if dossier is None else dossier.row.received_on
        if dossier is None or received_on is None:
            continue
        row = dossier.row
        process = None if row.procedure is None else catalogue.process(row.procedure, received_on)
        slip = _Slip(world, steps, row, process)
        unit = partial(Unit, case=code, agency=row.agency, procedure=row.procedure, dossier=code, channel=row.channel)
        roles = {} if process is None else {step["no"]: step["role"] for step in process["steps"] if "role" in step}
        for number, one in enumerate(slip.rows):
            cuts = {"department": one["department"], "officer": one["officer"]}
            if one["step_no"] in roles:
                cuts["role"] = roles[one["step_no"]]
            counts, turns = partial(slip.counts, number), partial(slip.turns, number)
            yield unit(code=f"{code}/{number + 1}", counts=counts, turns=turns, cuts=cuts)
        held = slip.held or {}
        cuts = {name: held[name] for name in ("department", "officer") if name in held}
        yield unit(code=code, counts=slip.counts_of_all, turns=slip.turns_of_all, cuts=cuts)


_BY_UNIT: Final = ByUnit(units=units, cases=frozenset({"step"}), shared=frozenset({"catalogue"}))

FIGURE_SET: Final = FigureSet(
    path="steps",
    title="Quy trình nội bộ",
    unit="step",
    needs=frozenset({"step", "catalogue", "dossier"}),
    figures={
        "finished": "bước đã hoàn thành",
        "early": "trước hạn",
        "on_time": "đúng hạn",
        "late": "quá hạn",
        "untimed": "không quy định thời gian",
        "open": "bước đang thực hiện",
        "within": "trong hạn",
        "overdue": "đã quá hạn",
        "paused": "tạm dừng",
        "held": "hồ sơ đang có người giữ",
        "used_minutes": "số phút làm việc đã dùng của các bước đã hoàn thành",
    },
    count=_BY_UNIT.count,
    by_unit=_BY_UNIT,
    parts={
        "taken_by_other": "người khác ký nhận",
        "two_holders": "người giao không phải người đang giữ",
        "step_unknown": "bước không có trong quy trình",
        "step_skipped": "bước bị bỏ qua",
        "handed_after_end": "giao sau khi hồ sơ kết thúc",
        "handed_late": "chuyển hồ sơ chậm sau khi tiếp nhận",
    },
    checks=(
        Check(("finished",), ("early", "on_time", "late", "untimed")),
        Check(("open",), ("paused", "overdue", "within")),
    ),
    cuts={"department": "phòng, bộ phận", "role": "vai trò", "officer": "mã cán bộ"},
)
