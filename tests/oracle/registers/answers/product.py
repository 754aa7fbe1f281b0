"""The product as the oracle's questions are put to it: a whole tenant told over HTTP, and what it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import httpx

from services.worker.projection.record_projector import RecordProjector
from shared.projection.rules.register_projections import PROJECTIONS
from tests.oracle.log import instant
from tests.oracle.registers.anomalies import KNOWN
from tests.oracle.registers.events import Event
from tests.oracle.registers.questions import REGISTERS, Question, Statements
from tests.oracle.registers.world import Setting
from tests.support.api import H51, Served
from tests.support.projection import project

BATCH = 400
TRIES = 30
SLIP = ("handed_at", "taken_at", "giver", "receiver", "standing")
INSTANTS = ("sent_at", "received_at", "handled_at", "published_at", "paid_at", "started_at", "ended_at")
FIELDS = {
    "feedback": ("state", "kind", "agency", "sent_at", "received_at", "handled_at", "published_at"),
    "payments": (
        "dossier_code", "purpose", "state", "amount_vnd", "refunded_vnd", "net_vnd", "paid_at", "obligation", "excess_vnd", "double",
        "kept",
    ),
    "steps": ("step_no", "officer", "started_at", "ended_at", "used_minutes", "allowed_minutes"),
}  # fmt: skip


async def told(api: Served, setting: Setting, events: Sequence[Event]) -> httpx.AsyncClient:
    """The catalogues and the whole log, counted by every projection."""
    admin = await api.key()
    await tell(admin, setting, events)
    await project(api.engine)
    for projection in PROJECTIONS.values():
        projector = RecordProjector(api.engine, projection)
        while await projector.work(H51):
            pass
    return admin


async def tell(admin: httpx.AsyncClient, setting: Setting, events: Sequence[Event]) -> None:
    """The catalogues and the whole log."""
    days = [{"date": day.isoformat(), "kind": kind, "source": "danh mục"} for day, kind in setting.calendar.days.items()]
    calendar = {"days": days, "confirmed_years": sorted(setting.calendar.confirmed)}
    for path, content in (
        ("/v1/agencies", [{name: value for name, value in one.items() if value is not None} for one in setting.agencies]),
        ("/v1/procedures", setting.procedures),
        ("/v1/calendar", calendar),
    ):
        answer = await admin.put(path, json=content)
        assert answer.status_code == 200, answer.text
    for start in range(0, len(events), BATCH):
        answer = await admin.post("/v1/events", json=list(events[start : start + BATCH]))
        assert answer.status_code == 202, answer.text
        refused = [one for one in answer.json()["results"] if one["status"] == "rejected"]
        assert not refused, refused[:3]


@dataclass
class Product:
    """Answers questions. ``recorded``: when each event was recorded, in the order of the log."""

    client: httpx.AsyncClient
    recorded: list[str] = field(default_factory=list)

    @classmethod
    async def of(cls, client: httpx.AsyncClient) -> tuple[Product, list[Event]]:
        """And the log as the feed tells it."""
        events: list[Event] = []
        recorded: list[str] = []
        after = 0
        while True:
            page = (await client.get("/v1/events", params={"after": after, "limit": 1000})).json()
            for item in page["items"]:
                events.append(item["event"])
                recorded.append(item["recorded_at"])
            if not page["items"] or after == page["items"][-1]["position"]:
                return cls(client, recorded), events
            after = page["items"][-1]["position"]

    def snapped(self, question: Question) -> Question:
        """Of the events that were recorded at one instant, as-of has all or none."""
        if question.as_of is None:
            return question
        last = question.as_of
        while last < len(self.recorded) and self.recorded[last] == self.recorded[last - 1]:
            last += 1
        return replace(question, as_of=last)

    async def get(self, path: str, **parameters: Any) -> Any:
        named = {key.rstrip("_"): value for key, value in parameters.items() if value is not None}
        answer = await self.client.get(path, params=named)
        for _ in range(TRIES):  # what takes long is answered when asked again
            if answer.status_code != 503:
                break
            await asyncio.sleep(float(answer.headers["retry-after"]))
            answer = await self.client.get(path, params=named)
        assert answer.status_code == 200, f"{path} {named}: {answer.status_code} {answer.text}"
        return answer.json()

    async def pages(self, path: str, **parameters: Any) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            page = await self.get(path, cursor=cursor, limit=200, **parameters)
            items.extend(page["items"])
            cursor = page["next_cursor"]
            if cursor is None:
                return items

    async def ask(self, question: Question) -> Any:
        if question.register == "statement":
            return statement(await self.get(f"/v1/payments/statements/{question.gateway}/{question.first}"))
        if question.register == "anomalies":
            return {code: await self.strange(str(question.figure), code) for code in question.codes}
        if question.register == "records":
            return await self.records(str(question.figure), question.as_of)
        scope = {
            "from_": question.first.isoformat(),
            "to": question.last.isoformat(),
            "agency": question.agency,
            "as_of": None if question.as_of is None else self.recorded[question.as_of - 1],
        }
        if question.register in ("scores", "officers"):
            path = "/v1/scores/tt01_2018" + ("/officers" if question.register == "officers" else "")
            return {row["key"]: indices(row["indices"]) for row in (await self.get(path, **scope))["rows"]}
        return await self.figures(question, scope)

    async def figures(self, question: Question, scope: dict[str, Any]) -> Any:
        path = f"/v1/stats/{question.register}"
        if question.figure is not None:
            return {one["code"] for one in await self.pages(f"{path}/records", figure=question.figure, **scope)}
        if question.cut is not None:
            table = await self.get(f"{path}/by/{question.cut}", **scope)
            return {row["key"]: amounts(question.register, row) for row in table["rows"]}
        return amounts(question.register, await self.get(path, **scope))

    async def records(self, register: str, as_of: int | None) -> dict[str, Any]:
        if register == "steps":
            codes = {one["subject"] for one in await self.step_events()}
            found = {code: await self.client.get(f"/v1/dossiers/{code}") for code in codes}
            dossiers = {code: one.json() for code, one in found.items() if one.status_code == 200}
            return {
                code: [
                    record("steps", one) for one in (dossier["steps"] or {"instances": []})["instances"] if one["ended_at"]
                ]
                for code, dossier in dossiers.items()
            }
        key = "code" if register == "feedback" else "reference"
        items = await self.pages(f"/v1/{register}", as_of=None if as_of is None else self.recorded[as_of - 1])
        told_of = items if register == "feedback" else [one for one in items if one["dossier_code"]]  # those initiated
        return {one[key]: record(register, one) for one in told_of}

    async def strange(self, what: str, code: str) -> Any:
        """The anomalies of a record, or of what stands beside a dossier; or the rows of its slip that have ended."""
        if what in ("feedback", "payments"):
            return known_of(what, (await self.get(f"/v1/{what}/{code}"))["anomalies"])
        if what == "slips":
            rows = (await self.get(f"/v1/dossiers/{code}/slip"))["rows"]
            return [
                {name: instant(row[name]) if name.endswith("_at") and row[name] else row[name] for name in SLIP}
                for row in rows
                if row["ended_at"] is not None
            ]
        dossier = await self.get(f"/v1/dossiers/{code}")
        beside = {"component": dossier["components"], "post": dossier["post"], "step": dossier["steps"]}
        return {name: known_of(name, one["anomalies"]) for name, one in beside.items() if one is not None}

    async def step_events(self) -> list[Event]:
        _, events = await Product.of(self.client)
        return [one for one in events if one["type"].startswith("vn.motcua.step.")]


def known_of(register: str, said: Sequence[str]) -> set[str]:
    return set(said) & set(KNOWN[register].split())


def record(register: str, one: dict[str, Any]) -> dict[str, Any]:
    """The fields that the oracle knows, instants as instants."""
    return {
        name: instant(one[name]) if name in INSTANTS and one[name] is not None else one[name]
        for name in FIELDS[register]
        if name in one
    }


def amounts(register: str, answer: dict[str, Any]) -> dict[str, Any]:
    """The figures flat, and each rate as numerator and denominator."""
    found: dict[str, Any] = {}
    for name in REGISTERS[register].figures:
        room: Any = answer["figures"]
        for part in name.split("."):
            room = room[part]
        found[name] = room
    return found | {name: (one["numerator"], one["denominator"]) for name, one in answer["rates"].items()}


def indices(said: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _points(one["value"]) if name in ("8", "9") else (one["numerator"], one["denominator"])
        for name, one in said.items()
    }


def _points(value: str | None) -> int | None:
    return None if value is None else int(Decimal(value))


def statement(said: dict[str, Any]) -> dict[str, Any]:
    classes = {
        name: (
            one["count"],
            one["statement_vnd"],
            one["ours_vnd"],
            tuple(sorted(line["reference"] for line in one["lines"])),
        )
        for name, one in said["classes"].items()
    }
    return classes | {"totals": said["totals"]}


async def load(client: httpx.AsyncClient, statements: Statements) -> None:
    for (gateway, day), lines in statements.items():
        answer = await client.put(f"/v1/payments/statements/{gateway}/{day}", json={"lines": lines})
        assert answer.status_code == 200, answer.text
