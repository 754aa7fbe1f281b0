"""Comparisons and averages over HTTP against counting the rows one by one."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import httpx
import pytest

from shared.access.store.keys import Permission
from shared.counting.rules.period_sums import percent
from tests.support.api import Days, Served, count, counted, figure
from tests.support.figures import Standing, api, load, row_of, standing

__all__ = ["api", "standing"]  # fixtures


async def asked(client: httpx.AsyncClient, path: str, **parameters: Any) -> dict[str, Any]:
    named = {name: str(value) for name, value in parameters.items() if value is not None}
    response = await client.get(path, params=named)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def check(found: dict[str, Any], days: list[Days], present: tuple[date, date], compared: tuple[date, date]) -> None:
    now, then = count(days, *present), count(days, *compared)
    assert counted(found["present"], now) == now
    assert counted(found["compared"], then) == then
    for path, change in found["change"].items():
        before = figure(found["compared"], path)
        assert change["difference"] == figure(found["present"], path) - before
        share = percent(abs(change["difference"]), before)
        assert (change["percent"] or "").lstrip("-") == (share or "")
        assert (change["percent"] or "").startswith("-") == (change["difference"] < 0 and before > 0)


@pytest.mark.parametrize("by", [None, "agency", "procedure", "field", "channel"])
async def test_both_periods_equal_a_count_by_hand(standing: Standing, by: str | None) -> None:
    api = standing.api
    days = await standing.load(300, 12)
    client = await api.key(Permission.STATS_READ)
    present = (date(2025, 1, 15), date(2025, 2, 14))
    for compare, compared in (
        ("previous", (date(2024, 12, 15), date(2025, 1, 14))),
        ("last_year", (date(2024, 1, 15), date(2024, 2, 14))),
    ):
        found = await asked(client, "/v1/stats/comparison", period="ND09:2025-02", compare=compare, by=by)
        assert found["compared_period"] == {"from": str(compared[0]), "to": str(compared[1])}
        check(found["total"], days, present, compared)
        assert bool(found["rows"]) == (by is not None)
        for row in found["rows"]:
            check(row, [one for one in days if row_of(str(by), None, one) == row["key"]], present, compared)


async def test_time_cuts_stand_beside_each_other_in_turn(api: Served) -> None:
    days = await load(api, 300, 14)
    client = await api.key(Permission.STATS_READ)
    found = await asked(client, "/v1/stats/comparison", period="2025-Q1", compare="previous", by="month")
    keys = [(row["key"], row["compared_key"]) for row in found["rows"]]
    assert keys == [("2025-01", "2024-10"), ("2025-02", "2024-11"), ("2025-03", "2024-12")]
    for number, row in enumerate(found["rows"]):
        present = (date(2025, 1 + number, 1), date(2025, 2 + number, 1) - timedelta(days=1))
        following = date(2025, 1, 1) if number == 2 else date(2024, 11 + number, 1)
        check(row, days, present, (date(2024, 10 + number, 1), following - timedelta(days=1)))
    # 1 to 3 January lie in one ISO week, 29 to 31 December in two: the first beside the first
    found = await asked(
        client, "/v1/stats/comparison", **{"from": "2025-01-01", "to": "2025-01-03"}, compare="previous", by="week"
    )
    assert [(row["key"], row["compared_key"]) for row in found["rows"]] == [("2025-W01", "2024-W52")]


async def test_a_period_that_has_not_ended(api: Served) -> None:
    client = await api.key(Permission.STATS_READ)
    found = await asked(client, "/v1/stats/comparison", **{"from": "2026-01-01", "to": "2098-12-31"}, compare="previous")
    first, last = (date.fromisoformat(found["period"][end]) for end in ("from", "to"))
    begin, end = (date.fromisoformat(found["compared_period"][end]) for end in ("from", "to"))
    assert begin == date(2026 - 73, 1, 1)
    assert end - begin == last - first < timedelta(days=20_000)


async def test_pooled_and_mean_of_units(api: Served) -> None:
    days = await load(api, 400, 13)
    client = await api.key(Permission.STATS_READ)
    begin, end = date(2025, 1, 1), date(2025, 12, 31)
    for by in ("agency", "procedure", "field"):
        found = await asked(client, "/v1/stats/averages", period="2025", by=by)
        groups: dict[str, list[Days]] = {}
        for one in days:
            groups.setdefault(row_of(by, None, one), []).append(one)
        sums = {key: count(own, begin, end) for key, own in groups.items()}
        parts = {key: (one["resolved.early"] + one["resolved.on_time"], one["resolved.late"]) for key, one in sums.items()}
        rates = [Fraction(good, good + late) for key, (good, late) in parts.items() if good + late and key != "unknown"]
        mean = sum(rates, Fraction()) / len(rates)
        logged = found["mean_of_units"]["resolved_on_time"]
        assert (logged["value"], logged["units"]) == (percent(mean.numerator, mean.denominator), len(rates))
        good, late = (sum(part[n] for part in parts.values()) for n in (0, 1))
        assert found["pooled"]["resolved_on_time"]["value"] == percent(good, good + late)
        assert logged["value"] != found["pooled"]["resolved_on_time"]["value"]


async def test_rights_and_bad_parameters(api: Served) -> None:
    stats, reader = await api.key(Permission.STATS_READ, agency="H51.12"), await api.key(Permission.DOSSIERS_READ)
    for path, more in (("/v1/stats/comparison", {"compare": "previous"}), ("/v1/stats/averages", {})):
        question = {"period": "2025", **more}
        assert (await stats.get(path, params=question)).json()["scope"]["agency"] == "H51.12"
        assert (await stats.get(path, params={**question, "agency": "H51.13"})).status_code == 403
        assert (await reader.get(path, params=question)).status_code == 403
        assert (await stats.get(path, params={**question, "by": "hour"})).status_code == 422
    assert (await stats.get("/v1/stats/comparison", params={"period": "2025", "compare": "next"})).status_code == 422
    assert (await stats.get("/v1/stats/comparison", params={"period": "0001", "compare": "previous"})).status_code == 422
