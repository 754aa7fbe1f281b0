"""What a key with an agency subtree may tell and follow: by the present agency of the dossier, on today's tree."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from shared.access.store.keys import Permission
from shared.projection.store.dossier_rows import DossierRow
from shared.vocabulary.events import DossierCode
from tests.support.api import Served, served
from tests.support.events import LINES, event, feed, head, lines, read_lines

TREE = [
    {"code": "H51", "name": "UBND tỉnh"},
    {"code": "H51.12", "name": "Sở A", "parent": "H51"},
    {"code": "H51.12.01", "name": "Phòng A1", "parent": "H51.12"},
    {"code": "H51.20", "name": "Trung tâm", "parent": "H51.12"},
    {"code": "H51.13", "name": "Sở B", "parent": "H51"},
]


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as api:
        admin = await api.key()
        assert (await admin.put("/v1/agencies", json=TREE)).status_code == 200
        yield api


@pytest.fixture
async def whole(api: Served) -> httpx.AsyncClient:
    return await api.key(Permission.EVENTS_WRITE, Permission.DOSSIERS_READ)


@pytest.fixture
async def bounded(api: Served) -> httpx.AsyncClient:
    return await api.key(Permission.EVENTS_WRITE, Permission.DOSSIERS_READ, agency="H51.12")


def received(code: str, agency: str, **changes: Any) -> dict[str, Any]:
    logged = event("received", subject=code, **changes)
    logged["data"] = {"procedure_code": "1.005129", "agency_code": agency, "channel": "direct"}
    return logged


def transferred(code: str, agency: str, **changes: Any) -> dict[str, Any]:
    return event("transferred", subject=code, data={"agency_code": agency}, **changes)


async def statuses(client: httpx.AsyncClient, *events: dict[str, Any]) -> list[str]:
    answer = await client.post("/v1/events", json=list(events))
    assert answer.status_code == 202, answer.text
    return [receipt["status"] for receipt in answer.json()["results"]]


OURS, THEIRS, CENTRAL = "H51.12-180102-00001", "H51.13-180102-00001", "H51-180102-00001"


@pytest.mark.parametrize("agency", ["H51.12", "H51.12.01", "H51.20", "000.00.12.H51", "H51.12.99"])
async def test_agencies_inside(bounded: httpx.AsyncClient, agency: str) -> None:
    assert await statuses(bounded, received(OURS, agency)) == ["accepted"]


@pytest.mark.parametrize("agency", ["H51", "H51.13", "000.00.13.H51", "H51.99"])
async def test_agencies_outside(api: Served, bounded: httpx.AsyncClient, agency: str) -> None:
    answer = await bounded.post("/v1/events", json=received(OURS, agency))
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:motcua:problem:forbidden")
    *receipts, sums = read_lines(await bounded.post("/v1/events", content=lines(received(OURS, agency)), headers=LINES))
    assert (sums["rejected"], receipts[0]["problem"]["status"]) == (1, 403)
    assert await head(api) == 0


async def test_without_an_agency_the_code_decides(bounded: httpx.AsyncClient) -> None:
    logged = [event("assigned", subject=code) for code in (OURS, THEIRS, CENTRAL, "000.00.12.H51-180102-0001")]
    assert await statuses(bounded, *logged) == ["accepted", "rejected", "rejected", "accepted"]


async def test_the_present_agency_decides(whole: httpx.AsyncClient, bounded: httpx.AsyncClient) -> None:
    await statuses(whole, received(THEIRS, "H51.12"), received(OURS, "H51.13"))
    # nothing is projected here: both are folded from the log
    assert await statuses(bounded, event("assigned", subject=THEIRS)) == ["accepted"]
    assert await statuses(bounded, event("assigned", subject=OURS)) == ["rejected"]
    assert await statuses(bounded, received(OURS, "H51.12")) == ["rejected"]
    await statuses(whole, transferred(OURS, "H51.12.01"))
    assert await statuses(bounded, event("assigned", subject=OURS)) == ["accepted"]


async def test_a_row_that_is_current_is_believed(api: Served, whole: httpx.AsyncClient, bounded: httpx.AsyncClient) -> None:
    await statuses(whole, received(OURS, "H51.12"))
    nothing: list[Any] = [None] * 6
    at = datetime(2018, 1, 2, tzinfo=UTC)

    async def project(position: int, agency: str) -> None:
        row = DossierRow(
            DossierCode(OURS), position, 2, agency, None, None, *nothing[:5], at, at, "", *nothing[:3], "{}", "{}", "{}"
        )
        await api.write([row])

    await project(1, "H51.13")
    assert await statuses(bounded, event("assigned", subject=OURS)) == ["rejected"]
    await statuses(whole, event("assigned", subject=OURS))
    assert await statuses(bounded, event("assigned", subject=OURS)) == ["accepted"], "the row is behind: the log decides"


async def test_order_inside_a_request_counts(api: Served, whole: httpx.AsyncClient, bounded: httpx.AsyncClient) -> None:
    first = [event("assigned", subject=CENTRAL), received(CENTRAL, "H51.12"), event("processed", subject=CENTRAL)]
    assert await statuses(bounded, *first) == ["rejected", "accepted", "accepted"]
    away = [
        transferred(CENTRAL, "H51.13"),
        transferred(CENTRAL, "H51.20", time="2018-01-03T00:00:00Z"),
        event("assigned", subject=CENTRAL, time="2018-01-04T00:00:00Z"),
    ]
    assert await statuses(bounded, *away) == ["rejected", "accepted", "accepted"]
    assert await head(api) == 4


async def test_a_dry_run_refuses_alike(bounded: httpx.AsyncClient) -> None:
    answer = await bounded.post("/v1/events?dry_run=true", json=event("assigned", subject=THEIRS))
    assert answer.status_code == 403


async def test_the_feed_shows_own_dossiers_only(whole: httpx.AsyncClient, bounded: httpx.AsyncClient) -> None:
    await statuses(whole, received(OURS, "H51.12"), received(THEIRS, "H51.13"), received(CENTRAL, "H51.20"))
    hidden = received("H51.13-180102-00002", "H51.13")
    await statuses(whole, hidden)
    page = await feed(bounded)
    assert ([item["position"] for item in page["items"]], page["next"]) == ([1, 3], 4)
    assert await feed(bounded, after=3) == {"items": [], "next": 4, "log": page["log"]}
    assert (await feed(bounded, source=hidden["source"], id=hidden["id"]))["items"] == []
    await statuses(whole, transferred(CENTRAL, "H51.13"))
    assert [item["position"] for item in (await feed(bounded))["items"]] == [1]
    assert (await feed(bounded, wait=0.2, after=1))["next"] == 5


async def test_a_key_on_the_root_sees_all(api: Served, whole: httpx.AsyncClient) -> None:
    root = await api.key(Permission.EVENTS_WRITE, Permission.DOSSIERS_READ, agency="H51")
    assert await statuses(root, received(THEIRS, "H51.13"), event("assigned", subject="H51.99-180102-00002")) == [
        "accepted",
        "accepted",
    ]
    assert len((await feed(root))["items"]) == 2


async def test_told_again_after_the_dossier_moved_is_a_duplicate(
    whole: httpx.AsyncClient, bounded: httpx.AsyncClient
) -> None:
    first = received(OURS, "H51.12")
    assert await statuses(bounded, first) == ["accepted"]
    assert await statuses(whole, transferred(OURS, "H51.13")) == ["accepted"]
    for parameters in ({}, {"dry_run": "true"}):
        again = await bounded.post("/v1/events", json=first, params=parameters)
        assert (again.status_code, again.json()["status"], again.json()["position"]) == (202, "duplicate", 1)
    *receipts, sums = read_lines(await bounded.post("/v1/events", content=lines(first), headers=LINES))
    assert (sums["duplicates"], receipts[0]["position"]) == (1, 1)
    assert await statuses(bounded, event("assigned", subject=OURS), first) == ["rejected", "duplicate"]
    changed = await bounded.post("/v1/events", json=first | {"time": "2018-01-02T09:00:00+07:00"})
    assert changed.status_code == 403


async def test_a_conflict_tells_nothing_of_what_the_key_may_not_see(
    whole: httpx.AsyncClient, bounded: httpx.AsyncClient
) -> None:
    theirs, ours = received(THEIRS, "H51.13"), received(OURS, "H51.12")
    await statuses(whole, ours, theirs)
    for own in (received(OURS, "H51.12", id=theirs["id"]), [received(OURS, "H51.12", id=theirs["id"])]):
        answer = await bounded.post("/v1/events", json=own)
        problem = answer.json()["results"][0]["problem"] if isinstance(own, list) else answer.json()
        assert (problem["status"], problem["errors"][0]["code"]) == (409, "conflict")
        assert problem["errors"][0]["detail"] == "recorded already with other content"
        assert "position 2" not in answer.text
    for parameters in ({}, {"dry_run": "true"}):
        seen = await bounded.post("/v1/events", json=ours | {"time": "2018-01-02T09:00:00+07:00"}, params=parameters)
        assert "position 1" in seen.json()["errors"][0]["detail"]
    new = received(OURS, "H51.12")
    batch = await bounded.post("/v1/events", json=[new, new | {"time": "2018-01-02T09:00:00+07:00"}])
    assert "position 3" in batch.json()["results"][1]["problem"]["errors"][0]["detail"]
