"""What comparisons with the portal found: its own list against our ledger, and the differences kept (raw asyncpg)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from shared.database.engine import DriverConnection
from shared.sync.rules.reconciliation import DifferenceKind
from shared.sync.store.comparison import Settled
from shared.sync.store.steps import StepKey
from shared.vocabulary.events import DossierCode, Tenant

EXAMPLES_KEPT: Final = 100
"""So many differences stand in a job's result; the list has them all."""


@dataclass(frozen=True, slots=True)
class ReportedDifferences:
    """A dossier of which nothing is under way, with the steps that the portal acknowledged: by key, the officer's text.

    ``body_hash``: of the body that it acknowledged; None: not known for certain.
    """

    settled: Settled
    steps: Mapping[StepKey, str]
    body_hash: bytes | None


# What was acknowledged only after the list was asked for may not be in it.
_TOLD: Final = """
SELECT l.dossier_code, l.fence, l.dossier_position AS position, l.dossier_body_hash,
       l.state = 'sent' AND l.known_there AND l.acknowledged_at < $3
           AND coalesce(bool_and(s.acknowledged_at < $3), true) AS settled,
       coalesce(jsonb_agg(jsonb_build_array(s.happened_at, s.status, s.staff, s.officer))
                FILTER (WHERE s.acknowledged_at IS NOT NULL), '[]') AS steps
FROM sync_ledger l
LEFT JOIN sync_step s ON s.tenant = l.tenant AND s.dossier_code = l.dossier_code AND s.dossier_code = ANY($2::text[])
WHERE l.tenant = $1 AND l.dossier_code = ANY($2::text[])
GROUP BY l.tenant, l.dossier_code
"""


async def read_reported(
    connection: DriverConnection, tenant: Tenant, codes: Sequence[str], before: datetime
) -> dict[DossierCode, ReportedDifferences | None]:
    """What we reported to the portal of ``codes`` before an instant; None for one under way, no entry: not known here."""
    found: dict[DossierCode, ReportedDifferences | None] = {}
    for row in await connection.fetch(_TOLD, tenant, codes, before):
        steps = {
            (datetime.fromisoformat(happened_at), status, staff): officer
            for happened_at, status, staff, officer in row["steps"]
        }
        settled = Settled(row["dossier_code"], row["position"], row["fence"])
        found[row["dossier_code"]] = (
            ReportedDifferences(settled, steps, row["dossier_body_hash"]) if row["settled"] else None
        )
    return found


async def keep(
    connection: DriverConnection,
    tenant: Tenant,
    job_id: str,
    found: Sequence[tuple[str, DifferenceKind, str]],
    now: datetime,
) -> None:
    """Keep differences (code, kind, detail) that sending again does not repair."""
    rows = sorted(found)
    await connection.execute(
        "INSERT INTO sync_difference (tenant, job_id, dossier_code, kind, detail, found_at, reopened)"
        " SELECT $1, $2, code, kind, detail, $6, false"
        " FROM unnest($3::text[], $4::text[], $5::text[]) AS f(code, kind, detail)"
        " ON CONFLICT DO NOTHING",
        tenant,
        job_id,
        [code for code, _, _ in rows],
        [kind.value for _, kind, _ in rows],
        [detail for _, _, detail in rows],
        now,
    )


@dataclass(frozen=True, slots=True)
class Found:
    """What one comparison has found so far: dossiers by kind, those sent again, the fields that differed."""

    kinds: Mapping[DifferenceKind, int]
    reopened: int
    fields: Mapping[str, int]


_FOUND: Final = """
SELECT kind, count(*) AS dossiers, count(*) FILTER (WHERE reopened) AS reopened
FROM sync_difference WHERE tenant = $1 AND job_id = $2 GROUP BY kind
"""

_FIELDS: Final = """
SELECT field, count(*) AS dossiers
FROM sync_difference d, unnest(string_to_array(d.detail, ', ')) AS field
WHERE d.tenant = $1 AND d.job_id = $2 AND d.kind IN ('status_differs', 'dates_differ', 'content_differs')
GROUP BY field ORDER BY field
"""


async def found_by(connection: DriverConnection, tenant: Tenant, job_id: str) -> Found:
    """Count what a comparison has found."""
    rows = await connection.fetch(_FOUND, tenant, job_id)
    fields = await connection.fetch(_FIELDS, tenant, job_id)
    return Found(
        {DifferenceKind(row["kind"]): row["dossiers"] for row in rows},
        sum(row["reopened"] for row in rows),
        {row["field"]: row["dossiers"] for row in fields},
    )


# Repaired is what was sent again and is acknowledged since, with all its steps.
_PAGE: Final = """
SELECT x.dossier_code, min(x.found_at) AS found_at, coalesce(l.state, 'unknown') AS state,
       jsonb_agg(jsonb_build_object('kind', x.kind, 'detail', x.detail,
                                    'repaired', x.reopened AND coalesce(l.state = 'sent', false)) ORDER BY x.kind) AS found
FROM sync_difference x
LEFT JOIN sync_ledger l ON l.tenant = x.tenant AND l.dossier_code = x.dossier_code
WHERE x.tenant = $1 AND x.job_id = $2 AND ($3::text IS NULL OR x.kind = $3) AND x.dossier_code > $4
  AND ($5::text[] IS NULL OR EXISTS (SELECT FROM dossier d WHERE d.tenant = $1 AND d.code = x.dossier_code
                                       AND d.agency = ANY($5)))
GROUP BY x.dossier_code, l.state ORDER BY x.dossier_code LIMIT $6
"""


async def page(
    connection: DriverConnection,
    tenant: Tenant,
    job_id: str,
    *,
    kind: DifferenceKind | None = None,
    agencies: Sequence[str] | None = None,
    after: str = "",
    limit: int = EXAMPLES_KEPT,
) -> list[dict[str, Any]]:
    """The dossiers that a comparison found to differ, by code, each with its differences (kind, detail, repaired).

    ``agencies``: only dossiers that one of these has now (None: all).
    """
    return [dict(row) for row in await connection.fetch(_PAGE, tenant, job_id, kind, after, agencies, limit)]


_NEWEST: Final = """
SELECT job_id FROM job
WHERE tenant = $1 AND kind = 'reconcile' AND state IN ('running', 'done')
  AND NOT parameters ?| ARRAY['dossiers', 'error', 'from']
ORDER BY created_at DESC, job_id DESC LIMIT 1
"""


async def newest_whole(connection: DriverConnection, tenant: Tenant) -> str | None:
    """The job of the newest comparison of everything that has begun."""
    found: str | None = await connection.fetchval(_NEWEST, tenant)
    return found


async def prune(connection: DriverConnection, tenant: Tenant, *, before: datetime, limit: int = 10_000) -> int:
    """Forget differences found before ``before``, at most ``limit``; how many were forgotten."""
    tag = await connection.execute(
        "WITH old AS MATERIALIZED (SELECT job_id, dossier_code, kind FROM sync_difference"
        " WHERE tenant = $1 AND found_at < $2 ORDER BY found_at LIMIT $3 FOR UPDATE SKIP LOCKED)"
        " DELETE FROM sync_difference x USING old"
        " WHERE x.tenant = $1 AND x.job_id = old.job_id AND x.dossier_code = old.dossier_code AND x.kind = old.kind",
        tenant,
        before,
        limit,
    )
    return int(tag.rpartition(" ")[2])
