"""The rows of ``dossier`` as they stood at a position of the log, for any statement that reads them.

A statement that reads ``dossier`` is run over a relation of that name: what is stored, without the dossiers that were
computed, and those as they stood then. So what a figure counts is written down once, for now and for any earlier instant.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from shared.as_of.store.dossiers import DossierThen, PointInTime, fold_dossiers
from shared.as_of.store.figures import SLICE, stored_elsewhere, visible_dossiers
from shared.database.engine import DriverConnection
from shared.dossiers.rules.anomalies import AnomalyCode
from shared.projection.store.dossier_rows import DossierRow, given_rows_sql
from shared.vocabulary.errors import InvalidInput
from shared.vocabulary.events import DossierCode

_NAMES: Final = ", ".join(DossierRow._fields)

BY_OTHERS: Final = frozenset({AnomalyCode.VOID_WAITING.value, AnomalyCode.VOID_ELSEWHERE.value})
"""Anomalies that change with events of other dossiers."""

_TOLD_BY_OTHERS: Final = """
SELECT code FROM dossier WHERE tenant = $1 AND anomalies && $2::text[]"""


MOST_TRAVELLING: Final = 100_000
"""A question of rows that would send more of them to the database is refused: seconds of writing them down alone."""


@dataclass(frozen=True, slots=True)
class PastRows:
    """What stands in place of the table: the stored rows (None: none) but those of ``elsewhere``, and ``columns``.

    ``agencies``: those that stored rows must have now, None: any. ``columns``: rows as they travel, column by column.
    """

    stored: bool
    elsewhere: Sequence[str]
    agencies: Sequence[str] | None
    columns: Sequence[Sequence[Any]]

    def over(self, statement: str, values: Sequence[Any]) -> tuple[str, list[Any]]:
        """``statement`` ($1: the tenant) and its parameters, such that ``dossier`` in it means these rows.

        It may have a WITH of its own, but none that is recursive.
        """
        parameters = list(values)
        parts: list[str] = []
        if self.stored:
            parameters.append(self.elsewhere)
            condition = f"NOT EXISTS (SELECT FROM unnest(${len(parameters)}::text[]) AS e(code) WHERE e.code = d.code)"
            if self.agencies is not None:
                parameters.append(self.agencies)
                condition += f" AND d.agency = ANY(${len(parameters)}::text[])"
            parts.append(f"SELECT tenant, {_NAMES} FROM dossier d WHERE d.tenant = $1 AND {condition}")
        parts.append(f"SELECT $1::text AS tenant, {_NAMES} FROM ({given_rows_sql(len(parameters) + 1)}) AS r")
        parameters.extend(self.columns)
        own = statement.strip()
        rest = f", {own.removeprefix('WITH ')}" if own.startswith("WITH ") else f" {own}"
        # not materialized: conditions reach the indexes
        return f"WITH dossier AS NOT MATERIALIZED ({' UNION ALL '.join(parts)}){rest}", parameters


async def rows_then(
    connection: DriverConnection,
    past: PointInTime,
    visible: frozenset[str] | None,
    may_count: Callable[[DossierThen], bool] | None = None,
) -> PastRows:
    """The rows as of a past, in a transaction of one snapshot for which it is computed.

    ``visible``: the agencies that a dossier must have *now*, None: any. ``may_count``: leaves out computed dossiers that
    the statement would not choose, so that they need not travel.

    Raises:
        InvalidInput: more than `MOST_TRAVELLING` would.
    """
    elsewhere = stored_elsewhere(past)
    chosen: list[DossierRow] = []
    found = await visible_dossiers(connection, past, visible)
    work = past.pace.begin()
    for number, one in enumerate(found, start=1):
        if number % SLICE == 0:
            await work.rest()
        if may_count is None or may_count(one):
            chosen.append(one.row)
    if len(chosen) > MOST_TRAVELLING:
        detail = f"at most {MOST_TRAVELLING} dossiers that were otherwise then and may count: a shorter period, or an agency"
        raise InvalidInput.of("/as_of", "too_much_changed", detail)
    columns = list(zip(*chosen, strict=True)) if chosen else [()] * len(DossierRow._fields)
    return PastRows(not past.whole, elsewhere, None if visible is None else sorted(visible), columns)


async def fetch(connection: DriverConnection, rows: PastRows | None, statement: str, *values: Any) -> "list[asyncpg.Record]":
    """Run a statement that reads ``dossier``: over the table itself, or over the rows of a past.

    It is planned for these very values: a statement that is kept gets one plan for all, after some runs.
    """
    parameters: Sequence[Any] = values
    if rows is not None:
        statement, parameters = rows.over(statement, values)
    prepared = await connection.prepare(statement, name="")
    return list(await prepared.fetch(*parameters))


async def fold_those_with_events_elsewhere(connection: DriverConnection, past: PointInTime) -> None:
    """Compute the dossiers whose anomalies may have been others though nothing was recorded of them since."""
    if past.whole:
        return
    rows = await connection.fetch(_TOLD_BY_OTHERS, past.tenant, sorted(BY_OTHERS))
    await fold_dossiers(connection, past, {DossierCode(row[0]) for row in rows} - past.folded)
