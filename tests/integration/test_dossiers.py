"""Lists of dossiers over HTTP against the rows themselves, and one dossier against its events."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import httpx
import pytest

from shared.db.dossier_rows import DossierRow
from shared.db.engine import driver_session
from shared.db.keys import Scope
from shared.domain.report import Figure
from tests.integration.served import FIRST_DAY, LAST_DAY, Days, Served, figure, random_row, served

AGENCIES: list[str | None] = ["H51", "H51.12", "H51.12.01", "000.00.12.H51", "H51.13", "H51.77", None]
UNDER_12 = {"H51.12", "H51.12.01", "000.00.12.H51"}
PROCEDURES = ["1.000001", "9.999999"]
CATALOGUE = [
    {"code": "H51", "name": "UBND tỉnh"},
    {"code": "H51.12", "name": "Sở A", "parent": "H51"},
    {"code": "H51.12.01", "name": "Phòng A1", "parent": "H51.12", "valid_from": "2025-01-01"},
    {"code": "H51.13", "name": "Sở B", "parent": "H51"},
]


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as api:
        admin = await api.key()
        assert (await admin.put("/v1/agencies", json=CATALOGUE)).status_code == 200
        procedures = [
            {"code": "1.000001", "name": "Khai sinh", "field": "Hộ tịch", "limit": {"value": 3, "unit": "working_days"}}
        ]
        assert (await admin.put("/v1/procedures", json=procedures)).status_code == 200
        yield api


async def load(api: Served, number: int, seed: int = 1) -> list[DossierRow]:
    random = Random(seed)
    rows = [random_row(random, n, AGENCIES, PROCEDURES) for n in range(1, number + 1)]
    await api.write(rows)
    return rows


async def page(client: httpx.AsyncClient, path: str = "/v1/dossiers", **parameters: Any) -> dict[str, Any]:
    response = await client.get(path, params={name.rstrip("_"): str(value) for name, value in parameters.items()})
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def all_of(client: httpx.AsyncClient, path: str = "/v1/dossiers", **parameters: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    answer = await page(client, path, **parameters)
    items += answer["items"]
    while answer["next_cursor"]:
        answer = await page(client, path, cursor=answer["next_cursor"], **parameters)
        assert answer["items"]
        items += answer["items"]
    return items


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
    client = await api.key(Scope.DOSSIERS_READ)
    for parameters, holds in FILTERS:
        items = await all_of(client, sort=sort, limit=41, **parameters)
        assert sorted(item["code"] for item in items) == sorted(row.code for row in rows if holds(row)), parameters
        assert (await page(client, sort=sort, limit=1, count="true", **parameters))["count"] == len(items)
        dated = [item for item in items if sort.endswith("code") or item[sort.removeprefix("-")] is not None]
        assert items[: len(dated)] == sorted(dated, key=key_of(sort), reverse=sort.startswith("-")), parameters
        rest = [item["code"] for item in items[len(dated) :]]
        assert rest == sorted(rest, reverse=sort.startswith("-"))


async def test_dossiers_due_long_before_they_came_stand_in_their_place(api: Served) -> None:
    rows = await load(api, 120)
    odd = [
        row._replace(due_at=row.received_at - timedelta(days=400 + number), promised_at=None)
        for number, row in enumerate(row for row in rows if row.received_at is not None and row.due_at is not None)
        if number % 3 == 0 and row.received_at is not None
    ]
    await api.write(odd)
    changed = {row.code: row for row in (*rows, *odd)}.values()
    client = await api.key(Scope.DOSSIERS_READ)
    begin, end = datetime(2024, 12, 31, 17, tzinfo=UTC), datetime(2025, 1, 31, 17, tzinfo=UTC)
    for sort in ("-received_at", "received_at"):
        due = [row for row in changed if row.due_at is not None and row.due_at < end]
        assert any(row.received_at is not None and row.received_at > end for row in due)
        ordered = sorted(due, key=lambda row: (row.received_at, row.code), reverse=sort.startswith("-"))
        items = await all_of(client, sort=sort, limit=7, due_before="2025-02-01")
        assert [item["code"] for item in items] == [row.code for row in ordered]
    for sort in ("due_at", "-due_at"):
        received = [row for row in changed if row.received_at is not None and row.received_at >= begin]
        dated = [row for row in received if row.due_at is not None]
        assert any(row.due_at is not None and row.due_at < begin for row in dated)
        ordered = sorted(dated, key=lambda row: (row.due_at, row.code), reverse=sort.startswith("-"))
        items = await all_of(client, sort=sort, limit=7, received_from="2025-01-01")
        assert [item["code"] for item in items[: len(dated)]] == [row.code for row in ordered]
        assert len(items) == len(received)


async def test_dossiers_due_long_after_they_came_stand_in_their_place(api: Served) -> None:
    rows = await load(api, 150)
    odd = [
        row._replace(due_at=row.received_at + timedelta(days=(45, 59, 60, 61, 400)[number % 5]))
        for number, row in enumerate(row for row in rows if row.received_at is not None)
        if number % 3 == 0 and row.received_at is not None
    ]
    await api.write(odd)
    changed = {row.code: row for row in (*rows, *odd)}.values()
    client = await api.key(Scope.DOSSIERS_READ)
    begin, end = datetime(2024, 12, 31, 17, tzinfo=UTC), datetime(2025, 6, 30, 17, tzinfo=UTC)
    for dates in ({"received_to": "2025-06-30"}, {"received_from": "2025-01-01", "received_to": "2025-06-30"}):
        for sort in ("due_at", "-due_at"):
            received = [
                row
                for row in changed
                if row.received_at is not None and row.received_at < end and (len(dates) == 1 or row.received_at >= begin)
            ]
            dated = [row for row in received if row.due_at is not None]
            assert any(row.due_at is not None and row.due_at > end + timedelta(days=100) for row in dated)
            ordered = sorted(dated, key=lambda row: (row.due_at, row.code), reverse=sort.startswith("-"))
            items = await all_of(client, sort=sort, limit=7, **dates)
            assert [item["code"] for item in items[: len(dated)]] == [row.code for row in ordered]
            assert len(items) == len(received)


def coded(row: DossierRow, number: int) -> DossierRow:
    """The same with a code of another time than its reception, or of none."""
    received = row.received_on or FIRST_DAY
    days = [received + timedelta(days=days) for days in (0, -1, -31, -62, -400, 1, 40, 4_000)]
    dates = [*(f"{day:%y%m%d}" for day in days), *(f"{day:%Y%m%d}" for day in days)]
    dates += [f"{received:%y}0000", f"{received:%y%m}99", f"{received:%y}1399", "20221399", "19250301", "999999"]
    unit = ("H51.12", "H51.12.01", "000.00.12.H51")[number % 3]
    return row._replace(code=f"{unit}-{dates[number % len(dates)]}-{number:07d}")


PREFIXES = ("H51.12-", "H51.12-2", "H51.12-20", "H51.12-24", "H51.12-241", "H51.12-2024", "H51.12-202", "H51.12-2412")
MORE_PREFIXES = (
    "H51.12-202501",
    "H51.12-20250",
    "H51.12-2513",
    "H51.12-19",
    "H51.12-99",
    "H51.1",
    "000.00.12.H51-25",
    "H51.12.01-2",
)


async def test_dossiers_with_a_code_of_another_time_stand_in_their_place(api: Served) -> None:
    random = Random(7)
    made = [coded(random_row(random, n, AGENCIES, PROCEDURES), n) for n in range(1, 700)]
    await api.write(made)
    client = await api.key(Scope.DOSSIERS_READ)
    days = {f"{row.code.rpartition('-')[0]}-" for row in made}
    for prefix in (*PREFIXES, *MORE_PREFIXES, *sorted(days)[::23]):
        for sort in ("-received_at", "received_at"):
            chosen = [row for row in made if row.code.startswith(prefix)]
            dated = [row for row in chosen if row.received_at is not None]
            ordered = sorted(dated, key=lambda row: (row.received_at, row.code), reverse=sort.startswith("-"))
            items = await all_of(client, sort=sort, limit=29, q=prefix)
            assert [item["code"] for item in items[: len(dated)]] == [row.code for row in ordered], prefix
            assert len(items) == len(chosen)
    both = [row for row in made if row.code.startswith("H51.12-24") and row.due_at is not None]
    both = [row for row in both if row.due_at is not None and row.due_at < datetime(2024, 9, 30, 17, tzinfo=UTC)]
    items = await all_of(client, limit=5, q="H51.12-24", due_before="2024-10-01")
    ordered = sorted(both, key=lambda row: (row.received_at, row.code), reverse=True)
    assert [item["code"] for item in items] == [row.code for row in ordered]


async def test_filters_combine(api: Served) -> None:
    rows = await load(api, 400)
    client = await api.key(Scope.DOSSIERS_READ)
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
    client = await api.key(Scope.DOSSIERS_READ)
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
    client = await api.key(Scope.DOSSIERS_READ)
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
    other = await api.key(Scope.DOSSIERS_READ, agency="H51.12")
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
    response = await (await api.key(Scope.DOSSIERS_READ)).get("/v1/dossiers", params=parameters)
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]


async def test_a_restricted_key_lists_its_subtree(api: Served) -> None:
    rows = await load(api, 300)
    client = await api.key(Scope.DOSSIERS_READ, agency="H51.12")
    own = {row.code for row in rows if row.agency in UNDER_12}
    assert {item["code"] for item in await all_of(client, limit=100)} == own
    assert (await page(client, limit=1, count="true"))["count"] == len(own)
    text = (await client.get("/v1/dossiers", params={"format": "csv"})).text
    assert {row["code"] for row in csv.DictReader(io.StringIO(text))} == own
    behind = await all_of(
        client, "/v1/stats/summary/dossiers", from_=FIRST_DAY, to=LAST_DAY, figure="received.new.total", limit=99
    )
    assert {item["code"] for item in behind} <= own
    for outside in ("H51", "H51.13", "G09"):
        assert (await client.get("/v1/dossiers", params={"agency": outside})).status_code == 403
    stranger = await api.key(Scope.DOSSIERS_READ, tenant="G09")  # type: ignore[arg-type]
    assert (await page(stranger))["items"] == []


async def test_csv_streams_all_of_it(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.db.dossiers.PAGE_OF_STREAM", 37)
    rows = await load(api, 200)
    client = await api.key(Scope.DOSSIERS_READ)
    response = await client.get("/v1/dossiers", headers={"accept": "text/csv"})
    assert response.headers["content-type"].startswith("text/csv")
    found = list(csv.DictReader(io.StringIO(response.text)))
    assert sorted(row["code"] for row in found) == sorted(row.code for row in rows)
    items = {item["code"]: item for item in await all_of(client, limit=100)}
    for row in found:
        item = items[row["code"]]
        assert row["status"] == str(item["status"])
        assert row["received_at"] == (item["received_at"] or "")
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


# --- one dossier ---

CODE = "H51.12-260512-0003"
SOURCE = "urn:test"


def told(number: int, name: str, time: str, **data: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": str(number),
        "source": SOURCE,
        "type": f"vn.motcua.dossier.{name}.v1",
        "subject": CODE,
        "time": time,
        "data": data,
    }


APPLICANT = {
    "kind": "citizen",
    "name": "Nguyễn Văn An",
    "id_type": "cccd",
    "id_number": "079012345678",
    "phone": "0901234567",
    "email": "an@example.vn",
    "address": "12 Lê Lợi",
}
HISTORY = [
    told(
        1,
        "received",
        "2026-05-12T08:30:00+07:00",
        procedure_code="1.000001",
        agency_code="H51.12",
        channel="online",
        due_at="2026-05-20T17:00:00+07:00",
        applicant=APPLICANT,
    ),
    told(2, "assigned", "2026-05-12T09:00:00+07:00", department="Phòng A1"),
    told(3, "supplement_requested", "2026-05-13T09:00:00+07:00", content="Bản sao"),
    told(4, "supplemented", "2026-05-15T09:00:00+07:00", new_due_at="2026-05-25T17:00:00+07:00"),
    told(5, "assigned", "2026-05-16T09:00:00+07:00"),
    told(6, "voided", "2026-05-16T10:00:00+07:00", event_id="5", event_source=SOURCE, reason="nhầm"),
]


async def tell(api: Served, events: list[dict[str, Any]]) -> None:
    writer = await api.key(Scope.EVENTS_WRITE)
    response = await writer.post("/v1/events", json=events, headers={"content-type": "application/cloudevents-batch+json"})
    assert response.status_code == 202, response.text
    assert response.json()["rejected"] == 0, response.text


async def test_a_dossier_tells_everything_at_once(api: Served) -> None:
    await tell(api, HISTORY)
    answer = await page(await api.key(Scope.DOSSIERS_READ, agency="H51.12"), f"/v1/dossiers/{CODE}")
    assert (answer["status"], answer["status_name"], answer["agency_name"]) == (4, "Đang xử lý", "Sở A")
    assert (answer["procedure_name"], answer["field"], answer["channel"]) == ("Khai sinh", "Hộ tịch", "online")
    assert answer["received_at"] == "2026-05-12T01:30:00Z"
    assert answer["original_due_at"] == "2026-05-20T10:00:00Z"
    assert answer["due_at"] == answer["promised_at"] == "2026-05-25T10:00:00Z"
    assert answer["due_dates"]["original"]["set_by"]["id"] == "1"
    assert answer["due_dates"]["in_force"]["set_by"]["id"] == "4"
    assert [one["set_by"]["id"] for one in answer["due_dates"]["postponements"]] == ["4"]
    assert answer["pauses"] == [{"from": "2026-05-13T02:00:00Z", "until": "2026-05-15T02:00:00Z"}]
    assert (answer["open"], answer["overdue"], answer["due_uncomputed"]) == (True, True, None)
    assert answer["anomalies"] == []
    assert [entry["position"] for entry in answer["timeline"]] == [1, 2, 3, 4, 5, 6]
    fifth = answer["timeline"][4]
    assert (fifth["voided"], fifth["effective"], fifth["voided_by"]["id"]) == (True, False, "6")
    assert answer["sync"] is None


async def test_nothing_personal_is_shown_without_the_right(api: Served) -> None:
    await tell(api, HISTORY)
    response = await (await api.key(Scope.DOSSIERS_READ)).get(f"/v1/dossiers/{CODE}")
    assert response.json()["applicant"] == {
        "kind": "citizen",
        "name": "N.V.A.",
        "id_type": "cccd",
        "id_number": "***678",
        "phone": "***567",
    }
    for secret in ("Nguyễn", "079012345678", "0901234567", "an@example.vn", "Lê Lợi"):
        assert secret not in response.text


async def test_reading_an_applicant_needs_right_and_purpose_and_leaves_a_trace(api: Served) -> None:
    await tell(api, HISTORY)
    path = f"/v1/dossiers/{CODE}/applicant"
    reader = await api.key(Scope.APPLICANTS_READ)
    assert (await (await api.key(Scope.DOSSIERS_READ)).get(path, params={"purpose": "xem hồ sơ"})).status_code == 403
    assert (await reader.get(path)).status_code == 422
    assert (await reader.get(path, params={"purpose": "   "})).status_code == 422
    elsewhere = await api.key(Scope.APPLICANTS_READ, agency="H51.13")
    assert (await elsewhere.get(path, params={"purpose": "xem hồ sơ"})).status_code == 404
    response = await reader.get(path, params={"purpose": "Gọi điện"}, headers={"x-request-id": "request-1"})
    assert response.json() == {"dossier": CODE} | APPLICANT
    async with driver_session(api.engine) as connection:
        rows = await connection.fetch("SELECT dossier_code, purpose, request_id FROM applicant_reading")
    assert [tuple(row) for row in rows] == [(CODE, "Gọi điện", "request-1")]


async def test_what_cannot_be_seen_is_not_there(api: Served) -> None:
    await tell(api, HISTORY)
    for client, code in (
        (await api.key(Scope.DOSSIERS_READ, agency="H51.13"), CODE),
        (await api.key(Scope.DOSSIERS_READ, tenant="G09"), CODE),  # type: ignore[arg-type]
        (await api.key(Scope.DOSSIERS_READ), "H51.12-260512-0004"),
        (await api.key(Scope.DOSSIERS_READ), "nonsense"),
        (await api.key(Scope.DOSSIERS_READ), "%00"),
    ):
        response = await client.get(f"/v1/dossiers/{code}")
        assert response.status_code == 404, code
        assert response.headers["content-type"] == "application/problem+json"


async def test_anomalies_name_their_events(api: Served) -> None:
    await tell(
        api,
        [
            told(1, "received", "2026-05-12T08:30:00+07:00", procedure_code="7.7", agency_code="H51.99", channel="direct"),
            told(2, "voided", "2026-05-13T08:30:00+07:00", event_id="77", event_source=SOURCE, reason="x"),
        ],
    )
    answer = await page(await api.key(Scope.DOSSIERS_READ), f"/v1/dossiers/{CODE}")
    assert {(one["code"], one["id"]) for one in answer["anomalies"]} == {
        ("no_due_date", "1"),
        ("unknown_procedure", "1"),
        ("unknown_agency", "1"),
        ("void_waiting", "2"),
    }
    assert answer["due_uncomputed"]["reason"] == "unknown_procedure"
