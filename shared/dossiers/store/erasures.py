"""Persons are forgotten: what is known of them goes, that it was there and who took it out stays."""

from collections.abc import Sequence
from typing import Final
from uuid import uuid4

from shared.database.engine import DriverConnection
from shared.vocabulary.events import DossierCode, Tenant

_FORGET: Final = """
WITH erased AS (
    UPDATE applicant SET name = NULL, id_type = NULL, id_number = NULL, phone = NULL, email = NULL, address = NULL,
        texts = NULL
    WHERE tenant = $1 AND dossier_code = ANY($2::text[])
      AND num_nonnulls(name, id_type, id_number, phone, email, address, texts) > 0
    RETURNING dossier_code
)
INSERT INTO applicant_erasure (tenant, erasure_id, dossier_code, eraser, reason)
SELECT $1, c.erasure_id, c.code, $4, $5
FROM unnest($2::text[], $3::text[]) AS c(code, erasure_id)
WHERE c.code IN (SELECT dossier_code FROM erased)
RETURNING dossier_code"""


async def forget(
    connection: DriverConnection, tenant: Tenant, codes: Sequence[DossierCode], *, eraser: str, reason: str
) -> list[DossierCode]:
    """Forget the persons of these dossiers, and of records of other registers with these codes, and note it of each.

    Answers those of which something was known.
    """
    distinct = sorted(set(codes))
    ids = [uuid4().hex for _ in distinct]
    rows = await connection.fetch(_FORGET, tenant, distinct, ids, eraser, reason)
    return [DossierCode(row["dossier_code"]) for row in rows]
