"""Whether the embedded database has this very schema already: then a start need not load the migrations at all."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from deploy.local.servers.secret import write_private

_ASK_SECONDS = 5.0
_SOURCES = ("migrations", "shared/database")


@dataclass(frozen=True, slots=True)
class MigrationMark:
    """Remembers which sources the last migration ran from and which version it led to."""

    path: Path
    root: Path

    def is_current(self, owner_url: str) -> bool:
        """Whether the last migration ran from these sources, on this database."""
        try:
            held = json.loads(self.path.read_text())
        except (OSError, ValueError):
            return False
        return bool(held == self._state(owner_url))

    def write(self, owner_url: str) -> None:
        """Remember that a migration from these sources has just succeeded."""
        write_private(self.path, json.dumps(self._state(owner_url)) + "\n")

    def _state(self, owner_url: str) -> dict[str, str | None]:
        digest = hashlib.sha256((self.root / "alembic.ini").read_bytes())
        for source in _SOURCES:
            for file in sorted((self.root / source).rglob("*.py")):
                digest.update(file.as_posix().encode() + file.read_bytes())
        return {"sources": digest.hexdigest(), "version": asyncio.run(_version(owner_url))}


async def _version(url: str) -> str | None:
    link = await asyncpg.connect(url, timeout=_ASK_SECONDS)
    try:
        version: str | None = await link.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        return None
    finally:
        await link.close()
    return version
