"""The events of ``component``: the papers of a dossier and its results, and which of them are files (số hóa)."""

from typing import Literal

from pydantic import Field

from shared.events.cloudevents.data import Data
from shared.events.cloudevents.fields import Link, PublicCode, Text, Truth
from shared.registers.envelopes import models_of


class _OfComponent(Data):
    component_code: PublicCode = Field(description="mã thành phần hồ sơ", examples=["TP01"])


class ComponentSubmittedData(_OfComponent):
    """A component of the dossier was handed in (nộp thành phần hồ sơ)."""

    form: Literal["paper", "electronic"] = Field(description="bản giấy, bản điện tử")


class ComponentExemptData(_OfComponent):
    """A component need not be digitised (không phải số hóa, Circular 03/2025 art. 5)."""

    reason: Literal["shown_only", "opinion", "secret", "electronic"] = Field(
        description="chỉ xuất trình, lấy ý kiến, bí mật nhà nước, đã là bản điện tử"
    )


class ComponentDigitisedData(_OfComponent):
    """A component was made a file (số hóa thành phần hồ sơ)."""

    file: Link = Field(description="địa chỉ hoặc mã tệp", examples=["urn:h51:kho:2022/05/0001.pdf"])


class ComponentReusedData(_OfComponent):
    """A component was taken from what is kept already (tái sử dụng)."""

    source: Literal["national_store", "local_store", "database", "earlier_result"] = Field(
        description="kho quốc gia, kho của tỉnh, cơ sở dữ liệu, kết quả trước đây"
    )
    source_ref: PublicCode | None = Field(None, description="mã ở nguồn", examples=["KQ-2021-000017"])


class _OfResult(Data):
    result_code: PublicCode = Field(description="mã kết quả", examples=["KQ01"])


class ComponentResultIssuedData(_OfResult):
    """A result was issued (cấp kết quả)."""

    file: Link | None = Field(None, description="địa chỉ hoặc mã tệp", examples=["urn:h51:kho:kq/0001.pdf"])
    signed: Truth | None = Field(None, description="đã ký số")


class ComponentResultRevokedData(_OfResult):
    """A result was taken back (thu hồi kết quả)."""

    reason: Text = Field(description="lý do")


_CODE = {"component_code": "TP01"}

MODELS = models_of(
    "component",
    "H51.12-220512-00003",
    "Dossier code (mã hồ sơ)",
    {
        "submitted": (ComponentSubmittedData, {**_CODE, "form": "paper"}),
        "exempt": (ComponentExemptData, {**_CODE, "reason": "shown_only"}),
        "digitised": (ComponentDigitisedData, {**_CODE, "file": "urn:h51:kho:2022/05/0001.pdf"}),
        "reused": (ComponentReusedData, {**_CODE, "source": "national_store", "source_ref": "KQ-2021-000017"}),
        "result_issued": (
            ComponentResultIssuedData,
            {"result_code": "KQ01", "file": "urn:h51:kho:kq/0001.pdf", "signed": True},
        ),
        "result_revoked": (ComponentResultRevokedData, {"result_code": "KQ01", "reason": "Cấp nhầm"}),
    },
)
