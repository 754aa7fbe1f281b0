"""What officials' lists are asked with."""

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from services.api.deadlines.schemas import ApologyState, Bucket, LateFigure
from services.api.dossiers.parameters import Paging
from services.api.http.parameters import DossierPageLimit, LocalDate, PageCursor
from shared.vocabulary.periods import Period, read_period

Agency = Annotated[
    str | None,
    Field(max_length=200, description="This agency and what is below it (cơ quan); default: all.", examples=["H51.12"]),
]


class AgeingQuestion(BaseModel):
    """Whose open dossiers."""

    model_config = ConfigDict(extra="forbid")

    agency: Agency = None


class AgeingListQuestion(Paging):
    """Which open dossiers, and how they are listed."""

    bucket: Annotated[
        Bucket,
        Field(description="The figure of `/v1/overdue`, by its name.", examples=["late_1_3"]),
    ]
    agency: Agency = None
    sort: Annotated[
        str, Field(pattern=r"^-?(received_at|due_at|code)$", description="Order; the earliest due date first unless told.")
    ] = "due_at"


class LatePeriod(AgeingQuestion):
    """Whose dossiers, ended when; those open now are always among them."""

    period: Annotated[
        str | None, Field(description="Short form of a period (kỳ), as in the figures.", examples=["2026-05"], max_length=20)
    ] = None
    from_: Annotated[
        LocalDate | None, Field(alias="from", description="Ended on this local date or later; default: this month's first.")
    ] = None
    to: Annotated[LocalDate | None, Field(description="Ended on this local date or before; default: today.")] = None

    def read(self, today: date) -> Period:
        """The period; the present month where none is told."""
        if (self.period, self.from_, self.to) == (None, None, None):
            return Period(today.replace(day=1), today)
        return read_period(self.period, self.from_, self.to).until(today)


class ApologyListQuestion(LatePeriod):
    """Which letters, and how they are listed."""

    state: Annotated[ApologyState | None, Field(description="Only those of this state.", examples=["owed"])] = None
    cursor: PageCursor = None
    limit: DossierPageLimit = 50


class ReasonListQuestion(LatePeriod, Paging):
    """Which late dossiers, and how they are listed."""

    reason: Annotated[
        str | None,
        Field(
            max_length=4000,
            description="Only those with this reason of `/v1/overdue/reasons`, upper and lower case being the same; empty:"
            " those without one (không nêu lý do).",
        ),
    ] = None
    figure: Annotated[
        LateFigure, Field(description="The figure of `/v1/overdue/reasons`, by its name.", examples=["resolved_late"])
    ] = "dossiers"
