"""Which records of a register are to be recounted: by the log or by their row, so that rows of nothing are found too."""

from typing import Final

from shared.audit.rules.plan import Bucket
from shared.audit.store.recount import HASH
from shared.database.engine import DriverConnection
from shared.events.store.record_events import OF_REGISTER
from shared.vocabulary.events import Tenant

_KNOWN: Final = f"""
SELECT code FROM record WHERE tenant = $1 AND register = $2
UNION SELECT dossier_code FROM event_log WHERE tenant = $1 AND {OF_REGISTER.format("$2::text")}"""

_IN_BUCKET: Final = f"SELECT code FROM ({_KNOWN}) AS known WHERE {HASH.format('code', 0)} % $4::bigint = $3::bigint"


async def codes(connection: DriverConnection, tenant: Tenant, register: str, bucket: Bucket) -> list[str]:
    """The register's records in a bucket, by code."""
    found = await connection.fetch(f"{_IN_BUCKET} ORDER BY code", tenant, register, bucket.number, bucket.of)
    return [row[0] for row in found]


async def count(connection: DriverConnection, tenant: Tenant, register: str) -> int:
    """How many records have a row."""
    return int(
        await connection.fetchval("SELECT count(*) FROM record WHERE tenant = $1 AND register = $2", tenant, register)
    )


async def sums_count(connection: DriverConnection, tenant: Tenant, register: str) -> int:
    """How many sums the register has."""
    found = await connection.fetchval(
        "SELECT count(*) FROM record_sum WHERE tenant = $1 AND register = $2", tenant, register
    )
    return int(found)
