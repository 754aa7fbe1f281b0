"""``motcua transfer``: pass the open dossiers of an abolished agency on to its successor."""

import argparse
from typing import Any

from services.cli.api import add_api_options, api_client, refusal


def register(commands: Any) -> None:
    command = commands.add_parser("transfer", help="pass the open dossiers of an abolished agency to its successor")
    command.add_argument("agency", help="the abolished agency, such as H51.30")
    command.add_argument("--to", help="its successor; needed where it has several")
    add_api_options(command, scope="admin")
    command.set_defaults(run=_transfer)


def _transfer(arguments: argparse.Namespace) -> int:
    body = {"to": arguments.to} if arguments.to else {}
    transferred = 0
    with api_client(arguments) as client:
        while True:
            answer = client.post(f"/v1/agencies/{arguments.agency}/transfer", json=body)
            if not answer.is_success:
                raise refusal(answer)
            done = answer.json()
            transferred += done["transferred"]
            # a call that passed none on would look at the same ones again
            if not (done["more"] and done["transferred"]):
                break
    print(f"{done['agency']} -> {done['to']}: {transferred} dossiers transferred, {done['unchanged']} left as they are")
    return 0
