"""Every operation that changes or begins something says whose it is: the whole province's, one's own rows', or an event's.

A new operation fails here until it stands in the table, and is then called with the `admin` key of a subtree.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from shared.access.store.keys import Permission
from shared.database.engine import driver_session
from shared.jobs.store import queue
from shared.jobs.store.queue import JobKind
from tests.support.access.subtree_admin import FOREIGN_DOSSIER, OWN_DOSSIER, Province, province_of, received
from tests.support.api import H51, Served, served
from tests.support.document import WHOLE_READ, operations
from tests.support.events import lines

OPERATING = (Path(__file__).parents[3] / "docs" / "operating.md").read_text()
Call = tuple[str, Any]
"""A path with its parameters filled in, and a body; None: none."""

WHOLE: dict[str, Call] = {
    "PUT /v1/procedures": ("/v1/procedures", []),
    "PUT /v1/procedures.csv": ("/v1/procedures.csv", "code,name\r\n"),
    "PUT /v1/calendar": ("/v1/calendar", {"days": []}),
    "PUT /v1/calendar.csv": ("/v1/calendar.csv", "date,kind\r\n"),
    "POST /v1/stats/rebuild": ("/v1/stats/rebuild", None),
    "POST /v1/audits": ("/v1/audits", {}),
    "POST /v1/alarms/{alarm_id}/acknowledge": ("/v1/alarms/x1p0/acknowledge", {"note": "seen"}),
    "POST /v1/projection/retry": ("/v1/projection/retry", {}),
    "PUT /v1/payments/statements/{gateway}/{date}": ("/v1/payments/statements/local/2025-03-03", {"lines": []}),
    "PUT /v1/payments/statements/{gateway}/{date}.csv": (
        "/v1/payments/statements/local/2025-03-03.csv",
        "reference,gateway_txn,amount_vnd,state,time\r\n",
    ),
    "PUT /v1/payments/statements/{gateway}/{date}.txt": (
        "/v1/payments/statements/local/2025-03-03.txt",
        "A||1|failed|2025-03-03T09:00:00Z\r\n",
    ),
    "POST /v1/payments/statements/{gateway}/{date}/close": (
        "/v1/payments/statements/local/2025-03-03/close",
        {"class": "other_day", "reference": "A", "note": "seen"},
    ),
    "PUT /v1/given/{id}": (
        "/v1/given/t",
        {
            "register": "feedback",
            "issuer": "UBND tỉnh",
            "date": "2022-12-31",
            "from": "2022-01-01",
            "to": "2022-12-31",
            "text": "65",
            "figures": {"f1": 65},
        },
    ),
}
"""Of the whole province: refused to a key with a subtree, whatever it asks."""

FIGURE = {
    "indicator": "5.2",
    "numerator": 1,
    "denominator": 2,
    "from": "2026-01-01",
    "to": "2026-03-31",
    "source": "12/BC",
    "source_on": "2026-04-10",
}
FREEZE = {"period": "2018", "reason": "report"}
OWN: dict[str, tuple[Call, list[Call]]] = {
    "PUT /v1/agencies": (
        ("/v1/agencies", [{"code": "H51.12.05", "name": "A5", "parent": "H51.12"}]),
        [
            ("/v1/agencies", [{"code": "H51.13.05", "name": "B5", "parent": "H51.13"}]),
            ("/v1/agencies?replace=true", []),
        ],
    ),
    "PUT /v1/office-hours": (
        ("/v1/office-hours", [{"agency": "H51.12", "hours": "07:00-11:00"}]),
        [
            ("/v1/office-hours", [{"agency": "H51.13", "hours": "07:00-11:00"}]),
            ("/v1/office-hours?replace=true", []),
        ],
    ),
    "PUT /v1/agencies.csv": (
        ("/v1/agencies.csv", "code,name,parent\r\nH51.12.05,A5,H51.12\r\n"),
        [
            ("/v1/agencies.csv", "code,name,parent\r\nH51.13.05,B5,H51.13\r\n"),
            ("/v1/agencies.csv?replace=true", "code,name\r\n"),
        ],
    ),
    "PUT /v1/office-hours.csv": (
        ("/v1/office-hours.csv", "agency,hours\r\nH51.12,07:00-11:00\r\n"),
        [
            ("/v1/office-hours.csv", "agency,hours\r\nH51.13,07:00-11:00\r\n"),
            ("/v1/office-hours.csv?replace=true", "agency,hours\r\n"),
        ],
    ),
    "PUT /v1/indices/766/inputs": (
        ("/v1/indices/766/inputs", [FIGURE]),
        [
            ("/v1/indices/766/inputs", [FIGURE, FIGURE | {"agency": "H51"}]),
            ("/v1/indices/766/inputs", [FIGURE | {"agency": "H51.13"}]),
        ],
    ),
    "POST /v1/agencies/{code}/transfer": (
        ("/v1/agencies/H51.12.02/transfer", {}),
        [("/v1/agencies/H51.31/transfer", {}), ("/v1/agencies/H51.13/transfer", {}), ("/v1/agencies/H51.88/transfer", {})],
    ),
    "POST /v1/freezes": (
        ("/v1/freezes", FREEZE),
        [("/v1/freezes", FREEZE | {"agency": "H51.13"}), ("/v1/freezes", FREEZE | {"agency": "H51"})],
    ),
    "POST /v1/sync/replay": (
        ("/v1/sync/replay", {"dossiers": [OWN_DOSSIER]}),
        [
            ("/v1/sync/replay", {"dossiers": [OWN_DOSSIER, FOREIGN_DOSSIER]}),
            ("/v1/sync/replay", {"error": "rejected"}),
            ("/v1/sync/replay", {"from": "2018-01-01", "to": "2018-12-31"}),
        ],
    ),
    "POST /v1/sync/reconcile": (
        ("/v1/sync/reconcile", {"dossiers": [OWN_DOSSIER]}),
        [
            ("/v1/sync/reconcile", {"dossiers": [FOREIGN_DOSSIER]}),
            ("/v1/sync/reconcile", {"error": "rejected"}),
            ("/v1/sync/reconcile", {"from": "2018-01-01", "to": "2018-12-31"}),
            ("/v1/sync/reconcile", {}),
            ("/v1/sync/reconcile", None),
        ],
    ),
}
"""Of one's own: taken of what lies in the subtree, refused of anything else."""

EVENTS: dict[str, tuple[Call, list[Call]]] = {
    "POST /v1/events": (
        ("/v1/events", received(9001, "H51.12")),
        [("/v1/events", received(9002, "H51.13")), ("/v1/events", received(9003, "H51.99"))],
    )
}
"""Judged event by event, by the agencies that they name and that of their dossier."""

MANY_EVENTS: dict[str, Call] = {
    "POST /v1/events/batch": ("/v1/events/batch", [received(9001, "H51.12"), received(9002, "H51.13")]),
    "POST /v1/events/lines": ("/v1/events/lines", lines(received(9001, "H51.12"), received(9002, "H51.13"))),
}
"""The same, one of its own and a foreign one: each is answered by its receipt."""


SIGNED = {"POST /v1/payments/results/{gateway}"}
"""Without a key: whose it is, its signature says (tests/integration/payment_platform)."""


HOW = """is in no table. Add a line: to WHOLE what needs the whole province (path and a body), to OWN and EVENTS what takes a
part (a call that is taken, then calls that are refused), such as another form of telling events:
    "POST /v1/name": (("/v1/name", received(9004, "H51.12")), [("/v1/name", received(9005, "H51.13"))]),"""


@pytest.fixture
async def province(database_url: str, redis_url: str) -> AsyncIterator[Province]:
    async with served(database_url, redis_url) as api:
        province = await province_of(api)
        gone = [
            {"code": "H51.31", "name": "Huyện L", "parent": "H51", "valid_to": "2025-06-30", "successors": ["H51.13"]},
        ]
        assert (await province.whole.put("/v1/agencies", json=gone)).status_code == 200
        yield province


def test_every_operation_that_changes_something_stands_in_the_table() -> None:
    changing = {one for one in operations() if not one.startswith("GET ")}
    missing = sorted(changing - {*WHOLE, *OWN, *EVENTS, *MANY_EVENTS, *SIGNED})
    assert not missing, f"{', '.join(missing)} {HOW}"
    assert changing == {*WHOLE, *OWN, *EVENTS, *MANY_EVENTS}
    assert set(WHOLE_READ) <= operations()


def test_the_operators_are_told_which_need_the_whole_province() -> None:
    section = OPERATING.partition("## Keys")[2].partition("\n## ")[0]
    logged = set(re.findall(r"`((?:GET|PUT|POST) /[^`?]*)`", section.partition("whole province:")[2].partition(". ")[0]))
    spelt = {re.sub(r"\{[a-z_]*id\}", "{id}", one) for one in {*WHOLE, *WHOLE_READ}}
    assert logged == spelt


async def answer(client: httpx.AsyncClient, operation: str, call: Call) -> httpx.Response:
    path, body = call
    content: dict[str, Any] = {} if body is None else {"json": body}
    if isinstance(body, str | bytes):
        content_type = "application/x-ndjson" if isinstance(body, bytes) else "text/csv"
        content = {"content": body, "headers": {"content-type": content_type}}
    return await client.request(operation.split(maxsplit=1)[0], path, **content)


@pytest.mark.parametrize("operation", [*WHOLE, *WHOLE_READ])
async def test_what_is_the_provinces_is_refused_to_a_subtree(province: Province, operation: str) -> None:
    call = WHOLE[operation] if operation in WHOLE else (WHOLE_READ[operation], None)
    refused = await answer(province.admin, operation, call)
    assert refused.status_code == 403
    assert refused.json()["detail"] == "this concerns the whole province; the key has an agency subtree"
    for whole in (province.whole, await province.api.key(agency="H51")):
        # 503: it waits for events that no worker counts here
        assert (await answer(whole, operation, call)).status_code in {200, 202, 404, 409, 503}
    # the right is asked for first: what is wrong with the body is nobody's to learn
    if operation in WHOLE:
        surprise = "surprise" if isinstance(call[1], str) else [{"surprise": 1}]
        assert (await answer(province.admin, operation, (call[0], surprise))).status_code == 403


@pytest.mark.parametrize("operation", [*OWN, *EVENTS])
async def test_what_is_narrowed_takes_its_own_and_nothing_else(province: Province, operation: str) -> None:
    own, foreign = (OWN | EVENTS)[operation]
    for call in foreign:
        refused = await answer(province.admin, operation, call)
        # a dossier outside is 404, as everywhere
        assert refused.status_code == (404 if FOREIGN_DOSSIER in str(call[1]) else 403), (call, refused.text)
    taken = await answer(province.admin, operation, own)
    assert taken.status_code in {200, 201, 202}, taken.text


@pytest.mark.parametrize("operation", MANY_EVENTS)
async def test_of_many_events_its_own_are_taken(province: Province, operation: str) -> None:
    answered = await answer(province.admin, operation, MANY_EVENTS[operation])
    assert answered.is_success, answered.text
    sums = orjson.loads(answered.content.splitlines()[-1])
    assert (sums["accepted"], sums["rejected"]) == (1, 1)
    assert b'"status":403' in answered.content


async def test_a_frozen_report_is_of_the_subtree(province: Province) -> None:
    frozen = (await province.admin.post("/v1/freezes", json=FREEZE)).json()
    assert frozen["scope"]["agency"] == "H51.12"


async def test_a_job_is_answered_to_whoever_may_begin_such_a_job(province: Province) -> None:
    api: Served = province.api
    manager, other = await api.key(Permission.SYNC_MANAGE), await api.key(Permission.SYNC_MANAGE, agency="H51.12")
    reader = await api.key(Permission.STATS_READ, Permission.DOSSIERS_READ)
    selection = {"dossiers": [OWN_DOSSIER]}
    rebuild = (await province.whole.post("/v1/stats/rebuild")).json()["id"]
    audit = (await province.whole.post("/v1/audits")).json()["id"]
    compared = (await manager.post("/v1/sync/reconcile")).json()["id"]
    replayed = (await province.admin.post("/v1/sync/replay", json=selection)).json()["id"]
    # begun by this key when it still might: not told any more
    key_id = (await province.admin.get("/v1/whoami")).json()["key_id"]
    async with driver_session(api.engine) as connection:
        old = (await queue.create(connection, H51, JobKind.AUDIT, {"requested_by": key_id})).job_id
    may = {
        province.whole: {rebuild, audit, compared, replayed, old},
        manager: {compared, replayed},
        province.admin: {replayed},
        other: set[str](),
        reader: set[str](),
    }
    for client, ids in may.items():
        for job in (rebuild, audit, compared, replayed, old):
            refused = 403 if client is reader else 404
            assert (await client.get(f"/v1/jobs/{job}")).status_code == (200 if job in ids else refused)
