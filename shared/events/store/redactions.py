"""Texts are taken out of recorded events: by the owner of the database, noted, and without a change of what identifies them.

An event keeps its position, its identity and the hash of what was told: told again it is a duplicate, as before. A redaction
keeps the hash of what is left, so that each event of the log is still what its hash says, or what a redaction says.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

import orjson

from shared.database.engine import DriverConnection
from shared.events.cloudevents.decoding import content_hash_of
from shared.events.cloudevents.registered import personal_fields
from shared.events.rules.new_events import APPLICANT
from shared.events.rules.personal_text import TEXT_FIELDS
from shared.events.store import event_log
from shared.events.store.event_log import AnyEvent
from shared.vocabulary.errors import InvalidInput, NotFound
from shared.vocabulary.events import Tenant

REDACTED: Final = "[đã xóa]"
REDACTABLE: Final = frozenset({*TEXT_FIELDS, "department", "officer"})
"""The fields of data without which an event is still the same step."""

_CHANGE: Final = "UPDATE event_log SET data = $3::jsonb WHERE tenant = $1 AND position = $2"
_EMPTY: Final = """
UPDATE applicant SET texts = nullif(texts - $5::text[], '{}')
WHERE tenant = $1 AND dossier_code = $2 AND source = $3 AND id = $4"""
_NOTE: Final = """
INSERT INTO event_redaction (tenant, redaction_id, position, fields, redactor, reason, content_hash)
VALUES ($1, $2, $3, $4, $5, $6, $7)"""
_HASHES: Final = """
SELECT l.position, l.content_hash,
       (SELECT r.content_hash FROM event_redaction r WHERE r.tenant = $1 AND r.position = l.position
        ORDER BY r.redacted_at DESC LIMIT 1) AS left_hash
FROM event_log l WHERE l.tenant = $1 AND l.position > $2 ORDER BY l.position LIMIT $3"""


@dataclass(frozen=True, slots=True)
class Redaction:
    """Which fields of which event are taken out, by whom and why."""

    source: str
    id: str
    fields: Collection[str]
    redactor: str
    reason: str


async def redact(connection: DriverConnection, tenant: Tenant, asked: Redaction) -> int:
    """Take texts out of an event, and note it; answer its position. In a transaction, as the owner.

    A text that stands in the table of personal data is taken out there; the log keeps its digest.

    Raises:
        NotFound: there is no such event.
        InvalidInput: it has no such text.
    """
    event = await event_log.find(connection, tenant, asked.source, asked.id)
    if event is None:
        raise NotFound
    texts = {name for name in REDACTABLE if isinstance(event.data.get(name), str)}
    apart = {name for name in personal_fields(event.name.type) if name in event.data and name != APPLICANT}
    texts |= apart
    if not asked.fields or not texts.issuperset(asked.fields):
        raise InvalidInput.of("/field", "no_text", f"one of {', '.join(sorted(texts)) or 'none: the event has no text'}")
    if emptied := apart.intersection(asked.fields):
        await connection.execute(_EMPTY, tenant, event.subject, event.source, event.id, sorted(emptied))
    data = {**event.data, **dict.fromkeys(set(asked.fields) - apart, REDACTED)}
    await connection.execute(_CHANGE, tenant, event.position, orjson.dumps(data).decode())
    note = (uuid4().hex, event.position, sorted(asked.fields), asked.redactor, asked.reason, content_hash_of(event, data))
    await connection.execute(_NOTE, tenant, *note)
    return event.position


async def changed_events(connection: DriverConnection, tenant: Tenant, events: list[AnyEvent]) -> list[AnyEvent]:
    """Those of consecutive events of the log that are neither what was told nor what a redaction left of it."""
    if not events:
        return []
    rows = await connection.fetch(_HASHES, tenant, events[0].position - 1, len(events))
    hashes = {row["position"]: row["left_hash"] or row["content_hash"] for row in rows}
    return [event for event in events if content_hash_of(event, event.data) != hashes[event.position]]
