"""Procedures as decisions have them on a day, at the edge."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.api.catalogue.schemas import Limit
from shared.registers.catalogue import precedence
from shared.registers.catalogue.decisions import Act, DecidedCatalogue, Decision
from shared.registers.measures import ProcedureFacts

GovernmentLevel = Literal["province", "district", "commune", "vertical"]
OnlineLevel = Literal["1", "2", "3", "4", "full", "partial", "none"]

_TOLD: Final = ("agencies", "origin", "persons", "post_in", "post_out", "eligible_full", "territory")

_SERVICE_EXAMPLE: Final[dict[str, Any]] = {
    "code": "1.005129",
    "name": "Cấp giấy phép xây dựng",
    "field": "Hoạt động xây dựng",
    "levels": ["province"],
    "agencies": None,
    "origin": "central",
    "limit": {"value": 15, "unit": "working_days"},
    "fee": True,
    "result_document": True,
    "persons": True,
    "post_in": True,
    "post_out": True,
    "eligible_full": True,
    "territory": None,
    "online_level": "full",
    "integrated": True,
    "decision": "H51/85/2022",
    "process_decision": "H51/12/2022",
    "sheet_differs": [],
}


class ServiceOut(BaseModel):
    """A procedure in force (TTHC có hiệu lực), as its decision has it; what it leaves out is as the sheet has it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SERVICE_EXAMPLE]})

    code: str = Field(description="Its code (mã TTHC).")
    name: str
    field: str | None = Field(description="lĩnh vực")
    levels: list[GovernmentLevel] = Field(description="cấp thực hiện")
    agencies: list[str] | None = Field(description="Who resolves it (cơ quan giải quyết); null: every agency of its levels.")
    origin: Literal["central", "local"] | None = Field(description="trung ương hay địa phương quy định")
    limit: Limit | None = Field(description="thời hạn giải quyết")
    fee: bool = Field(description="có phí, lệ phí")
    result_document: bool = Field(description="kết quả là giấy tờ")
    persons: bool | None = Field(description="đối tượng là cá nhân")
    post_in: bool | None = Field(description="nhận hồ sơ qua bưu chính công ích")
    post_out: bool | None = Field(description="trả kết quả qua bưu chính công ích")
    eligible_full: bool | None = Field(description="đủ điều kiện cung cấp toàn trình")
    territory: list[str] | None = Field(description="The agencies that it binds alone (địa bàn áp dụng); null: all.")
    online_level: OnlineLevel | None = Field(
        description="Its level by the last decision on services, in the scheme that this one uses (mức độ dịch vụ công trực"
        " tuyến); null: none names it."
    )
    integrated: bool | None = Field(description="Whether it stands on the national portal; null: no decision says so.")
    decision: str = Field(description="The decision that puts it in force (quyết định công bố).")
    process_decision: str | None = Field(description="The decision on its internal process (quy trình nội bộ).")
    sheet_differs: list[str] = Field(description="What `PUT /v1/procedures` says otherwise; the decision wins.")

    @classmethod
    def of(
        cls, catalogue: DecidedCatalogue, code: str, act: Act, on: date, sheet: Mapping[str, ProcedureFacts]
    ) -> "ServiceOut":
        item, known = act.item, sheet.get(code)
        service, processes = catalogue.service(code, on), catalogue.processes(code, on)
        return cls(
            code=code,
            name=precedence.text_of("name", item, known) or code,
            field=precedence.text_of("field", item, known),
            levels=item["levels"],
            limit=Limit.model_validate(limit) if (limit := precedence.limit_of(item, known)) is not None else None,
            fee=precedence.truth_of("fee", item, known),
            result_document=precedence.truth_of("result_document", item, known),
            online_level=None if service is None else str(service["level"]),
            integrated=catalogue.is_integrated(code, on),
            decision=act.decision.code,
            process_decision=processes[0][0].code if processes else None,
            sheet_differs=[] if known is None else precedence.differences(item, known),
            **{name: item.get(name) for name in _TOLD},
        )


class Services(BaseModel):
    """The procedures in force on a day."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"on": "2022-06-30", "items": [_SERVICE_EXAMPLE], "next_cursor": None}]}
    )

    on: date
    items: list[ServiceOut]
    next_cursor: str | None = Field(None, description="Always null: a catalogue comes whole.")


class ServiceDecisionOut(BaseModel):
    """A decision that names a procedure (quyết định)."""

    code: str
    kind: str
    actions: list[str] = Field(description="Of a publication: new, amended, replaced, abolished; `replaced_by` another.")
    signed_on: date
    effective_on: date
    legal_effective_on: date | None
    repealed_on: date | None = Field(description="The first day on which it is repealed (bãi bỏ).")
    in_force: bool = Field(description="On the day that is asked about.")
    posted_on: date | None = Field(description="Made public in the national database (ngày công khai).")
    anomalies: list[str] = Field(description="What is strange about it (bất thường).")

    @classmethod
    def of(cls, decision: Decision, procedure: str, on: date, anomalies: list[str]) -> "ServiceDecisionOut":
        items = [item for item in decision.items if item["procedure_code"] == procedure]
        replaced = ["replaced_by" for item in decision.items if item.get("replaces") == procedure]
        return cls(
            code=decision.code,
            kind=decision.kind,
            actions=[item["action"] for item in items if "action" in item] + replaced,
            signed_on=decision.signed_on,
            effective_on=decision.effective_on,
            legal_effective_on=decision.legal_effective_on,
            repealed_on=decision.repealed_on,
            in_force=decision.is_in_force(on),
            posted_on=decision.posted.get(procedure),
            anomalies=anomalies,
        )


class ProcessStepOut(BaseModel):
    """A step of an internal process."""

    no: int
    name: str
    department: str
    role: str
    hours: int | None
    counts: bool


class ProcessOut(BaseModel):
    """An internal process in force (quy trình nội bộ)."""

    decision: str
    variant: str | None
    steps: list[ProcessStepOut]
    process_sum: bool = Field(description="Whether its counted hours differ from the procedure's limit (bất thường).")


class ReducedTermOut(BaseModel):
    """A reduced term in force (cắt giảm thời hạn)."""

    level: GovernmentLevel
    limit_before: Limit
    limit_after: Limit


_DETAIL_EXAMPLE: Final[dict[str, Any]] = {
    "code": "1.005129",
    "on": "2022-06-30",
    "service": _SERVICE_EXAMPLE,
    "decisions": [
        {
            "code": "H51/85/2022",
            "kind": "publication",
            "actions": ["new"],
            "signed_on": "2022-01-18",
            "effective_on": "2022-02-01",
            "legal_effective_on": "2022-02-01",
            "repealed_on": None,
            "in_force": True,
            "posted_on": "2022-01-21",
            "anomalies": [],
        }
    ],
    "processes": [],
    "reduced_terms": [],
}


class ServiceDetail(BaseModel):
    """A procedure with all decisions that name it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_DETAIL_EXAMPLE]})

    code: str
    on: date
    service: ServiceOut | None = Field(description="As it is in force on that day; null: it is not.")
    decisions: list[ServiceDecisionOut] = Field(description="In the order in which they count.")
    processes: list[ProcessOut]
    reduced_terms: list[ReducedTermOut]
