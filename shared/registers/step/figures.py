"""The figures of the internal process (registers, section 5)."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any, Final

from shared.registers.catalogue.decisions import DecidedCatalogue
from shared.registers.measures import Check, Counted, FigureSet, Known, KnownDossier, World
from shared.registers.step.instances import Instance, StepTime, Timed, instances, timed
from shared.vocabulary.local_time import end_of_day, local_date


def _timed(world: World, catalogue: DecidedCatalogue, steps: Known, dossier: KnownDossier, at: datetime) -> list[Timed]:
    """The instances of a received dossier with their minutes at an instant."""
    row = dossier.row
    assert row.received_on is not None
    process = None if row.procedure is None else catalogue.process(row.procedure, row.received_on)
    found = instances(steps.facts["rows"], process, row.ended_at, pauses_of(dossier), at)
    return timed(found, world.working_time(row.agency), at)


def pauses_of(dossier: KnownDossier) -> list[tuple[datetime, datetime | None]]:
    assert dossier.folded is not None
    return [(pause.begun_at, pause.until) for pause in dossier.folded.pauses]


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
        if dossier is None or dossier.row.received_on is None:
            continue
        row = dossier.row
        for one in _timed(world, catalogue, steps, dossier, end_of_day(last)):
            counts = _counts(one, first, last)
            yield Counted(
                f"{code}/{one.instance.row + 1}", row.agency, row.procedure, counts, code, row.channel, _cuts(one.instance)
            )
        holder: Mapping[str, Any] | None = steps.facts.get("holder")
        if holder is not None and row.ended_at is None:
            cuts = {name: holder[name] for name in ("department", "officer") if name in holder}
            yield Counted(code, row.agency, row.procedure, {"held": 1}, code, row.channel, cuts)


def _cuts(instance: Instance) -> dict[str, str]:
    role = {} if instance.role is None else {"role": instance.role}
    return {"department": instance.department, "officer": instance.officer} | role


FIGURE_SET: Final = FigureSet(
    path="steps",
    title="Quy trình nội bộ",
    unit="step",
    needs=frozenset({"step", "catalogue", "dossier"}),
    histories=True,
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
    checks=(
        Check(("finished",), ("early", "on_time", "late", "untimed")),
        Check(("open",), ("paused", "overdue", "within")),
    ),
    cuts={"department": "phòng, bộ phận", "role": "vai trò", "officer": "mã cán bộ"},
)
