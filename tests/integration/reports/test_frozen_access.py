"""The caller's access rules every number of a frozen report: nothing is told of agencies that moved away or never were its."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.support.access.subtree_admin import Province, province_of, received
from tests.support.api import served
from tests.support.projection import project

ROOM = {"code": "H51.12.03", "name": "Phòng A3", "parent": "H51.12"}
FREEZE = {"period": "2018", "agency": "H51.12", "reason": "Chốt năm"}


@pytest.fixture
async def province(database_url: str, redis_url: str) -> AsyncIterator[Province]:
    async with served(database_url, redis_url) as api:
        province = await province_of(api)
        assert (await province.whole.put("/v1/agencies", json=[ROOM])).status_code == 200
        await tell(province, 501, "H51.12.03")
        yield province


async def tell(province: Province, number: int, agency: str) -> None:
    assert (await province.whole.post("/v1/events", json=received(number, agency))).status_code == 202
    await project(province.api.engine)
    province.api.app.state.context.catalogues.forget("H51")


async def moves_away(province: Province, *versions: dict[str, Any]) -> None:
    assert (await province.whole.put("/v1/agencies", json=[ROOM | version for version in versions])).status_code == 200


async def figures(client: httpx.AsyncClient, frozen: dict[str, Any]) -> dict[str, Any]:
    answer = await client.get(f"/v1/freezes/{frozen['id']}/difference")
    assert answer.status_code == 200, answer.text
    found = {one.pop("figure"): one for one in answer.json()["figures"]}
    assert all(one["now"] == one["frozen"] + one["by_events"] + one["by_catalogue"] for one in found.values())
    return found


PATHS = ("", "/difference", "/difference/dossiers")


async def answered(client: httpx.AsyncClient, freeze_id: str) -> list[tuple[int, str]]:
    answers = [await client.get(f"/v1/freezes/{freeze_id}{path}") for path in PATHS]
    texts = [one.text.replace(freeze_id, "ID").replace(one.headers["x-request-id"], "REQUEST") for one in answers]
    return [(one.status_code, text) for one, text in zip(answers, texts, strict=True)]


@pytest.mark.parametrize("holder", ["whole", "admin"])
async def test_a_report_that_counts_an_agency_that_moved_away_is_told_no_more(province: Province, holder: str) -> None:
    frozen = (await getattr(province, holder).post("/v1/freezes", json=FREEZE)).json()
    kept = frozen["report"]["summary"]["received"]["total"]
    assert (await province.admin.get(f"/v1/freezes/{frozen['id']}")).json() == frozen
    await moves_away(province, {"parent": "H51.13"})
    await tell(province, 502, "H51.12.03")
    await tell(province, 503, "H51.12.01")
    # as one that there is not, whoever froze it
    gone = await answered(province.admin, frozen["id"])
    assert gone == await answered(province.admin, "0" * 32)
    assert [status for status, _ in gone] == [404] * len(PATHS)
    assert (await province.admin.get("/v1/freezes")).json()["items"] == []
    # the province reads it as it was filed, and what has changed since
    assert (await province.whole.get(f"/v1/freezes/{frozen['id']}")).json() == frozen
    changed = (await figures(province.whole, frozen))["received.total"]
    assert changed == {"frozen": kept, "now": kept, "by_events": 2, "by_catalogue": -2}
    # what is frozen from now on counts what is left, and a report of then cannot be made any more
    left = (await province.admin.post("/v1/freezes", json=FREEZE)).json()
    assert left["report"]["summary"]["received"]["total"] == kept
    assert (await province.admin.get(f"/v1/freezes/{left['id']}")).json() == left
    then = await province.admin.post("/v1/freezes", json=FREEZE | {"as_of": frozen["as_of"]})
    assert then.status_code == 403, then.text
    # and where the agency comes back, so does the report
    await moves_away(province, {"parent": "H51.12"})
    province.api.app.state.context.catalogues.forget("H51")
    assert (await province.admin.get(f"/v1/freezes/{frozen['id']}")).json() == frozen
    assert len((await province.admin.get("/v1/freezes")).json()["items"]) == 2


async def test_a_report_on_an_old_tree_is_of_those_who_see_all_of_it(province: Province) -> None:
    old, new = {"valid_to": "2020-12-31"}, {"valid_from": "2021-01-01", "parent": "H51.13"}
    await moves_away(province, old, new)
    foreign = (await province.whole.post("/v1/freezes", json=FREEZE)).json()
    present = (await province.whole.post("/v1/freezes", json=FREEZE | {"tree_on": "2026-01-01"})).json()
    for report, counts in ((foreign, True), (present, False)):
        assert (ROOM["code"] in {row["key"] for row in report["report"]["by_agency"]["rows"]}) is counts
    listed = (await province.admin.get("/v1/freezes")).json()["items"]
    assert [item["id"] for item in listed] == [present["id"]]
    absent = "0" * 32
    for path in PATHS:
        answers = [await province.admin.get(f"/v1/freezes/{one}{path}") for one in (foreign["id"], absent)]
        assert [one.status_code for one in answers] == [404, 404], path
        assert (await province.admin.get(f"/v1/freezes/{present['id']}{path}")).status_code == 200


async def test_a_mark_of_a_page_is_none_where_the_report_is_a_strangers(province: Province) -> None:
    theirs = (await province.whole.post("/v1/freezes", json=FREEZE | {"agency": "H51.13"})).json()["id"]
    for _ in range(2):
        await province.admin.post("/v1/freezes", json=FREEZE)
    cursor = (await province.admin.get("/v1/freezes", params={"limit": 1})).json()["next_cursor"]
    made_for = cursor.partition(".")[0]
    answers = [await province.admin.get("/v1/freezes", params={"cursor": f"{made_for}.{one}"}) for one in (theirs, "0" * 32)]
    assert [one.status_code for one in answers] == [422, 422]


async def test_a_reason_with_a_number_of_a_person_is_taken_and_marked(province: Province) -> None:
    clean = (await province.admin.post("/v1/freezes", json=FREEZE)).json()
    assert "marks" not in clean
    marked = (await province.admin.post("/v1/freezes", json=FREEZE | {"reason": "Gọi (091) 234 5678"})).json()
    assert marked["marks"] == [{"pointer": "/reason", "code": "personal"}]
    assert (await province.admin.get(f"/v1/freezes/{marked['id']}")).json() == marked
    listed = (await province.admin.get("/v1/freezes")).json()["items"]
    assert [one.get("marks") for one in listed] == [marked["marks"], None]
