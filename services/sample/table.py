"""A unit table as provinces publish it: per unit the dossiers received, on time, in progress within term, and late."""

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from shared.vocabulary.errors import FieldError, InvalidInput

SAMPLES: Final = {"soctrang-2018": "soctrang_2018_by_unit", "soctrang-2022": "soctrang_2022"}
"""The samples that are one table, with the report's id in ``published.json``."""

REGISTERS_SAMPLE: Final = "soctrang-2022-registers"
"""The second sample year, which is no table alone (``services.sample.registers``)."""

SAMPLE_NAMES: Final = (*SAMPLES, REGISTERS_SAMPLE)

RATE: Final = re.compile(r"(\d{1,3}(\.\d{1,2})?)?")

CSV_HEADINGS: Final = ("name", "received", "on_time", "in_progress_within", "late", "on_time_rate_pct")


@dataclass(frozen=True, slots=True)
class Unit:
    """One printed row. ``received`` and ``rate_pct`` are quoted as printed and may contradict the parts.

    ``online`` and ``synced``: how many of its dossiers came in online and reached the national portal; None: not printed.
    """

    code: str
    name: str
    group: str
    received: int
    on_time: int
    within: int
    late: int
    rate_pct: Decimal | None
    online: int | None = None
    synced: int | None = None

    @property
    def dossiers(self) -> int:
        """The sum of the parts: how many dossiers the row stands for."""
        return self.on_time + self.within + self.late


@dataclass(frozen=True, slots=True)
class Totals:
    """What a report prints beside the counts of a whole province: two shares, and misprints of figures not counted here."""

    late_rate_pct: Decimal
    online_pct: Decimal
    misprints: Sequence[str]


@dataclass(frozen=True, slots=True)
class UnitTable:
    """A table of one calendar year of one tenant; the units are direct children of the tenant's root agency.

    With ``totals`` it has one row, the province as a whole, under the root itself.
    """

    id: str
    tenant: str
    place: str
    source: str
    year: int
    headline_rate_pct: Decimal | None
    units: Sequence[Unit]
    totals: Totals | None = None

    @property
    def dossiers(self) -> int:
        """Dossiers of all units, by their parts."""
        return sum(unit.dossiers for unit in self.units)


def _decimal(value: object) -> Decimal | None:
    return None if value in (None, "") else Decimal(str(value))


def published_table(name: str, tenant: str) -> UnitTable:
    """The published table called ``name``.

    Raises:
        InvalidInput: no sample has this name.
    """
    if name not in SAMPLES:
        raise InvalidInput.of("/sample", "unknown_sample", f"expected one of {', '.join(SAMPLE_NAMES)}, or none")
    document = json.loads(files("services.sample").joinpath("published.json").read_text(encoding="utf-8"))
    report: dict[str, Any] = next(report for report in document["reports"] if report["id"] == SAMPLES[name])
    return _by_unit(name, tenant, report) if "units" in report else _whole_province(name, tenant, report)


def _by_unit(name: str, tenant: str, report: dict[str, Any]) -> UnitTable:
    return UnitTable(
        id=name,
        tenant=tenant,
        place=report["place"],
        source=report["issuer"],
        year=report["period"]["year"],
        headline_rate_pct=_decimal(report["headline_average_on_time_rate_pct"]),
        units=[
            Unit(
                code=_unit_code(tenant, number),
                name=unit["name_vi"],
                group=unit["group_vi"],
                received=unit["received"],
                on_time=unit["on_time"],
                within=unit["in_progress_within"],
                late=unit["late"],
                rate_pct=_decimal(unit["on_time_rate_published_pct"]),
            )
            for number, unit in enumerate(report["units"], start=1)
        ],
    )


def _whole_province(name: str, tenant: str, report: dict[str, Any]) -> UnitTable:
    counts, online = report["dossiers"], report["online_services"]
    province = Unit(
        code=tenant,
        name=report["place"],
        group="",
        received=counts["received"],
        on_time=counts["resolved_early_or_on_time"],
        within=counts["in_progress"],
        late=counts["late"],
        rate_pct=_decimal(counts["on_time_rate_pct"]),
        online=online["online_dossiers"],
        synced=report["sync"]["dossiers_status_synced_to_dvcqg"],
    )
    totals = Totals(
        late_rate_pct=Decimal(str(counts["late_rate_pct"])),
        online_pct=Decimal(str(online["online_dossiers_pct"])),
        misprints=[
            ": ".join(str(misprint[key]) for key in ("field", "published", "note") if key in misprint)
            for misprint in report["known_misprints"]
            if "recomputed" not in misprint
        ],
    )
    return UnitTable(name, tenant, report["place"], report["issuer"], report["period"]["year"], None, [province], totals)


def scaled(table: UnitTable, divisor: int) -> UnitTable:
    """The same table with every count divided, rounded down: a quick run of the same mechanism, no printed rate."""
    if divisor == 1:
        return table

    def part(count: int | None) -> int | None:
        return None if count is None else count // divisor

    units = []
    for unit in table.units:
        on_time, within, late = unit.on_time // divisor, unit.within // divisor, unit.late // divisor
        small = replace(unit, on_time=on_time, within=within, late=late, received=on_time + within + late, rate_pct=None)
        units.append(replace(small, online=part(unit.online), synced=part(unit.synced)))
    return replace(table, id=f"{table.id}-{divisor}", headline_rate_pct=None, units=units)


def read_table(path: Path, *, tenant: str, year: int) -> UnitTable:
    """One's own table: a CSV file in UTF-8 with the headings ``CSV_HEADINGS`` (the last may be empty or missing).

    The year must be over, or the history would lie in the future.

    Raises:
        InvalidInput: with a pointer ``/<line>/<heading>`` for each wrong cell.
        OSError: the file cannot be read.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        missing = [heading for heading in CSV_HEADINGS[:-1] if heading not in (reader.fieldnames or ())]
        if missing:
            raise InvalidInput.of("/1", "missing_heading", f"expected the headings {', '.join(CSV_HEADINGS)}")
        rows = list(reader)
    errors: list[FieldError] = []
    units = [_csv_unit(row, line, tenant, errors) for line, row in enumerate(rows, start=2)]
    if not rows:
        errors.append(FieldError("/2", "empty", "expected at least one unit"))
    if errors:
        raise InvalidInput(errors)
    return UnitTable(path.stem, tenant, tenant, str(path), year, None, units)


def _csv_unit(row: dict[str, str | None], line: int, tenant: str, errors: list[FieldError]) -> Unit:
    def count(heading: str) -> int:
        text = (row.get(heading) or "").strip()
        if text.isascii() and text.isdigit():
            return int(text)
        errors.append(FieldError(f"/{line}/{heading}", "not_a_count", "expected a whole number, 0 or more"))
        return 0

    rate = (row.get("on_time_rate_pct") or "").strip()
    if not RATE.fullmatch(rate):
        errors.append(
            FieldError(f"/{line}/on_time_rate_pct", "not_a_rate", "expected a percentage such as 86.87, or nothing")
        )
        rate = ""
    name = (row.get("name") or "").strip()
    if not name:
        errors.append(FieldError(f"/{line}/name", "missing", "expected the unit's name"))
    return Unit(
        code=_unit_code(tenant, line - 1),
        name=name,
        group="",
        received=count("received"),
        on_time=count("on_time"),
        within=count("in_progress_within"),
        late=count("late"),
        rate_pct=_decimal(rate),
    )


def _unit_code(tenant: str, number: int) -> str:
    return f"{tenant}.{number:02d}" if number < 100 else f"{tenant}.{number:03d}"  # noqa: PLR2004 - groups of 2-3 digits
