"""Anomalies, working time and the dossiers of a row over HTTP against the rows looked at one by one."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import httpx
import pytest

from shared.access.store.keys import Permission
from shared.calendar.rules.calendar import WorkingCalendar
from shared.calendar.rules.durations import durations
from shared.calendar.rules.working_time import WorkingTime
from shared.counting.rules.figure_definitions import Figure
from shared.counting.rules.period_sums import percent
from shared.database.engine import driver_session
from shared.projection.store.dossier_rows import DossierRow
from shared.vocabulary.periods import Period, TimeGrain, cut
from tests.support.api import FIRST_DAY, Days, Served, count, figure
from tests.support.figures import BRANCH, FIELDS, Standing, api, in_agency, load, row_of, standing

__all__ = ["api", "standing"]  # fixtures

BEGIN, END = date(2024, 3, 7), date(2025, 5, 20)
PERIOD = {"from": str(BEGIN), "to": str(END)}


async def asked(client: httpx.AsyncClient, path: str, **parameters: Any) -> dict[str, Any]:
    named = {name: str(value) for name, value in parameters.items() if value is not None}
    response = await client.get(httpx.URL(path).copy_merge_params(named))
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def number_of(client: httpx.AsyncClient, path: str, **parameters: Any) -> int:
    answer = await asked(client, path, limit=500, count="true", **parameters)
    assert answer["next_cursor"] is None
    assert len({item["code"] for item in answer["items"]}) == len(answer["items"]) == answer["count"]
    return len(answer["items"])


@pytest.mark.parametrize("agency", [None, "H51.12"])
@pytest.mark.parametrize("by", ["agency", "procedure", "field", "channel", "quarter", "month"])
async def test_every_figure_of_every_row_opens(standing: Standing, by: str, agency: str | None) -> None:
    api = standing.api
    await standing.load(250, 2)
    client = await api.key(Permission.STATS_READ, Permission.DOSSIERS_READ)
    table = await asked(client, f"/v1/stats/by/{by}", agency=agency, **PERIOD)
    random = Random(by)
    opened = 0
    for row in table["rows"]:
        for path in random.sample(list(Figure), 4):
            number = await number_of(
                client, f"/v1/stats/by/{by}/dossiers", row=row["key"], figure=path.value, agency=agency, **PERIOD
            )
            assert number == figure(row, path.value), (row["key"], path)
            opened += number
    assert opened
    wrong = await client.get(f"/v1/stats/by/{by}/dossiers", params={**PERIOD, "row": "H51.99", "figure": "open.total"})
    assert wrong.status_code == (200 if by in ("procedure", "field") else 422)


def kinds_of(one: Days) -> set[str]:
    kinds = {kind for kind in one.row.anomalies.split(",") if kind}
    if one.row.procedure not in (*FIELDS, None):
        kinds.add("unknown_procedure")
    if one.row.agency in ("H51.77", "H51.12.88"):
        kinds.add("unknown_agency")
    return kinds


@pytest.mark.parametrize("agency", [None, "H51.12"])
@pytest.mark.parametrize("period", [True, False])
async def test_anomalies_by_kind_and_agency(api: Served, agency: str | None, period: bool) -> None:
    days = await load(api, 400, 6)
    client = await api.key(Permission.STATS_READ, Permission.DOSSIERS_READ)
    scope = {"agency": agency} | (PERIOD if period else {})
    mine = [one for one in days if in_agency(agency, one.row.agency)]
    if period:
        mine = [one for one in mine if is_received(one)]
    whole = await asked(client, "/v1/stats/anomalies", **scope)
    strange = [one for one in mine if kinds_of(one)]
    assert whole["total"] == {
        "dossiers": len(mine),
        "with_anomaly": len(strange),
        "share": percent(len(strange), len(mine)),
        "kinds": dict(Counter(kind for one in mine for kind in kinds_of(one))),
    }
    assert {"unknown_procedure", "unknown_agency", "extended_twice"} <= set(whole["total"]["kinds"])
    if agency is None:
        for row in whole["rows"]:
            own = [one for one in mine if BRANCH[one.row.agency] == row["key"]]
            assert (row["dossiers"], row["with_anomaly"]) == (len(own), sum(bool(kinds_of(one)) for one in own))
            assert row["kinds"] == dict(Counter(kind for one in own for kind in kinds_of(one)))
    for kind, number in whole["total"]["kinds"].items():
        assert await number_of(client, whole["dossiers"].format(anomaly=kind)) == number
    if period:
        assert len(mine) == (await asked(client, "/v1/stats/summary", **scope))["received"]["total"]


def is_received(one: Days) -> bool:
    found = count([one], BEGIN, END)
    return sum(found[f"received.{how}"] for how in ("new.online", "new.direct", "new.postal", "carried_over")) > 0


async def test_working_time(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.figures.store.drill_down.PAGE", 70)
    days = await load(api, 400, 8)
    waits_of = await waiting(api, days)
    client = await api.key(Permission.STATS_READ)
    calendar = {"days": [], "confirmed_years": [2024, 2025]}
    assert (await (await api.key()).put("/v1/calendar", json=calendar)).status_code == 200
    office = WorkingTime(WorkingCalendar({}, frozenset({2024, 2025})))
    begin = FIRST_DAY
    mine = [one for one in days if one.row.ended_on is not None and begin <= one.row.ended_on <= END]
    unknown = [
        one for one in mine if one.row.received_at is not None and (one.row.received_at + timedelta(hours=7)).year == 2023
    ]

    def spent(row: DossierRow) -> timedelta:
        begin, end = moment(row.received_at), moment(row.ended_at)
        worked = [
            (max(begin, since), end if until is None else min(end, until)) for since, until in waits_of.get(row.code, [])
        ]
        return office.between(begin, end) - sum((office.between(*wait) for wait in worked), timedelta())

    def took(chosen: list[Days]) -> dict[str, Any]:
        known = [one for one in chosen if one not in unknown]
        values = [spent(one.row) for one in known]
        found = durations([value // timedelta(microseconds=1) for value in values])
        left_out = len(chosen) - len(known)
        return {
            "dossiers": found.dossiers,
            "mean_hours": found.mean_hours,
            "median_hours": found.median_hours,
            "p90_hours": found.p90_hours,
            "unconfirmed": {"2023": left_out} if left_out else {},
        }

    for by in (None, "agency", "procedure", "field", "channel"):
        whole = await asked(client, "/v1/stats/working-time", **{"from": begin, "to": END, "by": by})
        assert whole["total"] == took(mine)
        assert whole["total"]["unconfirmed"]
        for row in whole["rows"]:
            chosen = [one for one in mine if row_of(str(by), None, one) == row["key"]]
            assert {name: row[name] for name in whole["total"]} == took(chosen), (by, row["key"])
        assert bool(whole["rows"]) == (by is not None)

    for by in TimeGrain:
        whole = await asked(client, "/v1/stats/working-time", **{"from": begin, "to": END, "by": by.value})
        assert whole["total"] == took(mine)
        buckets = cut(Period(begin, END), by)
        assert [row["key"] for row in whole["rows"]] == [bucket.key for bucket in buckets]
        for row, bucket in zip(whole["rows"], buckets, strict=True):
            chosen = [one for one in mine if moment_on(one) in bucket.period]
            assert {name: row[name] for name in whole["total"]} == took(chosen), (by, row["key"])
    refused = await client.get("/v1/stats/working-time", params={"from": "1950-01-01", "to": "2020-01-01", "by": "day"})
    assert [error["code"] for error in refused.json()["errors"]] == ["too_many_pieces"]


def moment_on(one: Days) -> date:
    assert one.row.ended_on is not None
    return one.row.ended_on


async def waiting(api: Served, days: list[Days]) -> dict[str, list[tuple[datetime, datetime | None]]]:
    """Let every third dossier wait: before, around or after its reception and end, once or twice, some for ever."""
    found: dict[str, list[tuple[datetime, datetime | None]]] = {}
    for number, one in enumerate(days):
        if one.row.received_at is None or number % 3:
            continue
        first = one.row.received_at + timedelta(hours=(number % 50) - 12, minutes=number)
        second = first + timedelta(days=2, hours=number % 40)
        found[one.row.code] = [(first, first + timedelta(days=1, hours=number % 30))]
        if number % 2:
            found[one.row.code].append((second, None if number % 5 == 0 else second + timedelta(days=3)))
    texts = {
        code: "{" + ",".join(f"[{micros(begin)},{'' if end is None else micros(end)})" for begin, end in spans) + "}"
        for code, spans in found.items()
    }
    async with driver_session(api.engine) as connection:
        await connection.executemany(
            "UPDATE dossier SET waits = $2::text::int8multirange WHERE tenant = 'H51' AND code = $1", list(texts.items())
        )
    return found


def micros(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def moment(instant: datetime | None) -> datetime:
    assert instant is not None
    return instant


async def test_rights(api: Served) -> None:
    await load(api, 50, 2)
    stats, reader = await api.key(Permission.STATS_READ), await api.key(Permission.DOSSIERS_READ)
    restricted = await api.key(Permission.STATS_READ, Permission.DOSSIERS_READ, agency="H51.13")
    lists = {"/v1/stats/by/agency/dossiers": {"row": "H51.12", "figure": "open.total"}}
    lists["/v1/stats/anomalies/dossiers"] = {"anomaly": "extended_twice"}
    for path in ("/v1/stats/anomalies", "/v1/stats/working-time"):
        assert (await stats.get(path, params=PERIOD)).status_code == 200
        assert (await reader.get(path, params=PERIOD)).status_code == 403
        assert (await restricted.get(path, params={**PERIOD, "agency": "H51.12"})).status_code == 403
        assert (await restricted.get(path, params=PERIOD)).json()["scope"]["agency"] == "H51.13"
    for path, more in lists.items():
        assert (await stats.get(path, params={**PERIOD, **more})).status_code == 403
        assert (await reader.get(path, params={**PERIOD, **more})).status_code == 200
        assert (await restricted.get(path, params={**PERIOD, **more, "agency": "H51.12"})).status_code == 403
