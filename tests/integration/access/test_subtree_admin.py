"""An `admin` key with an agency subtree tries to see more, and to order what belongs to the whole province."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from shared.vocabulary.events import Tenant
from tests.support.access.subtree_admin import AGENCIES, OWN, TREE, Province, province_of
from tests.support.api import served

CSV = {"content-type": "text/csv"}
BY_CODE: dict[str, dict[str, Any]] = {str(row["code"]): row for row in TREE}


@pytest.fixture
async def province(database_url: str, redis_url: str) -> AsyncIterator[Province]:
    async with served(database_url, redis_url) as api:
        yield await province_of(api)


def row(code: str, **changes: Any) -> dict[str, Any]:
    return {"code": code, "name": "x"} | BY_CODE.get(code, {}) | changes


AGENCY_ATTACKS = {
    "the parent of others": ([row("H51.13", parent="H51.12")], "/0/code"),
    "the parent of one that is in no catalogue": ([row("H51.99", parent="H51.12")], "/0/code"),
    "its own parent": ([row("H51.12", parent="H51.13")], "/0/parent"),
    "the end of its own agency": ([row("H51.12", valid_to="2020-01-01", successors=["H51.13"])], "/0/successors"),
    "the province under itself": ([row("H51", parent="H51.12")], "/0/code"),
    "the code of others as an alias": ([row("H51.12.01", aliases=["H51.13.01"])], "/0/aliases/0"),
    "an unknown code as an alias": ([row("H51.12.01", aliases=["H51.99"])], "/0/aliases/0"),
    "the old form of others as an alias": ([row("H51.12.01", aliases=["000.00.13.H51"])], "/0/aliases/0"),
    "the old form of the province as an alias": ([row("H51.12.01", aliases=["000.00.00.H51"])], "/0/aliases/0"),
    "others as a successor": ([row("H51.12.01", valid_to="2020-01-01", successors=["H51.13"])], "/0/successors/0"),
    "the end of others with itself as a successor": (
        [row("H51.13", valid_to="2020-01-01", successors=["H51.12"])],
        "/0/code",
    ),
    "another validity of others": ([row("H51.13", parent="H51.12", valid_from="2030-01-01")], "/0/code"),
    "one that passed to it, revived with all below": ([row("H51.30", valid_to=None, successors=[])], "/0/parent"),
    "the same below itself": ([row("H51.30", valid_to=None, successors=[], parent="H51.12")], "/0"),
    "a row of its own beside one of others": ([row("H51.12.01"), row("H51.13.01", parent="H51.12")], "/1/code"),
    "below a parent that is others'": ([row("H51.12.05", parent="H51.13")], "/0/parent"),
}


@pytest.mark.parametrize("name", AGENCY_ATTACKS)
async def test_no_row_makes_it_see_more(province: Province, name: str) -> None:
    body, pointer = AGENCY_ATTACKS[name]
    seen, all_, written = (
        await province.visible(province.admin),
        await province.visible(province.whole),
        await province.written(),
    )
    assert (len(seen), len(all_)) == (OWN, len(AGENCIES))
    refused = await province.admin.put("/v1/agencies", json=body)
    assert await province.visible(province.admin) == seen
    assert await province.visible(await province.api.key(agency="H51.13")) == {code for code in all_ if ".13-" in code}
    assert await province.written() == written
    assert refused.status_code == 403, refused.text
    problem = refused.json()
    assert problem["type"] == "urn:motcua:problem:forbidden"
    assert pointer in [error["pointer"] for error in problem["errors"]]
    # as a sheet the row is the spreadsheet's
    headings = ("code", "name", "parent", "valid_from", "valid_to", "successors", "aliases")
    cells = [[_cell(one.get(heading)) for heading in headings] for one in body]
    sheet = "\r\n".join(",".join(line) for line in (headings, *cells))
    refused = await province.admin.put("/v1/agencies", content=sheet.encode(), headers=CSV)
    assert refused.status_code == 403
    index, *rest = pointer.split("/")[1:]
    assert "/".join(["", str(int(index) + 2), *rest]) in [error["pointer"] for error in refused.json()["errors"]]
    assert await province.written() == written


def _cell(value: Any) -> str:
    return ";".join(value) if isinstance(value, list) else value or ""


async def test_what_it_sees_today_is_not_kept_beyond_its_day(province: Province) -> None:
    """The province has handed a unit over from a day on: its own key must not take that back, nor hurry it."""
    await province.visible(province.admin)
    today = province.api.app.state.context.catalogues.today()
    last, first = str(today + timedelta(days=30)), str(today + timedelta(days=31))
    handed = [row("H51.12.01", valid_to=last), row("H51.12.01", parent="H51.13", valid_from=first)]
    assert (await province.whole.put("/v1/agencies", json=handed)).status_code == 200
    province.api.app.state.context.catalogues.forget(Tenant("H51"))
    sooner = [row("H51.12.01", valid_to=str(today)), row("H51.12.01", parent="H51.13", valid_from=str(today + timedelta(1)))]
    for body, pointer in (
        ([row("H51.12.01")], "/0"),
        ([row("H51.12.01", valid_to=last)], "/0"),
        ([row("H51.12.01", valid_to=last), row("H51.12.01", parent="H51.12", valid_from=first)], "/0"),
        (sooner, "/1/parent"),
    ):
        refused = await province.admin.put("/v1/agencies", json=body)
        assert refused.status_code == 403, refused.text
        assert refused.json()["errors"][0]["pointer"] == pointer
    # its name is its own to tell
    logged = [one | {"name": "Phòng A1 mới"} for one in handed]
    assert (await province.admin.put("/v1/agencies", json=logged)).json()["written"] == 1
    assert len(await province.visible(province.admin)) == OWN


async def test_a_refusal_does_not_tell_whether_there_is_such_an_agency(province: Province) -> None:
    for make in (
        lambda code: ("/v1/agencies", [row(code, parent="H51.12", name="x", aliases=[])]),
        lambda code: ("/v1/agencies", [row("H51.12.05", parent=code)]),
        lambda code: ("/v1/agencies", [row("H51.12.01", aliases=[code])]),
        lambda code: ("/v1/agencies", [row("H51.12.01", valid_to="2020-01-01", successors=[code])]),
        lambda code: ("/v1/office-hours", [{"agency": code, "hours": "07:00-11:00"}]),
        lambda code: ("/v1/indices/766/inputs", [figure(agency=code)]),
    ):
        refusals = []
        for code in ("H51.13", "H51.13.01", "H51.88", "H51.99"):  # theirs, theirs, nobody's, told by events only
            path, body = make(code)
            refused = await province.admin.put(path, json=body)
            assert refused.status_code == 403, refused.text
            refusals.append({name: value for name, value in refused.json().items() if name != "request_id"})
        assert all(one == refusals[0] for one in refusals), refusals
    transfers = [await province.admin.post(f"/v1/agencies/{code}/transfer", json={}) for code in ("H51.13", "H51.88")]
    assert [one.status_code for one in transfers] == [403, 403]
    refused = await province.admin.put(
        "/v1/agencies", json=[row("H51.13", parent="H51.12")], headers={"accept-language": "vi"}
    )
    assert refused.json()["errors"][0]["detail"] == "cơ quan và hồ sơ phải thuộc phạm vi của khóa"


def figure(**changes: Any) -> dict[str, Any]:
    period = {"from": "2026-01-01", "to": "2026-03-31"}
    paper = {"source": "12/BC", "source_on": "2026-04-10"}
    return {"indicator": "5.2", "numerator": 1, "denominator": 2} | period | paper | changes


async def test_replacing_removes_what_is_others_and_is_not_for_it(province: Province) -> None:
    written, seen = await province.written(), await province.visible(province.admin)
    for path, body in (
        ("/v1/agencies", [row("H51.12"), row("H51.12.01")]),
        ("/v1/office-hours", [{"agency": "H51.12", "hours": "07:00-11:00"}]),
    ):
        refused = await province.admin.put(path, json=body, params={"replace": "true"})
        assert refused.status_code == 403
        assert refused.json()["errors"] == [
            {"pointer": "/replace", "code": "whole_province", "detail": "only for a key of the whole province"}
        ]
    assert (await province.written(), await province.visible(province.admin)) == (written, seen)


async def test_what_belongs_to_the_whole_province_is_not_for_it(province: Province) -> None:
    written = await province.written()
    procedure = {"code": "1.005129", "name": "Cấp phép", "limit": {"value": 1, "unit": "working_days"}}
    days = {"days": [{"date": "2026-02-16", "kind": "off", "source": ""}], "confirmed_years": [2026]}
    for answer in (
        await province.admin.put("/v1/procedures", json=[procedure]),
        await province.admin.put("/v1/procedures", json=[], params={"replace": "true"}),
        await province.admin.put("/v1/calendar", json=days),
        await province.admin.put("/v1/calendar", json={"days": [], "confirmed_years": []}, params={"replace": "true"}),
        await province.admin.post("/v1/stats/rebuild"),
    ):
        assert answer.status_code == 403
        assert answer.json()["detail"] == "this concerns the whole province; the key has an agency subtree"
    assert await province.written() == written
    # nothing was queued: the province's own rebuild is the first
    assert (await province.whole.post("/v1/stats/rebuild")).status_code == 202


async def test_office_hours_of_its_own_agencies_only(province: Province) -> None:
    hours = {"hours": "07:00-11:00"}
    refused = await province.admin.put(
        "/v1/office-hours", json=[{"agency": "H51.12.01", **hours}, {"agency": "H51.13", **hours}]
    )
    assert (refused.status_code, [error["pointer"] for error in refused.json()["errors"]]) == (403, ["/1/agency"])
    sheet = b"agency,hours\r\nH51.12.01,07:00-11:00\r\n000.00.13.H51,07:00-11:00\r\n"
    refused = await province.admin.put("/v1/office-hours", content=sheet, headers=CSV)
    assert (refused.status_code, [error["pointer"] for error in refused.json()["errors"]]) == (403, ["/3/agency"])
    # the district passed to it, what was below it by code did not
    assert (await province.admin.put("/v1/office-hours", json=[{"agency": "H51.30", **hours}])).status_code == 403
    assert (await province.admin.get("/v1/office-hours")).json()["items"] == []
    taken = await province.admin.put("/v1/office-hours", json=[{"agency": "H51.12", **hours}])
    assert taken.json()["written"] == 1
    # theirs are not taken back either
    assert (await province.whole.put("/v1/office-hours", json=[{"agency": "H51.13", **hours}])).status_code == 200
    assert (await province.admin.put("/v1/office-hours", json=[{"agency": "H51.13", "hours": None}])).status_code == 403


async def test_its_own_agencies_it_tells(province: Province) -> None:
    seen, all_ = await province.visible(province.admin), await province.visible(province.whole)
    body = [
        row("H51.12", name="Sở A mới", aliases=["000.00.12.H51"]),
        row("H51.12.05", name="Phòng A5", parent="H51.12.01"),
        row("H51.12.01", valid_to="2026-12-31", successors=["H51.12.05"]),
    ]
    assert (await province.admin.put("/v1/agencies", json=body)).json()["written"] == 3
    assert (await province.admin.put("/v1/agencies", json={"items": []})).json()["written"] == 0
    assert (await province.admin.get("/v1/agencies/000.00.12.H51")).json()["children"] == ["H51.12.01"]
    assert (await province.visible(province.admin), await province.visible(province.whole)) == (seen, all_)
    # what fits no catalogue is still told as such
    cycle = [row("H51.12.01", parent="H51.12.05")]
    refused = await province.admin.put("/v1/agencies", json=cycle)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "cycle")
    # a key on the province's own root is one of the whole province
    root = await province.api.key(agency="H51")
    assert (await root.put("/v1/agencies", json=TREE, params={"replace": "true"})).status_code == 200
    assert (await root.put("/v1/procedures", json=[])).status_code == 200
    assert (await root.post("/v1/stats/rebuild")).status_code == 202


async def test_a_row_that_does_not_fit_a_strangers_is_refused_without_naming_it(province: Province) -> None:
    """An alias of its own that a stranger's earlier period names as its parent cannot go, and whose it is stays untold."""
    both = [row("H51.12.01", aliases=["H51.12.88"]), row("H51.13.01", parent="H51.12.88", valid_to="2020-01-01")]
    both.append(row("H51.13.01", valid_from="2020-01-02"))
    assert (await province.whole.put("/v1/agencies", json=both)).status_code == 200
    refused = await province.admin.put("/v1/agencies", json=[row("H51.12.01")])
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (403, "")
    assert "H51.13" not in refused.text
