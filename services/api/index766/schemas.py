"""The national index at the edge (contract, section 4): built as plain JSON, described by the models here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from services.api.figures.schemas import (
    AsOfOut,
    PeriodOut,
    ScopeOut,
    head_answer,
    link_answer,
    scope_answer,
    stamp_answer,
)
from shared.figures.rules.filters import DossierFilters
from shared.figures.store.tables import FigureScope
from shared.index766.rules.indicators import (
    NATIONAL_RECEIVED,
    FigureOrigin,
    Group,
    Scored,
    Share,
    scored,
    two_decimals,
)
from shared.index766.store.counts import Reading
from shared.index766.store.lists import MEANS, NO_UNIT, PARTS, OfProcedure, Part, PartOf
from shared.index766.store.mean_times import MeanTime
from shared.index766.store.register_shares import DOSSIERS, REGISTER_SHARES

_NAMES: Final[Mapping[Group, str]] = {
    Group.TRANSPARENCY: "Công khai, minh bạch",
    Group.PROGRESS: "Tiến độ giải quyết",
    Group.ONLINE_SERVICES: "Cung cấp dịch vụ trực tuyến",
    Group.ONLINE_PAYMENT: "Thanh toán trực tuyến",
    Group.DIGITISATION: "Số hóa hồ sơ",
    Group.SATISFACTION: "Mức độ hài lòng",
}
_DOSSIER_PART: Final = (
    "The part that dossiers feed (phần từ hồ sơ): late or rated as not satisfied; complaints are not in it."
)

INDEX_DOSSIERS: Final = "/v1/indices/766/dossiers"
_LIST_EXAMPLE: Final = "/v1/indices/766/dossiers?from=2026-01-01&to=2026-03-31&tree_on=2026-03-31"
_ON_TIME_EXAMPLE: Final[dict[str, Any]] = {
    "id": "2.1",
    "name": "Hồ sơ giải quyết đúng hạn, trong hạn",
    "group": "progress",
    "standing": "computed",
    "computed_from": ["dossiers"],
    "value": "86.87",
    "numerator": 86,
    "denominator": 99,
    "points": "17.37",
    "max": 20,
    "full_at": 100,
    "formula": "766.2.1/1",
    "valid_from": "2022-06-23",
    "source": None,
    "source_on": None,
    "by_unit": None,
    "note": None,
    "numerator_dossiers": f"{_LIST_EXAMPLE}&indicator=2.1&part=numerator",
    "denominator_dossiers": f"{_LIST_EXAMPLE}&indicator=2.1&part=denominator",
    "numerator_procedures": None,
    "denominator_procedures": None,
    "numerator_records": None,
    "denominator_records": None,
}


class MeanTimeOut(BaseModel):
    """The mean time of the procedures that have one unit."""

    unit: str | None = Field(description="Unit of the procedure's limit; null: calendar days of procedures without one.")
    value: str | None = Field(description="The mean in the unit (thời gian trung bình), 2 decimals; null: nothing computed.")
    dossiers: int = Field(description="Dossiers it is over.")
    uncomputed: int = Field(description="Dossiers left out, because a year of the calendar is not confirmed.")
    mean_dossiers: str = Field(description="The list of those it is over.")
    uncomputed_dossiers: str = Field(description="The list of those left out.")


class IndicatorOut(BaseModel):
    """One indicator (chỉ số)."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ON_TIME_EXAMPLE]})

    id: str
    name: str = Field(description="Its name, in Vietnamese.")
    group: Group = Field(description="The group it belongs to (nhóm chỉ số).")
    standing: FigureOrigin = Field(description="computed (tự tính), given (số liệu cung cấp) or no_data (chưa có số liệu).")
    computed_from: list[str] = Field(
        description="What it is computed from: dossiers, and registers by name; empty: it is given, or there is no data."
    )
    value: str | None = Field(description="Percent, 2 decimals, rounded half up; null: nothing to divide by, or no data.")
    numerator: int | None
    denominator: int | None
    points: str | None = Field(description="Points (điểm), 2 decimals, from the exact share; null: not scored.")
    max: int = Field(description="Most points (điểm tối đa); 0: shown only.")
    full_at: int | None = Field(description="The percentage from which it scores in full (ngưỡng điểm tối đa).")
    formula: str = Field(description="Id and version of the formula.")
    valid_from: date = Field(description="Since when the formula is valid; before it, it is applied all the same.")
    source: str | None = Field(description="The paper of a given figure (nguồn).")
    source_on: date | None = Field(description="The date of that paper.")
    by_unit: list[MeanTimeOut] | None = Field(description="Only 2.2: the means by unit.")
    note: str | None = Field(description="What else to know of it.")
    numerator_dossiers: str | None = Field(
        description="The list of dossiers behind the numerator, or that make its procedures count; null: it is not of"
        " dossiers (given figures, and what the national report counted)."
    )
    denominator_dossiers: str | None = Field(description="The same of the denominator.")
    numerator_procedures: str | None = Field(description="The list of procedures, where the numerator counts such.")
    denominator_procedures: str | None = Field(description="The same of the denominator.")
    numerator_records: str | None = Field(description="The list behind the numerator, where a register's figures feed it.")
    denominator_records: str | None = Field(description="The same of the denominator.")


class GroupOut(BaseModel):
    """One group, or the whole set."""

    key: str
    name: str
    points: str = Field(description="Sum of the points of its scored indicators, from the exact shares.")
    max: int = Field(description="Most points.")
    scored_max: int = Field(description="Most points of the indicators that are scored here: there is data for them.")


class IndexOut(BaseModel):
    """The index set (bộ chỉ số) of a period and a scope."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "set": "766/QĐ-TTg",
                    "period": {"from": "2026-01-01", "to": "2026-03-31"},
                    "scope": scope_answer("H51", DossierFilters(), date(2026, 3, 31)),
                    "indicators": [_ON_TIME_EXAMPLE],
                    "groups": [
                        {"key": "progress", "name": "Tiến độ giải quyết", "points": "17.37", "max": 20, "scored_max": 20}
                    ],
                    "total": {"key": "total", "name": "Tổng điểm", "points": "17.37", "max": 100, "scored_max": 20},
                    "as_of": {"position": 412, "recorded_at": "2026-03-31T09:00:00Z", "lag_seconds": 0.0},
                }
            ]
        }
    )

    set: str = Field(description="The decision that it is of.")
    period: PeriodOut
    scope: ScopeOut
    indicators: list[IndicatorOut]
    groups: list[GroupOut]
    total: GroupOut
    as_of: AsOfOut


class IndexProcedure(BaseModel):
    """A procedure that an indicator counts."""

    procedure: str
    name: str | None
    dossiers: int = Field(description="The dossiers that make it count; 0 of one that counts as it stands in the catalogue.")
    list: str = Field(description="The list of these dossiers.")


class IndexProcedures(BaseModel):
    """The procedures behind a numerator or denominator."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "items": [
                        {
                            "procedure": "1.001193",
                            "name": "Đăng ký khai sinh",
                            "dossiers": 12,
                            "list": f"{_LIST_EXAMPLE}&procedure=1.001193&indicator=3.5b&part=numerator",
                        }
                    ]
                }
            ]
        }
    )

    items: list[IndexProcedure]


def index_answer(scope: FigureScope, reading: Reading, online: Mapping[str, int]) -> dict[str, Any]:
    """The answer of ``indices/766``."""
    shares = {
        one.indicator: Share(one.numerator, one.denominator) for one in reading.given.values() if one.numerator is not None
    }
    indicators = scored(scope.period.to_on, online, reading.shares, shares)
    return {
        "set": "766/QĐ-TTg",
        **head_answer(scope),
        "indicators": [_indicator(one, reading, scope) for one in indicators],
        "groups": [
            _sum(group.value, _NAMES[group], [one for one in indicators if one.rule.group is group]) for group in Group
        ],
        "total": _sum("total", "Tổng điểm", indicators),
        "as_of": stamp_answer(reading.stamp),
    }


def _indicator(one: Scored, reading: Reading, scope: FigureScope) -> dict[str, Any]:
    rule, share = one.rule, one.share
    given = reading.given.get(rule.id)
    computed = one.standing is FigureOrigin.COMPUTED
    sources = reading.sources.get(rule.id, (DOSSIERS,))
    of_register = REGISTER_SHARES.get(rule.id) if computed and sources != (DOSSIERS,) else None
    if of_register is not None and of_register.of_procedures:
        of_register = None  # the list is of procedures
    return {
        "id": rule.id,
        "name": rule.name,
        "group": rule.group,
        "standing": one.standing,
        "computed_from": list(sources) if computed else [],
        "value": None if share is None else share.percent,
        "numerator": None if share is None else share.numerator,
        "denominator": None if share is None else share.denominator,
        "points": None if one.points is None else two_decimals(one.points),
        "max": one.max_points,
        "full_at": rule.full_at,
        "formula": rule.formula,
        "valid_from": rule.valid_from,
        "source": None if given is None else given.source,
        "source_on": None if given is None else given.source_on,
        "by_unit": [_mean(mean, scope) for mean in reading.means] if rule.id == MEANS else None,
        "note": _DOSSIER_PART if rule.id == "5.4" and computed and sources == (DOSSIERS,) else _factor_note(share),
        **{
            f"{part}_{what}": link if computed else None
            for part in (Part.NUMERATOR, Part.DENOMINATOR)
            for what, link in _links(rule.id, part, share, reading, scope).items()
        },
        **{
            f"{part}_records": of_register and link_answer(scope, of_register.path, figure=getattr(of_register, part))
            for part in (Part.NUMERATOR, Part.DENOMINATOR)
        },
    }


def _links(indicator: str, part: Part, share: Share | None, reading: Reading, scope: FigureScope) -> dict[str, str | None]:
    """The lists behind a numerator or denominator."""
    behind = PARTS.get((indicator, part))
    # the denominator of 1.4 may be a count of the national report, or of last year
    is_foreign = indicator == NATIONAL_RECEIVED and part is Part.DENOMINATOR
    if behind is None or (is_foreign and (share is None or share.denominator != reading.own_received)):
        return {"dossiers": None, "procedures": None}
    procedures = link_answer(scope, "/v1/indices/766/procedures", indicator=indicator, part=part.value)
    return {
        "dossiers": link_answer(scope, INDEX_DOSSIERS, indicator=indicator, part=part.value),
        "procedures": procedures if behind.of_procedures else None,
    }


def _factor_note(share: Share | None) -> str | None:
    if share is None or share.factor == 1:
        return None
    return "numerator / denominator, times the sync rate 1.4 (nhân với tỷ lệ đồng bộ)"


def _mean(mean: MeanTime, scope: FigureScope) -> dict[str, Any]:
    value = mean.mean

    def link(part: Part) -> str:
        return link_answer(scope, INDEX_DOSSIERS, indicator=MEANS, part=part.value, unit=mean.unit or NO_UNIT)

    return {
        "unit": mean.unit,
        "value": None if value is None else two_decimals(value),
        "dossiers": mean.dossiers,
        "uncomputed": mean.uncomputed,
        "mean_dossiers": link(Part.MEAN),
        "uncomputed_dossiers": link(Part.UNCOMPUTED),
    }


def _sum(key: str, name: str, indicators: Sequence[Scored]) -> dict[str, Any]:
    """Points are added as fractions and rounded once."""
    has_points = [one for one in indicators if one.points is not None]
    return {
        "key": key,
        "name": name,
        "points": two_decimals(sum((one.points or Fraction(0) for one in has_points), Fraction(0))),
        "max": sum(one.max_points for one in indicators),
        "scored_max": sum(one.max_points for one in has_points),
    }


def procedures_answer(scope: FigureScope, asked: PartOf, found: Iterable[OfProcedure]) -> dict[str, Any]:
    """The answer of ``indices/766/procedures``."""
    return {
        "items": [
            {
                "procedure": one.code,
                "name": one.name,
                "dossiers": one.dossiers,
                "list": link_answer(
                    replace(scope, procedure=one.code), INDEX_DOSSIERS, indicator=asked.indicator, part=asked.part.value
                ),
            }
            for one in found
        ]
    }
