"""Lists of dossiers over HTTP against the rows themselves."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pytest

from shared.access.store.keys import Permission
from shared.counting.rules.figure_definitions import Figure
from shared.projection.store.dossier_rows import DossierRow
from tests.oracle.log import instant
from tests.support.api import FIRST_DAY, LAST_DAY, Days, Served, figure, random_row
from tests.support.lists import AGENCIES, PROCEDURES, UNDER_12, all_of, api, load, page

__all__ = ["api"]  # fixtures


def known_on(row: DossierRow) -> date:
    return row.received_on or datetime.now(UTC).date()


def is_unknown(row: DossierRow) -> bool:
    if row.agency == "H51.12.01":
        return known_on(row) < date(2025, 1, 1)
    return row.agency == "H51.77"


TODAY = (datetime.now(UTC) + timedelta(hours=7)).date()
FILTERS: list[tuple[dict[str, Any], Callable[[DossierRow], bool]]] = [
    ({}, lambda _: True),
    ({"agency": "H51.12"}, lambda row: row.agency in UNDER_12),
    ({"agency": "000.00.12.H51"}, lambda row: row.agency in UNDER_12),
    ({"agency": "H51"}, lambda _: True),
    ({"agency": "H51.77"}, lambda row: row.agency == "H51.77"),
    ({"procedure": "1.000001"}, lambda row: row.procedure == "1.000001"),
    ({"channel": "postal"}, lambda row: row.channel == "postal"),
    ({"status": 5}, lambda row: row.status == 5),
    ({"open": "true"}, lambda row: row.received_on is not None and row.ended_on is None),
    ({"open": "false"}, lambda row: row.received_on is None or row.ended_on is not None),
    ({"overdue": "true"}, lambda row: TODAY in Days.of(row).overdue),
    ({"overdue": "false"}, lambda row: TODAY not in Days.of(row).overdue),
    ({"anomaly": "extended_twice"}, lambda row: "extended_twice" in row.anomalies),
    ({"anomaly": "unknown_procedure"}, lambda row: row.procedure == "9.999999"),
    ({"anomaly": "unknown_agency"}, is_unknown),
    ({"received_from": "2025-02-01"}, lambda row: row.received_on is not None and row.received_on >= date(2025, 2, 1)),
    ({"received_to": "2025-02-01"}, lambda row: row.received_on is not None and row.received_on <= date(2025, 2, 1)),
    (
        {"due_before": "2025-02-01"},
        lambda row: row.due_at is not None and row.due_at < datetime(2025, 1, 31, 17, tzinfo=UTC),
    ),
    (
        {"untouched_days": 90},
        lambda row: (
            row.received_on is not None
            and row.ended_on is None
            and row.touched_at is not None
            and row.touched_at <= datetime.now(UTC) - timedelta(days=90)
        ),
    ),
    ({"q": "H51.12-2401"}, lambda row: row.code.startswith("H51.12-2401")),
]


def key_of(sort: str) -> Callable[[dict[str, Any]], tuple[str, str]]:
    name = sort.removeprefix("-")
    return lambda item: ("" if name == "code" else item[name], item["code"])


@pytest.mark.parametrize("sort", ["received_at", "-received_at", "due_at", "-due_at", "code", "-code"])
async def test_pages_are_whole_and_in_order_for_every_filter(api: Served, sort: str) -> None:
    rows = await load(api, 300)
    client = await api.key(Permission.DOSSIERS_READ)
    for parameters, holds in FILTERS:
        items = await all_of(client, sort=sort, limit=41, **parameters)
        assert sorted(item["code"] for item in items) == sorted(row.code for row in rows if holds(row)), parameters
        assert (await page(client, sort=sort, limit=1, count="true", **parameters))["count"] == len(items)
        dated = [item for item in items if sort.endswith("code") or item[sort.removeprefix("-")] is not None]
        assert items[: len(dated)] == sorted(dated, key=key_of(sort), reverse=sort.startswith("-")), parameters
        rest = [item["code"] for item in items[len(dated) :]]
        assert rest == sorted(rest, reverse=sort.startswith("-"))


async def test_filters_combine(api: Served) -> None:
    rows = await load(api, 400)
    client = await api.key(Permission.DOSSIERS_READ)
    random = Random(3)
    for _ in range(60):
        chosen = random.sample(FILTERS, 3)
        parameters: dict[str, Any] = {}
        for named, _holds in chosen:
            parameters |= named
        kept = [holds for named, holds in FILTERS if named and named.items() <= parameters.items()]
        items = await all_of(client, limit=100, **parameters)
        assert {item["code"] for item in items} == {row.code for row in rows if all(holds(row) for holds in kept)}, (
            parameters
        )


@pytest.mark.parametrize("sort", ["received_at", "-received_at", "due_at", "-due_at", "code", "-code"])
async def test_pages_neither_repeat_nor_lose_while_dossiers_come_in(api: Served, sort: str) -> None:
    rows = await load(api, 200)
    client = await api.key(Permission.DOSSIERS_READ)
    random = Random(8)
    seen: list[str] = []
    cursor: str | None = None
    number = 1000
    while True:
        answer = await page(client, sort=sort, limit=17, **({"cursor": cursor} if cursor else {}))
        seen += [item["code"] for item in answer["items"]]
        cursor = answer["next_cursor"]
        if cursor is None:
            break
        await api.write([random_row(random, n, AGENCIES, PROCEDURES) for n in range(number, number + 5)])
        number += 5
    assert len(seen) == len(set(seen))
    assert {row.code for row in rows} <= set(seen)


async def test_a_cursor_is_good_for_its_own_list_only(api: Served) -> None:
    await load(api, 100)
    client = await api.key(Permission.DOSSIERS_READ)
    cursor = (await page(client, limit=10, channel="online"))["next_cursor"]
    assert (await page(client, limit=20, channel="online", cursor=cursor))["items"]
    for parameters in (
        {"cursor": cursor},
        {"cursor": cursor, "channel": "postal"},
        {"cursor": cursor, "channel": "online", "sort": "code"},
        {"cursor": cursor + "A", "channel": "online"},
        {"cursor": "x", "channel": "online"},
        {"cursor": "WzEsMiwzLDRd", "channel": "online"},
        {"cursor": "é", "channel": "online"},
    ):
        response = await client.get("/v1/dossiers", params=parameters)
        assert response.status_code == 422, parameters
        assert response.json()["errors"][0]["pointer"] == "/cursor"
    other = await api.key(Permission.DOSSIERS_READ, agency="H51.12")
    assert (await other.get("/v1/dossiers", params={"cursor": cursor, "channel": "online"})).status_code == 422


@pytest.mark.parametrize(
    ("parameters", "pointer"),
    [
        ({"limit": 0}, "/limit"),
        ({"limit": 501}, "/limit"),
        ({"sort": "status"}, "/sort"),
        ({"status": 11}, "/status"),
        ({"open": "perhaps"}, "/open"),
        ({"anomaly": "odd"}, "/anomaly"),
        ({"received_from": "1.2.2025"}, "/received_from"),
        ({"due_before": "2025-02-30"}, "/due_before"),
        ({"untouched_days": -1}, "/untouched_days"),
        ({"q": "H51%"}, "/q"),
        ({"agency": "Sở A"}, "/agency"),
        ({"format": "xml"}, "/format"),
        ({"surprise": "1"}, "/surprise"),
    ],
)
async def test_a_bad_parameter_is_named(api: Served, parameters: dict[str, Any], pointer: str) -> None:
    response = await (await api.key(Permission.DOSSIERS_READ)).get("/v1/dossiers", params=parameters)
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]


async def test_a_restricted_key_lists_its_subtree(api: Served) -> None:
    rows = await load(api, 300)
    client = await api.key(Permission.DOSSIERS_READ, agency="H51.12")
    own = {row.code for row in rows if row.agency in UNDER_12}
    assert {item["code"] for item in await all_of(client, limit=100)} == own
    assert (await page(client, limit=1, count="true"))["count"] == len(own)
    text = (await client.get("/v1/dossiers", params={"format": "csv"})).content.decode("utf-8-sig")
    assert {row["code"] for row in csv.DictReader(io.StringIO(text))} == own
    behind = await all_of(
        client, "/v1/stats/summary/dossiers", from_=FIRST_DAY, to=LAST_DAY, figure="received.new.total", limit=99
    )
    assert {item["code"] for item in behind} <= own
    for outside in ("H51", "H51.13", "G09"):
        assert (await client.get("/v1/dossiers", params={"agency": outside})).status_code == 403
    stranger = await api.key(Permission.DOSSIERS_READ, tenant="G09")  # type: ignore[arg-type]
    assert (await page(stranger))["items"] == []


async def test_csv_streams_all_of_it(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.search.store.pages.PAGE_OF_STREAM", 37)
    rows = await load(api, 200)
    client = await api.key(Permission.DOSSIERS_READ)
    response = await client.get("/v1/dossiers", headers={"accept": "text/csv"})
    assert response.headers["content-type"].startswith("text/csv")
    found = list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))
    assert sorted(row["code"] for row in found) == sorted(row.code for row in rows)
    items = {item["code"]: item for item in await all_of(client, limit=100)}
    for row in found:
        item = items[row["code"]]
        assert row["status"] == str(item["status"])
        assert row["received_at"].endswith("+07:00") is (item["received_at"] is not None)
        assert not row["received_at"] or instant(row["received_at"]) == instant(item["received_at"])
        assert row["anomalies"] == ";".join(item["anomalies"])
    assert len((await client.get("/v1/dossiers", params={"format": "csv", "limit": 60})).text.splitlines()) == 61


@pytest.mark.parametrize("seed", range(2))
async def test_every_figure_opens_to_exactly_its_dossiers(api: Served, seed: int) -> None:
    await load(api, 300, seed)
    client = await api.key()
    random = Random(seed)
    for _ in range(4):
        begin = FIRST_DAY + timedelta(days=random.randrange(900))
        scope: dict[str, Any] = {"from": begin, "to": begin + timedelta(days=random.randrange(150))}
        scope |= random.choice([{}, {"agency": "H51.12"}, {"field": "Hộ tịch"}, {"field": "unknown"}, {"channel": "direct"}])
        whole = await page(client, "/v1/stats/summary", **scope)
        for path in Figure:
            behind = await all_of(client, "/v1/stats/summary/dossiers", figure=path.value, limit=100, **scope)
            assert len({item["code"] for item in behind}) == len(behind) == figure(whole, path.value), (path, scope)
