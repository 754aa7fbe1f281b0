"""The payment platform's words: signatures by their order, times in 24 hours, answers as they are or wrapped."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from shared.payment_platform.protocol import wire
from shared.payment_platform.protocol.client import read_answer
from shared.sync.rules.outcomes import Garbled, Unavailable

SECRET = "bí mật"
RESULT = {
    "LoaiBanTin": "RESULT",
    "MaLoi": "00",
    "MaDoiTac": "H51-national",
    "MaThamChieu": "dvc1",
    "SoTien": "50000",
    "MaTienTe": "VND",
    "MaGiaoDich": "NP1",
    "MaNganHang": "VCB",
    "ThoiGianGD": "20261201130500",
    "ThongTinGiaoDich": "Phí cấp bản sao | lần 1",
}


def sha(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def test_a_result_is_signed_by_its_fields_in_order() -> None:
    result = wire.PaymentResult.model_validate(RESULT)
    assert result.signed(SECRET).signature == sha(
        "RESULT|00|H51-national|dvc1|50000|VND|NP1|VCB|20261201130500|Phí cấp bản sao | lần 1|bí mật"
    )


def test_init_is_signed_without_the_receipt() -> None:
    init = wire.Init(partner="P", reference="dvc1", amount="50000", information="Phí", time="20261201090000", receipt="{}")
    assert init.signed(SECRET).as_json() == {
        "LoaiBanTin": "INIT",
        "PhienBan": "1.0.6",
        "MaDoiTac": "P",
        "MaThamChieu": "dvc1",
        "SoTien": "50000",
        "LoaiHinhThanhToan": "PAY",
        "MaKenhThanhToan": "1",
        "MaThietBi": "1",
        "NgonNgu": "vi-VN",
        "MaTienTe": "VND",
        "MaNganHang": "PAYMENT",
        "ThongTinGiaoDich": "Phí",
        "ThoiGianGD": "20261201090000",
        "Ip": "127.0.0.1",
        "ThongTinBienLai": "{}",
        "MaXacThuc": sha("INIT|1.0.6|P|dvc1|50000|PAY|1|1|vi-VN|VND|PAYMENT|Phí|20261201090000|127.0.0.1|bí mật"),
    }


@pytest.mark.parametrize("kind", ["QUERY", "GET_BILL"])
def test_questions_are_signed_with_the_time_of_init(kind: Any) -> None:
    question = wire.Query(kind=kind, partner="P", reference="dvc1", time="20261201090000").signed(SECRET)
    assert question.signature == sha(f"{kind}|1.0.6|P|dvc1|20261201090000|bí mật")


@pytest.mark.parametrize("field", sorted(set(RESULT) - {"MaTienTe"}))
def test_a_changed_field_is_not_genuine(field: str) -> None:
    told = wire.PaymentResult.model_validate(RESULT).signed(SECRET)
    assert told.is_genuine(SECRET)
    assert not told.is_genuine("another")
    changed = told.as_json() | {field: "1" if field == "SoTien" else "20261201130501" if field == "ThoiGianGD" else "x"}
    assert not wire.PaymentResult.model_validate(changed).is_genuine(SECRET)


@pytest.mark.parametrize("signature", ["", "ÀÉ", sha("RESULT").upper()])
def test_what_is_no_signature_is_wrong(signature: str) -> None:
    assert not wire.PaymentResult.model_validate(RESULT | {"MaXacThuc": signature}).is_genuine(SECRET)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("MaThamChieu", "dvc1|50000"),  # the border between two signed fields would not be certain
        ("SoTien", 50000),
        ("SoTien", "50.000"),
        ("SoTien", "1" + "0" * 15),
        ("MaTienTe", "USD"),
        ("ThoiGianGD", "2026-12-01 13:05"),
        ("MaLoi", ""),
        ("MaDoiTac", None),
    ],
)
def test_what_is_not_as_agreed_is_refused(field: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        wire.PaymentResult.model_validate(RESULT | {field: value})


def test_times_are_vietnamese_and_of_24_hours() -> None:
    afternoon = datetime(2026, 12, 1, 6, 5, tzinfo=UTC)
    assert wire.time_text(afternoon) == "20261201130500"
    assert wire.instant_of("20261201130500") == afternoon
    with pytest.raises(ValueError):
        wire.instant_of("20261301130500")


def test_a_result_becomes_the_data_of_an_event() -> None:
    result = wire.PaymentResult.model_validate(RESULT)
    assert result.data() == {"outcome": "succeeded", "amount_vnd": 50000, "gateway_txn": "NP1", "bank_code": "VCB"}
    failed = wire.PaymentResult.model_validate(RESULT | {"MaLoi": "05", "SoTien": "", "MaGiaoDich": "", "MaNganHang": ""})
    assert failed.data() == {"outcome": "failed", "error_code": "05"}
    # a number of the bank that looks like somebody's telephone number is taken all the same
    phone = wire.PaymentResult.model_validate(RESULT | {"MaGiaoDich": "0912345678"})
    assert phone.data()["gateway_txn"] == "GD0912345678"


ANSWER = {"MaLoi": "00", "UrlThanhToan": "https://pay.example/1", "MoTaLoi": None}


@pytest.mark.parametrize("code", ["0", "00", 0])
def test_an_adapter_may_wrap_an_answer(code: Any) -> None:
    bare = read_answer(orjson.dumps(ANSWER), wire.InitAnswer)
    wrapped = read_answer(orjson.dumps({"error_code": code, "message": orjson.dumps(ANSWER).decode()}), wire.InitAnswer)
    assert bare == wrapped == wire.InitAnswer(url="https://pay.example/1", error="00")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", Garbled),
        (b"<html>", Garbled),
        (b"[]", Garbled),
        (b'{"error_code": "0"}', Garbled),
        (b'{"error_code": "0", "message": "<html>"}', Garbled),
        (b'{"error_code": "-1", "message": "x"}', Unavailable),
        (b'{"TrangThaiGD": "2"}', Garbled),
    ],
)
def test_what_is_no_answer(content: bytes, kind: type) -> None:
    assert isinstance(read_answer(content, wire.QueryAnswer), kind)
