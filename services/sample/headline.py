"""Printed against computed for a whole province: its headline figures, each share beside the counts that it is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from services.sample.comparison import Comparison
from services.sample.table import UnitTable
from shared.counting.rules.period_sums import percent

SPLIT_NOTE: Final = (
    "only the totals are printed: which procedures are integrated, and so which dossiers the portal takes, is ours;"
    " the mock portal refuses the others where it insists on its catalogue (PUT /_portal/limits)"
)

Figure = int | Decimal


@dataclass(frozen=True, slots=True)
class Line:
    """One figure. ``printed`` None: the report does not print it; ``remade``: what its own printed counts make of it."""

    name: str
    printed: Figure | None
    remade: Figure
    computed: Figure | None

    @property
    def agrees(self) -> bool:
        """Whether the events give what the printed counts make."""
        return self.computed == self.remade

    @property
    def is_misprint(self) -> bool:
        """Whether the printed figure contradicts the printed counts."""
        return self.printed is not None and self.printed != self.remade

    @property
    def remark(self) -> str:
        """How the two sides stand to each other."""
        if not self.agrees:
            return "DIFFERS"
        return f"= {self.remade}, misprint: {self.printed}" if self.is_misprint else "="


def _share(part: int, whole: int) -> Decimal:
    text = percent(part, whole)
    return Decimal(0) if text is None else Decimal(text)


def headline(table: UnitTable, row: Comparison, figures: Mapping[str, Any], sync: Mapping[str, Any]) -> list[Line]:
    """The lines of a province.

    ``figures``: ``GET /v1/stats/summary``, ``sync``: ``GET /v1/sync``, both for the table's year. In a scaled table the
    printed shares are those of the whole one: they are left out.
    """
    unit, totals = row.unit, table.totals
    whole = totals is not None and unit.rate_pct is not None
    assert unit.online is not None
    assert unit.synced is not None
    resolved = unit.on_time + unit.late
    online = int(figures["received"]["new"]["online"])
    indicator = sync["indicator"]
    return [
        Line("received", unit.received, unit.dossiers, row.received),
        Line("resolved early or on time", unit.on_time, unit.on_time, row.on_time),
        Line("resolved late", unit.late, unit.late, row.late),
        Line("in progress", unit.within, unit.within, row.within),
        Line("on time, rate A %", unit.rate_pct, _share(unit.on_time, resolved), row.rate_pct),
        Line(
            "late %",
            totals.late_rate_pct if totals and whole else None,
            _share(unit.late, resolved),
            _share(row.late, row.on_time + row.late),
        ),
        Line("received online", unit.online, unit.online, online),
        Line(
            "received online %",
            totals.online_pct if totals and whole else None,
            _share(unit.online, unit.dossiers),
            _share(online, row.received),
        ),
        Line("synced to the national portal", unit.synced, unit.synced, int(indicator["numerator"])),
        Line(
            "synced %, indicator 1.4",
            None,
            _share(unit.synced, unit.dossiers),
            None if indicator["value"] is None else Decimal(indicator["value"]),
        ),
    ]


def print_headline(console: Console, table: UnitTable, lines: Sequence[Line], sync: Mapping[str, Any]) -> bool:
    """Print both sides, the misprints and the state of the sync.

    True if every line agrees; what is synced may be less than printed while dossiers wait for the portal.
    """
    counts = sync["counts"]

    def goes_on(line: Line) -> bool:
        return counts["pending"] > 0 and line.name.startswith("synced") and not line.agrees

    sheet = Table(title=f"{table.place} {table.year}: printed | computed", caption=table.source, expand=False)
    sheet.add_column("figure")
    for heading in ("printed", "computed"):
        sheet.add_column(heading, justify="right")
    sheet.add_column("")
    for line in lines:
        remark = "sync goes on" if goes_on(line) else line.remark
        sheet.add_row(line.name, _shown(line.printed), _shown(line.computed), remark)
    console.print(sheet)
    if table.totals is not None:
        for misprint in table.totals.misprints:
            console.print(f"misprint, not counted here: {misprint}", highlight=False)
    states = ", ".join(f"{count} {state}" for state, count in counts.items())
    errors = "; ".join(f"{kind}: {count}" for kind, count in sync["errors"].items())
    console.print(f"at the portal: {states}{f' ({errors})' if errors else ''}", highlight=False)
    console.print(f"note: {SPLIT_NOTE}", highlight=False)
    differing = [line for line in lines if not line.agrees]
    console.print(f"{len(lines) - len(differing)} of {len(lines)} figures agree; {lines[0].computed} dossiers")
    return all(goes_on(line) for line in differing)


def _shown(figure: Figure | None) -> str:
    return "-" if figure is None else str(figure)
