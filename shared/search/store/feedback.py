"""Which feedback: filters and pages over the projected records."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

import orjson

from shared.access.store.visibility import any_of
from shared.database.engine import DriverConnection
from shared.events.rules.registers import FEEDBACK
from shared.registers.measures import Known
from shared.vocabulary.events import Tenant


class FeedbackSort(StrEnum):
    """What a list is ordered by, and then by code."""

    SENT_AT = "sent_at"
    RECEIVED_AT = "received_at"
    CODE = "code"


class Mark(NamedTuple):
    """Where a page ended: the value that the list is ordered by, and the code."""

    value: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackFilter:
    """None: any. ``overdue_clock``: the last day on which the clock of an overdue one began, "" if that is not known."""

    agencies: Collection[str] | None
    kind: str | None = None
    state: str | None = None
    route: str | None = None
    about_dossier: str | None = None
    is_overdue: bool | None = None
    overdue_clock: str = ""


_FACT: Final = "coalesce(facts ->> '{}', '') COLLATE \"C\""
_KEYS: Final = {
    FeedbackSort.SENT_AT: _FACT.format("sent_at"),
    FeedbackSort.RECEIVED_AT: _FACT.format("received_at"),
    FeedbackSort.CODE: "''::text",
}
_CODE: Final = 'code COLLATE "C"'

# overdue is the figure of that name: received, not handled, not waiting, and the answer term has passed
_CHOSEN: Final = f"""
FROM record WHERE tenant = $1 AND register = '{FEEDBACK.name}'
  AND ($2::text[] IS NULL OR agency = ANY($2))
  AND ($3::text IS NULL OR coalesce(facts ->> 'kind', 'unknown') = $3)
  AND ($4::text IS NULL OR facts ->> 'state' = $4)
  AND ($5::text IS NULL OR facts ->> 'route' = $5)
  AND ($6::text IS NULL OR facts ->> 'about_dossier' = $6)
  AND ($7::bool IS NULL OR $7 = (facts ->> 'state' = 'open' AND facts ->> 'received_at' IS NOT NULL
                                 AND (facts -> 'standing' ->> 3) <= $8) IS TRUE)"""


def _values(tenant: Tenant, chosen: FeedbackFilter) -> list[Any]:
    texts = (chosen.kind, chosen.state, chosen.route, chosen.about_dossier)
    return [tenant, any_of(chosen.agencies), *texts, chosen.is_overdue, chosen.overdue_clock]


def _known(row: Any) -> Known:
    return Known(row["code"], row["agency"], orjson.loads(row["facts"]), row["anomalies"])


async def page(
    connection: DriverConnection,
    tenant: Tenant,
    chosen: FeedbackFilter,
    order: tuple[FeedbackSort, bool],
    after: Mark | None,
    *,
    limit: int,
) -> tuple[list[Known], Mark | None]:
    """Records in an order (by what, whether downwards) after a mark, and the mark of the next page, if there is one."""
    sort, is_downwards = order
    key, direction, beyond = _KEYS[sort], "DESC" if is_downwards else "ASC", "<" if is_downwards else ">"
    rows = await connection.fetch(
        f"""
        SELECT code, agency, facts::text AS facts, anomalies, {key} AS key {_CHOSEN}
          AND ($9::text IS NULL OR ({key}, {_CODE}) {beyond} ($9, $10::text))
        ORDER BY {key} {direction}, {_CODE} {direction} LIMIT $11
        """,
        *_values(tenant, chosen),
        None if after is None else after.value,
        None if after is None else after.code,
        limit + 1,
    )
    shown = rows[:limit]
    mark = Mark(shown[-1]["key"], shown[-1]["code"]) if len(rows) > limit else None
    return [_known(row) for row in shown], mark


async def owing(connection: DriverConnection, tenant: Tenant, chosen: FeedbackFilter) -> list[tuple[str, str, str]]:
    """Of the chosen that owe a deed: code, deed, and the day on which its term began."""
    rows = await connection.fetch(
        f"SELECT code, facts -> 'owes' ->> 0, facts -> 'owes' ->> 1 {_CHOSEN} AND facts ->> 'owes' IS NOT NULL",
        *_values(tenant, chosen),
    )
    return [(row[0], row[1], row[2]) for row in rows]


async def of_codes(connection: DriverConnection, tenant: Tenant, codes: list[str]) -> list[Known]:
    """The records of these codes that there are, in this order."""
    rows = await connection.fetch(
        f"""
        SELECT code, agency, facts::text AS facts, anomalies FROM record
        WHERE tenant = $1 AND register = '{FEEDBACK.name}' AND code = ANY($2::text[])
        ORDER BY array_position($2::text[], code)
        """,
        tenant,
        codes,
    )
    return [_known(row) for row in rows]
