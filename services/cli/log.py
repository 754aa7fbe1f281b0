"""``motcua log``: find texts in the log that seem to hold personal data, take them out, check that all else is as told."""

import argparse
import getpass
from collections.abc import AsyncIterator
from typing import Any, Final

from services.cli.database import with_database
from services.cli.errors import CommandError
from services.cli.keys import tenant_named
from shared.database.engine import DriverConnection
from shared.events.rules.personal_text import personal_texts
from shared.events.store import event_log, redactions
from shared.events.store.event_log import AnyEvent
from shared.events.store.redactions import Redaction
from shared.vocabulary.errors import NotFound
from shared.vocabulary.events import Tenant

_PAGE: Final = 1_000


def register(commands: Any) -> None:
    group = commands.add_parser("log", help="personal data in the texts of events")
    actions = group.add_subparsers(metavar="ACTION", required=True)
    find = actions.add_parser("find", help="list events whose texts seem to hold personal data, without the texts")
    find.set_defaults(run=_find)
    redact = actions.add_parser("redact", help="take texts out of an event, as the owner; noted, and never to be undone")
    redact.add_argument("--source", required=True, help="the event's source")
    redact.add_argument("--id", required=True, help="the event's id")
    redactable = ", ".join((*sorted(redactions.REDACTABLE), "or a personal field of a register"))
    redact.add_argument("--field", required=True, action="append", help=redactable)
    redact.add_argument("--reason", required=True, help="why, for the record")
    redact.add_argument("--by", default=getpass.getuser(), help="who, for the record (%(default)s)")
    redact.set_defaults(run=_redact)
    verify = actions.add_parser("verify", help="check that every event is what was told, or what a redaction left of it")
    verify.set_defaults(run=_verify)
    for action in (find, redact, verify):
        action.add_argument("--tenant", help="province or ministry; may be left out where there is only one")


async def _pages(connection: DriverConnection, tenant: Tenant) -> AsyncIterator[list[AnyEvent]]:
    after = 0
    while page := await event_log.read_after(connection, tenant, after, _PAGE):
        yield page
        after = page[-1].position


def _find(arguments: argparse.Namespace) -> int:
    async def found(connection: DriverConnection) -> None:
        async for page in _pages(connection, await tenant_named(connection, arguments.tenant)):
            for event in page:
                for field, kind in personal_texts(event.data):
                    print(event.position, event.source, event.id, event.subject, field, kind, sep="\t")

    with_database(found)
    return 0


def _redact(arguments: argparse.Namespace) -> int:
    async def redacted(connection: DriverConnection) -> int:
        tenant = await tenant_named(connection, arguments.tenant)
        asked = Redaction(arguments.source, arguments.id, arguments.field, arguments.by, arguments.reason)
        async with connection.transaction():
            return await redactions.redact(connection, tenant, asked)

    try:
        print(f"redacted: {', '.join(arguments.field)} of event {with_database(redacted, as_owner=True)}")
    except NotFound:
        raise CommandError("there is no event with this source and id.") from None
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    async def verified(connection: DriverConnection) -> tuple[int, list[int]]:
        tenant = await tenant_named(connection, arguments.tenant)
        looked_at, changed = 0, list[int]()
        async for page in _pages(connection, tenant):
            looked_at += len(page)
            changed += [event.position for event in await redactions.changed_events(connection, tenant, page)]
        return looked_at, changed

    looked_at, changed = with_database(verified)
    for position in changed:
        print(f"event {position} is not what was told, and no redaction says so")
    print(f"{looked_at} events looked at, {len(changed)} changed")
    return 1 if changed else 0
