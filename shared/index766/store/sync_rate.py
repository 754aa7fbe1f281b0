"""Indicator 1.4 as it stands now, by the definition of the index: what the portal holds of the dossiers received."""

from datetime import datetime
from typing import Final

from shared.database.engine import DriverConnection
from shared.figures.store.tables import FigureScope
from shared.index766.rules.indicators import Share
from shared.index766.store.counts import denominator_of
from shared.index766.store.given_figures import given_for
from shared.index766.store.looking import Conditions, Window
from shared.sync.store.held import SYNCED
from shared.vocabulary.periods import Period

_RECEIVED: Final = f"""
SELECT count(*) AS received, count(*) FILTER (WHERE {SYNCED}) AS synced
FROM dossier d LEFT JOIN sync_ledger l ON l.tenant = d.tenant AND l.dossier_code = d.code
WHERE d.tenant = $1 AND d.received_at >= $2 AND d.received_at < $3"""


async def sync_rate(connection: DriverConnection, scope: FigureScope, covered: Period, now: "datetime") -> Share:
    """The share of a scope that the index gives for 1.4; ``covered`` is the period as it was asked."""
    tenant = scope.access.tenant
    where = Conditions(scope)

    async def received(period: Period) -> tuple[int, int]:
        window = Window.of(period, now)
        row = await connection.fetchrow(_RECEIVED + where.sql(4), tenant, window.begin, window.until, *where.values)
        assert row is not None
        return row["received"], row["synced"]

    async def received_in(period: Period) -> int:
        return (await received(period))[0]

    own, synced = await received(scope.period)
    given = await given_for(connection, tenant, scope.top, covered)
    return Share(synced, await denominator_of(scope.period, own, given, received_in))
