"""A province for clients to read: something to answer for every question, and the names that only this data has."""

from __future__ import annotations

import random
from typing import Any

from services.api.registers.given_schemas import TABLE_EXAMPLE
from services.worker.audit.audit import Audits
from services.worker.projection.record_projector import RecordProjector
from services.worker.runtime.job_runner import JobRunner
from shared.database.engine import driver_session
from shared.events.cloudevents.models import MODELS
from shared.jobs.store.queue import JobKind
from shared.projection.rules.register_projections import PROJECTIONS
from tests.oracle.histories import seeded_tenant
from tests.oracle.stack import Stack, stack_of, stacked

DOSSIER = "H51.12-260512-0003"


def examples() -> list[dict[str, Any]]:
    """The events of the document, all of one dossier."""
    logged = [model.model_config["json_schema_extra"]["examples"][0] for model in MODELS.values()]  # type: ignore[index,call-overload]
    return [event | {"subject": DOSSIER} for event in logged if "due_set" not in event["type"]]


async def fill(database_url: str, redis_url: str, document: dict[str, Any]) -> dict[str, Any]:
    """Events, catalogues, an alarm, jobs, a frozen report; answers values of parameters by name or by path and name."""
    async with stacked(database_url, redis_url) as api:
        stack = await stack_of(api, "H51")
        await stack.tell(seeded_tenant("clients", 30, http=True), random.Random(1))
        told = await stack.client.post("/v1/events", json=examples())
        assert told.json()["accepted"] == len(examples()), told.text
        await stack.project()
        for projection in PROJECTIONS.values():
            projector = RecordProjector(stack.api.engine, projection)
            while await projector.work(stack.tenant):
                pass
        await _give(stack, document)
        alarm = await _alarm(stack)
        rebuild = await stack.rebuild()
        assert rebuild
        frozen = await stack.client.post("/v1/freezes", json={"period": "2026", "reason": "Chốt năm"})
        assert frozen.status_code == 201, frozen.text
        async with driver_session(stack.api.engine) as link:  # `/readyz` misses no worker while the tests go on
            await link.execute("UPDATE projection_cursor SET checked_at = clock_timestamp() + interval '1 day'")
        return {
            "alarm_id": alarm["id"],
            "audit_id": alarm["audit"],
            "job_id": alarm["audit"],
            "freeze_id": frozen.json()["id"],
            **{f"{path} code": DOSSIER for path in document["paths"] if "/dossiers/{code}" in path},
        }


async def _give(stack: Stack, document: dict[str, Any]) -> None:
    """Put every catalogue that the document shows."""
    for path, item in document["paths"].items():
        body = item.get("put", {}).get("requestBody", {}).get("content", {}).get("application/json", {})
        if "example" in body:
            put = await stack.client.put(path.format_map(_shown(item["put"])), json=body["example"])
            assert put.status_code == 200, f"{path}: {put.text}"
    put = await stack.client.put("/v1/given/feedback_2022", json=TABLE_EXAMPLE)
    assert put.status_code == 200, put.text


def _shown(operation: dict[str, Any]) -> dict[str, Any]:
    """The examples of its parameters."""
    parameters = operation.get("parameters", ())
    return {one["name"]: [*one["schema"].get("examples", ()), one.get("example")][0] for one in parameters}


async def _alarm(stack: Stack) -> dict[str, Any]:
    """Spoil a sum and let an audit find it."""
    async with driver_session(stack.api.engine) as link:
        await link.execute("UPDATE figure_sum SET received = received + 7 WHERE received > 0")
    asked = await stack.client.post("/v1/audits", json={"whole": True})
    assert asked.status_code == 202, asked.text
    assert await JobRunner(stack.api.engine, {JobKind.AUDIT: Audits(stack.api.engine, nights=7)}).work(stack.tenant)
    alarm: dict[str, Any] = (await stack.get("/v1/alarms"))["items"][0]
    return alarm
