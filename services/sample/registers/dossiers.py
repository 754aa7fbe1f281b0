"""The dossiers that carry the registers: the year's published counts, one of a hundred, spread over invented desks."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any, Final

from services.sample.history import LOCAL
from services.sample.registers.agencies import LAND_OFFICE, SEVEN_STEPS, desks
from services.sample.registers.envelopes import NAME, EventWriter, at_hour
from services.sample.table import Unit, UnitTable, published_table, scaled

DIVISOR: Final = 100
"""894,541 dossiers would load for a quarter of an hour; of a hundredth the published rates come out alike."""

_WEIGHTS: Final = (6, 5, 4)
"""Of the districts' desks; a commune's has 1."""


@dataclass(frozen=True, slots=True)
class Dossier:
    """What the registers need to know of a dossier. ``ended_at``: when it was processed; None: in progress."""

    number: int
    code: str
    agency: str
    procedure: str
    channel: str
    received_at: datetime
    due_on: date
    ended_at: datetime | None

    @property
    def is_late(self) -> bool:
        return self.ended_at is not None and self.ended_at.date() > self.due_on


def parts_of(whole: int, weights: Sequence[int]) -> list[int]:
    """``whole`` shared out by weights; what the division leaves goes to the first ones."""
    parts = [whole * weight // sum(weights) for weight in weights]
    for place in range(whole - sum(parts)):
        parts[place] += 1
    return parts


def year_table(tenant: str) -> UnitTable:
    """The published year, scaled, with the desks as its units."""
    published = published_table("soctrang-2022", tenant)
    (province,) = scaled(published, DIVISOR).units
    assert province.online is not None
    codes = desks(tenant)
    weights = [*_WEIGHTS, *[1] * (len(codes) - len(_WEIGHTS))]
    counts = (province.on_time, province.within, province.late, province.online)
    columns = zip(codes, *(parts_of(count, weights) for count in counts), strict=True)
    units = [
        Unit(code, code, "", on_time + within + late, on_time, within, late, None, online)
        for code, on_time, within, late, online in columns
    ]
    return UnitTable(NAME, tenant, published.place, published.source, published.year, None, units)


def dossiers_of(events: Iterable[dict[str, Any]]) -> Iterator[Dossier]:
    """The dossiers of a history, which has the events of each together."""
    for number, (code, group) in enumerate(groupby(events, key=lambda event: event["subject"])):
        life = {event["type"].split(".")[3]: event for event in group}
        received = life["received"]["data"]
        yield Dossier(
            number,
            code,
            received["agency_code"],
            received["procedure_code"],
            received["channel"],
            _local(life["received"]["time"]),
            _local(received["due_at"]).date(),
            _local(life["processed"]["time"]) if "processed" in life else None,
        )


def _local(instant: str) -> datetime:
    return datetime.fromisoformat(instant).astimezone(LOCAL)


def dossier_of_seven_steps(writer: EventWriter, tenant: str) -> tuple[Dossier, list[dict[str, Any]]]:
    """A dossier of 2025 that runs through the published process, received when the slip is form 06 already."""
    agency = f"{tenant}.{LAND_OFFICE}"
    received_at, ended_at = at_hour(date(2025, 10, 6), 8), at_hour(date(2025, 10, 31), 15)
    due_on = date(2025, 11, 4)
    number = 36  # of those that have everything
    dossier = Dossier(number, f"{agency}-251006-00001", agency, SEVEN_STEPS.code, "online", received_at, due_on, ended_at)
    write = writer.write
    events = [
        write(
            "dossier.received",
            dossier.code,
            received_at,
            procedure_code=dossier.procedure,
            agency_code=dossier.agency,
            channel=dossier.channel,
            due_at=at_hour(due_on, 17).isoformat(),
        ),
        write("dossier.assigned", dossier.code, received_at + timedelta(minutes=15), department="Phòng Đất đai"),
        write("dossier.processed", dossier.code, ended_at, outcome="approved"),
        write("dossier.returned", dossier.code, ended_at + timedelta(hours=1), method="online"),
    ]
    return dossier, events
