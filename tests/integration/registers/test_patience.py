"""Figures of registers are counted from a whole province within their snapshot, for longer than others may rest in one."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from shared.database.engine import DriverConnection
from shared.register_figures.store.worlds import Worlds
from tests.support.registers.served_payments import admin, api

__all__ = ["admin", "api"]  # fixtures


async def test_a_snapshot_that_is_counted_from_is_not_cut_off(
    admin: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed: list[str] = []
    read = Worlds.read

    async def asked(self: Worlds, connection: DriverConnection, *more: Any) -> Any:
        allowed.append(await connection.fetchval("SHOW idle_in_transaction_session_timeout"))
        return await read(self, connection, *more)

    monkeypatch.setattr(Worlds, "read", asked)
    assert (await admin.get("/v1/stats/post", params={"period": "2022"})).status_code == 200
    assert allowed == ["1min"]
