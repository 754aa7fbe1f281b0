"""Tenants: a province or ministry each, with the key of its content hashes and its counter of positions."""

import secrets

from shared.database.engine import DriverConnection
from shared.vocabulary.codes import is_tenant
from shared.vocabulary.errors import InvalidInput
from shared.vocabulary.events import Tenant

_CONTENT_KEY_BYTES = 32


async def create(connection: DriverConnection, code: str, name: str = "") -> bool:
    """Create the tenant with its position counter; answer whether it is new. Safe to repeat.

    Raises:
        InvalidInput: ``code`` is not a letter A-Y and two digits.
    """
    if not is_tenant(code):
        raise InvalidInput.of("/tenant", "tenant_pattern", "a letter A-Y and two digits, such as H51")
    made = await connection.fetchval(
        "INSERT INTO tenant (tenant, name, content_key) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING tenant",
        code,
        name or code,
        secrets.token_bytes(_CONTENT_KEY_BYTES),
    )
    # apart and unconditional: a first try may have ended between the two
    await connection.execute("INSERT INTO log_counter (tenant) VALUES ($1) ON CONFLICT DO NOTHING", code)
    return made is not None


async def content_key(connection: DriverConnection, tenant: Tenant) -> bytes:
    """The key by which the tenant's personal data enters content hashes; it never changes.

    Raises:
        LookupError: the tenant does not exist.
    """
    key = await connection.fetchval("SELECT content_key FROM tenant WHERE tenant = $1", tenant)
    if key is None:
        raise LookupError(f"tenant {tenant} does not exist")
    return bytes(key)


async def names(connection: DriverConnection) -> dict[Tenant, str]:
    rows = await connection.fetch("SELECT tenant, name FROM tenant ORDER BY tenant")
    return {Tenant(row["tenant"]): row["name"] for row in rows}
