"""Period figures as sums of ``figure_sum`` (rules, section 6), with the point of the log that they stand for.

A question becomes one statement, so that the sums, the cursor and the end of the log come from one snapshot. The days before
the period and those in it are put together from as few years, months and days as there are, some of them taken away again
(`shared.db.figure_spans`): what is read does not grow with the events, and hardly with the years.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from operator import add
from typing import TYPE_CHECKING, Any, Final

import orjson

from shared.db.figure_spans import PAST, spans_of
from shared.db.projections import DOSSIERS
from shared.domain.events import Channel, Tenant
from shared.domain.periods import Period
from shared.domain.report import Sums

if TYPE_CHECKING:
    from shared.db.engine import DriverConnection

TOTAL: Final = None
"""Key of the sums over all keys."""


class Key(StrEnum):
    """What the figures are kept apart by."""

    AGENCY = "agency"
    PROCEDURE = "procedure"
    CHANNEL = "channel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which sums are asked for.

    ``pieces`` follow each other without a gap. ``agencies`` and ``procedures`` are codes as events tell them, None: all;
    ``other_procedures``: none of these, nor dossiers without one. ``rows``: the row of a table that a key is gathered in
    by the statement itself; a key that is not among them goes to ``other_row``, None: stands by itself.
    """

    pieces: Sequence[Period]
    agencies: Sequence[str] | None = None
    procedures: Sequence[str] | None = None
    other_procedures: Sequence[str] | None = None
    channel: Channel | None = None
    key: Key | None = None
    rows: Mapping[str, str] | None = None
    other_row: str | None = None

    def row_of(self, key: str) -> str:
        """What a key is gathered in."""
        return key if self.rows is None else self.rows.get(key, self.other_row or key)

    @property
    def cut(self) -> str:
        """The cheapest cut of ``figure_sum`` that can answer."""
        by_agency = self.agencies is not None or self.key is Key.AGENCY
        by_procedure = (self.procedures, self.other_procedures) != (None, None) or self.key is Key.PROCEDURE
        if by_agency and by_procedure:
            return "cell"
        return "procedure" if by_procedure else "agency"


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


_FLOWS: Final = ("resolved_early", "resolved_on_time", "resolved_late", "withdrawn", "stopped")
_STOCKS: Final = ("within", "overdue", "paused")
_CHANNELS: Final = tuple(f"received_{channel.value}" for channel in Channel)
SUMMED: Final = (*_CHANNELS, *_FLOWS, *_STOCKS)
"""What a row of counts holds: the received by channel, the other flows, and the stocks as signed changes."""

_SHAPE: Final = ("agencies", "procedures", "other_procedures", "channel", "rows", "other_row")

Counts = dict[str | None, list[int]]
"""Counts by key (`TOTAL`: all), each a list with the parts of `SUMMED`."""

_STAMP: Final = """
SELECT now() AS answered_at, coalesce(c.position, 0) AS position,
       (SELECT recorded_at FROM event_log WHERE tenant = $1 AND position = c.position) AS recorded_at,
       coalesce(h.position, 0) AS head,
       (SELECT min(recorded_at) FROM event_log
        WHERE tenant = $1 AND position IN (
            coalesce(c.position, 0) + 1,
            (SELECT min(position) FROM projection_failure WHERE tenant = $1 AND position <= coalesce(c.position, 0))
        )) AS waiting_since,
       (SELECT count(*) FROM seen_agency WHERE tenant = $1) AS seen_agencies
FROM (SELECT 1) one
LEFT JOIN log_counter h ON h.tenant = $1
LEFT JOIN projection_cursor c ON c.tenant = $1 AND c.projection = $2"""


@cache
def _statement(
    key: Key | None, *, agencies: bool, procedures: bool, other_procedures: bool, channel: bool, rows: bool, other_row: bool
) -> str:
    """One statement for each shape of a question: a condition that is always there could not use the index."""
    number = 10
    conditions = ""
    for present, condition in (
        (agencies, " AND f.agency = ANY(${}::text[])"),
        (procedures, " AND f.procedure = ANY(${}::text[])"),
        (other_procedures, " AND NOT f.procedure = ANY(${}::text[])"),
        (channel, " AND f.channel = ${}::text"),
    ):
        if present:
            number += 1
            conditions += condition.format(number)
    if not agencies and (procedures or other_procedures) and key is not Key.AGENCY:
        conditions += " AND f.agency = ''"  # the cut by procedure: the index goes on to the procedure
    row = f"f.{key}" if key else "NULL::text"
    if rows:
        # an object is looked into by a binary search; a join with an unnested array would be a loop over all of it
        row = f"coalesce(${number + 1}::jsonb ->> {row}, {f'${number + 2}::text' if other_row else row})"
    # the sum of integers is a bigint, that of bigints a numeric, which takes twice as long: it is for few rows only
    received = ", ".join(
        f"sum(received::int) FILTER (WHERE f.channel = '{channel.value}') AS received_{channel.value}" for channel in Channel
    )
    others = ", ".join(f"sum({measure}::int) AS {measure}" for measure in (*_FLOWS, *_STOCKS))
    signed = ", ".join(f"sum(u.sign * {name})::bigint" for name in SUMMED)
    return f"""
WITH RECURSIVE past(starts_on) AS (
    (SELECT starts_on FROM figure_sum
     WHERE tenant = $1 AND cut = $3 AND grain = 'year' AND starts_on < $4 ORDER BY starts_on LIMIT 1)
    UNION ALL
    SELECT next.starts_on FROM past CROSS JOIN LATERAL (
        SELECT f.starts_on FROM figure_sum f
        WHERE f.tenant = $1 AND f.cut = $3 AND f.grain = 'year' AND f.starts_on > past.starts_on AND f.starts_on < $4
        ORDER BY f.starts_on LIMIT 1
    ) next
), span(grain, starts_on, part) AS (
    SELECT 'year', starts_on, {PAST} FROM past
    UNION ALL
    SELECT * FROM unnest($5::text[], $6::date[], $7::int[])
), summed AS (
    SELECT part, {row} AS key, {received}, {others}
    FROM span
    JOIN figure_sum f ON f.tenant = $1 AND f.cut = $3 AND f.grain = span.grain AND f.starts_on = span.starts_on{conditions}
    GROUP BY 1, 2
), answer AS (
    SELECT u.label, key, {signed}
    FROM summed JOIN unnest($8::int[], $9::int[], $10::int[]) AS u(part, label, sign) USING (part)
    GROUP BY 1, 2
), stamp AS MATERIALIZED ( -- or it would be looked up for each row
    {_STAMP}
)
SELECT stamp.*, answer.* FROM stamp LEFT JOIN answer ON true"""


async def ask(connection: "DriverConnection", tenant: Tenant, question: Question) -> Answer:
    """Answer a question, from one snapshot."""
    rows = await _rows(connection, tenant, question)
    return answer_of(Stamp(*rows[0][:6]), _labelled(rows, len(question.pieces)))


async def counted(connection: "DriverConnection", tenant: Tenant, question: Question) -> list[Counts]:
    """What a question adds up, before it is an answer: by label and key."""
    return _labelled(await _rows(connection, tenant, question), len(question.pieces))


async def _rows(connection: "DriverConnection", tenant: Tenant, question: Question) -> Sequence[Any]:
    spans = spans_of([(piece.from_on, piece.to_on) for piece in question.pieces])
    filters: dict[str, Any] = {
        "agencies": question.agencies,
        "procedures": question.procedures,
        "other_procedures": question.other_procedures,
        "channel": question.channel,
    }
    if question.rows is not None:
        filters |= {"rows": orjson.dumps(dict(question.rows)).decode(), "other_row": question.other_row}
    present = {name: filters.get(name) is not None for name in _SHAPE}
    statement = _statement(question.key, **present)
    given = [value for value in filters.values() if value is not None]
    return await connection.fetch(
        statement, tenant, DOSSIERS, question.cut, spans.past_until, *spans.rows, *spans.uses, *given
    )


async def read_stamp(connection: "DriverConnection", tenant: Tenant) -> Stamp:
    """How far the figures are."""
    rows = await connection.fetch(_STAMP, tenant, DOSSIERS)
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
    zero = [0] * len(SUMMED)
    before, *of_pieces = by_label
    answers: list[dict[str | None, Sums]] = [{} for _ in of_pieces]
    whole: dict[str | None, Sums] = {}
    for key in {TOTAL, *(key for counts in by_label for key in counts)}:
        within, overdue, paused = opening = before.get(key, zero)[-3:]
        for counts, answer in zip(of_pieces, answers, strict=True):
            values = counts.get(key, zero)
            carried_over = within + overdue
            within, overdue, paused = within + values[-3], overdue + values[-2], paused + values[-1]
            answer[key] = _sums(values, carried_over, within, overdue, paused)
        if len(of_pieces) == 1:
            whole[key] = answers[0][key]
        else:
            flows = [sum(column) for column in zip(zero, *(counts.get(key, zero) for counts in of_pieces), strict=True)]
            whole[key] = _sums(flows, opening[0] + opening[1], within, overdue, paused)
    return Answer(stamp, answers, whole)


def _sums(flows: Sequence[int], carried_over: int, within: int, overdue: int, paused: int) -> Sums:
    """``flows`` begins like `SUMMED`; by position, because a table has one for each row."""
    online, direct, postal, early, on_time, late, withdrawn, stopped, *_ = flows
    return Sums(
        received_online=online,
        received_direct=direct,
        received_postal=postal,
        carried_over=carried_over,
        resolved_early=early,
        resolved_on_time=on_time,
        resolved_late=late,
        withdrawn=withdrawn,
        stopped=stopped,
        within=within,
        overdue=overdue,
        paused=paused,
    )
