"""The whole product as processes, driven from outside: told by agencies that never give up, compared with the oracle."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson

from tests.oracle.answers import Judge
from tests.oracle.computation import Computation
from tests.oracle.histories import AGENCIES, CHANNELS, PROCEDURES, Event, event, written
from tests.oracle.log import LOCAL, local_date
from tests.oracle.stack import KNOWN_AGENCIES, Identity, Reader, Shipment, identity, name_of, packed
from tests.system.local_run import KEY, ROOT, LocalRun

TENANT = "H51"
SYSTEM = "urn:motcua:system"
COME_AGAIN = (429, 500, 502, 503, 504)  # 500 is a defect; it is counted apart
STEP_NAMES = ("transferred", "extended")
LIMITED = "1.005129"
"""The procedure whose dates the clock computes: two working days."""

QUIET_SECONDS = 2.5
"""Longer than the sweep: the clock has looked once more."""


async def until(condition: Callable[[], Awaitable[bool]], seconds: float, what: str, pause: float = 0.2) -> float:
    """Wait; how long it took."""
    begun = time.monotonic()
    while not await condition():
        assert time.monotonic() - begun < seconds, f"not within {seconds} s: {what}"
        await asyncio.sleep(pause)
    return time.monotonic() - begun


# ------------------------------------------------------------------------------------------------------- agencies


def tidy_life(chance: random.Random, serial: int, first: datetime) -> list[Event]:
    """A dossier's events in the order in which they happen, minutes apart, each with a second of its own."""
    code = f"H51.{chance.randint(1, 12):02}-{first.astimezone(LOCAL):%y%m%d}-{serial:05}"
    moment = first
    events: list[Event] = []

    def tell(name: str, **data: Any) -> None:
        nonlocal moment
        events.append(event(name, code, written(moment, 420), "urn:desk", f"{serial}-{len(events)}", **data))
        moment += timedelta(minutes=chance.randint(1, 9), seconds=chance.randint(1, 59))

    procedure = chance.choice(PROCEDURES)
    left_to_the_clock = procedure == LIMITED and chance.random() < 0.7
    agency = chance.choice(AGENCIES)
    desk = chance.choice([code for code in AGENCIES if code != agency]) if chance.random() < 0.2 else None
    due_at = None if left_to_the_clock else written(first + timedelta(days=chance.randint(0, 3)), 420)
    tell(
        "received",
        procedure_code=procedure,
        agency_code=agency,
        receiving_agency_code=desk,
        channel=chance.choice(CHANNELS),
        due_at=due_at,
        applicant={"kind": "citizen", "name": f"Người {serial}", "phone": "0900000001"},
    )
    if desk is not None:
        tell("taken_over")
    tell("assigned", department="Phòng Một cửa")
    if chance.random() < 0.4:
        tell("supplement_requested", content="Bổ sung bản sao")
        tell("supplemented", new_due_at=None if left_to_the_clock else written(moment + timedelta(days=2), 420))
    if chance.random() < 0.3:
        tell("transferred", agency_code=chance.choice(AGENCIES))
    if chance.random() < 0.3:
        tell("extended", new_due_at=written(moment + timedelta(days=4), 420), apology_number="12/TB", reason="Chờ ý kiến")
    if chance.random() < 0.8:
        tell("processed", outcome="approved", officer="CB-07")
        if chance.random() < 0.7:
            tell("returned", method=chance.choice(CHANNELS))
    return events


def tidy_lives(seed: int | str, count: int, *, after: int = 0) -> list[list[Event]]:
    """Half of the dossiers of today, half of 2022; their serials follow ``after``."""
    chance = random.Random(seed)
    today = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=6)
    past = datetime(2022, 5, 12, 1, tzinfo=UTC)
    lives = []
    for serial in range(after + 1, after + count + 1):
        first = (today if serial % 2 else past) + timedelta(minutes=chance.randint(0, 200))
        lives.append(tidy_life(chance, serial, first))
    return lives


@dataclass
class Agencies:
    """Software that tells events and tells them again until they are acknowledged."""

    api: str
    key: str = KEY
    positions: dict[Identity, int] = field(default_factory=dict)
    told: list[Event] = field(default_factory=list)
    statuses: dict[int | str, int] = field(default_factory=dict)
    patience_seconds: float = 60.0
    timeout_seconds: float = 10.0

    async def tell_lives(
        self, lives: Sequence[list[Event]], seed: int | str, *, desks: int = 6, pause: float = 0.05
    ) -> None:
        """Each desk tells its dossiers' events, the next one of a dossier when the one before is acknowledged."""
        shares = [lives[start::desks] for start in range(desks)]
        await asyncio.gather(*(self._desk(share, random.Random(f"{seed}-{n}"), pause) for n, share in enumerate(shares)))

    async def _desk(self, lives: Sequence[list[Event]], chance: random.Random, pause: float) -> None:
        waiting = [list(life) for life in lives]
        async with self._client() as client:
            while waiting := [life for life in waiting if life]:
                for start in range(0, len(waiting), 4):
                    events = [life.pop(0) for life in waiting[start : start + 4]]
                    transports = (
                        ("structured", "json", "binary") if len(events) == 1 else ("array", "batch", "lines", "gzip")
                    )
                    await self.tell(Shipment(chance.choice(transports), events), client)
                    await asyncio.sleep(pause)

    async def tell(self, shipment: Shipment, client: httpx.AsyncClient | None = None) -> None:
        """Tell, again and again, until every event is acknowledged."""
        self.told.extend(shipment.events)
        until = time.monotonic() + self.patience_seconds
        if client is None:
            async with self._client() as own:
                await self._insist(shipment, own, until)
        else:
            await self._insist(shipment, client, until)

    async def _insist(self, shipment: Shipment, client: httpx.AsyncClient, until: float) -> None:
        while True:
            headers, body = packed(shipment)
            kind: int | str
            try:
                answer = await client.post("/v1/events", headers=headers, content=body)
                kind = answer.status_code
            except httpx.TransportError as error:
                kind = type(error).__name__
            self.statuses[kind] = self.statuses.get(kind, 0) + 1
            if kind in (200, 202) and self._acknowledged(shipment, answer):
                return
            assert isinstance(kind, str) or kind in (200, 202, *COME_AGAIN), f"{kind}: {answer.text}"
            assert time.monotonic() < until, f"not acknowledged within {self.patience_seconds} s: {kind}"
            await asyncio.sleep(0.1)

    def _acknowledged(self, shipment: Shipment, answer: httpx.Response) -> bool:
        """Note the positions; whether all were taken."""
        if answer.status_code == 200:
            *_, sums = (orjson.loads(line) for line in answer.content.splitlines())
            assert sums["rejected"] == 0, answer.text
            return "problem" not in sums and sums["accepted"] + sums["duplicates"] == len(shipment.events)
        body = answer.json()
        receipts = body.get("results", [body])
        for told, receipt in zip(shipment.events, receipts, strict=True):
            assert receipt["status"] in ("accepted", "duplicate"), receipt
            assert self.positions.setdefault(identity(told), receipt["position"]) == receipt["position"]
        return True

    def _client(self) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {self.key}"}
        return httpx.AsyncClient(base_url=self.api, headers=headers, timeout=self.timeout_seconds, trust_env=False)


# -------------------------------------------------------------------------------------------------------- product


@dataclass
class Product:
    """A running product, as seen from outside."""

    run: LocalRun
    client: httpx.AsyncClient
    portal: httpx.AsyncClient

    def motcua(self, *arguments: str, seconds: float = 60.0) -> str:
        """The `motcua` command of the environment that runs the tests; what it prints."""
        done = subprocess.run(
            [Path(sys.executable).with_name("motcua"), *arguments],
            cwd=ROOT,
            env={name: value for name, value in os.environ.items() if not name.startswith("MOTCUA_")}
            | {"MOTCUA_DATA_DIR": str(self.run.folder), "MOTCUA_API_PORT": str(self.run.api_port)},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def kill(self, name: str) -> int:
        """Kill one process of a program without a warning; its number."""
        pid = self.run.pids(name)[0]
        os.kill(pid, signal.SIGKILL)
        return pid

    async def get(self, path: str, **parameters: Any) -> Any:
        answer = await self.client.get(path, params=parameters)
        assert answer.status_code == 200, f"{path} {parameters}: {answer.status_code} {answer.text}"
        return answer.json()

    async def log(self) -> list[dict[str, Any]]:
        """The whole log; positions are without a hole."""
        items: list[dict[str, Any]] = []
        while True:
            page = await self.get("/v1/events", after=len(items), limit=1000)
            if not page["items"]:
                break
            items.extend(page["items"])
        assert [item["position"] for item in items] == list(range(1, len(items) + 1))
        return items

    async def settled(self, seconds: float = 60.0) -> None:
        """Everything is counted, nothing waits for the portal, and the clock has no more to say."""
        quiet_since, events = time.monotonic(), 0

        async def counted_and_sent() -> bool:
            nonlocal quiet_since, events
            try:
                ready = (await self.client.get("/readyz")).json()
            except httpx.TransportError:
                return False
            (lag,) = [lag for lag in ready["lags"] if lag["tenant"] == TENANT] or [None]
            if lag is None or lag["events"] != events or lag["events_not_projected"] or lag["dossiers_not_synced"]:
                quiet_since, events = time.monotonic(), lag["events"] if lag else 0
            return events > 0 and time.monotonic() - quiet_since > QUIET_SECONDS

        await until(counted_and_sent, seconds, "all is counted and sent")

    async def held(self) -> dict[str, dict[str, Any]]:
        """Every dossier that the portal holds, with all versions and steps that it accepted."""
        found: dict[str, dict[str, Any]] = {}
        after = ""
        while True:
            answer = await self.portal.get("/_portal/dossiers", params={"after": after, "limit": 500, "full": "true"})
            page = answer.json()
            found |= {item["MaHoSo"]: item for item in page["items"]}
            if page["next"] is None:
                return found
            after = page["next"]

    # ---- the judgement

    async def judged(self, agencies: Agencies, *, tidy: set[str], seed: int | str = 0) -> dict[str, Computation]:
        """Log, states, figures and portal are what the oracle says; what was acknowledged is in the log, once."""
        items = await self.log()
        logged = {identity(item["event"]): item["position"] for item in items}
        assert len(logged) == len(items)
        assert {one: logged.get(one) for one in agencies.positions} == agencies.positions
        foreign = {one for one in logged if one[0] != SYSTEM} ^ {identity(told) for told in agencies.told}
        assert foreign == set(), "the log holds what was told, and what the clock says of it, and nothing else"
        by_clock = {item["event"]["type"].split(".")[3] for item in items if item["event"]["source"] == SYSTEM}
        assert by_clock <= {"due_set"}, by_clock
        judge = Judge(Reader(TENANT, self.client), [item["event"] for item in items], seed)  # type: ignore[arg-type]
        await judge.every_dossier()
        await judge.whole_list()
        await judge.figures(6)
        await judge.tables(1)
        held = await self.held()
        differing = portal_differences(judge.oracle, held, tidy=tidy)
        assert not differing, "\n".join(differing[:20])
        counts = (await self.get("/v1/sync"))["counts"]
        sendable = [dossier for dossier in judge.dossiers if is_sendable(dossier)]
        assert counts == {
            "pending": 0,
            "sent": len(sendable),
            "parked": 0,
            "unsendable": len(judge.dossiers) - len(sendable),
        }
        assert len(held) == len(sendable)
        left_to_the_clock = [
            (local_date(dossier.taken_over_at or dossier.reception.time), dossier.original_due_at)
            for dossier in judge.dossiers
            if dossier.code in tidy and dossier.reception is not None and dossier.reception.moment_in("due_at") is None
        ]
        for begun_on, due_at in left_to_the_clock:
            assert due_at is not None, "the clock computes a date"
            assert local_date(due_at) == working_days_after(begun_on, 2)
        return judge.oracle


def working_days_after(day: date, count: int) -> date:
    """Monday to Friday: no days off are told."""
    while count:
        day += timedelta(days=1)
        count -= day.weekday() < 5
    return day


async def tell_terms(client: httpx.AsyncClient) -> None:
    """What the clock goes by: a procedure with a time limit, and years of which the days off are known."""
    limited = [
        {"code": LIMITED, "name": "Thủ tục có hạn", "field": "Hộ tịch", "limit": {"value": 2, "unit": "working_days"}}
    ]
    calendar = {"days": [], "confirmed_years": list(range(2018, datetime.now(UTC).year + 2))}
    for path, told in (("/v1/procedures", limited), ("/v1/calendar", calendar)):
        answer = await client.put(path, json=told)
        assert answer.status_code == 200, answer.text


def is_sendable(dossier: Computation) -> bool:
    """Portal protocol, 11.4: what cannot be absent. Statuses 1 and 3 need no reception."""
    if dossier.status is None or dossier.procedure is None:
        return False
    return dossier.received_at is not None or dossier.status in (1, 3)


def portal_time(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone(LOCAL).strftime("%Y%m%d%H%M%S")


def officer_of(dossier: Computation, index: int) -> str:
    """The officer's code, else the name of the agency that had the dossier then."""
    told = dossier.events[index]
    agency = Computation(dossier.code, dossier.events[: index + 1]).agency or TENANT
    return str(told.data.get("officer") or (name_of(agency) if agency in KNOWN_AGENCIES else agency))


def steps_of(dossier: Computation) -> list[tuple[str, str, str]]:
    """'One for each effective status-bearing event, also for transferred and extended (status unchanged)', in fold order;
    each natural key once, none before there is a status."""
    found: list[tuple[str, str, str]] = []
    status: int | None = None
    for index, (told, role) in enumerate(zip(dossier.events, dossier.roles, strict=True)):
        if role is not None:
            status = Computation(dossier.code, dossier.events[: index + 1]).status
        if status is not None and (role is not None or told.name in STEP_NAMES):
            key = (portal_time(told.time), str(status), officer_of(dossier, index))
            if key not in found:
                found.append(key)
    return found


def portal_differences(oracle: dict[str, Computation], held: dict[str, dict[str, Any]], *, tidy: set[str]) -> list[str]:
    """What the portal holds against what the oracle says; of tidy dossiers the steps in their order and no other."""
    found = [f"{code}: the portal holds it, nobody told of it" for code in held.keys() - oracle.keys()]
    for code, dossier in oracle.items():
        if not is_sendable(dossier):
            # one told out of order may have been sent before the event that takes its reception back
            if code in held and code in tidy:
                found.append(f"{code}: held, but it cannot be sent")
            continue
        if code not in held:
            found.append(f"{code}: the portal does not hold it")
            continue
        has = held[code]
        returned = [told.time for told in dossier.events if told.name == "returned"]
        wanted = {
            "TrangThaiHoSo": str(dossier.status),
            "MaTTHC": dossier.procedure,
            "NgayTiepNhan": portal_time(dossier.received_at),
            "NgayHenTra": portal_time(dossier.promised_at),
            "NgayKetThucXuLy": portal_time(dossier.ended_at),
        }
        if code in tidy:
            wanted["NgayTra"] = portal_time(returned[0] if returned else None)
        found += [
            f"{code} {name}: oracle {value}, portal {has[name]}" for name, value in wanted.items() if has[name] != value
        ]
        steps = [(step["ThoiDiemXuLy"], step["TrangThai"], step["NguoiXuLy"]) for step in has["progress"]]
        expected = steps_of(dossier)
        if len(set(steps)) != len(steps):
            found.append(f"{code}: a step is doubled: {steps}")
        if code in tidy and steps != expected:
            found.append(f"{code}: oracle's steps {expected}, portal's {steps}")
        # of two steps of the same second and status, told by no officer, one is kept: whose agency is not compared
        lacking = {step[:2] for step in expected} - {step[:2] for step in steps}
        if lacking:
            found.append(f"{code}: the portal lacks the steps {lacking}")
    return found
