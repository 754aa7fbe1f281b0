"""``motcua rebuild``, ``reconcile`` and ``audit``: start a long job in a running system, follow it, print its result."""

import argparse
import time
from functools import partial
from typing import Any, Final

import httpx
import orjson
from rich.console import Console

from services.cli.api import add_api_options, api_client, refusal
from services.cli.errors import CommandError

_UNFINISHED: Final = frozenset({"queued", "running"})
_LOOK_EVERY_SECONDS: Final = 0.5


def register(commands: Any) -> None:
    rebuild = commands.add_parser("rebuild", help="recompute every dossier and figure from the log; correct what differs")
    add_api_options(rebuild, scope="admin, of the whole province")
    rebuild.set_defaults(run=partial(_follow, path="/v1/stats/rebuild"))
    reconcile = commands.add_parser("reconcile", help="compare what the portal holds with what we hold; send what differs")
    add_api_options(reconcile, scope="sync:manage")
    reconcile.set_defaults(run=partial(_follow, path="/v1/sync/reconcile"))
    audit = commands.add_parser("audit", help="recount figures from the log, tell what differs, then repair it")
    audit.add_argument("--whole", action="store_true", help="everything; without it and the others: a sample as by night")
    audit.add_argument("--period", help="the figures of a period: 2018, 2018-Q3, 2018-05, ND09:2018-6M …")
    audit.add_argument("--agency", help="the figures of an agency and of those below it")
    add_api_options(audit, scope="admin, of the whole province")
    audit.set_defaults(run=_audit)


def _audit(arguments: argparse.Namespace) -> int:
    asked = {name: getattr(arguments, name) for name in ("whole", "period", "agency") if getattr(arguments, name)}
    return _follow(arguments, path="/v1/audits", body=asked)


def _follow(arguments: argparse.Namespace, *, path: str, body: dict[str, Any] | None = None) -> int:
    console = Console(stderr=True)
    with api_client(arguments) as client, console.status("queued") as status:
        job = _answered(client.post(path, json=body) if body is not None else client.post(path))
        while job["state"] in _UNFINISHED:
            time.sleep(_LOOK_EVERY_SECONDS)
            job = _answered(client.get(f"/v1/jobs/{job['id']}"))
            status.update(f"{job['state']} {_inline(job['progress'])}")
    if job["state"] != "done":
        raise CommandError(f"the job {job['id']} failed: {job['error']}.")
    print(orjson.dumps(job["result"], option=orjson.OPT_INDENT_2).decode())
    return 0


def _answered(answer: httpx.Response) -> dict[str, Any]:
    if not answer.is_success:
        raise refusal(answer)
    job: dict[str, Any] = answer.json()
    return job


def _inline(progress: dict[str, Any] | None) -> str:
    return ", ".join(f"{name} {value}" for name, value in (progress or {}).items())
