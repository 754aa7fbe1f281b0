"""Each quirk of docs/portal_protocol.md section 10, as this portal plays it."""

from typing import Any

import pytest


@pytest.mark.parametrize("spelling", ["True", "true", "1", True, 1])
async def test_1_booleans_in_several_spellings(practice: Any, spelling: object) -> None:
    await practice.create(practice.dossier())
    paper = {"IsDeleted": spelling, "DuocLayTuKhoDMQG": "0"}
    data = [practice.dossier(TaiLieuNop=[paper])]
    assert (await practice.call("DongBoHoSoMC", isUpdating=spelling, data=data))["error_code"] == "0"
    assert (await practice.held())["TaiLieuNop"][0]["IsDeleted"] == "1"


@pytest.mark.parametrize("spelling", ["", None, "yes", 2, []])
async def test_1_is_updating_must_say_which(practice: Any, spelling: object) -> None:
    found = await practice.call("DongBoHoSoMC", isUpdating=spelling, data=[practice.dossier()])
    assert found["error_code"] == "-5"
    assert found["message"].startswith("isUpdating")


@pytest.mark.parametrize(("variant", "code"), [("number", 0), ("0", "0"), ("00", "00")])
async def test_2_success_in_three_spellings(practice: Any, variant: str, code: str | int) -> None:
    await practice.faults({"fault": "F19", "variant": variant})
    assert (await practice.create(practice.dossier()))["error_code"] == code


async def test_3_an_update_of_what_was_never_created_leads_to_a_create(practice: Any) -> None:
    assert (await practice.update(practice.dossier()))["error_code"] == "-3"
    assert (await practice.create(practice.dossier()))["error_code"] == "0"


async def test_4_a_failed_look_up_is_no_empty_answer(practice: Any) -> None:
    await practice.create(practice.dossier())
    await practice.faults({"fault": "F8", "service": "TraCuuHoSo", "variant": "empty", "times": 1})
    answer = await practice.post("TraCuuHoSo", mahoso="H51-261121-0001")
    assert (answer.status_code, answer.content) == (200, b"")
    found = await practice.create(practice.dossier())
    assert found["error_code"] == "3"
    assert (await practice.update(practice.dossier()))["error_code"] == "0"


async def test_5_no_promised_date_is_the_empty_string(practice: Any) -> None:
    assert (await practice.create(practice.dossier(NgayHenTra="")))["error_code"] == "0"


async def test_6_names_are_kept_as_they_were_sent(practice: Any) -> None:
    await practice.create(practice.dossier(TenTTHC="Tên cũ"))
    await practice.update(practice.dossier(TenTTHC="Tên mới"))
    assert [version["TenTTHC"] for version in (await practice.held())["versions"]] == ["Tên cũ", "Tên mới"]


async def test_7_an_empty_status_is_refused_by_name(practice: Any) -> None:
    found = await practice.create(practice.dossier(TrangThaiHoSo=""))
    assert found["error_code"] == "-5"
    assert "TrangThaiHoSo" in found["message"]


async def test_8_a_file_is_an_address(practice: Any) -> None:
    paper = {"DuongDanTaiTepTin": "file:///a.pdf", "DuocLayTuKhoDMQG": "0"}
    found = await practice.create(practice.dossier(TaiLieuNop=[paper]))
    assert "TaiLieuNop[0].DuongDanTaiTepTin" in found["message"]


async def test_9_the_truth_needs_no_invented_identity_or_document(practice: Any) -> None:
    bare = practice.dossier(DinhDanhCHS=[], TaiLieuNop=[], DanhSachGiayToKetQua=[], ChuHoSo="")
    assert (await practice.create(bare))["error_code"] == "0"


async def test_10_more_than_ten_steps_can_be_sent_again_without_doubling(practice: Any) -> None:
    await practice.create(practice.dossier())
    steps = [practice.step(ThoiDiemXuLy=f"202611200900{n:02}") for n in range(15)]
    await practice.progress(*steps[:10])
    await practice.faults({"fault": "F21", "times": 1})
    assert (await practice.post("CapNhatTienDoHoSoMC", data=steps[10:])).status_code >= 500
    await practice.progress(*steps[:10])
    await practice.progress(*steps[10:])
    held = (await practice.held())["progress"]
    assert [step["ThoiDiemXuLy"] for step in held] == [step["ThoiDiemXuLy"] for step in steps]


async def test_11_the_ministry_list_of_owner_kinds_is_another_one(practice: Any) -> None:
    assert "LoaiDoiTuong" in (await practice.create(practice.dossier(LoaiDoiTuong="0")))["message"]


async def test_12_a_status_outside_the_list_is_refused(practice: Any) -> None:
    assert (await practice.create(practice.dossier(TrangThaiHoSo="11")))["error_code"] == "-5"
    assert (await practice.call("DongBoTrangThaiHoSo", status="11"))["error_code"] == "-4"
