"""Keys of callers: opaque, made here, shown once, kept as a hash.

A key reads ``mc_<tenant>_<key id>_<secret>``. The secret has 192 random bits, so one round of SHA-256 over the whole key is
a sufficient hash at rest: there is nothing to guess.
"""

import hashlib
import hmac
import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

import asyncpg

from shared.database.clock import database_now
from shared.database.engine import DriverConnection
from shared.vocabulary.codes import is_agency_code, is_old_agency_code, present_form, tenant_of_agency
from shared.vocabulary.errors import InvalidInput
from shared.vocabulary.events import AgencyCode, Tenant

_PREFIX: Final = "mc"
_PARTS: Final = 4
_KEY_ID_BYTES: Final = 6
_SECRET_BYTES: Final = 24
_LONGEST: Final = 200


class Permission(StrEnum):
    """What a key may do; ``admin`` implies the others."""

    EVENTS_WRITE = "events:write"
    DOSSIERS_READ = "dossiers:read"
    APPLICANTS_READ = "applicants:read"
    STATS_READ = "stats:read"
    SYNC_MANAGE = "sync:manage"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is kept. ``agency`` is the root of the subtree that it may see; None: the whole tenant."""

    tenant: Tenant
    key_id: str
    label: str
    scopes: frozenset[Permission]
    agency: AgencyCode | None
    created_at: datetime
    revoked_at: datetime | None


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _parse(token: str) -> tuple[str, str] | None:
    parts = token.split("_", _PARTS - 1)
    if len(token) > _LONGEST or len(parts) != _PARTS or parts[0] != _PREFIX or not token.isascii() or "\0" in token:
        return None
    return parts[1], parts[2]


async def create(
    connection: DriverConnection, tenant: Tenant, scopes: Iterable[Permission], *, agency: str | None = None, label: str = ""
) -> str:
    """Make a key and answer it: the only moment at which it is known.

    Raises:
        InvalidInput: the agency is not one of the tenant, or the tenant does not exist, or no scope is named.
    """
    granted = sorted({Permission(scope) for scope in scopes})
    if not granted:
        raise InvalidInput.of("/scopes", "missing", "at least one scope")
    root = None
    if agency is not None:
        if not (is_agency_code(agency) or is_old_agency_code(agency)) or tenant_of_agency(agency) != tenant:
            raise InvalidInput.of("/agency", "agency_tenant", f"an agency code of tenant {tenant}, such as {tenant}.12")
        root = present_form(agency)
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM tenant WHERE tenant = $1)", tenant):
        raise InvalidInput.of("/tenant", "tenant_unknown", f"a tenant that exists; create {tenant} first")
    key_id = secrets.token_hex(_KEY_ID_BYTES)
    token = f"{_PREFIX}_{tenant}_{key_id}_{secrets.token_hex(_SECRET_BYTES)}"
    await connection.execute(
        "INSERT INTO api_key (tenant, key_id, key_hash, label, scopes, agency) VALUES ($1, $2, $3, $4, $5, $6)",
        tenant,
        key_id,
        _hash(token),
        label,
        [scope.value for scope in granted],
        root,
    )
    return token


_COLUMNS: Final = "tenant, key_id, label, scopes, agency, created_at, revoked_at"


async def find(connection: DriverConnection, token: str) -> ApiKey | None:
    """The valid key that ``token`` is; None if it is malformed, unknown, or revoked."""
    parsed = _parse(token)
    if parsed is None:
        return None
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS}, key_hash FROM api_key WHERE tenant = $1 AND key_id = $2 AND revoked_at IS NULL", *parsed
    )
    if row is None or not hmac.compare_digest(row["key_hash"], _hash(token)):
        return None
    return _key_of(row)


async def valid(connection: DriverConnection, tenant: Tenant, key_ids: Collection[str]) -> set[str]:
    """Those of these keys that are not revoked."""
    rows = await connection.fetch(
        "SELECT key_id FROM api_key WHERE tenant = $1 AND key_id = ANY($2::text[]) AND revoked_at IS NULL",
        tenant,
        list(key_ids),
    )
    return {row["key_id"] for row in rows}


async def of_tenant(connection: DriverConnection, tenant: Tenant) -> list[ApiKey]:
    """Every key of the tenant, revoked ones too, oldest first."""
    rows = await connection.fetch(f"SELECT {_COLUMNS} FROM api_key WHERE tenant = $1 ORDER BY created_at, key_id", tenant)
    return [_key_of(row) for row in rows]


async def revoke(connection: DriverConnection, tenant: Tenant, key_id: str) -> bool:
    """Revoke a key; answer whether there is one. Every API process refuses it within a second."""
    found = await connection.fetchval(
        "UPDATE api_key SET revoked_at = coalesce(revoked_at, $3) WHERE tenant = $1 AND key_id = $2 RETURNING key_id",
        tenant,
        key_id,
        await database_now(connection),
    )
    return found is not None


def _key_of(row: asyncpg.Record) -> ApiKey:
    scopes = frozenset(Permission(scope) for scope in row["scopes"])
    return ApiKey(
        Tenant(row["tenant"]), row["key_id"], row["label"], scopes, row["agency"], row["created_at"], row["revoked_at"]
    )
