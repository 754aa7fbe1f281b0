"""Personal data as people see it: masked for whoever may see the dossier, whole only with a right and a written purpose.

The functions here are the only way from the table ``applicant`` to a person (rules, section 10).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final
from uuid import uuid4

from shared.database.engine import DriverConnection
from shared.vocabulary.events import DossierCode, Event, RecordEvent, Tenant
from shared.vocabulary.voids import Identity

_SHOWN_DIGITS: Final = 3
_HIDDEN: Final = "***"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Who reads whose data, and what for."""

    dossier_code: DossierCode
    reader: str
    purpose: str
    request_id: str


@dataclass(frozen=True, slots=True)
class ApplicantData:
    """What is known of an applicant; None: not told, or de-identified."""

    name: str | None = None
    id_type: str | None = None
    id_number: str | None = None
    phone: str | None = None
    email: str | None = None
    address: str | None = None


_COLUMNS: Final = ", ".join(f"a.{field.name}" for field in fields(ApplicantData))

# One statement: the reading is on disk before anything is answered, and nothing is read without it.
_RECORDED: Final = """
WITH reading AS (
    INSERT INTO applicant_reading (tenant, reading_id, dossier_code, reader, purpose, request_id)
    VALUES ($1, $5, $2, $6, $7, $8) RETURNING read_at
)"""
_READ: Final = f"""{_RECORDED}
SELECT {_COLUMNS} FROM reading
LEFT JOIN applicant a ON a.tenant = $1 AND a.dossier_code = $2 AND a.source = $3 AND a.id = $4
"""
_READ_TEXTS: Final = f"""{_RECORDED}
SELECT a.source, a.id, a.texts FROM reading CROSS JOIN unnest($3::text[], $4::text[]) AS e(source, id)
JOIN applicant a ON a.tenant = $1 AND a.dossier_code = $2 AND a.source = e.source AND a.id = e.id
WHERE a.texts IS NOT NULL
"""
_LOOK: Final = f"SELECT {_COLUMNS} FROM applicant a WHERE tenant = $1 AND dossier_code = $2 AND source = $3 AND id = $4"


async def read(connection: DriverConnection, tenant: Tenant, reading: Reading, event: Event | None) -> ApplicantData:
    """The data that ``event`` brought, the reading recorded first. Outside a transaction: recorded means committed.

    The caller has checked the right to it. None: the dossier's events brought none; the attempt is recorded all the same.
    """
    row = await connection.fetchrow(
        _READ,
        tenant,
        reading.dossier_code,
        None if event is None else event.source,
        None if event is None else event.id,
        uuid4().hex,
        reading.reader,
        reading.purpose,
        reading.request_id,
    )
    return ApplicantData(*row) if row is not None else ApplicantData()


async def read_texts(
    connection: DriverConnection, tenant: Tenant, reading: Reading, events: Sequence[RecordEvent]
) -> Mapping[Identity, Mapping[str, Any]]:
    """The personal fields of a record's events by their identity, the reading recorded first; all else as `read` says."""
    rows = await connection.fetch(
        _READ_TEXTS,
        tenant,
        reading.dossier_code,
        [event.source for event in events],
        [event.id for event in events],
        uuid4().hex,
        reading.reader,
        reading.purpose,
        reading.request_id,
    )
    return {(row["source"], row["id"]): row["texts"] for row in rows}


async def masked(connection: DriverConnection, tenant: Tenant, event: Event | None) -> ApplicantData:
    """The data that ``event`` brought so that nobody is recognised: initials, last three digits; no e-mail, no address."""
    if event is None:
        return ApplicantData()
    row = await connection.fetchrow(_LOOK, tenant, event.dossier_code, event.source, event.id)
    if row is None:
        return ApplicantData()
    return ApplicantData(
        name=initials(row["name"]),
        id_type=row["id_type"],
        id_number=last_digits(row["id_number"]),
        phone=last_digits(row["phone"]),
        email=None if row["email"] is None else _HIDDEN,
        address=None if row["address"] is None else _HIDDEN,
    )


def initials(name: str | None) -> str | None:
    """The initials of a name: ``Nguyễn Văn An`` is ``N.V.A.``."""
    return None if name is None else "".join(f"{word[0].upper()}." for word in name.split())


def last_digits(number: str | None) -> str | None:
    """A number with all but its last three characters hidden; a short one hidden whole."""
    if number is None:
        return None
    return _HIDDEN + (number[-_SHOWN_DIGITS:] if len(number) > 2 * _SHOWN_DIGITS else "")
