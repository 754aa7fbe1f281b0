"""The one statement that answers a question about period figures."""

from dataclasses import dataclass
from functools import cache
from typing import Final

from shared.counting.rules.branches import CodeKind
from shared.counting.rules.figure_definitions import FIGURES, SUMMED, Figure, Flow, Opening, Stock, sum_name
from shared.counting.rules.question import Cuts, Key
from shared.counting.rules.slot_numbers import STRIDE
from shared.counting.rules.spans import PAST
from shared.counting.store.slots import is_day_sql, year_slot_sql

STORED_FIGURES: Final = tuple(figure for figure in SUMMED if not isinstance(FIGURES[figure].counted, Opening))
"""What a row of counts holds: flows, and stocks as signed changes. Openings follow from the stocks."""

_STAMP: Final = """
SELECT now() AS answered_at, coalesce(c.position, 0) AS position,
       (SELECT recorded_at FROM event_log WHERE tenant = $1 AND position = c.position) AS recorded_at,
       coalesce(h.position, 0) AS head,
       (SELECT min(recorded_at) FROM event_log
        WHERE tenant = $1 AND position IN (
            coalesce(c.position, 0) + 1,
            (SELECT min(position) FROM {failed} AND position <= coalesce(c.position, 0))
        )) AS waiting_since,
       (SELECT count(*) FROM seen_agency WHERE tenant = $1) AS seen_agencies
FROM (SELECT 1) one
LEFT JOIN log_counter h ON h.tenant = $1
LEFT JOIN projection_cursor c ON c.tenant = $1 AND c.projection = $2"""

STAMP: Final = _STAMP.format(failed="projection_failure WHERE tenant = $1")
RECORDS_STAMP: Final = _STAMP.format(failed="record_failure WHERE tenant = $1 AND register = $3")
"""The same of another register's records."""


_ALL: Final = "SELECT number, code FROM figure_code WHERE tenant = $1 AND kind = '{}' UNION ALL SELECT 0, ''"
_ALL_AGENCIES: Final = _ALL.format(CodeKind.AGENCY)
_ALL_PROCEDURES: Final = _ALL.format(CodeKind.PROCEDURE)


@dataclass(frozen=True, slots=True)
class Shape:
    """What makes one statement differ from another: a condition that is always there could not use the index."""

    key: Key | None
    cuts: Cuts
    members: bool
    """Whether the agencies are named; else they are all, each for itself or (no key) together."""
    procedures: bool
    other_procedures: bool
    channel: bool
    rows: bool
    other_row: bool

    def argument(self, name: str) -> int:
        """The place of an optional argument of the statement."""
        place = _FIRST_OPTIONAL
        for option, width in _OPTIONS.items():
            if option == name:
                break
            place += width if getattr(self, option) else 0
        return place


_FIRST_OPTIONAL: Final = 9
_OPTIONS: Final = {"members": 5, "procedures": 1, "other_procedures": 1, "channel": 1, "rows": 1, "other_row": 1}


def _given_sql(place: int, kind: str) -> str:
    """SQL: an array of the arguments, in a query of its own: a plan that cannot count on its length is kept."""
    return f"(SELECT ${place}::{kind}[])"


def _members_sql(shape: Shape) -> str:
    """SQL: whose sums are added up: number, row, and where in each grain (`Cuts`)."""
    single = f"{shape.cuts.coarse * STRIDE}, {shape.cuts.day * STRIDE}"
    if shape.members:
        first = shape.argument("members")
        types = ("text", "text", "text", "int", "int")
        arguments = ", ".join(_given_sql(place, kind) for place, kind in enumerate(types, start=first))
        return f"""
    SELECT CASE WHEN given.code = '' THEN 0 ELSE k.number END, given.row, given.coarse, given.day
    FROM unnest({arguments}) AS given(kind, code, row, coarse, day)
    LEFT JOIN figure_code k ON k.tenant = $1 AND k.kind = given.kind AND k.code = given.code"""
    if shape.key is Key.AGENCY:
        return f"SELECT number, code, {single} FROM ({_ALL_AGENCIES}) AS known"
    return f"SELECT 0, NULL::text, {single}"


def _conditions(shape: Shape) -> str:
    conditions = ""
    for name, negation in (("procedures", ""), ("other_procedures", "NOT ")):
        if getattr(shape, name):
            conditions += (
                f" AND {negation}procedure = ANY(ARRAY(SELECT number FROM ({_ALL_PROCEDURES}) AS known"
                f" WHERE code = ANY(${shape.argument(name)}::text[])))"
            )
    return conditions + (f" AND channel = ${shape.argument('channel')}::text" if shape.channel else "")


def _row_of_procedure_sql(shape: Shape) -> str:
    """SQL: the row that the procedure ``known`` is gathered in."""
    if not shape.rows:
        return "known.code"
    other = f"${shape.argument('other_row')}::text" if shape.other_row else "known.code"
    # an object is looked into by a binary search; a join with an unnested array would be a loop over all of it
    return f"coalesce(${shape.argument('rows')}::jsonb ->> known.code, {other})"


_KEYS: Final = {Key.AGENCY: "gathered.row", Key.PROCEDURE: "f.procedure", Key.CHANNEL: "f.channel", None: "NULL::text"}
_ROWS_OF_AGENCIES: Final = " JOIN (SELECT DISTINCT agency, row FROM member) AS gathered ON gathered.agency = f.agency"


# the sum of integers is a bigint, that of bigints a numeric, which takes twice as long: it is for few rows only
def _sum_sql(figure: Figure) -> str:
    """SQL: the sum of a figure of `STORED_FIGURES` over rows of ``figure_sum``."""
    match FIGURES[figure].counted:
        case Flow(measure, channel) if channel is not None:
            return f"sum({measure}::int) FILTER (WHERE channel = '{channel}') AS {sum_name(figure)}"
        case Flow(measure) | Stock(measure):
            return f"sum({measure}::int) AS {sum_name(figure)}"
        case _:
            raise ValueError(figure)


_SUMS: Final = ", ".join(map(_sum_sql, STORED_FIGURES))
_SIGNED: Final = ", ".join(f"sum(u.sign * {sum_name(figure)})::bigint" for figure in STORED_FIGURES)


@cache
def figures_sql(shape: Shape) -> str:
    """SQL. Arguments: the tenant, the projection, `shared.counting.rules.spans.Spans` (6), and the options of the shape.

    Answers rows of `STAMP` with a label of the spans, a key, and the sums of `STORED_FIGURES`; without a label nothing is
    counted.
    """
    by_procedure = shape.key is Key.PROCEDURE
    # the row of a procedure is looked up once, not once for each part and label
    rows = f"SELECT number, {_row_of_procedure_sql(shape)} AS row FROM ({_ALL_PROCEDURES}) AS known OFFSET 0"
    known = f"LEFT JOIN ({rows}) AS gathered ON gathered.number = key" if by_procedure else ""
    uses = ", ".join(_given_sql(place, "int") for place in (6, 7, 8))
    return f"""
WITH RECURSIVE member(agency, row, coarse, day) AS MATERIALIZED ({_members_sql(shape)}
), past(base, slot) AS (
    SELECT base, (SELECT f.slot FROM figure_sum f
                  WHERE f.tenant = $1 AND f.slot >= base AND f.slot < base + $3 ORDER BY f.slot LIMIT 1)
    FROM (SELECT DISTINCT coarse FROM member) AS cut(base)
    UNION ALL
    SELECT base, (SELECT f.slot FROM figure_sum f
                  WHERE f.tenant = $1 AND f.slot >= {year_slot_sql("past.slot")} + 10000 AND f.slot < base + $3
                  ORDER BY f.slot LIMIT 1)
    FROM past WHERE slot IS NOT NULL
), span(digits, part) AS (
    SELECT DISTINCT {year_slot_sql("slot")} % {STRIDE}, {PAST} FROM past WHERE slot IS NOT NULL
    UNION ALL
    SELECT * FROM unnest({_given_sql(4, "int")}, {_given_sql(5, "int")})
), beside AS MATERIALIZED (
    SELECT coarse, day, array_agg(agency) AS agencies FROM member GROUP BY 1, 2
), summed AS (
    SELECT part, {_KEYS[shape.key]} AS key, {_SUMS}
    FROM span CROSS JOIN beside CROSS JOIN LATERAL (
        SELECT * FROM figure_sum
        WHERE tenant = $1 AND slot = digits + CASE WHEN {is_day_sql("digits")} THEN beside.day ELSE beside.coarse END
          AND agency = ANY(beside.agencies){_conditions(shape)}
        OFFSET 0
    ) AS f{_ROWS_OF_AGENCIES if shape.key is Key.AGENCY else ""}
    GROUP BY 1, 2
), answer AS (
    SELECT u.label, {"gathered.row" if by_procedure else "key"} AS key, {_SIGNED}
    FROM summed JOIN unnest({uses}) AS u(part, label, sign) USING (part) {known}
    GROUP BY 1, 2
), stamp AS MATERIALIZED ( -- or it would be looked up for each row
    {STAMP}
)
SELECT stamp.*, answer.* FROM stamp LEFT JOIN answer ON true"""
