"""What the portal ledger is asked with."""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from services.api.http.parameters import DossierPageLimit, LocalDate, PageCursor
from shared.access.store.visibility import Access
from shared.sync.rules.reconciliation import DifferenceKind
from shared.sync.rules.retry import ErrorClass
from shared.sync.store.ledger import SyncState
from shared.sync.store.step_times import Cause
from shared.vocabulary.periods import Period, read_period

DEFAULT_LIMIT: Final = 100


class SyncQuestion(BaseModel):
    """The period of indicator 1.4."""

    model_config = ConfigDict(extra="forbid")

    period: Annotated[
        str | None, Field(max_length=20, description="Short form of a period (kỳ); default: this year.", examples=["2026"])
    ] = None
    from_: Annotated[LocalDate | None, Field(alias="from", description="First local date (từ ngày).")] = None
    to: Annotated[LocalDate | None, Field(description="Last local date, included (đến ngày).")] = None


class LedgerQuestion(BaseModel):
    """What to list."""

    model_config = ConfigDict(extra="forbid")

    state: Annotated[SyncState | None, Field(description="Only this state (trạng thái đồng bộ).")] = None
    error: Annotated[ErrorClass | None, Field(description="Only this error class (loại lỗi).")] = None
    cursor: PageCursor = None
    limit: DossierPageLimit = DEFAULT_LIMIT


class DifferenceQuestion(BaseModel):
    """Which differences."""

    model_config = ConfigDict(extra="forbid")

    job: Annotated[
        str | None,
        Field(
            max_length=64,
            pattern="^[0-9A-Za-z]+$",
            description="Of this comparison (mã công việc đối soát); default: of the newest one of everything.",
            examples=["reconcile20260512"],
        ),
    ] = None
    kind: Annotated[DifferenceKind | None, Field(description="Only of this kind (loại sai lệch).")] = None
    cursor: PageCursor = None
    limit: DossierPageLimit = DEFAULT_LIMIT


class LagQuestion(SyncQuestion):
    """Whose sync, and when."""

    agency: Annotated[
        str | None,
        Field(max_length=200, description="This agency and what is below it (cơ quan); default: all.", examples=["H51.12"]),
    ] = None

    def read(self, access: Access) -> Period:
        """The period; this year where none is told."""
        if (self.period, self.from_, self.to) == (None, None, None):
            return read_period(str(access.today.year), None, None).until(access.today)
        return read_period(self.period, self.from_, self.to).until(access.today)


class LateQuestion(LagQuestion):
    """Which late dossiers."""

    cause: Annotated[Cause, Field(description="Behind this figure of `late` (nguyên nhân).", examples=["by_us"])]
    cursor: PageCursor = None
    limit: DossierPageLimit = DEFAULT_LIMIT
