"""Published tables over HTTP: given, given again, refused, listed as of then, beside our figures; by the command."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

import services.sample
from services.cli import given as command
from services.cli.main import parser
from shared.access.store.keys import Permission
from tests.support.api import Served
from tests.support.registers.served_payments import admin, api

__all__ = ["admin", "api"]  # fixtures

TOLD: dict[str, Any] = {
    "register": "feedback",
    "issuer": "UBND tỉnh",
    "date": "2022-12-30",
    "from": "2022-01-01",
    "to": "2022-12-31",
    "text": "65 phản ánh,\nđã xử lý 65",
    "figures": {"f1": 65, "f2": 60, "f3": 4, "f6": 65, "fb.handled": "100%", "odd": 1},
}


async def put(client: httpx.AsyncClient, **more: Any) -> httpx.Response:
    return await client.put("/v1/given/t-2022", json=TOLD | more)


async def test_breaks_are_listed_and_nothing_is_corrected(admin: httpx.AsyncClient) -> None:
    answer = (await put(admin)).json()
    assert answer["breaks"] == [{"identity": "f1=f2+f3", "left": 65, "right": 64}]
    assert (answer["quoted"], answer["unknown"]) == (["fb.handled"], ["odd"])
    assert answer["rates"]["fb.handled"]["value"] == "100.00"
    assert {key: answer[key] for key in TOLD} == TOLD
    assert (await admin.get("/v1/given/t-2022")).json() == answer
    assert (await put(admin)).json() == answer  # unchanged: no further version


async def test_a_later_one_replaces_it_and_versions_are_kept(admin: httpx.AsyncClient) -> None:
    first = (await put(admin)).json()
    before = datetime.now(UTC).isoformat()
    second = (await put(admin, figures={"f1": 64, "f2": 60, "f3": 4})).json()
    assert second["breaks"] == []
    assert (await admin.get("/v1/given/t-2022", params={"as_of": before})).json() == first
    assert (await admin.get("/v1/given")).json()["items"] == [second]
    assert (await admin.get("/v1/given", params={"id": "t-2022"})).json()["items"] == [second, first]
    assert (await admin.get("/v1/given/none")).status_code == 404


@pytest.mark.parametrize("word", ["payment", "payments"])
async def test_a_register_has_its_own_word_or_that_of_its_figures(admin: httpx.AsyncClient, word: str) -> None:
    figures = {"land.p1": 268, "land.p2": 144}
    assert (await put(admin, register=word, figures=figures)).json()["register"] == "payments"


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"register": "none"}, "/register"),
        ({"to": "2021-12-31"}, "/to"),
        ({"figures": {"f1": 6.5}}, "/figures/f1"),
        ({"figures": {"f1": True}}, "/figures/f1"),
        ({"figures": {"f1": 10**16}}, "/figures/f1"),
        ({"figures": {"f1": None}}, "/figures/f1"),
        ({"figures": {}}, "/figures"),
        ({"text": "a\x00"}, "/text"),
        ({"other": 1}, "/other"),
    ],
)
async def test_what_is_no_table_is_refused(admin: httpx.AsyncClient, more: dict[str, Any], pointer: str) -> None:
    answer = await put(admin, **more)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].startswith(pointer)
    assert (await admin.get("/v1/given")).json()["items"] == []


@pytest.mark.parametrize(
    ("figures", "code"),
    [
        ({"f1": 6.5}, "integer"),
        ({"f1": True}, "integer"),
        ({"f1": []}, "integer"),
        ({"f1": 10**16}, "too_big"),
        ({"f1": None}, "missing"),
        ({"f1": ""}, "too_short"),
        ({"f1": "a\x00"}, "pattern"),
        ({"F 1": 1}, "pattern"),
    ],
)
async def test_a_wrong_figure_is_one_fault_at_its_own_name(
    admin: httpx.AsyncClient, figures: dict[str, Any], code: str
) -> None:
    """And not one for each type that it could have had, at a place that is nowhere in the body."""
    (error,) = (await put(admin, figures=figures)).json()["errors"]
    assert (error["pointer"], error["code"]) == (f"/figures/{next(iter(figures))}", code)
    assert "documented form" not in error["detail"]


async def test_a_number_of_somebody_is_no_issuer(admin: httpx.AsyncClient) -> None:
    (error,) = (await put(admin, issuer="0912345678")).json()["errors"]
    assert (error["pointer"], error["code"]) == ("/issuer", "personal")


async def test_a_province_gives_and_readers_of_figures_read(api: Served, admin: httpx.AsyncClient) -> None:
    part = await api.key(Permission.ADMIN, agency="H51.12")
    assert (await put(part)).status_code == 403
    reader = await api.key(Permission.STATS_READ, agency="H51.12")
    assert (await put(reader)).status_code == 403
    await put(admin)
    assert (await reader.get("/v1/given/t-2022")).status_code == 200


async def test_it_stands_beside_our_figures_of_the_same_period(api: Served, admin: httpx.AsyncClient) -> None:
    await put(admin)
    path = "/v1/stats/feedback"
    (beside,) = (await admin.get(path, params={"period": "2022"})).json()["given"]
    assert beside["figures"]["f1"] == {"given": 65, "quoted": None, "ours": 0, "rate": None, "formula": "feedback.f1/1"}
    assert beside["figures"]["fb.handled"] == {
        "given": None,
        "quoted": "100%",
        "ours": None,
        "rate": None,
        "formula": "fb.handled/1",
    }
    assert (await admin.get(path, params={"period": "2021"})).json()["given"] == []
    assert (await admin.get(path, params={"period": "2022", "as_of": "2022-12-31"})).json()["given"] == []
    part = await api.key(Permission.STATS_READ, agency="H51.12")
    assert (await part.get(path, params={"period": "2022"})).json()["given"] == []


def test_the_command_gives_a_file(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        told = orjson.loads(request.content)
        more = {"id": "x", "breaks": [{"identity": "f1=f2", "left": 1, "right": 2}], "quoted": ["q"], "unknown": []}
        return httpx.Response(200, json=told | more)

    client = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://127.0.0.1")
    monkeypatch.setattr(command, "api_client", lambda _: client)
    file = Path(services.sample.__file__).parent / "given" / "soctrang_2022_feedback.json"
    arguments = parser().parse_args(["given", str(file)])
    assert arguments.run(arguments) == 0
    assert asked[0].url.path == "/v1/given/soctrang_2022_feedback"
    printed = capsys.readouterr().out
    assert "breaks f1=f2: 1 and 2" in printed
    assert "quoted: q" in printed
