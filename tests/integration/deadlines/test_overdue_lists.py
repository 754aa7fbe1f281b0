"""Officials' lists over HTTP against every dossier looked at one by one."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from shared.access.store.keys import Permission
from shared.calendar.rules.calendar import DayKind, WorkingCalendar
from shared.calendar.rules.working_time import OFFICE_HOURS, OfficeHours
from shared.database.engine import driver_session
from shared.deadlines.rules.ageing import Ageing, ageing_of, ageing_ranges, coming_due
from shared.deadlines.rules.apology import Apology, apology, late_reason
from shared.dossiers.rules.dossier import Dossier, fold
from shared.events.store import event_log
from shared.vocabulary.events import Event
from shared.vocabulary.local_time import local_date
from tests.support.api import H51, Served, at, random_row, served
from tests.support.figures import AGENCIES, BRANCH, CATALOGUE, PROCEDURES
from tests.support.projection import new_event, project

REASONS = ["Chờ phối hợp", "chờ  phối hợp", "Thiếu người", None]
UNDER_12 = ("H51.12", "H51.12.01", "000.00.12.H51", "H51.12.88")


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as api:
        assert (await (await api.key()).put("/v1/agencies", json=CATALOGUE)).status_code == 200
        yield api


async def asked(client: httpx.AsyncClient, path: str, **parameters: Any) -> dict[str, Any]:
    named = {name.rstrip("_"): str(value) for name, value in parameters.items()}
    response = await client.get(httpx.URL(path).copy_merge_params(named))
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def all_of(client: httpx.AsyncClient, path: str, **parameters: Any) -> list[dict[str, Any]]:
    answer = await asked(client, path, **parameters)
    items = list(answer["items"])
    while answer["next_cursor"]:
        answer = await asked(client, path, cursor=answer["next_cursor"], **parameters)
        items += answer["items"]
    return items


async def put_calendar(api: Served, today: date) -> WorkingCalendar:
    days = {today - timedelta(days=3): DayKind.OFF, today - timedelta(days=9): DayKind.WORKED}
    logged = [{"date": str(on), "kind": kind.value, "source": "x"} for on, kind in days.items()]
    years = sorted({today.year, today.year - 1})
    answer = await (await api.key()).put("/v1/calendar", json={"days": logged, "confirmed_years": years})
    assert answer.status_code == 200, answer.text
    return WorkingCalendar(days, frozenset(years))


async def test_ageing_and_coming_due(api: Served) -> None:
    client = await api.key(Permission.STATS_READ, Permission.DOSSIERS_READ)
    today = date.fromisoformat((await asked(client, "/v1/overdue"))["today"])
    calendar = await put_calendar(api, today)
    random = Random(4)
    rows = []
    for number in range(1, 501):
        row = random_row(random, number, AGENCIES, PROCEDURES)
        if row.received_on is not None and row.ended_on is None and random.random() < 0.8:
            # every day has its dossiers, whatever today is
            due_on = today + timedelta(days=number % 36 - 30)
            overdue = f"{{[{due_on + timedelta(days=1)},)}}"
            due_at = at(due_on, random.randrange(24), 30)
            row = row._replace(due_at=due_at, within_days="{}", overdue_days=overdue, paused_days="{}")
        rows.append(row)
    await api.write(rows)
    whole = await asked(client, "/v1/overdue")
    now = datetime.fromisoformat(whole["answered_at"])
    ranges = ageing_ranges(today, calendar)
    paused = {one["code"] for one in await all_of(client, "/v1/dossiers", limit=500) if one["paused"]}
    standing = [row for row in rows if row.received_on and row.ended_on is None and row.code not in paused]
    expected: dict[str, Counter[str]] = {}
    for row in standing:
        sums = expected.setdefault(BRANCH[row.agency], Counter())
        sums[ageing_of(row.due_at, ranges).value] += 1
        soon = coming_due(row.due_at, now)
        sums.update([] if soon is None else [soon.value])
    assert whole["unconfirmed_years"] == []
    assert {row["key"]: Counter({**row["ageing"], **row["coming_due"]}) for row in whole["rows"]} == {
        row["key"]: expected.get(row["key"], Counter()) for row in whole["rows"]
    }
    assert set(expected) <= {row["key"] for row in whole["rows"]}
    total = sum(expected.values(), Counter[str]())
    assert all(total[bucket.value] for bucket in Ageing)
    for name, number in {**whole["total"]["ageing"], **whole["total"]["coming_due"]}.items():
        assert number == total[name]
        items = await all_of(client, whole["dossiers"].format(bucket=name), limit=50)
        assert len(items) == number
        dues = [item["due_at"] for item in items if item["due_at"]]
        assert dues == sorted(dues)
    column_13 = (await asked(client, "/v1/stats/summary", from_=today, to=today))["open"]["overdue"]
    assert sum(number for name, number in whole["total"]["ageing"].items() if name.startswith("late")) == column_13
    text = (await client.get("/v1/overdue/dossiers?bucket=late_over_10&format=csv")).content.decode("utf-8-sig")
    assert len(list(csv.DictReader(io.StringIO(text)))) == total["late_over_10"]


async def test_agencies_with_a_week_of_their_own_are_late_by_their_own_days(api: Served) -> None:
    client = await api.key(Permission.ADMIN)
    today = date.fromisoformat((await asked(client, "/v1/overdue"))["today"])
    calendar = await put_calendar(api, today)
    weeks = {"H51.12": list(range(1, 8)), "H51.13": [today.isoweekday() % 7 + 1]}
    logged = [{"agency": agency, "hours": "07:30-11:30", "weekdays": days} for agency, days in weeks.items()]
    assert (await client.put("/v1/office-hours", json=logged)).status_code == 200
    rows = []
    for number, back in enumerate([*range(-2, 40)] * 4, start=1):
        due_on = today - timedelta(days=back)
        agency = ("H51.12.01", "000.00.13.H51", "H51.77", None)[number % 4]
        row = random_row(Random(number), number, [agency], PROCEDURES)
        open_days = {"paused_days": "{}", "within_days": "{}", "overdue_days": f"{{[{due_on + timedelta(days=1)},)}}"}
        received = {"received_on": today - timedelta(days=60), "received_at": at(today - timedelta(days=60))}
        ended = {"ended_on": None, "ended_at": None, "resolution": None, "end_kind": None}
        rows.append(row._replace(due_at=at(due_on, 10), status=4, **open_days, **received, **ended))
    await api.write(rows)
    expected: dict[str | None, Counter[str]] = {}
    for row in rows:
        own = {"H51.12.01": weeks["H51.12"], "000.00.13.H51": weeks["H51.13"]}.get(row.agency or "")
        week = OFFICE_HOURS if own is None else OfficeHours.read("07:30-11:30", frozenset(own))
        expected.setdefault(row.agency, Counter())[ageing_of(row.due_at, ageing_ranges(today, calendar, week)).value] += 1
    assert len({tuple(sorted(counts.items())) for agency, counts in expected.items() if agency is not None}) == 3
    total = sum(expected.values(), Counter[str]())
    for agency, counts in ((None, total), ("H51.12", expected["H51.12.01"]), ("H51.77", expected["H51.77"])):
        scope = {} if agency is None else {"agency": agency}
        whole = await asked(client, "/v1/overdue", **scope)
        assert Counter(whole["total"]["ageing"]) == counts
        for bucket, number in counts.items():
            items = await all_of(client, whole["dossiers"].format(bucket=bucket), limit=500)
            assert len({item["code"] for item in items}) == number == len(items)


async def test_an_agency_seen_a_moment_ago_is_in_every_list(api: Served) -> None:
    whole = await api.key(Permission.ADMIN)
    below = await api.key(Permission.STATS_READ, Permission.DOSSIERS_READ, agency="H51.12")
    today = date.fromisoformat((await asked(below, "/v1/overdue"))["today"])
    paths = (
        "/v1/overdue",
        "/v1/overdue/dossiers",
        "/v1/overdue/apologies",
        "/v1/overdue/apologies/dossiers",
        "/v1/overdue/reasons",
        "/v1/overdue/reasons/dossiers",
    )
    for number, path in enumerate(paths, start=1):
        agency = f"H51.12.7{number}"  # nobody told it, no dossier has had it
        due_on = today - timedelta(days=2)
        row = random_row(Random(1), number, [agency], PROCEDURES)
        open_days = {"paused_days": "{}", "within_days": "{}", "overdue_days": f"{{[{due_on + timedelta(days=1)},)}}"}
        received = {"received_on": today - timedelta(days=9), "received_at": at(today - timedelta(days=9))}
        ended = {"ended_on": None, "ended_at": None, "resolution": None, "end_kind": None}
        events = [
            {
                "type": "vn.motcua.dossier.received.v1",
                "source": "urn:x",
                "id": f"new-{number}",
                "subject": row.code,
                "time": at(today - timedelta(days=9)).isoformat(),
                "data": {
                    "procedure_code": "1.1",
                    "agency_code": agency,
                    "channel": "direct",
                    "due_at": at(due_on).isoformat(),
                },
            }
        ]
        async with driver_session(api.engine) as connection:
            await event_log.append(connection, H51, [new_event(event) for event in events])
        more = {"bucket": "late_over_10"} if path.endswith("overdue/dossiers") else {}
        for client in (whole, below):
            await asked(client, path, **more)  # the catalogue is remembered without it
        await api.write([row._replace(due_at=at(due_on), status=4, **open_days, **received, **ended)])
        answers = []
        for client in (below, whole):
            answers.append(await asked(client, path, agency="H51.12", **({"bucket": "late_1_3"} if more else {})))
        for answer in answers:
            if "items" in answer:
                assert row.code in [item["code"] for item in answer["items"]]
            elif "reasons" in answer:
                assert answer["total"]["overdue"] == number
            elif "ageing" in answer["total"]:
                assert sum(answer["total"]["ageing"].values()) == number
            else:
                assert answer["total"]["not_sent"] == number


async def test_a_year_without_a_confirmed_calendar_says_so(api: Served) -> None:
    whole = await asked(await api.key(Permission.STATS_READ), "/v1/overdue")
    assert date.fromisoformat(whole["today"]).year in whole["unconfirmed_years"]


def history(random: Random, number: int, today: date) -> list[dict[str, Any]]:
    """A dossier around today: due some days before or after, perhaps with a letter, a pause, an end."""
    code = f"H51.12-240115-{number:05}"
    received_on = today - timedelta(days=random.randrange(20, 60))
    due_on = today + timedelta(days=random.randrange(-15, 6))

    def event(name: str, on: date, **data: Any) -> dict[str, Any]:
        moment = at(on, random.randrange(8, 9), random.randrange(60))
        return {
            "type": f"vn.motcua.dossier.{name}.v1",
            "source": "urn:x",
            "id": f"{number}-{name}-{on}-{random.random()}",
            "subject": code,
            "time": moment.isoformat(),
            "data": {key: value for key, value in data.items() if value is not None},
        }

    logged = {"procedure_code": "1.000001", "channel": "direct", "due_at": at(due_on, 16).isoformat()}
    events = [event("received", received_on, agency_code=random.choice([one for one in AGENCIES if one]), **logged)]
    past = [on for on in (due_on - timedelta(days=n) for n in range(-3, 4)) if received_on < on < today]
    if past and random.random() < 0.4:
        later = at(today + timedelta(days=random.randrange(1, 9)), 16).isoformat()
        events.append(event("extended", random.choice(past), new_due_at=later, apology_number="1", reason="x"))
    if past and random.random() < 0.2:
        events.append(event("supplement_requested", random.choice(past), content="x"))
    if random.random() < 0.3:
        events.append(event("overdue", today - timedelta(days=1), reason=random.choice(REASONS)))
    if random.random() < 0.4:
        ended_on = today - timedelta(days=random.randrange(1, 18))
        events.append(event("processed", ended_on, outcome="approved", late_reason=random.choice(REASONS)))
    return events


async def loaded(api: Served, today: date, number: int) -> list[tuple[Dossier, list[Event]]]:
    random = Random(9)
    posted = [event for n in range(1, number + 1) for event in history(random, n, today)]
    async with driver_session(api.engine) as connection:
        await event_log.append(connection, H51, [new_event(event) for event in posted])
    await project(api.engine)
    async with driver_session(api.engine) as connection:
        found = await event_log.of_dossiers(connection, H51, {event["subject"] for event in posted})
    return [(fold(code, events), events) for code, events in found.items()]


async def test_letters_and_reasons(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.search.store.late_dossiers.PAGE", 40)
    client = await api.key(Permission.STATS_READ, Permission.DOSSIERS_READ)
    today = date.fromisoformat((await asked(client, "/v1/overdue"))["today"])
    dossiers = await loaded(api, today, 300)
    begin, end = today - timedelta(days=8), today - timedelta(days=2)
    for agency in (None, "H51.12"):
        scope = {"from_": begin, "to": end} | ({} if agency is None else {"agency": agency})
        mine = [
            (dossier, events)
            for dossier, events in dossiers
            if (dossier.ended_at is None or begin <= local_date(dossier.ended_at) <= end)
            and (agency is None or dossier.agency_code in UNDER_12)
        ]
        expected = {dossier.code: apology(dossier, today) for dossier, _ in mine}
        expected = {code: state for code, state in expected.items() if state is not Apology.NOT_OWED}
        whole = await asked(client, "/v1/overdue/apologies", **scope)
        assert whole["total"] == {state.value: Counter(expected.values())[state] for state in Apology if state != "not_owed"}
        assert all(whole["total"].values())
        assert {name: sum(row[name] for row in whole["rows"]) for name in whole["total"]} == whole["total"]
        items = await all_of(client, "/v1/overdue/apologies/dossiers", limit=37, **scope)
        assert {item["code"]: item["state"] for item in items} == expected
        assert [item["code"] for item in items] == sorted(expected)
        for state, number in whole["total"].items():
            assert len(await all_of(client, whole["dossiers"].format(state=state), limit=500)) == number

        late = [(dossier, events) for dossier, events in mine if is_late(dossier, today)]
        tally = Counter(" ".join((late_reason(events) or "").split()).casefold() for _, events in late)
        reasons = await asked(client, "/v1/overdue/reasons", **scope)
        assert {(row["reason"] or "").casefold(): row["dossiers"] for row in reasons["rows"]} == tally
        assert reasons["total"]["dossiers"] == len(late)
        assert reasons["total"]["resolved_late"] == sum(dossier.ended_at is not None for dossier, _ in late)
        assert reasons["reasons"] == 2
        for row in (reasons["total"], *reasons["rows"]):
            for figure in ("dossiers", "resolved_late", "overdue"):
                reason = quote((row.get("reason") or "").upper())
                link = reasons["dossiers" if "reason" not in row else "row_dossiers"].format(figure=figure, reason=reason)
                assert len(await all_of(client, link, limit=37)) == row[figure], link
                assert len((await client.get(f"{link}&format=csv")).text.splitlines()) == row[figure] + (row[figure] > 0)
        figures = await asked(client, "/v1/stats/summary", **scope)
        assert figures["resolved"]["late"] == reasons["total"]["resolved_late"]


def is_late(dossier: Dossier, today: date) -> bool:
    if dossier.due_at is None:
        return False
    if dossier.ended_at is not None:
        return local_date(dossier.ended_at) > local_date(dossier.due_at)
    return not dossier.is_paused and local_date(dossier.due_at) < today


async def test_rights(api: Served) -> None:
    stats, reader = await api.key(Permission.STATS_READ), await api.key(Permission.DOSSIERS_READ)
    restricted = await api.key(Permission.STATS_READ, agency="H51.12")
    for path in ("/v1/overdue", "/v1/overdue/apologies", "/v1/overdue/reasons"):
        assert (await stats.get(path)).status_code == 200
        assert (await reader.get(path)).status_code == 403
        assert (await restricted.get(path, params={"agency": "H51.13"})).status_code == 403
        assert (await restricted.get(path)).json()["agency"] == "H51.12"
        assert (await stats.get(path, params={"surprise": "1"})).status_code == 422
    for path in ("/v1/overdue/dossiers?bucket=due_today", "/v1/overdue/apologies/dossiers"):
        assert (await stats.get(path)).status_code == 403
        assert (await reader.get(path)).json()["items"] == []
    assert (await reader.get("/v1/overdue/dossiers?bucket=old")).status_code == 422
