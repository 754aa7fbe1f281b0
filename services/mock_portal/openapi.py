"""What `/docs` shows of the protocol: parameters, bodies and an example for each service."""

from typing import Any, Final

_DSTCODE: Final = [
    {
        "name": "dstcode",
        "in": place,
        "required": False,
        "schema": {"type": "string", "examples": ["VN:GOV:000.00.00.G22:dvcqg"]},
        "description": "routing code of the provider; as a header or a query parameter",
    }
    for place in ("header", "query")
]

EXAMPLE_DOSSIER: Final[dict[str, Any]] = {
    "MaHoSo": "000.00.12.H51-261121-0001",
    "MaTTHC": "1.001193",
    "TenTTHC": "Đăng ký khai sinh",
    "MaLinhVuc": "G15-HT05",
    "TenLinhVuc": "Hộ tịch",
    "KenhThucHien": "1",
    "ChuHoSo": "Nguyễn Văn A",
    "LoaiDoiTuong": "1",
    "NgayNopHoSo": "20261120080000",
    "NgayTiepNhan": "20261120081500",
    "NgayHenTra": "20261121170000",
    "TrangThaiHoSo": "2",
    "NgayTra": "",
    "HinhThuc": "0",
    "NgayKetThucXuLy": "",
    "DonViXuLy": "Sở Tư pháp",
    "NoiNopHoSo": "2",
    "HoSoCoThanhPhanSoHoa": "0",
    "TaiKhoanDuocXacThucVoiVNeID": "0",
    "DuocThanhToanTrucTuyen": "0",
    "DinhDanhCHS": [],
    "DSKetNoiCSDL": [],
    "TaiLieuNop": [],
    "DanhSachLePhi": [],
    "DanhSachTepDinhKemKhac": [],
    "DanhSachHoSoBoSung": [],
    "DanhSachGiayToKetQua": [],
}
EXAMPLE_STEP: Final[dict[str, Any]] = {
    "MaHoSo": EXAMPLE_DOSSIER["MaHoSo"],
    "NguoiXuLy": "Trần Thị B",
    "ChucDanh": "Chuyên viên",
    "ThoiDiemXuLy": "20261120081500",
    "PhongBanXuLy": "Bộ phận một cửa",
    "NoiDungXuLy": "Tiếp nhận hồ sơ",
    "TrangThai": "2",
    "NgayBatDau": "20261120081500",
    "NgayKetThucTheoQuyDinh": "20261121170000",
}
_ENVELOPE: Final = {"session": "<session>", "madonvi": "000.00.00.H51"}


def _body(schema: dict[str, Any], examples: dict[str, dict[str, Any]]) -> dict[str, Any]:
    shown = {name: {"value": value} for name, value in examples.items()}
    return {
        "parameters": _DSTCODE,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema, "examples": shown}},
        },
    }


LOGIN_BODY: Final = _body(
    {
        "type": "object",
        "required": ["username", "password"],
        "properties": {"username": {"type": "string"}, "password": {"type": "string"}},
    },
    {"login": {"username": "000.00.00.H51", "password": "practice"}},
)
CALL_BODY: Final = _body(
    {
        "type": "object",
        "required": ["session", "madonvi", "service"],
        "properties": {
            "session": {"type": "string"},
            "madonvi": {"type": "string"},
            "service": {"type": "string"},
        },
    },
    {
        "DongBoHoSoMC": _ENVELOPE | {"service": "DongBoHoSoMC", "isUpdating": "False", "data": [EXAMPLE_DOSSIER]},
        "CapNhatTienDoHoSoMC": _ENVELOPE | {"service": "CapNhatTienDoHoSoMC", "data": [EXAMPLE_STEP]},
        "TraCuuHoSo": _ENVELOPE | {"service": "TraCuuHoSo", "mahoso": EXAMPLE_DOSSIER["MaHoSo"]},
        "LayThuTuc": _ENVELOPE | {"service": "LayThuTuc", "maTTHC": "1.001193"},
        "LayDanhSachTTHC (share)": _ENVELOPE | {"service": "LayDanhSachTTHC"},
    },
)
