"""Rows of the portal ledger in every state, and questions about them over HTTP."""

from __future__ import annotations

from random import Random
from typing import Any

from shared.database.engine import driver_session
from tests.support.api import Served, random_row

STATES = ["pending", "sent", "parked", "unsendable"]


async def load(api: Served) -> dict[str, tuple[str, str]]:
    """Dossiers in every state, at two agencies: by code (agency, state)."""
    random = Random(4)
    rows = [random_row(random, n, ["H51.12", "H51.13"], ["1.1"]) for n in range(1, 121)]
    rows = [row for row in rows if row.received_on is not None]
    await api.write(rows)
    standing = {str(row.code): (str(row.agency), STATES[n % 4]) for n, row in enumerate(rows)}
    async with driver_session(api.engine) as connection:
        for row in rows:
            state = standing[row.code][1]
            await connection.execute(
                "INSERT INTO sync_ledger (tenant, dossier_code, state, wanted_position, wanted_at, next_try_at, error_class,"
                " known_there, dossier_position) VALUES ('H51', $1, $2, $3, $4, $4, $5, $6, $7)",
                row.code,
                state,
                row.position,
                row.last_event_at,
                "rejected" if state == "parked" else None,
                state == "sent",
                row.position if state == "sent" else 0,
            )
    return standing


async def get(client: Any, path: str, **parameters: Any) -> dict[str, Any]:
    response = await client.get(path, params=parameters or None)  # none given: those in the path stand
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found
