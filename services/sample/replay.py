"""Loads a table into a running motcua through its HTTP API, as an agency's software would, and compares the figures."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import httpx
import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from services.sample import catalogue
from services.sample.comparison import Comparison, compare
from services.sample.history import event_count, history
from services.sample.table import UnitTable

LINES_A_CHUNK: Final = 500
COUNTING_DEADLINE_SECONDS: Final = 600.0
LINE_EVERY_SECONDS: Final = 10.0


class ReplayError(Exception):
    """The API refused something of the sample, or did not count it in time."""


def replay(client: httpx.Client, table: UnitTable, console: Console) -> list[Comparison]:
    """Load the catalogues and the history of ``table``, wait until all of it is counted, and compare.

    ``client`` has the API's base URL and an admin key. Loading again adds nothing: every event is then a duplicate.

    Raises:
        ReplayError: an answer other than expected.
        httpx.HTTPError: the API cannot be reached.
    """
    _put(client, "/v1/agencies", catalogue.agencies(table))
    _put(client, "/v1/procedures", catalogue.procedures())
    _put(client, "/v1/calendar", catalogue.calendar())
    with _progress(console) as progress, _told_in_lines(console, progress):
        last_position = _send(client, table, progress)
        _wait_until_counted(client, table, last_position, progress)
    return compare(table, figures(client, table))


def _put(client: httpx.Client, path: str, body: object) -> None:
    response = client.put(path, json=body)
    if not response.is_success:
        raise ReplayError(f"PUT {path}: {response.status_code} {response.text}")


@contextmanager
def _progress(console: Console) -> Iterator[Progress]:
    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        yield progress


@contextmanager
def _told_in_lines(console: Console, progress: Progress) -> Iterator[None]:
    """Where there is no terminal to draw a bar on, say from time to time how far it is."""
    if console.is_terminal:
        yield
        return
    over = threading.Event()

    def tell() -> None:
        while not over.wait(LINE_EVERY_SECONDS):
            for task in progress.tasks:
                if not task.finished:
                    console.print(f"{task.description}: {task.completed:.0f} of {task.total:.0f}", highlight=False)

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


def _send(client: httpx.Client, table: UnitTable, progress: Progress) -> int:
    task = progress.add_task("events in", total=event_count(table))

    def body() -> Iterator[bytes]:
        lines: list[bytes] = []
        for event in history(table):
            lines.append(orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE))
            if len(lines) == LINES_A_CHUNK:
                yield b"".join(lines)
                progress.advance(task, len(lines))
                lines.clear()
        yield b"".join(lines)
        progress.advance(task, len(lines))

    headers = {"content-type": "application/x-ndjson"}
    response = client.post("/v1/events", content=body(), headers=headers, timeout=COUNTING_DEADLINE_SECONDS)
    if not response.is_success:
        raise ReplayError(f"POST /v1/events: {response.status_code} {response.text[:2000]}")
    lines = response.text.splitlines()
    totals: dict[str, Any] = orjson.loads(lines[-1])
    if totals["rejected"] or totals.get("problem"):
        raise ReplayError(f"the API rejected {totals['rejected']} events; first: {lines[0]}; {totals.get('problem')}")
    return int(totals["last_position"])


def _wait_until_counted(client: httpx.Client, table: UnitTable, position: int, progress: Progress) -> None:
    task = progress.add_task("counted", total=position)
    deadline = time.monotonic() + COUNTING_DEADLINE_SECONDS
    while time.monotonic() < deadline:
        response = client.get("/v1/stats/summary", params={"period": str(table.year)})
        if not response.is_success:
            raise ReplayError(f"GET /v1/stats/summary: {response.status_code} {response.text}")
        counted = response.json()["as_of"]["position"]
        progress.update(task, completed=min(counted, position))
        if counted >= position:
            return
        time.sleep(0.25)
    raise ReplayError(f"position {position} was not counted within {COUNTING_DEADLINE_SECONDS:.0f} s: is the worker alive?")


def figures(client: httpx.Client, table: UnitTable) -> dict[str, Any]:
    """The answer of ``GET /v1/stats/by/agency`` for the table's year: the units are the rows.

    Raises:
        ReplayError: an answer other than expected.
    """
    response = client.get(
        "/v1/stats/by/agency",
        params={"from": f"{table.year}-01-01", "to": f"{table.year}-12-31", "agency": table.tenant},
    )
    if not response.is_success:
        raise ReplayError(f"GET /v1/stats/by/agency: {response.status_code} {response.text}")
    answer: dict[str, Any] = response.json()
    return answer
