"""A code that neither catalogue nor log knows is told as such, by every operation that takes one; others' codes are not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from shared.register_figures.store.tables import cuts_of
from shared.registers.figure_sets import FIGURE_SETS
from tests.support.api import Served, served
from tests.support.events import event
from tests.support.http.questions import narrowed
from tests.support.projection import project

AGENCIES = [
    {"code": "H51.12", "name": "Sở Tài nguyên và Môi trường", "aliases": ["STNMT"]},
    {"code": "H51.30", "name": "Huyện Kế Sách"},
    {"code": "H51.12.01", "name": "Chi cục", "parent": "H51.12"},
]
PROCEDURES = [{"code": "1.005129", "name": "Cấp bản sao", "field": "HT", "field_name": "Hộ tịch"}]
TOLD = {"agency_code": "H51.44", "procedure_code": "2.000777"}
"""What an event names and no catalogue knows."""


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Served]:
    async with served(database_url, "redis://127.0.0.1:1/0") as api:
        admin = await api.key()
        assert (await admin.put("/v1/agencies", json=AGENCIES)).is_success
        assert (await admin.put("/v1/procedures", json=PROCEDURES)).is_success
        await tell(api, **TOLD)
        yield api


async def tell(api: Served, **data: str) -> None:
    """A reception of 2022 with these codes, counted."""
    agency = data["agency_code"]
    told = event(
        "received", subject=f"{agency}-220512-0001", time="2022-05-12T03:00:00Z", data={"channel": "direct", **data}
    )
    assert (await (await api.key()).post("/v1/events", json=told)).status_code == 202
    await project(api.engine)


async def document(api: Served) -> dict[str, Any]:
    described: dict[str, Any] = (await api.client(None).get("/openapi.json")).json()
    return described


@pytest.mark.parametrize(
    ("name", "unknown", "known"),
    [("procedure", "9.999999", ["1.005129", TOLD["procedure_code"]]), ("field", "ZZ", ["HT", "unknown"])],
)
async def test_every_list_and_figure_says_which_code_nobody_knows(
    api: Served, name: str, unknown: str, known: list[str]
) -> None:
    client = await api.key()
    described = await document(api)
    operations = narrowed(described, name)
    assert len(operations) > 10
    for path, beside in operations:
        answer = await client.get(path, params={**beside, name: unknown})
        assert answer.is_success, f"{path}: {answer.text}"
        assert answer.headers["x-unknown-code"] == name, path
        if answer.headers["content-type"] == "application/json":
            assert answer.json()["unknown_code"] == {name: unknown}, path
        for code in known:
            answer = await client.get(path, params={**beside, name: code})
            assert answer.is_success, f"{path}: {answer.text}"
            assert "x-unknown-code" not in answer.headers, path
            assert '"unknown_code"' not in answer.text


async def test_a_row_that_nobody_knows_is_told_too(api: Served) -> None:
    client = await api.key()
    rows = [("procedure", "9.999999", ["1.005129", TOLD["procedure_code"], "unknown"]), ("field", "ZZ", ["HT", "unknown"])]
    for by, unknown, known in rows:
        for path, beside in (
            (f"/v1/stats/by/{by}/dossiers", {"figure": "received.total"}),
            ("/v1/stats/working-time/dossiers", {"by": by}),
        ):
            answer = await client.get(path, params={**beside, "period": "2022", "row": unknown, "procedure": "9.999998"})
            assert answer.json()["unknown_code"] == {"procedure": "9.999998", "row": unknown}
            for row in known:
                answer = await client.get(path, params={**beside, "period": "2022", "row": row})
                assert answer.is_success
                assert "x-unknown-code" not in answer.headers


async def test_a_row_that_no_table_has_is_refused_by_registers_as_by_dossiers(api: Served) -> None:
    """And half of what names one: it would count nothing, or everything."""
    client = await api.key()
    wrong = [
        ({"by": "agency", "row": "H51.99"}, "/row", "no_row"),
        ({"by": "agency", "row": "H52"}, "/row", "no_row"),
        ({"by": "channel", "row": "fax"}, "/row", "no_row"),
        ({"by": "month", "row": "2022-13"}, "/row", "no_row"),
        ({"by": "month"}, "/row", "missing"),
        ({"by": "channel"}, "/row", "missing"),
        ({"row": "H51.12"}, "/by", "missing"),
    ]
    right = [
        ("agency", "H51.12"),
        ("agency", "unknown"),
        ("channel", "direct"),
        ("channel", "unknown"),
        ("month", "2022-05"),
    ]
    for register in FIGURE_SETS.values():
        asked = {"period": "2022", "figure": next(iter(register.figures))}
        cuts = cuts_of(register)
        for ending in ("", ".csv"):
            path = f"/v1/stats/{register.path}/records{ending}"
            for parameters, pointer, code in wrong:
                if parameters.get("by", "agency") in cuts:
                    answer = await client.get(path, params=asked | parameters)
                    assert answer.status_code == 422, f"{path} {parameters}"
                    assert [(one["pointer"], one["code"]) for one in answer.json()["errors"]] == [(pointer, code)]
            for by, row in right:
                if by in cuts:
                    assert (await client.get(path, params=asked | {"by": by, "row": row})).status_code == 200, (
                        f"{path} {row}"
                    )


async def test_the_differences_of_a_job_that_is_no_comparison_are_not_found(api: Served) -> None:
    admin, stranger = await api.key(), await api.key(agency="H51.12")
    assert (await admin.get("/v1/sync/differences?job=abc")).status_code == 404
    rebuild = (await admin.post("/v1/stats/rebuild")).json()["id"]
    assert (await admin.get(f"/v1/sync/differences?job={rebuild}")).status_code == 404
    asked = await admin.post("/v1/sync/reconcile", json={"dossiers": ["H51.44-220512-0001"]})
    some = asked.json()["id"]
    assert (await admin.get(f"/v1/sync/differences?job={some}")).json()["job"] == some
    assert (await stranger.get(f"/v1/sync/differences?job={some}")).status_code == 404


async def test_a_path_with_what_cannot_be_a_code_says_what_one_looks_like(api: Served) -> None:
    client = await api.key()
    for path, example in (
        ("/v1/agencies/%01", "H51.12"),
        ("/v1/procedures/_1", "1.005129"),
        ("/v1/jobs/abc", "6a1f0f2c9d4b4f6e8a52c1d7e0b3a9f4"),
    ):
        for language in ("en", "vi"):
            answer = await client.get(path, headers={"accept-language": language})
            assert answer.status_code == 422, path
            assert example in answer.json()["errors"][0]["detail"]
    for path in ("/v1/agencies/H51.99", "/v1/procedures/9.999999", f"/v1/jobs/{'0' * 32}"):
        assert (await client.get(path)).status_code == 404


async def test_nothing_passes_on_from_an_agency_that_nobody_knows(api: Served) -> None:
    client = await api.key()
    for code, said in (("H51.99", "unknown_code"), ("abc", "agency_pattern"), ("H51.12", "not_abolished")):
        answer = await client.post(f"/v1/agencies/{code}/transfer", json={})
        assert answer.status_code == 422
        assert [(one["pointer"], one["code"]) for one in answer.json()["errors"]] == [("/code", said)]


async def test_a_workbook_and_a_csv_say_so_in_their_head(api: Served) -> None:
    client = await api.key()
    for path in ("/v1/reports/II.06?period=2022&format=xlsx", "/v1/dossiers?format=csv"):
        answer = await client.get(path, params={"procedure": "9.999999"} | dict(httpx.URL(path).params))
        assert answer.is_success
        assert answer.headers["x-unknown-code"] == "procedure"


async def test_no_error_says_so(api: Served) -> None:
    """An operation that has no such parameter refuses it; what is wrong otherwise is told alone."""
    client = await api.key()
    described = await document(api)
    have = {name: {path for path, _ in narrowed(described, name)} for name in ("procedure", "field")}
    refused = 0
    for path, item in described["paths"].items():
        if "get" not in item or "security" not in item["get"]:
            continue
        for name, unknown in (("procedure", "9.999999"), ("field", "ZZ")):
            beside = {"nobody_knows": "1"} if path in have[name] else {}
            answer = await client.get(path.replace("{", "").replace("}", ""), params={name: unknown} | beside)
            if answer.is_error:
                refused += 1
                assert "x-unknown-code" not in answer.headers, f"{path}?{name}"
            else:
                assert path in have[name], f"{path}?{name}"
    assert refused > 50
    answer = await client.get("/v1/dossiers?field=ZZ")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/field"]


async def test_a_freeze_says_so_too(api: Served) -> None:
    client = await api.key()
    answer = await client.post("/v1/freezes", json={"period": "2022", "procedure": "9.999999", "reason": "Báo cáo quý"})
    assert answer.status_code == 201
    assert answer.json()["unknown_code"] == {"procedure": "9.999999"}


async def test_an_agency_that_nobody_knows_is_refused_everywhere(api: Served) -> None:
    client = await api.key()
    for path, beside in narrowed(await document(api), "agency"):
        answer = await client.get(path, params={**beside, "agency": "H51.99"})
        assert answer.status_code == 422, f"{path}: {answer.text}"
        ((pointer, code),) = [(one["pointer"], one["code"]) for one in answer.json()["errors"]]
        assert (pointer, code) == ("/agency", "unknown_code"), path
        for known in ("H51.12", "STNMT", "H51.44", "000.00.12.H51"):
            if "row" in beside and known != "H51.12":
                continue  # another agency has other rows
            answer = await client.get(path, params={**beside, "agency": known})
            assert answer.is_success, f"{path} {known}: {answer.text}"


async def test_an_agency_in_a_body_is_named_by_its_place(api: Served) -> None:
    client = await api.key()
    given = {
        "indicator": "5.2",
        "numerator": 1,
        "denominator": 2,
        "from": "2022-01-01",
        "to": "2022-12-31",
        "source": "1/BC",
        "source_on": "2023-01-10",
    }
    body = [given | {"agency": "H51.12"}, given | {"agency": "H51.99"}]
    for path, pointer, answer in (
        ("inputs", "/1/agency", await client.put("/v1/indices/766/inputs", json=body)),
        (
            "freezes",
            "/agency",
            await client.post("/v1/freezes", json={"period": "2022", "agency": "H51.99", "reason": "Quý"}),
        ),
        ("audits", "/agency", await client.post("/v1/audits", json={"period": "2022", "agency": "H51.99"})),
    ):
        assert answer.status_code == 422, path
        assert [(one["pointer"], one["code"]) for one in answer.json()["errors"]] == [(pointer, "unknown_code")], path


async def test_an_agency_that_has_just_been_told_is_known(api: Served) -> None:
    client = await api.key()
    question = {"period": "2022", "agency": "H51.45"}
    assert (await client.get("/v1/stats/summary", params=question)).status_code == 422
    await tell(api, **TOLD | {"agency_code": "H51.45"})
    answer = await client.get("/v1/stats/summary", params=question)
    assert answer.is_success
    assert answer.json()["received"]["total"] == 1


async def test_a_key_with_a_subtree_does_not_learn_what_stands_elsewhere(api: Served) -> None:
    """What it asks for is answered alike before it exists and after, elsewhere or as an alias; a procedure told elsewhere too."""
    admin, restricted = await api.key(), await api.key(agency="H51.12")
    asked = ["H51.31", "H51.12.09", "KS", "G09", "H51.45"]

    async def answers() -> dict[str, tuple[int, dict[str, Any]]]:
        found = {}
        for path, beside in narrowed(await document(api), "agency"):
            for agency in asked:
                answer = await restricted.get(path, params={**beside, "agency": agency})
                body = answer.json()
                body.pop("request_id")
                found[f"{path} {agency}"] = (answer.status_code, body)
        for path, beside in narrowed(await document(api), "procedure"):
            if path in {"/v1/dossiers", "/v1/stats/summary/dossiers"}:
                answer = await restricted.get(path, params={**beside, "procedure": "2.000888"})
                found[f"{path} 2.000888"] = (answer.status_code, answer.json())
        return found

    before = await answers()
    assert {status for key, (status, _) in before.items() if "H51." in key} == {403}
    elsewhere = [
        {"code": "H51.31", "name": "Huyện"},
        {"code": "H51.12.09", "name": "Chuyển đi", "parent": "H51.31"},
        {"code": "H51.32", "name": "Huyện", "aliases": ["KS"]},
    ]
    assert (await admin.put("/v1/agencies", json=elsewhere)).is_success
    await tell(api, agency_code="H51.45", procedure_code="2.000888")
    assert await answers() == before
    assert (await admin.get("/v1/dossiers?procedure=2.000888")).json()["items"]
