"""Whether all sums are what the dossier rows add up to, by one number: linear, so that nothing has to be added up first.

Each key of ``figure_sum`` has a random weight, each measure a fixed one, and a checksum is the weighted sum of all counts
modulo a prime. The weight of a key is the product of that of its scope (cut, agency, procedure, channel) and that of its
time (grain, first day); so what one dossier counts for in its nine rows a day is one product of two small sums. Two sets of
sums that differ have the same checksum with a probability of about 2^-60; where checksums differ, sums are compared row by
row.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shared.db.figure_sums import COUNTED_COLUMNS, counts
from shared.db.tables import MEASURES
from shared.domain.events import Tenant

if TYPE_CHECKING:
    from shared.db.engine import DriverConnection

PRIME: Final = 2**31 - 1

_CUTS: Final = ("agency", "procedure", "cell")
_GRAINS: Final = {"year": 21, "month": 22, "day": 23}
"""Seeds of the weights of times; a checksum means something only beside another one of the same seeds."""
_MEASURES: Final = dict(zip(MEASURES, (1009, 1103, 1201, 1301, 1409, 1511, 1601, 1709, 1801), strict=True))

_HALF: Final = 2**30 - 1
_NUMBERS: Final = {
    "year": "date_part('year', {0})::int",
    "month": "(date_part('year', {0}) * 12 + date_part('month', {0}))::int",
    "day": "({0} - DATE '2000-01-01')",
}


def _of_scope(cut: str, agency: str, procedure: str, channel: str) -> str:
    by_agency = f"hashtextextended({agency}, hashtextextended({cut}, 1))"
    return f"hashtextextended({channel}, hashtextextended({procedure}, {by_agency}))"


def _of_time(grain: str, day: str) -> str:
    return f"hashint4extended({_NUMBERS[grain].format(day)}, {_GRAINS[grain]})"


def _low(hashed: str) -> str:
    return f"({hashed} & {_HALF})"


def _high(hashed: str) -> str:
    return f"(({hashed} >> 30) & {_HALF})"


def of_sums(relation: str) -> str:
    """SQL: the checksum of rows with the columns of ``figure_sum``; two numbers, each to be taken modulo the prime."""
    weighed = " + ".join(f"{measure} % {PRIME} * {weight}" for measure, weight in _MEASURES.items())
    scope = _of_scope("cut", "agency", "procedure", "channel")
    known = " ".join(f"WHEN '{grain}' THEN {_of_time(grain, 'starts_on')}" for grain in _GRAINS)
    # a row of no grain, which only a mistake can have made, has a weight too
    time = f"CASE grain {known} ELSE hashtextextended(grain || starts_on, 1) END"
    return f"""
SELECT coalesce(sum(n * {_low("time")} % {PRIME} * {_low("scope")} % {PRIME}), 0) AS low,
       coalesce(sum(n * {_high("time")} % {PRIME} * {_high("scope")} % {PRIME}), 0) AS high
FROM (SELECT ({weighed}) % {PRIME} AS n, {scope} AS scope, {time} AS time FROM {relation}
      OFFSET 0) AS hashed"""


_STOCKS: Final = {"within": "within_days", "overdue": "overdue_days", "paused": "paused_days"}
_ENDS: Final = {"received": "received_on", "ended": "ended_on"} | {
    f"{stock}_{end}": f"{end}({column})" for stock, column in _STOCKS.items() for end in ("lower", "upper")
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
    hashes += [f"{_of_time(grain, f'r.{day}')} AS {name}_{grain}" for name, day in _ENDS.items() for grain in _GRAINS]
    hashes = [text.replace("r.lower(", "lower(r.").replace("r.upper(", "upper(r.") for text in hashes]
    once = " AND ".join(f"r.{column} = datemultirange(range_merge(r.{column}))" for column in _STOCKS.values())

    def added(half: Callable[[str], str], name: str) -> str:
        return "(" + " + ".join(half(f"{name}_{grain}") for grain in _GRAINS) + ")"

    def changed(half: Callable[[str], str], stock: str) -> str:
        return f"coalesce({added(half, f'{stock}_lower')}, 0) - coalesce({added(half, f'{stock}_upper')}, 0)"

    def counted(half: Callable[[str], str]) -> str:
        ended = " + ".join(
            f"CASE {column} {' '.join(f'WHEN {value!r} THEN {_MEASURES[m]}' for value, m in measures.items())} ELSE 0 END"
            for column, measures in _ENDED.items()
        )
        stocks = " + ".join(f"{_MEASURES[stock]} * ({changed(half, stock)})" for stock in _STOCKS)
        received = f"{_MEASURES['received']} * {added(half, 'received')}"
        return f"{received} + ({ended}) * coalesce({added(half, 'ended')}, 0) + {stocks}"

    def span_by_span(half: Callable[[str], str]) -> str:
        weighed = " ".join(f"WHEN '{name}' THEN {weight}" for name, weight in _MEASURES.items())
        time = " + ".join(half(_of_time(grain, "c.day")) for grain in _GRAINS)
        each = f"sum(CASE c.measure {weighed} END * c.n * ({time}))::bigint"
        return f"(SELECT {each} FROM ({counts('hashed')}) AS c WHERE c.day IS NOT NULL)"

    def half_sum(half: Callable[[str], str]) -> str:
        scope = " + ".join(half(f"{cut}_scope") for cut in _CUTS)
        one = f"CASE WHEN is_once THEN {counted(half)} ELSE {span_by_span(half)} END"
        return f"coalesce(sum(({one}) % {PRIME} * (({scope}) % {PRIME}) % {PRIME}), 0)"

    return f"""
SELECT {half_sum(_low)} AS low, {half_sum(_high)} AS high
FROM (
    SELECT {COUNTED_COLUMNS}, {once} AS is_once, {", ".join(hashes)}
    FROM {relation} AS r WHERE r.received_on IS NOT NULL OFFSET 0
) AS hashed"""


@dataclass(frozen=True, slots=True)
class Checksum:
    """Those of two sets of counts add up to that of both. Equal modulo the prime is equal."""

    high: int
    low: int

    @classmethod
    def of(cls, high: int, low: int) -> "Checksum":
        """Of the two numbers that the statements of this module answer."""
        return cls(int(high) % PRIME, int(low) % PRIME)

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
