"""The events of ``post``: what public post carries for a dossier (dịch vụ bưu chính công ích)."""

from typing import Literal

from pydantic import Field

from shared.events.cloudevents.data import Data
from shared.events.cloudevents.fields import PERSONAL, AmountVnd, PublicCode, Text, Truth
from shared.registers.envelopes import models_of


class _OfItem(Data):
    item_no: PublicCode = Field(description="số bưu gửi", examples=["EA000017VN"])


class PostCollectedData(_OfItem):
    """The post has taken the papers at the sender's (thu gom)."""

    fee_vnd: AmountVnd | None = Field(None, description="cước bưu chính, đồng", examples=[25000])


class PostHandedOverData(_OfItem):
    """Post and desk signed what was handed over (bàn giao): legally the submission (Decision 45/2016 art. 7)."""


class PostReturnRequestedData(Data):
    """The applicant asks for the result by post (đăng ký nhận kết quả qua bưu chính)."""

    address: Text | None = Field(None, description="địa chỉ nhận", json_schema_extra=PERSONAL)


class PostDispatchedData(_OfItem):
    """The result was given to the post (gửi đi)."""


class PostDeliveredData(_OfItem):
    """The result was delivered (phát thành công)."""

    received_by_proxy: Truth | None = Field(None, description="người khác nhận thay")


class PostFailedData(_OfItem):
    """The result could not be delivered (phát không thành công)."""

    reason: Literal["absent", "refused", "address", "lost"] = Field(
        description="vắng mặt, từ chối nhận, sai địa chỉ, thất lạc"
    )


_ITEM = {"item_no": "EA000017VN"}

MODELS = models_of(
    "post",
    "H51.12-220512-00003",
    "Dossier code (mã hồ sơ)",
    {
        "collected": (PostCollectedData, {**_ITEM, "fee_vnd": 25000}),
        "handed_over": (PostHandedOverData, _ITEM),
        "return_requested": (PostReturnRequestedData, {"address": "12 Lê Lợi"}),
        "dispatched": (PostDispatchedData, _ITEM),
        "delivered": (PostDeliveredData, {**_ITEM, "received_by_proxy": False}),
        "failed": (PostFailedData, {**_ITEM, "reason": "absent"}),
    },
)
