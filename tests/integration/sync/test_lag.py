"""The lag by agency, why the portal shows dossiers late, and 1.4: against a naive count over random dossiers, over HTTP."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pytest

from shared.access.store.keys import Permission
from shared.database.engine import driver_session
from tests.support.api import Served, served
from tests.support.ledger import get, load

FIRST = datetime(2026, 3, 1, tzinfo=UTC)
AGENCIES = ["H51.12", "H51.13", "H51.13.01", None]
CAUSES = ["in_fact", "by_us", "by_sending", "by_silence"]
MARCH = {"from": "2026-03-01", "to": "2026-03-31"}


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as api:
        yield api


class Drawn:
    """A dossier with the four times of its end; None: not handled, never sent, not acknowledged."""

    def __init__(self, random: Random, number: int) -> None:
        self.code = f"H51.12-260301-{number:05}"
        self.agency = random.choice(AGENCIES)
        self.promised_at = FIRST + timedelta(hours=random.randrange(24 * 45), minutes=30)
        hours = random.choice([-30, -3, 0, 2, 50])
        self.handled_at = None if random.random() < 0.15 else self.promised_at + timedelta(hours=hours, microseconds=7)
        if hours == 0 and self.handled_at is not None:
            self.handled_at = self.promised_at  # at the very instant: in time
        gap = lambda: timedelta(seconds=random.choice([0, 3, 200, 5_000, 40_000, 200_000]))  # noqa: E731
        self.recorded_at = None if self.handled_at is None else self.handled_at + gap()
        sent = self.recorded_at is not None and random.random() < 0.85
        self.sent_at = self.recorded_at + gap() if self.recorded_at is not None and sent else None
        acknowledged = self.sent_at is not None and random.random() < 0.85
        self.acknowledged_at = self.sent_at + gap() if self.sent_at is not None and acknowledged else None
        self.replayed = random.random() < 0.2

    @property
    def cause(self) -> str | None:
        """What the first leg beyond the promise is."""
        if self.handled_at is None or self.handled_at > self.promised_at:
            return "in_fact"
        legs = [("by_us", self.recorded_at), ("by_sending", self.sent_at), ("by_silence", self.acknowledged_at)]
        return next((name for name, at in legs if at is None or at > self.promised_at), None)


async def store(api: Served, drawn: list[Drawn]) -> None:
    async with driver_session(api.engine) as connection:
        for position, one in enumerate(drawn, start=1):
            await connection.execute(
                "INSERT INTO dossier (tenant, code, position, agency, received_at, received_on, promised_at, handled_at)"
                " VALUES ('H51', $1, $2, $3, $4, '2026-02-01', $5, $6)",
                one.code,
                position,
                one.agency,
                FIRST - timedelta(days=28),
                one.promised_at,
                one.handled_at,
            )
            if one.handled_at is None:
                continue
            await connection.execute(
                "INSERT INTO event_log (tenant, position, recorded_at, source, id, name, dossier_code, time, data,"
                " content_hash) VALUES ('H51', $1, $2, 'urn:x', $3, 'processed', $4, $5, '{}', '')",
                position,
                one.recorded_at,
                str(position),
                one.code,
                one.handled_at,
            )
            if one.sent_at is not None:
                # a step that somebody had sent again was acknowledged twice: the first time counts
                again = datetime(2027, 1, 1, tzinfo=UTC) if one.acknowledged_at is not None and one.replayed else None
                await connection.execute(
                    "INSERT INTO sync_step (tenant, dossier_code, happened_at, status, staff, officer, position, recorded_at,"
                    " sent_at, acknowledged_at, acknowledged_before_at) VALUES ('H51', $1, $2, 9, '', 'X', $3, $4, $5, $6, $7)",
                    one.code,
                    one.handled_at.replace(microsecond=0),
                    position,
                    one.recorded_at,
                    one.sent_at,
                    again or one.acknowledged_at,
                    one.acknowledged_at if again else None,
                )


def row_of(agency: str | None, top: str) -> str:
    if agency is None:
        return "unknown"
    if top == "H51":
        return "H51.13" if agency.startswith("H51.13") else agency
    return agency


async def with_catalogue(api: Served) -> None:
    admin = await api.key()
    rows = [
        {"code": "H51", "name": "Tỉnh", "parent": None},
        {"code": "H51.12", "name": "Sở", "parent": "H51"},
        {"code": "H51.13", "name": "Huyện", "parent": "H51"},
        {"code": "H51.13.01", "name": "Xã", "parent": "H51.13"},
    ]
    response = await admin.put("/v1/agencies", json=rows)
    assert response.status_code == 200, response.text


@pytest.mark.parametrize(("key", "asked"), [(None, None), (None, "H51.13"), ("H51.13", None)])
async def test_lag_and_causes_add_up_and_open_down_to_their_dossiers(
    api: Served, key: str | None, asked: str | None
) -> None:
    await with_catalogue(api)
    drawn = [Drawn(Random(seed), seed) for seed in range(160)]
    await store(api, drawn)
    client = await api.key(Permission.SYNC_MANAGE, agency=key)
    top = key or asked or "H51"
    own = [one for one in drawn if top == "H51" or (one.agency or "").startswith(top)]
    begin, end = FIRST - timedelta(hours=7), FIRST + timedelta(days=31, hours=-7)
    parameters = dict(MARCH) if asked is None else {**MARCH, "agency": asked}

    answer = await get(client, "/v1/sync/lag", **parameters)

    due = [one for one in own if begin <= one.promised_at < end]
    by_cause = Counter(one.cause for one in due)
    assert min(by_cause[cause] for cause in CAUSES) > 0, "the draw must have all causes"
    late = answer["total"]["late"]
    assert {cause: late[cause] for cause in CAUSES} == {cause: by_cause[cause] for cause in CAUSES}
    assert (late["due"], late["on_portal"]) == (len(due), sum(by_cause[cause] for cause in CAUSES))
    assert late["only_there"] == late["on_portal"] - by_cause["in_fact"]
    steps = [one for one in own if one.sent_at is not None and begin <= (one.recorded_at or begin) < end]
    lags = [
        (one.acknowledged_at - one.recorded_at).total_seconds()
        for one in steps
        if one.acknowledged_at is not None and one.recorded_at is not None
    ]
    assert (answer["total"]["steps"], answer["total"]["acknowledged"]) == (len(steps), len(lags))
    assert answer["total"]["mean_sync_seconds"] == pytest.approx(sum(lags) / len(lags), abs=0.001)
    assert answer["total"]["longest_sync_seconds"] == max(lags)
    within = {str(limit): sum(lag <= limit for lag in lags) for limit in (10, 60, 300, 3_600, 86_400)}
    assert answer["total"]["acknowledged_within"] == within

    rows = {row["key"]: row for row in answer["rows"]}
    expected = {row_of(one.agency, top) for one in own} | ({"H51.13.01"} if top == "H51.13" else {"H51.12", "H51.13"})
    assert set(rows) == expected
    for name, row in rows.items():
        mine = [one for one in due if row_of(one.agency, top) == name]
        assert row["late"]["due"] == len(mine)
        assert {cause: row["late"][cause] for cause in CAUSES} == {
            cause: sum(one.cause == cause for one in mine) for cause in CAUSES
        }
        assert (row["late_dossiers"] is None) == (name in (top, "unknown"))
        assert row["steps"] == sum(row_of(one.agency, top) == name for one in steps)

    for cause in CAUSES:
        for row in (answer["total"] | {"late_dossiers": answer["late_dossiers"]}, *rows.values()):
            if row["late_dossiers"] is not None:
                listed = await get(client, f"{row['late_dossiers'].format(cause=cause)}&limit=500")
                assert len(listed["items"]) == row["late"][cause]
        found: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            page = await get(client, "/v1/sync/lag/dossiers", cause=cause, limit=3, **parameters, **cursor)
            found += page["items"]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert [one["dossier"] for one in found] == sorted(one.code for one in due if one.cause == cause)
    assert all(one["sent_at"] <= one["promised_at"] for one in found)


async def test_what_has_not_passed_yet_is_not_late(api: Served) -> None:
    [soon] = [Drawn(Random(0), 1)]
    soon.promised_at, soon.handled_at = datetime.now(UTC) + timedelta(minutes=30), None
    await store(api, [soon])
    client = await api.key(Permission.SYNC_MANAGE)
    year = str((datetime.now(UTC) + timedelta(hours=7)).year)
    assert (await get(client, "/v1/sync/lag", period=year))["total"]["late"]["due"] == 0


async def test_rights_and_wrong_questions(api: Served) -> None:
    await with_catalogue(api)
    own = await api.key(Permission.SYNC_MANAGE, agency="H51.13")
    assert (await own.get("/v1/sync/lag", params={"agency": "H51.12"})).status_code == 403
    reader = await api.key(Permission.DOSSIERS_READ)
    for path in ("/v1/sync/lag", "/v1/sync/lag/dossiers?cause=by_us", "/v1/sync/differences"):
        assert (await reader.get(path)).status_code == 403
    assert (await own.get("/v1/sync/lag/dossiers")).status_code == 422
    assert (await own.get("/v1/sync/lag/dossiers", params={"cause": "luck"})).status_code == 422


async def test_1_4_is_the_one_of_the_index(api: Served) -> None:
    """The live indicator and the index's are one figure: also against a given national denominator, and of nothing."""
    await load(api)
    client = await api.key(Permission.SYNC_MANAGE, Permission.STATS_READ, Permission.ADMIN)

    async def both(**period: str) -> tuple[dict[str, Any], dict[str, Any]]:
        live = (await get(client, "/v1/sync", **period))["indicator"]
        indicators = (await get(client, "/v1/indices/766", **period))["indicators"]
        [index] = [one for one in indicators if one["id"] == "1.4"]
        return live, index

    for period in (
        {"period": "2025"},
        {"period": "2025-Q3"},
        {"from": "2025-02-01", "to": "2025-02-03"},
        {"period": "2021"},
    ):
        live, index = await both(**period)
        for name in ("value", "numerator", "denominator", "formula"):
            assert live[name] == index[name], (period, name)
    given = {"indicator": "1.4", "agency": "H51", "from": "2025-01-01", "to": "2025-12-31", "numerator": None}
    given |= {"denominator": 5_000, "source": "Báo cáo", "source_on": "2026-01-15"}
    response = await client.put("/v1/indices/766/inputs", json=[given])
    assert response.status_code == 200, response.text
    live, index = await both(period="2025")
    assert live["denominator"] == index["denominator"] == 5_000
    assert live["value"] == index["value"]


async def test_the_summary_tells_ranks_and_alarms_and_the_list_of_differences_opens(api: Served) -> None:
    standing = await load(api)
    client = await api.key(Permission.SYNC_MANAGE)
    answer = await get(client, "/v1/sync")
    assert sum(answer["backlog"].values()) == answer["counts"]["pending"]
    parked = answer["counts"]["parked"] + answer["counts"]["unsendable"]
    alarms = {one["alarm"]: one for one in answer["alarms"]}
    assert set(alarms) == {"parked", "lag"}
    assert alarms["parked"]["value"] == parked
    own = await get(await api.key(Permission.SYNC_MANAGE, agency="H51.12"), "/v1/sync")
    assert {one["alarm"]: one["value"] for one in own["alarms"]}["parked"] < parked
    reader = await api.key(Permission.STATS_READ)
    metrics = (await reader.get("/metrics")).text
    assert 'motcua_sync_alarm{alarm="parked",tenant="H51"} 1.0' in metrics
    assert 'motcua_sync_alarm{alarm="circuit_open",tenant="H51"} 0.0' in metrics
    ready = (await reader.get("/readyz")).json()
    assert all(one["ready"] for one in ready["dependencies"] if one["name"] not in {"worker", "valkey"})

    assert await get(client, "/v1/sync/differences") == {"job": None, "items": [], "next_cursor": None}
    codes = sorted(standing)[:5]
    async with driver_session(api.engine) as connection:
        await connection.execute(
            "INSERT INTO job (tenant, job_id, kind, state, parameters) VALUES ('H51', 'night', 'reconcile', 'done', '{}')"
        )
        rows = [(code, "missing_there", True) for code in codes] + [("H51.99-260101-0001", "missing_here", False)]
        for code, kind, reopened in [*rows, (codes[0], "steps_missing", True)]:
            await connection.execute(
                "INSERT INTO sync_difference VALUES ('H51', 'night', $1, $2, '', $3, $4)", code, kind, FIRST, reopened
            )
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = await get(client, "/v1/sync/differences", limit=2, **cursor)
        assert page["job"] == "night"
        found += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert [one["dossier"] for one in found] == sorted([*codes, "H51.99-260101-0001"])
    assert len(found[0]["differences"]) == 2
    for one in found:
        repaired = one["dossier"] in standing and standing[one["dossier"]][1] == "sent"
        assert all(difference["repaired"] is repaired for difference in one["differences"])
    [extra] = (await get(client, "/v1/sync/differences", kind="missing_here"))["items"]
    assert (extra["dossier"], extra["state"]) == ("H51.99-260101-0001", "unknown")
    stranger = await api.key(Permission.SYNC_MANAGE, agency="H51.12")
    restricted = await get(stranger, "/v1/sync/differences")
    assert await get(stranger, "/v1/sync/differences", job="night") == restricted
    assert [one["dossier"] for one in restricted["items"]] == [code for code in codes if standing[code][0] == "H51.12"]
    assert date.fromisoformat(found[0]["found_at"][:10]) == FIRST.date()
