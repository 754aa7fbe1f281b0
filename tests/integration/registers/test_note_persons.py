"""Personal fields of a register: in their one table, nowhere else, forgotten and taken out of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.cli.main import main
from services.worker.projection.record_projector import RecordProjector
from services.worker.runtime.fail_points import FailPoints
from shared.database.engine import driver_session
from shared.dossiers.store import applicant_access
from shared.dossiers.store.applicant_access import Reading
from shared.events.store import record_events
from shared.vocabulary.events import DossierCode, Tenant
from tests.integration.registers.testnote import TESTNOTE, note, registers, voided  # noqa: F401
from tests.support.api import Served, served
from tests.support.events import feed

H51 = Tenant("H51")
SENDER = {"kind": "citizen", "name": "Nguyễn Văn An", "phone": "0912345678"}
DATA = {"agency_code": "H51.12", "sender": SENDER, "remark": "Gọi tôi: 0912345678"}


@pytest.fixture
async def api(registers: None, database_url: str, redis_url: str) -> AsyncIterator[Served]:  # noqa: F811
    async with served(database_url, redis_url) as api:
        yield api


@pytest.fixture
def command(
    api: Served,
    database_url: str,
    migration_database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Any:
    monkeypatch.setenv("MOTCUA_DATABASE_URL", database_url)
    monkeypatch.setenv("MOTCUA_MIGRATION_DATABASE_URL", migration_database_url)

    def run(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main([*arguments, "--tenant", "H51"])
        return int(left.value.code or 0), capsys.readouterr().out

    async def in_thread(*arguments: str) -> tuple[int, str]:
        return await asyncio.to_thread(run, *arguments)

    return in_thread


async def texts(api: Served, code: str = "N-0001") -> dict[str, Any]:
    """By the ids of events, as somebody with the right reads them."""
    async with driver_session(api.engine) as connection:
        (events,) = (await record_events.histories(connection, H51, "testnote", [code])).values()
        reading = Reading(dossier_code=DossierCode(code), reader="k1", purpose="trả lời", request_id="r1")
        found = await applicant_access.read_texts(connection, H51, reading, events)
    return {id_: dict(told) for (_, id_), told in found.items()}


async def told(client: Any, *events: dict[str, Any]) -> list[str]:
    answer = await client.post("/v1/events", json=list(events))
    assert answer.status_code == 202, answer.text
    return [receipt["status"] for receipt in answer.json()["results"]]


async def test_words_are_in_one_table_and_each_reading_is_recorded(api: Served) -> None:
    client = await api.key()
    first = note(id="n1", data=DATA)
    # a void of it and an event without words have none; another register may have the code
    others = [note("closed"), note(subject="N-0002", data=DATA | {"remark": "khác"})]
    assert await told(client, first, *others) == ["accepted"] * 3
    assert await told(client, first, first | {"id": "n1", "data": DATA | {"remark": "khác"}}) == ["duplicate", "rejected"]
    page = await feed(client, limit=10)
    assert page["items"][0]["event"]["data"] == {"agency_code": "H51.12", "sender": {"kind": "citizen"}}
    async with driver_session(api.engine) as connection:
        logged = await connection.fetchval("SELECT string_agg(data::text, '') FROM event_log WHERE tenant = 'H51'")
        assert "An" not in logged
        assert "0912345678" not in logged
        assert await connection.fetchval("SELECT count(*) FROM applicant_reading") == 0
    assert await texts(api) == {"n1": {"sender": SENDER, "remark": DATA["remark"]}}
    async with driver_session(api.engine) as connection:
        readings = await connection.fetch("SELECT dossier_code, reader, purpose, request_id FROM applicant_reading")
    assert [tuple(row) for row in readings] == [("N-0001", "k1", "trả lời", "r1")]


async def test_they_are_forgotten_by_record_and_by_age(api: Served, command: Any) -> None:
    client = await api.key()
    old, late = note(id="n1", data=DATA), note(id="n2", subject="N-0002", data=DATA)
    await told(
        client, old, late, note("closed", "N-0002", time="2023-01-01T08:00:00+07:00"), note(subject="N-0003", data=DATA)
    )
    forget = ("applicants", "forget", "--reason", "Hết hạn", "--by", "an")
    assert await command(*forget, "--record", "N-0003") == (0, "forgotten: the applicants of 1 dossiers\n")
    projector = RecordProjector(api.engine, TESTNOTE.projection, faults=FailPoints())
    while await projector.work(H51):
        pass
    assert await command(*forget, "--told-before", "2023-01-01") == (0, "forgotten: the applicants of 1 dossiers\n")
    assert [await texts(api, f"N-000{number}") for number in (1, 2, 3)] == [
        {},
        {"n2": {"sender": SENDER, "remark": DATA["remark"]}},
        {},
    ]
    assert await told(client, old) == ["duplicate"]
    assert await texts(api) == {}
    assert await command("log", "verify") == (0, "4 events looked at, 0 changed\n")


async def test_a_field_is_taken_out_and_noted(api: Served, command: Any) -> None:
    client = await api.key()
    first = note(id="n1", data=DATA)
    await told(client, first, voided(first))
    of_event = ("log", "redact", "--source", first["source"], "--id", "n1", "--reason", "x", "--by", "an")
    assert (await command(*of_event, "--field", "remark")) == (0, "redacted: remark of event 1\n")
    assert await texts(api) == {"n1": {"sender": SENDER}}
    assert (await command(*of_event, "--field", "agency_code"))[0] == 1
    assert (await command(*of_event, "--field", "sender"))[0] == 0
    assert await texts(api) == {}
    assert await told(client, first) == ["duplicate"]
    assert await command("log", "verify") == (0, "2 events looked at, 0 changed\n")
    async with driver_session(api.engine) as connection:
        notes = await connection.fetch("SELECT position, fields, redactor FROM event_redaction ORDER BY redacted_at")
    assert [tuple(note) for note in notes] == [(1, ["remark"], "an"), (1, ["sender"], "an")]
