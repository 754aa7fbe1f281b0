"""What figures can be asked for."""

from typing import Annotated, Any, Final, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from services.api.dossiers.parameters import Paging
from services.api.http.parameters import PRINTABLE, LocalDate, OneSpelling
from shared.vocabulary.events import Channel

By = Literal["agency", "receiving_agency", "procedure", "field", "channel", "quarter", "month", "week", "day"]

PLAIN: Final = r"^[^\x00-\x1f\x7f]*$"
"""A key of a row: no control characters, which the database would not take."""


def _text(description: str, example: str) -> Any:
    return Field(description=description, examples=[example], min_length=1, max_length=200, pattern=PRINTABLE)


AsOf = Annotated[
    str | None,
    Field(
        max_length=40,
        description="As it stood then (tại thời điểm): a date, for its local end of day (today: now), or an RFC 3339 instant"
        " such as 2026-01-31T17:00:00+07:00. Of the events recorded by then, with the catalogues as then known.",
    ),
]
ANY_PERIOD: Final = "1900"
"""Of a question that has no period."""


class ScopeParameters(BaseModel):
    """What figures can be about. A parameter that is not known is refused, or it would seem to have an effect."""

    model_config = ConfigDict(extra="forbid")

    period: Annotated[
        str | None,
        Field(
            description="Short form of a period (kỳ báo cáo), instead of `from` and `to`: 2018, 2018-H1, 2018-Q3, 2018-05,"
            " 2018-W07, and of Decree 09/2019: ND09:2018, ND09:2018-6M, ND09:2018-9M, ND09:2018-Q3, ND09:2018-05.",
            examples=["2018-Q3"],
            max_length=20,
        ),
    ] = None
    from_: Annotated[
        LocalDate | None, Field(alias="from", description="First local date (từ ngày), such as 2018-01-01.")
    ] = None
    to: Annotated[LocalDate | None, Field(description="Last local date, included (đến ngày), such as 2018-12-31.")] = None
    agency: Annotated[
        str | None, _text("Only this competent agency (cơ quan) and what is below it; default: the key's.", "H51.12")
    ] = None
    receiving_agency: Annotated[
        str | None,
        _text(
            "Only what a desk of this agency or below it received (cơ quan tiếp nhận), for whatever competent agency;"
            " without `agency` of all that the key may see.",
            "H51.12",
        ),
    ] = None
    field: Annotated[
        str | None,
        _text("Only procedures of this field (lĩnh vực); `unknown`: those that have none.", "G15-HT05"),
        OneSpelling,
    ] = None
    procedure: Annotated[str | None, _text("Only this procedure (mã thủ tục).", "1.001193")] = None
    channel: Annotated[Channel | None, Field(description="Only this channel (kênh tiếp nhận).")] = None
    tree_on: Annotated[
        LocalDate | None,
        Field(description="The date whose agency tree is used (cây cơ quan ngày); default: the period's last day."),
    ] = None
    as_of: Annotated[
        str | None,
        Field(
            max_length=40,
            description="The figures as they stood then (số liệu tại thời điểm): a date, for its local end of day (today:"
            " now), or an RFC 3339 instant such as 2026-01-31T17:00:00+07:00. Counts the events recorded by"
            " then, with the catalogues as then known.",
        ),
    ] = None


class Filters(ScopeParameters):
    """What all figures can be asked for."""

    min_position: Annotated[
        int | None,
        Field(
            ge=0, le=2**63 - 1, description="Wait, a few seconds at most, until the event at this log position is counted."
        ),
    ] = None


FilterParameters = Annotated[Filters, Query()]


class ListQuestion(Filters, Paging):
    """A scope of figures, and how its dossiers are listed."""
