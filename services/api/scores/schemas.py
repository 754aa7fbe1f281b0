"""Scores at the edge: built as plain JSON, described by the models here."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from services.api.figures.schemas import AsOfOut, PeriodOut, ScopeOut, head_answer, stamp_answer
from shared.figures.store.agency_rows import AgencyRows
from shared.figures.store.tables import UNKNOWN
from shared.register_figures.rules.answered import Row
from shared.register_figures.store.tables import Question
from shared.scores.rules.tt01_2018 import (
    FORMULA,
    INCOMPLETE,
    IndexScore,
    agency_indices,
    eligible,
    graded,
    officer_indices,
)

_INDEX_EXAMPLE: Final = {"value": "1.7", "numerator": 5, "denominator": 3}
_ROW_EXAMPLE: Final[dict[str, Any]] = {
    "key": "H51.12",
    "name": "Sở Tài nguyên và Môi trường",
    "indices": {"1": _INDEX_EXAMPLE},
    "total": "1.7",
    "maximum": 2,
    "class": INCOMPLETE,
}
_EXAMPLE: Final[dict[str, Any]] = {
    "formula": FORMULA,
    "period": {"from": "2025-01-01", "to": "2025-03-31"},
    "scope": {"agency": "H51", "field": None, "procedure": None, "channel": None, "tree_on": "2025-03-31"},
    "rows": [_ROW_EXAMPLE],
    "as_of": {"position": 1204, "recorded_at": "2025-04-01T02:00:00Z", "lag_seconds": 0.0},
}


class IndexScoreOut(BaseModel):
    """One index (tiêu chí)."""

    value: str | None = Field(description="Mean points, 1 decimal, half up; null: missing, or not known.")
    numerator: int | None = Field(description="Points (điểm); null: a year is not confirmed in the calendar.")
    denominator: int = Field(description="Values that they are of; 0: it is missing, which is no zero.")


class ScoreRowOut(BaseModel):
    """An agency or officer."""

    key: str = Field(description="Code of the agency or officer, or `unknown`.")
    name: str | None
    indices: dict[str, IndexScoreOut] = Field(description="By the number of the index.")
    total: str = Field(description="The indices that have a value, added as rounded (tổng điểm).")
    maximum: int = Field(description="2 for each index that has a value.")
    class_: str = Field(
        alias="class",
        description="Agencies: excellent (xuất sắc), good (tốt), fair (khá), average (trung bình), weak (yếu). Officers: the"
        " part of the task that counts as done: 100, 70_to_100, under_70. `incomplete`: an index is missing.",
    )


class ScoresOut(BaseModel):
    """The scores of a period."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    formula: str
    period: PeriodOut
    scope: ScopeOut
    rows: list[ScoreRowOut]
    as_of: AsOfOut


def _row(row: Row, indices: Mapping[str, IndexScore], *, officer: bool = False) -> dict[str, Any]:
    grade = graded(indices, officer=officer)
    return {
        "key": row.key,
        "name": row.name,
        "indices": {
            name: {
                "value": None if one.value is None else str(one.value),
                "numerator": one.points,
                "denominator": one.values,
            }
            for name, one in indices.items()
        },
        "total": str(grade.total),
        "maximum": grade.maximum,
        "class": grade.class_,
    }


def _answer(question: Question, rows: list[dict[str, Any]]) -> dict[str, Any]:
    stamp = stamp_answer(question.world.stamp)
    return {"formula": FORMULA, **head_answer(question.scope), "rows": rows, "as_of": stamp}


async def agencies_answer(question: Question) -> dict[str, Any]:
    """Rows as in a cut by agency."""
    scope, world = question.scope, question.world
    last = scope.period.to_on
    tree, services = world.tree_on(last), eligible(world, last)
    levels = {str(code): level for code, level in tree.levels().items()}
    rows_of = AgencyRows.of(scope.access, scope.top, scope.tree_on)
    below: dict[str, set[str]] = {}
    for code in {*levels, *(agency for one in services for agency in one.agencies or ())}:
        below.setdefault(rows_of.key(code), set()).add(code)
    answer: list[dict[str, Any]] = []
    for row in (await question.table("agency")).rows:
        resolved = [one for one in services if one.is_of(levels, below.get(row.key, ()))] if row.key != UNKNOWN else []
        facts = {} if row.key == UNKNOWN else tree.facts(row.key)
        indices = agency_indices(row.sums, facts, resolved)
        if scope.is_narrowed:  # these are of a whole agency
            indices |= dict.fromkeys(("5", "6", "8", "9"), IndexScore())
        answer.append(_row(row, indices))
    return _answer(question, answer)


async def officers_answer(question: Question) -> dict[str, Any]:
    """A row for each officer who received, held or returned a dossier that ended in the period."""
    rows = (await question.table("officer")).rows
    return _answer(question, [_row(row, officer_indices(row.sums), officer=True) for row in rows])
