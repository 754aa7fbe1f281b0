"""Who a key stands for, remembered for at most a second: a revoked key is refused everywhere within that time."""

import asyncio
import hashlib
import hmac
import time
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.access.store import keys, tenants
from shared.access.store.keys import Permission
from shared.database.engine import driver_session
from shared.settings import LOCAL_TENANT, Settings
from shared.vocabulary.events import AgencyCode, Tenant

REMEMBERED_SECONDS: Final = 1.0
_MOST_REMEMBERED: Final = 10_000
DEVELOPMENT_KEY_ID: Final = "development"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. ``agency`` is the root of the subtree that the caller may see; None: the whole tenant."""

    tenant: Tenant
    key_id: str
    scopes: frozenset[Permission]
    agency: AgencyCode | None

    def may(self, scope: Permission) -> bool:
        """Whether the caller has this scope; ``admin`` implies all."""
        return scope in self.scopes or Permission.ADMIN in self.scopes

    @property
    def has_whole_province(self) -> bool:
        """Whether the key is of the whole tenant: without a subtree, or with that of the tenant's own root."""
        return self.agency is None or self.agency == AgencyCode(self.tenant)


class KeyRing:
    """Looks keys up, once a second for each key in use; only what was found is remembered."""

    def __init__(self, engine: AsyncEngine, settings: Settings) -> None:
        self._engine = engine
        development_key = settings.dev_key.get_secret_value()
        self._development_key = b"" if settings.listens_beyond_loopback else development_key.encode()
        self._local_tenant_made = False
        self._known: dict[bytes, tuple[Caller, float]] = {}
        self._held: dict[tuple[Tenant, str], float] = {}
        self._asked: dict[bytes, asyncio.Task[Caller | None]] = {}

    def remembered(self, token: str) -> Caller | None:
        """The caller that this key stands for, if it was looked up within the last second."""
        known = self._known.get(hashlib.sha256(token.encode()).digest())
        return known[0] if known is not None and known[1] > time.monotonic() else None

    async def holds(self, caller: Caller) -> bool:
        """Whether the key of somebody who was let in has not been revoked since."""
        if caller.key_id == DEVELOPMENT_KEY_ID:
            return True
        holder, now = (caller.tenant, caller.key_id), time.monotonic()
        if self._held.get(holder, 0.0) <= now:
            async with driver_session(self._engine) as connection:
                if not await keys.valid(connection, caller.tenant, [caller.key_id]):
                    return False
            if len(self._held) >= _MOST_REMEMBERED:
                self._held.clear()
            self._held[holder] = now + REMEMBERED_SECONDS
        return True

    async def caller(self, token: str) -> Caller | None:
        """The caller that this key stands for; None if it is unknown or revoked."""
        known = self.remembered(token)
        if known is not None:
            return known
        digest = hashlib.sha256(token.encode()).digest()
        task = self._asked.get(digest)
        if task is None:
            task = asyncio.create_task(self._look_up(token, digest))
            self._asked[digest] = task
            task.add_done_callback(lambda _: self._asked.pop(digest, None))
        # many requests may wait for one look-up; the end of one of them must not end it
        return await asyncio.shield(task)

    async def _look_up(self, token: str, digest: bytes) -> Caller | None:
        looked_up_at = time.monotonic()
        caller = await self._find(token)
        if len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()
        if caller is None:
            self._known.pop(digest, None)
        else:
            self._known[digest] = (caller, looked_up_at + REMEMBERED_SECONDS)
        return caller

    async def _find(self, token: str) -> Caller | None:
        if self._development_key and hmac.compare_digest(token.encode(), self._development_key):
            await self._make_local_tenant()
            return Caller(Tenant(LOCAL_TENANT), DEVELOPMENT_KEY_ID, frozenset({Permission.ADMIN}), None)
        async with driver_session(self._engine) as connection:
            key = await keys.find(connection, token)
        return None if key is None else Caller(key.tenant, key.key_id, key.scopes, key.agency)

    async def _make_local_tenant(self) -> None:
        if not self._local_tenant_made:
            async with driver_session(self._engine) as connection:
                await tenants.create(connection, LOCAL_TENANT)
            self._local_tenant_made = True
