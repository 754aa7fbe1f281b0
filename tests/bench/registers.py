"""What a question about a register costs, beside a GET that touches no table: by an index, and before there is one."""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import asyncpg
import psutil

from shared.events.rules.registers import REGISTERS
from shared.projection.rules.records import fold_record
from shared.projection.rules.register_projections import PROJECTIONS
from shared.projection.store.records import row_of
from shared.vocabulary.events import RecordEvent, RecordEventName
from tests.bench import reads
from tests.bench.figures import tell_agencies
from tests.bench.ingest import Bench
from tests.bench.made_events import DAYS, FIRST, PROCEDURES, UNITS
from tests.bench.report import Row
from tests.bench.stack import Database, Processes

SHARE = {"feedback": 0.5, "payment": 0.3, "survey": 0.2}
"""Of all records; payments and half of the sheets are of dossiers."""
PATHS = {"feedback": "feedback", "payment": "payments", "survey": "surveys"}
ADDED = 25
PATIENCE_SECONDS = 3_600.0


def records_of(bench: Bench) -> int:
    """So many in all: `MOTCUA_BENCH_RECORDS`, else as many as the setting has dossiers."""
    return int(os.environ.get("MOTCUA_BENCH_RECORDS", bench.sizes.dossiers))


def _histories(seed: int, register: str, number: int, of: int) -> tuple[str, list[tuple[str, datetime, dict[str, Any]]]]:
    """The code of a record, and what is told of it."""
    chance = random.Random(f"{seed} {register} {number}")
    begun = FIRST + timedelta(days=DAYS * number // of, minutes=chance.randrange(480))
    agency = UNITS[int(len(UNITS) * chance.random() ** 1.7)]
    dossier = f"{agency[:6]}-{begun:%y%m%d}-{number // 2 + 1:07d}"
    code = f"{register[:2].upper()}-{begun:%y%m%d}-{number:07d}"
    if register == "survey":
        told = {"agency_code": agency, "channel": chance.choice(("paper", "online")), "overall": "satisfied"}
        return code, [("submitted", begun, told | ({"dossier_code": dossier} if number % 2 else {}))]
    if register == "payment":
        initiated = {"dossier_code": dossier, "purpose": "fee", "gateway": "national", "amount_vnd": 50_000}
        outcome = "failed" if chance.random() < 0.1 else "succeeded"
        events = [("initiated", begun, initiated), ("confirmed", begun + timedelta(minutes=3), {"outcome": outcome})]
        return code, events if chance.random() < 0.95 else events[:1]
    kind = chance.choice(("rule", "behaviour", "behaviour"))
    events = [
        ("submitted", begun, {"agency_code": agency, "route": chance.choice(("portal", "phone")), "kind": kind}),
        ("received", begun + timedelta(hours=20), {"agency_code": agency, "kind": kind}),
        ("answered", begun + timedelta(days=chance.randrange(2, 35)), {"public": True}),
    ]
    if chance.random() < 0.6:
        events.append(("published", events[-1][1] + timedelta(days=1), {}))
    return code, events if chance.random() < 0.95 else events[:2]


def _rows(seed: int, register: str, count: int) -> Iterator[tuple[Any, ...]]:
    """As the projection would store them."""
    now = datetime.now(UTC)
    for number in range(count):
        code, told = _histories(seed, register, number, count)
        events = [
            RecordEvent(
                0, now, "urn:b", f"{code}-{place}", RecordEventName(f"{register}.{name}"), code, at.astimezone(UTC), data
            )
            for place, (name, at, data) in enumerate(told)
        ]
        row = row_of(code, 0, fold_record(PROJECTIONS[register], code, events))
        yield "H51", register, row.code, 0, row.agency, row.facts, "[]", []


def _dossiers(seed: int, payments: int) -> Iterator[tuple[Any, ...]]:
    seen = set()
    for number in range(payments):
        _, told = _histories(seed, "payment", number, payments)
        _, begun, data = told[0]
        code = data["dossier_code"]
        if code not in seen:
            seen.add(code)
            chance = random.Random(code)
            yield "H51", code, 0, chance.choice(UNITS), chance.choice(PROCEDURES), "online", begun, begun.date()


async def _store(database: Database, seed: int, counts: dict[str, int]) -> None:
    link = await asyncpg.connect(database.owner_url)
    try:
        columns = ["tenant", "register", "code", "position", "agency", "facts", "counts", "anomalies"]
        for register, count in counts.items():
            await link.copy_records_to_table("record", records=_rows(seed, register, count), columns=columns)
        columns = ["tenant", "code", "position", "agency", "procedure", "channel", "received_at", "received_on"]
        await link.copy_records_to_table("dossier", records=_dossiers(seed, counts["payment"]), columns=columns)
        await link.execute("INSERT INTO seen_agency SELECT 'H51', unnest($1::text[]) ON CONFLICT DO NOTHING", list(UNITS))
        projections = [REGISTERS[name].projection for name in ("dossier", *counts)]
        await link.execute(
            "INSERT INTO projection_cursor (tenant, projection, position) SELECT 'H51', unnest($1::text[]), 0"
            " ON CONFLICT DO NOTHING",
            projections,
        )
        await link.execute("VACUUM ANALYZE record")
        await link.execute("VACUUM ANALYZE dossier")
    finally:
        await link.close()


def questions(seed: int, path: str) -> dict[str, list[str]]:
    """Paths of each kind of question, by name."""
    chance = random.Random(seed)
    periods = [reads._scoped(chance, period) for period in reads._periods(chance, 40)]
    figure = {"feedback": "f1", "payments": "total.p1", "surveys": "sheets"}[path]
    stats = f"/v1/stats/{path}"
    return {
        "summary": [f"{stats}?{period}" for period in periods],
        "by_agency": [f"{stats}/by/agency?{period}" for period in periods],
        "by_procedure": [f"{stats}/by/procedure?{period}" for period in periods[:10]],
        "records": [f"{stats}/records?{period}&figure={quote(figure)}" for period in periods[:10]],
    }


def registers(bench: Bench) -> None:
    """Figures of feedback, payments and surveys: the index made, asked, and followed by new events."""
    count = records_of(bench)
    counts = {register: int(count * share) for register, share in SHARE.items()}
    database = bench.stack.database("registers")
    asyncio.run(_store(database, bench.seed, counts))
    bench.report.remark(f"registers: {counts}, machine load {os.getloadavg()[0]:.1f}")
    with bench.stack.api(database) as api, bench.stack.workers(database):
        tell_agencies(api.port, database.key)
        years = list(range(2020, datetime.now(UTC).year + 2))
        _call(database, api.port, "/v1/calendar", {"days": [], "confirmed_years": years}, "PUT")
        for register, path in PATHS.items():
            _made(bench, database, api, path, counts[register])
        for path in PATHS.values():
            for name, paths in questions(bench.seed, path).items():
                _asked(bench, database, api, f"{path}_{name}", paths)
        _followed(bench, database, api, counts)
        bench.report.remark(f"registers: {api.memory() / 2**20:,.0f} MB in the API and its reader at the end")


def _call(database: Database, port: int, path: str, body: Any = None, method: str = "POST") -> Any:
    """As `figures.call`, with patience: nothing is ready yet."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=data, method="GET" if body is None else method)
    request.add_header("Authorization", f"Bearer {database.key}")
    if data is not None:
        request.add_header("Content-Type", "application/cloudevents+json" if method == "POST" else "application/json")
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
        return json.load(answer)


def _made(bench: Bench, database: Database, api: Processes, path: str, count: int) -> None:
    """Ask until the index answers: the log says when it is made."""
    question = f"/v1/stats/{path}?period=2022"
    log = bench.stack.folder / "api.log"
    begun = time.perf_counter()
    whole = _call(database, api.port, question)
    first = time.perf_counter() - begun
    while not (line := _line(log.read_text(), path)):
        if time.perf_counter() - begun > PATIENCE_SECONDS:
            raise AssertionError(f"no index of {path}")
        time.sleep(0.5)
    again = _call(database, api.port, question)
    assert again["figures"] == whole["figures"]
    bench.report.add(
        Row(
            f"register_{path}_made",
            f"{path}, {count:,} records: the first answer, counted one by one / a megabyte of the index, made in {line['seconds']} s",
            f"{first:.1f} s",
            f"{line['megabytes']} MB",
            line["megabytes"] * 2**20 / count,
            1_000,
            None,
            at_least=False,
            note=f"bytes a record; {line['units']:,} units",
        )
    )


def _line(log: str, path: str) -> dict[str, Any] | None:
    told: list[dict[str, Any]] = [json.loads(text) for text in log.splitlines() if '"register_index_made"' in text]
    return next((one for one in told if one["register"] == path), None)


def _asked(bench: Bench, database: Database, api: Processes, name: str, paths: list[str]) -> None:
    for clients in (1, reads.CLIENTS):
        reads._measured(api.port, database.key, paths, len(paths), clients)
        bare = reads._measured(api.port, database.key, reads.BARE, bench.sizes.reads * 2, clients)
        used = _cpu_seconds(api)
        found = reads._measured(api.port, database.key, paths, bench.sizes.reads, clients)
        used = (_cpu_seconds(api) - used) / found.requests
        bench.report.add(
            Row(
                f"register_{name}_{clients}",
                f"{name}, any period and scope, {clients} clients: p95 / p95 of a bare GET",
                f"{found.p95 * 1e3:.1f} ms",
                f"{bare.p95 * 1e3:.1f} ms",
                found.p95 / bare.p95,
                5.0 if name.endswith("summary") else None,
                None,
                at_least=False,
                note=f"p50 {found.p50 * 1e3:.1f} ms, of a bare GET {bare.p50 * 1e3:.1f} ms; {used * 1e3:.1f} ms of CPU in API and reader; load {os.getloadavg()[0]:.1f}",
            )
        )


def _cpu_seconds(api: Processes) -> float:
    """Of the API and its reader."""
    processes = [psutil.Process(popen.pid) for popen in api.popens]
    return sum(sum(one.cpu_times()[:2]) for process in processes for one in (process, *process.children()))


def _followed(bench: Bench, database: Database, api: Processes, counts: dict[str, int]) -> None:
    """From a 202 to a figure that counts the event, one event after the other."""
    seconds: list[float] = []
    question = "/v1/stats/feedback?period=2023"
    before = _call(database, api.port, question)["figures"]["f2"]
    for number in range(ADDED):
        code = f"PAKN-230601-{number:05d}"
        data = {"agency_code": UNITS[0], "kind": "rule"}
        event = {
            "specversion": "1.0",
            "id": f"added-{number}",
            "source": "urn:b",
            "type": "vn.motcua.feedback.received.v1",
            "subject": code,
            "time": "2023-06-01T09:00:00+07:00",
            "data": data,
        }
        begun = time.perf_counter()
        receipt = _call(database, api.port, "/v1/events", event)
        answer = _call(database, api.port, f"{question}&min_position={receipt['position']}")
        seconds.append(time.perf_counter() - begun)
        assert answer["figures"]["f2"] == before + number + 1, (number, before, answer["figures"])
    seconds.sort()
    bench.report.add(
        Row(
            "register_followed",
            f"an event told, counted and asked for beside {counts['feedback']:,} feedback: median / worst",
            f"{seconds[len(seconds) // 2] * 1e3:.0f} ms",
            f"{seconds[-1] * 1e3:.0f} ms",
            seconds[len(seconds) // 2],
            1.0,
            None,
            at_least=False,
        )
    )
