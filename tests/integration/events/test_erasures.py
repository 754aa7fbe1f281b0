"""Personal data that got in: told at once, found, taken out of texts with the log still whole; applicants forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest

from services.cli.main import main
from shared.access.store.keys import Permission
from shared.database.engine import driver_session
from tests.support.api import Served, served
from tests.support.events import event, feed
from tests.support.projection import project

CODE = "H51.12-180102-00123"
PERSON = {"kind": "citizen", "name": "Nguyễn Văn An", "id_number": "094085001234", "phone": "0912345678"}
REASON = "Gọi 0912 345 678 gặp anh An"


@pytest.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[Served]:
    async with served(database_url, redis_url) as api:
        yield api


@pytest.fixture
async def command(
    api: Served,
    database_url: str,
    migration_database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Any:
    """Runs a command on the test's database, and answers its status and what it printed."""
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


async def told(client: httpx.AsyncClient, *events: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await client.post("/v1/events", json=list(events))
    assert answer.json()["rejected"] == 0, answer.text
    receipts: list[dict[str, Any]] = answer.json()["results"]
    return receipts


def received(code: str = CODE, **changes: Any) -> dict[str, Any]:
    made = event("received", subject=code, **changes)
    made["data"]["applicant"] = PERSON
    return made


async def applicant(client: httpx.AsyncClient, code: str = CODE) -> dict[str, Any]:
    answer = await client.get(f"/v1/dossiers/{code}/applicant", params={"purpose": "test"})
    found: dict[str, Any] = answer.json()
    return {name: value for name, value in found.items() if value is not None and name not in {"dossier", "kind"}}


async def test_a_marked_text_is_told_at_once_and_found_later(api: Served, command: Any) -> None:
    client = await api.key()
    stopped = event("stopped", subject=CODE) | {"id": "s1", "data": {"reason": REASON}}
    first, second = await told(client, received(), stopped)
    assert "marks" not in first
    assert second["marks"] == [{"pointer": "/data/reason", "code": "personal"}]
    one = await client.post("/v1/events", json=stopped)
    assert one.json()["marks"] == second["marks"]
    timeline = (await client.get(f"/v1/dossiers/{CODE}")).json()["timeline"]
    assert [entry["personal"] for entry in timeline] == [[], ["reason"]]
    assert 'motcua_marked_events_total{tenant="H51"} 2.0' in (await api.client(None).get("/metrics")).text
    status, printed = await command("log", "find")
    assert (status, printed) == (0, f"2\t{stopped['source']}\ts1\t{CODE}\treason\tphone\n")


async def test_a_wrong_id_is_refused_in_words(api: Served) -> None:
    client = await api.key()
    for language, words in (("en", "put a letter before it"), ("vi", "thêm một chữ cái")):
        answer = await client.post("/v1/events", json=received(id="094085001234"), headers={"accept-language": language})
        assert answer.status_code == 422
        (error,) = answer.json()["errors"]
        assert (error["pointer"], error["code"]) == ("/id", "personal")
        assert words in error["detail"]
        assert "094085001234" not in answer.text.replace(error["detail"], "")


async def test_a_redaction_keeps_all_but_the_text(api: Served, command: Any, migration_database_url: str) -> None:
    client = await api.key()
    stopped = event("stopped", subject=CODE) | {"id": "s1", "data": {"reason": REASON, "officer": "CB-07"}}
    await told(client, received(), stopped, event("rated", subject=CODE))
    await project(api.engine)
    figures = (await client.get("/v1/stats/summary", params={"period": "2018"})).json()
    of_event = ("--source", stopped["source"], "--id", "s1")
    status, printed = await command("log", "redact", *of_event, "--field", "reason", "--reason", "Yêu cầu 12", "--by", "an")
    assert (status, printed) == (0, "redacted: reason of event 2\n")
    # it is gone wherever it was shown
    page = await feed(client, limit=10)
    assert [item["position"] for item in page["items"]] == [1, 2, 3]
    assert page["items"][1]["event"]["data"] == {"reason": "[đã xóa]", "officer": "CB-07"}
    dossier = (await client.get(f"/v1/dossiers/{CODE}")).text
    assert "0912 345" not in dossier
    # told again it is what it was, and what it is not is a conflict as ever
    assert [one["status"] for one in await told(client, stopped)] == ["duplicate"]
    other = await client.post("/v1/events", json=stopped | {"data": {"reason": "[đã xóa]", "officer": "CB-07"}})
    assert other.status_code == 409
    assert (await client.get("/v1/stats/summary", params={"period": "2018"})).json()["resolved"] == figures["resolved"]
    # noted, and the log is still what was told
    async with driver_session(api.engine) as connection:
        (note,) = await connection.fetch(
            "SELECT position, fields, redactor, reason FROM event_redaction WHERE tenant = 'H51'"
        )
    assert tuple(note) == (2, ["reason"], "an", "Yêu cầu 12")
    assert await command("log", "verify") == (0, "3 events looked at, 0 changed\n")
    # a second one of the same event
    assert (await command("log", "redact", *of_event, "--field", "officer", "--reason", "x"))[0] == 0
    assert (await command("log", "verify"))[0] == 0
    for wrong in (("--field", "channel"), ("--field", "content")):
        assert (await command("log", "redact", *of_event, *wrong, "--reason", "x"))[0] == 1
    assert (await command("log", "redact", "--source", "x", "--id", "y", "--field", "reason", "--reason", "x"))[0] == 1
    # what nobody noted is seen
    owner = await asyncpg.connect(migration_database_url)
    await owner.execute("UPDATE event_log SET data = data || '{\"satisfied\": false}' WHERE tenant = 'H51' AND position = 3")
    await owner.close()
    status, printed = await command("log", "verify")
    assert (status, printed) == (
        1,
        "event 3 is not what was told, and no redaction says so\n3 events looked at, 1 changed\n",
    )


async def test_the_application_changes_no_event(api: Served) -> None:
    client = await api.key()
    await told(client, received())
    async with driver_session(api.engine) as connection:
        for statement in ("UPDATE event_log SET data = '{}' WHERE tenant = 'H51'", "DELETE FROM applicant_erasure"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)


async def test_every_event_of_every_kind_is_verified(api: Served, command: Any) -> None:
    client = await api.key()
    names = ["submitted", "received", "payment_requested", "paid", "supplement_requested", "supplemented", "assigned"]
    names += [
        "transferred",
        "extended",
        "overdue",
        "rated",
        "withdrawn",
        "rejected",
        "stopped",
        "processed",
        "returned",
        "voided",
    ]
    await told(client, *(event(name, subject=f"H51.12-180102-{number:05}") for number, name in enumerate(names)))
    assert await command("log", "verify") == (0, f"{len(names)} events looked at, 0 changed\n")


async def test_an_applicant_is_forgotten_by_dossier(api: Served, command: Any) -> None:
    client = await api.key()
    other = "H51.12-180102-00124"
    first = received()
    await told(client, first, received(other))
    assert (await applicant(client))["phone"] == PERSON["phone"]
    forget = ("applicants", "forget", "--dossier", CODE, "--reason", "Yêu cầu của công dân", "--by", "an")
    assert await command(*forget) == (0, "forgotten: the applicants of 1 dossiers\n")
    assert await applicant(client) == {}
    assert (await applicant(client, other))["phone"] == PERSON["phone"]
    masked = (await client.get(f"/v1/dossiers/{CODE}")).json()["applicant"]
    assert masked == {"kind": "citizen", "name": None, "id_type": None, "id_number": None, "phone": None}
    # nothing brings it back
    assert [one["status"] for one in await told(client, first)] == ["duplicate"]
    await project(api.engine)
    assert await applicant(client) == {}
    assert await command(*forget) == (0, "forgotten: the applicants of 0 dossiers\n")
    assert await command("log", "verify") == (0, "2 events looked at, 0 changed\n")
    async with driver_session(api.engine) as connection:
        notes = await connection.fetch("SELECT dossier_code, eraser, reason FROM applicant_erasure WHERE tenant = 'H51'")
    assert [tuple(note) for note in notes] == [(CODE, "an", "Yêu cầu của công dân")]


async def test_applicants_are_forgotten_by_age(api: Served, command: Any) -> None:
    client = await api.key(Permission.ADMIN)
    codes = {name: f"H51.12-180102-{number:05}" for number, name in enumerate(("old", "young", "open", "never"), start=1)}
    submitted = event("submitted", subject=codes["never"], time="2018-01-02T08:00:00+07:00")
    submitted["data"]["applicant"] = PERSON
    await told(
        client,
        *(received(codes[name], time="2018-01-02T08:00:00+07:00") for name in ("old", "young", "open")),
        submitted,
        event("processed", subject=codes["old"], time="2019-12-31T23:59:59+07:00"),
        event("processed", subject=codes["young"], time="2020-01-01T00:00:00+07:00"),
    )
    await project(api.engine)
    assert await command("applicants", "forget", "--ended-before", "2020-01-01", "--reason", "Hết hạn lưu trữ") == (
        0,
        "forgotten: the applicants of 2 dossiers\n",
    )
    known = {name for name, code in codes.items() if await applicant(client, code)}
    assert known == {"young", "open"}
