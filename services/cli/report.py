"""``motcua report``: the figures of a period by agency, with the named rates, as a table in the terminal."""

import argparse
from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from services.cli.api import add_api_options, api_client, refusal

_COLUMNS: Final = (
    ("received", ("received", "total")),
    ("new", ("received", "new", "total")),
    ("carried over", ("received", "carried_over")),
    ("early", ("resolved", "early")),
    ("on time", ("resolved", "on_time")),
    ("late", ("resolved", "late")),
    ("within", ("open", "within")),
    ("overdue", ("open", "overdue")),
)
_NARROWEST_SHEET: Final = 120


def register(commands: Any) -> None:
    command = commands.add_parser("report", help="print the figures of a period, a row for each unit under an agency")
    command.add_argument("period", help="2018, 2018-H1, 2018-Q3, 2018-05, 2018-W07, ND09:2018-6M …")
    command.add_argument("--agency", help="the agency whose units to show (the key's root when absent)")
    add_api_options(command, scope="stats:read")
    command.set_defaults(run=_report)


def _report(arguments: argparse.Namespace) -> int:
    asked = {"period": arguments.period} | ({"agency": arguments.agency} if arguments.agency else {})
    with api_client(arguments) as client:
        answer = client.get("/v1/stats/by/agency", params=asked)
    if not answer.is_success:
        raise refusal(answer)
    figures = answer.json()
    console = Console()
    if console.width < _NARROWEST_SHEET:
        console = Console(width=_NARROWEST_SHEET)
    console.print(_sheet(figures))
    stamp = figures["as_of"]
    console.print(f"counted to position {stamp['position']}, {stamp['lag_seconds']} s behind", highlight=False)
    return 0


def _sheet(figures: Mapping[str, Any]) -> Table:
    period, scope = figures["period"], figures["scope"]
    sheet = Table(title=f"{scope['agency']}, {period['from']} to {period['to']}", show_footer=True)
    sheet.add_column("unit", footer="total")
    for heading, path in _COLUMNS:
        sheet.add_column(heading, justify="right", footer=str(_figure(figures["total"], path)))
    sheet.add_column("on time of resolved %", justify="right", footer=_rate(figures["total"]))
    for row in figures["rows"]:
        cells = (str(_figure(row, path)) for _, path in _COLUMNS)
        sheet.add_row(f"{row['key']} {row['name'] or ''}", *cells, _rate(row))
    return sheet


def _figure(row: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = row
    for name in path:
        value = value[name]
    return value


def _rate(row: Mapping[str, Any]) -> str:
    return str(row["rates"]["resolved_on_time"]["value"] or "-")
