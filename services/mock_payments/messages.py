"""The platform's messages: signatures, and the answers to INIT, QUERY and GET_BILL (docs/payment_platform.md).

It shares no code with the client that it is there to try.
"""

import hmac
import sqlite3
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from typing import Any, Final

import orjson

from services.mock_payments.settings import Partner
from services.mock_payments.store import PENDING, now_us

VIETNAM: Final = timezone(timedelta(hours=7))

SUCCESS: Final = "00"
UNKNOWN: Final = "02"
INVALID: Final = "03"
WRONG_SIGNATURE: Final = "97"

SIGNED: Final[dict[str, tuple[str, ...]]] = {
    "INIT": (
        "LoaiBanTin", "PhienBan", "MaDoiTac", "MaThamChieu", "SoTien", "LoaiHinhThanhToan", "MaKenhThanhToan", "MaThietBi",
        "NgonNgu", "MaTienTe", "MaNganHang", "ThongTinGiaoDich", "ThoiGianGD", "Ip",
    ),
    "QUERY": ("LoaiBanTin", "PhienBan", "MaDoiTac", "MaThamChieu", "ThoiGianGD"),
    "GET_BILL": ("LoaiBanTin", "PhienBan", "MaDoiTac", "MaThamChieu", "ThoiGianGD"),
    "RESULT": (
        "LoaiBanTin", "MaLoi", "MaDoiTac", "MaThamChieu", "SoTien", "MaTienTe", "MaGiaoDich", "MaNganHang", "ThoiGianGD",
        "ThongTinGiaoDich",
    ),
    "ANSWER": ("MaLoi", "MoTaLoi", "MaDoiTac", "MaThamChieu", "ThoiGianGD"),
}  # fmt: skip
"""The fields of each message in the order of its signature; the answer to QUERY has those of a result, then TrangThaiGD."""

BILL: Final = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


def sign(fields: tuple[str, ...], message: dict[str, Any], secret: str) -> str:
    """Give the signature of a message."""
    return sha256("|".join([*(str(message.get(name, "")) for name in fields), secret]).encode()).hexdigest()


def is_genuine(fields: tuple[str, ...], message: dict[str, Any], secret: str) -> bool:
    """Say whether a message was signed with the secret."""
    told = message.get("MaXacThuc")
    return isinstance(told, str) and hmac.compare_digest(sign(fields, message, secret).encode(), told.encode())


def time_text(*, twelve_hours: bool = False) -> str:
    """Write this moment as the protocol does; `twelve_hours` as a careless program does."""
    return datetime.now(VIETNAM).strftime("%Y%m%d%I%M%S" if twelve_hours else "%Y%m%d%H%M%S")


def result_of(row: dict[str, Any], partner: Partner) -> dict[str, str]:
    """Write the result of a transaction, signed."""
    result = {
        "LoaiBanTin": "RESULT",
        "MaLoi": row["error"],
        "MaDoiTac": row["partner"],
        "MaThamChieu": row["reference"],
        "SoTien": row["amount"],
        "MaTienTe": "VND",
        "MaGiaoDich": row["number"],
        "MaNganHang": row["bank"],
        "ThoiGianGD": row["ended"] or row["begun"],
        "ThongTinGiaoDich": row["information"],
    }
    return result | {"MaXacThuc": sign(SIGNED["RESULT"], result, partner.secret)}


def refusal(error: str, text: str) -> dict[str, str]:
    return {"MaLoi": error, "MoTaLoi": text}


def answer(connection: sqlite3.Connection, message: dict[str, Any], partner: Partner, base: str) -> dict[str, str] | bytes:
    """Answer a genuine message; `base`: our own address."""
    if message["LoaiBanTin"] == "INIT":
        return _init(connection, message, partner, base)
    row = connection.execute(
        "SELECT * FROM transactions WHERE reference = ? AND partner = ? AND begun = ?",
        (message.get("MaThamChieu"), partner.name, message.get("ThoiGianGD")),
    ).fetchone()
    if message["LoaiBanTin"] == "GET_BILL":
        return BILL if row is not None and row["state"] == 1 else b""
    if row is None:
        return refusal(UNKNOWN, "Không tìm thấy giao dịch")
    known = dict(row)
    if known["shown_from_us"] > now_us():
        known |= {"state": PENDING, "error": "", "number": "", "ended": ""}
    told = result_of(known | {"error": known["error"] or SUCCESS}, partner) | {"TrangThaiGD": str(known["state"])}
    fields = (*SIGNED["RESULT"], "TrangThaiGD")
    return told | {"MaXacThuc": sign(fields, told, partner.secret)}


def _init(connection: sqlite3.Connection, message: dict[str, Any], partner: Partner, base: str) -> dict[str, str]:
    reference, amount, begun = (str(message.get(name, "")) for name in ("MaThamChieu", "SoTien", "ThoiGianGD"))
    try:
        datetime.strptime(begun, "%Y%m%d%H%M%S").replace(tzinfo=VIETNAM)
    except ValueError:
        return refusal(INVALID, "ThoiGianGD: yyyyMMddHHmmss")
    if not reference or not amount.isdecimal() or not int(amount):
        return refusal(INVALID, "MaThamChieu, SoTien: bắt buộc, SoTien lớn hơn 0")
    connection.execute(
        "INSERT INTO transactions (reference, partner, amount, begun, information) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (reference) DO NOTHING",
        (reference, partner.name, amount, begun, str(message.get("ThongTinGiaoDich", ""))),
    )
    held = connection.execute("SELECT partner, amount, begun FROM transactions WHERE reference = ?", (reference,)).fetchone()
    if tuple(held) != (partner.name, amount, begun):
        return refusal(INVALID, "MaThamChieu: đã dùng cho giao dịch khác")
    return refusal(SUCCESS, "Thành công") | {"UrlThanhToan": f"{base}/_payments/transactions/{reference}"}


def pretty(content: dict[str, str], *, wrapped: bool) -> bytes:
    """Write an answer; `wrapped`: as an adapter passes it on."""
    body = orjson.dumps(content)
    return orjson.dumps({"error_code": "0", "message": body.decode()}) if wrapped else body
