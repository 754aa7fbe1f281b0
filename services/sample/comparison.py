"""Printed against computed: the published table beside what the product counts from the events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from services.sample.table import Unit, UnitTable

CENT: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Comparison:
    """One unit, printed and computed. A computed rate is None where nothing was resolved."""

    unit: Unit
    received: int
    on_time: int
    within: int
    late: int
    rate_pct: Decimal | None

    @property
    def agrees(self) -> bool:
        """Whether the parts, their sum and the printed rate come out of the events exactly."""
        unit = self.unit
        parts = (self.on_time, self.within, self.late, self.received)
        return parts == (unit.on_time, unit.within, unit.late, unit.dossiers) and unit.rate_pct in (None, self.rate_pct)

    @property
    def received_is_misprinted(self) -> bool:
        """Whether the printed total contradicts the row's own parts."""
        return self.unit.received != self.unit.dossiers


def compare(table: UnitTable, answer: Mapping[str, Any]) -> list[Comparison]:
    """The table's units beside the rows of ``GET /v1/stats/by/agency`` for the table's year."""
    rows = {row["key"]: row for row in answer["rows"]}
    return [_compare_unit(unit, rows.get(unit.code)) for unit in table.units]


def _compare_unit(unit: Unit, row: Mapping[str, Any] | None) -> Comparison:
    if row is None:
        return Comparison(unit, 0, 0, 0, 0, None)
    rate = row["rates"]["resolved_on_time"]["value"]
    return Comparison(
        unit,
        received=row["received"]["total"],
        on_time=row["resolved"]["early"] + row["resolved"]["on_time"],
        within=row["open"]["within"],
        late=row["resolved"]["late"],
        rate_pct=None if rate is None else Decimal(rate),
    )


def averages(comparisons: Sequence[Comparison]) -> dict[str, Decimal]:
    """The two averages of rate A that can be meant, by name, in percent: *pooled* and *mean of units*."""
    on_time = sum(row.on_time for row in comparisons)
    resolved = on_time + sum(row.late for row in comparisons)
    rates = [row.rate_pct for row in comparisons if row.rate_pct is not None]
    found: dict[str, Decimal] = {}
    if resolved:
        found["pooled"] = (Decimal(100 * on_time) / resolved).quantize(CENT, ROUND_HALF_UP)
    if rates:
        found["mean of units"] = (sum(rates, Decimal(0)) / len(rates)).quantize(CENT, ROUND_HALF_UP)
    return found


def print_comparison(console: Console, table: UnitTable, comparisons: Sequence[Comparison]) -> bool:
    """Print both sides, the misprints and the headline; True if every unit agrees."""
    sheet = Table(title=f"{table.place} {table.year}: printed | computed", caption=table.source, expand=False)
    sheet.add_column("unit")
    for heading in ("received", "on time", "within", "late", "rate A %"):
        sheet.add_column(heading, justify="right")
    sheet.add_column("")
    for row in comparisons:
        unit = row.unit
        sheet.add_row(
            f"{unit.code} {unit.name}",
            f"{unit.received} | {row.received}",
            f"{unit.on_time} | {row.on_time}",
            f"{unit.within} | {row.within}",
            f"{unit.late} | {row.late}",
            f"{unit.rate_pct or '-'} | {row.rate_pct or '-'}",
            "=" if row.agrees else "DIFFERS",
        )
    console.print(sheet)
    for row in comparisons:
        if row.received_is_misprinted:
            console.print(
                f"misprint: {row.unit.name} prints {row.unit.received} received,"
                f" its own parts sum to {row.unit.dossiers} (counted: {row.received})"
            )
    _print_headline(console, table, comparisons)
    agreeing = sum(row.agrees for row in comparisons)
    console.print(f"{agreeing} of {len(comparisons)} units agree; {sum(row.received for row in comparisons)} dossiers")
    return agreeing == len(comparisons)


def _print_headline(console: Console, table: UnitTable, comparisons: Sequence[Comparison]) -> None:
    found = averages(comparisons)
    printed = table.headline_rate_pct
    shown = ", ".join(f"{name} {value}" for name, value in found.items())
    if printed is None:
        console.print(f"average of rate A: {shown}")
    elif printed in found.values():
        console.print(f"headline {printed} %: reproduced ({shown})")
    else:
        console.print(f"headline {printed} %: reproduces under no averaging of its own rows ({shown})")
