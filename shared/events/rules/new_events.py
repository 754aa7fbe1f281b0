"""A validated event on its way into the log."""

from datetime import datetime
from typing import Final, NamedTuple

from shared.vocabulary.events import EventName, RecordEventName

APPLICANT: Final = "applicant"
APPLICANT_FIELDS: Final = ("name", "id_type", "id_number", "phone", "email", "address")
TEXTS: Final = "texts"
"""Where the personal fields stand that are not the applicant's, as one JSON text by their names."""


class NewEvent(NamedTuple):
    """A validated event on its way into the log.

    ``data`` is canonical JSON text without personal data; ``applicant`` holds the personal data, if the event carries
    any, as ``{field: text}`` with the names of ``APPLICANT_FIELDS`` and `TEXTS`; ``content_hash`` covers all of it.
    """

    source: str
    id: str
    name: EventName | RecordEventName
    subject: str
    time: datetime
    data: str
    content_hash: bytes
    applicant: dict[str, str] | None = None
