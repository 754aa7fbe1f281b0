"""``motcua sample``: load a published year as events into a running API, and print it against what is counted."""

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from services.cli.api import add_api_options, api_client, refusal
from services.cli.errors import CommandError
from services.sample.comparison import Comparison, compare, print_comparison
from services.sample.headline import headline, print_headline
from services.sample.registers.dossiers import year_table
from services.sample.registers.loading import load_year
from services.sample.registers.published import print_lines, published_lines
from services.sample.replay import ReplayError, figures, replay, summary, sync, wait_until_synced
from services.sample.table import CSV_HEADINGS, REGISTERS_SAMPLE, SAMPLE_NAMES, UnitTable, published_table, read_table
from shared.settings import Settings

NARROWEST_SHEET = 130
"""Columns that the comparison needs; a pipe or a small window gets lines this long."""


def register(commands: Any) -> None:
    command = commands.add_parser(
        "sample", help="load a published year as events, and compare what is counted with what was printed"
    )
    command.add_argument("name", nargs="?", help=f"{', '.join(SAMPLE_NAMES)} ({Settings().sample} when absent)")
    command.add_argument(
        "--table", type=Path, help=f"a table of your own instead: CSV with the headings {', '.join(CSV_HEADINGS)}"
    )
    command.add_argument("--year", type=int, help="the year of your own table; it must be over")
    command.add_argument("--compare", action="store_true", help="load nothing, only compare")
    command.add_argument(
        "--wait-sync", action="store_true", help="compare only when the national portal has answered for every dossier"
    )
    add_api_options(command, scope="admin rights")
    command.set_defaults(run=_sample)


def _sample(arguments: argparse.Namespace) -> int:
    console = Console()
    if console.width < NARROWEST_SHEET:
        console = Console(width=NARROWEST_SHEET)
    with api_client(arguments) as client:
        tenant = _tenant(client)
        try:
            if _has_registers(arguments):
                agrees = _register_year(arguments, console, client, year_table(tenant))
            else:
                agrees = _unit_table(arguments, console, client, _table(arguments, tenant))
        except ReplayError as error:
            raise CommandError(str(error)) from error
    return 0 if agrees else 1


def _has_registers(arguments: argparse.Namespace) -> bool:
    return arguments.table is None and (arguments.name or Settings().sample) == REGISTERS_SAMPLE


def _register_year(arguments: argparse.Namespace, console: Console, client: httpx.Client, table: UnitTable) -> bool:
    if not arguments.compare:
        load_year(client, table, console)
    if arguments.wait_sync:
        wait_until_synced(client, table, console)
    return print_lines(console, list(published_lines(client)))


def _unit_table(arguments: argparse.Namespace, console: Console, client: httpx.Client, table: UnitTable) -> bool:
    rows = compare(table, figures(client, table)) if arguments.compare else replay(client, table, console)
    if arguments.wait_sync:
        wait_until_synced(client, table, console)
    return _compared(console, client, table, rows)


def _compared(console: Console, client: httpx.Client, table: UnitTable, rows: list[Comparison]) -> bool:
    if table.totals is None:
        return print_comparison(console, table, rows)
    synced = sync(client, table)
    return print_headline(console, table, headline(table, rows[0], summary(client, table), synced), synced)


def _tenant(client: httpx.Client) -> str:
    answer = client.get("/v1/whoami")
    if not answer.is_success:
        raise refusal(answer)
    return str(answer.json()["tenant"])


def _table(arguments: argparse.Namespace, tenant: str) -> UnitTable:
    if arguments.table is None:
        return published_table(arguments.name or Settings().sample, tenant)
    if arguments.year is None:
        raise CommandError("a table of your own needs its year: --year 2024.")
    if not 1990 <= arguments.year < datetime.now(UTC).year:  # noqa: PLR2004 - before it nothing was computed
        raise CommandError(f"--year {arguments.year}: expected a year from 1990 on that is over.")
    return read_table(arguments.table, tenant=tenant, year=arguments.year)
