"""Dossiers that could not be projected are listed with position and reason, and tried again when an operator asks."""

import pytest

from services.worker.projection.projector import Projector
from services.worker.runtime.fail_points import FailPoints
from shared.access.store.keys import Permission
from shared.projection.store import cursor
from tests.oracle.histories import event
from tests.support.api import served
from tests.support.projection import append, new_event, project

CODES = [f"H51-220512-000{number}" for number in range(1, 5)]


def received(code: str):
    data = {"procedure_code": "1.005129", "agency_code": "H51.12", "channel": "online"}
    return new_event(event("received", code, "2022-05-12T08:00:00Z", "urn:t", f"{code}/1", **data))


async def test_listed_and_tried_again(database_url, redis_url, monkeypatch):
    monkeypatch.setattr(cursor, "RETRY_SECONDS", ())
    async with served(database_url, redis_url) as api:
        admin = await api.key(Permission.ADMIN)
        await append(api.engine, [received(code) for code in CODES])
        poison = FailPoints.from_environment({"MOTCUA_POISON_DOSSIER": ".*000[234]"})
        await project(api.engine, Projector(api.engine, faults=poison))
        page = (await admin.get("/v1/projection/failures", params={"limit": 2})).json()
        assert [one["dossier"] for one in page["items"]] == CODES[1:3]
        first = page["items"][0]
        assert (first["position"], first["attempts"], first["next_try_at"]) == (2, 1, None)
        assert "Injected" in first["reason"]
        page = (await admin.get("/v1/projection/failures", params={"limit": 2, "cursor": page["next_cursor"]})).json()
        assert ([one["dossier"] for one in page["items"]], page["next_cursor"]) == (CODES[3:], None)

        await project(api.engine)  # nobody asked: none is tried again by itself
        assert len((await admin.get("/v1/projection/failures")).json()["items"]) == 3
        asked = await admin.post("/v1/projection/retry", json={"dossiers": [CODES[2], "H51-220512-9999"]})
        assert (asked.status_code, asked.json()) == (202, {"asked": 1, "not_set_aside": ["H51-220512-9999"]})
        await project(api.engine)
        left = (await admin.get("/v1/projection/failures")).json()["items"]
        assert [one["dossier"] for one in left] == [CODES[1], CODES[3]]
        assert (await admin.post("/v1/projection/retry")).json() == {"asked": 2, "not_set_aside": []}
        await project(api.engine)
        assert (await admin.get("/v1/projection/failures")).json() == {"items": [], "next_cursor": None}


@pytest.mark.parametrize(
    "body", [{"dossiers": []}, {"dossiers": "all"}, {"dossier": CODES[0]}, {"dossiers": [1]}, {"dossiers": ["abc"]}]
)
async def test_a_wrong_question_names_its_field(database_url, redis_url, body):
    async with served(database_url, redis_url) as api:
        admin = await api.key(Permission.ADMIN)
        refused = await admin.post("/v1/projection/retry", json=body)
        assert refused.status_code == 422
        assert next(iter(body)) in refused.json()["errors"][0]["pointer"]


async def test_only_for_the_whole_province(database_url, redis_url):
    async with served(database_url, redis_url) as api:
        for key in (await api.key(Permission.ADMIN, agency="H51.12"), await api.key(Permission.STATS_READ)):
            assert (await key.get("/v1/projection/failures")).status_code == 403
            assert (await key.post("/v1/projection/retry")).status_code == 403
