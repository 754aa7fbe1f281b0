"""Office hours at the edge: as JSON and as CSV."""

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from services.api.http.parameters import LocalDate
from services.api.http.sheets import Sheet, read_int, read_list, read_text
from shared.calendar.rules.working_time import OFFICE_HOURS, HoursEntry
from shared.events.cloudevents.fields import WHOLE
from shared.vocabulary.codes import AGENCY_CODE_PATTERN, OLD_AGENCY_CODE_PATTERN, present_form
from shared.vocabulary.events import AgencyCode

_SPAN: Final = r"([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]"

Hours = Annotated[str, Field(pattern=rf"^{_SPAN}(,{_SPAN}){{0,7}}$", max_length=100)]
_EXAMPLE: Final[dict[str, Any]] = {
    "agency": "H51.12",
    "hours": "07:30-11:30",
    "weekdays": [6],
    "valid_from": "2026-07-01",
    "valid_to": None,
}

_USUAL_ENTRY: Final = OFFICE_HOURS.entries[0]
_USUAL: Final[dict[str, Any]] = {"hours": str(_USUAL_ENTRY), "weekdays": sorted(_USUAL_ENTRY.weekdays)}

Weekday = Annotated[int, Field(ge=1, le=7), WHOLE]


class OfficeHoursItem(BaseModel):
    """Office hours (giờ làm việc) of an agency and of those below it by code, on some days of the week."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [_EXAMPLE]},
    )

    agency: Annotated[str, Field(max_length=200, pattern=rf"{AGENCY_CODE_PATTERN}|{OLD_AGENCY_CODE_PATTERN}")] = Field(
        description="Its code (mã cơ quan); the province's own: of all agencies that have no other."
    )
    hours: Hours | None = Field(
        description="Spans of local time, in order and apart (các buổi làm việc); null: no hours of its own any more,"
        " but those of the agency above."
    )
    weekdays: list[Weekday] = Field(
        [1, 2, 3, 4, 5],
        min_length=1,
        max_length=7,
        json_schema_extra={"uniqueItems": True},
        description="Days of the week with these hours: Monday 1 to Sunday 7 (thứ). Others may have an entry of their own.",
    )
    valid_from: LocalDate | None = Field(None, description="First day with these hours (từ ngày); null: always had them.")
    valid_to: LocalDate | None = Field(None, description="Last day with them (đến ngày); null: no end known.")

    @property
    def code(self) -> AgencyCode:
        """The agency's code in its present form."""
        return present_form(self.agency)

    def to_domain(self) -> HoursEntry | None:
        """The item as the domain knows it.

        Raises:
            ValueError: spans that overlap, touch or are empty.
        """
        if self.hours is None:
            return None
        return HoursEntry.read(self.hours, frozenset(self.weekdays), self.valid_from, self.valid_to)

    @classmethod
    def of(cls, agency: str, entry: HoursEntry) -> "OfficeHoursItem":
        return cls.model_construct(
            agency=agency,
            hours=str(entry),
            weekdays=sorted(entry.weekdays),
            valid_from=entry.valid_from,
            valid_to=entry.valid_to,
        )


class UsualHours(BaseModel):
    """Where nothing else is told."""

    hours: str = Field(_USUAL["hours"], description="Spans of local time.")
    weekdays: list[int] = Field(_USUAL["weekdays"], description="Days worked in a week: Monday 1 to Sunday 7.")


class OfficeHoursList(BaseModel):
    """The office hours that agencies have of their own."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_EXAMPLE], "usual": _USUAL, "next_cursor": None}]})

    items: list[OfficeHoursItem]
    usual: UsualHours = Field(description="The hours of every other agency (giờ làm việc chung).")
    next_cursor: str | None = Field(None, description="Always null: a catalogue comes whole.")


def _read_weekdays(text: str) -> Any:
    return [read_int(part) for part in read_list(text)]


SHEET: Final = Sheet(
    {
        "agency": read_text,
        "hours": read_text,
        "weekdays": _read_weekdays,
        "valid_from": read_text,
        "valid_to": read_text,
    },
    required=("agency", "hours"),
)
HEADINGS: Final = tuple(SHEET.columns)
