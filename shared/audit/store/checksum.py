"""Whether all sums are what the dossier rows add up to, by one number: linear, so that nothing has to be added up first.

Each key of ``figure_sum`` and each measure has a random weight, and a checksum is the weighted sum of all counts modulo a
prime. The weight of a key is the product of that of its scope (cut, agency, procedure, channel) and that of its time (the
digits of its slot); so what one dossier counts for in its eight rows a day is two products of small sums. There are two
numbers, of other weights and another prime each. Two sets of sums that differ have both in common about once in 10^17 times;
where they have not, the sums are compared row by row. Branches have no part in it (`shared.counting.store.branch_sums`).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.counting.rules.slot_numbers import STRIDE, Rollup
from shared.counting.store.slots import digits_sql, month_slot_sql, year_slot_sql
from shared.counting.store.sums import COUNTED_COLUMNS, counted_sql, named_sums_sql
from shared.database.engine import DriverConnection
from shared.database.tables import MEASURES
from shared.vocabulary.events import Tenant

_TIMES: Final = {"day": "{0}", "month": month_slot_sql("{0}"), "year": year_slot_sql("{0}")}
"""SQL: the digits of each grain, of the digits of a day."""
_STANDS_IN: Final = {
    ("month", "year"): (Rollup.AGENCY, Rollup.PROCEDURE, Rollup.CELL),
    ("day",): (Rollup.PROCEDURE, Rollup.CELL),
}
"""In which cuts a count stands in which grains (`shared.counting.store.sums.rolled_up_sql`)."""
_SEED: Final = 23
_BITS: Final = 2**30 - 1


@dataclass(frozen=True, slots=True)
class _Half:
    """One of the two numbers. A checksum means something only beside another one of the same weights."""

    prime: int
    shift: int

    def of(self, hashed: str) -> str:
        """SQL: the weight that a hash stands for, of 30 bits."""
        return f"(({hashed} >> {self.shift}) & {_BITS})"

    def weight(self, measure: str) -> str:
        """SQL: that of a measure. Random, or one count too many and another too few could make up for each other."""
        digest = hashlib.sha256(f"{measure} {self.prime}".encode()).digest()
        return f"{int.from_bytes(digest[:8]) & _BITS}::bigint"


_LOW: Final = _Half(2**31 - 1, 0)
_HIGH: Final = _Half(2**31 - 19, 30)


def _of_scope(cut: str, agency: str, procedure: str, channel: str) -> str:
    by_agency = f"hashtextextended({agency}, hashint4extended({cut}, 1))"
    return f"hashtextextended({channel}, hashtextextended({procedure}, {by_agency}))"


def _of_time(digits: str) -> str:
    return f"hashint4extended({digits}, {_SEED})"


def checksum_of_sums_sql(relation: str) -> str:
    """SQL: the checksum of rows with the columns of ``figure_sum``, agencies and procedures as codes.

    Each number is to be taken modulo its prime.
    """
    scope = _of_scope(f"slot / {STRIDE}", "agency", "procedure", "channel")
    time = _of_time(f"slot % {STRIDE}")

    def half_sum(half: _Half) -> str:
        prime = half.prime
        weighed = " + ".join(f"{measure}::bigint % {prime} * {half.weight(measure)} % {prime}" for measure in MEASURES)
        return f"coalesce(sum(({weighed}) % {prime} * {half.of('time')} % {prime} * {half.of('scope')} % {prime}), 0)"

    return f"""
SELECT {half_sum(_LOW)} AS low, {half_sum(_HIGH)} AS high
FROM (SELECT {", ".join(MEASURES)}, {scope} AS scope, {time} AS time FROM {relation} OFFSET 0) AS hashed"""


_STOCKS: Final = {"within": "within_days", "overdue": "overdue_days", "paused": "paused_days"}
_ENDS: Final = {"received": "r.received_on", "ended": "r.ended_on"} | {
    f"{stock}_{end}": f"{end}(r.{column})" for stock, column in _STOCKS.items() for end in ("lower", "upper")
}
"""The days on which a row that stands in each stock once at most begins or ends to count."""
_ENDED: Final = {
    "resolution": {measure.removeprefix("resolved_"): measure for measure in MEASURES if measure.startswith("resolved_")},
    "end_kind": {"withdrawn": "withdrawn", "stopped": "stopped"},
}
"""Which measures an ended row counts in, by the values of its columns."""


def checksum_of_rows_sql(relation: str) -> str:
    """SQL: the checksum of all sums that rows with the columns that are counted (of ``dossier``) add up to."""
    agency, procedure, channel = (f"coalesce(r.{column}, '')" for column in ("agency", "procedure", "channel"))
    scopes = {
        Rollup.AGENCY: _of_scope(str(Rollup.AGENCY.value), agency, "''", channel),
        Rollup.PROCEDURE: _of_scope(str(Rollup.PROCEDURE.value), "''", procedure, channel),
        Rollup.CELL: _of_scope(str(Rollup.CELL.value), agency, procedure, channel),
    }
    digits = ", ".join(f"{digits_sql(day)} AS {name}_digits" for name, day in _ENDS.items())
    hashes = [f"{hashed} AS {cut.label}_scope" for cut, hashed in scopes.items()]
    hashes += [
        f"{_of_time(of_day.format(f'{name}_digits'))} AS {name}_{grain}"
        for name in _ENDS
        for grain, of_day in _TIMES.items()
    ]
    once = " AND ".join(f"r.{column} = datemultirange(range_merge(r.{column}))" for column in _STOCKS.values())

    def times(half: _Half, weight: str, time: str) -> str:
        return f"{weight} * (({time}) % {half.prime}) % {half.prime}"

    def once_each(half: _Half, grains: Sequence[str]) -> str:
        def added(name: str) -> str:
            return "(" + " + ".join(half.of(f"{name}_{grain}") for grain in grains) + ")"

        ended = " + ".join(
            f"CASE {column} {' '.join(f'WHEN {value!r} THEN {half.weight(m)}' for value, m in measures.items())} ELSE 0 END"
            for column, measures in _ENDED.items()
        )
        terms = [
            times(half, half.weight("received"), added("received")),
            times(half, f"({ended})", f"coalesce({added('ended')}, 0)"),
        ]
        for stock in _STOCKS:
            begun, over = (f"coalesce({added(f'{stock}_{end}')}, 0)" for end in ("lower", "upper"))
            terms.append(times(half, half.weight(stock), f"{begun} - {over}"))
        return " + ".join(terms)

    def span_by_span(half: _Half, grains: Sequence[str]) -> str:
        weight = " ".join(f"WHEN '{name}' THEN {half.weight(name)}" for name in MEASURES)
        time = " + ".join(half.of(_of_time(_TIMES[grain].format("c.digits"))) for grain in grains)
        each = f"sum({times(half, f'(CASE c.measure {weight} END)', time)} * c.n)::bigint"
        dated = f"SELECT {digits_sql('day')} AS digits, measure, n FROM ({counted_sql('hashed')}) AS d WHERE day IS NOT NULL"
        return f"(SELECT {each} FROM ({dated}) AS c)"

    def half_sum(half: _Half) -> str:
        parts = []
        for grains, cuts in _STANDS_IN.items():
            scope = " + ".join(half.of(f"{cut.label}_scope") for cut in cuts)
            one = f"CASE WHEN is_once THEN {once_each(half, grains)} ELSE {span_by_span(half, grains)} END"
            parts.append(times(half, f"(({one}) % {half.prime})", scope))
        return f"coalesce(sum({' + '.join(parts)}), 0)"

    return f"""
SELECT {half_sum(_LOW)} AS low, {half_sum(_HIGH)} AS high
FROM (
    SELECT {COUNTED_COLUMNS}, is_once, {", ".join(hashes)}
    FROM (
        SELECT {COUNTED_COLUMNS}, {once} AS is_once, {digits} FROM {relation} AS r WHERE r.received_on IS NOT NULL OFFSET 0
    ) AS r OFFSET 0
) AS hashed"""


@dataclass(frozen=True, slots=True)
class Checksum:
    """Those of two sets of counts add up to that of both."""

    high: int
    low: int

    @classmethod
    def of(cls, high: int, low: int) -> "Checksum":
        """Of the two numbers that the statements of this module answer."""
        return cls(int(high) % _HIGH.prime, int(low) % _LOW.prime)

    def __add__(self, other: "Checksum") -> "Checksum":
        return Checksum.of(self.high + other.high, self.low + other.low)

    def __str__(self) -> str:
        return f"{self.high:08x}{self.low:08x}"


NOTHING: Final = Checksum(0, 0)

_OF_STORED_SUMS: Final = checksum_of_sums_sql(f"({named_sums_sql()}) AS named")
_OF_STORED_ROWS: Final = checksum_of_rows_sql(
    "(SELECT * FROM dossier WHERE tenant = $1 AND code >= $2 AND (code > $2 OR $2 = '')"
    " AND ($3::text IS NULL OR code <= $3))"
)


async def of_stored_sums(connection: DriverConnection, tenant: Tenant) -> Checksum:
    """The checksum of all stored sums, those of branches left out."""
    row = await connection.fetchrow(_OF_STORED_SUMS, tenant)
    assert row is not None
    return Checksum.of(row["high"], row["low"])


async def of_stored_rows(connection: DriverConnection, tenant: Tenant, after: str, until: str | None) -> Checksum:
    """The checksum of what the stored rows with ``after`` < code <= ``until`` (None: without an end) add up to.

    ``after`` "" is before every code, the empty one too.
    """
    row = await connection.fetchrow(_OF_STORED_ROWS, tenant, after, until)
    assert row is not None
    return Checksum.of(row["high"], row["low"])
