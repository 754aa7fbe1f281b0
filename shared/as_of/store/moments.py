"""What differs between figures of now and of an earlier instant: a scope has one of these and asks it, whichever it is."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Protocol, TypeVar

from shared.access.store.visibility import Access
from shared.as_of.store import figures
from shared.as_of.store.dossiers import DossierThen, PointInTime
from shared.as_of.store.rows import PastRows, rows_then
from shared.counting.rules.question import Question
from shared.counting.store import answers
from shared.counting.store.answers import Answer, Stamp, read_stamp
from shared.database.engine import DriverConnection
from shared.database.pace import Pace
from shared.vocabulary.events import AgencyCode, Tenant

MayCount = Callable[[DossierThen], bool]
"""Whether a statement may choose a dossier: others need not travel to the database."""

_T = TypeVar("_T")


class Moment(Protocol):
    """Now, or an earlier instant in a transaction of one snapshot for which its dossiers are computed."""

    @property
    def as_of(self) -> datetime | None:
        """The instant that is asked about, also the one by which catalogues and calendars count as known; None: now."""

    @property
    def position(self) -> int | None:
        """The last position of the log that counts; None: all that is projected."""

    @property
    def visible(self) -> frozenset[str] | None:
        """The agencies that a dossier must have now to be counted, beside those that it had then; None: any."""

    @property
    def pace(self) -> Pace:
        """How work on computed dossiers gives way to other tasks."""

    @property
    def has_branches(self) -> bool:
        """Whether sums of branches answer. An earlier instant needs the sums that stored rows have: agency by agency."""

    def either(self, now: _T, then: _T) -> _T:
        """``now`` or ``then``: for statements that differ."""

    def codes(self, access: Access, agency: AgencyCode | None, tree_on: date) -> frozenset[str] | None:
        """The agencies that are counted, as events name them; None: all."""

    async def ask(self, connection: DriverConnection, tenant: Tenant, question: Question) -> Answer:
        """The sums that a question asks for."""

    async def stamp(self, connection: DriverConnection, tenant: Tenant) -> Stamp:
        """The point of the log that an answer stands for."""

    async def rows(self, connection: DriverConnection, may_count: Callable[[], MayCount]) -> PastRows | None:
        """What stands in place of the dossiers' table; None: the table itself, and ``may_count`` is not made."""


class _Now:
    as_of: Final = None
    position: Final = None
    visible: Final = None
    has_branches: Final = True

    @property
    def pace(self) -> Pace:
        return Pace()

    def either(self, now: _T, then: _T) -> _T:  # noqa: ARG002
        return now

    def codes(self, access: Access, agency: AgencyCode | None, tree_on: date) -> frozenset[str] | None:
        return access.codes_within(agency, tree_on)

    async def ask(self, connection: DriverConnection, tenant: Tenant, question: Question) -> Answer:
        return await answers.ask(connection, tenant, question)

    async def stamp(self, connection: DriverConnection, tenant: Tenant) -> Stamp:
        return await read_stamp(connection, tenant)

    async def rows(self, connection: DriverConnection, may_count: Callable[[], MayCount]) -> None:  # noqa: ARG002
        return None


NOW: Final[Moment] = _Now()


@dataclass(frozen=True, slots=True)
class Then:
    """An earlier instant."""

    past: PointInTime
    visible: frozenset[str] | None
    has_branches: bool = False

    @property
    def as_of(self) -> datetime:
        """As `Moment` says."""
        return self.past.prefix.as_of

    @property
    def position(self) -> int:
        """As `Moment` says."""
        return self.past.prefix.position

    @property
    def pace(self) -> Pace:
        """As `Moment` says."""
        return self.past.pace

    def either(self, now: _T, then: _T) -> _T:  # noqa: ARG002
        """As `Moment` says."""
        return then

    def codes(self, access: Access, agency: AgencyCode | None, tree_on: date) -> frozenset[str] | None:
        """As `Moment` says: whom the key may see is a matter of now, so `visible` says it."""
        catalogue = access.catalogue
        top = access.top if agency is None else agency
        return None if top == catalogue.agencies.root else catalogue.codes_under(top, tree_on)

    async def ask(self, connection: DriverConnection, _tenant: Tenant, question: Question) -> Answer:
        """As `Moment` says."""
        return await figures.ask(connection, self.past, question, self.visible)

    async def stamp(self, connection: DriverConnection, _tenant: Tenant) -> Stamp:
        """As `Moment` says."""
        return await figures.stamp_of(connection, self.past)

    async def rows(self, connection: DriverConnection, may_count: Callable[[], MayCount]) -> PastRows:
        """As `Moment` says."""
        return await rows_then(connection, self.past, self.visible, may_count())
