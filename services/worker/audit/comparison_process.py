"""A process that compares ranges of dossiers for a rebuild: orders come in by standard input, findings go out, JSON lines.

A fold is bound to one core; a rebuild of millions of events is not. The first line names the database, the tenant, the
position and the snapshot of the rebuild, each further one a range. It ends with its input, so that it never outlives a
killed worker, and it gives way to whoever else wants the processor: reads and ingest come first.
"""

import asyncio
import gc
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.worker.audit.range_comparison import Compared, Comparer
from services.worker.runtime.fail_points import FailPoints
from shared.audit.store import snapshots
from shared.audit.store.range_comparison import Codes
from shared.database.engine import DriverConnection, create_engine, driver_session
from shared.observability import configure_logging
from shared.vocabulary.events import Tenant

NICENESS: Final = 10
GARBAGE_THRESHOLD: Final = 50_000
"""As in the worker: a range makes many objects that die together."""
LONGEST_LINE: Final = 64 * 2**20
"""Bytes of a finding: a range of which every dossier is wrong."""

# Its imports alone take a second of a core: it gives way from the beginning. Where Linux weighs whole sessions (autogroup),
# what a process says of itself counts within its session only: it has one of its own, which says it too.
GIVE_WAY: Final = f"""
import os, time
os.nice({NICENESS})
for _ in range(20):
    try:
        group = os.open("/proc/self/autogroup", os.O_WRONLY)
        os.write(group, b"{NICENESS}")
        break
    except BlockingIOError:  # Linux takes it from one process in a tenth of a second
        time.sleep(0.1)
    except OSError:
        break
"""
_START: Final = f"""{GIVE_WAY}
import runpy
runpy.run_module("services.worker.audit.comparison_process", run_name="__main__", alter_sys=True)
"""
_ROOT: Final = Path(__file__).parents[3]


class RecounterEnded(Exception):  # noqa: N818 - named for what happened
    """A process of the rebuild ended before its work did."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a process reads first. ``url`` carries the password: it goes through the pipe, not on the command line."""

    url: str
    tenant: Tenant
    position: int
    snapshot: str
    statement_seconds: int


@asynccontextmanager
async def in_snapshot(engine: AsyncEngine, assignment: Assignment) -> AsyncIterator[DriverConnection]:
    """A connection that sees what the rebuild sees."""
    async with driver_session(engine) as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        await snapshots.adopt_snapshot(connection, assignment.snapshot)
        await snapshots.bound_waits(connection, assignment.statement_seconds)
        yield connection


async def compare_in_process(
    assignment: Assignment, orders: "asyncio.Queue[Codes | None]", take: Callable[[Compared], Awaitable[None]]
) -> None:
    """Have a process of its own compare the ranges of ``orders`` until there comes None.

    Raises:
        RecounterEnded: the process ended; why stands in the log of this one.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _START,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=_ROOT,
        limit=LONGEST_LINE,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(asdict(assignment)).encode() + b"\n")
        while (codes := await orders.get()) is not None:
            process.stdin.write(json.dumps(asdict(codes)).encode() + b"\n")
            found = await process.stdout.readline()
            if not found.endswith(b"\n"):
                raise RecounterEnded(f"exit status {await process.wait()}")
            await take(Compared(**json.loads(found)))
    finally:
        process.stdin.close()
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _serve() -> None:
    assignment = Assignment(**json.loads(sys.stdin.readline()))
    faults = FailPoints.from_environment()
    engine = create_engine(
        assignment.url,
        application="motcua-rebuild",
        pool_size=1,
        statement_timeout_seconds=assignment.statement_seconds,
    )
    try:
        async with in_snapshot(engine, assignment) as connection:
            comparer = await Comparer.begin(connection, assignment.tenant, assignment.position, faults)
            # nothing else is to be done here while it waits for an order
            for line in sys.stdin:
                found = await comparer.compare(Codes(**json.loads(line)))
                sys.stdout.write(json.dumps(asdict(found)) + "\n")
                sys.stdout.flush()
    finally:
        await engine.dispose()


def main() -> None:
    """Entry point of the process that `compare_in_process` starts."""
    configure_logging("worker", "WARNING")
    gc.set_threshold(GARBAGE_THRESHOLD)
    asyncio.run(_serve())


if __name__ == "__main__":
    main()
