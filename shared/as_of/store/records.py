"""The records of a register as they stood at a position of the log, or as they are.

A stored row that has seen no event after the position is what stood then; the others are folded from their events up to it.
"""

from collections.abc import Sequence
from typing import Final

import orjson

from shared.database.engine import DriverConnection
from shared.database.pace import Pace
from shared.events.store import record_events
from shared.events.store.record_events import OF_REGISTER
from shared.observability import failure_of, get_logger
from shared.projection.rules.records import fold_record
from shared.projection.rules.register_projections import PROJECTIONS
from shared.projection.store.records import row_of
from shared.registers.measures import Known
from shared.vocabulary.events import Tenant

_PAGE: Final = 500
SLICE: Final = 200
"""So many records are made before other tasks of the process have a turn."""

_STORED: Final = """
SELECT code, agency, facts::text, anomalies FROM record
WHERE tenant = $1 AND register = $2 AND ($3::bigint IS NULL OR position <= $3)"""

# set aside: the stored row stands for fewer events than there are
_OTHERWISE: Final = f"""
SELECT code FROM record WHERE tenant = $1 AND register = $2 AND position > $3
UNION SELECT code FROM record_failure WHERE tenant = $1 AND register = $2
UNION SELECT dossier_code FROM event_log
WHERE tenant = $1 AND position <= $3 AND {OF_REGISTER.format("$2::text")}
  AND position > (SELECT coalesce(max(position), 0) FROM projection_cursor WHERE tenant = $1 AND projection = $4)"""


async def records_at(
    connection: DriverConnection, tenant: Tenant, register: str, position: int | None, pace: Pace
) -> dict[str, Known]:
    """The records by code, in a transaction of one snapshot; ``position`` None: as they are stored."""
    otherwise: set[str] = set()
    if position is not None:
        projection = PROJECTIONS[register].register.projection
        rows = await connection.fetch(_OTHERWISE, tenant, register, position, projection)
        otherwise = {row[0] for row in rows}
    found: dict[str, Known] = {}
    work = pace.begin()
    for number, row in enumerate(await connection.fetch(_STORED, tenant, register, position), start=1):
        if row["code"] not in otherwise:
            found[row["code"]] = Known(row["code"], row["agency"], orjson.loads(row["facts"]), row["anomalies"])
        if number % SLICE == 0:
            await work.rest()
    pending = sorted(otherwise)
    for start in range(0, len(pending), _PAGE):
        found.update(await _folded(connection, tenant, register, pending[start : start + _PAGE], position))
        await work.rest()
    return found


async def _folded(
    connection: DriverConnection, tenant: Tenant, register: str, codes: Sequence[str], position: int | None
) -> dict[str, Known]:
    found: dict[str, Known] = {}
    histories = await record_events.histories(connection, tenant, register, codes, position)
    for code, events in histories.items():
        try:
            record = fold_record(PROJECTIONS[register], code, events)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one record, the others are answered
            get_logger().error("record_not_folded", tenant=tenant, register=register, code=code, **failure_of(error))
            continue
        # through the row, so that facts are JSON as stored ones are
        facts = orjson.loads(row_of(code, events[-1].position, record).facts)
        found[code] = Known(code, record.agency, facts, list(record.anomalies))
    return found
