"""Which dossiers of a range of codes are stored otherwise than their events say: PostgreSQL finds the regular ones."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from shared.database.engine import DriverConnection
from shared.events.store.event_log import OF_DOSSIERS
from shared.projection.store.dossier_rows import DossierRow
from shared.projection.store.sql_rows import PathOutcomes, given_path_outcomes_sql, histories_sql, regular_rows_sql
from shared.vocabulary.events import DossierCode, Tenant


@dataclass(frozen=True, slots=True)
class Codes:
    """The dossiers with ``after`` < code <= ``until`` (None: to the end), in the database's order of codes.

    ``after`` "" is before every code.
    """

    after: str
    until: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """What was found in a range.

    ``wrong``: regular dossiers whose row is wrong or missing; ``bogus``: rows of dossiers without any event; ``others``: the
    dossiers that are left to the fold.
    """

    events: int
    dossiers: int
    wrong: list[DossierCode]
    bogus: list[DossierCode]
    others: list[DossierCode]


_EVENTS: Final = f"""
SELECT dossier_code, position, recorded_at, source, id, name, time, data FROM event_log
WHERE tenant = $1 AND dossier_code > $2 AND ($3::text IS NULL OR dossier_code <= $3) AND position <= $4
  AND {OF_DOSSIERS}"""


def _of(relation: str) -> str:
    return ", ".join(f"{relation}.{column}" for column in DossierRow._fields[1:])


_COMPARE: Final = f"""
WITH known AS MATERIALIZED ({histories_sql(_EVENTS)}), course AS MATERIALIZED ({given_path_outcomes_sql(6)}),
met AS MATERIALIZED (
    SELECT coalesce(r.code, d.code) AS code, r.events, r.path, r.code IS NULL AS is_bogus,
           r.code IS NOT NULL AND (NOT r.is_regular OR r.code = ANY($5::text[])) AS is_other,
           ({_of("r")}) IS DISTINCT FROM ({_of("d")}) AS differs
    FROM ({regular_rows_sql("known", "course")}) AS r
    FULL JOIN (SELECT * FROM dossier WHERE tenant = $1 AND code >= $2 AND (code > $2 OR $2 = '')
               AND ($3::text IS NULL OR code <= $3)) AS d ON d.code = r.code
)
SELECT coalesce(sum(events), 0)::bigint AS events, count(*) FILTER (WHERE NOT is_bogus) AS dossiers,
       coalesce(array_agg(code) FILTER (WHERE differs AND NOT is_other AND NOT is_bogus), '{{}}') AS wrong,
       coalesce(array_agg(code) FILTER (WHERE is_bogus), '{{}}') AS bogus,
       coalesce(array_agg(code) FILTER (WHERE is_other), '{{}}') AS others,
       coalesce(array_agg(DISTINCT path) FILTER (WHERE is_other), '{{}}') AS other_paths
FROM met
"""


async def compare(
    connection: DriverConnection,
    tenant: Tenant,
    codes: Codes,
    position: int,
    *,
    known_paths: PathOutcomes,
    to_fold: Collection[DossierCode] = (),
) -> Found:
    """Compare a range by its events up to ``position``. Those of ``to_fold`` are left to the fold whatever they are.

    Raises:
        asyncpg.DataError: the events hold a value that PostgreSQL cannot read: all must be left to the fold.
    """
    while True:
        arguments = (tenant, codes.after, codes.until, position, list(to_fold), *known_paths.arguments())
        row = await connection.fetchrow(_COMPARE, *arguments)
        assert row is not None
        if not known_paths.learn(row["other_paths"]):
            return Found(row["events"], row["dossiers"], row["wrong"], row["bogus"], row["others"])
