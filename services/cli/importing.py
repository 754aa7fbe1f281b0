"""``motcua import``: send a file of events, one CloudEvent a line, to a running API.

It goes through HTTP, as any agency's software would: the same validation, rights and receipts. Sending a file again is safe:
what is recorded counts once, so an upload that was cut is simply sent again.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

import httpx
import orjson
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from services.cli.api import add_api_options, api_client, refusal
from services.cli.errors import CommandError

_PIECE_BYTES: Final = 256 * 2**10
_TRIES: Final = 5
_SHOWN: Final = 20
_GZIP_MAGIC: Final = b"\x1f\x8b"


def register(commands: Any) -> None:
    command = commands.add_parser("import", help="send a file of events (one CloudEvent a line, .gz too) to the API")
    command.add_argument("file", type=Path, help="the file; - reads standard input")
    add_api_options(command, scope="events:write")
    command.add_argument("--dry-run", action="store_true", help="validate, store nothing")
    command.set_defaults(run=_import)


def _import(arguments: argparse.Namespace) -> int:
    console = Console(stderr=True)
    with api_client(arguments) as client:
        sums = _send_until_through(client, arguments, console)
    for name in ("accepted", "duplicates", "rejected", "last_position"):
        print(f"{name}: {sums[name]}")
    return 1 if sums["rejected"] else 0


def _send_until_through(client: httpx.Client, arguments: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Send the file, and send it again where it was cut or the API asked for it."""
    standard_input = str(arguments.file) == "-"
    for turn in range(1, _TRIES + 1):
        last = standard_input or turn == _TRIES
        try:
            sums = _send(client, arguments, console)
        except httpx.TransportError as error:
            if last or (turn == 1 and isinstance(error, httpx.ConnectError)):
                raise
        else:
            problem = sums.get("problem")
            if problem is None:
                return sums
            if last or problem["status"] != httpx.codes.SERVICE_UNAVAILABLE:
                raise CommandError(f"stopped early: {problem['title']}. {problem['detail']} Send the file again.")
        console.print("cut off; sending again (what is recorded counts once)", style="yellow")
        time.sleep(2**turn)
    raise AssertionError


def _send(client: httpx.Client, arguments: argparse.Namespace, console: Console) -> dict[str, Any]:
    standard_input = str(arguments.file) == "-"
    columns = (TextColumn("sending"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with (
        sys.stdin.buffer if standard_input else arguments.file.open("rb") as file,
        Progress(*columns, console=console, transient=True) as progress,
    ):
        first = file.read(_PIECE_BYTES)
        total = None if standard_input else arguments.file.stat().st_size
        task = progress.add_task("sending", total=total)
        headers = {"content-type": "application/x-ndjson"}
        if first.startswith(_GZIP_MAGIC):
            headers["content-encoding"] = "gzip"
        with client.stream(
            "POST",
            "/v1/events",
            params={"dry_run": "true"} if arguments.dry_run else {},
            content=_pieces(file, first, progress, task),
            headers=headers,
        ) as answer:
            return _receipts(answer, console)


def _pieces(file: IO[bytes], first: bytes, progress: Progress, task: TaskID) -> Iterator[bytes]:
    piece = first
    while piece:
        yield piece
        progress.advance(task, len(piece))
        piece = file.read(_PIECE_BYTES)


def _receipts(answer: httpx.Response, console: Console) -> dict[str, Any]:
    """Show the first rejected lines; answer the sums on the last line."""
    if not answer.is_success:
        answer.read()
        raise refusal(answer)
    shown = 0
    last: dict[str, Any] = {}
    for line in answer.iter_lines():
        last = orjson.loads(line)
        if last.get("status") == "rejected" and shown < _SHOWN:
            shown += 1
            problem = last["problem"]
            errors = "; ".join(f"{error['pointer']} {error['detail']}" for error in problem.get("errors", ()))
            console.print(f"line {last['line']}: {problem['title']} {errors}", style="red", markup=False)
    if "accepted" not in last:
        raise httpx.RemoteProtocolError("the answer was cut")
    return last
