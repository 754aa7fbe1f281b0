"""Figures as of an earlier instant over HTTP, against the oracle fed with what had been recorded by then."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

from services.worker.projection import projector as projector_module
from shared.access.store.keys import Permission
from shared.as_of.store import dossiers as past_module
from shared.as_of.store import rows as past_rows
from tests.oracle.answers import Judge, figure
from tests.oracle.comparison import differences, figure_differences
from tests.oracle.computation import Computation, compute
from tests.oracle.figures import PATHS, dossiers_behind, scope, summary
from tests.oracle.histories import seeded_tenant
from tests.oracle.stack import Stack, identity, stack_of, stacked, unique
from tests.support.api import Served, clock, served

UNKNOWN = "unknown"


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with stacked(database_url, redis_url) as api:
        yield api


async def recorded(stack: Stack) -> list[tuple[datetime, tuple[str, str]]]:
    items: list[dict[str, Any]] = []
    after = 0
    while True:
        page = await stack.get("/v1/events", after=after, limit=1000)
        items.extend(page["items"])
        if page["next"] == after:
            return [(datetime.fromisoformat(item["recorded_at"]), identity(item["event"])) for item in items]
        after = page["next"]


class PastJudge(Judge):
    """The oracle as of an instant: it knows what had been recorded, and what each dossier's agency is now."""

    def __init__(
        self, stack: Stack, logged: list[Any], seed: int | str, as_of: datetime, now: dict[str, Computation]
    ) -> None:
        super().__init__(stack, logged, seed)
        self.stack = stack
        self.as_of = as_of.isoformat()
        self.now = now

    def _day(self) -> date:
        return super()._day() if self.dossiers else date(2024, 5, self.chance.randint(1, 31))

    async def all(self, position: int, *, client: Any = None, root: str | None = None) -> None:
        mine = scope(agency=root, tenant=self.tenant)
        for _ in range(3):
            (start, to), (parameters, asked_for) = self._period(), self._scope()
            if root is not None:
                # what the key may see now, and what was its own then
                parameters.pop("agency", None)
                parameters = {k: v for k, v in parameters.items() if k == "channel"}
                channel = scope(channel=parameters.get("channel"), tenant=self.tenant)

                def asked_for(d: Computation, channel: Any = channel) -> bool:
                    return mine(self.now[d.code]) and mine(d) and channel(d)

            asked = {"from_": str(start), "to": str(to), "as_of": self.as_of, **parameters}
            expected = summary(self.dossiers, start, to, asked_for)
            answer = await self.stack.get("/v1/stats/summary", client=client, **asked)
            assert figure_differences(expected, answer) == [], asked
            assert (answer["as_of"]["position"], answer["as_of"]["lag_seconds"]) == (position, 0)
            assert all(check["holds"] for check in answer["checks"])
            await self._behind(asked, answer, dossiers_behind(self.dossiers, start, to, asked_for), client)
            for by in ("agency", "procedure", "field", "channel", "month"):
                if by == "month" and (to - start).days > 500:
                    continue
                table = await self.stack.get(f"/v1/stats/by/{by}", client=client, **asked)
                assert figure_differences(expected, table["total"]) == [], (by, asked)
                assert all(check["holds"] for part in (*table["rows"], table["total"]) for check in part["checks"])
                if by == "month":
                    for row in table["rows"]:
                        begin, end = (date.fromisoformat(row["period"][key]) for key in ("from", "to"))
                        assert figure_differences(summary(self.dossiers, begin, end, asked_for), row) == [], asked
                    continue
                top = parameters.get("agency", root or str(self.tenant))
                row_of = self._row_of(by, top)
                groups: dict[str, list[Computation]] = {}
                for dossier in filter(asked_for, self.dossiers):
                    groups.setdefault(row_of(dossier), []).append(dossier)
                rows = {row["key"]: row for row in table["rows"]}
                for key in groups.keys() | rows.keys():
                    wanted = summary(groups.get(key, []), start, to)
                    if key in rows:
                        assert figure_differences(wanted, rows[key]) == [], (key, by, asked)
                    else:
                        assert not any(figure(wanted, path) for path in PATHS), (key, by, asked)
                await self._rows_behind(by, table, groups, (start, to), client)

    async def _rows_behind(
        self, by: str, table: Any, groups: dict[str, list[Computation]], period: tuple[date, date], client: Any
    ) -> None:
        for row in self.chance.sample(table["rows"], min(2, len(table["rows"]))):
            path = self.chance.choice(PATHS)
            link = table["row_dossiers"].format(figure=path, row=quote(row["key"]))
            opened = urlsplit(link)
            items = await self.stack.pages(opened.path, client=client, **dict(parse_qsl(opened.query)))
            expected = dossiers_behind(groups.get(row["key"], []), *period, lambda _: True)[path]
            assert sorted(item["code"] for item in items) == sorted(expected), (by, link)
            assert len(items) == figure(row, path)

    async def _behind(self, asked: dict[str, Any], answer: Any, behind: dict[str, set[str]], client: Any) -> None:
        for path in self.chance.sample(PATHS, 3):
            sort = self.chance.choice(("code", "-code", "received_at", "-received_at", "due_at", "-due_at"))
            items = await self.stack.pages(
                "/v1/stats/summary/dossiers",
                client=client,
                figure=path,
                limit=self.chance.choice((3, 100)),
                sort=sort,
                **asked,
            )
            codes = [item["code"] for item in items]
            assert sorted(codes) == sorted(behind[path]), (path, asked)
            assert len(codes) == figure(answer, path)
            key = sort.removeprefix("-")
            down = sort.startswith("-")
            own = [self.oracle[code] for code in codes]
            having = sorted(
                (d for d in own if getattr(d, key) is not None), key=lambda d: (getattr(d, key), d.code), reverse=down
            )
            others = sorted((d.code for d in own if getattr(d, key) is None), reverse=down)
            assert codes == [d.code for d in having] + others, sort
            for item in items:
                dossier = self.oracle[item["code"]]
                assert differences(dossier, {k: v for k, v in item.items() if k != "anomalies"}) == []
                assert sorted(set(item["anomalies"])) == self.anomalies(dossier)


@pytest.mark.parametrize("case", range(4))
async def test_any_prefix_is_answered_exactly(api: Served, case: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(f"as of {case}")
    logged = seeded_tenant(f"as of {case}", 50, http=True)
    stack = await stack_of(api, "H51")
    if case % 2:
        monkeypatch.setattr(projector_module, "FIRST_LIMIT", 30)
    start = 0
    instants = [await clock(api)]
    while start < len(logged):
        size = chance.randint(1, 150)
        await stack.tell(logged[start : start + size], chance, most=40)
        start += size
        instants.append(await clock(api))
    if case < 3:  # the last case asks while most is not counted yet
        await stack.project()
    events = {identity(event): event for event in unique(logged)}
    log = await recorded(stack)
    now = compute([events[who] for _, who in log])
    agencies = Judge(stack, logged, 0).agencies
    for number, as_of in enumerate([*instants, *(chance.choice(log)[0] for _ in range(4))]):
        prefix = [events[who] for at, who in log if at <= as_of]
        judge = PastJudge(stack, prefix, f"{case} {number}", as_of, now)
        await judge.all(len(prefix))
        root = chance.choice(agencies)
        client = await stack.key(Permission.STATS_READ, Permission.DOSSIERS_READ, agency=root)
        await judge.all(len(prefix), client=client, root=root)
        if chance.random() < 0.3:
            await stack.projector.work(stack.tenant)


def simple(number: int) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "type": "vn.motcua.dossier.received.v1",
        "source": "urn:test",
        "id": str(number),
        "subject": f"H51.12-240512-{number:05}",
        "time": "2024-05-12T08:00:00Z",
        "data": {"procedure_code": "1.005129", "agency_code": "H51.12", "channel": "online"},
    }


async def test_nothing_is_recorded_at_or_before_an_instant_that_was_answered(api: Served) -> None:
    """Appends without a pause, and beside them the question for this very moment: its answer stays what it was."""
    stack = await stack_of(api, "H51")
    stop = asyncio.Event()

    async def append(lane: int) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            answer = await stack.client.post("/v1/events", json=simple(lane * 10_000 + number))
            assert answer.status_code == 202

    async def project() -> None:
        while not stop.is_set():
            await stack.projector.work(stack.tenant)
            await asyncio.sleep(0.01)

    lanes = [asyncio.create_task(append(lane)) for lane in range(3)] + [asyncio.create_task(project())]
    asked = {"period": "2024"}
    answers: list[tuple[datetime, int, int]] = []
    for _ in range(40):
        now = await clock(api)
        answer = await stack.get("/v1/stats/summary", as_of=now.isoformat(), **asked)
        answers.append((now, answer["as_of"]["position"], answer["received"]["total"]))
    stop.set()
    await asyncio.gather(*lanes)
    await stack.project()
    log = await recorded(stack)
    assert answers[-1][1] > answers[0][1]
    for now, position, received in answers:
        assert position == sum(at <= now for at, _ in log)
        assert received == position
        again = await stack.get("/v1/stats/summary", as_of=now.isoformat(), **asked)
        assert (again["as_of"]["position"], again["received"]["total"]) == (position, received)


async def test_dates_today_and_refusals(api: Served) -> None:
    stack = await stack_of(api, "H51")
    before = await clock(api)
    await stack.client.post("/v1/events", json=simple(1))
    answer = await stack.get("/v1/stats/summary", period="2024", as_of=before.isoformat())
    assert (answer["as_of"], answer["received"]["total"]) == ({"position": 0, "recorded_at": None, "lag_seconds": 0}, 0)
    assert answer["rates"]["resolved_on_time"]["value"] is None
    # not projected yet, and counted all the same
    local = (before + timedelta(hours=7)).date()
    answer = await stack.get("/v1/stats/summary", period="2024", as_of=local.isoformat())
    assert (answer["as_of"]["position"], answer["received"]["total"]) == (1, 1)
    answer = await stack.get("/v1/stats/summary", period="2024", as_of=(local - timedelta(days=1)).isoformat())
    assert (answer["as_of"]["position"], answer["period"]) == (0, {"from": "2024-01-01", "to": "2024-12-31"})
    later = (before + timedelta(minutes=2)).isoformat()
    for as_of in (later, (local + timedelta(days=1)).isoformat(), "yesterday", "2024-05-12T08:00:00", "2024-02-30"):
        refused = await stack.client.get("/v1/stats/summary", params={"period": "2024", "as_of": as_of})
        assert refused.status_code == 422, as_of
        assert refused.json()["errors"][0]["pointer"] == "/as_of"
    early = await stack.client.get("/v1/stats/summary", params={"period": "2025", "as_of": "2024-12-31"})
    assert early.status_code == 422
    assert early.json()["errors"][0]["pointer"] == "/period"
    cut = await stack.get("/v1/stats/summary", period="2024", as_of="2024-06-15")
    assert cut["period"] == {"from": "2024-01-01", "to": "2024-06-15"}


async def test_the_catalogue_is_the_one_known_then(api: Served) -> None:
    stack = await stack_of(api, "H51")
    await stack.client.post("/v1/events", json=simple(1))
    await stack.project()
    before = await clock(api)
    procedure = {"code": "1.005129", "name": "Khác", "field": "Đất đai"}
    assert (await stack.client.put("/v1/procedures", json=[procedure])).status_code == 200
    agency = {"code": "H51.12", "name": "Sở mới", "parent": "H51.02"}
    assert (await stack.client.put("/v1/agencies", json=[agency])).status_code == 200
    for as_of, named, field in ((before, "H51.12", "Hộ tịch"), (await clock(api), "H51.02", "Đất đai")):
        asked = {"period": "2024", "as_of": as_of.isoformat()}
        rows = (await stack.get("/v1/stats/by/agency", **asked))["rows"]
        assert [row["key"] for row in rows if row["received"]["total"]] == [named]
        rows = (await stack.get("/v1/stats/by/field", **asked))["rows"]
        assert [row["key"] for row in rows] == [field]


async def test_an_old_past_as_csv(api: Served) -> None:
    stack = await stack_of(api, "H51")
    await stack.client.post("/v1/events", json=[simple(number) for number in range(1, 8)])
    await stack.project()
    before = await clock(api)
    ended = [
        simple(number) | {"id": f"e{number}", "type": "vn.motcua.dossier.withdrawn.v1", "data": {}} for number in range(1, 6)
    ]
    for event in ended:
        event["time"] = "2024-05-13T08:00:00Z"
    await stack.client.post("/v1/events", json=ended)
    await stack.project()
    asked = {"period": "2024", "as_of": before.isoformat(), "figure": "open.total"}
    answer = await stack.client.get("/v1/stats/summary/dossiers", params={**asked, "format": "csv", "sort": "code"})
    lines = answer.text.strip().splitlines()
    assert len(lines) == 8
    assert lines[1].split(",")[:2] == ["H51.12-240512-00001", "2"]
    page = await stack.get("/v1/stats/summary/dossiers", **asked, count="true", limit=2)
    assert (page["count"], len(page["items"])) == (7, 2)
    now = await stack.get("/v1/stats/summary/dossiers", period="2024", figure="open.total", count="true")
    assert now["count"] == 2


async def test_a_past_that_takes_long_is_computed_question_by_question(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past_module, "PAGE_DOSSIERS", 10)
    monkeypatch.setattr(past_module, "MOST_IN_SNAPSHOT", 0)
    stack = await stack_of(api, "H51")
    await stack.client.post("/v1/events", json=[simple(number) for number in range(1, 46)])
    await stack.project()
    before = await clock(api)
    voids = [
        simple(number) | {"id": f"e{number}", "type": "vn.motcua.dossier.withdrawn.v1", "data": {}}
        for number in range(1, 41)
    ]
    await stack.client.post("/v1/events", json=[one | {"time": "2024-05-13T08:00:00Z"} for one in voids])
    await stack.project()
    as_of_views = api.app.state.context.as_of_views
    monkeypatch.setattr(as_of_views, "patience_seconds", 0.0)
    asked = {"period": "2024", "as_of": before.isoformat()}
    answers = []
    while not answers or answers[-1].status_code == 503:
        answers.append(await stack.client.get("/v1/stats/summary", params=asked))
    assert [answer.status_code for answer in answers] == [503, 503, 503, 200]
    assert all(int(answer.headers["retry-after"]) > 0 for answer in answers[:-1])
    assert [re.findall(r"\d+", answer.json()["detail"]) for answer in answers[:-1]] == [
        [str(10 * turn), str(40 - 10 * turn)] for turn in (1, 2, 3)
    ]
    figures = answers[-1].json()
    assert (figures["received"]["total"], figures["open"]["total"], figures["resolved"]["total"]) == (45, 45, 0)


async def test_more_than_the_setting_allows_is_refused(database_url: str, redis_url: str) -> None:
    async with served(database_url, redis_url, as_of_dossiers=3) as api:
        stack = await stack_of(api, "H51")
        before = await clock(api)
        await stack.client.post("/v1/events", json=[simple(number) for number in range(1, 4)])
        await stack.project()
        between = await clock(api)
        await stack.client.post("/v1/events", json=[simple(number) for number in range(4, 8)])
        asked = {"period": "2024"}
        assert (await stack.get("/v1/stats/summary", as_of=before.isoformat(), **asked))["as_of"]["position"] == 0
        # three of seven events are older: those are computed
        assert (await stack.get("/v1/stats/summary", as_of=between.isoformat(), **asked))["received"]["total"] == 3
        late = await clock(api)
        await stack.client.post("/v1/events", json=[simple(number) for number in range(8, 12)])
        await stack.project()
        refused = await stack.client.get("/v1/stats/summary", params={**asked, "as_of": late.isoformat()})
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["code"] == "too_much_changed"


async def test_a_question_of_rows_that_moves_too_many_is_refused(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past_rows, "MOST_TRAVELLING", 3)
    stack = await stack_of(api, "H51")
    await stack.client.post("/v1/events", json=[simple(number) for number in range(1, 5)])
    before = await clock(api)
    await stack.client.post("/v1/events", json=[simple(number) for number in range(5, 10)])
    asked = {"period": "2024", "as_of": before.isoformat()}
    assert (await stack.get("/v1/stats/summary", **asked))["received"]["total"] == 4
    refused = await stack.client.get("/v1/indices/766", params=asked)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "too_much_changed")
    # of another period none would move
    answer = await stack.get("/v1/indices/766", from_="2023-01-01", to="2023-12-31", as_of=before.isoformat())
    assert answer["as_of"]["position"] == 4
