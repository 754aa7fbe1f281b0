"""A province with dossiers everywhere, and for each of four subtrees a twin of it in which nothing but that subtree has any.

Whatever a key of the subtree is answered in the province must be what it is answered in the twin: the same words, items and
numbers. So any answer that depends on what the key may not see is found, whoever writes it, without computing it here.
"""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
from openpyxl import load_workbook

from services.worker.projection.projector import Projector
from services.worker.projection.record_projector import RecordProjector
from shared.access.store import tenants
from shared.access.store.keys import Permission
from shared.database.engine import driver_session
from shared.projection.rules.register_projections import PROJECTIONS
from shared.vocabulary.events import Tenant
from tests.support.api import Served, clock, served

PROVINCE = "H51"
TWINS = {"12": "G01", "12.01": "G02", "13": "G03", "13.01": "G04"}
"""The twin of each subtree, by its code without the tenant."""

VISIBLE = {
    "12": {"12", "12.01", "12.77", "14.02", "30"},
    "12.01": {"12.01", "30"},
    "13": {"13", "13.01", "13.77", "14.01"},
    "13.01": {"13.01"},
}
"""The agencies that each subtree has on today's tree: 30 has passed to 12.01, 14.01 and 14.02 have changed sides in 2021."""

TREE: list[dict[str, Any]] = [
    {"code": ""},
    {"code": ".12", "parent": ""},
    {"code": ".12.01", "parent": ".12"},
    {"code": ".13", "parent": "", "aliases": ["SO_B"]},
    {"code": ".13.01", "parent": ".13"},
    {"code": ".30", "parent": "", "valid_to": "2025-06-30", "successors": [".12.01"]},
    {"code": ".14.01", "parent": ".12", "valid_to": "2020-12-31"},
    {"code": ".14.01", "parent": ".13", "valid_from": "2021-01-01"},
    {"code": ".14.02", "parent": ".13", "valid_to": "2020-12-31"},
    {"code": ".14.02", "parent": ".12", "valid_from": "2021-01-01"},
]
THEIRS = "8.888888"
"""A procedure that no catalogue knows, and none of the subtrees has ever had."""
AGENCIES = ["12", "12.01", "12.77", "14.02", "30", "13", "13.01", "13.77", "14.01", "99"]
MOVES = {2: "13", 3: "13.01", 27: "12.01", 28: "12"}
"""Dossiers by number that are transferred, the first two away from 12, the others to it."""

PATHS: list[list[tuple[str, dict[str, Any]]]] = [
    [],
    [("processed", {"outcome": "approved", "late_reason": "Thiếu người"}), ("returned", {"method": "direct"})],
    [("supplement_requested", {"content": "Bản sao"}), ("supplemented", {})],
    [("payment_requested", {"fees": [{"code": "L", "name": "L", "amount_vnd": 5}]}), ("rated", {"satisfied": True})],
    [("extended", {"new_due_at": "2018-03-01T10:00:00Z", "apology_number": "1/XL", "reason": "Thiếu"})],
]
"""What happens after the reception, by the number of the dossier modulo their count."""


@dataclass(frozen=True)
class Dossier:
    number: int
    first: str
    now: str

    def code(self, tenant: str) -> str:
        return f"{tenant}.{self.first[:2]}-180102-{self.number:05}"


DOSSIERS = [
    Dossier(number, agency, MOVES.get(number, agency))
    for number, agency in enumerate([*(one for one in AGENCIES for _ in PATHS), *AGENCIES], start=1)
]
BEFORE = [one for one in DOSSIERS if one.number <= len(AGENCIES) * len(PATHS)]
"""Those that are told before reports are frozen; the last of each agency comes after that."""


def visible(subtree: str | None) -> list[Dossier]:
    return [one for one in DOSSIERS if subtree is None or one.now in VISIBLE[subtree]]


def _event(tenant: str, dossier: Dossier, name: str, days: int, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"{dossier.number}-{name}",
        "source": "urn:test",
        "type": f"vn.motcua.dossier.{name}.v1",
        "subject": dossier.code(tenant),
        "time": (datetime(2018, 1, 2, 2, tzinfo=UTC) + timedelta(days=days)).isoformat(),
        "data": data,
    }


def receptions(tenant: str, dossiers: Iterable[Dossier]) -> list[dict[str, Any]]:
    found = []
    for one in dossiers:
        data = {
            "procedure_code": THEIRS if one.now == "99" else "1.000001" if one.number % 3 else "9.999999",
            "agency_code": f"{tenant}.{one.first}",
            "channel": "online" if one.number % 2 else "direct",
            "due_at": "2018-01-20T10:00:00Z",
            "applicant": {"kind": "citizen", "name": "Nguyễn Văn An", "phone": "0901234567"},
        }
        found.append(_event(tenant, one, "received", one.number, data))
    return found


def later(tenant: str, dossiers: Iterable[Dossier]) -> list[dict[str, Any]]:
    found = []
    for one in dossiers:
        for step, (name, data) in enumerate(PATHS[one.number % len(PATHS)], start=1):
            found.append(_event(tenant, one, name, one.number + 20 * step, data))
        if one.now != one.first:
            found.append(_event(tenant, one, "transferred", one.number + 70, {"agency_code": f"{tenant}.{one.now}"}))
    return found


def of_registers(tenant: str, dossiers: Iterable[Dossier]) -> list[dict[str, Any]]:
    """What further registers tell of each dossier, and a sheet of its agency."""
    found = []
    for one in dossiers:
        told: list[tuple[str, str, str, dict[str, Any]]] = [
            ("component", "submitted", one.code(tenant), {"component_code": "TP01", "form": "electronic"}),
            ("post", "return_requested", one.code(tenant), {"address": "12 Lê Lợi"}),
            ("post", "dispatched", one.code(tenant), {"item_no": "EA1"}),
            (
                "payment",
                "initiated",
                f"TT-{one.number}",
                {"dossier_code": one.code(tenant), "amount_vnd": 50_000, "purpose": "fee", "gateway": "national"},
            ),
            ("payment", "confirmed", f"TT-{one.number}", {"outcome": "succeeded"}),
            (
                "survey",
                "submitted",
                f"PKS-{one.number}",
                {"agency_code": f"{tenant}.{one.now}", "channel": "paper", "overall": "satisfied", "comment": "Tốt",
                 "dossier_code": one.code(tenant)},
            ),
        ]  # fmt: skip
        for register, name, subject, data in told:
            event = _event(tenant, one, f"{register}-{name}", one.number + 1, data)
            found.append(event | {"type": f"vn.motcua.{register}.{name}.v1", "subject": subject})
    return found


def feedback(tenant: str, dossiers: Iterable[Dossier]) -> list[dict[str, Any]]:
    """One about each dossier, sent to the agency that had it first and handed on as it was."""
    found = []
    for one in dossiers:
        about = {
            "agency_code": f"{tenant}.{one.first}",
            "route": "portal",
            "about_dossier": one.code(tenant),
            "content": "Trễ",
        }
        steps: list[tuple[str, dict[str, Any]]] = [("submitted", about)]
        if one.number % 3:
            steps.append(("received", {"kind": "behaviour", "agency_code": f"{tenant}.{one.first}"}))
        if one.now != one.first:
            steps.append(("transferred", {"agency_code": f"{tenant}.{one.now}"}))
        if one.number % 2:
            steps.append(("answered", {}))
        for days, (name, data) in enumerate(steps):
            event = _event(tenant, one, name, one.number + days, data) | {"id": f"{one.number}-feedback-{name}"}
            found.append(event | {"type": f"vn.motcua.feedback.{name}.v1", "subject": f"PA-{one.code(tenant)}"})
    return found


@dataclass
class Land:
    """One tenant: the instant between its two halves, its whole key, and what is asked for by name."""

    tenant: str
    then: str
    whole: httpx.AsyncClient
    freezes: dict[str, str] = field(default_factory=dict)
    job: str = ""


@dataclass
class World:
    """The province, its twins, and the same key in both."""

    api: Served
    lands: dict[str, Land]
    keys: dict[tuple[str, str, str], httpx.AsyncClient] = field(default_factory=dict)
    jobs: dict[tuple[str, str], str] = field(default_factory=dict)

    async def key(self, tenant: str, subtree: str | None, scope: Permission = Permission.ADMIN) -> httpx.AsyncClient:
        name = (tenant, subtree or "", scope.value)
        if name not in self.keys:
            agency = None if subtree is None else f"{tenant}.{subtree}"
            self.keys[name] = await self.api.key(scope, tenant=Tenant(tenant), agency=agency)
        return self.keys[name]

    async def own_job(self, tenant: str, subtree: str) -> str:
        """A job that the subtree's key has begun."""
        if (tenant, subtree) not in self.jobs:
            client = await self.key(tenant, subtree)
            asked = {"dossiers": [visible(subtree)[0].code(tenant)]}
            self.jobs[tenant, subtree] = (await client.post("/v1/sync/replay", json=asked)).json()["id"]
        return self.jobs[tenant, subtree]


@asynccontextmanager
async def world_of(database_url: str, redis_url: str) -> AsyncIterator[World]:
    async with served(database_url, redis_url) as api:
        async with driver_session(api.engine) as connection:
            for tenant in (PROVINCE, *TWINS.values()):
                await tenants.create(connection, tenant)
        told = [_land(api, tenant, subtree) for tenant, subtree in ((PROVINCE, None), *((TWINS[one], one) for one in TWINS))]
        yield World(api, {land.tenant: land for land in await asyncio.gather(*told)})


async def _land(api: Served, tenant: str, subtree: str | None) -> Land:
    whole = await api.key(tenant=Tenant(tenant))
    rows = [
        {
            name: [of(one, tenant) for one in value] if isinstance(value, list) else of(value, tenant)
            for name, value in row.items()
        }
        for row in TREE
    ]
    procedures = [
        {"code": "1.000001", "name": "Khai sinh", "field": "Hộ tịch", "limit": {"value": 3, "unit": "working_days"}}
    ]
    figure = {"indicator": "5.2", "numerator": 1, "denominator": 2, "from": "2018-01-01", "to": "2018-12-31"}
    inputs = [
        figure | {"source": "1/BC", "source_on": "2019-01-10", "agency": f"{tenant}.{one}"} for one in ("12", "12.01", "13")
    ]
    given = {"register": "feedback", "issuer": "UBND tỉnh", "date": "2018-12-31", "text": "1/BC", "figures": {"f1": 2}}
    given |= {"from": "2018-01-01", "to": "2018-12-31"}
    bodies: tuple[tuple[str, Any], ...] = (
        ("/v1/agencies", [row | {"name": f"Cơ quan {number}"} for number, row in enumerate(rows)]),
        ("/v1/procedures", procedures),
        ("/v1/calendar", {"days": [], "confirmed_years": [*range(2017, 2028)]}),
        ("/v1/indices/766/inputs", inputs),
        ("/v1/given/feedback_2022", given),
    )
    for path, body in bodies:
        answer = await whole.put(path, json=body)
        assert answer.status_code == 200, answer.text
    land = Land(tenant, "", whole)
    await _told(api, land, receptions(tenant, (one for one in visible(subtree) if one in BEFORE)))
    land.then = (await clock(api)).isoformat().replace("+00:00", "Z")
    land.job = (await whole.post("/v1/sync/reconcile")).json()["id"]
    await _told(api, land, later(tenant, (one for one in visible(subtree) if one in BEFORE)))
    await _told(api, land, feedback(tenant, (one for one in visible(subtree) if one in BEFORE)))
    await _frozen(land)
    await _told(api, land, receptions(tenant, (one for one in visible(subtree) if one not in BEFORE)))
    await _told(api, land, of_registers(tenant, visible(subtree)))
    await _parked(api, land)
    return land


async def _frozen(land: Land) -> None:
    """A report on the province and on each subtree."""
    for agency in ("", *(f".{one}" for one in TWINS)):
        body = {"period": "2018", "reason": "Chốt", "agency": f"{land.tenant}{agency}", "tree_on": "2026-01-01"}
        made = await land.whole.post("/v1/freezes", json=body)
        assert made.status_code == 201, made.text
        land.freezes[agency.removeprefix(".")] = made.json()["id"]


async def _parked(api: Served, land: Land) -> None:
    async with driver_session(api.engine) as connection:
        await connection.execute(
            "UPDATE sync_ledger SET state = 'parked', error_class = 'refused'"
            " WHERE tenant = $1 AND right(dossier_code, 5)::int % 4 = 1",
            land.tenant,
        )
        # how lately a dossier was told is a matter of seconds
        await connection.execute("UPDATE sync_ledger SET live_until = NULL, priority = 0 WHERE tenant = $1", land.tenant)


async def _told(api: Served, land: Land, events: list[dict[str, Any]]) -> None:
    answer = await land.whole.post("/v1/events", json=events)
    assert answer.json()["accepted"] == len(events), answer.text
    projector = Projector(api.engine)
    while await projector.work(Tenant(land.tenant)):
        pass
    await projector.aclose()
    for projection in PROJECTIONS.values():
        while await RecordProjector(api.engine, projection).work(Tenant(land.tenant)):
            pass


def of(code: Any, tenant: str) -> Any:
    return f"{tenant}{code}" if isinstance(code, str) and (code == "" or code.startswith(".")) else code


_THEIR_OWN = re.compile(r"(?:position|next|head|checksum|key_id|^log)$|_seconds$")
"""Names of what differs between two tenants with the same dossiers: the log, places in it, ages, and names given at random."""
_NOW = re.compile(r"20(?:2[6-9]|[3-9][0-9])-[0-9]{2}-[0-9]{2}[T ](?:[0-9:.]|%3A)+(?:Z|(?:[+]|%2B)[0-9]{2}(?::|%3A)[0-9]{2})")
_MADE = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")


def plain(answer: httpx.Response, tenant: str) -> Any:
    """What an answer says, without what differs between twins."""
    request_id = answer.headers["x-request-id"]
    text = answer.text.replace(request_id, "REQUEST").replace(tenant, PROVINCE).replace(tenant.lower(), PROVINCE.lower())
    kind = answer.headers.get("content-type", "")
    if "spreadsheet" in kind:
        cells = [
            str(row) for sheet in load_workbook(io.BytesIO(answer.content)) for row in sheet.iter_rows(values_only=True)
        ]
        text = "\n".join(cells).replace(tenant, PROVINCE)
    if kind.startswith("text/event-stream"):
        return [_plain(orjson.loads(line[6:])) for line in text.splitlines() if line.startswith("data: ")]
    if "json" in kind:
        return (answer.status_code, headers_of(answer, tenant), _plain(orjson.loads(text)))
    return (answer.status_code, headers_of(answer, tenant), _MADE.sub("MADE", _NOW.sub("NOW", text)))


def headers_of(answer: httpx.Response, tenant: str = PROVINCE) -> dict[str, str]:
    """The headers that say something."""
    said = {name: _MADE.sub("MADE", value.replace(tenant, PROVINCE)) for name, value in answer.headers.items()}
    return {name: value for name, value in said.items() if name not in {"x-request-id", "content-length", "date"}}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        # what has left a subtree is told to its key by name: the one thing of dossiers that it sees no more
        return {name: _named(name, one) for name, one in value.items() if name != "left"}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return _MADE.sub("MADE", _NOW.sub("NOW", value)) if isinstance(value, str) else value


def _named(name: str, value: Any) -> Any:
    if name == "next_cursor":
        return value is not None
    if _THEIR_OWN.search(name) and not isinstance(value, dict | list):
        return None if value is None else "OWN"
    return _plain(value)
