"""Catalogues over HTTP: told whole or in part, as JSON or CSV, checked, kept as versions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from shared.access.store.keys import Permission
from shared.database.engine import driver_session
from tests.support.api import Served, served

PROVINCE = [
    {"code": "H51", "name": "UBND tỉnh"},
    {"code": "H51.12", "name": "Sở A", "parent": "H51", "aliases": ["000.00.12.H51"]},
    {"code": "H51.12.01", "name": "Phòng A1", "parent": "H51.12"},
]
CSV = {"content-type": "text/csv"}


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as api:
        yield api


async def put(client: httpx.AsyncClient, path: str, body: Any, **parameters: str) -> dict[str, Any]:
    response = await client.put(path, json=body, params=parameters)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def codes(client: httpx.AsyncClient, path: str, **parameters: str) -> list[str]:
    return [item["code"] for item in (await client.get(path, params=parameters)).json()["items"]]


async def rows(api: Served, table: str) -> int:
    async with driver_session(api.engine) as connection:
        return int(await connection.fetchval(f"SELECT count(*) FROM {table}"))


async def test_what_is_told_again_writes_nothing(api: Served) -> None:
    admin = await api.key()
    assert (await put(admin, "/v1/agencies", PROVINCE))["written"] == 3
    again = await put(admin, "/v1/agencies", PROVINCE)
    assert again == {"known_from": None, "written": 0, "removed": 0, "unchanged": 3}
    answered = (await admin.get("/v1/agencies")).json()
    assert (await put(admin, "/v1/agencies", answered))["written"] == 0
    assert await rows(api, "agency") == 3


async def test_part_or_whole(api: Served) -> None:
    admin = await api.key()
    await put(admin, "/v1/agencies", PROVINCE)
    await put(admin, "/v1/agencies", [{"code": "H51.13", "name": "Sở B", "parent": "H51"}])
    assert await codes(admin, "/v1/agencies") == ["H51", "H51.12", "H51.12.01", "H51.13"]
    change = await put(admin, "/v1/agencies", PROVINCE[:2], replace="true")
    assert (change["written"], change["removed"], change["unchanged"]) == (0, 2, 2)
    assert await codes(admin, "/v1/agencies") == ["H51", "H51.12"]
    assert (await admin.get("/v1/agencies/H51.13")).status_code == 404
    await put(admin, "/v1/agencies", [{"code": "H51.13", "name": "Sở B", "parent": "H51"}])
    assert (await admin.get("/v1/agencies/H51.13")).json()["name"] == "Sở B"


async def test_as_it_was_known(api: Served) -> None:
    admin = await api.key()
    first = await put(admin, "/v1/agencies", PROVINCE)
    await put(admin, "/v1/agencies", [{"code": "H51.12", "name": "Sở A và B", "parent": "H51"}])
    then = (await admin.get("/v1/agencies", params={"as_of": first["known_from"]})).json()["items"]
    now = (await admin.get("/v1/agencies")).json()["items"]
    assert [item["name"] for item in then] == ["UBND tỉnh", "Sở A", "Phòng A1"]
    assert [item["name"] for item in now] == ["UBND tỉnh", "Sở A và B", "Phòng A1"]
    assert await codes(admin, "/v1/agencies", as_of="2001-01-01") == []
    for bad in ("yesterday", "2026-02-30", "2026-01-01T00:00:00"):
        response = await admin.get("/v1/agencies", params={"as_of": bad})
        assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, "/as_of")


async def test_an_agency_may_have_several_periods(api: Served) -> None:
    admin = await api.key()
    districts = [
        *PROVINCE,
        {"code": "H51.30", "name": "Huyện K", "parent": "H51", "valid_to": "2025-06-30", "successors": ["H51.12"]},
        {"code": "H51.30.01", "name": "Xã L", "parent": "H51.30", "valid_to": "2025-06-30"},
        {"code": "H51.30.01", "name": "Xã L", "parent": "H51", "valid_from": "2025-07-01", "legal_basis": "202/2025/QH15"},
    ]
    await put(admin, "/v1/agencies", districts)
    commune = (await admin.get("/v1/agencies/H51.30.01")).json()
    assert (commune["parent"], commune["path"]) == ("H51", ["H51"])
    assert [version["valid_to"] for version in commune["versions"]] == ["2025-06-30", None]
    assert "H51.30" not in (await admin.get("/v1/agencies/H51")).json()["children"]
    assert (await admin.get("/v1/agencies/000.00.12.H51")).json()["code"] == "H51.12"
    overlapping = [{"code": "H51.40", "name": "x", "valid_to": "2025-06-30"}, {"code": "H51.40", "name": "x"}]
    response = await admin.put("/v1/agencies", json=overlapping)
    assert response.json()["errors"][0]["pointer"] == "/1/code"


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ([{"code": "H51.13", "name": "B", "parent": "H51.99"}], ["/0/parent"]),
        ([{"code": "H51.13", "name": "B", "parent": "H51.13"}], ["/0/parent"]),
        (
            [{"code": "H51.13", "name": "B", "parent": "H51.14"}, {"code": "H51.14", "name": "C", "parent": "H51.13"}],
            ["/0/parent"],
        ),
        ([{"code": "H51.12", "name": "A", "parent": "H51.12.01"}], ["/0/parent"]),
        ([{"code": "G09.13", "name": "B"}], ["/0/code"]),
        ([{"code": "h51", "name": "B"}, {"code": "H51.13"}], ["/0/code", "/1/name"]),
        ([{"code": "H51.13", "name": 7, "surprise": 1}], ["/0/name", "/0/surprise"]),
        ([{"code": "H51.13", "name": "B\x00"}], ["/0/name"]),
        ([{"code": "H51.13", "name": "B", "valid_from": "2025-02-01", "valid_to": "2025-01-01"}], ["/0/valid_to"]),
        ([{"code": "H51.13", "name": "B", "valid_from": 20000}], ["/0/valid_from"]),
        ([{"code": "H51.13", "name": "B", "aliases": ["000.00.12.H51"]}], ["/0/aliases/0"]),
        ([{"code": "H51.13", "name": "B", "aliases": ["H51.12.01"]}], ["/0/aliases/0"]),
        ({"items": [{"code": "H51.13"}]}, ["/items/0/name"]),
        ({"items": [{"code": "H51.13", "name": "B", "parent": "H51.99"}]}, ["/items/0/parent"]),
        ({"items": [{"code": "H51.13", "name": "B", "aliases": ["H51.12.01"]}]}, ["/items/0/aliases/0"]),
        ([{"code": "H51.13", "name": "B", "aliases": ["H51"]}], ["/0/aliases/0"]),
        ([{"code": "H51.13", "name": "B", "aliases": ["000.00.00.H51"]}], ["/0/aliases/0"]),
        ({"agencies": []}, ["/items"]),
        ("text", [""]),
    ],
)
async def test_what_cannot_be_is_refused_with_its_place(api: Served, body: Any, pointers: list[str]) -> None:
    admin = await api.key()
    await put(admin, "/v1/agencies", PROVINCE)
    response = await admin.put("/v1/agencies", json=body)
    assert response.status_code == 422, response.text
    assert [error["pointer"] for error in response.json()["errors"]] == pointers
    assert await rows(api, "agency") == 3


async def test_a_parent_that_is_needed_cannot_go(api: Served) -> None:
    admin = await api.key()
    await put(admin, "/v1/agencies", PROVINCE)
    response = await admin.put("/v1/agencies", json=[PROVINCE[0], PROVINCE[2]], params={"replace": "true"})
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, "/1/parent")


async def test_csv_comes_back_as_it_went(api: Served) -> None:
    admin = await api.key()
    await put(admin, "/v1/agencies", PROVINCE)
    text = (await admin.get("/v1/agencies", headers={"accept": "text/csv"})).text
    assert text.splitlines()[0] == "\ufeffcode,name,parent,valid_from,valid_to,legal_basis,successors,aliases,facts,level"
    response = await admin.put("/v1/agencies", content=text.encode(), headers=CSV)
    assert response.json()["unchanged"] == 3
    semicolons = "\ufeffcode;name;parent\r\nH51.13;Sở B;H51\r\n;;\r\n"
    assert (await admin.put("/v1/agencies", content=semicolons.encode(), headers=CSV)).json()["written"] == 1


@pytest.mark.parametrize(
    ("path", "text", "pointers"),
    [
        ("/v1/agencies", "code,name,parent\nH51.13,B,H51\nH51.14,C,H51.99\n", ["/3/parent"]),
        ("/v1/agencies", "code,name,valid_to\nH51.13,B,soon\n", ["/2/valid_to"]),
        ("/v1/agencies", "code,parent\nH51.13,H51\n", ["/1/name"]),
        ("/v1/agencies", "code,name,colour\nH51.13,B,red\n", ["/1/3"]),
        ("/v1/agencies", "code,name\nH51.13,B,red\n", ["/2"]),
        ("/v1/agencies", "", ["/1/code", "/1/name"]),
        (
            "/v1/procedures",
            "code,name,limit_value,limit_unit\n1.1,x,many,working_days\n1.2,x,3,weeks\n",
            ["/2/limit_value", "/3/limit_unit"],
        ),
        ("/v1/procedures", "code,name,limit\n1.1,x,many working_days\n", ["/2/limit"]),
        ("/v1/agencies", "code,name,,NAME\nH51.13,B,,C\n", ["/1/name"]),
        ("/v1/procedures", "code,name,has_fee\n1.1,x,perhaps\n", ["/2/has_fee"]),
        ("/v1/procedures", "code,name\n1.1,x\n1.1,y\n", ["/3/code"]),
        ("/v1/calendar", "date,kind\n2026-01-01,off\n2026-01-01,off\n", ["/3/date"]),
        ("/v1/calendar", "date,kind\n2026-01-01,feast\n", ["/2/kind"]),
    ],
)
async def test_csv_faults_name_the_row(api: Served, path: str, text: str, pointers: list[str]) -> None:
    response = await (await api.key()).put(path, content=text.encode(), headers=CSV)
    assert response.status_code == 422, response.text
    assert [error["pointer"] for error in response.json()["errors"]] == pointers


@pytest.mark.parametrize(
    ("path", "head", "line"),
    [
        ("/v1/procedures", "code,name", "1.1,x"),
        ("/v1/agencies", "code,name", "H51.13,x"),
        ("/v1/calendar", "date,kind", "2026-01-01,off"),
    ],
)
async def test_what_comes_twice_in_a_sheet_names_both_rows(api: Served, path: str, head: str, line: str) -> None:
    response = await (await api.key()).put(path, content=f"{head}\n{line}\n\n{line}\n".encode(), headers=CSV)
    error = next(one for one in response.json()["errors"] if one["code"] == "repeated")
    assert error["pointer"] == "/4/" + head.partition(",")[0]
    assert error["detail"].endswith("(also in row 2)")


async def test_procedures(api: Served) -> None:
    admin = await api.key()
    item = {
        "code": "1.005129",
        "name": "Cấp giấy phép xây dựng",
        "field": "Xây dựng",
        "limit": {"value": 15, "unit": "working_days"},
        "has_fee": True,
        "online_level": "full",
    }
    await put(admin, "/v1/procedures", [item])
    found = (await admin.get("/v1/procedures/1.005129")).json()
    assert item.items() <= found.items()
    text = (await admin.get("/v1/procedures", params={"format": "csv"})).text
    assert (await admin.put("/v1/procedures", content=text.encode(), headers=CSV)).json()["unchanged"] == 1
    short = "code,name,limit\n1.000001,Khai sinh,3 working_days\n"
    await admin.put("/v1/procedures", content=short.encode(), headers=CSV)
    assert (await admin.get("/v1/procedures/1.000001")).json()["limit"] == {"value": 3, "unit": "working_days"}
    for wrong in ({"value": 0, "unit": "months"}, {"value": True, "unit": "months"}, {"value": 3}):
        response = await admin.put("/v1/procedures", json=[{**item, "limit": wrong}])
        assert response.status_code == 422
        assert response.json()["errors"][0]["pointer"].startswith("/0/limit")


async def test_calendar(api: Served) -> None:
    admin = await api.key()
    logged = {"days": [{"date": "2026-02-16", "kind": "off", "source": "9441/TB-BNV"}], "confirmed_years": [2026]}
    await put(admin, "/v1/calendar", logged)
    assert (await admin.get("/v1/calendar")).json() == logged
    await admin.put("/v1/calendar", content=b"date,kind,source\n2027-01-01,off,x\n2027,confirmed,\n", headers=CSV)
    # days confirm no year, not even the whole of them
    await admin.put("/v1/calendar", content=b"date,kind\n2028-01-03,off\n", headers=CSV)
    await admin.put("/v1/calendar", content=b"date,kind\n2029-01-01,off\n", headers=CSV, params={"confirmed_years": ""})
    await admin.put("/v1/calendar", content=b"date,kind\n2030,confirmed\n", headers=CSV, params={"confirmed_years": "2031"})
    all_years = (await admin.get("/v1/calendar")).json()
    assert [day["date"] for day in all_years["days"]] == ["2026-02-16", "2027-01-01", "2028-01-03", "2029-01-01"]
    assert all_years["confirmed_years"] == [2026, 2027, 2030, 2031]
    change = await put(admin, "/v1/calendar", logged, replace="true")
    assert (change["written"], change["removed"]) == (0, 6)
    assert (await admin.get("/v1/calendar")).json() == logged


async def test_rights_and_tenants(api: Served) -> None:
    await put(await api.key(), "/v1/agencies", PROVINCE)
    reader = await api.key(Permission.EVENTS_WRITE, agency="H51.12")
    assert await codes(reader, "/v1/agencies") == ["H51", "H51.12", "H51.12.01"]
    stranger = await api.key(Permission.ADMIN, tenant="G09")  # type: ignore[arg-type]
    assert await codes(stranger, "/v1/agencies") == []
    for path in ("/v1/agencies", "/v1/procedures", "/v1/calendar", "/v1/office-hours"):
        assert (await reader.put(path, json=[])).status_code == 403
        assert (await api.client(None).get(path)).status_code == 401


async def test_bodies_that_cannot_be_read(api: Served) -> None:
    admin = await api.key()
    assert (await admin.put("/v1/agencies", content=b"[{", headers={"content-type": "application/json"})).status_code == 400
    assert (await admin.put("/v1/agencies", content=b"<x/>", headers={"content-type": "text/xml"})).status_code == 415
    assert (await admin.put("/v1/agencies", content=b"\xff\xfe", headers=CSV)).status_code == 422
    for depth in (253, 254, 255, 1000, 100_000):
        deep = b"[" * depth + b"]" * depth
        for path in ("/v1/agencies", "/v1/procedures", "/v1/calendar", "/v1/office-hours"):
            for content in (deep, b'{"items": ' + deep + b"}", b'{"items": [{"name": ' + deep + b"}]}"):
                refused = await admin.put(path, content=content, headers={"content-type": "application/json"})
                assert refused.status_code in (400, 422), (path, depth, content[:20])
                assert refused.headers["content-type"] == "application/problem+json"


async def test_writers_at_once_never_make_a_cycle(api: Served) -> None:
    admin = await api.key()
    pair = [{"code": "H51.13", "name": "B", "parent": "H51"}, {"code": "H51.14", "name": "C", "parent": "H51"}]
    await put(admin, "/v1/agencies", pair)
    under = [
        admin.put("/v1/agencies", json=[{"code": "H51.13", "name": "B", "parent": "H51.14"}]),
        admin.put("/v1/agencies", json=[{"code": "H51.14", "name": "C", "parent": "H51.13"}]),
    ]
    answers = await asyncio.gather(*under)
    assert sorted(answer.status_code for answer in answers) == [200, 422]


async def test_another_process_knows_within_a_second(api: Served, database_url: str, redis_url: str) -> None:
    async with served(database_url, redis_url) as other:
        reader = await other.key()
        assert (await reader.get("/v1/agencies/H51.12")).status_code == 404
        await put(await api.key(), "/v1/agencies", PROVINCE)
        assert (await (await api.key()).get("/v1/agencies/H51.12")).status_code == 200
        await asyncio.sleep(1.05)
        assert (await reader.get("/v1/agencies/H51.12")).status_code == 200
