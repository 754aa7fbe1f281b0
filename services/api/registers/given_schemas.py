"""Published tables as given: what somebody tells of one, and what is answered."""

from datetime import date, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    Strict,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import PydanticKnownError

from services.api.catalogue.schemas import PublicLine
from services.api.http.errors.field_errors import Fault
from services.api.http.parameters import LocalDate
from services.api.registers.schemas import VERSION, RegisterRateOut
from shared.events.cloudevents.fields import WHOLE
from shared.register_figures.rules.given_tables import GivenTable, breaks, given_rates, unknown
from shared.register_figures.rules.sums import Sums, rate_of
from shared.registers.figure_sets import BY_REGISTER, FIGURE_SETS
from shared.registers.measures import FigureSet
from shared.vocabulary.periods import Period

GIVEN_ID: Final = r"^[0-9A-Za-z][0-9A-Za-z._-]{0,99}$"
_MOST_FIGURES: Final = 500

_Register: Any = Literal[tuple(dict.fromkeys((*FIGURE_SETS, *BY_REGISTER)))]
_Words = Annotated[str, Strict(), Field(min_length=1, max_length=1000, pattern=r"^[^\x00-\x1f\x7f]+$")]
_Number = Annotated[int, Strict(), Field(ge=-(10**15), le=10**15), WHOLE]
_FigureId = Annotated[str, Field(pattern=r"^[0-9a-z][0-9a-z._]{0,59}$")]
_NUMBER: Final[TypeAdapter[int]] = TypeAdapter(_Number)
_WORDS: Final[TypeAdapter[str]] = TypeAdapter(_Words)


def _number_or_words(value: Any) -> int | str:
    """As a union has it, but with one fault, at the place of the figure itself."""
    try:
        return _WORDS.validate_python(value) if isinstance(value, str) else _NUMBER.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise PydanticKnownError(first["type"], first.get("ctx")) from None  # type: ignore[arg-type]


_Figure = Annotated[int | str, PlainValidator(_number_or_words)]

_FIGURES: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": True,
    "minProperties": 1,
    "maxProperties": _MOST_FIGURES,
}
"""A value of two types is a schema that generators of clients do not write down."""

_TEXT: Final = "65 phản ánh, kiến nghị đã tiếp nhận, xử lý và công khai, đạt 100%"
TABLE_EXAMPLE: Final[dict[str, Any]] = {
    "register": "feedback",
    "issuer": "UBND tỉnh",
    "date": "2022-12-30",
    "from": "2022-01-01",
    "to": "2022-12-31",
    "text": _TEXT,
    "figures": {"f1": 65, "f6": 65, "f8": 65, "fb.handled": "100%"},
}
_RATE_EXAMPLE: Final = {"value": "100.00", "numerator": 65, "denominator": 65, "formula": "fb.handled/1"}
_KNOWN_EXAMPLE: Final[dict[str, Any]] = {
    "id": "feedback_2022",
    **TABLE_EXAMPLE,
    "known_from": "2023-01-05T02:00:00Z",
    "breaks": [],
    "quoted": ["fb.handled"],
    "unknown": [],
    "rates": {"fb.handled": _RATE_EXAMPLE},
}


class GivenTableIn(BaseModel):
    """A published table (số liệu công bố), as it was printed."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [TABLE_EXAMPLE]})

    register_: _Register = Field(alias="register", description="What it is of: a word of `/v1/stats/{register}`.")
    issuer: PublicLine = Field(description="Who published it (cơ quan công bố).")
    date_: LocalDate = Field(alias="date", description="The date of the paper (ngày văn bản).")
    from_: LocalDate = Field(alias="from", description="First local date of its period (từ ngày).")
    to: LocalDate = Field(description="Last local date, included (đến ngày).")
    text: Annotated[str, Field(min_length=1, max_length=20_000, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+$")] = Field(
        description="The words in which it was printed (nguyên văn)."
    )
    figures: Annotated[dict[_FigureId, _Figure], WithJsonSchema(_FIGURES)] = Field(
        min_length=1,
        max_length=_MOST_FIGURES,
        description="By id of a figure, part or rate of ours: a whole number; or the text of one that is only quoted.",
    )

    def faults(self) -> list[Fault]:
        """What is wrong between its fields: a period that ends before it begins."""
        return [Fault("/to", "before_from", {})] if self.to < self.from_ else []

    def to_domain(self, table: str) -> GivenTable:
        """The table as the database knows it."""
        register = BY_REGISTER[self.register_].path if self.register_ in BY_REGISTER else self.register_
        period = Period(self.from_, self.to)
        return GivenTable(table, register, self.issuer, self.date_, period, self.text, self.figures)


class BreakOut(BaseModel):
    """An identity that the table breaks."""

    identity: str = Field(description="As `checks` name it: `f1=f2+f3`.")
    left: int = Field(description="What its left side adds up to.")
    right: int = Field(description="The same of its right side.")


class GivenTableOut(BaseModel):
    """A table as given, and what our rules say of it. Nothing is corrected."""

    model_config = ConfigDict(json_schema_extra={"examples": [_KNOWN_EXAMPLE]})

    id: str
    register_: str = Field(alias="register")
    issuer: str
    date_: date = Field(alias="date")
    from_: date = Field(alias="from")
    to: date
    text: str
    figures: Annotated[dict[str, Any], WithJsonSchema({"type": "object", "additionalProperties": True})]
    known_from: datetime = Field(description="Since when this version is known.")
    breaks: list[BreakOut] = Field(description="Identities that do not hold, of those whose figures are all given.")
    quoted: list[str] = Field(description="The figures that are only quoted: never parsed, never summed.")
    unknown: list[str] = Field(description="Ids that no figure, part or rate of ours has: nothing checks them.")
    rates: dict[str, RegisterRateOut] = Field(description="Our rates of its numbers, where both parts are given.")


class GivenTables(BaseModel):
    """Given tables, or the versions of one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_KNOWN_EXAMPLE]}]})

    items: list[GivenTableOut]


class BesideOut(BaseModel):
    """A figure of a paper beside ours."""

    given: int | None = Field(description="As given; null: it is only quoted.")
    quoted: str | None = Field(description="The printed text of one that is only quoted.")
    ours: int | None = Field(description="Ours; null: not known, or it is a rate.")
    rate: str | None = Field(description="Ours, where it is a rate, in percent.")
    formula: str | None = Field(description="The formula id of ours; null: we have no such figure.")


class GivenBesideOut(BaseModel):
    """A given table of the same register, period and whole province, beside our figures."""

    id: str
    issuer: str
    date_: date = Field(alias="date")
    text: str
    figures: dict[str, BesideOut]


def table_answer(table: GivenTable) -> dict[str, Any]:
    """The answer of ``given/{id}``."""
    figures = FIGURE_SETS[table.register]
    return {
        "id": table.id,
        "register": table.register,
        "issuer": table.issuer,
        "date": table.issued_on,
        "from": table.period.from_on,
        "to": table.period.to_on,
        "text": table.text,
        "figures": table.figures,
        "known_from": table.known_from,
        "breaks": [{"identity": one.identity, "left": one.left, "right": one.right} for one in breaks(figures, table)],
        "quoted": table.quoted,
        "unknown": unknown(figures, table),
        "rates": {
            name: {
                "value": rate.value,
                "numerator": rate.numerator,
                "denominator": rate.denominator,
                "formula": f"{name}/{VERSION}",
            }
            for name, rate in given_rates(figures, table).items()
        },
    }


def beside_answer(figures: FigureSet, table: GivenTable, ours: Sums) -> dict[str, Any]:
    """A given table beside our figures of the same period, each with the formula id of ours."""
    rates = {rate.id: rate_of(ours, rate).value for rate in figures.rates}
    ids = {*figures.figures, *figures.parts}

    def beside(name: str, given: int | str) -> dict[str, Any]:
        told = {"given": given, "quoted": None} if isinstance(given, int) else {"given": None, "quoted": given}
        if name in rates:
            return {**told, "ours": None, "rate": rates[name], "formula": f"{name}/{VERSION}"}
        formula = f"{figures.path}.{name}/{VERSION}" if name in ids else None
        return {**told, "ours": None if formula is None else ours.of(name), "rate": None, "formula": formula}

    return {
        "id": table.id,
        "issuer": table.issuer,
        "date": table.issued_on,
        "text": table.text,
        "figures": {name: beside(name, given) for name, given in table.figures.items()},
    }
