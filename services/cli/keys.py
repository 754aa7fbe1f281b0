"""``motcua keys``: make, list and revoke the keys of callers."""

import argparse
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from services.cli.database import with_database
from services.cli.errors import CommandError
from shared.access.store import keys, tenants
from shared.access.store.keys import ApiKey, Permission
from shared.database.engine import DriverConnection
from shared.settings import LOCAL_TENANT
from shared.vocabulary.events import Tenant

_ONLY_ONE: Final = "province or ministry; may be left out where there is only one"


def register(commands: Any) -> None:
    group = commands.add_parser("keys", help="make, list and revoke keys")
    actions = group.add_subparsers(metavar="ACTION", required=True)
    create = actions.add_parser("create", help="make a key and print it alone: it is shown only now")
    create.add_argument("--tenant", required=True, help="province or ministry, such as H51")
    create.add_argument("--agency", help="root of the agency subtree that the key may see; without it the whole tenant")
    create.add_argument(
        "--scope",
        required=True,
        action="append",
        type=Permission,
        choices=list(Permission),
        metavar="SCOPE",
        help=f"{', '.join(Permission)}; may be given several times",
    )
    create.add_argument("--label", default="", help="a note for people")
    create.set_defaults(run=_create)
    listing = actions.add_parser("list", help="list the keys of a tenant")
    listing.add_argument("--tenant", help=_ONLY_ONE)
    listing.set_defaults(run=_list)
    revoke = actions.add_parser("revoke", help="revoke a key; it is refused within a second")
    revoke.add_argument("--tenant", help=_ONLY_ONE)
    revoke.add_argument("key_id", help="the id, as listed")
    revoke.set_defaults(run=_revoke)


def _create(arguments: argparse.Namespace) -> int:
    async def create(connection: DriverConnection) -> str:
        if arguments.tenant == LOCAL_TENANT:
            await tenants.create(connection, LOCAL_TENANT)  # the local run's own needs no ceremony
        tenant = Tenant(arguments.tenant)
        return await keys.create(connection, tenant, arguments.scope, agency=arguments.agency, label=arguments.label)

    print(with_database(create))
    return 0


def _list(arguments: argparse.Namespace) -> int:
    async def listed(connection: DriverConnection) -> list[ApiKey]:
        return await keys.of_tenant(connection, await tenant_named(connection, arguments.tenant))

    found = with_database(listed)
    table = Table("key id", "label", "scopes", "agency", "created", "revoked", box=None)
    for key in found:
        scopes = " ".join(sorted(key.scopes))
        revoked = f"{key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else ""
        table.add_row(key.key_id, key.label, scopes, key.agency or "-", f"{key.created_at:%Y-%m-%d %H:%M}", revoked)
    Console(soft_wrap=True).print(table)
    return 0


def _revoke(arguments: argparse.Namespace) -> int:
    async def revoke(connection: DriverConnection) -> tuple[Tenant, bool]:
        tenant = await tenant_named(connection, arguments.tenant)
        return tenant, await keys.revoke(connection, tenant, arguments.key_id)

    tenant, revoked = with_database(revoke)
    if not revoked:
        raise CommandError(f"tenant {tenant} has no key {arguments.key_id}; see `motcua keys list`.")
    print(f"revoked {arguments.key_id}")
    return 0


async def tenant_named(connection: DriverConnection, named: str | None) -> Tenant:
    """The tenant that is named, else the only one there is.

    Raises:
        CommandError: none is named and there is not exactly one.
    """
    if named is not None:
        return Tenant(named)
    known = list(await tenants.names(connection))
    if len(known) != 1:
        raise CommandError(f"name the tenant with --tenant: {', '.join(known) or 'there is none yet'}.")
    return known[0]
