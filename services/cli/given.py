"""``motcua given``: give a published table of a file to a running API, and print what it breaks and what is only quoted."""

import argparse
from pathlib import Path
from typing import Any

from services.cli.api import add_api_options, api_client, refusal


def register(commands: Any) -> None:
    command = commands.add_parser("given", help="give a published table (JSON) to the API, checked against our identities")
    command.add_argument("file", type=Path, help="the file: {register, issuer, date, from, to, text, figures}")
    command.add_argument("--id", help="the table's id (the file's name without its ending when absent)")
    add_api_options(command, scope="admin")
    command.set_defaults(run=_give)


def _give(arguments: argparse.Namespace) -> int:
    table = arguments.id or arguments.file.stem
    headers = {"content-type": "application/json"}
    with api_client(arguments) as client:
        answer = client.put(f"/v1/given/{table}", content=arguments.file.read_bytes(), headers=headers)
    if not answer.is_success:
        raise refusal(answer)
    known = answer.json()
    print(f"{known['id']}: {len(known['figures'])} figures of {known['register']}, {known['from']} to {known['to']}")
    for one in known["breaks"]:
        print(f"breaks {one['identity']}: {one['left']} and {one['right']}")
    for title in ("quoted", "unknown"):
        if known[title]:
            print(f"{title}: {', '.join(known[title])}")
    return 0
