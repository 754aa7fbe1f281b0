"""What the portal shows of itself: docs/contract.md section 5."""

import re
from pathlib import Path
from typing import Any

import pytest

from services.mock_portal.settings import Settings


async def test_a_dossier_is_shown_with_all_it_accepted(practice: Any) -> None:
    await practice.create(practice.dossier())
    await practice.progress(practice.step())
    await practice.update(practice.dossier(TrangThaiHoSo="4"))
    held = await practice.held()
    assert held["TrangThaiHoSo"] == "4"
    assert held["ChuHoSo"] == "Nguyễn Văn A"
    first, second = held["versions"]
    assert (first["version"], second["version"]) == (1, 2)
    assert (first["is_updating"], second["is_updating"]) == (False, True)
    assert first["order"] < held["progress"][0]["order"] < second["order"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["accepted_at"])
    assert first["accepted_at"] <= second["accepted_at"]
    calls = {call["n"]: call["service"] for call in await practice.calls()}
    assert calls[first["call"]] == "DongBoHoSoMC"
    assert calls[held["progress"][0]["call"]] == "CapNhatTienDoHoSoMC"


async def test_an_unknown_dossier_is_404(practice: Any) -> None:
    assert (await practice.http.get("/_portal/dossiers/H51-9")).status_code == 404


async def test_a_code_may_hold_a_slash(practice: Any) -> None:
    await practice.create(practice.dossier("H51/12-1"))
    assert (await practice.held("H51/12-1"))["MaHoSo"] == "H51/12-1"
    assert (await practice.held("H51%2F12-1"))["MaHoSo"] == "H51/12-1"


async def test_dossiers_come_in_pages(practice: Any) -> None:
    await practice.create(*(practice.dossier(f"H51-{n:02}") for n in range(25)))
    seen, after = [], ""
    while after is not None:
        page = (await practice.http.get("/_portal/dossiers", params={"after": after, "limit": 10})).json()
        seen += [item["MaHoSo"] for item in page["items"]]
        after = page["next"]
    assert seen == [f"H51-{n:02}" for n in range(25)]
    full = (await practice.http.get("/_portal/dossiers?limit=1&full=true")).json()["items"][0]
    assert full["version_count"] == len(full["versions"]) == 1
    assert full["progress_count"] == len(full["progress"]) == 0


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x"])
async def test_a_page_has_a_size(practice: Any, query: str) -> None:
    assert (await practice.http.get(f"/_portal/dossiers?{query}")).status_code == 422


async def test_calls_are_kept_with_their_answers_and_without_passwords(practice: Any) -> None:
    await practice.log_in()
    await practice.create(practice.dossier("H51-1"), practice.dossier("H51-2"))
    login, create = await practice.calls()
    assert (login["n"], create["n"]) == (1, 2)
    assert login["service"] == "login"
    assert '"password":"***"' in login["request"]
    assert practice.session
    assert practice.session not in login["answer"] + create["request"]
    assert '"session":"***"' in login["answer"]
    assert (create["service"], create["items"], create["codes"]) == ("DongBoHoSoMC", 2, ["H51-1", "H51-2"])
    assert (create["status"], create["outcome"], create["delivered"]) == (200, "0", True)
    assert "thành công" in create["answer"]
    assert create["username"] == "000.00.00.H51"


async def test_calls_come_in_pages_and_are_bounded(practice: Any) -> None:
    await practice.limits(calls_kept=5, call_text_bytes=50)
    for n in range(8):
        await practice.call("TraCuuHoSo", mahoso=f"H51-{n}")
    kept = await practice.calls()
    assert [call["n"] for call in kept] == [5, 6, 7, 8, 9]
    assert len(kept[0]["request"]) == 50 < kept[0]["request_bytes"]
    page = (await practice.http.get("/_portal/calls?after=5&limit=2")).json()
    assert ([call["n"] for call in page["items"]], page["next"]) == ([6, 7], 7)
    newest = (await practice.http.get("/_portal/calls?limit=2&newest=true")).json()
    assert [call["n"] for call in newest["items"]] == [9, 8]
    assert (await practice.stats())["calls"]["total"] == 9


async def test_stats_count_by_service_and_outcome(practice: Any) -> None:
    await practice.create(practice.dossier())
    await practice.create(practice.dossier())
    await practice.update(practice.dossier())
    await practice.progress(practice.step(), practice.step())
    found = await practice.stats()
    assert (found["dossiers"], found["versions"], found["steps"], found["repeated_steps"]) == (1, 2, 1, 1)
    assert found["calls"]["by_service"] == {
        "login": {"0": 1},
        "DongBoHoSoMC": {"0": 2, "3": 1},
        "CapNhatTienDoHoSoMC": {"0": 1},
    }


async def test_limits_are_read_changed_and_kept(practising: Any) -> None:
    async with practising() as practice:
        found = (await practice.http.get("/_portal/limits")).json()
        assert (found["dossiers_per_call"], found["calls_per_minute"]) == (100, 600)
        await practice.limits(dossiers_per_call=2)
        three = [practice.dossier(f"H51-{n}") for n in range(3)]
        assert (await practice.create(*three))["error_code"] == "-5"
    async with practising() as practice:
        found = (await practice.http.get("/_portal/limits")).json()
        assert found["dossiers_per_call"] == 2
        await practice.http.post("/_portal/reset?part=limits")
        assert (await practice.http.get("/_portal/limits")).json()["dossiers_per_call"] == 100


@pytest.mark.parametrize(
    "change",
    [{"dossiers_per_call": 0}, {"calls_per_minute": "x"}, {"success_code": "1"}, {"dossiers": 5}],
)
async def test_a_wrong_limit_is_refused_by_name(practice: Any, change: dict[str, Any]) -> None:
    answer = await practice.http.put("/_portal/limits", json=change)
    assert answer.status_code == 422
    assert answer.json()["detail"]["problems"][0]["field"] == next(iter(change))


@pytest.mark.parametrize("raw", ["", "[]", "{"])
async def test_settings_are_json_objects(practice: Any, raw: str) -> None:
    for path in ("limits", "faults"):
        assert (await practice.http.put(f"/_portal/{path}", content=raw)).status_code == 422


async def test_reset_forgets_everything(practice: Any) -> None:
    await practice.create(practice.dossier())
    await practice.progress(practice.step())
    await practice.limits(strict_order=True)
    await practice.faults({"fault": "F3"})
    assert (await practice.http.post("/_portal/reset")).status_code == 200
    stats = await practice.stats()
    assert (stats["dossiers"], stats["steps"], stats["calls"]["total"], stats["sessions"]) == (0, 0, 0, 0)
    assert (await practice.http.get("/_portal/faults")).json()["rules"] == []
    assert (await practice.http.get("/_portal/limits")).json()["strict_order"] is False
    assert (await practice.create(practice.dossier()))["error_code"] == "-1"
    await practice.log_in()
    assert (await practice.create(practice.dossier()))["error_code"] == "0"
    assert (await practice.held())["versions"][0]["order"] == 1


async def test_reset_of_the_data_alone_keeps_sessions_and_rules(practice: Any) -> None:
    await practice.create(practice.dossier())
    await practice.faults({"fault": "F20", "variant": "plain"})
    await practice.http.post("/_portal/reset?part=data")
    assert (await practice.create(practice.dossier()))["message"] == "Dong bo thanh cong"


async def test_another_site_cannot_reset_the_portal(practice: Any) -> None:
    refused = await practice.http.post("/_portal/reset", headers={"origin": "https://elsewhere.example"})
    assert refused.status_code == 403
    own = await practice.http.post("/_portal/reset", headers={"origin": "http://portal"})
    assert own.status_code == 200


async def test_the_page_needs_no_outside_host(practice: Any) -> None:
    answer = await practice.http.get("/")
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert re.findall(r"https?://", answer.text) == []
    for label in ("Hồ sơ đang giữ", "dossiers held", "Hỗn hợp mặc định", "default load mix"):
        assert label in answer.text
    assert '"10":"Đã trả kết quả"' in answer.text


async def test_the_documentation_needs_no_outside_host(practice: Any) -> None:
    page = (await practice.http.get("/docs")).text
    links = re.findall(r"""(?:src|href)="([^"]+)""", page)
    assert links
    assert [link for link in links if not link.startswith("/")] == []
    schema = (await practice.http.get("/openapi.json")).json()
    assert {"/mapi/login", "/mapi/g", "/mapi/share", "/_portal/faults"} <= set(schema["paths"])
    examples = schema["paths"]["/mapi/g"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    assert "DongBoHoSoMC" in examples


def test_every_setting_is_in_the_readme() -> None:
    readme = (Path(__file__).parents[3] / "services/mock_portal/README.md").read_text(encoding="utf-8")
    names = {"MOTCUA_DATA_DIR"} | {f"MOTCUA_PORTAL_{name.upper()}" for name in Settings.model_fields if name != "data_dir"}
    assert [name for name in sorted(names) if f"`{name}`" not in readme] == []


async def test_numbers_beyond_what_the_portal_can_count_are_refused(practice: Any) -> None:
    beyond = 10**23
    assert (await practice.http.get(f"/_portal/calls?after={beyond}")).status_code == 422
    assert (await practice.http.get(f"/_portal/calls?after={2**63 - 1}")).json()["items"] == []
    for path, change in [
        ("limits", {"calls_kept": beyond}),
        ("limits", {"calls_per_minute": beyond}),
        ("faults", {"seed": beyond}),
        ("faults", {"rules": [{"fault": "F3", "nth": beyond}]}),
        ("faults", {"rules": [{"fault": "F3", "times": beyond}]}),
    ]:
        assert (await practice.http.put(f"/_portal/{path}", json=change)).status_code == 422, change
