"""The code lists of the protocol, as tables: docs/portal_protocol.md sections 3, 4.4, 9 and 11.1."""

from enum import StrEnum
from typing import Final


class ErrorCode(StrEnum):
    """The `error_code` of an answer or of one item (section 11.1, our choice)."""

    SUCCESS = "0"
    PARTIAL = "1"
    DUPLICATE = "3"
    SESSION = "-1"
    LOGIN = "-2"
    UNKNOWN_DOSSIER = "-3"
    UNKNOWN_SERVICE = "-4"
    INVALID = "-5"
    BACKWARDS = "-6"
    RATE = "-7"


class Service(StrEnum):
    """The operations this portal knows; `login` is named so that a fault rule can match it."""

    LOGIN = "login"
    DOSSIERS = "DongBoHoSoMC"
    PROGRESS = "CapNhatTienDoHoSoMC"
    LOOKUP = "TraCuuHoSo"
    PROCEDURE = "LayThuTuc"
    PROCEDURES = "LayDanhSachTTHC"
    AGENCIES = "LayDanhMucCoQuan"
    FIELDS = "LayDanhMucLinhVuc"


INTEGRATION_SERVICES: Final = frozenset(
    {Service.DOSSIERS, Service.PROGRESS, Service.LOOKUP, Service.PROCEDURE},
)
SHARE_SERVICES: Final = frozenset({Service.PROCEDURES, Service.AGENCIES, Service.FIELDS})
DATA_SERVICES: Final = frozenset({Service.DOSSIERS, Service.PROGRESS})

STATUSES: Final = {
    "1": "Mới đăng ký",
    "2": "Được tiếp nhận",
    "3": "Không được tiếp nhận",
    "4": "Đang xử lý",
    "5": "Yêu cầu bổ sung giấy tờ",
    "6": "Yêu cầu thực hiện nghĩa vụ tài chính",
    "7": "Công dân yêu cầu rút hồ sơ",
    "8": "Dừng xử lý",
    "9": "Đã xử lý xong",
    "10": "Đã trả kết quả",
}

# How far a dossier has come. 4, 5 and 6 follow one another in any order (section 11.3: "back to 4"),
# so going from 5 to 4 is no step backwards; from 10 to 4 it is.
_PROGRESS_OF_STATUS: Final = {
    "1": 1,
    "2": 2,
    "4": 3,
    "5": 3,
    "6": 3,
    "3": 4,
    "7": 4,
    "8": 4,
    "9": 4,
    "10": 5,
}

# Statuses under which a dossier need not have been received yet (section 11.4, NgayTiepNhan).
STATUSES_WITHOUT_RECEIPT: Final = frozenset({"1", "3"})

OWNER_KINDS: Final = frozenset({"1", "2", "3", "4"})
CHANNELS: Final = frozenset({"1", "2", "3"})
RETURN_METHODS: Final = frozenset({"0", "1"})
SUBMISSION_PLACES: Final = frozenset({"1", "2"})
ONLINE_PAYMENTS: Final = frozenset({"0", "1", "2", "3"})
IDENTITY_KINDS: Final = frozenset({"1", "2"})
FEE_MOMENTS: Final = frozenset({"1", "2", "4"})
FEE_KINDS: Final = frozenset({"1", "2", "3"})
REUSE_KINDS: Final = frozenset({"0", "1", "2"})


class Text:
    """What the portal says. The success text is the one clients look for (section 9)."""

    SYNCED: Final = "Đồng bộ thành công"
    DONE: Final = "Thành công"
    LOGGED_IN: Final = "Đăng nhập thành công"
    SESSION: Final = "Phiên làm việc không hợp lệ hoặc đã hết hạn"
    LOGIN: Final = "Tên đăng nhập hoặc mật khẩu không đúng"
    RATE: Final = "Vượt quá số lần gọi cho phép, vui lòng thử lại sau"
    MAINTENANCE: Final = "Hệ thống đang bảo trì"


def is_backwards(old_status: str, new_status: str) -> bool:
    """Say whether a dossier goes back in its life, as 10 to 4 does and 5 to 4 does not."""
    return _PROGRESS_OF_STATUS[new_status] < _PROGRESS_OF_STATUS[old_status]
