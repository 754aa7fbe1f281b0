"""``motcua migrate``: bring the database to the newest schema, as its owner."""

import argparse
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config

from services.cli.errors import CommandError

_CONFIGURATION = Path(__file__).resolve().parents[2] / "alembic.ini"


def register(commands: Any) -> None:
    migrate = commands.add_parser("migrate", help="bring the database to the newest schema; safe to repeat")
    migrate.set_defaults(run=_migrate)


def _migrate(_arguments: argparse.Namespace) -> int:
    if not _CONFIGURATION.exists():
        raise CommandError(f"{_CONFIGURATION} does not exist: run this from a checkout or the image.")
    configuration = Config(_CONFIGURATION)
    configuration.set_main_option("script_location", str(_CONFIGURATION.parent / "migrations"))
    command.upgrade(configuration, "head")
    print("the database has the newest schema")
    return 0
