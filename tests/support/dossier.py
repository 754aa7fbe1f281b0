"""One dossier's history as an agency tells it over HTTP."""

from __future__ import annotations

from typing import Any

from shared.access.store.keys import Permission
from tests.support.api import Served

CODE = "H51.12-260512-0003"
SOURCE = "urn:test"


def logged(number: int, name: str, time: str, **data: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": str(number),
        "source": SOURCE,
        "type": f"vn.motcua.dossier.{name}.v1",
        "subject": CODE,
        "time": time,
        "data": data,
    }


APPLICANT = {
    "kind": "citizen",
    "name": "Nguyễn Văn An",
    "id_type": "cccd",
    "id_number": "079012345678",
    "phone": "0901234567",
    "email": "an@example.vn",
    "address": "12 Lê Lợi",
}
HISTORY = [
    logged(
        1,
        "received",
        "2026-05-12T08:30:00+07:00",
        procedure_code="1.000001",
        agency_code="H51.12",
        channel="online",
        due_at="2026-05-20T17:00:00+07:00",
        applicant=APPLICANT,
    ),
    logged(2, "assigned", "2026-05-12T09:00:00+07:00", department="Phòng A1"),
    logged(3, "supplement_requested", "2026-05-13T09:00:00+07:00", content="Bản sao"),
    logged(4, "supplemented", "2026-05-15T09:00:00+07:00", new_due_at="2026-05-25T17:00:00+07:00"),
    logged(5, "assigned", "2026-05-16T09:00:00+07:00"),
    logged(6, "voided", "2026-05-16T10:00:00+07:00", event_id="5", event_source=SOURCE, reason="nhầm"),
]


async def tell(api: Served, events: list[dict[str, Any]]) -> None:
    writer = await api.key(Permission.EVENTS_WRITE)
    response = await writer.post("/v1/events", json=events, headers={"content-type": "application/cloudevents-batch+json"})
    assert response.status_code == 202, response.text
    assert response.json()["rejected"] == 0, response.text
