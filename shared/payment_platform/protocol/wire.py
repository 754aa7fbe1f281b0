"""The payment platform's words: every Vietnamese field name, the order of the signatures, times and amounts.

The fields of a message stand in the order in which its signature covers them. All values are text.
"""

import hashlib
import hmac
from datetime import datetime
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.payment_platform.rules.inquiries import coded
from shared.vocabulary.local_time import LOCAL_ZONE

VERSION: Final = "1.0.6"
SUCCESS: Final = "00"
WRONG_SIGNATURE: Final = "97"
"""``MaLoi`` of what we refuse; the platform takes anything but "00" for a failure."""

TIME_PATTERN: Final = r"^[0-9]{14}$"
_TIME: Final = "%Y%m%d%H%M%S"

# no separator of the signature: it would let somebody move the border between two fields of a signed message
Word = Annotated[str, StringConstraints(pattern=r"^[^|\x00-\x1f\x7f]*$", max_length=90)]
# the last one of its message or before a word alone, so its borders are certain
FreeText = Annotated[str, StringConstraints(max_length=4000)]
Amount = Annotated[str, StringConstraints(pattern=r"^[0-9]{0,15}$")]
Time = Annotated[str, StringConstraints(pattern=TIME_PATTERN)]


class Message(BaseModel):
    """What is signed, and its signature. Further members are taken and not looked at."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, populate_by_name=True, hide_input_in_errors=True)

    unsigned: ClassVar[frozenset[str]] = frozenset({"signature"})

    signature: str = Field("", alias="MaXacThuc", max_length=200, repr=False)

    @property
    def values(self) -> list[str]:
        """What the signature covers, in its order."""
        return [getattr(self, name) for name in type(self).model_fields if name not in self.unsigned]

    def signed(self, secret: str) -> Self:
        """The same with its signature."""
        return self.model_copy(update={"signature": signature_of(self.values, secret)})

    def is_genuine(self, secret: str) -> bool:
        """Whether who signed it has the secret."""
        return hmac.compare_digest(signature_of(self.values, secret).encode(), self.signature.encode())

    def as_json(self) -> dict[str, str]:
        """By the names of the wire."""
        return self.model_dump(by_alias=True)


class Init(Message):
    """INIT: a payment is to be made; the answer says where."""

    unsigned = frozenset({"signature", "receipt"})

    kind: Literal["INIT"] = Field("INIT", alias="LoaiBanTin")
    version: Word = Field(VERSION, alias="PhienBan")
    partner: Word = Field(alias="MaDoiTac")
    reference: Word = Field(alias="MaThamChieu")
    amount: Amount = Field(alias="SoTien")
    method: Word = Field("PAY", alias="LoaiHinhThanhToan")
    channel: Word = Field("1", alias="MaKenhThanhToan")
    device: Word = Field("1", alias="MaThietBi")
    language: Word = Field("vi-VN", alias="NgonNgu")
    currency: Word = Field("VND", alias="MaTienTe")
    bank: Word = Field("PAYMENT", alias="MaNganHang")
    information: Word = Field("", alias="ThongTinGiaoDich")
    time: Time = Field(alias="ThoiGianGD")
    ip: Word = Field("127.0.0.1", alias="Ip")
    receipt: str = Field("", alias="ThongTinBienLai")


class Query(Message):
    """QUERY and GET_BILL: about an attempt, named by its reference and the time of its INIT."""

    kind: Literal["QUERY", "GET_BILL"] = Field("QUERY", alias="LoaiBanTin")
    version: Word = Field(VERSION, alias="PhienBan")
    partner: Word = Field(alias="MaDoiTac")
    reference: Word = Field(alias="MaThamChieu")
    time: Time = Field(alias="ThoiGianGD")


class PaymentResult(Message):
    """What the platform tells us of an attempt (kết quả giao dịch)."""

    kind: Word = Field(alias="LoaiBanTin", examples=["RESULT"])
    error: Word = Field(alias="MaLoi", min_length=1, description='"00": paid (thành công).', examples=["00"])
    partner: Word = Field(alias="MaDoiTac", examples=["H51-national"])
    reference: Word = Field(alias="MaThamChieu", description="The attempt (giao dịch).", examples=["dvc0001220261201090000"])
    amount: Amount = Field(alias="SoTien", examples=["50000"])
    currency: Literal["VND"] = Field(alias="MaTienTe")
    transaction: Word = Field("", alias="MaGiaoDich", examples=["NP2612010001"])
    bank: Word = Field("", alias="MaNganHang", examples=["VCB"])
    time: Time = Field(alias="ThoiGianGD", description="yyyyMMddHHmmss, giờ Việt Nam.")
    information: FreeText = Field("", alias="ThongTinGiaoDich")

    @property
    def has_succeeded(self) -> bool:
        """Whether the payment was made."""
        return self.error == SUCCESS

    def data(self) -> dict[str, object]:
        """The data of the event ``confirmed``."""
        told = {
            "outcome": "succeeded" if self.has_succeeded else "failed",
            "amount_vnd": amount_vnd(self.amount),
            "gateway_txn": coded(self.transaction),
            "bank_code": coded(self.bank),
            "error_code": None if self.has_succeeded else coded(self.error),
        }
        return {name: value for name, value in told.items() if value is not None}


class PaymentResultAnswer(Message):
    """What we answer to a result (tiếp nhận kết quả)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "MaLoi": "00",
                    "MoTaLoi": "",
                    "MaDoiTac": "H51-national",
                    "MaThamChieu": "dvcH511218010200123-20180102090000",
                    "ThoiGianGD": "20180102091000",
                    "MaXacThuc": "",
                }
            ]
        }
    )

    error: Word = Field(alias="MaLoi")
    text: Word = Field(alias="MoTaLoi")
    partner: Word = Field(alias="MaDoiTac")
    reference: Word = Field(alias="MaThamChieu")
    time: Word = Field(alias="ThoiGianGD")


class QueryAnswer(Message):
    """The answer to QUERY: the fields of a result, and the state. Without a state there is none, and ``MaLoi`` says why."""

    kind: Word = Field("", alias="LoaiBanTin")
    error: Word = Field("", alias="MaLoi")
    partner: Word = Field("", alias="MaDoiTac")
    reference: Word = Field("", alias="MaThamChieu")
    amount: Amount = Field("", alias="SoTien")
    currency: Word = Field("", alias="MaTienTe")
    transaction: Word = Field("", alias="MaGiaoDich")
    bank: Word = Field("", alias="MaNganHang")
    time: Word = Field("", alias="ThoiGianGD")
    information: FreeText = Field("", alias="ThongTinGiaoDich")
    state: Literal["", "1", "3", "4"] = Field("", alias="TrangThaiGD")


class InitAnswer(Message):
    """The answer to INIT: where the citizen pays."""

    url: str = Field("", alias="UrlThanhToan")
    error: Word = Field("", alias="MaLoi")
    text: str = Field("", alias="MoTaLoi")


def pointer_of(name: str) -> str:
    """Where a field of a result stands in it, for an error that names it."""
    return f"/{PaymentResult.model_fields[name].alias}"


def signature_of(values: list[str], secret: str) -> str:
    """``MaXacThuc``: lower-case hex SHA-256 of the values joined by ``|``, the secret last, in UTF-8."""
    return hashlib.sha256("|".join([*values, secret]).encode()).hexdigest()


def time_text(instant: datetime) -> str:
    """An instant as the platform writes it: local time, 24 hours (12 would break QUERY after noon)."""
    return instant.astimezone(LOCAL_ZONE).strftime(_TIME)


def instant_of(text: str) -> datetime:
    """The instant that the platform writes so.

    Raises:
        ValueError: there is no such time.
    """
    return datetime.strptime(text, _TIME).replace(tzinfo=LOCAL_ZONE)


def amount_vnd(text: str) -> int | None:
    """An amount in VND; None: none is told."""
    return int(text) if text else None
