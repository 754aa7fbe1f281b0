"""Whether all sums are what the dossier rows add up to, by one number: linear, so that nothing has to be added up first.

Each key of ``figure_sum`` and each measure has a random weight, and a checksum is the weighted sum of all counts modulo a
prime. The weight of a key is the product of that of its scope (cut, agency, procedure, channel) and that of its time (grain,
first day); so what one dossier counts for in its nine rows a day is one product of two small sums. There are two numbers,
of other weights and another prime each. Two sets of sums that differ have both in common about once in 10^17 times; where
they have not, the sums are compared row by row.
"""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shared.db.figure_sums import COUNTED_COLUMNS, counts
from shared.db.tables import MEASURES
from shared.domain.events import Tenant

if TYPE_CHECKING:
    from shared.db.engine import DriverConnection

_CUTS: Final = ("agency", "procedure", "cell")
_GRAINS: Final = {"year": 21, "month": 22, "day": 23}
"""Seeds of the weights of times."""
_BITS: Final = 2**30 - 1
_NUMBERS: Final = {
    "year": "date_part('year', {0})::int",
    "month": "(date_part('year', {0}) * 12 + date_part('month', {0}))::int",
    "day": "({0} - DATE '2000-01-01')",
}


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
    by_agency = f"hashtextextended({agency}, hashtextextended({cut}, 1))"
    return f"hashtextextended({channel}, hashtextextended({procedure}, {by_agency}))"


def _of_time(grain: str, day: str) -> str:
    # a day without end is a mistake, and is to be found like any other
    number = f"hashint4extended({_NUMBERS[grain].format(day)}, {_GRAINS[grain]})"
    return f"CASE WHEN isfinite({day}) THEN {number} ELSE hashtextextended({day}::text, {_GRAINS[grain]}) END"


def of_sums(relation: str) -> str:
    """SQL: the checksum of rows with the columns of ``figure_sum``; each number is to be taken modulo its prime."""
    scope = _of_scope("cut", "agency", "procedure", "channel")
    known = " ".join(f"WHEN '{grain}' THEN {_of_time(grain, 'starts_on')}" for grain in _GRAINS)
    # a row of no grain, which only a mistake can have made, has a weight too
    time = f"CASE grain {known} ELSE hashtextextended(grain || starts_on, 1) END"

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


def of_rows(relation: str) -> str:
    """SQL: the checksum of all sums that rows with the columns that are counted (of ``dossier``) add up to."""
    agency, procedure, channel = (f"coalesce(r.{column}, '')" for column in ("agency", "procedure", "channel"))
    scopes = {
        "agency": _of_scope("'agency'", agency, "''", channel),
        "procedure": _of_scope("'procedure'", "''", procedure, channel),
        "cell": _of_scope("'cell'", agency, procedure, channel),
    }
    hashes = [f"{hashed} AS {cut}_scope" for cut, hashed in scopes.items()]
    hashes += [f"{_of_time(grain, day)} AS {name}_{grain}" for name, day in _ENDS.items() for grain in _GRAINS]
    once = " AND ".join(f"r.{column} = datemultirange(range_merge(r.{column}))" for column in _STOCKS.values())

    def added(half: _Half, name: str) -> str:
        return "(" + " + ".join(half.of(f"{name}_{grain}") for grain in _GRAINS) + ")"

    def times(half: _Half, weight: str, time: str) -> str:
        return f"{weight} * (({time}) % {half.prime}) % {half.prime}"

    def once_each(half: _Half) -> str:
        ended = " + ".join(
            f"CASE {column} {' '.join(f'WHEN {value!r} THEN {half.weight(m)}' for value, m in measures.items())} ELSE 0 END"
            for column, measures in _ENDED.items()
        )
        terms = [
            times(half, half.weight("received"), added(half, "received")),
            times(half, f"({ended})", f"coalesce({added(half, 'ended')}, 0)"),
        ]
        for stock in _STOCKS:
            begun, over = (f"coalesce({added(half, f'{stock}_{end}')}, 0)" for end in ("lower", "upper"))
            terms.append(times(half, half.weight(stock), f"{begun} - {over}"))
        return " + ".join(terms)

    def span_by_span(half: _Half) -> str:
        weight = " ".join(f"WHEN '{name}' THEN {half.weight(name)}" for name in MEASURES)
        time = " + ".join(half.of(_of_time(grain, "c.day")) for grain in _GRAINS)
        each = f"sum({times(half, f'(CASE c.measure {weight} END)', time)} * c.n)::bigint"
        return f"(SELECT {each} FROM ({counts('hashed')}) AS c WHERE c.day IS NOT NULL)"

    def half_sum(half: _Half) -> str:
        scope = " + ".join(half.of(f"{cut}_scope") for cut in _CUTS)
        one = f"CASE WHEN is_once THEN {once_each(half)} ELSE {span_by_span(half)} END"
        return f"coalesce(sum({times(half, f'(({one}) % {half.prime})', scope)}), 0)"

    return f"""
SELECT {half_sum(_LOW)} AS low, {half_sum(_HIGH)} AS high
FROM (
    SELECT {COUNTED_COLUMNS}, {once} AS is_once, {", ".join(hashes)}
    FROM {relation} AS r WHERE r.received_on IS NOT NULL OFFSET 0
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

_OF_STORED_SUMS: Final = of_sums("(SELECT * FROM figure_sum WHERE tenant = $1)")
_OF_STORED_ROWS: Final = of_rows(
    "(SELECT * FROM dossier WHERE tenant = $1 AND code >= $2 AND (code > $2 OR $2 = '')"
    " AND ($3::text IS NULL OR code <= $3))"
)


async def of_stored_sums(connection: "DriverConnection", tenant: Tenant) -> Checksum:
    """The checksum of all stored sums."""
    row = await connection.fetchrow(_OF_STORED_SUMS, tenant)
    assert row is not None
    return Checksum.of(row["high"], row["low"])


async def of_stored_rows(connection: "DriverConnection", tenant: Tenant, after: str, until: str | None) -> Checksum:
    """The checksum of what the stored rows with ``after`` < code <= ``until`` (None: without an end) add up to.

    ``after`` "" is before every code, the empty one too.
    """
    row = await connection.fetchrow(_OF_STORED_ROWS, tenant, after, until)
    assert row is not None
    return Checksum.of(row["high"], row["low"])
