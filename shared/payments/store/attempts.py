"""Attempts to pay as they are now: of a dossier, of an obligation, page by page (raw asyncpg).

One payment and those of one dossier are folded from the log, so that they are never older than what their readers have told;
others are as they are stored.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson

from shared.database.engine import DriverConnection
from shared.events.rules.registers import PAYMENT
from shared.projection.rules.records import fold_record
from shared.projection.rules.register_projections import PROJECTIONS
from shared.projection.store.records import row_of
from shared.registers.measures import Known
from shared.registers.payment.obligations import Obligation, obligations, receipts_twice
from shared.vocabulary.events import RecordEvent, Tenant

_OF_PAYMENTS: Final = f"r.tenant = $1 AND r.register = '{PAYMENT.name}'"


def known_of(code: str, events: list[RecordEvent]) -> Known:
    """A payment folded now, its facts as stored ones are."""
    record = fold_record(PROJECTIONS[PAYMENT.name], code, events)
    facts = orjson.loads(row_of(code, events[-1].position, record).facts)
    return Known(code, None, facts, list(record.anomalies))


def _known(row: Any) -> Known:
    return Known(row["code"], None, orjson.loads(row["facts"]), row["anomalies"])


def of_dossier(histories: Mapping[str, list[RecordEvent]], dossier_code: str) -> list[Known]:
    """The payments of a dossier, of all whose events name it, by the instant at which they began."""
    payments = (known_of(code, events) for code, events in histories.items())
    found = [one for one in payments if one.facts["dossier_code"] == dossier_code]
    return sorted(found, key=lambda one: (datetime.fromisoformat(one.facts["initiated_at"]), one.code))


class Company(NamedTuple):
    """What other payments say of some: their obligations, and which numbers of receipts stand on two payments."""

    obligations: Mapping[str, Obligation]
    twice: set[str]


async def company_of(connection: DriverConnection, tenant: Tenant, payments: Collection[Known]) -> Company:
    """The company of payments that are current; the others of their obligations are read as they are stored."""
    if not payments:
        return Company({}, set())
    wanted = {one.facts["obligation"] for one in payments} - {None}
    rows = await connection.fetch(
        f"SELECT r.code, r.facts::text, r.anomalies FROM record r WHERE {_OF_PAYMENTS}"
        " AND r.facts ->> 'obligation' = ANY($2)",
        tenant,
        list(wanted),
    )
    current = {row["code"]: _known(row) for row in rows} | {one.code: one for one in payments}
    mates = (one for one in current.values() if one.facts["obligation"] in wanted)
    return Company(obligations(mates), await _twice(connection, tenant, payments, current))


async def _twice(
    connection: DriverConnection, tenant: Tenant, payments: Iterable[Known], current: Mapping[str, Known]
) -> set[str]:
    numbers = {receipt["number"] for one in payments for receipt in one.facts["receipts"]}
    if not numbers:
        return set()
    rows = await connection.fetch(
        f"""
        SELECT r.code, r.facts::text, r.anomalies FROM unnest($2::text[]) AS named(number)
        JOIN record r ON {_OF_PAYMENTS}
          AND r.facts -> 'receipts' @> jsonb_build_array(jsonb_build_object('number', named.number))
        """,
        tenant,
        list(numbers),
    )
    holders = {row["code"]: _known(row) for row in rows} | dict(current)
    return receipts_twice(holders.values()) & numbers


class Filter(NamedTuple):
    """Which payments: None where any is meant. ``agencies``: that have the dossier now."""

    dossier: str | None = None
    line: str | None = None
    state: str | None = None
    may_be_double: bool | None = None
    agencies: Collection[str] | None = None


async def page(
    connection: DriverConnection, tenant: Tenant, asked: Filter, after: str, limit: int
) -> list[tuple[Known, str | None]]:
    """Payments by reference, after one, with the agency that has the dossier now.

    ``may_be_double``: those of obligations that two attempts paid, or all others; amounts decide for whoever asks.
    """
    rows = await connection.fetch(
        f"""
        WITH twice AS MATERIALIZED (
            SELECT r.facts ->> 'obligation' AS obligation FROM record r
            WHERE {_OF_PAYMENTS} AND $7::bool AND r.facts ->> 'paid_on' IS NOT NULL AND r.facts ->> 'obligation' IS NOT NULL
            GROUP BY 1 HAVING count(*) > 1
        )
        SELECT r.code, r.facts::text, r.anomalies, d.agency FROM record r
        LEFT JOIN dossier d ON d.tenant = $1 AND d.code = r.facts ->> 'dossier_code'
        WHERE {_OF_PAYMENTS} AND r.code > $2
          AND ($3::text IS NULL OR r.facts ->> 'dossier_code' = $3) AND ($4::text IS NULL OR r.facts ->> 'purpose' = $4)
          AND ($5::text IS NULL OR r.facts ->> 'state' = $5) AND ($6::text[] IS NULL OR d.agency = ANY($6))
          AND ($7::bool IS NOT TRUE OR r.facts ->> 'obligation' IN (SELECT obligation FROM twice))
        ORDER BY r.code LIMIT $8
        """,
        tenant,
        after,
        asked.dossier,
        asked.line,
        asked.state,
        None if asked.agencies is None else list(asked.agencies),
        asked.may_be_double,
        limit,
    )
    return [(_known(row), row["agency"]) for row in rows]
