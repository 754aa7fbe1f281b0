"""What a dossier and a step must look like: docs/portal_protocol.md sections 4.2 to 4.4, 5, 7 and 11.4."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.mock_portal.openapi import EXAMPLE_DOSSIER, EXAMPLE_STEP
from services.mock_portal.protocol import codes, fields
from services.mock_portal.protocol.fields import InvalidFieldError

INSISTED = [
    "MaHoSo",
    "MaTTHC",
    "TrangThaiHoSo",
    "DonViXuLy",
    "NgayNopHoSo",
    "NgayTiepNhan",
    "DuocThanhToanTrucTuyen",
    "HoSoCoThanhPhanSoHoa",
    "TaiKhoanDuocXacThucVoiVNeID",
    "NoiNopHoSo",
]
NOT_INSISTED = [
    "TenTTHC",
    "MaLinhVuc",
    "TenLinhVuc",
    "NgayHenTra",
    "NgayKetThucXuLy",
    "NgayTra",
    "NgayTuChoi",
    "KenhThucHien",
    "LoaiDoiTuong",
    "ChuHoSo",
    "SoDienThoai",
    "Email",
    "HinhThuc",
]
LISTS = ["DinhDanhCHS", "DSKetNoiCSDL", "TaiLieuNop", "DanhSachLePhi", "DanhSachTepDinhKemKhac"]
LISTS += ["DanhSachHoSoBoSung", "DanhSachGiayToKetQua"]
DATES = ["NgayNopHoSo", "NgayTiepNhan", "NgayHenTra", "NgayTra", "NgayKetThucXuLy", "NgayTuChoi"]
PAPER = {"TenTepDinhKem": "a.pdf", "DuocLayTuKhoDMQG": "0", "DuongDanTaiTepTin": "https://x.vn/a.pdf"}


def refused(**changes: Any) -> str:
    with pytest.raises(InvalidFieldError) as caught:
        fields.dossier(EXAMPLE_DOSSIER | changes)
    return caught.value.path


@pytest.mark.parametrize("name", INSISTED)
def test_the_portal_insists(name: str) -> None:
    assert refused(**{name: ""}) == name
    with pytest.raises(InvalidFieldError) as caught:
        fields.dossier({key: value for key, value in EXAMPLE_DOSSIER.items() if key != name})
    assert caught.value.path == name


@pytest.mark.parametrize("name", NOT_INSISTED)
def test_the_unknown_may_be_empty_or_absent(name: str) -> None:
    assert fields.dossier(EXAMPLE_DOSSIER | {name: ""})[name] == ""
    assert name not in fields.dossier({key: value for key, value in EXAMPLE_DOSSIER.items() if key != name})


@pytest.mark.parametrize("status", sorted(codes.STATUSES, key=int))
def test_the_day_of_receipt_is_needed_once_received(status: str) -> None:
    if status in {"1", "3"}:
        assert fields.dossier(EXAMPLE_DOSSIER | {"TrangThaiHoSo": status, "NgayTiepNhan": ""})
    else:
        assert refused(TrangThaiHoSo=status, NgayTiepNhan="") == "NgayTiepNhan"


@pytest.mark.parametrize("name", DATES)
@pytest.mark.parametrize(
    "value",
    [
        "2026-11-20T08:15:00",
        "20261120",
        "20261320081500",
        "20260230000000",
        "20261120246000",
        "2026112008150",
        "2026112008150O",
        "２０２６１１２００８１５００",
        " 20261120081500",
        "20/11/2026 08:15:00",
        20261120081500,
        None,
        True,
        [],
    ],
)
def test_a_date_has_14_digits_or_is_the_empty_string(name: str, value: object) -> None:
    assert refused(**{name: value}) == name


@given(st.datetimes())
def test_every_wall_clock_time_is_a_date(moment: Any) -> None:
    text = f"{moment.year:04}{moment:%m%d%H%M%S}"
    assert fields.date(text) == text


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("TrangThaiHoSo", range(1, 11), ["0", "11", "04", "-1", "x", 2.0, {}]),
        ("KenhThucHien", [1, 2, 3], ["0", "4"]),
        ("LoaiDoiTuong", [1, 2, 3, 4], ["0", "5"]),
        ("HinhThuc", [0, 1], ["2"]),
        ("NoiNopHoSo", [1, 2], ["0", "3"]),
        ("DuocThanhToanTrucTuyen", [0, 1, 2, 3], ["4"]),
        ("HoSoCoThanhPhanSoHoa", [0, 1, True, "True", "false"], ["2", "yes"]),
        ("TaiKhoanDuocXacThucVoiVNeID", [0, 1, False], ["2", [1]]),
    ],
)
def test_coded_fields(name: str, good: Any, bad: list[object]) -> None:
    for value in good:
        for spelling in (value, str(value)):
            assert isinstance(fields.dossier(EXAMPLE_DOSSIER | {name: spelling})[name], str)
    for value in bad:
        assert refused(**{name: value}) == name


@pytest.mark.parametrize(
    ("name", "limit"),
    [("MaHoSo", 50), ("MaTTHC", 50), ("ChuHoSo", 500), ("TrichYeuHoSo", 1000)],
)
def test_lengths(name: str, limit: int) -> None:
    assert fields.dossier(EXAMPLE_DOSSIER | {name: "ữ" * limit})[name] == "ữ" * limit
    assert refused(**{name: "a" * (limit + 1)}) == name


@pytest.mark.parametrize("code", ["", "a b", "a,b", "a\n", "\x00", None, 5, ["a"]])
def test_a_dossier_code_can_be_looked_up(code: object) -> None:
    assert refused(MaHoSo=code) == "MaHoSo"


@pytest.mark.parametrize("code", ["000.00.53.H48-220921-0099", "G09.20-20260609-0092637", "H51/12-Đ"])
def test_dossier_codes_seen_are_accepted(code: str) -> None:
    assert fields.dossier(EXAMPLE_DOSSIER | {"MaHoSo": code})["MaHoSo"] == code


@pytest.mark.parametrize("name", LISTS)
def test_lists_are_lists_of_objects(name: str) -> None:
    assert refused(**{name: {}}) == name
    assert refused(**{name: ["text"]}) == f"{name}[0]"
    assert fields.dossier(EXAMPLE_DOSSIER | {name: None})[name] == []


@pytest.mark.parametrize(
    ("name", "row", "path"),
    [
        ("TaiLieuNop", PAPER | {"DuocLayTuKhoDMQG": ""}, "DuocLayTuKhoDMQG"),
        ("TaiLieuNop", {"TenTepDinhKem": "a.pdf"}, "DuocLayTuKhoDMQG"),
        ("TaiLieuNop", PAPER | {"TenTepDinhKem": "a" * 4001}, "TenTepDinhKem"),
        ("TaiLieuNop", PAPER | {"DuocTaiSuDung": "3"}, "DuocTaiSuDung"),
        ("TaiLieuNop", PAPER | {"DuongDanTaiTepTin": "C:\\a.pdf"}, "DuongDanTaiTepTin"),
        ("DanhSachLePhi", {"HinhThucThu": "3"}, "HinhThucThu"),
        ("DanhSachLePhi", {"LoaiPhiLePhi": "4"}, "LoaiPhiLePhi"),
        ("DanhSachLePhi", {"Gia": "10k"}, "Gia"),
        ("DanhSachTepDinhKemKhac", {"SoLuong": "x"}, "SoLuong"),
        ("DanhSachHoSoBoSung", {"NgayBoSung": "2026-11-20T00:00:00"}, "NgayBoSung"),
        ("DanhSachHoSoBoSung", {"NgayHenTraMoi": "2026"}, "NgayHenTraMoi"),
        ("DanhSachHoSoBoSung", {"DanhSachLePhiBoSung": [{"Gia": "x"}]}, "DanhSachLePhiBoSung[0].Gia"),
        ("DanhSachGiayToKetQua", {"TenGiayTo": "a" * 2001}, "TenGiayTo"),
        ("DanhSachGiayToKetQua", {"DuongDanTepTinKetQua": "x"}, "DuongDanTepTinKetQua"),
        ("DinhDanhCHS", {"LoaiDinhDanh": "9"}, "LoaiDinhDanh"),
        ("DinhDanhCHS", {"SoDinhDanh": "1" * 41}, "SoDinhDanh"),
    ],
)
def test_nested_fields_are_named(name: str, row: dict[str, Any], path: str) -> None:
    assert refused(**{name: [row]}) == f"{name}[0].{path}"


def test_nested_values_are_stored_as_strings() -> None:
    found = fields.dossier(
        EXAMPLE_DOSSIER
        | {
            "TrangThaiHoSo": 2,
            "TaiLieuNop": [PAPER | {"IsDeleted": False, "DuocLayTuKhoDMQG": 1}],
            "DanhSachLePhi": [{"Gia": 50000, "HinhThucThu": 4}],
            "TuyBien": {"x": 1},
        },
    )
    assert found["TrangThaiHoSo"] == "2"
    assert found["TaiLieuNop"][0] | PAPER == PAPER | {"IsDeleted": "0"}
    assert found["DanhSachLePhi"] == [{"Gia": "50000", "HinhThucThu": "4"}]
    assert found["TuyBien"] == {"x": 1}


@pytest.mark.parametrize("name", ["MaHoSo", "NguoiXuLy", "ThoiDiemXuLy", "NoiDungXuLy", "TrangThai"])
def test_a_step_needs(name: str) -> None:
    with pytest.raises(InvalidFieldError) as caught:
        fields.step(EXAMPLE_STEP | {name: ""})
    assert caught.value.path == name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NguoiXuLy", "a" * 51),
        ("TrangThai", "11"),
        ("ThoiDiemXuLy", "2026-11-20T08:15:00Z"),
        ("NgayBatDau", None),
        ("NgayKetThucTheoQuyDinh", "20261399000000"),
    ],
)
def test_a_step_refuses(name: str, value: object) -> None:
    with pytest.raises(InvalidFieldError) as caught:
        fields.step(EXAMPLE_STEP | {name: value})
    assert caught.value.path == name


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(EXAMPLE_DOSSIER)), _JSON)
def test_any_value_is_taken_or_refused_by_name(name: str, value: Any) -> None:
    try:
        found = fields.dossier(EXAMPLE_DOSSIER | {name: value})
    except InvalidFieldError as error:
        assert error.path.startswith(name) or (name, error.path) == ("TrangThaiHoSo", "NgayTiepNhan")  # noqa: PT017
    else:
        assert fields.dossier(found) == found
