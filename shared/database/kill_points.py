"""Kills this process at its k-th step, for the sweep of the fault campaign; nothing is counted without the environment.

``MOTCUA_KILL_AT``: *k*. The steps are every commit (a statement that changes data outside a transaction, or ``COMMIT``) and
every HTTP call to the portal, and each is two: before it goes out, and when its answer is there but nobody has read it. At
the *k*-th the process ends by SIGKILL: no handler runs, nothing is given back.
"""

import os
import re
import signal
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import asyncpg

T = TypeVar("T")

Passed = Callable[[str], None]
"""Told of a step, ``before-commit``, ``after-commit``, ``before-call`` or ``after-call``, as the process takes it."""

_CHANGES: Final = re.compile(
    r"\bINSERT\s+INTO\b|\bUPDATE\s+\w+\s+(?:(?:AS\s+)?\w+\s+)?SET\b|\bDELETE\s+FROM\b", re.IGNORECASE
)
_COMMIT: Final = re.compile(r"\s*COMMIT\b", re.IGNORECASE)
_NEED_NOT_LAST: Final = "synchronous_commit"
"""A statement that need not survive a crash is no step: signs of life, which never end."""


def is_commit(query: str, *, in_transaction: bool) -> bool:
    """Whether a statement makes something lasting."""
    if _COMMIT.match(query):
        return True
    return not in_transaction and _CHANGES.search(query) is not None and _NEED_NOT_LAST not in query


def kill_point(environment: Mapping[str, str] = os.environ) -> Passed | None:
    """What counts the steps of this process and kills it at the one asked for; None: nothing was asked for."""
    asked = environment.get("MOTCUA_KILL_AT")
    if not asked:
        return None
    left = int(asked)

    def passed(step: str) -> None:  # noqa: ARG001 - whatever it is, it counts
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return passed


def counted_connection(passed: Passed) -> type["asyncpg.Connection[asyncpg.Record]"]:
    """A connection that calls ``passed`` at its commits."""

    class Counted(asyncpg.Connection):
        """See `counted_connection`."""

        async def execute(self, query: str, *args: Any, **options: Any) -> Any:
            """Tell, execute, tell."""
            return await _passed_by(self, query, super().execute(query, *args, **options))

        async def executemany(self, command: str, *args: Any, **options: Any) -> Any:
            """Tell, execute, tell."""
            return await _passed_by(self, command, super().executemany(command, *args, **options))

        async def fetch(self, query: str, *args: Any, **options: Any) -> Any:
            """Tell, execute, tell."""
            return await _passed_by(self, query, super().fetch(query, *args, **options))

        async def fetchrow(self, query: str, *args: Any, **options: Any) -> Any:
            """Tell, execute, tell."""
            return await _passed_by(self, query, super().fetchrow(query, *args, **options))

        async def fetchval(self, query: str, *args: Any, **options: Any) -> Any:
            """Tell, execute, tell."""
            return await _passed_by(self, query, super().fetchval(query, *args, **options))

    async def _passed_by(connection: Counted, query: str, doing: Awaitable[T]) -> T:
        if not is_commit(query, in_transaction=connection.is_in_transaction()):
            return await doing
        passed("before-commit")
        done = await doing
        passed("after-commit")
        return done

    return Counted
