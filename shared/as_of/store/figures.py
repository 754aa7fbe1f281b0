"""Period figures as they stood at a position of the log (contract, section 4: ``as_of``).

Sums are linear: what was counted then is what the sums say now, less what the dossiers that may differ count for now, plus
what they counted for then. The first two come from one snapshot, the third from the log, which never changes.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import date
from typing import Final

import asyncpg

from shared.as_of.store.dossiers import Cells, DossierThen, PointInTime, add_counts
from shared.counting.rules.figure_definitions import FIGURES, Flow, Stock
from shared.counting.rules.question import Key, Question
from shared.counting.store.answers import TOTAL, Answer, Counts, Stamp, answer_of, counted
from shared.counting.store.statement import STORED_FIGURES
from shared.counting.store.sums import COUNTED_COLUMNS, day_cells_sql
from shared.database.engine import DriverConnection
from shared.database.tables import MEASURES
from shared.vocabulary.events import Channel, DossierCode
from shared.vocabulary.projections import DOSSIERS

SLICE: Final = 300
"""So many computed dossiers are looked at before other tasks of the process have a turn."""


def _places(channel: Channel | None) -> tuple[tuple[int, int], ...]:
    """From which of `MEASURES` to which of `STORED_FIGURES` the counts of a channel go; None: of every channel."""
    counted = ((FIGURES[figure].counted, place) for place, figure in enumerate(STORED_FIGURES))
    return tuple(
        (MEASURES.index(one.measure), place)
        for one, place in counted
        if (isinstance(one, Flow) and one.channel is channel) or (isinstance(one, Stock) and channel is None)
    )


_ANY_CHANNEL: Final = _places(None)
_OF_CHANNEL: Final = {channel.value: (*_places(channel), *_ANY_CHANNEL) for channel in Channel}
_KEY_PLACES: Final = {Key.AGENCY: 0, Key.PROCEDURE: 1, Key.CHANNEL: 2}

_STORED_CELLS: Final = f"""
WITH counting AS (SELECT -1 AS sign, {COUNTED_COLUMNS} FROM dossier WHERE tenant = $1 AND code = ANY($2::text[]))
{day_cells_sql("counting")}"""

# A dossier set aside may be counted anew without a move of the cursor: then its failure is gone or has one more attempt.
_STATE: Final = """
SELECT now() AS answered_at, coalesce(c.position, 0) AS position, coalesce(c.corrections, 0) AS corrections,
       ARRAY(SELECT dossier_code || ' ' || attempts FROM projection_failure WHERE tenant = $1 ORDER BY 1) AS failures,
       (SELECT count(*) FROM seen_agency WHERE tenant = $1) AS seen_agencies
FROM (SELECT 1) one LEFT JOIN projection_cursor c ON c.tenant = $1 AND c.projection = $2"""

_PRESENT_AGENCIES: Final = """
SELECT code, position, agency FROM dossier WHERE tenant = $1 AND code = ANY($2::text[])"""


async def ask(
    connection: DriverConnection, past: PointInTime, question: Question, visible: Collection[str] | None = None
) -> Answer:
    """Answer a question as of the past's position.

    In a transaction of one snapshot, after `shared.as_of.store.dossiers.missing` named nothing more. ``visible``: the
    agencies that a dossier must have *now* to be counted, None: any.
    """
    # both before the first await: another question may compute more dossiers meanwhile
    codes = stored_elsewhere(past)
    cells = None if visible is not None else {cell: list(counts) for cell, counts in past.cells.items()}
    by_label: list[Counts] = [{} for _ in range(len(question.pieces) + 1)]
    if cells is not None:
        await _add(past, by_label, question, cells)
    state = await connection.fetchrow(_STATE, past.tenant, DOSSIERS)
    assert state is not None
    if cells is None:
        assert visible is not None
        await _add(past, by_label, question, await _visible_cells(connection, past, set(visible)))
    if not past.whole:
        now = _now(question, visible)
        await _add(past, by_label, now, await _stored_cells(connection, past, codes, tuple(state)[1:4]))
        _add_counts(by_label, await counted(connection, past.tenant, now))
    return answer_of(_stamp(past, state), by_label)


async def stamp_of(connection: DriverConnection, past: PointInTime) -> Stamp:
    """The point of the log that a past stands for."""
    state = await connection.fetchrow(_STATE, past.tenant, DOSSIERS)
    assert state is not None
    return _stamp(past, state)


def _stamp(past: PointInTime, state: asyncpg.Record) -> Stamp:
    prefix = past.prefix
    waiting_since = prefix.recorded_at if past.failed else None
    return Stamp(
        state["answered_at"], prefix.position, prefix.recorded_at, prefix.position, waiting_since, state["seen_agencies"]
    )


def stored_elsewhere(past: PointInTime) -> list[DossierCode]:
    """The dossiers whose stored row does not stand for them: they are computed."""
    return list(past.folded - past.failed)


async def visible_dossiers(
    connection: DriverConnection, past: PointInTime, visible: Collection[str] | None
) -> list[DossierThen]:
    """The computed dossiers that have an agency of ``visible`` now; None: all."""
    folded = dict(past.dossiers)
    if visible is None:
        return list(folded.values())
    rows = await connection.fetch(_PRESENT_AGENCIES, past.tenant, list(folded))
    stored = {row["code"]: row for row in rows}
    found: list[DossierThen] = []
    work = past.pace.begin()
    for number, (code, dossier) in enumerate(folded.items(), start=1):
        if number % SLICE == 0:
            await work.rest()
        row = stored.get(code)
        # the projection may be behind the position
        behind = row is None or row["position"] < dossier.row.position
        if (dossier.row.agency if behind or row is None else row["agency"]) in visible:
            found.append(dossier)
    return found


def counted_by(question: Question) -> Callable[[DossierThen], bool]:
    """Whether the question counts a dossier, if any of its figures does."""
    agencies = None if question.agencies is None else frozenset(question.agencies)
    procedures = None if question.procedures is None else frozenset(question.procedures)
    others = frozenset(question.other_procedures or ())

    def is_counted(dossier: DossierThen) -> bool:
        row = dossier.row
        return (
            (agencies is None or row.agency in agencies)
            and (procedures is None or row.procedure in procedures)
            and row.procedure not in others
            and (question.channel is None or row.channel == question.channel)
        )

    return is_counted


def _now(question: Question, visible: Collection[str] | None) -> Question:
    """The question to what is stored: there the agency then is the agency now."""
    if visible is None:
        return question
    agencies = visible if question.agencies is None else set(question.agencies) & set(visible)
    return replace(question, agencies=sorted(agencies), cover=None)


async def _visible_cells(connection: DriverConnection, past: PointInTime, visible: Collection[str]) -> Cells:
    cells: Cells = {}
    found = await visible_dossiers(connection, past, visible)
    work = past.pace.begin()
    for number, dossier in enumerate(found, start=1):
        if number % SLICE == 0:
            await work.rest()
        add_counts(cells, dossier)
    return cells


async def _stored_cells(
    connection: DriverConnection, past: PointInTime, codes: Sequence[DossierCode], state: tuple[object, ...]
) -> Cells:
    """What the stored rows of ``codes`` count for, negative; remembered until the projection moves."""
    at = (*state, len(codes))  # dossiers are only ever added
    if past.stored is None or past.stored[0] != at:
        rows = await connection.fetch(_STORED_CELLS, past.tenant, codes)
        past.stored = (at, {tuple(row[:4]): list(row[4:]) for row in rows})
    return past.stored[1]


async def _add(past: PointInTime, by_label: Sequence[Counts], question: Question, cells: Cells) -> None:
    """Add the cells that the question counts, each to its piece and key."""
    begins = [piece.from_on for piece in question.pieces]
    last: date = question.pieces[-1].to_on
    agencies = None if question.agencies is None else frozenset(question.agencies)
    procedures = None if question.procedures is None else frozenset(question.procedures)
    others = frozenset(question.other_procedures or ())
    work = past.pace.begin()
    for number, (cell, counts) in enumerate(cells.items(), start=1):
        if number % SLICE == 0:
            await work.rest()
        agency, procedure, channel, day = cell
        if (
            day > last
            or (agencies is not None and agency not in agencies)
            or (procedures is not None and procedure not in procedures)
            or procedure in others
            or (question.channel is not None and channel != question.channel)
        ):
            continue
        values = [0] * len(STORED_FIGURES)
        for source, target in _OF_CHANNEL.get(channel, _ANY_CHANNEL):
            values[target] = counts[source]
        room = by_label[bisect_right(begins, day)]
        _add_values(room, TOTAL, values)
        if question.key is not None:
            _add_values(room, question.row_of(str(cell[_KEY_PLACES[question.key]])), values)


def _add_counts(by_label: Sequence[Counts], more: Sequence[Counts]) -> None:
    for room, counts in zip(by_label, more, strict=True):
        for key, values in counts.items():
            _add_values(room, key, values)


def _add_values(room: Counts, key: str | None, values: Sequence[int]) -> None:
    known = room.setdefault(key, [0] * len(STORED_FIGURES))
    for place, value in enumerate(values):
        known[place] += value
