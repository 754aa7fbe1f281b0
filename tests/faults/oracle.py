"""The six parts of docs/failures.md, judged from outside; every finding is a row of text, an empty list means agreement.

1 log, 2 positions, 3 states and figures, 4 portal, 5 nothing pending, 6 calls to a dead portal.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import httpx

from shared.counting.store.slots import ANY
from shared.vocabulary.sources import is_own_source
from tests.faults.load import HEADERS, Book
from tests.faults.proxy import Proxy
from tests.faults.stack import Stack
from tests.oracle.answers import Judge
from tests.oracle.comparison import differences
from tests.oracle.computation import Computation, compute
from tests.oracle.stack import Identity, Reader, identity
from tests.system.end_to_end import SYSTEM, TENANT, is_sendable, portal_differences, portal_time

SETTLE_SECONDS = 120.0
ANSWERING_SECONDS = 60.0

_STANDING = """
SELECT (SELECT position FROM log_counter WHERE tenant = $1) AS head,
       coalesce(max(position) FILTER (WHERE projection = 'dossiers'), 0) AS counted,
       coalesce(max(position) FILTER (WHERE projection = 'clock'), 0) AS examined,
       (SELECT count(*) FROM sync_ledger WHERE tenant = $1 AND state = 'pending') AS pending
FROM projection_cursor WHERE tenant = $1
"""
PROJECTED = ("dossier", "figure_sum")
"""Tables that a recompute must leave as they are, to the last digit."""


@dataclass
class Verdict:
    """``lost``, ``doubled``: events or portal steps; ``rows``: every difference, the part of the oracle first."""

    events: int = 0
    dossiers: int = 0
    lost: int = 0
    doubled: int = 0
    repeated_versions: int = 0
    repeated_steps: int = 0
    ambiguous: int = 0
    rows: list[str] = field(default_factory=list)

    def add(self, part: int, rows: Sequence[str]) -> None:
        self.rows.extend(f"part {part}: {row}" for row in rows)


async def settled(stack: Stack, *, seconds: float = SETTLE_SECONDS, pending: int = 0) -> float | None:
    """Wait until all is counted, examined by the clock and acknowledged by the portal; how long it took, None: too long.

    ``pending``: so many dossiers may go on waiting.
    """
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        try:
            (now,) = await stack.sql(_STANDING, TENANT)
        except Exception:
            now = None  # the database may be on its way back
        if now and now["head"] == now["counted"] == now["examined"] and now["pending"] <= pending:
            return time.monotonic() - begun
        await asyncio.sleep(0.1)
    return None


async def answering(stack: Stack, *, seconds: float = ANSWERING_SECONDS) -> None:
    """Wait until all API processes and the portal answer: one that was killed last may still be on its way back."""
    until = time.monotonic() + seconds
    async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
        for url in (*(f"{api}/healthz" for api in stack.apis), f"{stack.portal}/_portal/limits"):
            while True:
                try:
                    if (await client.get(url)).is_success:
                        break
                except httpx.TransportError:
                    if time.monotonic() > until:
                        raise
                await asyncio.sleep(0.1)


async def judge(
    stack: Stack,
    book: Book,
    *,
    ambiguous: int,
    parked: Mapping[str, str] | None = None,
    untidy: frozenset[str] = frozenset(),
    seed: int | str = 1,
    rebuild: bool = True,
    settle_seconds: float = SETTLE_SECONDS,
) -> Verdict:
    """The verdict on everything told so far, when all faults have stopped.

    ``ambiguous``: faults so far after which a sender could not know what the portal has done; ``parked``: the dossiers whose
    permanent failure was injected, with their error class; ``untidy``: dossiers told out of order, whose steps at the
    portal have no order to compare; ``rebuild``: also recompute everything.
    """
    verdict = Verdict(ambiguous=ambiguous)
    await answering(stack)
    if await settled(stack, seconds=settle_seconds) is None:
        verdict.add(
            5, [f"not settled within {settle_seconds:.0f} s: {[dict(row) for row in await stack.sql(_STANDING, TENANT)]}"]
        )
    async with (
        httpx.AsyncClient(base_url=stack.apis[0], headers=HEADERS, timeout=30, trust_env=False) as client,
        httpx.AsyncClient(base_url=stack.portal, timeout=30, trust_env=False) as portal,
    ):
        items = await _log(client)
        verdict.events = len(items)
        _judge_log(items, book, verdict)
        verdict.add(2, _order(items, book))
        judging = Judge(Reader(TENANT, client), [item["event"] for item in items], seed)  # type: ignore[arg-type]
        verdict.dossiers = len(judging.oracle)
        verdict.add(3, await _states(judging))
        if rebuild:
            verdict.add(3, await _recomputed(stack, client))
        held = await _held(portal)
        verdict.add(4, _portal(judging.oracle, items, held, book.codes - untidy, verdict))
        verdict.add(5, await _waiting(client, judging, parked or {}))
    return verdict


# ---- 1 and 2: the log


async def _log(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    after = 0
    while True:
        answer = await client.get("/v1/events", params={"after": after, "limit": 1000})
        answer.raise_for_status()
        page = answer.json()
        items.extend(page["items"])
        if page["next"] == after:
            return items
        after = page["next"]


def _judge_log(items: Sequence[Mapping[str, Any]], book: Book, verdict: Verdict) -> None:
    times = Counter(identity(item["event"]) for item in items)
    at = {identity(item["event"]): item["position"] for item in items}
    lost = [one for one in book.acked if one not in at]
    doubled = [one for one, count in times.items() if count > 1]
    verdict.lost += len(lost)
    verdict.doubled += len(doubled)
    moved = {one: (said, at[one]) for one, said in book.acked.items() if one in at and at[one] != said}
    foreign = [one for one in at if not is_own_source(one[0]) and one not in book.posted]
    refused = [one for one in book.refused if one in at and one not in book.acked]
    verdict.add(1, [f"acknowledged and not in the log: {one} at {book.acked[one]}" for one in lost])
    verdict.add(1, [f"{times[one]} times in the log: {one}" for one in doubled])
    verdict.add(1, [f"acknowledged at {said}, in the log at {there}: {one}" for one, (said, there) in moved.items()])
    verdict.add(1, [f"in the log, told by nobody: {one}" for one in foreign])
    verdict.add(1, [f"refused, and in the log: {one}: {book.refused[one][:500]}" for one in refused])
    verdict.add(1, book.conflicts)
    by_clock = {item["event"]["type"].split(".")[3] for item in items if item["event"]["source"] == SYSTEM}
    verdict.add(1, [f"the system says {name}" for name in sorted(by_clock - {"due_set", "overdue"})])


def _order(items: Sequence[Mapping[str, Any]], book: Book) -> list[str]:
    rows = []
    positions = [item["position"] for item in items]
    if positions != list(range(1, len(items) + 1)):
        rows.append(f"positions are not 1 to {len(items)}: {sorted(set(range(1, len(items) + 1)) ^ set(positions))[:20]}")
    recorded = [item["recorded_at"] for item in items]
    rows += [f"recorded_at falls at {n + 2}" for n, pair in enumerate(pairwise(recorded)) if pair[0] > pair[1]]
    at: dict[Identity, int] = {identity(item["event"]): item["position"] for item in items}
    for life in book.lives:
        posted = [at[one] for one in life if one in book.acked and one in at]
        if posted != sorted(posted):
            rows.append(f"one client told {life} in order, the log has {posted}")
    return rows


# ---- 3: states and figures


async def _rows_of(asking: Awaitable[None]) -> list[str]:
    """What an assertion of the judge says, as rows."""
    try:
        await asking
    except AssertionError as error:
        return str(error).splitlines() or ["differs"]
    return []


async def _states(judging: Judge) -> list[str]:
    items = {item["code"]: item for item in await judging.reader.pages("/v1/dossiers", sort="code", limit=500)}
    rows = [f"a state of {code}, of which nothing is told" for code in sorted(items.keys() - judging.oracle.keys())]
    for code, dossier in judging.oracle.items():
        if code not in items:
            rows.append(f"no state of {code}")
        else:
            rows += differences(dossier, {name: value for name, value in items[code].items() if name != "anomalies"})
    rows += await _rows_of(judging.figures(4))
    rows += await _rows_of(judging.tables(1))
    return rows


async def stored(stack: Stack, *, without_empty_sums: bool = False) -> dict[str, list[str]]:
    """The projected tables, row by row; ``without_empty_sums``: a sum that has become nothing may stay or go."""
    found = {}
    for table in PROJECTED:
        which = f" AND ({ANY})" if without_empty_sums and table == "figure_sum" else ""
        rows = await stack.sql(f"SELECT t::text FROM {table} t WHERE tenant = $1{which} ORDER BY 1", TENANT)
        found[table] = [row[0] for row in rows]
    return found


def changed(before: Mapping[str, list[str]], after: Mapping[str, list[str]], gone: str, come: str) -> list[str]:
    """The first rows of each table that are gone, and those that have come, so called."""
    rows = []
    for table, known in before.items():
        for which, left, right in ((gone, known, after[table]), (come, after[table], known)):
            rows += [f"{table}, {which}: {row}" for row in list(Counter(left) - Counter(right))[:10]]
    return rows


async def _recomputed(stack: Stack, client: httpx.AsyncClient) -> list[str]:
    """The product's own recompute finds nothing, and changes nothing of what is stored."""
    before = await stored(stack)
    asked = await client.post("/v1/stats/rebuild")
    limit = time.monotonic() + 60
    job: dict[str, Any] = {"state": f"HTTP {asked.status_code}"}
    while asked.status_code == 202 and time.monotonic() < limit:
        job = (await client.get(asked.headers["location"])).json()
        if job["state"] in ("done", "failed"):
            break
        await asyncio.sleep(0.1)
    if job["state"] != "done":
        return [f"the rebuild is not done: {job}"]
    result = job["result"]
    wrong = {name: result[name] for name in ("dossiers_differing", "dossiers_failing", "sums_differing") if result[name]}
    rows = [f"the rebuild found {wrong}"] if wrong else []
    if result["checksum_before"] != result["checksum_after"]:
        rows.append(f"checksums: {result['checksum_before']} before the rebuild, {result['checksum_after']} after")
    return rows + changed(before, await stored(stack), "incremental only", "recomputed only")


# ---- 4: the portal


async def _held(portal: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    after: str | None = ""
    while after is not None:
        page = (await portal.get("/_portal/dossiers", params={"after": after, "limit": 500, "full": "true"})).json()
        found |= {item["MaHoSo"]: item for item in page["items"]}
        after = page["next"]
    return found


def _portal(
    oracle: dict[str, Computation],
    items: Sequence[Mapping[str, Any]],
    held: dict[str, dict[str, Any]],
    tidy: set[str],
    verdict: Verdict,
) -> list[str]:
    rows = portal_differences(oracle, held, tidy=tidy)
    verdict.lost += sum("the portal does not hold it" in row or "the portal lacks" in row for row in rows)
    verdict.doubled += sum("a step is doubled" in row for row in rows)
    posted: dict[str, list[dict[str, Any]]] = {}
    for item in items:
        posted.setdefault(item["event"]["subject"], []).append(item["event"])
    for code, has in held.items():
        rows += versions_backwards(code, posted.get(code, []), has["versions"])
        again = sum(version["same_as_before"] for version in has["versions"])
        steps = [step["repeats"] for step in has["progress"]]
        verdict.repeated_versions += again
        verdict.repeated_steps += sum(steps)
        if max([again, *steps]) > verdict.ambiguous:
            rows.append(f"{code}: sent again {max([again, *steps])} times after {verdict.ambiguous} ambiguous faults")
    return rows


def _said(dossier: Computation | None) -> tuple[str, ...]:
    """What the portal would be told of a dossier, in the fields that the oracle computes."""
    if dossier is None or dossier.status is None:
        return ()
    dates = (dossier.received_at, dossier.promised_at, dossier.ended_at)
    return (str(dossier.status), str(dossier.procedure), *map(portal_time, dates))


def versions_backwards(code: str, posted: Sequence[dict[str, Any]], versions: Sequence[Mapping[str, Any]]) -> list[str]:
    """The accepted versions stand for prefixes of the dossier's log that never get shorter.

    ``posted``: the dossier's events in the order of their positions.
    """
    says = [_said(compute(list(posted[: n + 1])).get(code)) for n in range(len(posted))]
    reached = 0
    for number, version in enumerate(versions, start=1):
        fields = ("TrangThaiHoSo", "MaTTHC", "NgayTiepNhan", "NgayHenTra", "NgayKetThucXuLy")
        said = tuple(str(version[name]) for name in fields)
        fitting = [n for n in range(reached, len(says)) if says[n] == said]
        if not fitting:
            kind = "an older state after a newer one" if said in says else "a state that it never had"
            return [f"{code}: version {number} at the portal is {kind}: {said}"]
        reached = fitting[0]
    return []


# ---- 5 and 6


async def _waiting(client: httpx.AsyncClient, judging: Judge, parked: Mapping[str, str]) -> list[str]:
    counts = (await client.get("/v1/sync")).json()["counts"]
    sendable = sum(is_sendable(dossier) for dossier in judging.dossiers)
    wanted = {
        "pending": 0,
        "sent": sendable - len(parked),
        "parked": len(parked),
        "unsendable": len(judging.dossiers) - sendable,
    }
    rows = [] if counts == wanted else [f"the ledger counts {counts}, wanted {wanted}"]
    listed = (await client.get("/v1/sync/dossiers", params={"state": "parked", "limit": 500})).json()["items"]
    found = {one.get("code", one.get("dossier")): one for one in listed}
    for code in sorted(found.keys() | parked.keys()):
        if code not in parked:
            rows.append(f"parked, though nothing permanent was injected: {found[code]}")
        elif code not in found:
            rows.append(f"not parked, though {parked[code]} was injected: {code}")
        elif found[code]["error_class"] != parked[code] or not found[code]["error_detail"]:
            rows.append(f"parked without its reason {parked[code]}: {found[code]}")
    ready = (await client.get("/readyz")).json()
    aside = sum(lag["dossiers_set_aside"] for lag in ready["lags"])
    return rows if not aside else [*rows, f"{aside} dossiers are set aside"]


def calls_bounded(proxy: Proxy, since: float, until: float, *, most_a_minute: float, time_scale: float) -> list[str]:
    """Part 6: requests that ``proxy`` saw (set ``watched``) in any minute of the product's own time."""
    window = 60.0 / time_scale
    times = [at for at, _ in proxy.requests if since <= at <= until]
    most = max((sum(begin <= at < begin + window for at in times) for begin in times), default=0)
    return [] if most <= most_a_minute else [f"part 6: {most} calls within a minute, wanted at most {most_a_minute:.0f}"]
