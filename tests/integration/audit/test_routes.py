"""Audits over HTTP: asked for, done by a worker, read with their alarms, acknowledged; for keys of the whole province."""

from services.worker.audit.audit import Audits
from services.worker.runtime.job_runner import JobRunner
from shared.access.store.keys import Permission
from shared.database.engine import driver_session
from shared.jobs.store.queue import JobKind
from tests.support.api import served
from tests.support.projection import NAMED_SUMS, TENANT, append, messy, project, sums_where


async def done(api) -> None:
    """Do one queued audit, as a worker would."""
    assert await JobRunner(api.engine, {JobKind.AUDIT: Audits(api.engine, nights=7)}).work(TENANT)


async def test_an_audit_from_the_question_to_the_acknowledgement(database_url, redis_url):
    async with served(database_url, redis_url) as api:
        admin = await api.key(Permission.ADMIN)
        await append(api.engine, messy("audit routes", 30))
        await project(api.engine)
        async with driver_session(api.engine) as link:
            of_agencies = sums_where("cut = 'agency' AND grain = 'month' AND received > 0")
            spoilt = await link.execute(f"UPDATE figure_sum SET received = received + 7 WHERE {of_agencies}")
            wrong = int(spoilt.rpartition(" ")[2])
            agency = await link.fetchval(f"SELECT min(agency_code) FROM {NAMED_SUMS} WHERE agency_code LIKE 'H51.%'")
        # an agency first: only its own is found
        queued = await admin.post("/v1/audits", json={"agency": agency})
        assert queued.status_code == 202
        job = queued.json()
        assert job["kind"] == "audit"
        assert (await admin.get(f"/v1/audits/{job['id']}")).status_code == 404  # not begun
        await done(api)
        result = (await admin.get(queued.headers["location"])).json()["result"]
        assert 0 < result["sums_differing"] < wrong
        queued = await admin.post("/v1/audits", json={"whole": True})
        await done(api)
        assert (await admin.get(queued.headers["location"])).json()["result"]["sums_differing"] == wrong - result[
            "sums_differing"
        ]

        audits = (await admin.get("/v1/audits", params={"limit": 1})).json()
        assert [one["id"] for one in audits["items"]] == [queued.json()["id"]]
        older = (await admin.get("/v1/audits", params={"limit": 1, "cursor": audits["next_cursor"]})).json()
        assert [one["id"] for one in older["items"]] == [job["id"]]
        assert older["next_cursor"] is None
        one = (await admin.get(f"/v1/audits/{job['id']}")).json()
        assert one["parts"] == one["parts_done"]
        assert one["ended_at"] is not None

        alarms = (await admin.get("/v1/alarms", params={"audit": job["id"]})).json()["items"]
        assert [alarm["id"] for alarm in alarms] == result["alarms"]
        alarm = alarms[0]
        assert alarm["repaired_at"] >= alarm["raised_at"]
        findings, cursor = [], None
        while True:
            page = await admin.get(f"/v1/alarms/{alarm['id']}", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))
            findings += page.json()["findings"]
            cursor = page.json()["next_cursor"]
            if cursor is None:
                break
        assert len(findings) == alarm["sums_differing"] == result["sums_differing"]
        for finding in findings:
            assert finding["stored"]["received"] == finding["recounted"]["received"] + 7
            assert len(finding["dossiers"]) == finding["dossiers_total"] == finding["recounted"]["received"]

        open_alarms = (await admin.get("/v1/alarms", params={"open": True})).json()["items"]
        metrics = (await api.client(None).get("/metrics")).text
        assert f'motcua_audit_alarms{{tenant="H51"}} {len(open_alarms)}.0' in metrics
        assert 'motcua_audit_age_seconds{tenant="H51"}' in metrics
        assert 'motcua_audit_age_seconds{tenant="G09"}' not in metrics
        seen = await admin.post(f"/v1/alarms/{alarm['id']}/acknowledge", json={"note": "sửa tay bằng psql"})
        assert seen.json()["note"] == "sửa tay bằng psql"
        again = await admin.post(f"/v1/alarms/{alarm['id']}/acknowledge", json={"note": "another word"})
        assert again.json() == seen.json()
        left = (await admin.get("/v1/alarms", params={"open": True})).json()["items"]
        assert alarm["id"] not in [one["id"] for one in left]
        assert len(left) == len(open_alarms) - 1
        metrics = (await api.client(None).get("/metrics")).text
        assert f'motcua_audit_alarms{{tenant="H51"}} {len(left)}.0' in metrics


async def test_a_sample_can_be_drawn_again_by_its_seed(database_url, redis_url):
    async with served(database_url, redis_url) as api:
        admin = await api.key(Permission.ADMIN)
        await append(api.engine, messy("audit seed", 20))
        await project(api.engine)
        parts = []
        for seed in (11, 11, 12):
            assert (await admin.post("/v1/audits", json={"seed": seed})).status_code == 202
            await done(api)
            async with driver_session(api.engine) as link:
                parts.append(await link.fetchval("SELECT parts::text FROM audit ORDER BY planned_at DESC LIMIT 1"))
        assert parts[0] == parts[1] != parts[2]
        assert (await admin.post("/v1/audits")).status_code == 202


async def test_only_whole_keys_that_administer(database_url, redis_url):
    async with served(database_url, redis_url) as api:
        below = await api.key(Permission.ADMIN, agency="H51.12")
        reader = await api.key(Permission.STATS_READ)
        for key in (below, reader):
            assert (await key.post("/v1/audits", json={})).status_code == 403
            for path in ("/v1/audits", "/v1/audits/x1", "/v1/alarms", "/v1/alarms/x1p0"):
                assert (await key.get(path)).status_code == 403
            assert (await key.post("/v1/alarms/x1p0/acknowledge", json={"note": "nothing"})).status_code == 403


async def test_what_makes_no_sense_is_refused(database_url, redis_url):
    async with served(database_url, redis_url) as api:
        admin = await api.key(Permission.ADMIN)
        for body, pointer in (
            ({"period": "2018-13"}, "/period"),
            ({"from": "2018-01-01"}, "/to"),
            ({"agency": "nobody"}, "/agency"),
            ({"seed": 1, "whole": True}, "/seed"),
            ({"whole": True, "period": "2024"}, "/whole"),
            ({"whole": True, "from": "2024-01-01", "to": "2024-12-31"}, "/whole"),
            ({"whole": True, "agency": "H51"}, "/whole"),
            ({"what": 1}, "/what"),
        ):
            refused = await admin.post("/v1/audits", json=body)
            assert refused.status_code == 422, body
            assert refused.json()["errors"][0]["pointer"] == pointer
        assert (await admin.get("/v1/alarms/none")).status_code == 404
        assert (await admin.post("/v1/alarms/none/acknowledge", json={"note": "nothing"})).status_code == 404
        for path in ("/v1/audits", "/v1/alarms", "/v1/alarms/none"):
            assert (await admin.get(path, params={"cursor": "x.y"})).status_code == 422
