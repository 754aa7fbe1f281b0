"""Every figure of a period, one row each (rules, section 6; form II.06 of Circular 01/2020/TT-VPCP), and the four rates.

All else follows from the rows of `FIGURES` and `RATES`: what is summed and how (`shared.counting.rules.period_sums`,
`shared.counting.store.statement`), the dossiers behind a figure (`shared.counting.rules.places`,
`shared.search.store.filters`), answers and their descriptions (`services.api.figures.schemas`), the columns of form II.06
(`shared.reports.rules.form_ii06`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from shared.counting.rules.contributions import Contributions, Measure, Resolution, Span, covers
from shared.dossiers.rules.lifecycle import EndKind
from shared.vocabulary.events import Channel
from shared.vocabulary.periods import Period


class Figure(StrEnum):
    """The path of each figure in an answer, as ``figure=`` names it (contract, section 4)."""

    RECEIVED = "received.total"
    RECEIVED_NEW = "received.new.total"
    RECEIVED_ONLINE = "received.new.online"
    RECEIVED_DIRECT = "received.new.direct"
    RECEIVED_POSTAL = "received.new.postal"
    CARRIED_OVER = "received.carried_over"
    RESOLVED = "resolved.total"
    RESOLVED_EARLY = "resolved.early"
    RESOLVED_ON_TIME = "resolved.on_time"
    RESOLVED_LATE = "resolved.late"
    WITHDRAWN = "resolved.withdrawn"
    STOPPED = "resolved.stopped"
    OPEN = "open.total"
    WITHIN = "open.within"
    OVERDUE = "open.overdue"
    PAUSED = "open.paused"


@dataclass(frozen=True, slots=True)
class Predicate:
    """Whether a figure of a period [begin, end] counts a dossier: said of its row in SQL, and of what it contributes.

    ``sql`` names columns of ``dossier`` only, ``{begin}`` and ``{end}``; ``holds`` is given the dossier's channel too.
    """

    sql: str
    holds: Callable[[Contributions, str | None, Period], bool]

    def __and__(self, other: "Predicate") -> "Predicate":
        first, second = self.holds, other.holds
        return Predicate(
            f"{self.sql} AND {other.sql}",
            lambda one, channel, period: first(one, channel, period) and second(one, channel, period),
        )


@dataclass(frozen=True, slots=True)
class Flow:
    """The sum of the counts of a measure dated in the period, of one channel or of all."""

    measure: Measure
    channel: Channel | None = None


@dataclass(frozen=True, slots=True)
class Stock:
    """The sum of the counts of a measure dated on the last day of the period or before."""

    measure: Measure


@dataclass(frozen=True, slots=True)
class Opening:
    """A figure of stocks on the day before the period."""

    of: Figure


@dataclass(frozen=True, slots=True)
class Total:
    """The sum of figures, no dossier of which is in two of them."""

    parts: tuple[Figure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What a figure is.

    ``within``: of which figure it is a part that no total adds up. ``column``: the column of form II.06 that it is, or that
    adds it up with others; ``beside``: the column beside which it stands.
    """

    vietnamese: str
    english: str
    counted: Flow | Stock | Opening | Total
    predicate: Predicate
    within: Figure | None = None
    column: int | None = None
    beside: int | None = None


def _of_channel(wanted: Channel) -> Predicate:
    return _NEW & Predicate(f"channel = '{wanted}'", lambda _, channel, __: channel == wanted)


def _resolved(wanted: Resolution) -> Predicate:
    return _RESOLVED & Predicate(f"resolution = '{wanted}'", lambda one, _, __: one.resolution is wanted)


def _ended(wanted: EndKind) -> Predicate:
    return _RESOLVED & Predicate(f"end_kind = '{wanted}'", lambda one, _, __: one.end_kind is wanted)


def _standing(measure: Measure, spans: Callable[[Contributions], Iterable[Span]]) -> Predicate:
    return Predicate(f"{measure}_days @> {{end}}::date", lambda one, _, period: covers(spans(one), period.to_on))


def _is_in(on: date | None, period: Period) -> bool:
    return on is not None and on in period


_NEW: Final = Predicate(
    "received_on BETWEEN {begin}::date AND {end}::date", lambda one, _, period: one.received_on in period
)
_RECEIVED: Final = Predicate("received_on <= {end}::date", lambda one, _, period: one.received_on <= period.to_on)
_BEFORE: Final = Predicate("received_on < {begin}::date", lambda one, _, period: one.received_on < period.from_on)
_RESOLVED: Final = Predicate(
    "ended_on BETWEEN {begin}::date AND {end}::date", lambda one, _, period: _is_in(one.ended_on, period)
)
_OPEN_AT_BEGIN: Final = Predicate(
    "(ended_on IS NULL OR ended_on >= {begin}::date)",
    lambda one, _, period: one.ended_on is None or one.ended_on >= period.from_on,
)
_OPEN_AT_END: Final = Predicate(
    "(ended_on IS NULL OR ended_on > {end}::date)",
    lambda one, _, period: one.ended_on is None or one.ended_on > period.to_on,
)

FIGURES: Final[Mapping[Figure, Definition]] = {
    Figure.RECEIVED: Definition(
        vietnamese="tiếp nhận",
        english="received",
        counted=Total((Figure.RECEIVED_NEW, Figure.CARRIED_OVER)),
        predicate=_RECEIVED & _OPEN_AT_BEGIN,
        column=3,
    ),
    Figure.RECEIVED_NEW: Definition(
        vietnamese="tiếp nhận mới",
        english="received in the period",
        counted=Total((Figure.RECEIVED_ONLINE, Figure.RECEIVED_DIRECT, Figure.RECEIVED_POSTAL)),
        predicate=_NEW,
    ),
    Figure.RECEIVED_ONLINE: Definition(
        vietnamese="trực tuyến",
        english="online",
        counted=Flow(Measure.RECEIVED, Channel.ONLINE),
        predicate=_of_channel(Channel.ONLINE),
        column=4,
    ),
    Figure.RECEIVED_DIRECT: Definition(
        vietnamese="trực tiếp",
        english="at the desk",
        counted=Flow(Measure.RECEIVED, Channel.DIRECT),
        predicate=_of_channel(Channel.DIRECT),
        column=5,
        beside=5,
    ),
    Figure.RECEIVED_POSTAL: Definition(
        vietnamese="bưu chính công ích",
        english="by public post",
        counted=Flow(Measure.RECEIVED, Channel.POSTAL),
        predicate=_of_channel(Channel.POSTAL),
        column=5,
        beside=5,
    ),
    Figure.CARRIED_OVER: Definition(
        vietnamese="từ kỳ trước chuyển qua",
        english="carried over",
        counted=Opening(Figure.OPEN),
        predicate=_BEFORE & _OPEN_AT_BEGIN,
        column=6,
    ),
    Figure.RESOLVED: Definition(
        vietnamese="đã giải quyết",
        english="resolved",
        counted=Total((Figure.RESOLVED_EARLY, Figure.RESOLVED_ON_TIME, Figure.RESOLVED_LATE)),
        predicate=_RESOLVED,
        column=7,
    ),
    Figure.RESOLVED_EARLY: Definition(
        vietnamese="trước hạn",
        english="early",
        counted=Flow(Measure.RESOLVED_EARLY),
        predicate=_resolved(Resolution.EARLY),
        column=8,
    ),
    Figure.RESOLVED_ON_TIME: Definition(
        vietnamese="đúng hạn",
        english="on time",
        counted=Flow(Measure.RESOLVED_ON_TIME),
        predicate=_resolved(Resolution.ON_TIME),
        column=9,
    ),
    Figure.RESOLVED_LATE: Definition(
        vietnamese="quá hạn",
        english="late",
        counted=Flow(Measure.RESOLVED_LATE),
        predicate=_resolved(Resolution.LATE),
        column=10,
    ),
    Figure.WITHDRAWN: Definition(
        vietnamese="công dân rút",
        english="withdrawn",
        counted=Flow(Measure.WITHDRAWN),
        predicate=_ended(EndKind.WITHDRAWN),
        within=Figure.RESOLVED,
        beside=7,
    ),
    Figure.STOPPED: Definition(
        vietnamese="dừng xử lý",
        english="stopped",
        counted=Flow(Measure.STOPPED),
        predicate=_ended(EndKind.STOPPED),
        within=Figure.RESOLVED,
        beside=7,
    ),
    Figure.OPEN: Definition(
        vietnamese="đang giải quyết",
        english="open",
        counted=Total((Figure.WITHIN, Figure.OVERDUE)),
        predicate=_RECEIVED & _OPEN_AT_END,
        column=11,
    ),
    Figure.WITHIN: Definition(
        vietnamese="trong hạn",
        english="within their time",
        counted=Stock(Measure.WITHIN),
        predicate=_standing(Measure.WITHIN, lambda one: one.within),
        column=12,
    ),
    Figure.OVERDUE: Definition(
        vietnamese="quá hạn",
        english="overdue",
        counted=Stock(Measure.OVERDUE),
        predicate=_standing(Measure.OVERDUE, lambda one: one.overdue),
        column=13,
    ),
    Figure.PAUSED: Definition(
        vietnamese="chờ bổ sung",
        english="waiting for the applicant",
        counted=Stock(Measure.PAUSED),
        predicate=_standing(Measure.PAUSED, lambda one: one.paused),
        within=Figure.WITHIN,
        beside=11,
    ),
}
"""Every figure (a test proves it total)."""


class RateKey(StrEnum):
    """The four rates of rules, section 7; there is no "the" on-time rate."""

    RESOLVED_ON_TIME = "resolved_on_time"
    INDEX_ON_TIME = "index_on_time"
    ON_TIME_OF_RECEIVED = "on_time_of_received"
    OPEN_WITHIN = "open_within"


@dataclass(frozen=True, slots=True)
class RateDefinition:
    """A rate of rules, section 7: its letter, its formula in columns of form II.06, and the figures that its parts add up.

    No dossier is in two figures of a part.
    """

    letter: str
    vietnamese: str
    formula: str
    numerator: tuple[Figure, ...]
    denominator: tuple[Figure, ...]


_IN_TIME: Final = (Figure.RESOLVED_EARLY, Figure.RESOLVED_ON_TIME)
RATES: Final[Mapping[RateKey, RateDefinition]] = {
    RateKey.RESOLVED_ON_TIME: RateDefinition(
        "A", "Tỷ lệ hồ sơ đã giải quyết không quá hạn", "(8+9)/(8+9+10)", _IN_TIME, (Figure.RESOLVED,)
    ),
    RateKey.INDEX_ON_TIME: RateDefinition(
        "B",
        "Tỷ lệ theo Bộ chỉ số 766",
        "(8+9+12)/(7+11)",
        (*_IN_TIME, Figure.WITHIN),
        (Figure.RESOLVED, Figure.OPEN),
    ),
    RateKey.ON_TIME_OF_RECEIVED: RateDefinition(
        "C", "Tỷ lệ giải quyết không quá hạn trên tiếp nhận", "(8+9)/3", _IN_TIME, (Figure.RECEIVED,)
    ),
    RateKey.OPEN_WITHIN: RateDefinition(
        "D", "Tỷ lệ hồ sơ đang giải quyết còn trong hạn", "12/11", (Figure.WITHIN,), (Figure.OPEN,)
    ),
}


class RatePart(StrEnum):
    """The path of each numerator and denominator of a rate in an answer: they are sums of figures, and opened like those."""

    RESOLVED_ON_TIME_NUMERATOR = "rates.resolved_on_time.numerator"
    RESOLVED_ON_TIME_DENOMINATOR = "rates.resolved_on_time.denominator"
    INDEX_ON_TIME_NUMERATOR = "rates.index_on_time.numerator"
    INDEX_ON_TIME_DENOMINATOR = "rates.index_on_time.denominator"
    ON_TIME_OF_RECEIVED_NUMERATOR = "rates.on_time_of_received.numerator"
    ON_TIME_OF_RECEIVED_DENOMINATOR = "rates.on_time_of_received.denominator"
    OPEN_WITHIN_NUMERATOR = "rates.open_within.numerator"
    OPEN_WITHIN_DENOMINATOR = "rates.open_within.denominator"


SUMMANDS: Final[Mapping[RatePart, tuple[Figure, ...]]] = {
    RatePart(f"rates.{key}.{part}"): figures
    for key, rate in RATES.items()
    for part, figures in (("numerator", rate.numerator), ("denominator", rate.denominator))
}
"""The figures that each part of a rate adds up."""

AnyFigure = Figure | RatePart
"""What has dossiers behind it."""


def figures_in(figure: AnyFigure) -> tuple[Figure, ...]:
    """The figures that a path adds up: itself, or the summands of a rate's part."""
    return SUMMANDS[figure] if isinstance(figure, RatePart) else (figure,)


SUMMED: Final = tuple(
    figure for kind in (Flow, Opening, Stock) for figure, one in FIGURES.items() if isinstance(one.counted, kind)
)
"""The figures that are no totals of others: flows, then openings, then stocks."""


def summed_in(figure: Figure) -> tuple[Figure, ...]:
    """The figures of `SUMMED` that a figure adds up."""
    counted = FIGURES[figure].counted
    return tuple(one for part in counted.parts for one in summed_in(part)) if isinstance(counted, Total) else (figure,)


def sum_name(figure: Figure) -> str:
    """The name of the sum of a figure of `SUMMED`."""
    match FIGURES[figure].counted:
        case Flow(measure, None) | Stock(measure):
            return measure.value
        case Flow(measure, channel):
            return f"{measure}_{channel}"
        case _:
            return figure.rpartition(".")[2]


def columns_in(figure: Figure) -> tuple[int, ...]:
    """The columns of form II.06 that a total adds up."""
    counted, columns = FIGURES[figure].counted, list[int]()
    for part in counted.parts if isinstance(counted, Total) else ():
        column = FIGURES[part].column
        columns += columns_in(part) if column is None else [column]
    return tuple(dict.fromkeys(columns))
