"""The paths for one format each, and the old ways beside them: the same answers, byte for byte."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest

from services.api.http.bodies.limits import ARRAY
from services.api.main import create_app
from shared.settings import Settings
from tests.support.access.subtree_admin import OWN_DOSSIER, Province, province_of
from tests.support.api import Served, served
from tests.support.document import ASKED
from tests.support.events import JSON, LINES, event, head, lines

PATHS: dict[str, Any] = create_app(Settings(_env_file=None)).openapi()["paths"]  # type: ignore[call-arg]
CSV = {"content-type": "text/csv"}
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ENDINGS = sorted(path for path, item in PATHS.items() if path.endswith((".csv", ".xlsx")) and "get" in item)
TOLD = {
    "/v1/agencies.csv": "code,name,parent\r\nH51.14,Sở C,H51\r\n",
    "/v1/procedures.csv": "code,name\r\n1.005129,Cấp giấy phép xây dựng\r\n",
    "/v1/calendar.csv": "date,kind\r\n2026-02-16,off\r\n",
    "/v1/office-hours.csv": "agency,hours\r\nH51.12,07:00-11:00\r\n",
}


@pytest.fixture
async def province(database_url: str, redis_url: str) -> AsyncIterator[Province]:
    async with served(database_url, redis_url) as api:
        province = await province_of(api)
        for path, text in TOLD.items():
            answer = await province.whole.put(path, content=text, headers=CSV)
            assert (answer.status_code, answer.json()["written"] > 0) == (200, True), answer.text
        yield province


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as api:
        yield api


def seen(answer: httpx.Response) -> tuple[int, dict[str, str], bytes]:
    """What a caller sees; a workbook holds when it was made."""
    names = ("content-type", "content-disposition", "content-language", "vary")
    content = answer.content
    if answer.headers["content-type"] == XLSX:
        content = zipfile.ZipFile(io.BytesIO(content)).read("xl/worksheets/sheet1.xml")
    return answer.status_code, {name: answer.headers[name] for name in names if name in answer.headers}, content


def filled_in(path: str, frozen: str) -> str:
    given = {"{by}": "agency", "{freeze_id}": frozen, "{code}": OWN_DOSSIER}
    for name, value in given.items():
        path = path.replace(name, value)
    return path


async def test_a_path_for_a_format_answers_what_the_old_ways_answer(province: Province) -> None:
    frozen = (await province.admin.post("/v1/freezes", json={"period": "2018", "reason": "report"})).json()["id"]
    filled = 0
    for path in ENDINGS:
        place, _, format_ = path.rpartition(".")
        query = ASKED.get(place, "")
        if "{date}" in path or "/records." in path:
            continue  # a statement needs one that was loaded (tests/integration/payments); these had their endings at once
        ending, old = (filled_in(one, frozen) for one in (path, place))
        for client in (province.whole, province.admin):
            answers = [
                await client.get(f"{ending}?{query}"),
                await client.get(f"{ending}?{query}", headers={"accept": "application/json, application/problem+json"}),
                await client.get(f"{old}?{query}&format={format_}"),
                await client.get(f"{old}?{query}", headers={"accept": "text/csv" if format_ == "csv" else XLSX}),
            ]
            assert answers[0].status_code == 200, answers[0].text
            assert len({str(seen(one)) for one in answers}) == 1, path
            filled += len(answers[0].content.splitlines()) > 1
        as_json = await province.whole.get(
            f"{old}?{query}", headers={"accept": f"{XLSX}, text/csv, application/problem+json"}
        )
        assert as_json.headers["content-type"] == "application/json"
        for given in ("json", format_):
            refused = await province.whole.get(f"{ending}?{query}&format={given}")
            assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/format")
    assert filled >= len([path for path in ENDINGS if "{date}" not in path and "/records." not in path])


async def test_a_cursor_goes_on_in_either_format(province: Province) -> None:
    page = (await province.whole.get("/v1/dossiers?limit=5&sort=code")).json()
    query = f"sort=code&cursor={page['next_cursor']}"
    rest = [await province.whole.get(f"/v1/dossiers{way}{query}") for way in (".csv?", "?format=csv&")]
    assert rest[0].content == rest[1].content
    assert len(rest[0].text.splitlines()) == 1 + (await province.whole.get("/v1/dossiers?count=true")).json()["count"] - 5


@pytest.mark.parametrize("path", TOLD)
async def test_a_catalogue_is_told_as_csv_at_either_path(province: Province, path: str) -> None:
    whole, old = province.whole, path.removesuffix(".csv")
    for target in (path, old):
        again = await whole.put(target, content=TOLD[path], headers=CSV)
        assert (again.status_code, again.json()["written"], again.json()["unchanged"] > 0) == (200, 0, True)
    # without a content type a path for CSV is CSV
    assert (await whole.put(path, content=TOLD[path])).status_code == 200
    for content_type in ("application/json", "text/plain"):
        refused = await whole.put(path, content=TOLD[path], headers={"content-type": content_type})
        assert (refused.status_code, "text/csv" in refused.json()["detail"]) == (415, True)
    wrong = [await whole.put(target, content="x,y\r\n1,2\r\n", headers=CSV) for target in (path, old)]
    assert wrong[0].status_code == 422
    assert wrong[0].json()["errors"] == wrong[1].json()["errors"]


async def test_the_years_of_a_calendar_are_told_beside_its_csv(province: Province) -> None:
    whole = province.whole
    for path in ("/v1/calendar.csv", "/v1/calendar"):
        answer = await whole.put(f"{path}?confirmed_years=2030", content=TOLD["/v1/calendar.csv"], headers=CSV)
        assert answer.status_code == 200, answer.text
        assert 2030 in (await whole.get("/v1/calendar")).json()["confirmed_years"]
    assert (await whole.put("/v1/calendar?confirmed_years=2031", json={"days": []})).status_code == 422


async def test_several_events_have_two_paths_and_one_answer(api: Served) -> None:
    admin = await api.key()
    told = [event(), {"id": "x"}, 7, event("assigned")]
    body, text = orjson.dumps(told), lines(*told)
    batch = {"content-type": "application/cloudevents-batch+json"}
    packed = LINES | {"content-encoding": "gzip"}
    ways = [
        [("/v1/events/batch", body, JSON), ("/v1/events/batch", body, batch), ("/v1/events", body, JSON)],
        [("/v1/events/lines", text, LINES), ("/v1/events/lines", gzip.compress(text), packed), ("/v1/events", text, LINES)],
    ]
    for group in ways:
        for query in ("?dry_run=true", ""):
            answers = [await admin.post(path + query, content=content, headers=headers) for path, content, headers in group]
            assert {one.status_code for one in answers} == {202 if group is ways[0] else 200}
            if query:  # stored: the second is a repetition of the first
                assert len({one.content for one in answers}) == 1
    assert await head(api) == 2


async def test_a_path_for_one_kind_takes_no_other(api: Served) -> None:
    admin = await api.key()
    one, several = orjson.dumps(event()), orjson.dumps([event()])
    binary = {f"ce-{name}": str(value) for name, value in event().items() if name != "data"}
    wrong = [
        ("/v1/events/batch", lines(event()), LINES, 415),
        ("/v1/events/batch", b"{}", JSON | binary, 415),
        ("/v1/events/batch", several, {"content-type": "application/cloudevents+json"}, 202),
        ("/v1/events/batch", one, JSON, 422),
        ("/v1/events/lines", several, JSON, 415),
        ("/v1/events/lines", b"{}", LINES | binary, 415),
    ]
    for path, content, headers, status in wrong:
        for query in ("", "?dry_run=true"):
            answer = await admin.post(path + query, content=content, headers=headers)
            assert answer.status_code == status, answer.text
            if status == 415 and headers is not JSON | binary:
                assert "application/" in answer.json()["detail"]
    assert await head(api) == 1


@pytest.mark.parametrize("path", ["/v1/events/lines", "/v1/events"])
async def test_lines_are_taken_as_they_arrive_at_either_path(api: Served, path: str) -> None:
    """Beyond what any whole body may have; held is none of it."""
    blank = b" " * (2**18 - 1) + b"\n"
    held = []

    async def much() -> AsyncIterator[bytes]:
        for _ in range(ARRAY.most_bytes // len(blank) + 4):
            held.append(api.app.state.context.held.bodies)
            yield blank
        yield lines(event())

    answer = await (await api.key()).post(path, content=much(), headers=LINES)
    assert (answer.status_code, orjson.loads(answer.content)["accepted"]) == (200, 1), answer.text
    assert max(held) == 0
