"""Loads a table into a running motcua through its HTTP API, as an agency's software would, and compares the figures."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain, islice
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
EVENTS_A_REQUEST: Final = 500_000
"""A larger history goes in several requests, so that what is cut off is begun again from its last request."""

LEAST_DEADLINE_SECONDS: Final = 600.0
SLOWEST_A_SECOND: Final = 1_000.0
"""Events a second that the slowest machine worth waiting for takes in, counts, or brings to the portal as steps."""

STEPS_A_DOSSIER: Final = 4
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
    bodies = {
        "/v1/agencies": catalogue.agencies(table),
        "/v1/procedures": catalogue.procedures(table),
        "/v1/calendar": catalogue.calendar(),
    }

    def counted(_: int) -> int:
        return int(summary(client, table)["as_of"]["position"])

    load(client, bodies, history(table), total=event_count(table), console=console, counted=counted)
    return compare(table, figures(client, table))


def load(
    client: httpx.Client,
    bodies: Mapping[str, Any],
    events: Iterator[dict[str, Any]],
    *,
    total: int,
    console: Console,
    counted: Callable[[int], int],
) -> None:
    """Put the bodies by their paths, send the ``total`` events, and wait until all are counted.

    ``counted`` gives the position up to which they are, and is told the last one.

    Raises:
        ReplayError: an answer other than expected.
        httpx.HTTPError: the API cannot be reached.
    """
    for path, body in bodies.items():
        put(client, path, body)
    with _progress(console) as progress, _post_lines(console, progress):
        last_position = _send(client, events, total, progress)
        _wait_until_counted(counted, last_position, progress)


def put(client: httpx.Client, path: str, body: object) -> None:
    """Tell something with admin rights.

    Raises:
        ReplayError: it was refused.
    """
    response = client.put(path, json=body)
    if not response.is_success:
        raise ReplayError(f"PUT {path}: {response.status_code} {response.text}")


@contextmanager
def _progress(console: Console) -> Iterator[Progress]:
    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        yield progress


@contextmanager
def _post_lines(console: Console, progress: Progress) -> Iterator[None]:
    """Where there is no terminal to draw a bar on, say from time to time how far it is."""
    if console.is_terminal:
        yield
        return
    over = threading.Event()

    def feed() -> None:
        while not over.wait(LINE_EVERY_SECONDS):
            for task in progress.tasks:
                if not task.finished:
                    console.print(f"{task.description}: {task.completed:.0f} of {task.total:.0f}", highlight=False)

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    try:
        yield
    finally:
        over.set()
        feeder.join()


def deadline_seconds(count: int) -> float:
    """How long ``count`` events or dossiers may take: the time of a small table, and more for what is large."""
    return LEAST_DEADLINE_SECONDS + count / SLOWEST_A_SECOND


def _send(client: httpx.Client, events: Iterator[dict[str, Any]], total: int, progress: Progress) -> int:
    """Upload the history, ``EVENTS_A_REQUEST`` a request; the last position it got. Holds one chunk at a time."""
    task = progress.add_task("events in", total=total)
    last_position = 0
    for first in events:
        part = chain((first,), islice(events, EVENTS_A_REQUEST - 1))
        last_position = max(last_position, _send_part(client, part, lambda count: progress.advance(task, count)))
    return last_position


def _send_part(client: httpx.Client, events: Iterable[dict[str, Any]], sent: Callable[[int], None]) -> int:
    def body() -> Iterator[bytes]:
        lines: list[bytes] = []
        for event in events:
            lines.append(orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE))
            if len(lines) == LINES_A_CHUNK:
                yield b"".join(lines)
                sent(len(lines))
                lines.clear()
        yield b"".join(lines)
        sent(len(lines))

    headers = {"content-type": "application/x-ndjson"}
    timeout = deadline_seconds(EVENTS_A_REQUEST)
    with client.stream("POST", "/v1/events", content=body(), headers=headers, timeout=timeout) as response:
        if not response.is_success:
            raise ReplayError(f"POST /v1/events: {response.status_code} {response.read()[:2000].decode(errors='replace')}")
        first = last = ""
        for line in response.iter_lines():
            first, last = first or line, line
    totals: dict[str, Any] = orjson.loads(last)
    if totals["rejected"] or totals.get("problem"):
        raise ReplayError(f"the API rejected {totals['rejected']} events; first: {first}; {totals.get('problem')}")
    return int(totals["last_position"])


def _wait_until_counted(counted: Callable[[int], int], position: int, progress: Progress) -> None:
    task = progress.add_task("counted", total=position)
    patience = deadline_seconds(position)
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        reached = counted(position)
        progress.update(task, completed=min(reached, position))
        if reached >= position:
            return
        time.sleep(0.25)
    raise ReplayError(f"position {position} was not counted within {patience:.0f} s: is the worker alive?")


def wait_until_synced(client: httpx.Client, table: UnitTable, console: Console) -> None:
    """Wait until the portal has answered for every dossier: none is pending.

    Raises:
        ReplayError: an answer other than expected, or not within the deadline of so many dossiers.
    """
    patience = deadline_seconds(STEPS_A_DOSSIER * table.dossiers)
    deadline = time.monotonic() + patience
    with _progress(console) as progress, _post_lines(console, progress):
        task = progress.add_task("at portal", total=table.dossiers)
        while time.monotonic() < deadline:
            counts = sync(client, table)["counts"]
            answered = sum(counts.values()) - counts["pending"]
            progress.update(task, completed=min(answered, table.dossiers))
            if counts["pending"] == 0 and answered >= table.dossiers:
                return
            time.sleep(1.0)
    raise ReplayError(f"the portal did not answer for every dossier within {patience:.0f} s; see GET /v1/sync")


def sync(client: httpx.Client, table: UnitTable) -> dict[str, Any]:
    """The answer of ``GET /v1/sync`` for the table's year: the ledger by state, and indicator 1.4.

    Raises:
        ReplayError: an answer other than expected.
    """
    return asked(client, "/v1/sync", {"period": str(table.year)})


def figures(client: httpx.Client, table: UnitTable) -> dict[str, Any]:
    """The answer of ``GET /v1/stats/by/agency`` for the table's year: the units are the rows.

    Raises:
        ReplayError: an answer other than expected.
    """
    period = {"from": f"{table.year}-01-01", "to": f"{table.year}-12-31"}
    return asked(client, "/v1/stats/by/agency", period | {"agency": table.tenant})


def summary(client: httpx.Client, table: UnitTable) -> dict[str, Any]:
    """The answer of ``GET /v1/stats/summary`` for the table's year.

    Raises:
        ReplayError: an answer other than expected.
    """
    return asked(client, "/v1/stats/summary", {"period": str(table.year)})


def asked(client: httpx.Client, path: str, parameters: dict[str, str]) -> dict[str, Any]:
    """The answer of a ``GET``.

    Raises:
        ReplayError: an answer other than expected.
    """
    response = client.get(path, params=parameters)
    if not response.is_success:
        raise ReplayError(f"GET {path}: {response.status_code} {response.text}")
    answer: dict[str, Any] = response.json()
    return answer
