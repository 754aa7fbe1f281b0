"""The limits that decisions give procedures, read from the log."""

from typing import Final

from shared.calendar.rules.almanac import Limits
from shared.database.engine import DriverConnection
from shared.events.rules.registers import CATALOGUE
from shared.events.store import record_events
from shared.projection.store import record_cursor
from shared.registers.catalogue.limits import DecidedLimits
from shared.vocabulary.events import Tenant


class StoredLimits:
    """Those of each tenant, read again when an event about a decision came."""

    def __init__(self) -> None:
        self._kept: Final[dict[Tenant, tuple[int, Limits]]] = {}

    async def of(self, connection: DriverConnection, tenant: Tenant, newest: int) -> Limits | None:
        """``newest``: the position of the last event about a decision."""
        kept = self._kept.get(tenant)
        if kept is None or kept[0] != newest:
            codes = await record_cursor.codes_told(connection, tenant, CATALOGUE)
            histories = await record_events.histories(connection, tenant, CATALOGUE.name, codes)
            kept = self._kept[tenant] = (newest, DecidedLimits(histories))
        return kept[1]
