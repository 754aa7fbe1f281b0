"""A province with dossiers at several agencies, and an `admin` key of one subtree of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from services.worker.projection.record_projector import RecordProjector
from shared.projection.rules.register_projections import PROJECTIONS
from shared.vocabulary.events import DossierCode, Tenant
from tests.support.api import H51, Served
from tests.support.events import event
from tests.support.projection import project

TREE = [
    {"code": "H51", "name": "UBND tỉnh"},
    {"code": "H51.12", "name": "Sở A", "parent": "H51"},
    {"code": "H51.12.01", "name": "Phòng A1", "parent": "H51.12"},
    {"code": "H51.12.02", "name": "Phòng A2", "parent": "H51.12", "valid_to": "2025-06-30", "successors": ["H51.12.01"]},
    {"code": "H51.13", "name": "Sở B", "parent": "H51", "aliases": ["000.00.13.H51"]},
    {"code": "H51.13.01", "name": "Phòng B1", "parent": "H51.13"},
    {"code": "H51.30", "name": "Huyện K", "parent": "H51", "valid_to": "2025-06-30", "successors": ["H51.12.01"]},
]
AGENCIES = [
    *["H51.12"] * 2,
    *["H51.12.01"] * 3,
    "H51.12.02",
    "H51.30",
    *["H51.13"] * 4,
    *["H51.13.01"] * 5,
    *["H51.99", "H51.30.77"],
]
OWN = 7
"""Of the dossiers those that a key of H51.12 sees: its own, and what passed to H51.12.01."""
OWN_DOSSIER = DossierCode("H51.12-180102-00001")
FOREIGN_DOSSIER = DossierCode("H51.13-180102-00008")


@dataclass
class Province:
    """The API, a key of the whole province and one of H51.12, both with every scope."""

    api: Served
    whole: httpx.AsyncClient
    admin: httpx.AsyncClient

    async def visible(self, client: httpx.AsyncClient) -> set[str]:
        """The codes of all dossiers that a key sees."""
        self.api.app.state.context.catalogues.forget(Tenant("H51"))
        page = (await client.get("/v1/dossiers", params={"limit": 100})).json()
        assert page["next_cursor"] is None
        return {item["code"] for item in page["items"]}

    async def written(self) -> dict[str, Any]:
        """What the province has told of itself, as anybody may read it."""
        paths = ("/v1/agencies", "/v1/procedures", "/v1/calendar", "/v1/office-hours", "/v1/indices/766/inputs")
        return {path: (await self.whole.get(path)).json() for path in paths}


def received(number: int, agency: str) -> dict[str, Any]:
    unit = ".".join(agency.split(".")[:2])
    logged = event("received", subject=f"{unit}-180102-{number:05}")
    return logged | {"data": {"procedure_code": "1.005129", "agency_code": agency, "channel": "direct"}}


async def province_of(api: Served) -> Province:
    whole = await api.key()
    assert (await whole.put("/v1/agencies", json=TREE)).status_code == 200
    events = [received(number, agency) for number, agency in enumerate(AGENCIES, 1)]
    assert (await whole.post("/v1/events", json=events)).json()["accepted"] == len(AGENCIES)
    await project(api.engine)
    for projection in PROJECTIONS.values():
        while await RecordProjector(api.engine, projection).work(H51):
            pass
    return Province(api, whole, await api.key(agency="H51.12"))
