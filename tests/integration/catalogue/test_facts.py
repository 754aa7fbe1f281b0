"""Facts of agencies and procedures: text by name, told and sent back as any column, and there for the portal's fields."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.worker.sync.names import KnownNames
from shared.catalogue.store.catalogues import read_catalogue
from shared.database.engine import driver_session
from shared.vocabulary.events import Tenant
from tests.support.api import Served, served
from tests.support.clock import TODAY

FACTS = {"phone": "0203 3835 123", "address": "Số 1, đường A = B"}
AGENCIES = [{"code": "H51.12", "name": "Sở A", "parent": "H51", "facts": FACTS}]
PROCEDURES = [{"code": "1.005129", "name": "Cấp phép", "facts": {"form": "mẫu 01"}}]


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as api:
        yield api


@pytest.mark.parametrize(("path", "told"), [("/v1/agencies", AGENCIES), ("/v1/procedures", PROCEDURES)])
async def test_facts_come_back_as_they_went(api: Served, path: str, told: list[dict[str, Any]]) -> None:
    admin = await api.key()
    first = (await admin.put(path, json=told)).json()
    assert first["written"] == 1
    assert (await admin.get(f"{path}/{told[0]['code']}")).json()["facts"] == told[0]["facts"]
    answered = (await admin.get(path)).json()
    assert answered["items"][0]["facts"] == told[0]["facts"]
    assert (await admin.put(path, json=answered)).json()["unchanged"] == 1
    text = (await admin.get(path, headers={"accept": "text/csv"})).text
    assert (await admin.put(path, content=text.encode(), headers={"content-type": "text/csv"})).json()["unchanged"] == 1
    changed = [told[0] | {"facts": {}}]
    assert (await admin.put(path, json=changed)).json()["written"] == 1
    assert (await admin.get(path)).json()["items"][0]["facts"] == {}
    then = (await admin.get(path, params={"as_of": first["known_from"]})).json()
    assert then["items"][0]["facts"] == told[0]["facts"]


@pytest.mark.parametrize(
    "facts", [{"Phone": "1"}, {"phone": ""}, {"phone": "1\n2"}, {"phone": "1;2"}, {"phone": 1}, "phone"]
)
async def test_facts_that_no_sheet_could_hold_are_refused(api: Served, facts: Any) -> None:
    admin = await api.key()
    refused = await admin.put("/v1/agencies", json=[AGENCIES[0] | {"facts": facts}])
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"].startswith("/0/facts")
    sheet = "code,name,facts\r\nH51.12,Sở A,phone\r\n"
    refused = await admin.put("/v1/agencies", content=sheet.encode(), headers={"content-type": "text/csv"})
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/2/facts"]


@pytest.mark.parametrize(
    ("path", "told", "field"),
    [
        ("/v1/agencies", AGENCIES, "name"),
        ("/v1/agencies", AGENCIES, "legal_basis"),
        ("/v1/agencies", AGENCIES, "aliases"),
        ("/v1/procedures", PROCEDURES, "name"),
        ("/v1/procedures", PROCEDURES, "field"),
        ("/v1/procedures", PROCEDURES, "field_name"),
    ],
)
async def test_names_of_things_take_no_number_of_a_person(
    api: Served, path: str, told: list[dict[str, Any]], field: str
) -> None:
    admin = await api.key()
    row = {name: value for name, value in told[0].items() if name != "facts"} | {"field": "Đất đai"}
    row = row if path == "/v1/procedures" else {name: value for name, value in row.items() if name != "field"}
    for text in ("Sở A, ĐT 0912.345.678", "Sở A an@example.vn"):
        wrong = row | {field: [text] if field == "aliases" else text}
        sheet = f"{','.join(wrong)}\r\n" + ",".join(
            f'"{one[0] if isinstance(one, list) else one}"' for one in wrong.values()
        )
        csv = {"content": sheet.encode(), "headers": {"content-type": "text/csv"}}
        for body in ({"json": [wrong]}, csv):
            refused = await admin.put(path, **body)
            assert refused.status_code == 422, refused.text
            assert [error["code"] for error in refused.json()["errors"]] == ["personal"]
            assert f"/{field}" in refused.json()["errors"][0]["pointer"]
    # an office has a land line
    assert (await admin.put(path, json=[row | {"name": "Sở A, ĐT 0203 3835 123"}])).status_code == 200


async def test_the_portal_s_fields_read_them(api: Served) -> None:
    admin = await api.key()
    await admin.put("/v1/agencies", json=AGENCIES)
    await admin.put("/v1/procedures", json=PROCEDURES)
    async with driver_session(api.engine) as connection:
        catalogue = await read_catalogue(connection, Tenant("H51"))
    names = KnownNames(catalogue, catalogue.tree_on(TODAY), {})
    assert (names.agency_facts("H51.12"), names.procedure("1.005129").facts) == (FACTS, {"form": "mẫu 01"})
    assert (names.agency_facts("H51.99"), names.agency_facts(None), names.procedure("9").facts) == ({}, {}, {})
