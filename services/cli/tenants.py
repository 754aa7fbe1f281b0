"""``motcua tenants``: provinces and ministries."""

import argparse
from typing import Any

from services.cli.database import with_database
from shared.access.store import tenants


def register(commands: Any) -> None:
    group = commands.add_parser("tenants", help="create and list provinces and ministries")
    actions = group.add_subparsers(metavar="ACTION", required=True)
    create = actions.add_parser("create", help="create a tenant; safe to repeat")
    create.add_argument("tenant", help="a letter A-Y and two digits, such as H51")
    create.add_argument("--name", default="", help="such as 'Tỉnh Sóc Trăng'")
    create.set_defaults(run=_create)
    listing = actions.add_parser("list", help="list the tenants")
    listing.set_defaults(run=_list)


def _create(arguments: argparse.Namespace) -> int:
    made = with_database(lambda connection: tenants.create(connection, arguments.tenant, arguments.name))
    print(f"{'created' if made else 'exists already:'} {arguments.tenant}")
    return 0


def _list(_arguments: argparse.Namespace) -> int:
    for code, name in with_database(tenants.names).items():
        print(code, name)
    return 0
