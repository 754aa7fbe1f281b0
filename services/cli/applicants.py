"""``motcua applicants forget``: what is known of applicants and other persons goes when its retention ends; figures stay."""

import argparse
import getpass
from datetime import date
from typing import Any, Final

from services.cli.database import with_database
from services.cli.keys import tenant_named
from shared.database.engine import DriverConnection
from shared.dossiers.store import erasures
from shared.projection.store import dossier_rows, records
from shared.vocabulary.events import DossierCode
from shared.vocabulary.local_time import start_of_day

_PAGE: Final = 1_000


def register(commands: Any) -> None:
    group = commands.add_parser("applicants", help="forget applicants")
    actions = group.add_subparsers(metavar="ACTION", required=True)
    forget = actions.add_parser("forget", help="take out what is known of applicants; noted, and never to be undone")
    forget.add_argument("--tenant", help="province or ministry; may be left out where there is only one")
    which = forget.add_mutually_exclusive_group(required=True)
    which.add_argument("--dossier", action="append", help="of this dossier; may be given several times")
    which.add_argument(
        "--record", action="append", metavar="CODE", dest="dossier", help="of this record of another register (feedback …)"
    )
    which.add_argument(
        "--told-before",
        type=date.fromisoformat,
        metavar="DATE",
        help="of all records of other registers to which nothing happened on this day or later",
    )
    which.add_argument(
        "--ended-before",
        type=date.fromisoformat,
        metavar="DATE",
        help="of all dossiers that ended before this day, or were never received and had their last event before it",
    )
    forget.add_argument("--reason", required=True, help="why, for the record")
    forget.add_argument("--by", default=getpass.getuser(), help="who, for the record (%(default)s)")
    forget.set_defaults(run=_forget)


def _forget(arguments: argparse.Namespace) -> int:
    async def forgotten(connection: DriverConnection) -> int:
        tenant = await tenant_named(connection, arguments.tenant)
        by, reason = arguments.by, arguments.reason
        if arguments.dossier:
            codes = [DossierCode(code) for code in arguments.dossier]
            return len(await erasures.forget(connection, tenant, codes, eraser=by, reason=reason))
        before, after, number = start_of_day(arguments.ended_before or arguments.told_before), "", 0
        over = dossier_rows.over_before if arguments.ended_before else records.untouched_since
        while codes := await over(connection, tenant, before, after, _PAGE):
            number += len(await erasures.forget(connection, tenant, codes, eraser=by, reason=reason))
            after = codes[-1]
        return number

    print(f"forgotten: the applicants of {with_database(forgotten)} dossiers")
    return 0
