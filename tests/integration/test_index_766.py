"""The index over HTTP against a brute-force reckoning over folded dossiers; given figures; access."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from random import Random
from typing import Any

import pytest

from shared.db import event_log, tenants
from shared.db.almanacs import read_almanac
from shared.db.engine import driver_session
from shared.db.keys import Scope
from shared.domain.dossier import Dossier, fold
from shared.domain.terms import Term, TermUnit
from tests.integration.projected import TENANT, append, new_event, project
from tests.integration.served import Served, served
from tests.oracle.histories import PROCEDURES, seeded_tenant

LOCAL = timedelta(hours=7)
CATALOGUE: dict[str, dict[str, Any]] = {
    PROCEDURES[0]: {"field": "A", "has_fee": True, "limit": {"value": 2, "unit": "working_days"}},
    PROCEDURES[1]: {"field": "A", "result_is_document": True, "limit": {"value": 30, "unit": "working_hours"}},
    PROCEDURES[2]: {"field": "B", "has_fee": True, "result_is_document": True, "limit": {"value": 1, "unit": "months"}},
}
HOLIDAYS = {"2019-12-16": "off", "2022-05-14": "worked", "2023-02-27": "off"}


def decorated(posted: dict[str, Any], random: Random) -> dict[str, Any]:
    """The event with all that the index asks for, at random."""
    data = dict(posted.get("data") or {})
    kind = posted["type"].split(".")[3]
    if kind == "received":
        names = ("vneid_verified", "components_digitised", "components_reused", "from_national_store")
        data["flags"] = {name: random.random() < 0.5 for name in names if random.random() < 0.8}
    elif kind == "payment_requested":
        data["fees"] = [
            {"code": "L", "name": "L", "amount_vnd": random.choice([0, 0, 5])} for _ in range(random.randrange(3))
        ]
    elif kind == "paid":
        data["gateway"] = random.choice(["national", "local", "counter"])
    elif kind == "processed":
        data["results"] = [{"code": "K"} | ({"url": "https://kq.test/1"} if random.random() < 0.6 else {})]
    elif kind == "rated":
        data["satisfied"] = random.random() < 0.5
    return {**posted, "data": data}


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as api:
        admin = await api.key()
        agencies = [
            {"code": code, "name": code, "parent": None if code == "H51" else "H51"} for code in ("H51", "H51.12", "H51.02")
        ]
        assert (await admin.put("/v1/agencies", json=agencies)).status_code == 200
        procedures = [{"code": code, "name": code, **known} for code, known in CATALOGUE.items()]
        assert (await admin.put("/v1/procedures", json=procedures)).status_code == 200
        days = [{"date": on, "kind": kind, "source": "x"} for on, kind in HOLIDAYS.items()]
        years = list(range(2015, 2031))
        assert (await admin.put("/v1/calendar", json={"days": days, "confirmed_years": years})).status_code == 200
        yield api


async def load(api: Served, seed: int, number: int) -> dict[str, Dossier]:
    random = Random(seed)
    seen: set[tuple[str, str]] = set()
    told = []
    for posted in seeded_tenant(f"index{seed}", number, longest=9):
        if (posted["source"], posted["id"]) not in seen:
            seen.add((posted["source"], posted["id"]))
            told.append(new_event(decorated(posted, random)))
    await append(api.engine, told)
    await project(api.engine)
    async with driver_session(api.engine) as link:
        log = await event_log.read_after(link, TENANT, 0, 1_000_000)
    histories: dict[Any, list[Any]] = {}
    for event in log:
        histories.setdefault(event.dossier_code, []).append(event)
    return {str(code): fold(code, events) for code, events in histories.items()}


async def acknowledge(api: Served, codes: list[str]) -> None:
    async with driver_session(api.engine) as link:
        await link.execute(
            "UPDATE sync_ledger SET state = 'sent', dossier_position = 1, known_there = true"
            " WHERE tenant = $1 AND dossier_code = ANY($2::text[])",
            TENANT,
            codes,
        )


def us(span: timedelta) -> int:
    return span // timedelta(microseconds=1)


def end_of(dossier: Dossier) -> datetime | None:
    """9, else 10, else 8 or refusal, else 7: of the ends after the last reopening."""
    ends: list[tuple[str, datetime]] = []
    seen = False
    for step in dossier.steps:
        name = step.name.value
        if name in ("transferred", "extended"):
            continue
        if seen and name in ("processed", "returned", "stopped", "rejected", "withdrawn"):
            ends.append((name, step.time))
        else:
            ends = []
        seen = seen or name == "received"
    for names, which in ((("processed",), -1), (("returned",), 0), (("stopped", "rejected"), -1), (("withdrawn",), -1)):
        found = [when for name, when in ends if name in names]
        if found:
            return found[which]
    return None


class Recount:
    """Every indicator from the folded dossiers of a scope, one by one."""

    def __init__(
        self, dossiers: dict[str, Dossier], *, synced: set[str], almanac: Any, first: date, last: date, chosen: set[str]
    ):
        self.almanac = almanac
        self.begin = datetime(first.year, first.month, first.day, tzinfo=UTC) - LOCAL
        self.end = datetime(last.year, last.month, last.day, tzinfo=UTC) - LOCAL + timedelta(days=1, microseconds=-1)
        received = {c: d for c, d in dossiers.items() if d.received_at is not None}
        self.new = {c: d for c, d in received.items() if self.begin <= d.received_at <= self.end}
        ends = {c: end_of(d) for c, d in received.items()}
        self.hand = [
            d for c, d in received.items() if d.received_at <= self.end and (ends[c] is None or ends[c] >= self.begin)
        ]
        self.synced = sum(code in synced for code in self.new)
        self.chosen = chosen

    def is_late(self, dossier: Dossier) -> bool:
        ended = end_of(dossier)
        handled = ended is not None and ended <= self.end
        end = ended if handled else self.end
        if len([one for one in dossier.supplements if handled or one.requested.time <= self.end]) > 1:
            return True
        waiting = timedelta()
        for pause in dossier.pauses:
            if pause.begun_at < end:
                waiting += min(pause.until or end, end) - pause.begun_at
        promises = [one.due_at for one in dossier.due_settings if handled or one.event.time <= self.end]
        if promises:
            return end - waiting > promises[-1]
        limit = CATALOGUE.get(dossier.procedure_code or "", {}).get("limit")
        if limit is None or dossier.received_at is None:
            return False
        office = self.almanac.working_time(dossier.agency_code or "")
        return end - waiting > office.add(dossier.received_at, Term(limit["value"], TermUnit(limit["unit"])))

    def answer(self) -> dict[str, tuple[int, int]]:
        new = list(self.new.values())
        total = len(new)

        def trait(dossier: Dossier, name: str) -> bool:
            return bool(CATALOGUE.get(dossier.procedure_code or "", {}).get(name))

        linked = {id(d) for d in new if any(result.url for result in d.results)}
        paper_ok = [d for d in new if not trait(d, "result_is_document") or id(d) in linked]
        fee = [d for d in new if trait(d, "has_fee")]
        paid = [d for d in new if d.payment is not None and d.payment.gateway != "counter"]
        owing = [d for d in fee if not d.fees or any(one.amount_vnd for one in d.fees)]
        documents = [d for d in new if trait(d, "result_is_document")]
        late = [d for d in self.hand if self.is_late(d)]
        bad = [d for d in self.hand if self.is_late(d) or d.satisfied is False]
        kinds = {d.procedure_code for d in new if d.procedure_code}
        return {
            "1.4": (self.synced, total),
            "2.1": (len(self.hand) - len(late), len(self.hand)),
            "3.3": (sum(d.channel == "online" for d in paper_ok), total),
            "3.5": (
                len({d.procedure_code for d in fee if any(one.amount_vnd for one in d.fees)}),
                sum(bool(CATALOGUE[code].get("has_fee")) for code in self.chosen & set(CATALOGUE)),
            ),
            "3.5b": (len({d.procedure_code for d in fee if d in paid}), len({d.procedure_code for d in fee})),
            "3.6": (sum(d in paid for d in owing), len(owing)),
            "4.1": (sum(id(d) in linked for d in documents), len(documents)),
            "4.2": (sum(d.flags.components_digitised for d in paper_ok), total),
            "4.3": (sum(d.flags.components_reused for d in new), total),
            "4.4": (sum(d.flags.from_national_store for d in new), total),
            "4.5a": (len({d.procedure_code for d in new if d.flags.vneid_verified and d.procedure_code}), len(kinds)),
            "4.5b": (sum(d.flags.vneid_verified for d in new), total),
            "5.4": (len(self.hand) - len(bad), len(self.hand)),
        }

    def means(self) -> dict[str | None, tuple[int, Fraction]]:
        found: dict[str | None, tuple[int, Fraction]] = {}
        for dossier in self.new.values():
            end = end_of(dossier)
            if dossier.status not in (9, 10) or end is None or dossier.received_at is None:
                continue
            unit = CATALOGUE.get(dossier.procedure_code or "", {}).get("limit", {}).get("unit")
            office = self.almanac.working_time(dossier.agency_code or "")
            working = unit in ("working_days", "working_hours")
            measure = office.between if working else lambda a, b: max(b - a, timedelta())
            spent = measure(dossier.received_at, end)
            for pause in dossier.pauses:
                if pause.begun_at < end:
                    spent -= measure(pause.begun_at, min(pause.until or end, end))
            length = {"working_days": 7.5, "working_hours": 1, "months": 24 * 30}.get(str(unit), 24)
            number, total = found.get(unit, (0, Fraction(0)))
            found[unit] = number + 1, total + Fraction(us(spent)) / Fraction(length) / 3_600_000_000
        return found


def half_up(value: Fraction) -> str:
    hundredths = (value * 200 + 1) // 2
    return f"{hundredths // 100}.{hundredths % 100:02}"


def in_scope(dossier: Dossier, asked: dict[str, str]) -> bool:
    under = asked.get("agency", "H51")
    agency = dossier.agency_code or ""
    if under != "H51" and not (agency == under or agency.startswith(under + ".")):
        return False
    if asked.get("field") == "unknown" and CATALOGUE.get(dossier.procedure_code or "", {}).get("field"):
        return False
    if (
        asked.get("field", "unknown") != "unknown"
        and CATALOGUE.get(dossier.procedure_code or "", {}).get("field") != asked["field"]
    ):
        return False
    return asked.get("procedure") in (None, dossier.procedure_code) and asked.get("channel") in (None, dossier.channel)


def procedures_in(asked: dict[str, str]) -> set[str]:
    if "procedure" in asked:
        return {asked["procedure"]}
    if asked.get("field") == "unknown":
        return set()
    return {code for code, known in CATALOGUE.items() if asked.get("field") in (None, known["field"])}


@pytest.mark.parametrize("seed", range(4))
async def test_any_history_period_and_scope(api: Served, seed: int) -> None:
    random = Random(1000 + seed)
    dossiers = await load(api, seed, 160)
    synced = {code for code in dossiers if random.random() < 0.5}
    await acknowledge(api, sorted(synced))
    async with driver_session(api.engine) as link:
        almanac = await read_almanac(link, TENANT)
    client = await api.key(Scope.STATS_READ)
    days = sorted({(d.received_at + LOCAL).date() for d in dossiers.values() if d.received_at})
    for _ in range(25):
        first = random.choice(days) - timedelta(days=random.choice([0, 1, 40]))
        last = first + timedelta(days=random.choice([0, 1, 3, 10, 45, 400]))
        asked: dict[str, str] = random.choice(
            [
                {},
                {},
                {"agency": "H51.12"},
                {"agency": "H51.02"},
                {"field": "A"},
                {"field": "unknown"},
                {"channel": "online"},
                {"procedure": PROCEDURES[2]},
            ]
        )
        answer = await client.get("/v1/indices/766", params={"from": str(first), "to": str(last), **asked})
        assert answer.status_code == 200, answer.text
        found = {one["id"]: one for one in answer.json()["indicators"]}
        chosen = {code: dossier for code, dossier in dossiers.items() if in_scope(dossier, asked)}
        recount = Recount(chosen, synced=synced, almanac=almanac, first=first, last=last, chosen=procedures_in(asked))
        expected = recount.answer()
        counted = {id_: (found[id_]["numerator"], found[id_]["denominator"]) for id_ in expected}
        if expected["1.4"] == (0, 0):
            expected["1.4"] = counted["1.4"]  # last year's: see below
        assert counted == expected, (first, last, asked)
        means = {one["unit"]: (one["dossiers"], one["value"]) for one in found["2.2"]["by_unit"]}
        assert means == {unit: (n, half_up(total / n)) for unit, (n, total) in recount.means().items()}
        assert all(one["uncomputed"] == 0 for one in found["2.2"]["by_unit"])


async def test_given_figures(api: Served) -> None:
    admin = await api.key()
    period = {"from": "2026-01-01", "to": "2026-03-31"}
    paper = {**period, "source": "12/BC-UBND", "source_on": "2026-04-10"}

    async def index(**asked: str) -> dict[str, Any]:
        answer = await admin.get("/v1/indices/766", params={**period, **asked})
        assert answer.status_code == 200, answer.text
        return {one["id"]: one for one in answer.json()["indicators"]}

    before = await index()
    assert (before["5.2"]["standing"], before["5.2"]["value"], before["5.2"]["points"]) == ("no_data", None, None)
    told = [
        {"indicator": "5.2", "numerator": 182, "denominator": 247, **paper},
        {"indicator": "5.3", "numerator": 137, "denominator": 247, **paper},
        {"indicator": "5.4", "numerator": 144_574, "denominator": 184_513, **paper},
        {"indicator": "1.4", "denominator": 40, **paper},
    ]
    assert (await admin.put("/v1/indices/766/inputs", json=told)).json()["written"] == 4
    assert (await admin.put("/v1/indices/766/inputs", json=told)).json()["unchanged"] == 4
    found = await index()
    assert {id_: (found[id_]["value"], found[id_]["points"]) for id_ in ("5.2", "5.3", "5.4", "1.4")} == {
        "5.2": ("73.68", "4.42"),
        "5.3": ("55.47", "3.33"),
        "5.4": ("78.35", "5.22"),
        "1.4": ("0.00", "0.00"),
    }
    assert (found["5.2"]["source"], found["5.2"]["source_on"], found["1.4"]["denominator"]) == (
        "12/BC-UBND",
        "2026-04-10",
        40,
    )
    assert (await index(channel="online"))["5.2"]["standing"] == "no_data"
    assert (await index(to="2026-03-30"))["5.2"]["standing"] == "no_data"
    # a new version counts, the earlier one is kept
    assert (await admin.put("/v1/indices/766/inputs", json=[{**told[0], "numerator": 247}])).json()["written"] == 1
    assert (await index())["5.2"]["points"] == "6.00"
    async with driver_session(api.engine) as link:
        assert await link.fetchval("SELECT count(*) FROM index_input WHERE tenant = 'H51'") == 5
    items = (await admin.get("/v1/indices/766/inputs")).json()["items"]
    assert [(one["indicator"], one["numerator"]) for one in items] == [
        ("1.4", None),
        ("5.2", 247),
        ("5.3", 137),
        ("5.4", 144_574),
    ]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"indicator": "2.1"}, "/0/indicator"),
        ({"numerator": None}, "/0/numerator"),
        ({"numerator": 300}, "/0/numerator"),
        ({"denominator": -1}, "/0/denominator"),
        ({"denominator": None}, "/0/denominator"),
        ({"withdrawn": True, "numerator": None}, "/0/denominator"),
        ({"withdrawn": True, "denominator": None}, "/0/numerator"),
        ({"to": "2025-12-31"}, "/0/to"),
        ({"source": ""}, "/0/source"),
        ({"more": 1}, "/0/more"),
    ],
)
async def test_what_is_refused(api: Served, change: dict[str, Any], pointer: str) -> None:
    admin = await api.key()
    item = {"indicator": "5.2", "numerator": 182, "denominator": 247, "from": "2026-01-01", "to": "2026-03-31"}
    answer = await admin.put("/v1/indices/766/inputs", json=[{**item, "source": "12", "source_on": "2026-04-10", **change}])
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["pointer"] == pointer
    assert error["detail"] != "not as documented"


async def test_access(api: Served) -> None:
    async with driver_session(api.engine) as link:
        await tenants.create(link, TENANT)
    item = {"indicator": "5.2", "numerator": 1, "denominator": 2, "from": "2026-01-01", "to": "2026-03-31"}
    item |= {"source": "12", "source_on": "2026-04-10"}
    reader = await api.key(Scope.STATS_READ)
    assert (await reader.put("/v1/indices/766/inputs", json=[item])).status_code == 403
    below = await api.key(Scope.ADMIN, agency="H51.12")
    assert (await below.put("/v1/indices/766/inputs", json=[{**item, "agency": "H51"}])).status_code == 403
    assert (await below.put("/v1/indices/766/inputs", json=[item])).status_code == 200
    assert (await below.get("/v1/indices/766/inputs")).json()["items"][0]["agency"] == "H51.12"
    above = await api.key(Scope.ADMIN)
    assert (await above.put("/v1/indices/766/inputs", json=[item])).status_code == 200
    assert len((await below.get("/v1/indices/766/inputs")).json()["items"]) == 1
    assert (await below.get("/v1/indices/766", params={"period": "2026", "agency": "H51.13"})).status_code == 403
    then = await below.get("/v1/indices/766", params={"period": "2026", "as_of": "2026-01-01"})
    assert then.json()["as_of"]["position"] == 0


async def test_a_given_figure_is_corrected_and_withdrawn_and_every_version_stays(api: Served) -> None:
    admin = await api.key()
    period = {"from": "2026-01-01", "to": "2026-03-31"}
    item = {"indicator": "5.2", **period, "source": "12/BC", "source_on": "2026-04-10"}

    async def value(**asked: str) -> Any:
        answer = await admin.get("/v1/indices/766", params={**period, **asked})
        return next(one["value"] for one in answer.json()["indicators"] if one["id"] == "5.2")

    async def put(**told: Any) -> dict[str, Any]:
        answer = await admin.put("/v1/indices/766/inputs", json=[item | told])
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    refused = await admin.put("/v1/indices/766/inputs", json=[item | {"withdrawn": True}])
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/0/withdrawn")
    for wrong in ({}, {"withdrawn": True, "denominator": 4}, {"numerator": 1}):
        assert (await admin.put("/v1/indices/766/inputs", json=[item | wrong])).status_code == 422, wrong
    instants = []
    for told in (
        {"numerator": 1, "denominator": 4},
        {"numerator": 2, "denominator": 4},
        {"withdrawn": True, "source": "13"},
    ):
        await put(**told)
        async with driver_session(api.engine) as link:
            instants.append((await link.fetchval("SELECT clock_timestamp()")).isoformat())
    assert (await put(withdrawn=True, source="13"))["unchanged"] == 1
    assert await value() is None
    assert [await value(as_of=instant) for instant in instants] == ["25.00", "50.00", None]
    versions = (await admin.get("/v1/indices/766/inputs", params={"history": "true"})).json()["items"]
    assert [(one["numerator"], one["withdrawn"], one["source"]) for one in versions] == [
        (2, True, "13"),
        (2, False, "12/BC"),
        (1, False, "12/BC"),
    ]
    then = (await admin.get("/v1/indices/766/inputs", params={"as_of": instants[0]})).json()["items"]
    assert [one["numerator"] for one in then] == [1]
    await put(numerator=3, denominator=4)
    assert await value() == "75.00"
