"""The failure repertoire of docs/portal_protocol.md section 11.2, without the socket faults."""

import asyncio
import time
import unicodedata
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from services.mock_portal.faults.rules import KINDS, PRESETS, Fault
from services.mock_portal.protocol.connection_drops import ConnectionDroppedError


async def test_f1_ends_the_session_for_good(practice: Any) -> None:
    await practice.log_in()
    await practice.faults({"fault": "F1", "times": 1})
    assert (await practice.create(practice.dossier()))["error_code"] == "-1"
    assert (await practice.create(practice.dossier()))["error_code"] == "-1"
    await practice.log_in()
    assert (await practice.create(practice.dossier()))["error_code"] == "0"


async def test_f2_refuses_the_login(practice: Any) -> None:
    await practice.faults({"fault": "F2", "times": 1})
    found = await practice.log_in()
    assert (found["error_code"], "session" in found) == ("-2", False)
    assert (await practice.log_in())["error_code"] == "0"


@pytest.mark.parametrize("variant", ["502", "503", "504"])
async def test_f3_answers_as_the_adapter(practice: Any, variant: str) -> None:
    await practice.faults({"fault": "F3", "variant": variant, "service": "DongBoHoSoMC"})
    answer = await practice.post("DongBoHoSoMC", isUpdating="False", data=[practice.dossier()])
    assert answer.status_code == int(variant)
    assert answer.headers["content-type"].startswith("text/html")
    assert await practice.held() is None


@pytest.mark.parametrize(("fault", "applied"), [("F4", False), ("F5", False), ("F6", True)])
async def test_dropped_calls_are_applied_or_not(practice: Any, fault: str, applied: bool) -> None:
    rule: dict[str, Any] = {"fault": fault, "service": "DongBoHoSoMC", "times": 1}
    if fault != "F4":
        rule |= {"seconds": 0}
    await practice.faults(rule)
    with pytest.raises(ConnectionDroppedError):
        await practice.create(practice.dossier())
    call = (await practice.calls())[-1]
    assert (call["status"], call["outcome"], call["delivered"], call["faults"]) == (None, "dropped", False, [fault])
    assert (call["answer"] is not None) is applied
    found = await practice.create(practice.dossier())
    assert found["error_code"] == ("3" if applied else "0")


async def test_f6_may_end_as_a_gateway_timeout(practice: Any) -> None:
    await practice.faults({"fault": "F6", "variant": "504", "seconds": 0, "times": 1})
    answer = await practice.post("DongBoHoSoMC", isUpdating="False", data=[practice.dossier()])
    assert answer.status_code == 504
    assert await practice.held() is not None
    call = (await practice.calls())[-1]
    assert (call["status"], call["outcome"]) == (504, "http_504")
    assert '"error_code":"0"' in call["answer"]


async def test_f7_is_slow_but_right(practice: Any) -> None:
    await practice.log_in()
    await practice.faults({"fault": "F7", "seconds": 0.1})
    began = time.perf_counter()
    assert (await practice.create(practice.dossier()))["error_code"] == "0"
    assert 0.03 < time.perf_counter() - began < 2


@pytest.mark.parametrize(("variant", "applied"), [("empty", False), ("html", False), ("truncated", True)])
async def test_f8_disfigures_the_answer(practice: Any, variant: str, applied: bool) -> None:
    await practice.log_in()
    await practice.faults({"fault": "F8", "variant": variant})
    answer = await practice.post("DongBoHoSoMC", isUpdating="False", data=[practice.dossier()])
    assert answer.status_code == 200
    with pytest.raises(ValueError):
        answer.json()
    assert (await practice.held() is not None) is applied
    assert (await practice.calls())[-1]["outcome"] == "garbled"


async def test_f9_answers_without_error_code(practice: Any) -> None:
    await practice.log_in()
    await practice.faults({"fault": "F9"})
    assert await practice.create(practice.dossier()) == {"message": "Đồng bộ thành công"}


async def test_f10_says_a_new_dossier_exists_and_then_takes_the_update(practice: Any) -> None:
    await practice.faults({"fault": "F10", "times": 1})
    assert (await practice.create(practice.dossier()))["error_code"] == "3"
    assert await practice.held() is None
    assert (await practice.update(practice.dossier()))["error_code"] == "0"
    assert len((await practice.held())["versions"]) == 1


async def test_f11_says_a_known_dossier_is_missing_and_then_takes_the_create(practice: Any) -> None:
    await practice.create(practice.dossier())
    await practice.faults({"fault": "F11", "times": 1})
    later = practice.dossier(TrangThaiHoSo="4")
    assert (await practice.update(later))["error_code"] == "-3"
    assert (await practice.create(later))["error_code"] == "0"
    assert [v["TrangThaiHoSo"] for v in (await practice.held())["versions"]] == ["2", "4"]
    assert (await practice.create(later))["error_code"] == "3"


@pytest.mark.parametrize("fault", ["F12", "F13", "F14"])
async def test_one_item_of_a_batch_is_rejected(practice: Any, fault: str) -> None:
    await practice.faults({"fault": fault, "times": 1})
    found = await practice.create(*(practice.dossier(f"H51-{n}") for n in range(20)))
    assert found["error_code"] == "1"
    assert [row["ERROR_CODE"] for row in found["result"]] == ["-5"]
    stats = await practice.stats()
    assert (stats["dossiers"], stats["faults"]) == (19, {fault: 1})


async def test_a_pattern_names_the_items(practice: Any) -> None:
    await practice.faults({"fault": "F12", "dossier": "-[37]$"})
    found = await practice.create(*(practice.dossier(f"H51-{n}") for n in range(10)))
    assert [row["MAHOSO"] for row in found["result"]] == ["H51-3", "H51-7"]


@pytest.mark.parametrize("variant", ["seconds", "date", "code"])
async def test_f15_asks_to_wait(practice: Any, variant: str) -> None:
    await practice.log_in()
    await practice.faults({"fault": "F15", "variant": variant, "seconds": 3})
    answer = await practice.post("DongBoHoSoMC", isUpdating="False", data=[practice.dossier()])
    assert answer.json()["error_code"] == "-7"
    if variant == "code":
        assert (answer.status_code, "retry-after" in answer.headers) == (200, False)
        return
    assert answer.status_code == 429
    if variant == "seconds":
        assert answer.headers["retry-after"] == "3"
    else:
        wait = parsedate_to_datetime(answer.headers["retry-after"]) - datetime.now(UTC)
        assert 2 < wait.total_seconds() <= 4


async def test_f16_closes_the_whole_portal_for_a_while(practice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    await practice.log_in()
    now = [practice.portal.monotonic()]
    monkeypatch.setattr(practice.portal, "monotonic", lambda: now[0])
    await practice.faults({"fault": "F16", "seconds": 60, "nth": 2})
    assert (await practice.create(practice.dossier()))["error_code"] == "0"
    for _ in range(3):
        answer = await practice.post("TraCuuHoSo", mahoso="x")
        assert answer.status_code == 503
        assert 0 < int(answer.headers["retry-after"]) <= 60
        now[0] += 15
    assert (await practice.http.get("/_portal/faults")).json()["maintenance_seconds"] == 15
    now[0] += 15
    assert (await practice.call("TraCuuHoSo", mahoso="x"))["error_code"] == "0"


async def test_f17_does_not_find_what_is_young(practice: Any) -> None:
    await practice.create(practice.dossier("H51-1"), practice.dossier("H51-2"))
    await practice.faults({"fault": "F17", "seconds": 60, "dossier": "1$"})
    assert await practice.look_up("H51-1", "H51-2") == ["H51-2"]
    await practice.faults({"fault": "F17", "seconds": 0})
    assert await practice.look_up("H51-1", "H51-2") == ["H51-1", "H51-2"]


async def test_f17_lags_behind_the_creation_not_the_update(practice: Any) -> None:
    await practice.create(practice.dossier())
    await asyncio.sleep(0.3)
    await practice.update(practice.dossier(TrangThaiHoSo="4"))
    await practice.faults({"fault": "F17", "seconds": 0.2})
    assert await practice.look_up("H51-261121-0001") == ["H51-261121-0001"]


async def test_f18_refuses_a_step_back(practice: Any) -> None:
    await practice.create(practice.dossier(TrangThaiHoSo="10"))
    await practice.faults({"fault": "F18", "times": 1})
    assert (await practice.update(practice.dossier(TrangThaiHoSo="4")))["error_code"] == "-6"
    assert (await practice.update(practice.dossier(TrangThaiHoSo="4")))["error_code"] == "0"


@pytest.mark.parametrize(
    ("variant", "text"),
    [
        ("plain", "Ho so H51-261121-0001 da ton tai"),
        ("upper", "HỒ SƠ H51-261121-0001 ĐÃ TỒN TẠI"),
        ("nfd", unicodedata.normalize("NFD", "Hồ sơ H51-261121-0001 đã tồn tại")),
    ],
)
async def test_f20_says_the_same_in_other_letters(practice: Any, variant: str, text: str) -> None:
    await practice.create(practice.dossier())
    await practice.faults({"fault": "F20", "variant": variant})
    found = await practice.create(practice.dossier())
    assert (found["message"], found["result"][0]["MESSAGE"]) == (text, text)


async def test_f21_lets_the_dossier_through_and_not_its_progress(practice: Any) -> None:
    await practice.faults({"fault": "F21", "times": 1})
    assert (await practice.create(practice.dossier()))["error_code"] == "0"
    assert (await practice.post("CapNhatTienDoHoSoMC", data=[practice.step()])).status_code >= 500
    assert (await practice.progress(practice.step()))["error_code"] == "0"


async def test_f22_says_success_and_stores_nothing(practice: Any) -> None:
    await practice.faults({"fault": "F22", "dossier": "1$", "times": 1})
    found = await practice.create(practice.dossier("H51-1"), practice.dossier("H51-2"))
    assert found["error_code"] == "0"
    assert await practice.look_up("H51-1", "H51-2") == ["H51-2"]


async def test_rules_count_match_and_end(practice: Any) -> None:
    await practice.log_in()
    await practice.faults({"fault": "F3", "service": "TraCuuHoSo", "nth": 2, "times": 2, "variant": "502"})
    seen = [(await practice.post("TraCuuHoSo", mahoso="x")).status_code for _ in range(5)]
    assert seen == [200, 502, 502, 200, 200]
    assert (await practice.http.get("/_portal/faults")).json()["counts"] == [{"matched": 5, "fired": 2}]


async def test_the_seed_makes_a_course_repeatable(practice: Any) -> None:
    await practice.log_in()
    rule = {"fault": "F3", "probability": 0.5}

    async def course(seed: int) -> list[int]:
        await practice.faults(rule, {"fault": "F8", "probability": 0.3}, seed=seed)
        return [(await practice.post("TraCuuHoSo", mahoso="x")).status_code for _ in range(40)]

    first = await course(7)
    assert await course(7) == first
    assert await course(8) != first
    assert 5 < sum(status != 200 for status in first) < 35


async def test_faults_combine(practice: Any) -> None:
    await practice.faults(
        {"fault": "F7", "seconds": 0.01},
        {"fault": "F12", "dossier": "2$"},
        {"fault": "F20", "variant": "plain"},
        {"fault": "F19", "variant": "00"},
    )
    found = await practice.create(practice.dossier("H51-1"), practice.dossier("H51-2"))
    assert found["result"] == [
        {"MAHOSO": "H51-2", "ERROR_CODE": "-5", "MESSAGE": "MaHoSo: ho so bi tu choi"},
    ]
    assert (await practice.calls())[-1]["faults"] == ["F7", "F12", "F20", "F19"]


async def test_faults_of_the_portal_itself_spare_calls_that_do_not_reach_it(practice: Any) -> None:
    practice.session = "made up"
    await practice.faults({"fault": "F22", "times": 1})
    assert (await practice.create(practice.dossier()))["error_code"] == "-1"
    assert (await practice.http.get("/_portal/faults")).json()["counts"] == [{"matched": 0, "fired": 0}]


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"fault": "F99"}, "rules[0].fault"),
        ({}, "rules[0].fault"),
        ({"fault": "F3", "service": "Nothing"}, "rules[0].service"),
        ({"fault": "F21", "service": "DongBoHoSoMC"}, "rules[0].service"),
        ({"fault": "F2", "service": "TraCuuHoSo"}, "rules[0].service"),
        ({"fault": "F3", "dossier": "("}, "rules[0].dossier"),
        ({"fault": "F3", "nth": 0}, "rules[0].nth"),
        ({"fault": "F3", "times": "3"}, "rules[0].times"),
        ({"fault": "F3", "probability": 1.5}, "rules[0].probability"),
        ({"fault": "F5", "seconds": -1}, "rules[0].seconds"),
        ({"fault": "F8", "variant": "other"}, "rules[0].variant"),
        ({"fault": "F3", "often": 1}, "rules[0].often"),
    ],
)
async def test_a_wrong_rule_is_refused_by_name(practice: Any, rule: dict[str, Any], field: str) -> None:
    answer = await practice.http.put("/_portal/faults", json={"rules": [rule]})
    assert answer.status_code == 422
    assert [problem["field"] for problem in answer.json()["detail"]["problems"]] == [field]
    assert field in answer.json()["detail"]["message"]


@pytest.mark.parametrize(
    ("plan", "field"),
    [
        ({"preset": "other"}, "preset"),
        ({"preset": "default-mix", "rules": [{"fault": "F3"}]}, "preset"),
        ({"rule": []}, "rule"),
        ({"seed": "x"}, "seed"),
        ({"rules": {}}, "rules"),
    ],
)
async def test_a_wrong_plan_is_refused_by_name(practice: Any, plan: dict[str, Any], field: str) -> None:
    answer = await practice.http.put("/_portal/faults", json=plan)
    assert answer.status_code == 422
    assert [problem["field"] for problem in answer.json()["detail"]["problems"]] == [field]


async def test_what_get_gives_put_takes(practice: Any) -> None:
    await practice.faults({"fault": "F6", "dossier": "^H51", "times": 3, "seconds": 5}, {"fault": "F16"})
    found = (await practice.http.get("/_portal/faults")).json()
    again = await practice.http.put("/_portal/faults", json=found)
    assert again.json()["rules"] == found["rules"]


async def test_the_default_mix_is_a_preset(practice: Any) -> None:
    found = (await practice.http.put("/_portal/faults", json={"seed": 3, "preset": "default-mix"})).json()
    assert found["seed"] == 3
    shares = {rule["fault"]: rule["probability"] for rule in found["rules"]}
    assert shares["F3"] == 0.02
    assert sum(shares[fault] for fault in ("F12", "F13", "F14")) == pytest.approx(0.005)
    window = next(rule for rule in found["rules"] if rule["fault"] == "F16")
    assert window["seconds"] == 60


def test_every_fault_has_a_kind_and_the_presets_are_named() -> None:
    assert set(KINDS) == set(Fault)
    assert [fault.value for fault in Fault] == [f"F{n}" for n in range(1, 23)]
    assert "default-mix" in PRESETS


async def test_the_admin_routes_are_spared(practice: Any) -> None:
    await practice.faults(*({"fault": fault, "probability": 1.0} for fault in ("F3", "F16", "F4", "F5")))
    body = {"username": "000.00.00.H51", "password": "practice"}
    assert (await practice.http.post("/mapi/login", json=body)).status_code >= 500
    for path in ("dossiers", "calls", "stats", "limits", "faults"):
        answer: httpx.Response = await practice.http.get(f"/_portal/{path}")
        assert answer.status_code == 200
