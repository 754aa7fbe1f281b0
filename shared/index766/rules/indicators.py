"""The national index set: Decision 766/QĐ-TTg of 23 June 2022, 100 points (rules, section 8).

`RULES` is the set as data: what an indicator is worth, where it scores in full, what an empty denominator means, and from
when its formula is valid. `measured` makes the figures that dossiers feed, `points` the score of any. All of it is exact: a
share is a fraction until it is written.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import MINYEAR, date
from enum import StrEnum
from fractions import Fraction
from math import ceil
from typing import Final, assert_never

from shared.counting.rules.period_sums import percent
from shared.vocabulary.local_time import ONE_DAY
from shared.vocabulary.periods import Period


class Group(StrEnum):
    """The six groups of the set."""

    TRANSPARENCY = "transparency"
    PROGRESS = "progress"
    ONLINE_SERVICES = "online_services"
    ONLINE_PAYMENT = "online_payment"
    DIGITISATION = "digitisation"
    SATISFACTION = "satisfaction"


class Empty(StrEnum):
    """What a zero denominator scores."""

    NOTHING = "nothing"
    """There is nothing to score."""
    ZERO = "zero"
    FULL = "full"


class FigureSource(StrEnum):
    """Where the figure comes from."""

    DOSSIERS = "dossiers"
    GIVEN = "given"
    REGISTERS = "registers"
    """From a register where it has data, else as given."""
    EITHER = "either"
    """From the dossiers, unless someone gives the whole figure."""


@dataclass(frozen=True, slots=True)
class IndicatorVersion:
    """One indicator as valid from a date. ``max_points`` None: its part of the points that its group shares.

    ``full_at``: the percentage from which it scores in full; None: it scores nothing and is shown.
    """

    id: str
    group: Group
    name: str
    max_points: int | None
    full_at: int | None
    feed: FigureSource
    empty: Empty = Empty.NOTHING
    version: int = 1
    valid_from: date = date(2022, 6, 23)

    @property
    def formula(self) -> str:
        """Id and version of the formula."""
        return f"766.{self.id}/{self.version}"


RULES: Final = (
    IndicatorVersion("1.1", Group.TRANSPARENCY, "TTHC được công bố đúng hạn", 6, 100, FigureSource.REGISTERS),
    IndicatorVersion("1.2", Group.TRANSPARENCY, "TTHC được cập nhật, công khai đúng hạn", 4, 100, FigureSource.REGISTERS),
    IndicatorVersion("1.3", Group.TRANSPARENCY, "TTHC được công khai đầy đủ nội dung", 2, 100, FigureSource.REGISTERS),
    IndicatorVersion("1.4", Group.TRANSPARENCY, "Tỷ lệ đồng bộ hồ sơ", 6, 100, FigureSource.DOSSIERS, Empty.ZERO),
    IndicatorVersion("2.1", Group.PROGRESS, "Hồ sơ giải quyết đúng hạn, trong hạn", 20, 100, FigureSource.DOSSIERS),
    IndicatorVersion("2.2", Group.PROGRESS, "Thời gian giải quyết trung bình", 0, None, FigureSource.DOSSIERS),
    IndicatorVersion(
        "3.1", Group.ONLINE_SERVICES, "TTHC cung cấp dịch vụ công trực tuyến", None, 100, FigureSource.REGISTERS
    ),
    IndicatorVersion(
        "3.2", Group.ONLINE_SERVICES, "Dịch vụ công trực tuyến phát sinh hồ sơ", None, 100, FigureSource.REGISTERS
    ),
    IndicatorVersion("3.3", Group.ONLINE_SERVICES, "Hồ sơ nộp trực tuyến", None, 50, FigureSource.DOSSIERS),
    IndicatorVersion("3.5", Group.ONLINE_PAYMENT, "TTHC có phí được tích hợp thanh toán", 2, 80, FigureSource.DOSSIERS),
    IndicatorVersion("3.5b", Group.ONLINE_PAYMENT, "TTHC có giao dịch thanh toán trực tuyến", 2, 80, FigureSource.DOSSIERS),
    IndicatorVersion("3.6", Group.ONLINE_PAYMENT, "Hồ sơ thanh toán trực tuyến", 6, 100, FigureSource.DOSSIERS),
    IndicatorVersion("4.1", Group.DIGITISATION, "Hồ sơ có kết quả điện tử", 6, 100, FigureSource.DOSSIERS),
    IndicatorVersion("4.2", Group.DIGITISATION, "Hồ sơ được số hóa", 4, 80, FigureSource.DOSSIERS),
    IndicatorVersion("4.3", Group.DIGITISATION, "Hồ sơ có thành phần được tái sử dụng", 2, 80, FigureSource.DOSSIERS),
    IndicatorVersion("4.4", Group.DIGITISATION, "Hồ sơ lấy từ kho dữ liệu quốc gia", 4, 100, FigureSource.DOSSIERS),
    IndicatorVersion("4.5a", Group.DIGITISATION, "TTHC có hồ sơ dùng tài khoản VNeID", 2, 100, FigureSource.DOSSIERS),
    IndicatorVersion("4.5b", Group.DIGITISATION, "Hồ sơ dùng tài khoản VNeID", 2, 100, FigureSource.DOSSIERS),
    IndicatorVersion("4.6", Group.DIGITISATION, "Cấp xã cung cấp chứng thực bản sao điện tử", 2, 100, FigureSource.GIVEN),
    IndicatorVersion("5.1a", Group.SATISFACTION, "PAKN về quy định hành chính", 0, None, FigureSource.REGISTERS),
    IndicatorVersion("5.1b", Group.SATISFACTION, "PAKN về hành vi hành chính", 0, None, FigureSource.REGISTERS),
    IndicatorVersion("5.2", Group.SATISFACTION, "PAKN được xử lý đúng hạn", 6, 100, FigureSource.REGISTERS, Empty.FULL),
    IndicatorVersion("5.3", Group.SATISFACTION, "Hài lòng trong xử lý PAKN", 6, 100, FigureSource.REGISTERS, Empty.FULL),
    IndicatorVersion("5.4", Group.SATISFACTION, "Hài lòng trong giải quyết TTHC", 6, 90, FigureSource.EITHER, Empty.ZERO),
)
"""Every version of every indicator, in the order of the set, an indicator's versions by date."""

SHARED_POINTS: Final = {Group.ONLINE_SERVICES: 12}
"""Points of a group that its indicators without points of their own share: how is a setting, the sources do not say."""

NATIONAL_RECEIVED: Final = "1.4"
"""The indicator of which someone gives the denominator alone: received by the national report."""

GIVEN_INDICATORS: Final = tuple(
    dict.fromkeys(rule.id for rule in RULES if rule.feed is not FigureSource.DOSSIERS or rule.id == NATIONAL_RECEIVED)
)
"""The indicators whose inputs are accepted as data, in the order of the set."""


def rules_on(on: date) -> tuple[IndicatorVersion, ...]:
    """The version of each indicator that is valid on a date; before the first one, the first."""
    valid: dict[str, IndicatorVersion] = {}
    for rule in RULES:
        if rule.id not in valid or rule.valid_from <= on:
            valid[rule.id] = rule
    return tuple(valid.values())


def formula_on(indicator: str, on: date) -> str:
    """Id and version of an indicator's formula as valid on a date."""
    return next(rule.formula for rule in rules_on(on) if rule.id == indicator)


def online_points(text: str) -> dict[str, int]:
    """``a,b,c`` as the points of 3.1, 3.2 and 3.3.

    Raises:
        ValueError: they are not three whole numbers that make up the points of the group.
    """
    parts = [int(part) for part in text.split(",")]
    ids = [rule.id for rule in rules_on(date.max) if rule.max_points is None]
    if len(parts) != len(ids) or min(parts) < 0 or sum(parts) != SHARED_POINTS[Group.ONLINE_SERVICES]:
        raise ValueError("three whole numbers that add up to 12: the points of 3.1, 3.2 and 3.3")
    return dict(zip(ids, parts, strict=True))


@dataclass(frozen=True, slots=True)
class Share:
    """What an indicator divides; ``factor`` multiplies it (3.3: the sync rate)."""

    numerator: int
    denominator: int
    factor: Fraction = Fraction(1)

    @property
    def value(self) -> Fraction | None:
        """The share, between 0 and 1; None: nothing to divide by."""
        return None if self.denominator == 0 else Fraction(self.numerator, self.denominator) * self.factor

    @property
    def percent(self) -> str | None:
        """The share in percent, 2 decimals, half up."""
        value = self.value
        return None if value is None else percent(value.numerator, value.denominator)


def points(rule: IndicatorVersion, share: Share, max_points: int) -> Fraction | None:
    """What a share scores; None: an empty denominator that scores nothing, or an indicator without points."""
    if rule.full_at is None or max_points == 0:
        return None
    value = share.value
    if value is None:
        match rule.empty:
            case Empty.NOTHING:
                return None
            case Empty.ZERO:
                return Fraction(0)
            case Empty.FULL:
                return Fraction(max_points)
            case _:
                assert_never(rule.empty)
    return min(value * 100 / rule.full_at, Fraction(1)) * max_points


def two_decimals(value: Fraction) -> str:
    """A number that is not negative, with 2 decimals, half up on exact integers."""
    written = percent(value.numerator, value.denominator * 100)
    assert written is not None
    return written


class FigureOrigin(StrEnum):
    """Where a figure comes from, or that there is none."""

    COMPUTED = "computed"
    GIVEN = "given"
    NO_DATA = "no_data"


@dataclass(frozen=True, slots=True)
class Scored:
    """One indicator of an answer. ``points`` None: not scored."""

    rule: IndicatorVersion
    max_points: int
    standing: FigureOrigin
    share: Share | None
    points: Fraction | None


def scored(
    on: date, online: Mapping[str, int], computed: Mapping[str, Share | None], given: Mapping[str, Share]
) -> list[Scored]:
    """The set as valid on a date, with the ``online`` points and the figures that there are.

    ``computed`` has an indicator that registers feed only where they have data; None: the calendar does not say.
    """
    answer: list[Scored] = []
    for rule in rules_on(on):
        share = computed.get(rule.id) if rule.feed is not FigureSource.GIVEN else None
        has_data = rule.feed in {FigureSource.DOSSIERS, FigureSource.EITHER} or (
            rule.feed is FigureSource.REGISTERS and rule.id in computed
        )
        standing = FigureOrigin.COMPUTED if has_data else FigureOrigin.NO_DATA
        may_give = rule.feed in {FigureSource.GIVEN, FigureSource.EITHER} or not has_data
        if may_give and rule.id in given:
            share, standing = given[rule.id], FigureOrigin.GIVEN
        most = online[rule.id] if rule.max_points is None else rule.max_points
        answer.append(Scored(rule, most, standing, share, None if share is None else points(rule, share, most)))
    return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class IndicatorCounts:
    """Counts of the dossiers of one procedure; all but the last three of those received in the period."""

    received: int = 0
    online: int = 0
    synced: int = 0
    linked: int = 0
    """With a link to a result."""
    online_linked: int = 0
    digitised: int = 0
    digitised_linked: int = 0
    reused: int = 0
    from_store: int = 0
    verified: int = 0
    charged: int = 0
    """A fee above 0 was asked for."""
    uncharged: int = 0
    """Every fee is 0."""
    paid_online: int = 0
    paid_online_charged: int = 0
    """Paid online, less those whose every fee is 0."""
    in_hand: int = 0
    """Received by the end of the period and not handled before it: ended in it, or open."""
    late: int = 0
    late_or_disliked: int = 0

    def __add__(self, other: "IndicatorCounts") -> "IndicatorCounts":
        return IndicatorCounts(**{name: getattr(self, name) + getattr(other, name) for name in COUNT_NAMES})


COUNT_NAMES: Final = tuple(field.name for field in fields(IndicatorCounts))


@dataclass(frozen=True, slots=True)
class ProcedureFacts:
    """What the catalogue says of a procedure."""

    has_fee: bool = False
    result_is_document: bool = False


def measured(
    tallies: Mapping[str | None, IndicatorCounts], traits: Mapping[str, ProcedureFacts], sync_denominator: int | None = None
) -> dict[str, Share]:
    """The indicators that dossiers feed, but 2.2.

    ``tallies`` by procedure, None: dossiers without one. ``traits``: the catalogue of the scope. ``sync_denominator``: where
    it is not what was received itself.
    """
    whole = _sum(tallies.values())
    known = {code: traits.get(code or "", ProcedureFacts()) for code in tallies}
    fees = {code: tally for code, tally in tallies.items() if known[code].has_fee}
    fee = _sum(fees.values())
    document = _sum(tally for code, tally in tallies.items() if known[code].result_is_document)
    present = [tally for code, tally in tallies.items() if tally.received and code is not None]
    sync = Share(whole.synced, whole.received if sync_denominator is None else sync_denominator)
    return {
        "1.4": sync,
        "2.1": Share(whole.in_hand - whole.late, whole.in_hand),
        "3.3": Share(whole.online - document.online + document.online_linked, whole.received, sync.value or Fraction(0)),
        "3.5": Share(sum(tally.charged > 0 for tally in fees.values()), sum(one.has_fee for one in traits.values())),
        "3.5b": Share(
            sum(tally.paid_online > 0 for tally in fees.values()), sum(tally.received > 0 for tally in fees.values())
        ),
        "3.6": Share(fee.paid_online_charged, fee.received - fee.uncharged),
        "4.1": Share(document.linked, document.received),
        "4.2": Share(whole.digitised - document.digitised + document.digitised_linked, whole.received),
        "4.3": Share(whole.reused, whole.received),
        "4.4": Share(whole.from_store, whole.received),
        "4.5a": Share(sum(tally.verified > 0 for tally in present), len(present)),
        "4.5b": Share(whole.verified, whole.received),
        "5.4": Share(whole.in_hand - whole.late_or_disliked, whole.in_hand),
    }


def sync_denominator(own: int, national: int | None, last_year: int, period: Period) -> int:
    """The denominator of 1.4: the larger of two counts; both 0: last year's total, by the part of a year that this is.

    12, 4 or 1 of whole months; of other periods by days. Rounded up: the share is 0 whatever it is.
    """
    larger = max(own, national or 0)
    return larger or ceil(last_year * _part_of_year(period))


def year_before(period: Period) -> Period:
    year = max(period.from_on.year - 1, MINYEAR)
    return Period(date(year, 1, 1), date(year, 12, 31))


def _part_of_year(period: Period) -> Fraction:
    first, after = period.from_on, period.to_on + ONE_DAY
    if first.day == 1 and after.day == 1:
        return Fraction((after.year - first.year) * 12 + after.month - first.month, 12)
    return Fraction(period.days, year_before(period).days)


def _sum(tallies: Iterable[IndicatorCounts]) -> IndicatorCounts:
    return sum(tallies, IndicatorCounts())
