"""The three endpoints and the services: docs/portal_protocol.md sections 2 to 6 and 11.1."""

from typing import Any

import pytest

DSTCODE = "VN:GOV:000.00.00.G22:dvcqg"


async def test_login_gives_a_session(practice: Any) -> None:
    found = await practice.log_in()
    assert found["error_code"] == "0"
    assert found["session"]


@pytest.mark.parametrize(
    "body",
    [
        {"username": "000.00.00.H51", "password": "wrong"},
        {"username": "nobody", "password": "practice"},
        {"username": "000.00.00.H51"},
        {"username": 1, "password": ["practice"]},
    ],
)
async def test_a_wrong_login_gets_minus_2_and_no_session(practice: Any, body: dict[str, Any]) -> None:
    answer = await practice.http.post("/mapi/login", json=body)
    assert answer.status_code == 200
    assert answer.json()["error_code"] == "-2"
    assert "session" not in answer.json()


async def test_any_unit_code_may_practise_with_the_one_password(practice: Any) -> None:
    assert (await practice.log_in("000.00.17.H29"))["error_code"] == "0"


async def test_named_users_are_the_only_ones(practising: Any) -> None:
    async with practising(users={"000.00.00.H52": "other"}) as practice:
        assert (await practice.log_in("000.00.00.H52", "other"))["error_code"] == "0"
        assert (await practice.log_in("000.00.00.H51"))["error_code"] == "0"
        assert (await practice.log_in("000.00.00.H53"))["error_code"] == "-2"
        assert (await practice.log_in("000.00.00.H52"))["error_code"] == "-2"


async def test_dstcode_may_be_a_query_parameter(practice: Any) -> None:
    body = {"username": "000.00.00.H51", "password": "practice"}
    del practice.http.headers["dstcode"]
    answer = await practice.http.post("/mapi/login", params={"dstcode": DSTCODE}, json=body)
    assert answer.json()["error_code"] == "0"


@pytest.mark.parametrize("path", ["login", "g", "share"])
@pytest.mark.parametrize("dstcode", [None, "VN:GOV:000.00.00.G22:other"])
async def test_the_adapter_does_not_route_an_unknown_dstcode(practice: Any, path: str, dstcode: str | None) -> None:
    del practice.http.headers["dstcode"]
    headers = {} if dstcode is None else {"dstcode": dstcode}
    answer = await practice.http.post(f"/mapi/{path}", json={}, headers=headers)
    assert answer.status_code == 404
    assert "json" not in answer.headers["content-type"]
    with pytest.raises(ValueError):
        answer.json()


async def test_an_unknown_session_gets_minus_1(practice: Any) -> None:
    practice.session = "made up"
    found = await practice.create(practice.dossier())
    assert found["error_code"] == "-1"
    assert "hết hạn" in found["message"]


async def test_a_session_ends_at_its_absolute_life(practice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(practice.portal, "monotonic", lambda: now[0])
    await practice.log_in()
    now[0] += 599
    assert (await practice.create(practice.dossier()))["error_code"] == "0"
    now[0] += 1
    assert (await practice.update(practice.dossier()))["error_code"] == "-1"


async def test_a_new_login_does_not_end_the_old_session(practice: Any) -> None:
    old = (await practice.log_in())["session"]
    await practice.log_in()
    practice.session = old
    assert (await practice.create(practice.dossier()))["error_code"] == "0"


@pytest.mark.parametrize("raw", [b"", b"[]", b'{"session": ', b"\xff"])
async def test_what_is_no_json_object_gets_minus_5(practice: Any, raw: bytes) -> None:
    answer = await practice.http.post("/mapi/g", content=raw)
    assert answer.json()["error_code"] == "-5"


@pytest.mark.parametrize(
    ("path", "service"),
    [("g", "TraCuuTechID"), ("g", None), ("g", "LayDanhMucCoQuan"), ("share", "DongBoHoSoMC"), ("g", "login")],
)
async def test_an_unknown_service_gets_minus_4(practice: Any, path: str, service: str | None) -> None:
    assert (await practice.call(service, path))["error_code"] == "-4"


async def test_madonvi_is_required(practice: Any) -> None:
    found = await practice.create(practice.dossier(), madonvi="")
    assert found["error_code"] == "-5"
    assert "madonvi" in found["message"]


async def test_a_dossier_is_created_and_updated(practice: Any) -> None:
    found = await practice.create(practice.dossier())
    assert found == {"error_code": "0", "message": "Đồng bộ thành công"}
    assert (await practice.update(practice.dossier(TrangThaiHoSo="4")))["error_code"] == "0"
    held = await practice.held()
    assert held["TrangThaiHoSo"] == "4"
    assert [version["TrangThaiHoSo"] for version in held["versions"]] == ["2", "4"]


async def test_a_second_create_gets_3(practice: Any) -> None:
    await practice.create(practice.dossier())
    found = await practice.create(practice.dossier(TrangThaiHoSo="4"))
    assert found["error_code"] == "3"
    assert "đã tồn tại" in found["message"]
    assert (await practice.held())["TrangThaiHoSo"] == "2"


async def test_an_update_of_an_unknown_dossier_gets_minus_3(practice: Any) -> None:
    found = await practice.update(practice.dossier())
    assert found["error_code"] == "-3"
    assert "không tồn tại" in found["message"]
    assert await practice.held() is None


async def test_an_identical_repeat_of_an_update_succeeds(practice: Any) -> None:
    await practice.create(practice.dossier())
    assert (await practice.update(practice.dossier()))["error_code"] == "0"
    held = await practice.held()
    assert [version["same_as_before"] for version in held["versions"]] == [False, True]


async def test_a_batch_stores_the_good_and_lists_the_bad(practice: Any) -> None:
    await practice.create(practice.dossier("H51-1"))
    found = await practice.create(
        practice.dossier("H51-1"),
        practice.dossier("H51-2"),
        practice.dossier("H51-3", TrangThaiHoSo=""),
        "no object",
    )
    assert found["error_code"] == "1"
    assert [(row["MAHOSO"], row["ERROR_CODE"]) for row in found["result"]] == [
        ("H51-1", "3"),
        ("H51-3", "-5"),
        ("", "-5"),
    ]
    assert "TrangThaiHoSo" in found["result"][1]["MESSAGE"]
    assert await practice.look_up("H51-1", "H51-2", "H51-3") == ["H51-1", "H51-2"]


async def test_a_strict_portal_rejects_the_whole_batch(practice: Any) -> None:
    await practice.limits(strict_batch=True)
    found = await practice.create(practice.dossier("H51-1"), practice.dossier("H51-2", MaTTHC=""))
    assert found["error_code"] == "-5"
    assert [row["MAHOSO"] for row in found["result"]] == ["H51-2"]
    assert await practice.look_up("H51-1") == []


async def test_a_code_twice_in_a_batch_is_taken_in_order(practice: Any) -> None:
    found = await practice.create(practice.dossier("H51-1"), practice.dossier("H51-1", TrangThaiHoSo="4"))
    assert [(row["MAHOSO"], row["ERROR_CODE"]) for row in found["result"]] == [("H51-1", "3")]
    await practice.update(practice.dossier("H51-1", TrangThaiHoSo="4"), practice.dossier("H51-1", TrangThaiHoSo="9"))
    assert [version["TrangThaiHoSo"] for version in (await practice.held("H51-1"))["versions"]] == ["2", "4", "9"]


async def test_no_more_than_100_dossiers_a_call(practice: Any) -> None:
    dossiers = [practice.dossier(f"H51-{n}") for n in range(101)]
    assert (await practice.create(*dossiers))["error_code"] == "-5"
    assert (await practice.stats())["dossiers"] == 0
    assert (await practice.create(*dossiers[:100]))["error_code"] == "0"
    assert (await practice.stats())["dossiers"] == 100


@pytest.mark.parametrize("data", [None, [], {}, "text"])
async def test_data_must_be_a_list_with_something_in_it(practice: Any, data: object) -> None:
    for fields in ({"service": "DongBoHoSoMC", "isUpdating": "True"}, {"service": "CapNhatTienDoHoSoMC"}):
        found = await practice.call(fields["service"], data=data, isUpdating="True")
        assert found["error_code"] == "-5"
        assert found["message"].startswith("data")


async def test_backwards_is_recorded_and_only_refused_when_strict(practice: Any) -> None:
    await practice.create(practice.dossier(TrangThaiHoSo="10"))
    assert (await practice.update(practice.dossier(TrangThaiHoSo="4")))["error_code"] == "0"
    assert [v["backwards"] for v in (await practice.held())["versions"]] == [False, True]
    await practice.limits(strict_order=True)
    await practice.update(practice.dossier(TrangThaiHoSo="10"))
    assert (await practice.update(practice.dossier(TrangThaiHoSo="4")))["error_code"] == "-6"
    assert (await practice.held())["TrangThaiHoSo"] == "10"


@pytest.mark.parametrize("asked", ["5", "6"])
async def test_back_to_work_after_a_request_is_not_backwards(practice: Any, asked: str) -> None:
    await practice.limits(strict_order=True)
    await practice.create(practice.dossier(TrangThaiHoSo="4"))
    for status in (asked, "4", "9", "10"):
        assert (await practice.update(practice.dossier(TrangThaiHoSo=status)))["error_code"] == "0"


async def test_progress_needs_its_dossier(practice: Any) -> None:
    found = await practice.progress(practice.step())
    assert found["error_code"] == "-3"
    assert (await practice.stats())["steps"] == 0


async def test_a_step_is_accepted_twice_and_held_once(practice: Any) -> None:
    await practice.create(practice.dossier())
    later = practice.step(TrangThai="4", ThoiDiemXuLy="20261120090000")
    assert (await practice.progress(practice.step(), later))["error_code"] == "0"
    assert (await practice.progress(practice.step(), later))["error_code"] == "0"
    held = (await practice.held())["progress"]
    assert [(step["TrangThai"], step["repeats"]) for step in held] == [("2", 1), ("4", 1)]
    assert held[0]["order"] < held[1]["order"]


async def test_steps_are_told_apart_by_each_part_of_their_key(practice: Any) -> None:
    await practice.create(practice.dossier())
    await practice.progress(
        practice.step(),
        practice.step(NguoiXuLy="Lê C"),
        practice.step(TrangThai="4"),
        practice.step(ThoiDiemXuLy="20261120081501"),
        practice.step(NoiDungXuLy="khác"),
    )
    assert len((await practice.held())["progress"]) == 4


async def test_progress_limits(practice: Any) -> None:
    await practice.create(practice.dossier("H51-1"), practice.dossier("H51-2"))
    times = [f"202611200900{n:02}" for n in range(11)]
    eleven = [practice.step("H51-1", ThoiDiemXuLy=time) for time in times]
    found = await practice.progress(*eleven, practice.step("H51-2"))
    assert found["error_code"] == "1"
    assert {row["MAHOSO"] for row in found["result"]} == {"H51-1"}
    assert (await practice.progress(*eleven[:10]))["error_code"] == "0"
    many = [practice.step(f"H51-{n}") for n in range(101)]
    assert (await practice.progress(*many))["message"].startswith("data")


async def test_progress_rejects_step_by_step(practice: Any) -> None:
    await practice.create(practice.dossier())
    found = await practice.progress(practice.step(), practice.step(TrangThai="11"), practice.step("H51-unknown"))
    assert found["error_code"] == "1"
    assert [row["ERROR_CODE"] for row in found["result"]] == ["-5", "-3"]
    assert "data[1].TrangThai" in found["result"][0]["MESSAGE"]
    assert len((await practice.held())["progress"]) == 1


async def test_a_strict_portal_rejects_all_steps_of_a_call(practice: Any) -> None:
    await practice.create(practice.dossier())
    await practice.limits(strict_batch=True)
    assert (await practice.progress(practice.step(), practice.step(TrangThai="")))["error_code"] == "-5"
    assert (await practice.held())["progress"] == []


async def test_look_up_gives_the_known_in_the_order_asked(practice: Any) -> None:
    await practice.create(practice.dossier("H51-1"), practice.dossier("H51-2", NgayHenTra=""))
    found = await practice.call("TraCuuHoSo", mahoso="H51-2, H51-9,H51-1,H51-2")
    assert found["error_code"] == "0"
    assert [row["MAHOSO"] for row in found["result"]] == ["H51-2", "H51-1"]
    assert found["result"][0] == {
        "MAHOSO": "H51-2",
        "TRANGTHAIHOSO": "2",
        "NGAYTIEPNHAN": "20261120081500",
        "NGAYHENTRA": "",
        "NGAYKETTHUCXULY": "",
        "NGAYTRA": "",
    }


async def test_look_up_of_the_unknown_is_empty(practice: Any) -> None:
    assert (await practice.call("TraCuuHoSo", mahoso="H51-9"))["result"] == []


async def test_look_up_takes_up_to_100_codes(practice: Any) -> None:
    codes = [f"H51-{n}" for n in range(101)]
    assert (await practice.call("TraCuuHoSo", mahoso=",".join(codes)))["error_code"] == "-5"
    assert (await practice.call("TraCuuHoSo", mahoso=",".join(codes[1:])))["error_code"] == "0"
    assert (await practice.call("TraCuuHoSo", mahoso=""))["error_code"] == "-5"
    assert (await practice.call("TraCuuHoSo", MaHoSo="H51-1"))["error_code"] == "0"


async def test_the_dictionaries(practice: Any) -> None:
    procedures = (await practice.call("LayDanhSachTTHC", "share"))["result"]
    one = (await practice.call("LayThuTuc", maTTHC=procedures[0]["MATTHC"]))["result"][0]
    assert one["TENTTHC"] == procedures[0]["TENTTHC"]
    assert one["CACHTHUCTHUCHIEN"][0]["THOIGIAN"][0]["THOIGIANGIAIQUYET"]
    fields = (await practice.call("LayDanhMucLinhVuc", "share"))["result"]
    assert one["LINHVUCTHUCHIEN"][0]["MALINHVUC"] in {row["MALINHVUC"] for row in fields}
    agencies = (await practice.call("LayDanhMucCoQuan", "share"))["result"]
    assert {"MADONVI", "TENDONVI", "CAPDONVI"} == set(agencies[0])
    assert (await practice.call("LayThuTuc", maTTHC="9.999999"))["result"] == []
    assert (await practice.call("LayThuTuc"))["error_code"] == "-5"


async def test_the_catalogue_can_be_insisted_on(practice: Any) -> None:
    odd = practice.dossier(MaTTHC="9.999999")
    assert (await practice.create(odd))["error_code"] == "0"
    await practice.limits(insist_catalogue=True)
    assert "MaTTHC" in (await practice.update(odd))["message"]
    assert "MaLinhVuc" in (await practice.update(practice.dossier(MaLinhVuc="G99-XX99")))["message"]
    assert (await practice.update(practice.dossier(MaLinhVuc="")))["error_code"] == "0"


async def test_a_user_makes_600_calls_a_minute(practice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    await practice.limits(calls_per_minute=3)
    now = [1000.0]
    monkeypatch.setattr(practice.portal, "monotonic", lambda: now[0])
    for _ in range(3):
        assert (await practice.post("TraCuuHoSo", mahoso="x")).status_code == 200
        now[0] += 1
    refused = await practice.post("TraCuuHoSo", mahoso="x")
    assert refused.status_code == 429
    assert refused.json()["error_code"] == "-7"
    assert refused.headers["retry-after"] == "57"
    old = practice.session
    await practice.log_in("000.00.00.H52")
    assert (await practice.post("TraCuuHoSo", mahoso="x")).status_code == 200
    practice.session = old
    now[0] += 57
    assert (await practice.post("TraCuuHoSo", mahoso="x")).status_code == 200
    assert (await practice.post("TraCuuHoSo", mahoso="x")).status_code == 429


@pytest.mark.parametrize("code", ["0", "00", 0])
async def test_the_success_code_is_a_switch(practice: Any, code: str | int) -> None:
    await practice.limits(success_code=code)
    assert (await practice.log_in())["error_code"] == code
    assert (await practice.create(practice.dossier()))["error_code"] == code
    assert (await practice.update(practice.dossier("H51-9")))["error_code"] == "-3"
