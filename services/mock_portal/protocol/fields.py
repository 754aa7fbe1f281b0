"""What the portal checks in a dossier and in a step: protocol sections 4.2-4.4, 5, 7 and 11.4.

A check takes the JSON value as it came and gives the value as it is stored: coded fields, numbers and
texts become strings, flags "0" or "1". Fields nobody knows are kept as they came.
"""

import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from services.mock_portal.protocol import codes

Check = Callable[[Any], Any]

_DATE_LENGTH: Final = 14
_CODE_LENGTH: Final = 50
_FLAG_SPELLINGS: Final = {"0": "0", "1": "1", "true": "1", "false": "0"}
_AMOUNT: Final = re.compile(r"\d{1,15}(\.\d{1,2})?", re.ASCII)
_INTEGER: Final = re.compile(r"-?\d{1,18}", re.ASCII)
# A comma separates codes in TraCuuHoSo, so a code with one could never be looked up.
_DOSSIER_CODE: Final = re.compile(r"[^\s,\x00-\x1f\x7f]{1,50}")


class InvalidFieldError(ValueError):
    """A field is not as the protocol wants it; `path` names it, as in `TaiLieuNop[0].DuocSoHoa`."""

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.path = path

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class Field(NamedTuple):
    """One field of an object, how it is checked and whether it may be empty or absent."""

    name: str
    check: Check
    required: bool = False


def text(limit: int | None = None) -> Check:
    """Make a check for free text of at most `limit` characters; null counts as empty."""

    def check(value: Any) -> str:
        if value is None:
            return ""
        if type(value) is int:
            value = str(value)
        if type(value) is not str:
            raise InvalidFieldError("phải là chuỗi")
        if limit is not None and len(value) > limit:
            raise InvalidFieldError(f"vượt quá {limit} ký tự")
        return value

    return check


@lru_cache(maxsize=65_536)
def _date_error(value: str) -> str | None:
    if len(value) != _DATE_LENGTH or not (value.isascii() and value.isdigit()):
        return "phải có dạng yyyyMMddHHmmss hoặc là chuỗi rỗng"
    try:
        # The time is Vietnamese wall-clock time without an offset (section 7): nothing is converted.
        datetime(  # noqa: DTZ001
            int(value[:4]),
            int(value[4:6]),
            int(value[6:8]),
            int(value[8:10]),
            int(value[10:12]),
            int(value[12:]),
        )
    except ValueError:
        return "không phải là ngày giờ có thật"
    return None


def date(value: Any) -> str:
    """Check `yyyyMMddHHmmss`; a missing date is the empty string, neither null nor a number."""
    if value == "":
        return ""
    if type(value) is not str:
        raise InvalidFieldError("phải là chuỗi yyyyMMddHHmmss hoặc chuỗi rỗng")
    error = _date_error(value)
    if error is not None:
        raise InvalidFieldError(error)
    return value


def _scalar(value: Any) -> str:
    kind = type(value)
    if kind is str:
        return str(value)
    if kind is int:
        return str(value)
    if kind is bool:
        return "1" if value else "0"
    if value is None:
        return ""
    raise InvalidFieldError("phải là chuỗi, số nguyên hoặc đúng/sai")


def code(allowed: frozenset[str] | dict[str, str]) -> Check:
    """Make a check for a coded field; strings, integers and booleans are taken."""
    listed = ", ".join(sorted(allowed, key=int))

    def check(value: Any) -> str:
        if type(value) is str and value in allowed:
            return value
        found = _scalar(value)
        if found and found not in allowed:
            raise InvalidFieldError(f"mã {found[:40]!r} không thuộc danh mục ({listed})")
        return found

    return check


def flag(value: Any) -> str:
    """Check a yes or no, in any of the spellings seen: "0"/"1", 0/1, true/false, "True"/"False"."""
    found = _scalar(value)
    if found in {"0", "1", ""}:
        return found
    try:
        return _FLAG_SPELLINGS[found.lower()]
    except KeyError:
        raise InvalidFieldError(f"{found[:40]!r} không phải là 0 hoặc 1") from None


def integer(value: Any) -> str:
    """Check a whole number, as a number or as a string."""
    found = _scalar(value)
    if found and not _INTEGER.fullmatch(found):
        raise InvalidFieldError("phải là số nguyên")
    return found


def amount(value: Any) -> str:
    """Check an amount of money in VND, which clients send as a string."""
    found = _scalar(value)
    if found and not _AMOUNT.fullmatch(found):
        raise InvalidFieldError("phải là số tiền")
    return found


def url(value: Any) -> str:
    """Check an address the portal could fetch."""
    found = str(text(4000)(value))
    if found and not found.startswith(("http://", "https://")):
        raise InvalidFieldError("phải là đường dẫn http(s)")
    return found


def dossier_code(value: Any) -> str:
    """Check a dossier code: 1 to 50 characters without white space or comma."""
    if type(value) is not str or not value:
        raise InvalidFieldError("bắt buộc, phải là chuỗi")
    if len(value) > _CODE_LENGTH:
        raise InvalidFieldError(f"vượt quá {_CODE_LENGTH} ký tự")
    if not _DOSSIER_CODE.fullmatch(value):
        raise InvalidFieldError("không được có khoảng trắng hoặc dấu phẩy")
    return value


def rows(*fields: Field) -> Check:
    """Make a check for a list of objects; null counts as the empty list."""

    def check(value: Any) -> list[dict[str, Any]]:
        if value is None or value == "":
            return []
        if type(value) is not list:
            raise InvalidFieldError("phải là danh sách")
        found = []
        for index, row in enumerate(value):
            if type(row) is not dict:
                raise InvalidFieldError("phải là đối tượng", f"[{index}]")
            try:
                found.append(apply(fields, row))
            except InvalidFieldError as error:
                raise InvalidFieldError(error.reason, f"[{index}].{error.path}") from None
        return found

    return check


def apply(fields: tuple[Field, ...], raw: dict[str, Any]) -> dict[str, Any]:
    """Check one object.

    Args:
        fields: what is known of it.
        raw: the object as it came; it is not changed.

    Returns:
        The object as it is stored.

    Raises:
        InvalidFieldError: with the first field that is wrong.
    """
    found = dict(raw)
    for name, check, required in fields:
        if name not in raw:
            if required:
                raise InvalidFieldError("bắt buộc", name)
            continue
        try:
            value = check(raw[name])
        except InvalidFieldError as error:
            raise InvalidFieldError(error.reason, name + error.path) from None
        if required and value == "":
            raise InvalidFieldError("bắt buộc, không được để trống", name)
        found[name] = value
    return found


_FEES: Final = rows(
    Field("TenPhiLePhi", text()),
    Field("MaPhiLePhi", text()),
    Field("HinhThucThu", code(codes.FEE_MOMENTS)),
    Field("Gia", amount),
    Field("LoaiPhiLePhi", code(codes.FEE_KINDS)),
)
_OTHER_PAPERS: Final = rows(
    Field("TenGiayTo", text()),
    Field("SoLuong", integer),
    Field("LoaiGiayTo", integer),
)

DOSSIER: Final = (
    Field("MaHoSo", dossier_code, required=True),
    Field("MaTTHC", text(50), required=True),
    Field("TrangThaiHoSo", code(codes.STATUSES), required=True),
    Field("TenTTHC", text()),
    Field("MaLinhVuc", text()),
    Field("TenLinhVuc", text()),
    Field("SoBienNhan", text()),
    Field("KenhThucHien", code(codes.CHANNELS)),
    Field("ChuHoSo", text(500)),
    Field("LoaiDoiTuong", code(codes.OWNER_KINDS)),
    Field("MaDoiTuong", text()),
    Field("SoGiayToChuHoSo", text()),
    Field("ThongTinKhac", text()),
    Field("Email", text()),
    Field("SoDienThoai", text()),
    Field("Fax", text()),
    Field("TrichYeuHoSo", text(1000)),
    Field("NgayTiepNhan", date),
    Field("NgayHenTra", date),
    Field("NgayTra", date),
    Field("ThongTinTra", text()),
    Field("HinhThuc", code(codes.RETURN_METHODS)),
    Field("NgayKetThucXuLy", date),
    Field("DonViXuLy", text(), required=True),
    Field("GhiChu", text()),
    Field("NoiNopHoSo", code(codes.SUBMISSION_PLACES), required=True),
    Field("HoSoCoThanhPhanSoHoa", flag, required=True),
    Field("TaiKhoanDuocXacThucVoiVNeID", flag, required=True),
    Field("DuocThanhToanTrucTuyen", code(codes.ONLINE_PAYMENTS), required=True),
    Field("NgayTuChoi", date),
    Field("NgayNopHoSo", date, required=True),
    Field(
        "DinhDanhCHS",
        rows(Field("LoaiDinhDanh", code(codes.IDENTITY_KINDS)), Field("SoDinhDanh", text(40))),
    ),
    Field("DSKetNoiCSDL", rows(Field("MaCSDL", text(50)))),
    Field(
        "TaiLieuNop",
        rows(
            Field("TepDinhKemId", text()),
            Field("TenTepDinhKem", text(4000)),
            Field("IsDeleted", flag),
            Field("MaThanhPhanHoSo", text()),
            Field("DuongDanTaiTepTin", url),
            Field("DuocSoHoa", flag),
            Field("DuocTaiSuDung", code(codes.REUSE_KINDS)),
            Field("DuocLayTuKhoDMQG", flag, required=True),
            Field("MaKetQuaThayThe", text()),
        ),
    ),
    Field("DanhSachLePhi", _FEES),
    Field("DanhSachTepDinhKemKhac", _OTHER_PAPERS),
    Field(
        "DanhSachHoSoBoSung",
        rows(
            Field("HoSoBoSungId", integer),
            Field("NguoiYeuCauBoSung", text()),
            Field("NoiDungBoSung", text()),
            Field("NgayBoSung", date),
            Field("NguoiTiepNhanBoSung", text()),
            Field("ThongTinTiepNhan", text()),
            Field("NgayTiepNhanBoSung", date),
            Field("TrangThaiBoSung", flag),
            Field("DanhSachGiayToBoSung", _OTHER_PAPERS),
            Field("DanhSachLePhiBoSung", _FEES),
            Field("NgayHenTraTruoc", date),
            Field("NgayHenTraMoi", date),
        ),
    ),
    Field(
        "DanhSachGiayToKetQua",
        rows(
            Field("TenGiayTo", text(2000)),
            Field("MaThanhPhanHoSo", text()),
            Field("GiayToId", text()),
            Field("DuongDanTepTinKetQua", url),
            Field("MaGiayToKetQua", text()),
        ),
    ),
)

STEP: Final = (
    Field("MaHoSo", dossier_code, required=True),
    Field("NguoiXuLy", text(50), required=True),
    Field("ChucDanh", text()),
    Field("ThoiDiemXuLy", date, required=True),
    Field("PhongBanXuLy", text()),
    Field("NoiDungXuLy", text(), required=True),
    Field("TrangThai", code(codes.STATUSES), required=True),
    Field("NgayBatDau", date),
    Field("NgayKetThucTheoQuyDinh", date),
)


def dossier(raw: Any) -> dict[str, Any]:
    """Check one dossier of DongBoHoSoMC; raises `InvalidFieldError`."""
    if type(raw) is not dict:
        raise InvalidFieldError("phải là đối tượng", "data")
    found = apply(DOSSIER, raw)
    if not found.get("NgayTiepNhan") and found["TrangThaiHoSo"] not in codes.STATUSES_WITHOUT_RECEIPT:
        raise InvalidFieldError(f"bắt buộc khi TrangThaiHoSo = {found['TrangThaiHoSo']}", "NgayTiepNhan")
    return found


def step(raw: Any) -> dict[str, Any]:
    """Check one step of CapNhatTienDoHoSoMC; raises `InvalidFieldError`."""
    if type(raw) is not dict:
        raise InvalidFieldError("phải là đối tượng", "data")
    return apply(STEP, raw)


def updating(value: Any) -> bool:
    """Read `isUpdating`, which clients send as the strings "True" and "False"."""
    found = flag(value)
    if not found:
        raise InvalidFieldError("bắt buộc: True hoặc False")
    return found == "1"
