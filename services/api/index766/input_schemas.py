"""Figures of the index that people give: what they say of one, and what is known."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, Strict

from services.api.catalogue.schemas import Agency, Line, ShortLine
from services.api.http.errors.field_errors import Fault
from services.api.http.parameters import LocalDate
from shared.events.cloudevents.fields import WHOLE
from shared.index766.rules.indicators import GIVEN_INDICATORS, NATIONAL_RECEIVED
from shared.index766.store.given_figures import Given
from shared.vocabulary.events import AgencyCode
from shared.vocabulary.periods import Period

Count = Annotated[int, Strict(), Field(ge=0, le=10**12), WHOLE]

if TYPE_CHECKING:
    # a literal type of a table at run time
    _GivenId = str
else:
    _GivenId = Literal[GIVEN_INDICATORS]

INPUT_EXAMPLE: Final[dict[str, Any]] = {
    "indicator": "5.2",
    "agency": None,
    "from": "2026-01-01",
    "to": "2026-03-31",
    "numerator": 182,
    "denominator": 247,
    "source": "Báo cáo số 12/BC-UBND",
    "source_on": "2026-04-10",
}


class InputItem(BaseModel):
    """A figure that dossiers do not feed (số liệu cung cấp)."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [INPUT_EXAMPLE]})

    indicator: _GivenId = Field(
        description="The indicator. 1.4: received by the national report (denominator only); 5.4: the whole figure, with"
        " complaints; 5.1a, 5.1b: feedback about rules, about behaviour."
    )
    agency: Agency | None = Field(
        None, description="Of this agency and what is below it; default: all that the key may see."
    )
    from_: LocalDate = Field(alias="from", description="First local date of the period it is of (từ ngày).")
    to: LocalDate = Field(description="Last local date, included (đến ngày).")
    numerator: Count | None = Field(None, description="Tử số; absent for 1.4 only.")
    denominator: Count | None = Field(None, description="Mẫu số; absent where it is withdrawn.")
    source: Line = Field(description="The paper it stands in (nguồn số liệu).")
    source_on: LocalDate = Field(description="The date of that paper (ngày).")
    withdrawn: bool = Field(
        default=False,
        strict=True,
        description="Takes the figure back (rút lại): the paper is the one that says so, and there are no numbers.",
    )

    def faults(self, place: str) -> list[Fault]:
        """What is wrong between its fields: numbers that lack or may not be there, a period that ends before it begins."""
        wrong = {"to": "before_from"} if self.to < self.from_ else {}
        for name, number in (("numerator", self.numerator), ("denominator", self.denominator)):
            if self.withdrawn and number is not None:
                wrong[name] = "withdrawn_number"
            elif not self.withdrawn and number is None and (name == "denominator" or self.indicator != NATIONAL_RECEIVED):
                wrong[name] = f"{name}_missing"
        return [Fault(f"{place}/{name}", type_, {}) for name, type_ in wrong.items()]

    def to_domain(self, agency: AgencyCode) -> Given:
        """The item as the database knows it."""
        period = Period(self.from_, self.to)
        numbers = (self.numerator, self.denominator or 0)
        return Given(self.indicator, agency, period, *numbers, self.source, self.source_on, self.withdrawn)


_KNOWN_EXAMPLE: Final = {**INPUT_EXAMPLE, "agency": "H51", "withdrawn": False, "known_from": "2026-04-11T02:00:00Z"}


class InputOut(BaseModel):
    """A given figure as it is known."""

    model_config = ConfigDict(json_schema_extra={"examples": [_KNOWN_EXAMPLE]})

    indicator: str
    agency: ShortLine
    from_: date = Field(alias="from")
    to: date
    numerator: int | None
    denominator: int
    source: str
    source_on: date
    withdrawn: bool = Field(description="Taken back from then on; the numbers are those that were given.")
    known_from: datetime = Field(description="Since when it is known.")


class Inputs(BaseModel):
    """The newest version of every given figure, or all versions."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_KNOWN_EXAMPLE]}]})

    items: list[InputOut]


def inputs_answer(given: Iterable[Given]) -> dict[str, Any]:
    """The answer of ``indices/766/inputs``."""
    return {
        "items": [
            {
                "indicator": one.indicator,
                "agency": one.agency,
                "from": one.period.from_on,
                "to": one.period.to_on,
                "numerator": one.numerator,
                "denominator": one.denominator,
                "source": one.source,
                "source_on": one.source_on,
                "withdrawn": one.withdrawn,
                "known_from": one.known_from,
            }
            for one in given
        ]
    }
