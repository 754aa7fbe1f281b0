"""What is written in one transaction: versions, steps, calls and their counts. All writing SQL is here."""

import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

StepKey = tuple[str, str, str, str]


class Known(NamedTuple):
    """What the portal holds of a dossier, as far as accepting the next version needs it."""

    status: str
    version: int
    digest: bytes
    first_us: int


class Version(NamedTuple):
    """One accepted dossier, with its normalised fields."""

    code: str
    status: str
    fields: dict[str, Any]
    updating: bool
    backwards: bool


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One received call and its answer, as `/_portal/calls` shows it. `status` is None without an answer."""

    received_us: int
    path: str
    service: str | None
    username: str | None
    madonvi: str | None
    items: int
    codes: list[str]
    request: str
    request_bytes: int
    status: int | None
    answer: str | None
    outcome: str
    delivered: bool
    faults: list[str]
    milliseconds: float


def step_key(step: dict[str, Any]) -> StepKey:
    """Give the natural key of a step (protocol section 5)."""
    return step["MaHoSo"], step["ThoiDiemXuLy"], step["TrangThai"], step["NguoiXuLy"]


class Books:
    """The writer's view of the file, for one thread. Numbers of acceptance run over versions and steps."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.renumber()

    def renumber(self) -> None:
        """Read the last numbers given from the file."""
        row = self.connection.execute(
            "SELECT max(coalesce((SELECT max(seq) FROM versions), 0), "
            "coalesce((SELECT max(seq) FROM steps), 0)), coalesce((SELECT max(n) FROM calls), 0)",
        ).fetchone()
        self._seq, self._call = int(row[0]), int(row[1])

    @property
    def call(self) -> int:
        """The number of the call that is being answered."""
        return self._call + 1

    def known(self, codes: Iterable[str]) -> dict[str, Known]:
        """Look dossiers up; unknown ones are not in the answer."""
        asked = list(dict.fromkeys(codes))
        marks = ",".join("?" * len(asked))
        rows = self.connection.execute(
            f"SELECT code, status, version, digest, first_us FROM dossiers WHERE code IN ({marks})",
            asked,
        )
        return {row[0]: Known(*row[1:]) for row in rows}

    def put_versions(self, versions: list[Version], known: dict[str, Known], *, madonvi: str, now_us: int) -> None:
        """Store accepted dossiers in their order; the last of a code is what the portal holds."""
        rows = []
        heads: dict[str, tuple[str, int, str, int, bytes, int]] = {}
        fresh = 0
        for found in versions:
            self._seq += 1
            body = orjson.dumps(found.fields)
            digest = blake2b(body, digest_size=16).digest()
            old = known.get(found.code)
            fresh += old is None
            version = old.version + 1 if old else 1
            first_us = old.first_us if old else now_us
            same = old is not None and old.digest == digest
            known[found.code] = Known(found.status, version, digest, first_us)
            heads[found.code] = (found.code, self._seq, found.status, version, digest, first_us)
            rows.append(
                (
                    *(self._seq, found.code, version, now_us, self.call),
                    *(found.updating, same, found.backwards, madonvi, body),
                ),
            )
        self.connection.executemany("INSERT INTO versions VALUES (?,?,?,?,?,?,?,?,?,?)", rows)
        # Sorted: neighbouring keys share a page.
        self.connection.executemany("REPLACE INTO dossiers VALUES (?,?,?,?,?,?)", sorted(heads.values()))
        self._tally({("held", "dossiers", ""): fresh, ("held", "versions", ""): len(rows)})

    def put_steps(self, steps: list[dict[str, Any]], *, now_us: int) -> None:
        """Store accepted steps in their order; a step known by its natural key is counted, not doubled."""
        codes = list({step["MaHoSo"] for step in steps})
        marks = ",".join("?" * len(codes))
        held: set[StepKey] = set(
            self.connection.execute(f"SELECT code, at, status, officer FROM steps WHERE code IN ({marks})", codes),
        )
        fresh, again = [], []
        for step in steps:
            key = step_key(step)
            if key in held:
                again.append((now_us, *key))
                continue
            held.add(key)
            self._seq += 1
            fresh.append((self._seq, *key, now_us, self.call, orjson.dumps(step)))
        self.connection.executemany(
            "INSERT INTO steps (seq, code, at, status, officer, accepted_us, call, body) VALUES (?,?,?,?,?,?,?,?)",
            fresh,
        )
        self.connection.executemany(
            "UPDATE steps SET repeats = repeats + 1, repeated_us = ? "
            "WHERE code = ? AND at = ? AND status = ? AND officer = ?",
            again,
        )
        self._tally({("held", "steps", ""): len(fresh), ("held", "repeated_steps", ""): len(again)})

    def put_call(self, call: CallRecord, *, kept: int) -> int:
        """Store a call, forget those older than the `kept` newest ones, and give its number."""
        self._call += 1
        self.connection.execute(
            "INSERT INTO calls VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                *(self._call, call.received_us, call.path, call.service, call.username, call.madonvi),
                *(call.items, orjson.dumps(call.codes).decode(), call.request, call.request_bytes),
                *(call.status, call.answer, call.outcome, call.delivered),
                *(",".join(call.faults), call.milliseconds),
            ),
        )
        self.connection.execute("DELETE FROM calls WHERE n <= ?", (self._call - kept,))
        counts: dict[tuple[str, str, str], int] = {("calls", call.service or "", call.outcome): 1}
        for fault, times in Counter(call.faults).items():
            counts["faults", fault, ""] = times
        self._tally(counts)
        return self._call

    def keep(self, name: str, body: str | None) -> None:
        """Keep a setting changed at run time; None forgets it."""
        if body is None:
            self.connection.execute("DELETE FROM kept_settings WHERE name = ?", (name,))
        else:
            self.connection.execute("REPLACE INTO kept_settings VALUES (?, ?)", (name, body))

    def _tally(self, counts: dict[tuple[str, str, str], int]) -> None:
        self.connection.executemany(
            "INSERT INTO tallies VALUES (?,?,?,?) ON CONFLICT DO UPDATE SET n = n + excluded.n",
            [(*name, n) for name, n in counts.items() if n],
        )
