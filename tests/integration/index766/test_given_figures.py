"""Figures given for the index over HTTP: counted, refused, corrected, withdrawn; who may give and see them."""

from __future__ import annotations

from typing import Any

import pytest

from shared.access.store import tenants
from shared.access.store.keys import Permission
from shared.database.clock import database_now
from shared.database.engine import driver_session
from tests.support.api import Served
from tests.support.index766.tenant import api
from tests.support.projection import TENANT

__all__ = ["api"]  # fixtures


async def test_given_figures(api: Served) -> None:
    admin = await api.key()
    period = {"from": "2026-01-01", "to": "2026-03-31"}
    paper = {**period, "source": "12/BC-UBND", "source_on": "2026-04-10"}

    async def index(**asked: str) -> dict[str, Any]:
        answer = await admin.get("/v1/indices/766", params={**period, **asked})
        assert answer.status_code == 200, answer.text
        return {one["id"]: one for one in answer.json()["indicators"]}

    before = await index()
    assert (before["5.2"]["standing"], before["5.2"]["value"], before["5.2"]["points"]) == ("no_data", None, None)
    logged = [
        {"indicator": "5.2", "numerator": 182, "denominator": 247, **paper},
        {"indicator": "5.3", "numerator": 137, "denominator": 247, **paper},
        {"indicator": "5.4", "numerator": 144_574, "denominator": 184_513, **paper},
        {"indicator": "1.4", "denominator": 40, **paper},
    ]
    assert (await admin.put("/v1/indices/766/inputs", json=logged)).json()["written"] == 4
    assert (await admin.put("/v1/indices/766/inputs", json=logged)).json()["unchanged"] == 4
    found = await index()
    assert {id_: (found[id_]["value"], found[id_]["points"]) for id_ in ("5.2", "5.3", "5.4", "1.4")} == {
        "5.2": ("73.68", "4.42"),
        "5.3": ("55.47", "3.33"),
        "5.4": ("78.35", "5.22"),
        "1.4": ("0.00", "0.00"),
    }
    assert (found["5.2"]["source"], found["5.2"]["source_on"], found["1.4"]["denominator"]) == (
        "12/BC-UBND",
        "2026-04-10",
        40,
    )
    assert (await index(channel="online"))["5.2"]["standing"] == "no_data"
    assert (await index(to="2026-03-30"))["5.2"]["standing"] == "no_data"
    # a new version counts, the earlier one is kept
    assert (await admin.put("/v1/indices/766/inputs", json=[{**logged[0], "numerator": 247}])).json()["written"] == 1
    assert (await index())["5.2"]["points"] == "6.00"
    async with driver_session(api.engine) as link:
        assert await link.fetchval("SELECT count(*) FROM index_input WHERE tenant = 'H51'") == 5
    items = (await admin.get("/v1/indices/766/inputs")).json()["items"]
    assert [(one["indicator"], one["numerator"]) for one in items] == [
        ("1.4", None),
        ("5.2", 247),
        ("5.3", 137),
        ("5.4", 144_574),
    ]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"indicator": "2.1"}, "/0/indicator"),
        ({"numerator": None}, "/0/numerator"),
        ({"numerator": 300}, "/0/numerator"),
        ({"denominator": -1}, "/0/denominator"),
        ({"denominator": None}, "/0/denominator"),
        ({"withdrawn": True, "numerator": None}, "/0/denominator"),
        ({"withdrawn": True, "denominator": None}, "/0/numerator"),
        ({"to": "2025-12-31"}, "/0/to"),
        ({"source": ""}, "/0/source"),
        ({"more": 1}, "/0/more"),
    ],
)
async def test_what_is_refused(api: Served, change: dict[str, Any], pointer: str) -> None:
    admin = await api.key()
    item = {"indicator": "5.2", "numerator": 182, "denominator": 247, "from": "2026-01-01", "to": "2026-03-31"}
    answer = await admin.put("/v1/indices/766/inputs", json=[{**item, "source": "12", "source_on": "2026-04-10", **change}])
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["pointer"] == pointer
    assert error["detail"] != "not as documented"


async def test_access(api: Served) -> None:
    async with driver_session(api.engine) as link:
        await tenants.create(link, TENANT)
    item = {"indicator": "5.2", "numerator": 1, "denominator": 2, "from": "2026-01-01", "to": "2026-03-31"}
    item |= {"source": "12", "source_on": "2026-04-10"}
    reader = await api.key(Permission.STATS_READ)
    assert (await reader.put("/v1/indices/766/inputs", json=[item])).status_code == 403
    below = await api.key(Permission.ADMIN, agency="H51.12")
    assert (await below.put("/v1/indices/766/inputs", json=[{**item, "agency": "H51"}])).status_code == 403
    assert (await below.put("/v1/indices/766/inputs", json=[item])).status_code == 200
    assert (await below.get("/v1/indices/766/inputs")).json()["items"][0]["agency"] == "H51.12"
    above = await api.key(Permission.ADMIN)
    assert (await above.put("/v1/indices/766/inputs", json=[item])).status_code == 200
    assert len((await below.get("/v1/indices/766/inputs")).json()["items"]) == 1
    assert (await below.get("/v1/indices/766", params={"period": "2026", "agency": "H51.13"})).status_code == 403
    then = await below.get("/v1/indices/766", params={"period": "2026", "as_of": "2026-01-01"})
    assert then.json()["as_of"]["position"] == 0


async def test_a_given_figure_is_corrected_and_withdrawn_and_every_version_stays(api: Served) -> None:
    admin = await api.key()
    period = {"from": "2026-01-01", "to": "2026-03-31"}
    item = {"indicator": "5.2", **period, "source": "12/BC", "source_on": "2026-04-10"}

    async def value(**asked: str) -> Any:
        answer = await admin.get("/v1/indices/766", params={**period, **asked})
        return next(one["value"] for one in answer.json()["indicators"] if one["id"] == "5.2")

    async def put(**logged: Any) -> dict[str, Any]:
        answer = await admin.put("/v1/indices/766/inputs", json=[item | logged])
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    refused = await admin.put("/v1/indices/766/inputs", json=[item | {"withdrawn": True}])
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/0/withdrawn")
    for wrong in ({}, {"withdrawn": True, "denominator": 4}, {"numerator": 1}):
        assert (await admin.put("/v1/indices/766/inputs", json=[item | wrong])).status_code == 422, wrong
    instants = []
    for logged in (
        {"numerator": 1, "denominator": 4},
        {"numerator": 2, "denominator": 4},
        {"withdrawn": True, "source": "13"},
    ):
        await put(**logged)
        async with driver_session(api.engine) as link:
            instants.append((await database_now(link)).isoformat())
    assert (await put(withdrawn=True, source="13"))["unchanged"] == 1
    assert await value() is None
    assert [await value(as_of=instant) for instant in instants] == ["25.00", "50.00", None]
    versions = (await admin.get("/v1/indices/766/inputs", params={"history": "true"})).json()["items"]
    assert [(one["numerator"], one["withdrawn"], one["source"]) for one in versions] == [
        (2, True, "13"),
        (2, False, "12/BC"),
        (1, False, "12/BC"),
    ]
    then = (await admin.get("/v1/indices/766/inputs", params={"as_of": instants[0]})).json()["items"]
    assert [one["numerator"] for one in then] == [1]
    await put(numerator=3, denominator=4)
    assert await value() == "75.00"
