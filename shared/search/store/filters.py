"""Which dossiers: the filters of lists and the predicate behind every figure, as conditions on ``dossier``."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from shared.access.store.visibility import Access, any_of
from shared.counting.rules.figure_definitions import FIGURES, AnyFigure, figures_in
from shared.database.engine import DriverConnection
from shared.deadlines.rules.ageing import DueRange
from shared.dossiers.rules.anomalies import AnomalyCode
from shared.vocabulary.events import Channel
from shared.vocabulary.local_time import end_of_day, local_date, start_of_day
from shared.vocabulary.periods import Period

if TYPE_CHECKING:
    from shared.as_of.store.rows import PastRows

IS_OPEN: Final = "(received_on IS NOT NULL AND ended_on IS NULL)"

RECEIVED: Final[tuple[str, Sequence[Any]]] = ("received_on IS NOT NULL", ())
"""One of `Selection.more`: some desk has received it."""

_FUTURE_TOLERANCE: Final = timedelta(minutes=5)
"""No event is dated later than this after the database's clock."""

_STORED_ANOMALIES: Final = frozenset(AnomalyCode) - {AnomalyCode.UNKNOWN_AGENCY, AnomalyCode.UNKNOWN_PROCEDURE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which dossiers; all that is given must hold.

    ``agencies``: the codes that `Access` gave, None: no limit; ``other_procedures``: none of these; ``now``: the database's.
    ``or_no_agency``, ``or_no_procedure``: those without one too, beside the codes given; ``no_channel``: only those
    without one. ``due``: open and not paused at the
    end of today, and due within; a range without an end holds those without a due date too. ``more``: further conditions,
    each with ``{}`` for its values. ``rows``: the dossiers as they stood then, None: as they are stored.
    """

    access: Access
    now: datetime
    agencies: Collection[str] | None
    procedures: Collection[str] | None = None
    other_procedures: Collection[str] | None = None
    channel: Channel | None = None
    status: int | None = None
    is_open: bool | None = None
    is_overdue: bool | None = None
    anomaly: AnomalyCode | None = None
    any_anomaly: bool = False
    received_from: date | None = None
    received_to: date | None = None
    due_before: date | None = None
    untouched_days: int | None = None
    code_prefix: str | None = None
    figure: tuple[AnyFigure, Period] | None = None
    or_no_agency: bool = False
    or_no_procedure: bool = False
    no_channel: bool = False
    due: DueRange | None = None
    more: Sequence[tuple[str, Sequence[Any]]] = ()
    rows: "PastRows | None" = None

    @property
    def today(self) -> date:
        """The local date."""
        return local_date(self.now)

    @property
    def always_received(self) -> bool:
        """Whether nothing is selected that was never received."""
        received = (self.received_from, self.received_to, self.untouched_days, self.figure, self.due)
        return self.is_open is True or self.is_overdue is True or any(one is not None for one in received)

    @property
    def always_due(self) -> bool:
        """Whether nothing is selected that has no due date."""
        bounded = self.due is not None and self.due.before is not None
        return bounded or self.due_before is not None or self.is_overdue is True


# A walk from each procedure in use to the next one: as many steps as there are procedures, however many dossiers.
_PROCEDURES_IN_USE: Final = """
WITH RECURSIVE used(code) AS (
    (SELECT procedure FROM dossier WHERE tenant = $1 AND procedure > '' ORDER BY procedure LIMIT 1)
    UNION ALL
    SELECT next.procedure FROM used CROSS JOIN LATERAL (
        SELECT d.procedure FROM dossier d WHERE d.tenant = $1 AND d.procedure > used.code ORDER BY d.procedure LIMIT 1
    ) next
) SELECT code FROM used WHERE NOT code = ANY($2::text[])"""


async def resolved(connection: DriverConnection, selection: Selection) -> Selection:
    """The same selection, with the procedures named that no catalogue knows, where those are asked for."""
    if selection.anomaly is not AnomalyCode.UNKNOWN_PROCEDURE or selection.rows is not None:
        return selection
    access = selection.access
    rows = await connection.fetch(_PROCEDURES_IN_USE, access.tenant, any_of(access.catalogue.procedures))
    unknown = {row["code"] for row in rows}
    procedures = unknown if selection.procedures is None else unknown & set(selection.procedures)
    return replace(selection, procedures=procedures, anomaly=None)


class RowFilterSql:
    """The WHERE of a statement and its parameters; $1 is the tenant, $2 the local date of today."""

    def __init__(self, selection: Selection) -> None:
        self.rows: Final = selection.rows
        self.values: list[Any] = [selection.access.tenant, selection.today]
        self._texts = ["tenant = $1"]
        self._add_agencies(selection.agencies, or_none=selection.or_no_agency)
        if selection.procedures is not None and selection.or_no_procedure:
            self.add("(procedure IS NULL OR procedure = ANY({}::text[]))", any_of(selection.procedures))
        elif selection.procedures is not None and len(selection.procedures) == 1:
            self.add("procedure = {}::text", next(iter(selection.procedures)))  # keeps the order of the index
        elif selection.procedures is not None:
            self.add("procedure = ANY({}::text[])", any_of(selection.procedures))
        if selection.other_procedures is not None:
            self.add("(procedure IS NULL OR NOT procedure = ANY({}::text[]))", any_of(selection.other_procedures))
        self._add_columns(selection)
        self._add_state(selection)
        if selection.anomaly is not None:
            self._texts.append(self._anomaly(selection.anomaly, selection.access))
        if selection.any_anomaly:
            self._texts.append(self._any_anomaly(selection.access))
        if selection.figure is not None:
            self._add_figure(*selection.figure)
        for text, values in selection.more:
            self.add(text, *values)

    def add(self, text: str, *values: Any) -> None:
        """Add a condition with ``{}`` for each value."""
        self._texts.append(self.text(text, *values))

    def text(self, text: str, *values: Any) -> str:
        """A condition with ``{}`` for each value, which the caller puts where it belongs."""
        return text.format(*(self._parameter(value) for value in values))

    def __str__(self) -> str:
        return " AND ".join(self._texts)

    def _parameter(self, value: Any) -> str:
        self.values.append(value)
        return f"${len(self.values)}"

    def _add_agencies(self, codes: Collection[str] | None, *, or_none: bool) -> None:
        if codes is not None and or_none:
            self.add("(agency IS NULL OR agency = ANY({}::text[]))", any_of(codes))
        elif codes is not None and len(codes) == 1:
            self.add("agency = {}::text", next(iter(codes)))  # keeps the order of the index
        elif codes is not None:
            self.add("agency = ANY({}::text[])", any_of(codes))

    def _add_columns(self, selection: Selection) -> None:
        begin, end = selection.received_from, selection.received_to
        for text, value in (
            ("channel = {}::text", selection.channel),
            ("status = {}::smallint", selection.status),
            ("received_at >= {}::timestamptz", None if begin is None else start_of_day(begin)),
            ("received_at < {}::timestamptz", None if end is None else end_of_day(end)),
            ("due_at < {}::timestamptz", None if selection.due_before is None else start_of_day(selection.due_before)),
            ("code LIKE {}::text", None if selection.code_prefix is None else selection.code_prefix + "%"),
        ):
            if value is not None:
                self.add(text, value)

    def _add_state(self, selection: Selection) -> None:
        if selection.no_channel:
            self.add("channel IS NULL")
        if selection.is_open is not None:
            self.add(IS_OPEN if selection.is_open else f"NOT {IS_OPEN}")
        if selection.untouched_days is not None:
            self.add(f"{IS_OPEN} AND touched_at <= {{}}", selection.now - timedelta(days=selection.untouched_days))
        if selection.is_overdue is False:
            self.add("NOT overdue_days @> $2::date")
        elif selection.is_overdue:
            # By date, as column 13 of today. What has ended is open at the end of today only if it ended after midnight:
            # a few minutes in the future.
            self.add("overdue_days @> $2::date")
            if local_date(selection.now + _FUTURE_TOLERANCE) == selection.today:
                self.add(IS_OPEN)

        if selection.due is not None:
            self._add_due(selection.due)

    def _add_due(self, due: DueRange) -> None:
        self.add(f"{IS_OPEN} AND NOT paused_days @> $2::date")
        if due.since is not None and due.before is None:
            self.add("(due_at IS NULL OR due_at >= {}::timestamptz)", due.since)
        elif due.since is not None:
            self.add("due_at >= {}::timestamptz", due.since)
        if due.before is not None:
            self.add("due_at < {}::timestamptz", due.before)

    def _add_figure(self, figure: AnyFigure, period: Period) -> None:
        condition = " OR ".join(f"({FIGURES[one].predicate.sql})" for one in figures_in(figure))
        days = {"begin": period.from_on, "end": period.to_on}
        # a parameter that is never named has no type
        named = {name: self._parameter(on) for name, on in days.items() if f"{{{name}}}" in condition}
        self._texts.append(f"({condition.format(**named)})")

    def _anomaly(self, anomaly: AnomalyCode, access: Access) -> str:
        if anomaly in _STORED_ANOMALIES:
            # the index has those with any only
            return f"(anomalies <> '{{}}' AND anomalies @> ARRAY[{self._parameter(anomaly.value)}::text])"
        if anomaly is AnomalyCode.UNKNOWN_PROCEDURE:
            # `resolved` names them instead, which reads far less
            return f"NOT procedure = ANY({self._parameter(any_of(access.catalogue.procedures))}::text[])"
        return self._unknown_agency(access)

    def _any_anomaly(self, access: Access) -> str:
        unknown = (self._anomaly(kind, access) for kind in (AnomalyCode.UNKNOWN_PROCEDURE, AnomalyCode.UNKNOWN_AGENCY))
        return f"(anomalies <> '{{}}' OR {' OR '.join(f'coalesce({text}, false)' for text in unknown)})"

    def _unknown_agency(self, access: Access) -> str:
        """Whether an agency is known depends on the day of reception, where it is not valid for ever."""
        catalogue = access.catalogue
        spans: list[tuple[str, date | None, date | None]] = []
        for code in catalogue.seen:
            resolved = catalogue.agencies.resolve(code)
            if resolved == catalogue.agencies.root:
                spans.append((code, None, None))
            spans.extend((code, v.valid_from, v.valid_to) for v in catalogue.agencies.versions if v.code == resolved)
        always = {code for code, valid_from, valid_to in spans if valid_from is None and valid_to is None}
        columns = [list(column) for column in zip(*spans, strict=True)] or [[], [], []]
        sometimes = self._parameter(any_of(catalogue.seen - always))
        codes, begins, ends = (self._parameter(column) for column in columns)
        return (
            f"(agency = ANY({sometimes}::text[]) AND NOT EXISTS ("
            f"SELECT 1 FROM unnest({codes}::text[], {begins}::date[], {ends}::date[]) AS known(code, valid_from, valid_to)"
            " WHERE known.code = dossier.agency"
            " AND (known.valid_from IS NULL OR known.valid_from <= coalesce(received_on, $2::date))"
            " AND (known.valid_to IS NULL OR known.valid_to >= coalesce(received_on, $2::date))))"
        )
