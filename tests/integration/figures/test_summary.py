"""Figures over HTTP against counting the rows one by one."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import Any

import pytest

from shared.access.store.keys import Permission
from shared.access.store.visibility import Access
from shared.catalogue.store.catalogues import Catalogue, read_catalogue
from shared.counting.rules.question import Key
from shared.counting.store import answers
from shared.database.engine import driver_session
from shared.events.rules.new_events import NewEvent
from shared.events.store import event_log
from shared.figures.store import tables as figures_of
from shared.vocabulary.periods import Period, TimeGrain, cut
from tests.support.api import FIRST_DAY, H51, LAST_DAY, Served, at, count, counted, random_row
from tests.support.figures import FIELDS, PROCEDURES, api, in_agency, load, refusing, row_of

__all__ = ["api", "refusing"]  # fixtures


async def answer(client: Any, path: str, **parameters: Any) -> dict[str, Any]:
    named = {name.rstrip("_"): str(value) for name, value in parameters.items() if value is not None}
    response = await client.get(path, params=named)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


@pytest.mark.parametrize("seed", range(3))
async def test_every_cut_equals_a_count_by_hand(api: Served, seed: int) -> None:
    days = await load(api, 400, seed)
    random = Random(seed)
    client = await api.key(Permission.STATS_READ)
    for _ in range(12):
        begin = FIRST_DAY + timedelta(days=random.randrange(1000))
        end = min(begin + timedelta(days=random.choice([0, 6, 30, 200, 800])), LAST_DAY)
        begin = min(begin, end)
        scope = {
            "agency": random.choice([None, None, "H51", "H51.12", "000.00.12.H51", "H51.12.01", "H51.14"]),
            "field": random.choice([None, None, "Hộ tịch", "Đất đai", "unknown"]),
            "procedure": random.choice([None, None, *PROCEDURES]),
            "channel": random.choice([None, None, "online", "postal"]),
        }
        resolved = "H51.12" if scope["agency"] == "000.00.12.H51" else scope["agency"]
        chosen = [
            one
            for one in days
            if in_agency(resolved, one.row.agency)
            and scope["field"] in (None, FIELDS.get(one.row.procedure or "", "unknown"))
            and scope["procedure"] in (None, one.row.procedure)
            and scope["channel"] in (None, one.row.channel)
        ]
        expected = count(chosen, begin, end)
        whole = await answer(client, "/v1/stats/summary", from_=begin, to=end, **scope)
        assert counted(whole, expected) == expected
        assert all(check["holds"] for check in whole["checks"])
        for by in ("agency", "procedure", "field", "channel", "quarter", "month", "week", "day"):
            table = await answer(client, f"/v1/stats/by/{by}", from_=begin, to=end, **scope)
            assert counted(table["total"], expected) == expected, (by, scope)
            for check in (*table["total"]["checks"], *(c for row in table["rows"] for c in row["checks"])):
                assert check["holds"], (by, scope, check)
            if by in list(TimeGrain):
                buckets = cut(Period(begin, end), TimeGrain(by))
                assert [row["key"] for row in table["rows"]] == [bucket.key for bucket in buckets]
                for row, bucket in zip(table["rows"], buckets, strict=True):
                    hand = count(chosen, bucket.period.from_on, bucket.period.to_on)
                    assert counted(row, hand) == hand
                continue
            for row in table["rows"]:
                hand = count([one for one in chosen if row_of(by, resolved, one) == row["key"]], begin, end)
                assert counted(row, hand) == hand, (by, scope, row["key"])


async def test_direct_children_stand_in_the_table_even_if_empty(api: Served) -> None:
    await load(api, 60, 1)
    table = await answer(await api.key(Permission.STATS_READ), "/v1/stats/by/agency", period="2025")
    assert [row["key"] for row in table["rows"]] == ["H51", "H51.12", "H51.13", "H51.14", "unknown"]
    assert [row["name"] for row in table["rows"]] == ["UBND tỉnh", "Sở A", "Sở B", "Sở C", None]
    assert table["scope"]["agency"] == "H51"


async def test_a_restricted_key_counts_its_subtree_only(api: Served) -> None:
    days = await load(api, 300, 7)
    client = await api.key(Permission.STATS_READ, agency="H51.12")
    begin, end = date(2024, 5, 3), date(2025, 8, 19)
    own = [one for one in days if in_agency("H51.12", one.row.agency)]
    expected = count(own, begin, end)
    assert counted(await answer(client, "/v1/stats/summary", from_=begin, to=end), expected) == expected
    for by in ("agency", "procedure", "field", "channel", "month"):
        table = await answer(client, f"/v1/stats/by/{by}", from_=begin, to=end)
        assert counted(table["total"], expected) == expected
        assert table["scope"]["agency"] == "H51.12"
    for outside in ("H51", "H51.13", "H51.77", "G09.20"):
        response = await client.get("/v1/stats/summary", params={"period": "2025", "agency": outside})
        assert response.status_code == 403, outside


async def test_an_agency_seen_a_moment_ago_is_counted_at_once(api: Served) -> None:
    client = await api.key(Permission.STATS_READ, agency="H51.12")
    await load(api, 50, 1)
    before = await answer(client, "/v1/stats/summary", period="2025")
    random = Random(5)
    more = [random_row(random, n, ["H51.12.99"], PROCEDURES)._replace(received_on=None) for n in range(900, 901)]
    row = next(r for n in range(901, 999) if (r := random_row(random, n, ["H51.12.99"], PROCEDURES)).received_on)
    await api.write([*more, row])
    assert row.received_on is not None
    after = await answer(client, "/v1/stats/summary", from_=row.received_on, to=row.received_on)
    expected = await answer(
        await api.key(Permission.STATS_READ), "/v1/stats/summary", from_=row.received_on, to=row.received_on, agency="H51.12"
    )
    assert after["received"] == expected["received"]
    assert after["received"]["new"]["total"] >= 1
    assert before["as_of"]["lag_seconds"] == 0


async def test_a_table_comes_gathered_and_counts_what_its_catalogue_has_not_seen(api: Served) -> None:
    await load(api, 300, 3)
    async with driver_session(api.engine) as connection:
        catalogue = await read_catalogue(connection, H51)
        read_before = Catalogue(catalogue.agencies, catalogue.procedures, ["H51.13"])
        period = Period(FIRST_DAY, LAST_DAY)
        now, before = (
            figures_of.FigureScope(access=Access.of(known, None, LAST_DAY), period=period, tree_on=LAST_DAY)
            for known in (catalogue, read_before)
        )
        table = await figures_of.by_agency(connection, now)
        assert (await figures_of.by_agency(connection, before)).rows == table.rows
        assert sum(row.sums.received_online for row in table.rows) == table.total.received_online > 0
        question = now.question(Key.AGENCY, rows=catalogue.branches(now.top, LAST_DAY))
        gathered = [set(of_piece) for of_piece in await answers.counted(connection, H51, question)]
        fields = now.question(Key.PROCEDURE, rows=FIELDS, other_row="unknown")
        by_field = [set(of_piece) for of_piece in await answers.counted(connection, H51, fields)]
    assert gathered[1] - {answers.TOTAL} == {"H51", "H51.12", "H51.13", "H51.77", ""}
    assert by_field[1] - {answers.TOTAL} == {"Hộ tịch", "Đất đai", "unknown"}


async def test_another_tenant_sees_nothing_of_it(api: Served) -> None:
    await load(api, 100, 1)
    other = await api.key(Permission.STATS_READ, tenant="G09")  # type: ignore[arg-type]
    whole = await answer(other, "/v1/stats/summary", from_=FIRST_DAY, to=LAST_DAY)
    assert whole["received"]["total"] == whole["open"]["total"] == 0
    table = await answer(other, "/v1/stats/by/agency", from_=FIRST_DAY, to=LAST_DAY)
    assert table["rows"] == []
    assert (await other.get("/v1/stats/summary", params={"period": "2025", "agency": "H51.12"})).status_code == 403


@pytest.mark.parametrize(
    ("parameters", "pointer"),
    [
        ({}, "/from"),
        ({"from": "2025-01-01"}, "/to"),
        ({"period": "2025", "from": "2025-01-01"}, "/period"),
        ({"period": "2025-13"}, "/period"),
        ({"from": "2025-01-02", "to": "2025-01-01"}, "/to"),
        ({"from": "20250102", "to": "2025-01-01"}, "/from"),
        ({"from": "1735689600", "to": "2025-01-01"}, "/from"),
        ({"from": "9000-01-01", "to": "9000-01-02"}, "/from"),
        ({"period": "9000"}, "/period"),
        ({"period": "2025", "as_of": "2010-01-01"}, "/period"),
        ({"period": "2025", "channel": "fax"}, "/channel"),
        ({"period": "2025", "agency": "Sở A"}, "/agency"),
        ({"period": "2025", "agency": "H51\x00"}, "/agency"),
        ({"period": "2025", "tree_on": "yesterday"}, "/tree_on"),
        ({"period": "2025", "min_position": "-1"}, "/min_position"),
        ({"period": "2025", "surprise": "1"}, "/surprise"),
    ],
)
async def test_a_bad_parameter_is_named(refusing: Served, parameters: dict[str, str], pointer: str) -> None:
    client = await refusing.key(Permission.STATS_READ)
    for path in ("/v1/stats/summary", "/v1/stats/by/month"):
        response = await client.get(path, params=parameters)
        assert response.status_code == 422, response.text
        assert pointer in {error["pointer"] for error in response.json()["errors"]}


async def test_too_many_pieces_and_unknown_cuts_are_refused(api: Served) -> None:
    client = await api.key(Permission.STATS_READ)
    response = await client.get("/v1/stats/by/day", params={"from": "1950-01-01", "to": "2020-01-01"})
    assert response.status_code == 422
    assert (await client.get("/v1/stats/by/officer", params={"period": "2025"})).status_code == 422
    assert (await answer(client, "/v1/stats/by/quarter", from_="1950-01-01", to="2020-01-01"))["rows"]


async def test_rights(api: Served) -> None:
    assert (await api.client(None).get("/v1/stats/summary", params={"period": "2025"})).status_code == 401
    reader = await api.key(Permission.DOSSIERS_READ)
    assert (await reader.get("/v1/stats/summary", params={"period": "2025"})).status_code == 403


async def test_the_stamp_tells_what_is_counted(api: Served) -> None:
    client = await api.key(Permission.STATS_READ)
    empty = await answer(client, "/v1/stats/summary", period="2025")
    assert empty["as_of"] == {"position": 0, "recorded_at": None, "lag_seconds": 0.0}
    async with driver_session(api.engine) as connection:
        event = NewEvent("urn:x", "1", event_log.EventName.ASSIGNED, "H51.12-240115-00001", at(FIRST_DAY), "{}", b"x")  # type: ignore[arg-type]
        await event_log.append(connection, "H51", [event])  # type: ignore[arg-type]
        behind = await answer(client, "/v1/stats/summary", period="2025")
        assert behind["as_of"]["position"] == 0
        assert behind["as_of"]["lag_seconds"] > 0
        await connection.execute(
            "INSERT INTO projection_cursor (tenant, projection, position) VALUES ('H51', 'dossiers', 1)"
        )
    level = await answer(client, "/v1/stats/summary", period="2025", min_position=1)
    assert level["as_of"]["position"] == 1
    assert level["as_of"]["lag_seconds"] == 0
    assert level["as_of"]["recorded_at"] is not None


async def test_waiting_for_a_position_is_bounded(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.api.projection.use_cases.WAIT_SECONDS", 0.1)
    client = await api.key(Permission.STATS_READ)
    async with driver_session(api.engine) as connection:
        event = NewEvent("urn:x", "1", event_log.EventName.ASSIGNED, "H51.12-240115-00001", at(FIRST_DAY), "{}", b"x")  # type: ignore[arg-type]
        await event_log.append(connection, "H51", [event])  # type: ignore[arg-type]
    response = await client.get("/v1/stats/summary", params={"period": "2025", "min_position": 1})
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) >= 1


async def test_a_period_that_has_not_ended_ends_today(api: Served) -> None:
    client = await api.key(Permission.STATS_READ)
    whole = await answer(client, "/v1/stats/summary", from_="2020-01-01", to="2099-12-31")
    today = date.fromisoformat(whole["period"]["to"])
    assert abs(today - date.today()) <= timedelta(days=1)
    tomorrow = {"from": str(today + timedelta(days=2)), "to": "2099-12-31"}
    assert (await client.get("/v1/stats/summary", params=tomorrow)).status_code == 422
