"""What is read is what was told, the log stays as it is, and each province has its own: 24, 25, 26."""

from __future__ import annotations

import asyncio
import copy
import os
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from deploy.local.servers.postgres import APP, OWNER
from tests.faults.campaign import Run, scenario
from tests.faults.load import HEADERS
from tests.faults.scenarios.figures import asking, ended
from tests.oracle.histories import Event
from tests.oracle.stack import identity
from tests.support.database.statements import faults_of
from tests.system.end_to_end import TENANT
from tests.system.local_run import ROOT

YEARS = {"from": "2022-01-01", "to": "2100-12-31"}


async def post_event(run: Run, event: Event, client: httpx.AsyncClient) -> int:
    """Tell one event to one API process; its position."""
    run.agencies.book.sent(event)
    answer = await client.post("/v1/events", json=event)
    assert answer.status_code == 202, answer.text
    run.agencies.book.answers[202] += 1
    run.agencies.book.receipt(event, answer.json())
    position: int = answer.json()["position"]
    return position


@scenario(24, "read-your-write", apis=2)
async def read_your_write(run: Run) -> None:
    """Whoever has a position reads by it, at once and through another API process: dossier and feed hold the event, figures
    asked with `min_position` count it or say that they do not yet; while nobody projects, every answer says its age."""
    await run.settled()
    async with asking(run, 0) as writer, asking(run, 1) as reader:
        waits: list[float] = []
        lives = run.agencies.lives(run.counts.of(200, 25, 5))
        run.agencies.book.lives.extend([identity(one) for one in life] for life in lives)
        for life in lives:
            for event in life:
                position = await post_event(run, event, writer)
                page, dossier = await asyncio.gather(
                    reader.get("/v1/events", params={"after": position - 1, "limit": 1}),
                    reader.get(f"/v1/dossiers/{event['subject']}"),
                )
                (item,) = page.json()["items"]
                assert (item["position"], identity(item["event"])) == (position, identity(event))
                assert identity(event) in {identity(one) for one in dossier.json()["timeline"]}, f"{position} is not in it"
            begun = time.monotonic()
            answer = await reader.get("/v1/stats/summary", params={**YEARS, "min_position": position})
            waits.append(time.monotonic() - begun)
            if answer.status_code == 503:
                assert int(answer.headers["retry-after"]) >= 1
            else:
                assert answer.status_code == 200, answer.text
                assert answer.json()["as_of"]["position"] >= position, answer.json()["as_of"]
        waits.sort()
        run.outcome.notes.append(
            f"{len(waits)} waits for one's own event in the figures: p50 {waits[len(waits) // 2]:.2f} s, max {waits[-1]:.2f} s"
        )
        await _nobody_projects(run, writer, reader)


async def _nobody_projects(run: Run, writer: httpx.AsyncClient, reader: httpx.AsyncClient) -> None:
    await run.settled()
    with run.stack.frozen("worker"):
        (life,) = run.agencies.lives(1)
        run.agencies.book.lives.append([identity(life[0])])
        position = await post_event(run, life[0], writer)
        answer = await reader.get("/v1/stats/summary", params={**YEARS, "min_position": position})
        assert answer.status_code == 503, f"older than was asked for: {answer.text}"
        assert int(answer.headers["retry-after"]) >= 1
        older = (await reader.get("/v1/stats/summary", params=YEARS)).json()["as_of"]
        assert older["position"] < position, older
        assert older["lag_seconds"] > 0, f"an old answer does not say so: {older}"
        dossier = (await reader.get(f"/v1/dossiers/{life[0]['subject']}")).json()
        assert dossier["status"] == 2, "a dossier is read from the log itself"

    async def counted() -> bool:
        answer = await reader.get("/v1/stats/summary", params={**YEARS, "min_position": position})
        return answer.status_code == 200 and answer.json()["as_of"]["position"] >= position

    await run.recovered("a worker that stood still, to one's own event in the figures", run.until(counted, 40, "it counts"))


# ---- 25

REFUSED = (
    "UPDATE event_log SET recorded_at = recorded_at WHERE tenant = 'H51'",
    "DELETE FROM event_log WHERE tenant = 'H51' AND position = 1",
    "TRUNCATE event_log",
    "ALTER TABLE event_log DISABLE TRIGGER ALL",
    "DROP TABLE event_log",
    "DELETE FROM log_counter WHERE tenant = 'H51'",
    "UPDATE applicant_reading SET purpose = 'x'",
    "DELETE FROM applicant_reading",
    "DELETE FROM audit_alarm",
    "UPDATE agency SET name = 'x'",
    "UPDATE frozen_report SET reason = 'x'",
    f"SET ROLE {OWNER}",
)
"""What the application's own role, or whoever has its password, must not be able to do."""


async def exported(run: Run, api: int = 0) -> bytes:
    """The whole log as the change feed gives it, byte by byte."""
    pages = bytearray()
    after = 0
    async with asking(run, api) as client:
        while True:
            answer = await client.get("/v1/events", params={"after": after, "limit": 1000})
            pages += answer.content
            if answer.json()["next"] == after:
                return bytes(pages)
            after = answer.json()["next"]


@scenario(25, "append-only-log", apis=2)
async def append_only_log(run: Run) -> None:
    """The application's role cannot change or delete what is recorded; an old event told again, with its old time, changes
    nothing, another content is refused, a new one comes last; two exports are the same bytes, whatever happened between."""
    await run.settled()
    lives = run.agencies.lives(run.counts.of(60, 15, 4))
    await run.agencies.tell(lives, batch=3)
    await run.settled()
    link = await asyncpg.connect(run.stack.postgres.url(APP), timeout=10)
    try:
        for statement in REFUSED:
            try:
                await link.execute(statement)
            except asyncpg.InsufficientPrivilegeError:
                run.outcome.faults["statement refused"] += 1
            else:
                raise AssertionError(f"the application's role may: {statement}")
    finally:
        await link.close()
    before = await exported(run)
    await _replayed(run, lives)
    run.stack.kill("api", 0)
    run.stack.kill("worker")
    await asyncio.to_thread(run.stack.wait_ready)
    async with asking(run) as client:
        await ended(client, await client.post("/v1/stats/rebuild"))
    after = await exported(run, 1)
    assert await exported(run) == after, "two exports differ"
    # the pages are cut anew where there is more: what was there is compared item by item
    assert _items(after)[: len(_items(before))] == _items(before), "what was exported before has changed"
    run.outcome.notes.append(f"{len(_items(after))} events exported three times, {len(REFUSED)} statements refused")


def _items(pages: bytes) -> list[bytes]:
    return re.findall(rb'\{"position":.*?(?=,\{"position":|\],"next")', pages)


async def _replayed(run: Run, lives: list[list[Event]]) -> None:
    """Somebody tells old events again: as they were, with other contents, and as new ones with old times."""
    async with asking(run) as client:
        for life in lives[:: run.counts.of(1, 3, 2)]:
            first = life[0]
            again = await client.post("/v1/events", json=first)
            assert (again.status_code, again.json()["status"]) == (202, "duplicate"), again.text
            assert again.json()["position"] == run.agencies.book.acked[identity(first)]
            forged = copy.deepcopy(first) | {"time": "2020-02-03T08:00:00+07:00"}
            answer = await client.post("/v1/events", json=forged)
            assert answer.status_code == 409, f"an old identity with another time: {answer.status_code} {answer.text}"
        head = (await client.get("/v1/events", params={"source": "urn:desk", "id": lives[0][-1]["id"]})).json()["items"][0]
        late = {
            "specversion": "1.0",
            "type": "vn.motcua.dossier.rated.v1",
            "source": "urn:desk",
            "id": f"late {lives[0][0]['id']}",
            "subject": lives[0][0]["subject"],
            "time": "2019-01-02T08:00:00+07:00",
            "data": {"satisfied": True},
        }
        position = await post_event(run, late, client)
        item = (await client.get("/v1/events", params={"after": position - 1, "limit": 1})).json()["items"][0]
        assert item["position"] == position > head["position"]
        assert item["recorded_at"] >= head["recorded_at"], "an old time is not an old record"
    run.untidy.add(lives[0][0]["subject"])


# ---- 26

OTHER = "K01"
KEYS = """
SELECT c.conrelid::regclass::text AS of, c.conname AS name, a.attname AS first FROM pg_constraint c
JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
WHERE c.contype IN ('p', 'u', 'f', 'x') AND c.connamespace = 'public'::regnamespace
UNION ALL
SELECT i.indrelid::regclass::text, i.indexrelid::regclass::text, a.attname FROM pg_index i
JOIN pg_class c ON c.oid = i.indrelid JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
WHERE i.indisunique AND c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
"""
SAID = re.compile(r"motcua_app@\S* LOG:  (?:execute [^:]*|statement): (.*(?:\n\t.*)*)")
OPEN_TO_ALL = ("/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/v1/stream")


def motcua(run: Run, *arguments: str) -> str:
    """The command line, on this stack's database."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MOTCUA_")}
    done = subprocess.run(
        [str(Path(sys.executable).with_name("motcua")), *arguments],
        cwd=ROOT,
        env=inherited | {"MOTCUA_DATABASE_URL": run.stack.postgres.url(APP)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@scenario(26, "tenant-leak", apis=2)
async def tenant_leak(run: Run) -> None:
    """Every primary, unique and foreign key begins with the tenant, every statement said under load filters by it, and another
    province with all rights sees nothing of this one, on any path of the API."""
    await run.settled()
    wrong = [dict(row) for row in await run.stack.sql(KEYS) if row["first"] != "tenant" and row["of"] != "alembic_version"]
    assert wrong == [], f"keys that do not begin with the tenant: {wrong}"
    run.outcome.notes.append(f"{len(await run.stack.sql(KEYS))} keys begin with the tenant")
    await asyncio.to_thread(motcua, run, "tenants", "create", OTHER)
    scopes = ("admin", "events:write", "dossiers:read", "applicants:read", "stats:read", "sync:manage")
    asked = [part for scope in scopes for part in ("--scope", scope)]
    key = await asyncio.to_thread(motcua, run, "keys", "create", "--tenant", OTHER, *asked)
    begun = run.stack.log("postgres").stat().st_size
    await run.stack.sql("ALTER SYSTEM SET log_statement = 'all'")
    await run.stack.sql("SELECT pg_reload_conf()")
    await asyncio.sleep(0.3)
    try:
        lives = run.agencies.lives(run.counts.of(100, 20, 4))
        await run.agencies.tell(lives, batch=3)
        await run.settled()
        await _sees_nothing(run, lives, key)
    finally:
        await run.stack.sql("ALTER SYSTEM RESET log_statement")
        await run.stack.sql("SELECT pg_reload_conf()")
    with run.stack.log("postgres").open("rb") as log:
        log.seek(begun)
        said = Counter(SAID.findall(log.read().decode(errors="replace")))
    assert len(said) > 100, f"only {len(said)} different statements were said"
    faults = {query: found for query in said if (found := faults_of(query))}
    assert not faults, f"{len(faults)} statements: {list(faults.items())[:5]}"
    run.outcome.notes.append(f"{len(said)} different statements of {said.total()} said: all of one tenant")


async def _sees_nothing(run: Run, lives: list[list[Event]], key: str) -> None:
    """Another province asks every path, for everything and for what is ours by name."""
    code = lives[0][0]["subject"]
    async with asking(run) as ours:
        paths: dict[str, Any] = (await ours.get("/openapi.json")).json()["paths"]
        audit = await ours.post("/v1/audits", json={"whole": True})
        await ended(ours, audit)
        freeze = await ours.post("/v1/freezes", json={"period": "2022", "reason": "báo cáo năm"})
        names = {
            "code": code,
            "by": "agency",
            "job_id": audit.json()["id"],
            "audit_id": audit.json()["id"],
            "freeze_id": freeze.json()["id"],
        }
        asked = [
            (path.format_map(_Named(names)), parameters)
            for path, methods in paths.items()
            if "get" in methods and path not in OPEN_TO_ALL
            for parameters in (
                {},
                {"period": "2022"},
                {"period": "2022", "figure": "received.new.total"},
                {"purpose": "x y z"},
            )
        ]
        mine, theirs = set[str](), set[str]()
        async with httpx.AsyncClient(
            base_url=run.stack.apis[1], headers=HEADERS | {"authorization": f"Bearer {key}"}, timeout=30, trust_env=False
        ) as others:
            for path, parameters in asked:
                if (await ours.get(path, params=parameters)).status_code == 200:
                    mine.add(path)
                answer = await others.get(path, params=parameters)
                if answer.status_code == 200:
                    theirs.add(path)
                assert answer.status_code < 500, f"{path}: {answer.text}"
                text = answer.text.replace(answer.json().get("instance", "\0") if answer.status_code >= 400 else "\0", "")
                assert f"{TENANT}." not in text, f"{path} {parameters} tells another province: {answer.text[:300]}"
                assert identity(lives[0][0])[1] not in text, f"{path} {parameters} tells another province: {text[:300]}"
            refused = await others.post("/v1/events", json=lives[0][0] | {"id": "of another province"})
            assert refused.status_code == 422, f"another province may tell of ours: {refused.text}"
            assert (await others.get("/v1/events", params={"limit": 10})).json()["items"] == []
            own = {
                "specversion": "1.0",
                "type": "vn.motcua.dossier.assigned.v1",
                "source": "urn:desk",
                "id": lives[0][0]["id"],  # the same identity in another province is another event
                "subject": code.replace(TENANT, OTHER),
                "time": lives[0][0]["time"],
                "data": {},
            }
            receipt = (await others.post("/v1/events", json=own)).json()
            assert receipt["status"] in ("accepted", "duplicate"), receipt
            assert receipt["position"] == 1, receipt
    assert len(mine) > 25, f"this province itself sees {sorted(mine)} only"
    run.outcome.notes.append(
        f"another province asked {len({path for path, _ in asked})} paths; {len(mine)} of them answer us with 200, it is told"
        f" of nothing by {len(theirs)} and refused by the others"
    )


class _Named(dict[str, str]):
    """Names in a path; what has none of ours stays a name that nothing has."""

    def __missing__(self, name: str) -> str:
        return "nothing"
