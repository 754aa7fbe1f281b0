"""The events of the procedure catalogue: decisions of an authority (Decree 63/2010, arts. 13-15; registers, section 4).

A decision's ``kind`` says what its items are; each is checked by the model of its kind.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    Strict,
    StringConstraints,
    create_model,
)
from pydantic import ValidationInfo as Info
from pydantic_core import PydanticCustomError, PydanticKnownError

from shared.events.cloudevents.data import Data, VoidedData
from shared.events.cloudevents.fields import (
    WHOLE,
    AgencyCodeText,
    LocalDate,
    Ordinal,
    ProcedureCodeText,
    PublicName,
    Truth,
    unpersonal,
)
from shared.events.cloudevents.models import EXTENSIONS, Envelope
from shared.events.rules.registers import LONGEST_SUBJECT, REGISTERS

_REGISTER: Final = REGISTERS["catalogue"]

Level = Literal["province", "district", "commune", "vertical"]
"""cấp tỉnh, cấp huyện, cấp xã, ngành dọc."""

OnlineLevel = Literal[1, 2, 3, 4, "full", "partial", "none"]
ObligatoryPart = Literal["name", "sequence", "manner", "components", "limit", "who", "agency"]
Hours = Annotated[int, Strict(), Field(ge=0, le=10_000), WHOLE]

Title = Annotated[str, Strict(), StringConstraints(min_length=1, max_length=1000), AfterValidator(unpersonal)]
_MOST_ITEMS: Final = 5000


class _Item(BaseModel):
    model_config = Data.model_config


class DecidedLimit(_Item):
    """A legal time limit (thời hạn giải quyết)."""

    value: Annotated[int, Strict(), Field(ge=1, le=10_000), WHOLE] = Field(description="bao nhiêu")
    unit: Literal["working_hours", "working_days", "calendar_days", "months"] = Field(
        description="giờ làm việc, ngày làm việc, ngày, tháng"
    )


def _in_working_days(value: Any) -> Any:
    return {"value": value, "unit": "working_days"} if isinstance(value, int | float) else value


TimeLimit = Annotated[DecidedLimit, BeforeValidator(_in_working_days)]
"""A bare number is one of working days, as decisions print it."""


def _said(value: Any, info: Info) -> Any:
    """What every item says of a procedure but one that abolishes it."""
    if value is None and info.data.get("action", "abolished") != "abolished":
        raise PydanticKnownError("missing")
    return value


_SAID: Final = AfterValidator(_said)


class PublicationItem(_Item):
    """A procedure that a decision publishes (công bố TTHC)."""

    action: Literal["new", "amended", "replaced", "abolished"] = Field(
        description="ban hành mới, sửa đổi, thay thế, bãi bỏ; all but abolished name the procedure, its field and levels"
    )
    procedure_code: ProcedureCodeText = Field(description="mã thủ tục hành chính")
    replaces: ProcedureCodeText | None = Field(None, description="mã thủ tục bị thay thế")
    name: Annotated[Title | None, _SAID] = Field(None, description="tên thủ tục", validate_default=True)
    field: Annotated[PublicName | None, _SAID] = Field(None, description="lĩnh vực", validate_default=True)
    levels: Annotated[list[Level] | None, _SAID] = Field(
        None, min_length=1, max_length=4, description="cấp thực hiện", validate_default=True
    )
    agencies: list[AgencyCodeText] | None = Field(
        None, max_length=_MOST_ITEMS, description="cơ quan giải quyết; absent: every agency of its levels"
    )
    origin: Literal["central", "local"] | None = Field(None, description="trung ương hay địa phương quy định")
    limit: TimeLimit | None = Field(None, description="thời hạn giải quyết")
    fee: Truth | None = Field(None, description="có phí, lệ phí")
    result_document: Truth | None = Field(None, description="kết quả là giấy tờ")
    persons: Truth | None = Field(None, description="đối tượng là cá nhân")
    post_in: Truth | None = Field(None, description="nhận hồ sơ qua bưu chính công ích")
    post_out: Truth | None = Field(None, description="trả kết quả qua bưu chính công ích")
    eligible_full: Truth | None = Field(None, description="đủ điều kiện cung cấp toàn trình")
    territory: list[AgencyCodeText] | None = Field(
        None, min_length=1, max_length=100, description="địa bàn áp dụng: agencies, also abolished ones"
    )
    parts: list[ObligatoryPart] | None = Field(
        None, max_length=7, description="các bộ phận tạo thành có trong nội dung công bố (index 766, 1.3)"
    )


def _of_scheme(level: Any, info: Info) -> Any:
    schemes = {"levels4": (1, 2, 3, 4), "levels2": ("full", "partial", "none")}
    expected = schemes.get(info.data.get("scheme", ""), (level,))
    if level not in expected or isinstance(level, bool):
        raise PydanticKnownError("literal_error", {"expected": " or ".join(map(str, expected))})
    return level


class ServiceItem(_Item):
    """The online level of a procedure (mức độ dịch vụ công trực tuyến); the two schemes are never converted."""

    procedure_code: ProcedureCodeText = Field(description="mã thủ tục hành chính")
    scheme: Literal["levels4", "levels2"] = Field(description="bốn mức độ; toàn trình và một phần")
    level: Annotated[OnlineLevel, WHOLE, AfterValidator(_of_scheme)] = Field(description="mức độ")
    partial_reason: PublicName | None = Field(None, description="lý do chỉ cung cấp một phần (Decree 224/2026)")


class IntegrationItem(_Item):
    """Whether a service stands on the national portal (tích hợp lên Cổng DVCQG)."""

    procedure_code: ProcedureCodeText = Field(description="mã thủ tục hành chính")
    integrated: Truth = Field(description="đã tích hợp")


class ProcessStep(_Item):
    """One step of an internal process (bước của quy trình nội bộ)."""

    no: Ordinal = Field(description="thứ tự")
    name: PublicName = Field(description="nội dung công việc")
    department: PublicName = Field(description="phòng, bộ phận")
    role: PublicName = Field(description="vai trò")
    hours: Hours | None = Field(None, description="số giờ làm việc")
    counts: Truth | None = Field(None, description="có tính vào thời hạn giải quyết; absent: yes")


def _each_once(steps: list[ProcessStep]) -> list[ProcessStep]:
    numbers = [step.no for step in steps]
    if len(set(numbers)) < len(numbers):
        raise PydanticCustomError("repeated", "each number of a step once")
    return steps


class ProcessItem(_Item):
    """The internal process of a procedure (quy trình nội bộ)."""

    procedure_code: ProcedureCodeText = Field(description="mã thủ tục hành chính")
    variant: PublicName | None = Field(None, description="trường hợp áp dụng")
    steps: Annotated[list[ProcessStep], AfterValidator(_each_once)] = Field(
        min_length=1, max_length=100, description="các bước"
    )


class ReducedTermItem(_Item):
    """A term that a decision cuts (cắt giảm thời hạn giải quyết)."""

    procedure_code: ProcedureCodeText = Field(description="mã thủ tục hành chính")
    level: Level = Field(description="cấp thực hiện")
    limit_before: TimeLimit = Field(description="thời hạn trước")
    limit_after: TimeLimit = Field(description="thời hạn sau")


class SimplificationItem(_Item):
    """A procedure that a decision simplifies (đơn giản hóa)."""

    procedure_code: ProcedureCodeText = Field(description="mã thủ tục hành chính")


_ITEMS: Final[Mapping[str, type[BaseModel]]] = {
    "publication": PublicationItem,
    "services": ServiceItem,
    "process": ProcessItem,
    "reduced_terms": ReducedTermItem,
    "simplification": SimplificationItem,
    "integration": IntegrationItem,
}


def _of_kind(item: Any, info: Info) -> Any:
    kind = info.data.get("kind")
    return item if kind is None else _ITEMS[kind].model_validate(item)


def _described() -> type[BaseModel]:
    """An object that may have every field of every kind: generators of clients take no union here (decision 36)."""
    fields: dict[str, Any] = {}
    for kind, model in _ITEMS.items():
        for name, field in model.model_fields.items():
            fields.setdefault(name, (field.annotation, []))[1].append(f"{kind}: {field.description}")
    fields["level"] = (Any, fields["level"][1])  # two kinds have one, of words and of numbers
    told = {
        name: (
            annotation if name == "procedure_code" or annotation is Any else annotation | None,
            Field(None, description="; ".join(words)),
        )
        for name, (annotation, words) in fields.items()
    }
    told["procedure_code"] = (ProcedureCodeText, Field(description="mã thủ tục hành chính"))
    made: type[BaseModel] = create_model("DecidedItem", __module__=__name__, __doc__=_ITEM_WORDS, **told)  # type: ignore[call-overload]
    return made


_ITEM_WORDS: Final = (
    "What a decision says of one procedure; which fields it must and may have depends on the decision's `kind`."
)
DecidedItem = Annotated[Any, PlainValidator(_of_kind, json_schema_input_type=_described())]


class DecidedData(Data):
    """A decision about procedures was signed (quyết định công bố, danh mục dịch vụ công, quy trình nội bộ …)."""

    kind: Literal["publication", "services", "process", "reduced_terms", "simplification", "integration"] = Field(
        description="công bố, dịch vụ công trực tuyến, quy trình nội bộ, cắt giảm thời hạn, đơn giản hóa, tích hợp"
    )
    signed_on: LocalDate = Field(description="ngày ký")
    effective_on: LocalDate = Field(description="ngày có hiệu lực")
    legal_effective_on: LocalDate | None = Field(None, description="ngày văn bản quy phạm pháp luật có hiệu lực")
    shortened: Truth | None = Field(None, description="văn bản ban hành theo trình tự rút gọn")
    items: list[DecidedItem] = Field(min_length=1, max_length=_MOST_ITEMS, description="các thủ tục, theo loại quyết định")


class PostedData(Data):
    """A procedure was made public in the national database (công khai trên Cơ sở dữ liệu quốc gia về TTHC)."""

    procedure_code: ProcedureCodeText = Field(description="mã thủ tục hành chính")
    posted_on: LocalDate = Field(description="ngày công khai")


class RepealedData(Data):
    """The decision was repealed (bãi bỏ quyết định)."""

    by: PublicName = Field(description="văn bản bãi bỏ", examples=["H51/120/2023"])
    effective_on: LocalDate = Field(description="ngày có hiệu lực")


def _example(event: str, *told: Mapping[str, Any]) -> ConfigDict:
    one: dict[str, Any] = {"specversion": "1.0", "type": _REGISTER.type_of(event), "source": "urn:h51:tthc"}
    one |= {"subject": "H51/85/2022", "time": "2022-01-18T09:00:00+07:00"}
    examples: list[Any] = [
        one | {"id": f"85-2022-{event}-{number}", "data": data} for number, data in enumerate(told, start=1)
    ]
    return ConfigDict(json_schema_extra={"examples": examples, **EXTENSIONS})


class _Decision(Envelope):
    is_regular: ClassVar[bool] = False

    subject: Annotated[
        str,
        Strict(),
        StringConstraints(max_length=LONGEST_SUBJECT, pattern=_REGISTER.subject_pattern),
        AfterValidator(unpersonal),
    ] = Field(description="The decision (số quyết định): agency, number, year.", examples=["H51/85/2022"])


class CatalogueDecided(_Decision):
    """A decision about procedures was signed (quyết định); a later one of the same number replaces it."""

    model_config = _example(
        "decided",
        {
            "kind": "publication",
            "signed_on": "2022-01-18",
            "effective_on": "2022-02-01",
            "legal_effective_on": "2022-02-01",
            "items": [
                {
                    "action": "new",
                    "procedure_code": "1.005129",
                    "name": "Cấp giấy phép xây dựng",
                    "field": "Hoạt động xây dựng",
                    "levels": ["province"],
                    "origin": "central",
                    "limit": {"value": 15, "unit": "working_days"},
                    "fee": True,
                    "result_document": True,
                }
            ],
        },
        {
            "kind": "process",
            "signed_on": "2022-01-18",
            "effective_on": "2022-02-01",
            "items": [
                {
                    "procedure_code": "1.005129",
                    "steps": [{"no": 1, "name": "Tiếp nhận", "department": "Một cửa", "role": "Tiếp nhận", "hours": 4}],
                }
            ],
        },
    )
    type: Literal["vn.motcua.catalogue.decided.v1"]
    data: DecidedData


class CataloguePosted(_Decision):
    """One of its procedures was made public (công khai)."""

    model_config = _example("posted", {"procedure_code": "1.005129", "posted_on": "2022-01-21"})
    type: Literal["vn.motcua.catalogue.posted.v1"]
    data: PostedData


class CatalogueRepealed(_Decision):
    """The decision was repealed (bãi bỏ)."""

    model_config = _example("repealed", {"by": "H51/120/2023", "effective_on": "2023-03-01"})
    type: Literal["vn.motcua.catalogue.repealed.v1"]
    data: RepealedData


class CatalogueVoided(_Decision):
    """Takes one event of the same decision out of the computation (hủy một sự kiện)."""

    model_config = _example("voided", {"event_id": "85-2022-posted-1", "event_source": "urn:h51:tthc", "reason": "Ghi nhầm"})
    type: Literal["vn.motcua.catalogue.voided.v1"]
    data: VoidedData


_IN_ORDER: Final[tuple[type[Envelope], ...]] = (CatalogueDecided, CataloguePosted, CatalogueRepealed, CatalogueVoided)

MODELS: Final[Mapping[str, type[Envelope]]] = {
    _REGISTER.type_of(event): model for event, model in zip(_REGISTER.events, _IN_ORDER, strict=True)
}
