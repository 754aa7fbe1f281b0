"""Who is told what: every operation that reads, for each subtree, each scope, strangers' codes and absent ones.

A subtree is answered in a province as in its twin, where there is nothing else (`tests/support/access/twins.py`).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest

from shared.access.store.keys import Permission
from tests.support.access.twins import (
    BEFORE,
    PROVINCE,
    THEIRS,
    TWINS,
    VISIBLE,
    Land,
    World,
    headers_of,
    plain,
    visible,
    world_of,
)
from tests.support.document import WHOLE_READ, operations

D, S, A, M, P = (
    Permission.DOSSIERS_READ,
    Permission.STATS_READ,
    Permission.ADMIN,
    Permission.SYNC_MANAGE,
    Permission.APPLICANTS_READ,
)
SUBTREES = sorted(TWINS)
FOREIGN = {"12": "13", "12.01": "13", "13": "12", "13.01": "12"}


@dataclass(frozen=True)
class Row:
    """What an operation asks of a key, how it is asked, and asked in vain.

    ``asks`` are paths in which {t} is the tenant, {s} the key's subtree, {code} a dossier of it, {then} an earlier instant,
    {freeze} a report on it, {job} a job that the key began. ``in_vain``: {x} is a stranger's, once one that there is and
    once one that there is not: ``agency``, ``alias``, ``dossier``, ``freeze`` or ``job`` says of what kind.
    """

    scope: Permission | None
    asks: tuple[str, ...]
    in_vain: tuple[tuple[str, str], ...] = ()


YEARS = "from=2017-01-01&to=2026-06-30"


def figures(path: str, more: str = "", *, now_only: bool = False) -> tuple[str, ...]:
    """A question about figures: of now and then, on today's and an old tree, of a part."""
    whole = f"{path}?{YEARS}{more}"
    asks = (whole, f"{path}?period=2018{more}", f"{whole}&tree_on=2019-06-01", f"{whole}&agency={{t}}.{{s}}&channel=online")
    asks += (f"{whole}&procedure={THEIRS}",)
    return asks if now_only else (*asks, f"{whole}&as_of={{then}}", f"{whole}&as_of={{then}}&tree_on=2019-06-01")


def of_agency(path: str, more: str = f"?{YEARS}") -> tuple[tuple[str, str], ...]:
    return (("agency", f"{path}{more}&agency={{x}}"), ("alias", f"{path}{more}&agency={{x}}"))


def asked(path: str, more: str = "") -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    return figures(path, more), of_agency(path, f"?{YEARS}{more}")


OVERDUE = "/v1/overdue"
DIFFERENCE = "/v1/freezes/{freeze}/difference"
READS: dict[str, Row] = {
    "GET /v1/whoami": Row(None, ("/v1/whoami",)),
    "GET /v1/agencies": Row(None, ("/v1/agencies", "/v1/agencies?format=csv", "/v1/agencies?as_of={then}")),
    "GET /v1/agencies/{code}": Row(None, ("/v1/agencies/{t}.13", "/v1/agencies/{t}.12.01")),
    "GET /v1/procedures": Row(None, ("/v1/procedures", "/v1/procedures?format=csv")),
    "GET /v1/procedures/{code}": Row(None, ("/v1/procedures/1.000001",)),
    "GET /v1/calendar": Row(None, ("/v1/calendar",)),
    "GET /v1/office-hours": Row(None, ("/v1/office-hours",)),
    "GET /v1/dossiers": Row(
        D,
        (
            "/v1/dossiers?limit=500&count=true",
            "/v1/dossiers?limit=2&sort=-due_at",
            "/v1/dossiers?q={t}.1&overdue=true&count=true",
            f"/v1/dossiers?procedure={THEIRS}",
            "/v1/dossiers?agency={t}.{s}&open=true&anomaly=unknown_agency",
            "/v1/dossiers?format=csv&sort=code",
        ),
        of_agency("/v1/dossiers", "?limit=5"),
    ),
    "GET /v1/dossiers/{code}": Row(D, ("/v1/dossiers/{code}",), (("dossier", "/v1/dossiers/{x}"),)),
    "GET /v1/dossiers/{code}/slip": Row(D, ("/v1/dossiers/{code}/slip",), (("dossier", "/v1/dossiers/{x}/slip"),)),
    "GET /v1/services": Row(None, ("/v1/services", "/v1/services?on=2022-06-30&level=full")),
    "GET /v1/services/{procedure_code}": Row(None, ("/v1/services/1.000001",)),
    "GET /v1/dossiers/{code}/applicant": Row(
        P, ("/v1/dossiers/{code}/applicant?purpose=test",), (("dossier", "/v1/dossiers/{x}/applicant?purpose=test"),)
    ),
    "GET /v1/events": Row(
        D,
        ("/v1/events?limit=1000", "/v1/events?source=urn:test&id=6-received"),
        (("event", "/v1/events?source=urn:test&id={x}"),),
    ),
    "GET /v1/stats/summary": Row(S, *asked("/v1/stats/summary")),
    "GET /v1/stats/summary/dossiers": Row(D, *asked("/v1/stats/summary/dossiers", "&figure=received.total")),
    "GET /v1/stats/by/{by}": Row(
        S,
        (
            *figures("/v1/stats/by/agency"),
            *figures("/v1/stats/by/field"),
            *figures("/v1/stats/by/procedure"),
            f"/v1/stats/by/month?{YEARS}",
            f"/v1/stats/by/channel?{YEARS}",
        ),
        of_agency("/v1/stats/by/agency"),
    ),
    "GET /v1/stats/by/{by}/dossiers": Row(
        D,
        (
            *figures("/v1/stats/by/agency/dossiers", "&row={t}.{s}&figure=received.total"),
            *figures("/v1/stats/by/field/dossiers", "&row=unknown&figure=open.overdue"),
        ),
        (
            *of_agency("/v1/stats/by/agency/dossiers", f"?{YEARS}&row={{t}}.{{s}}&figure=received.total"),
            ("agency", f"/v1/stats/by/agency/dossiers?{YEARS}&figure=received.total&row={{x}}"),
        ),
    ),
    "GET /v1/stats/anomalies": Row(S, *asked("/v1/stats/anomalies")),
    "GET /v1/stats/anomalies/dossiers": Row(D, *asked("/v1/stats/anomalies/dossiers", "&anomaly=any")),
    "GET /v1/stats/comparison": Row(S, *asked("/v1/stats/comparison", "&compare=last_year&by=agency")),
    "GET /v1/stats/averages": Row(S, *asked("/v1/stats/averages")),
    "GET /v1/stats/working-time": Row(S, *asked("/v1/stats/working-time", "&by=agency")),
    "GET /v1/stats/working-time/dossiers": Row(D, *asked("/v1/stats/working-time/dossiers")),
    "GET /v1/stats/catalogue": Row(S, *asked("/v1/stats/catalogue")),
    "GET /v1/stats/catalogue/by/{by}": Row(S, *asked("/v1/stats/catalogue/by/field")),
    "GET /v1/stats/catalogue/records": Row(D, *asked("/v1/stats/catalogue/records", "&figure=in_force")),
    "GET /v1/stats/steps": Row(S, *asked("/v1/stats/steps")),
    "GET /v1/stats/steps/by/{by}": Row(S, *asked("/v1/stats/steps/by/agency")),
    "GET /v1/stats/steps/records": Row(D, *asked("/v1/stats/steps/records", "&figure=finished")),
    "GET /v1/stats/digitisation": Row(S, *asked("/v1/stats/digitisation")),
    "GET /v1/stats/digitisation/by/{by}": Row(S, *asked("/v1/stats/digitisation/by/agency")),
    "GET /v1/stats/digitisation/records": Row(D, *asked("/v1/stats/digitisation/records", "&figure=dossiers")),
    "GET /v1/stats/post": Row(S, *asked("/v1/stats/post")),
    "GET /v1/stats/post/by/{by}": Row(S, *asked("/v1/stats/post/by/agency")),
    "GET /v1/stats/post/records": Row(D, *asked("/v1/stats/post/records", "&figure=requested")),
    "GET /v1/stats/surveys": Row(S, *asked("/v1/stats/surveys")),
    "GET /v1/stats/surveys/by/{by}": Row(S, *asked("/v1/stats/surveys/by/agency")),
    "GET /v1/stats/surveys/records": Row(D, *asked("/v1/stats/surveys/records", "&figure=sheets")),
    "GET /v1/stats/reviews": Row(S, *asked("/v1/stats/reviews")),
    "GET /v1/stats/reviews/by/{by}": Row(S, *asked("/v1/stats/reviews/by/agency")),
    "GET /v1/stats/reviews/records": Row(D, *asked("/v1/stats/reviews/records", "&figure=reviewed")),
    "GET /v1/surveys": Row(D, ("/v1/surveys", "/v1/surveys?agency={t}.{s}"), of_agency("/v1/surveys", "?")),
    "GET /v1/surveys/{code}": Row(D, ("/v1/surveys/PKS-{number}", "/v1/surveys/PKS-{number}?purpose=thử")),
    "GET /v1/feedback": Row(
        D,
        ("/v1/feedback?limit=500", "/v1/feedback?agency={t}.{s}&sort=due_on", "/v1/feedback?overdue=true&limit=2"),
        of_agency("/v1/feedback", "?"),
    ),
    "GET /v1/feedback/{code}": Row(D, ("/v1/feedback/PA-{code}",), (("dossier", "/v1/feedback/PA-{x}"),)),
    "GET /v1/stats/feedback": Row(S, *asked("/v1/stats/feedback")),
    "GET /v1/stats/feedback/by/{by}": Row(
        S,
        (*figures("/v1/stats/feedback/by/agency"), *figures("/v1/stats/feedback/by/kind")),
        of_agency("/v1/stats/feedback/by/agency"),
    ),
    "GET /v1/stats/feedback/records": Row(D, *asked("/v1/stats/feedback/records", "&figure=f1")),
    "GET /v1/reports/II.05": Row(S, *asked("/v1/reports/II.05")),
    "GET /v1/payments": Row(
        D,
        ("/v1/payments?limit=500", "/v1/payments?state=succeeded&double=false"),
        (("dossier", "/v1/payments?dossier={x}"),),
    ),
    "GET /v1/payments/{reference}": Row(D, ("/v1/payments/TT-{number}", "/v1/payments/TT-{number}?purpose=thử")),
    "GET /v1/stats/payments": Row(S, *asked("/v1/stats/payments")),
    "GET /v1/stats/payments/by/{by}": Row(S, *asked("/v1/stats/payments/by/agency")),
    "GET /v1/stats/payments/records": Row(D, *asked("/v1/stats/payments/records", "&figure=total.p1")),
    "GET /v1/scores/tt01_2018": Row(S, *asked("/v1/scores/tt01_2018")),
    "GET /v1/scores/tt01_2018/officers": Row(S, *asked("/v1/scores/tt01_2018/officers")),
    "GET /v1/given": Row(S, ("/v1/given", "/v1/given?id=feedback_2022")),
    "GET /v1/given/{id}": Row(S, ("/v1/given/feedback_2022",)),
    "GET /v1/indices/766": Row(S, *asked("/v1/indices/766")),
    "GET /v1/indices/766/dossiers": Row(D, *asked("/v1/indices/766/dossiers", "&indicator=2.1&part=denominator")),
    "GET /v1/indices/766/procedures": Row(S, *asked("/v1/indices/766/procedures", "&indicator=3.5&part=denominator")),
    "GET /v1/indices/766/inputs": Row(S, ("/v1/indices/766/inputs", "/v1/indices/766/inputs?history=true")),
    "GET /v1/reports/II.06": Row(
        S,
        (*figures("/v1/reports/II.06"), "/v1/reports/II.06?period=2018&format=csv"),
        of_agency("/v1/reports/II.06", "?period=2018"),
    ),
    "GET /v1/freezes": Row(S, ("/v1/freezes",)),
    "GET /v1/freezes/{freeze_id}": Row(S, ("/v1/freezes/{freeze}",), (("freeze", "/v1/freezes/{x}"),)),
    "GET /v1/freezes/{freeze_id}/difference": Row(D, (DIFFERENCE,), (("freeze", "/v1/freezes/{x}/difference"),)),
    "GET /v1/freezes/{freeze_id}/difference/dossiers": Row(
        D,
        (f"{DIFFERENCE}/dossiers", f"{DIFFERENCE}/dossiers?moved=left"),
        (("freeze", "/v1/freezes/{x}/difference/dossiers"),),
    ),
    "GET /v1/overdue": Row(S, (OVERDUE, f"{OVERDUE}?agency={{t}}.{{s}}"), of_agency(OVERDUE, "?")),
    "GET /v1/overdue/dossiers": Row(
        D, (f"{OVERDUE}/dossiers?bucket=late_over_10",), of_agency(f"{OVERDUE}/dossiers", "?bucket=overdue")
    ),
    "GET /v1/overdue/apologies": Row(
        S, (f"{OVERDUE}/apologies?period=2018",), of_agency(f"{OVERDUE}/apologies", "?period=2018")
    ),
    "GET /v1/overdue/apologies/dossiers": Row(
        D, (f"{OVERDUE}/apologies/dossiers?period=2018",), of_agency(f"{OVERDUE}/apologies/dossiers", "?period=2018")
    ),
    "GET /v1/overdue/reasons": Row(S, (f"{OVERDUE}/reasons?period=2018",), of_agency(f"{OVERDUE}/reasons", "?period=2018")),
    "GET /v1/overdue/reasons/dossiers": Row(
        D, (f"{OVERDUE}/reasons/dossiers?period=2018",), of_agency(f"{OVERDUE}/reasons/dossiers", "?period=2018")
    ),
    "GET /v1/stream": Row(S, (f"/v1/stream?seconds=0&{YEARS}",), of_agency("/v1/stream", "?seconds=0")),
    "GET /v1/sync": Row(M, ("/v1/sync?period=2018",)),
    "GET /v1/sync/dossiers": Row(M, ("/v1/sync/dossiers?limit=500", "/v1/sync/dossiers?state=parked")),
    "GET /v1/sync/dossiers/{code}": Row(M, ("/v1/sync/dossiers/{code}",), (("dossier", "/v1/sync/dossiers/{x}"),)),
    "GET /v1/sync/lag": Row(M, (f"/v1/sync/lag?{YEARS}",), of_agency("/v1/sync/lag")),
    "GET /v1/sync/lag/dossiers": Row(
        M, (f"/v1/sync/lag/dossiers?{YEARS}&cause=in_fact",), of_agency("/v1/sync/lag/dossiers", f"?{YEARS}&cause=in_fact")
    ),
    "GET /v1/sync/differences": Row(M, ("/v1/sync/differences",)),
    "GET /v1/jobs/{job_id}": Row(M, ("/v1/jobs/{job}",), (("job", "/v1/jobs/{x}"),)),
}
_OF_PAGES = re.compile(r"(?<=[?&])(?:limit|count|format)=[^&]*&?")


def as_file(operation: str, kind: str = "csv") -> dict[str, Row]:
    """The same asked for as a file."""
    row, path = READS[operation], operation.split()[1]

    def named(ask: str) -> str:
        before, mark, query = ask.partition("?")
        return _OF_PAGES.sub("", f"{before}.{kind}{mark}{query}")

    asks = tuple(dict.fromkeys(map(named, row.asks)))
    return {f"GET {path}.{kind}": Row(row.scope, asks, tuple((one, named(ask)) for one, ask in row.in_vain))}


for _operation in (
    "GET /v1/agencies",
    "GET /v1/procedures",
    "GET /v1/calendar",
    "GET /v1/office-hours",
    "GET /v1/dossiers",
    "GET /v1/stats/summary/dossiers",
    "GET /v1/stats/by/{by}/dossiers",
    "GET /v1/stats/anomalies/dossiers",
    "GET /v1/stats/working-time/dossiers",
    "GET /v1/indices/766/dossiers",
    "GET /v1/stats/payments/records",
    "GET /v1/freezes/{freeze_id}/difference/dossiers",
    "GET /v1/overdue/dossiers",
    "GET /v1/overdue/reasons/dossiers",
    "GET /v1/reports/II.05",
    "GET /v1/reports/II.06",
    "GET /v1/stats/feedback/records",
    "GET /v1/stats/catalogue/records",
    "GET /v1/stats/steps/records",
    "GET /v1/stats/digitisation/records",
    "GET /v1/stats/post/records",
    "GET /v1/stats/surveys/records",
    "GET /v1/stats/reviews/records",
):
    READS |= as_file(_operation)
READS |= as_file("GET /v1/reports/II.05", "xlsx") | as_file("GET /v1/reports/II.06", "xlsx")
READS |= as_file("GET /v1/dossiers/{code}/slip", "xlsx") | as_file("GET /v1/dossiers/{code}/slip", "html")
PUBLIC = {"GET /healthz", "GET /readyz", "GET /metrics"}
"""Without a key; whose figures they tell is in tests/integration/health/test_audience.py."""

HOW = """is in no row of READS. Add one beside its like: the scope that it asks for, then how it is asked, then how in vain.
`*asked(path)` is all that figures are asked with:
    "GET /v1/stats/new": Row(S, *asked("/v1/stats/new")),
A file of an operation that is there is a name in the list under `as_file`; another form of one is one more path in its row. What needs the whole province goes into WHOLE_READ, what writes into the tables, both of test_operation_rights.py."""


@pytest.fixture(scope="module")
async def world(shared_database_url: str, own_redis_url: str) -> AsyncIterator[World]:
    async with world_of(shared_database_url, own_redis_url) as made:
        yield made


def test_every_operation_that_reads_stands_in_the_matrix() -> None:
    reading = {one for one in operations() if one.startswith("GET ")}
    missing = sorted(reading - PUBLIC - set(WHOLE_READ) - set(READS))
    assert not missing, f"{', '.join(missing)} {HOW}"
    assert set(READS) <= reading, f"no operations any more: {set(READS) - reading}"


async def filled(world: World, land: Land, subtree: str, ask: str) -> str:
    job = await world.own_job(land.tenant, subtree) if "{job}" in ask else ""
    first = visible(subtree)[0]
    named = {"code": first.code(land.tenant), "number": first.number}
    return ask.format(t=land.tenant, s=subtree, **named, then=land.then, freeze=land.freezes[subtree], job=job, x="{x}")


@pytest.mark.parametrize("operation", READS)
async def test_a_subtree_is_answered_as_if_there_were_nothing_else(world: World, operation: str) -> None:
    for subtree in SUBTREES:
        for ask in READS[operation].asks:
            answers = []
            for tenant in (PROVINCE, TWINS[subtree]):
                client = await world.key(tenant, subtree)
                answer = await client.get(await filled(world, world.lands[tenant], subtree, ask))
                assert answer.status_code == 200, (subtree, ask, answer.text)
                answers.append(plain(answer, tenant))
            assert answers[0] == answers[1], (subtree, ask)
            assert all(twin not in str(answers[0]) for twin in TWINS.values())


@pytest.mark.parametrize("operation", READS)
async def test_each_scope_opens_what_asks_for_it(world: World, operation: str) -> None:
    row = READS[operation]
    ask = await filled(world, world.lands[PROVINCE], "12", row.asks[0])
    assert (await world.api.client(None).get(ask)).status_code == 401
    for scope in Permission:
        for subtree in (None, "12"):
            answer = await (await world.key(PROVINCE, subtree, scope)).get(ask)
            if row.scope is None or scope in {row.scope, A}:
                # a job is of the key that began it
                assert answer.status_code in ({200, 404} if "/jobs/" in ask else {200}), (scope, subtree, answer.text)
            else:
                assert (answer.status_code, answer.json()["detail"]) == (403, f"the key lacks the scope {row.scope}")


def strangers(world: World, subtree: str, kind: str) -> list[tuple[str, str]]:
    """What there is elsewhere, and what there is nowhere."""
    land, foreign = world.lands[PROVINCE], FOREIGN[subtree]
    theirs = next(one for one in visible(foreign) if one.now not in VISIBLE[subtree])
    moved = [one for one in visible(None) if one.now not in VISIBLE[subtree] and one.first in VISIBLE[subtree]]
    other = next(iter(visible("12"))).code(TWINS["12"])
    match kind:
        case "agency":
            return [(f"{PROVINCE}.{foreign}", f"{PROVINCE}.55"), (f"{TWINS['12']}.12", "Y99.12")]
        case "alias":
            return [("SO_B", "SO_X")] if subtree in {"12", "12.01"} else []
        case "dossier":
            codes = [one.code(PROVINCE) for one in (theirs, *moved)]
            return [(code, f"{code[:-5]}77777") for code in (*codes, other)]
        case "event":
            return [(f"{one.number}-received", f"{one.number}-absent") for one in (theirs, *moved)]
        case "freeze":
            return [(land.freezes[one], "0" * 32) for one in ("", foreign)]
        case _:
            return [(land.job, "0" * 32)]


IN_VAIN = [name for name, row in READS.items() if row.in_vain]


@pytest.mark.parametrize("operation", IN_VAIN)
async def test_strangers_are_answered_as_what_there_is_not(world: World, operation: str) -> None:
    for subtree in SUBTREES:
        client = await world.key(PROVINCE, subtree)
        for kind, ask in READS[operation].in_vain:
            path = await filled(world, world.lands[PROVINCE], subtree, ask)
            for there, nowhere in strangers(world, subtree, kind):
                found = [await told(client, path, one) for one in (there, nowhere)]
                assert found[0] == found[1], (subtree, path, there)


async def told(client: httpx.AsyncClient, path: str, stranger: str) -> tuple[int, str, str]:
    answer = await client.get(path.replace("{x}", stranger))
    headers = str(headers_of(answer)).replace(stranger, "STRANGER")
    return (
        answer.status_code,
        headers,
        answer.text.replace(answer.headers["x-request-id"], "REQUEST").replace(stranger, "STRANGER"),
    )


CODES: dict[str, str] = {
    "list": "/v1/dossiers?limit=500",
    "search": "/v1/dossiers?limit=500&q={t}.1",
    "export": "/v1/dossiers?format=csv",
    "feed": "/v1/events?limit=1000",
    "expand": f"/v1/stats/summary/dossiers?{YEARS}&figure=received.total&limit=500",
    "expand then": f"/v1/stats/summary/dossiers?{YEARS}&figure=received.total&limit=500&as_of={{then}}",
    "ledger": "/v1/sync/dossiers?limit=500",
}
NUMBERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "count": ("/v1/dossiers?limit=1&count=true", ("count",)),
    "aggregate": (f"/v1/stats/summary?{YEARS}", ("received", "total")),
    "aggregate on an old tree": (f"/v1/stats/by/month?{YEARS}", ("total", "received", "total")),
    "as of": (f"/v1/stats/by/agency?{YEARS}&as_of={{then}}&tree_on=2026-01-01", ("total", "received", "total")),
    "stream": (f"/v1/stream?seconds=0&{YEARS}", ("received", "total")),
    "frozen": ("/v1/freezes/{freeze}", ("report", "summary", "received", "total")),
    "index": (f"/v1/indices/766/dossiers?{YEARS}&indicator=1.4&part=denominator&count=true", ("count",)),
}


@pytest.mark.parametrize("subtree", [None, *SUBTREES])
async def test_items_are_exactly_the_callers_and_figures_their_number(world: World, subtree: str | None) -> None:
    client, land = await world.key(PROVINCE, subtree), world.lands[PROVINCE]
    names = {"t": PROVINCE, "then": land.then, "freeze": land.freezes[subtree or ""]}
    expected = {one.code(PROVINCE) for one in visible(subtree)}
    for name, ask in CODES.items():
        wanted = {code for code in expected if code.startswith(f"{PROVINCE}.1")} if name == "search" else expected
        wanted = seen_then(subtree) if name == "expand then" else wanted
        assert codes_of(await client.get(ask.format(**names))) == wanted, name
    for name, (ask, path) in NUMBERS.items():
        answer = await client.get(ask.format(**names))
        value: Any = answer.json() if "stream" not in name else next(events_of(answer))
        for step in path:
            value = value[step]
        if name == "frozen":
            wanted = {one.code(PROVINCE) for one in visible(subtree) if one in BEFORE}
        else:
            wanted = seen_then(subtree) if name == "as of" else expected
        assert value == len(wanted), (name, answer.text)


def seen_then(subtree: str | None) -> set[str]:
    """The caller's dossiers that were the subtree's then, before some had moved to it."""
    seen = [one for one in visible(subtree) if one in BEFORE and (subtree is None or one.first in VISIBLE[subtree])]
    return {one.code(PROVINCE) for one in seen}


def events_of(answer: httpx.Response) -> Any:
    return (orjson.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: "))


def codes_of(answer: httpx.Response) -> set[str]:
    assert answer.status_code == 200, answer.text
    if answer.headers["content-type"].startswith("text/csv"):
        return {row["code"] for row in csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff")))}
    items = answer.json()["items"]
    found = {item["event"]["subject"] if "event" in item else item.get("code") or item["dossier"] for item in items}
    # feedback is about the dossier whose code it has, a sheet and a payment about that with its number
    numbered = {str(one.number): one.code(PROVINCE) for one in visible(None)}
    return {
        numbered[code.partition("-")[2]] if code.startswith(("PKS-", "TT-")) else code.removeprefix("PA-") for code in found
    }
