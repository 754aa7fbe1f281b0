"""The figures of the internal process (registers, section 5)."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from shared.registers.catalogue.decisions import DecidedCatalogue
from shared.registers.measures import Check, Counted, FigureSet, Known, KnownDossier, World
from shared.registers.step.anomalies import step_anomalies
from shared.registers.step.instances import Instance, Span, StepTime, Timed, instances, timed
from shared.vocabulary.local_time import end_of_day, local_date

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SPAN: Final = re.compile(r"\[(-?[0-9]+),(-?[0-9]*)\)")


def pauses_of(dossier: KnownDossier) -> list[Span]:
    """As its row has them: PostgreSQL's text of spans of microseconds since 1970. No history is read for them."""
    return [
        (_EPOCH + timedelta(microseconds=int(begin)), _EPOCH + timedelta(microseconds=int(until)) if until else None)
        for begin, until in _SPAN.findall(dossier.row.waits)
    ]


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


def count(world: World, first: date, last: date) -> Iterator[Counted]:
    """The instances of received dossiers, and who has a dossier now."""
    catalogue = DecidedCatalogue.of({code: one.facts for code, one in world.records("catalogue").items()})
    dossiers = world.dossiers()
    for code, steps in world.records("step").items():
        dossier = dossiers.get(code)
        received_on = None if dossier is None else dossier.row.received_on
        if dossier is None or received_on is None:
            continue
        row = dossier.row
        process = None if row.procedure is None else catalogue.process(row.procedure, received_on)
        found = instances(steps.facts["rows"], process, row.ended_at, pauses_of(dossier), end_of_day(last))
        for one in timed(found, world.working_time(row.agency), end_of_day(last)):
            unit = f"{code}/{one.instance.row + 1}"
            yield Counted(unit, row.agency, row.procedure, _counts(one, first, last), code, row.channel, _cuts(one.instance))
        yield _whole(world, steps, dossier, process, (first, last))


def _whole(
    world: World, steps: Known, dossier: KnownDossier, process: Mapping[str, Any] | None, period: tuple[date, date]
) -> Counted:
    """The dossier: who has it now, and what is strange about its steps if it was handed in the period (choice)."""
    row, rows = dossier.row, steps.facts["rows"]
    counts: dict[str, int | None] = {}
    cuts: dict[str, str] = {}
    holder: Mapping[str, Any] | None = steps.facts.get("holder")
    if holder is not None and row.ended_at is None:
        counts["held"] = 1
        cuts = {name: holder[name] for name in ("department", "officer") if name in holder}
    if any(period[0] <= local_date(datetime.fromisoformat(one["at"])) <= period[1] for one in rows):
        more = step_anomalies(world.working_day, rows, process, row.received_at, row.ended_at)
        counts |= Counter((*steps.anomalies, *more))
    return Counted(row.code, row.agency, row.procedure, counts, row.code, row.channel, cuts)


def _cuts(instance: Instance) -> dict[str, str]:
    role = {} if instance.role is None else {"role": instance.role}
    return {"department": instance.department, "officer": instance.officer} | role


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
    count=count,
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
