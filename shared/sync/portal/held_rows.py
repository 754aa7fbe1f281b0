"""Rows of the portal's own list against what we sent: its list carries every field of the body, ``TraCuuHoSo`` five."""

from collections.abc import Mapping
from typing import Any, Final

from shared.sync.portal.wire import Body, body_hash

BODY_FIELDS: Final = (
    *("MaHoSo", "MaTTHC", "TenTTHC", "MaLinhVuc", "TenLinhVuc", "KenhThucHien", "ChuHoSo", "LoaiDoiTuong", "MaDoiTuong"),
    *("ThongTinKhac", "Email", "SoDienThoai", "Fax", "TrichYeuHoSo", "NgayTiepNhan", "NgayHenTra", "TrangThaiHoSo"),
    *("NgayTra", "ThongTinTra", "HinhThuc", "NgayKetThucXuLy", "DonViXuLy", "GhiChu", "NoiNopHoSo"),
    *("HoSoCoThanhPhanSoHoa", "TaiKhoanDuocXacThucVoiVNeID", "DuocLayTuKhoDMQG", "DuocThanhToanTrucTuyen"),
    *("NgayTuChoi", "DinhDanhCHS", "NgayNopHoSo", "DSKetNoiCSDL", "TaiLieuNop", "DanhSachLePhi"),
    *("DanhSachTepDinhKemKhac", "DanhSachHoSoBoSung", "DanhSachGiayToKetQua"),
)
"""Every field of `wire.dossier_body`."""


def held_hash(row: Mapping[str, Any]) -> bytes | None:
    """`body_hash` of what a row says that the portal holds; None: the list does not carry every field, nothing is known."""
    if any(name not in row for name in BODY_FIELDS):
        return None
    return body_hash({name: row[name] for name in BODY_FIELDS})


def differing_fields(body: Body, row: Mapping[str, Any]) -> list[str]:
    """The names of the fields in which a row is not ``body``; never a value."""
    return [name for name in BODY_FIELDS if row.get(name) != body[name]]
