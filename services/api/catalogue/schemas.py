"""Agencies, procedures and the calendar at the edge: as JSON and as CSV."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from services.api.http.parameters import PRINTABLE, LocalDate, OneSpelling
from services.api.http.sheets import Sheet, read_bool, read_facts, read_int, read_list, read_text
from shared.catalogue.rules.agency_tree import AgencyVersion
from shared.catalogue.store.catalogues import CalendarDay, Procedure
from shared.events.cloudevents.fields import WHOLE, unpersonal
from shared.vocabulary.codes import AGENCY_CODE_PATTERN
from shared.vocabulary.events import AgencyCode, ProcedureCode

PROCEDURE_CODE_PATTERN: Final = r"^[0-9A-Za-z][0-9A-Za-z._-]{0,49}$"

Line = Annotated[str, Field(min_length=1, max_length=1000, pattern=PRINTABLE), OneSpelling]
ShortLine = Annotated[str, Field(min_length=1, max_length=200, pattern=PRINTABLE), OneSpelling]
PublicLine = Annotated[Line, AfterValidator(unpersonal)]
"""A name of a thing, which everybody may read: no number or address of a person (decision 40)."""
PublicShortLine = Annotated[ShortLine, AfterValidator(unpersonal)]
Agency = Annotated[str, Field(pattern=AGENCY_CODE_PATTERN)]
AgencyLevel = Literal["province", "district", "commune"]
LimitUnit = Literal["working_hours", "working_days", "calendar_days", "months"]
_NO_SEMICOLON: Final = PRINTABLE.replace(r"\x7f", r"\x7f;")
Facts = dict[
    Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")],
    Annotated[str, Field(min_length=1, max_length=1000, pattern=_NO_SEMICOLON), OneSpelling],
]
_FACTS: Final[Any] = Field(
    {}, max_length=50, description="What else is known of it (thông tin khác), text by name; the portal's fields read them."
)


_AGENCY: Final[dict[str, Any]] = {
    "code": "H51.12",
    "name": "Sở Tài nguyên và Môi trường",
    "parent": "H51",
    "valid_from": None,
    "valid_to": "2025-06-30",
    "legal_basis": "202/2025/QH15",
    "successors": ["H51.40"],
    "aliases": ["000.00.12.H51"],
    "level": "province",
}
_PROCEDURE: Final[dict[str, Any]] = {
    "code": "1.005129",
    "name": "Cấp giấy phép xây dựng",
    "field": "Hoạt động xây dựng",
    "level": "province",
    "limit": {"value": 15, "unit": "working_days"},
    "supplement_policy": "pause",
    "payment_pauses": False,
    "result_is_document": True,
    "has_fee": True,
    "online_level": "full",
}


class _Item(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class AgencyItem(_Item):
    """An agency (cơ quan, đơn vị) in one period of its validity."""

    model_config = ConfigDict(json_schema_extra={"examples": [_AGENCY]})

    code: Agency = Field(description="Its code (mã định danh).", examples=["H51.12"])
    name: PublicLine = Field(description="Its name (tên cơ quan).")
    parent: Agency | None = Field(None, description="The agency above (cơ quan cấp trên); null: right under the province.")
    valid_from: LocalDate | None = Field(None, description="First day of this period of validity; null: always was.")
    valid_to: LocalDate | None = Field(None, description="Last day of it; null: no end known.")
    legal_basis: PublicLine | None = Field(
        None, description="The paper that founded, merged or abolished it (căn cứ pháp lý)."
    )
    successors: list[Agency] = Field([], max_length=1000, description="What it passed into (cơ quan tiếp nhận).")
    aliases: list[PublicShortLine] = Field(
        [], max_length=100, description="Other codes that name it, such as the old form 000.00.12.H51."
    )
    level: AgencyLevel | None = Field(
        None, description="Its level (cấp tỉnh, huyện, xã): units that offer online services are counted by it."
    )
    facts: Facts = _FACTS

    def to_domain(self) -> AgencyVersion:
        return AgencyVersion(
            code=AgencyCode(self.code),
            name=self.name,
            parent=None if self.parent is None else AgencyCode(self.parent),
            valid_from=self.valid_from,
            valid_to=self.valid_to,
            legal_basis=self.legal_basis,
            successors=tuple(AgencyCode(code) for code in self.successors),
            aliases=tuple(self.aliases),
            level=self.level,
            facts=self.facts,
        )

    @classmethod
    def of(cls, version: AgencyVersion) -> "AgencyItem":
        return cls.model_construct(
            code=version.code,
            name=version.name,
            parent=version.parent,
            valid_from=version.valid_from,
            valid_to=version.valid_to,
            legal_basis=version.legal_basis,
            successors=list(version.successors),
            aliases=list(version.aliases),
            level=cast("AgencyLevel | None", version.level),
            facts=dict(version.facts),
        )


class AgencyDetail(AgencyItem):
    """An agency with its place in today's tree and all periods of its validity."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{**_AGENCY, "path": ["H51"], "children": ["H51.12.01"], "versions": [_AGENCY]}]}
    )

    path: list[str] = Field(description="The agencies above it today, the nearest first.")
    children: list[str] = Field(description="The agencies right below it today.")
    versions: list[AgencyItem] = Field(description="All periods of its validity, the earliest first.")


class Limit(_Item):
    """A legal time limit (thời hạn giải quyết)."""

    value: Annotated[int, Field(ge=1, le=10_000), WHOLE] = Field(description="How many.")
    unit: LimitUnit = Field(description="Of what: giờ làm việc, ngày làm việc, ngày, tháng.")


class ProcedureItem(_Item):
    """An administrative procedure (thủ tục hành chính)."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PROCEDURE]})

    code: Annotated[str, Field(pattern=PROCEDURE_CODE_PATTERN)] = Field(description="Its code (mã TTHC).")
    name: PublicLine = Field(description="Its name (tên thủ tục).")
    field: PublicShortLine | None = Field(None, description="The field it belongs to (lĩnh vực): a code or a name.")
    field_name: PublicLine | None = Field(None, description="The field's name, where `field` is a code (tên lĩnh vực).")
    level: PublicShortLine | None = Field(None, description="Level of government that handles it (cấp thực hiện).")
    limit: Limit | None = Field(None, description="Legal time limit (thời hạn giải quyết).")
    supplement_policy: Literal["pause", "restart"] = Field(
        "pause", description="After a supplement: the time left is granted again, or the full term (Decree 61/2018, 19(4))."
    )
    payment_pauses: bool = Field(False, description="Whether waiting for payment stops the clock.")
    result_is_document: bool = Field(False, description="Whether the result is a document (kết quả là giấy tờ).")
    has_fee: bool = Field(False, description="Whether it has a fee (phí, lệ phí).")
    online_level: Literal["full", "partial", "none"] | None = Field(
        None, description="Online service level (dịch vụ công trực tuyến toàn trình, một phần, không)."
    )
    facts: Facts = _FACTS

    def to_domain(self) -> Procedure:
        """The item as the database knows it."""
        return Procedure(
            code=ProcedureCode(self.code),
            limit_value=None if self.limit is None else self.limit.value,
            limit_unit=None if self.limit is None else self.limit.unit,
            **self.model_dump(exclude={"code", "limit"}),
        )

    @classmethod
    def of(cls, procedure: Procedure) -> "ProcedureItem":
        limit = None
        if procedure.limit_value is not None:
            limit = Limit.model_validate({"value": procedure.limit_value, "unit": procedure.limit_unit})
        names = ("code", "name", "field", "field_name", "level", "supplement_policy", "payment_pauses")
        more = ("result_is_document", "has_fee", "online_level", "facts")
        return cls.model_construct(limit=limit, **{name: getattr(procedure, name) for name in (*names, *more)})


class DayItem(_Item):
    """A day that differs from the week's rule."""

    date: LocalDate
    kind: Literal["off", "worked"] = Field(description="A day off (ngày nghỉ) or a make-up working day (làm bù).")
    source: Annotated[str, Field(max_length=1000, pattern=r"^[^\x00-\x1f\x7f]*$"), OneSpelling] = Field(
        "", description="The paper that says so (văn bản)."
    )

    def to_domain(self) -> CalendarDay:
        """The item as the database knows it."""
        return CalendarDay(self.date, self.kind, self.source)


class CalendarItem(_Item):
    """Days off and make-up days, and the years that someone has confirmed (lịch nghỉ, làm bù)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "days": [{"date": "2026-02-16", "kind": "off", "source": "9441/TB-BNV"}],
                    "confirmed_years": [2026],
                }
            ]
        }
    )

    days: list[DayItem] = Field([], max_length=20_000, description="The days, each once.")
    confirmed_years: list[Annotated[int, Field(ge=1900, le=9998), WHOLE]] = Field(
        [], max_length=1000, description="Years whose days are complete."
    )


class Agencies(BaseModel):
    """The agencies of a province or ministry."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_AGENCY], "next_cursor": None}]})

    items: list[AgencyItem]
    next_cursor: str | None = Field(None, description="Always null: a catalogue comes whole.")


class Procedures(BaseModel):
    """The procedures of a province or ministry."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_PROCEDURE], "next_cursor": None}]})

    items: list[ProcedureItem]
    next_cursor: str | None = Field(None, description="Always null: a catalogue comes whole.")


class Change(BaseModel):
    """What became of a `PUT`."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"known_from": "2026-05-12T01:30:00Z", "written": 2, "removed": 0, "unchanged": 27}]}
    )

    known_from: datetime | None = Field(description="The instant from which this is known; null: nothing changed.")
    written: int = Field(description="Keys of which a new version was written.")
    removed: int = Field(description="Keys marked as removed (only with `replace=true`).")
    unchanged: int = Field(description="Keys that were known so already: nothing was written.")


AGENCY_SHEET: Final = Sheet(
    {
        "code": read_text,
        "name": read_text,
        "parent": read_text,
        "valid_from": read_text,
        "valid_to": read_text,
        "legal_basis": read_text,
        "successors": read_list,
        "aliases": read_list,
        "facts": read_facts,
        "level": read_text,
    },
    required=("code", "name"),
)
PROCEDURE_SHEET: Final = Sheet(
    {
        "code": read_text,
        "name": read_text,
        "field": read_text,
        "field_name": read_text,
        "level": read_text,
        "limit": read_text,
        "limit_value": read_int,
        "limit_unit": read_text,
        "supplement_policy": read_text,
        "payment_pauses": read_bool,
        "result_is_document": read_bool,
        "has_fee": read_bool,
        "online_level": read_text,
        "facts": read_facts,
    },
    required=("code", "name"),
)
CONFIRMED: Final = "confirmed"
"""The kind of a row of a calendar's sheet that confirms a year."""

CALENDAR_SHEET: Final = Sheet({"date": read_text, "kind": read_text, "source": read_text}, required=("date", "kind"))

AGENCY_HEADINGS: Final = tuple(AGENCY_SHEET.columns)
PROCEDURE_HEADINGS: Final = tuple(name for name in PROCEDURE_SHEET.columns if name != "limit")
CALENDAR_HEADINGS: Final = tuple(CALENDAR_SHEET.columns)


def nested_limit(row: dict[str, Any]) -> dict[str, Any]:
    """A CSV row's limit as the JSON has it: from ``limit_value`` and ``limit_unit``, or ``limit`` (``15 working_days``)."""
    value, unit = row.pop("limit_value", None), row.pop("limit_unit", None)
    text = row.pop("limit", None)
    if text is not None:
        number, _, unit = text.partition(" ")
        value, unit = read_int(number), unit.strip()
    if value is not None or unit is not None:
        row["limit"] = {name: part for name, part in (("value", value), ("unit", unit)) if part is not None}
    return row
