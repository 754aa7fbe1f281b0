"""Period figures as sums of ``figure_sum`` (rules, section 6), with the point of the log that they stand for.

A question becomes one statement, so that the sums, the cursor and the end of the log come from one snapshot. The days before
the period and those in it are put together from as few years, months and days as there are, some of them taken away again
(`shared.counting.rules.spans`): what is read does not grow with the events, and hardly with the years.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import add
from typing import Any, Final

import orjson

from shared.counting.rules.figure_definitions import FIGURES, SUMMED, Opening, Stock, summed_in
from shared.counting.rules.period_sums import Sums, adder
from shared.counting.rules.question import Key, Question, cuts_of, members_of
from shared.counting.rules.spans import spans_of
from shared.counting.store.statement import RECORDS_STAMP, STAMP, STORED_FIGURES, Shape, figures_sql
from shared.database.engine import DriverConnection
from shared.events.rules.registers import DOSSIER, Register
from shared.vocabulary.events import Tenant
from shared.vocabulary.projections import DOSSIERS

TOTAL: Final = None
"""Key of the sums over all keys."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """Which events an answer counts: all up to ``position``, recorded at ``recorded_at`` (None: none).

    ``head`` is the end of the log at that moment, ``waiting_since`` when the oldest event that is not counted was recorded;
    ``seen_agencies`` is the number of agency codes that dossiers have had.
    """

    answered_at: datetime
    position: int
    recorded_at: datetime | None
    head: int
    waiting_since: datetime | None
    seen_agencies: int

    @property
    def lag_seconds(self) -> float:
        """How long the oldest uncounted event has been waiting; 0 when every committed event is counted."""
        if self.waiting_since is None:
            return 0.0
        return max((self.answered_at - self.waiting_since).total_seconds(), 0.001)


@dataclass(frozen=True, slots=True)
class Answer:
    """The sums of a question: for each piece and for the whole, by key; `TOTAL` is the sum over all keys."""

    stamp: Stamp
    pieces: Sequence[Mapping[str | None, Sums]]
    whole: Mapping[str | None, Sums]


Counts = dict[str | None, list[int]]
"""Counts by key (`TOTAL`: all), each a list with the parts of `STORED_FIGURES`."""

_STOCKS: Final = [figure for figure in SUMMED if isinstance(FIGURES[figure].counted, Stock)]
_FLOWS: Final = len(STORED_FIGURES) - len(_STOCKS)
_OPENINGS: Final = tuple(
    adder([_STOCKS.index(one) for one in summed_in(counted.of)])
    for counted in (FIGURES[figure].counted for figure in SUMMED)
    if isinstance(counted, Opening)
)


async def ask(connection: DriverConnection, tenant: Tenant, question: Question) -> Answer:
    """Answer a question, from one snapshot."""
    rows = await _rows(connection, tenant, question)
    return answer_of(Stamp(*rows[0][:6]), _labelled(rows, len(question.pieces)))


async def counted(connection: DriverConnection, tenant: Tenant, question: Question) -> list[Counts]:
    """What a question adds up, before it is an answer: by label and key."""
    return _labelled(await _rows(connection, tenant, question), len(question.pieces))


async def _rows(connection: DriverConnection, tenant: Tenant, question: Question) -> Sequence[Any]:
    spans = spans_of([(piece.from_on, piece.to_on) for piece in question.pieces])
    is_gathered = question.rows is not None and question.key is Key.PROCEDURE
    options: dict[str, Any] = {
        "procedures": question.procedures,
        "other_procedures": question.other_procedures,
        "channel": question.channel,
        "rows": orjson.dumps(dict(question.rows or {})).decode() if is_gathered else None,
        "other_row": question.other_row if is_gathered else None,
    }
    present = {name: value is not None for name, value in options.items()}
    shape = Shape(question.key, cuts_of(question), members=question.agencies is not None, **present)
    members = members_of(question) if shape.members else ()
    given = [value for value in options.values() if value is not None]
    return await connection.fetch(
        figures_sql(shape), tenant, DOSSIERS, spans.past_until, *spans.rows, *spans.uses, *members, *given
    )


async def read_stamp(connection: DriverConnection, tenant: Tenant) -> Stamp:
    """How far the figures are."""
    rows = await connection.fetch(STAMP, tenant, DOSSIERS)
    return Stamp(*rows[0])


async def read_stamps(connection: DriverConnection, tenant: Tenant, registers: Iterable[Register]) -> list[Stamp]:
    """How far each of some registers is, from one snapshot."""
    # names are constants of ours
    statements = (
        (STAMP if one is DOSSIER else RECORDS_STAMP).replace("$2", f"'{one.projection}'").replace("$3", f"'{one.name}'")
        for one in registers
    )
    return [Stamp(*row) for row in await connection.fetch(" UNION ALL ".join(f"({one})" for one in statements), tenant)]


async def read_records_stamp(connection: DriverConnection, tenant: Tenant, register: Register) -> Stamp:
    """How far the records of another register are: those that were set aside are not counted."""
    rows = await connection.fetch(RECORDS_STAMP, tenant, register.projection, register.name)
    return Stamp(*rows[0])


def _labelled(rows: Sequence[Any], pieces: int) -> list[Counts]:
    by_label: list[Counts] = [{} for _ in range(pieces + 1)]
    for row in rows:
        label, key = row[6:8]
        if label is None:
            continue
        counts, values = by_label[label], [value or 0 for value in row[8:]]
        counts[key] = values
        if key is not TOTAL:
            known = counts.get(TOTAL)
            counts[TOTAL] = values if known is None else list(map(add, known, values))
    return by_label


def answer_of(stamp: Stamp, by_label: Sequence[Counts]) -> Answer:
    """Flows are the sums of their piece, stocks the sums of all up to it; carried over is the stock before it."""
    zero = [0] * len(STORED_FIGURES)
    before, *of_pieces = by_label
    answers: list[dict[str | None, Sums]] = [{} for _ in of_pieces]
    whole: dict[str | None, Sums] = {}
    for key in {TOTAL, *(key for counts in by_label for key in counts)}:
        opening = stocks = before.get(key, zero)[_FLOWS:]
        for counts, answer in zip(of_pieces, answers, strict=True):
            values = counts.get(key, zero)
            begun, stocks = stocks, list(map(add, stocks, values[_FLOWS:]))
            answer[key] = _sums(values, begun, stocks)
        if len(of_pieces) == 1:
            whole[key] = answers[0][key]
        else:
            flows = [sum(column) for column in zip(zero, *(counts.get(key, zero) for counts in of_pieces), strict=True)]
            whole[key] = _sums(flows, opening, stocks)
    return Answer(stamp, answers, whole)


def _sums(flows: Sequence[int], opening: Sequence[int], stocks: Sequence[int]) -> Sums:
    """In the order of `SUMMED`; ``flows`` begins like `STORED_FIGURES`."""
    return Sums((*flows[:_FLOWS], *[of_stocks(opening) for of_stocks in _OPENINGS], *stocks))
