"""Dossiers in the portal's words: examples by hand, and that the portal's own checks take what random histories give."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.mock_portal.protocol import fields
from shared.dossiers.rules.applicant import NOBODY, Applicant
from shared.dossiers.rules.dossier import Dossier, fold
from shared.sync.portal import held_rows, wire
from shared.sync.portal.wire import ProcedureNames
from shared.sync.rules.retry import ErrorClass
from shared.vocabulary.events import DossierCode, Event, EventName

CODE = DossierCode("H51.12-180102-0001")
AT = datetime(2018, 1, 2, 1, 30, 15, 999_999, tzinfo=UTC)
RECEIVED = {"procedure_code": "1.001612", "agency_code": "H51.12", "channel": "postal", "due_at": "2018-01-09T10:00:00Z"}


class Names:
    def procedure(self, code: str) -> ProcedureNames:
        return ProcedureNames("Thủ tục " + code, "G03", "Lĩnh vực")

    def agency(self, code: str | None) -> str:
        return {"H51.12": "Sở Tư pháp " + "x" * 60}.get(code or "", code or "H51")


def dossier(*logged: tuple[str, float, dict[str, Any]]) -> Dossier:
    events = [
        Event(number, AT, "urn:x", str(number), EventName(name), CODE, AT + timedelta(hours=hours), data)
        for number, (name, hours, data) in enumerate(logged, start=1)
    ]
    return fold(CODE, events)


def test_a_dossier_in_full() -> None:
    person = Applicant("Nguyễn Văn A", "cccd", "012345678901", "0900000001", "a@b.vn")
    body = wire.dossier_body(
        dossier(
            (
                "received",
                0,
                RECEIVED | {"return_method": "postal", "applicant": {"kind": "business"}, "flags": {"vneid_verified": True}},
            ),
            ("payment_requested", 1, {"fees": [{"code": "LP1", "name": "Lệ phí", "amount_vnd": 20000}]}),
            ("paid", 2, {"amount_vnd": 20000, "gateway": "national", "outcome": "succeeded"}),
            ("supplement_requested", 3, {"content": "Bổ sung bản sao", "officer": "CB01"}),
            ("supplemented", 4, {"new_due_at": "2018-01-10T10:00:00Z"}),
            ("processed", 5, {"outcome": "approved", "results": [{"code": "KQ1", "url": "https://h51.vn/kq1"}]}),
            ("returned", 30, {"method": "postal"}),
        ),
        person,
        Names(),
    )
    expected = {
        "MaHoSo": CODE, "MaTTHC": "1.001612", "TenTTHC": "Thủ tục 1.001612", "MaLinhVuc": "G03", "TenLinhVuc": "Lĩnh vực",
        "KenhThucHien": "3", "LoaiDoiTuong": "2", "ChuHoSo": "Nguyễn Văn A", "Email": "a@b.vn", "SoDienThoai": "0900000001",
        "NgayNopHoSo": "20180102083015", "NgayTiepNhan": "20180102083015", "NgayHenTra": "20180110170000",
        "NgayKetThucXuLy": "20180102133015", "NgayTra": "20180103143015", "NgayTuChoi": "", "TrangThaiHoSo": "10",
        "HinhThuc": "1", "DuocThanhToanTrucTuyen": "1", "NoiNopHoSo": "2", "TaiKhoanDuocXacThucVoiVNeID": "1",
        "HoSoCoThanhPhanSoHoa": "0", "DinhDanhCHS": [{"LoaiDinhDanh": "1", "SoDinhDanh": "012345678901"}],
    }  # fmt: skip
    assert {name: body[name] for name in expected} == expected
    assert body["DanhSachLePhi"] == [
        {"TenPhiLePhi": "Lệ phí", "MaPhiLePhi": "LP1", "HinhThucThu": "", "Gia": "20000", "LoaiPhiLePhi": ""}
    ]
    [supplement] = body["DanhSachHoSoBoSung"]
    assert (supplement["NgayBoSung"], supplement["NgayTiepNhanBoSung"]) == ("20180102113015", "20180102123015")
    assert (supplement["NgayHenTraTruoc"], supplement["NgayHenTraMoi"]) == ("20180109170000", "20180110170000")
    assert body["DanhSachGiayToKetQua"][0]["MaGiayToKetQua"] == "KQ1"
    # the portal holds it just as we said it: body hashes can be compared across
    assert fields.dossier(body) == body


def test_nothing_is_invented() -> None:
    body = wire.dossier_body(
        dossier(("received", 0, {name: RECEIVED[name] for name in ("procedure_code", "agency_code", "channel")})),
        NOBODY,
        Names(),
    )
    for name in (
        "ChuHoSo",
        "LoaiDoiTuong",
        "Email",
        "SoDienThoai",
        "NgayHenTra",
        "NgayTra",
        "NgayKetThucXuLy",
        "HinhThuc",
        "TrichYeuHoSo",
    ):
        assert body[name] == ""
    assert body["DinhDanhCHS"] == body["TaiLieuNop"] == body["DanhSachLePhi"] == []
    assert fields.dossier(body) == body


@pytest.mark.parametrize(
    ("logged", "kind"),
    [
        ([("extended", 0, {"new_due_at": "2018-01-09T10:00:00Z"})], ErrorClass.NO_STATUS),
        ([("processed", 0, {"outcome": "approved"})], ErrorClass.NO_PROCEDURE),
        ([("submitted", 0, RECEIVED), ("withdrawn", 1, {})], ErrorClass.NOT_RECEIVED),
        ([("submitted", 0, RECEIVED)], None),
        ([("submitted", 0, RECEIVED), ("rejected", 1, {"reason": "x"})], None),
    ],
)
def test_what_cannot_be_sent_is_said(logged: list[tuple[str, float, dict[str, Any]]], kind: ErrorClass | None) -> None:
    found = wire.unsendable(dossier(*logged))
    assert (None if found is None else found.kind) == kind
    if found is None:
        fields.dossier(wire.dossier_body(dossier(*logged), NOBODY, Names()))


@pytest.mark.parametrize(
    ("id_type", "number", "code"),
    [("cccd", "012345678901", "1"), ("CCCD", "012345678901", "1"), (None, "012345678901", "1"), ("cmnd", "123456789", "2"),
     ("passport", "123456789", None), ("cccd", "123", None), (None, "AB12", None), ("cccd", "012345678901\n", None)],
)  # fmt: skip
def test_identities(id_type: str | None, number: str, code: str | None) -> None:
    body = wire.dossier_body(dossier(("received", 0, RECEIVED)), Applicant(id_type=id_type, id_number=number), Names())
    assert body["DinhDanhCHS"] == ([] if code is None else [{"LoaiDinhDanh": code, "SoDinhDanh": number}])


def test_steps_say_who_had_the_dossier_then_and_each_natural_key_once() -> None:
    letters = wire.step_messages(
        dossier(
            ("extended", -1, {"new_due_at": "2018-01-09T10:00:00Z"}),  # before any status: none for the portal
            ("received", 0, RECEIVED),
            ("assigned", 1, {"officer": "CB" * 40, "department": "Một cửa", "step_due_at": "2018-01-03T10:00:00Z"}),
            ("assigned", 1, {"officer": "CB" * 40}),  # the same natural key
            ("transferred", 2, {"agency_code": "H51.99"}),
            ("taken_over", 3, {}),
            ("overdue", 3, {}),
            ("rated", 4, {"satisfied": True}),
            ("processed", 5, {"outcome": "approved"}),
        )
    )
    bodies = [wire.step_body(letter, wire.officer_text(letter, Names())) for letter in letters]
    assert [body["TrangThai"] for body in bodies] == ["2", "4", "4", "9"]
    assert [body["NguoiXuLy"][:8] for body in bodies] == ["Sở Tư ph", "CBCBCBCB", "H51.99", "H51.99"]
    assert all(len(body["NguoiXuLy"]) <= 50 for body in bodies)
    assert bodies[1]["PhongBanXuLy"] == "Một cửa"
    assert bodies[1]["NgayKetThucTheoQuyDinh"] == "20180103170000"
    assert [fields.step(body) for body in bodies] == bodies


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)))
def test_dates_are_14_digits_of_local_time(at: datetime) -> None:
    text = wire.local_text(at)
    assert fields.date(text) == text
    assert datetime.strptime(text.zfill(14), "%Y%m%d%H%M%S") == at.replace(tzinfo=None, microsecond=0) + timedelta(hours=7)


def test_a_look_up_is_compared_field_by_field() -> None:
    body = wire.dossier_body(dossier(("received", 0, RECEIVED)), NOBODY, Names())
    same = {theirs: body[ours] for ours, theirs in wire.LOOKED_UP.items()}
    assert wire.differences(body, same) == []
    assert wire.differences(body, same | {"TRANGTHAIHOSO": 2, "NGAYTRA": None}) == []
    assert wire.differences(body, same | {"TRANGTHAIHOSO": "1"}) == ["TrangThaiHoSo"]
    assert wire.differences(body, {"MAHOSO": CODE}) == []


def test_personal_data_can_be_struck_out() -> None:
    body = wire.dossier_body(
        dossier(("received", 0, RECEIVED)), Applicant("A B", None, "012345678901", "09", "a@b"), Names()
    )
    assert set(wire.personal_texts(body)) == {"A B", "012345678901", "09", "a@b"}


def test_the_list_is_compared_in_every_field_that_is_sent() -> None:
    """A row is what was sent, or it is not; a list without one field proves nothing."""
    body = wire.dossier_body(dossier(("received", 0, RECEIVED)), NOBODY, Names())
    assert sorted(held_rows.BODY_FIELDS) == sorted(body)
    row = body | {"progress": [], "version_count": 1}
    assert held_rows.held_hash(row) == wire.body_hash(body)
    assert held_rows.held_hash({name: value for name, value in row.items() if name != "DonViXuLy"}) is None
    changed = row | {"DonViXuLy": "other", "DanhSachLePhi": [{}]}
    assert held_rows.held_hash(changed) != wire.body_hash(body)
    assert held_rows.differing_fields(body, changed) == ["DonViXuLy", "DanhSachLePhi"]
