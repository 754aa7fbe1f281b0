"""The numbers that stand for codes in ``figure_sum``, and the branches that agencies are added up in."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from shared.counting.rules.branches import CodeKind, branches_of
from shared.database.engine import DriverConnection
from shared.vocabulary.events import Tenant

STRAY: Final = "#"
"""Before a number that no code has, in place of a code: only a mistake can have written it, and it is to be found."""


_Named = tuple[CodeKind, str]


async def give_numbers(
    connection: DriverConnection, tenant: Tenant, agencies: Iterable[str | None], procedures: Iterable[str | None]
) -> None:
    """See that every one of these codes, and every branch of the agencies, has a number. Under the cursor's lock."""
    wanted_agencies = {agency for agency in agencies if agency and not agency.startswith(STRAY)}
    wanted: set[_Named] = {(CodeKind.BRANCH, branch) for agency in wanted_agencies for branch in branches_of(agency)}
    wanted |= {(CodeKind.AGENCY, agency) for agency in wanted_agencies}
    wanted |= {(CodeKind.PROCEDURE, code) for code in procedures if code and not code.startswith(STRAY)}
    if not wanted:
        return
    numbers = await _numbers(connection, tenant, wanted)
    missing = sorted(wanted - numbers.keys())
    if not missing:
        return
    last = await connection.fetchval("SELECT coalesce(max(number), 0) FROM figure_code WHERE tenant = $1", tenant)
    numbers |= {named: number for number, named in enumerate(missing, start=last + 1)}
    branches = {
        code: [numbers[CodeKind.BRANCH, branch] for branch in branches_of(code)]
        for kind, code in missing
        if kind is CodeKind.AGENCY
    }
    await _insert(
        connection,
        tenant,
        {(kind, code): (numbers[kind, code], branches[code] if kind is CodeKind.AGENCY else []) for kind, code in missing},
    )


async def counted_procedures(connection: DriverConnection, tenant: Tenant) -> list[str]:
    """The codes of all procedures that some dossier has had, as events told them."""
    rows = await connection.fetch(
        f"SELECT code FROM figure_code WHERE tenant = $1 AND kind = '{CodeKind.PROCEDURE}' ORDER BY code", tenant
    )
    return [row["code"] for row in rows]


async def mend(connection: DriverConnection, tenant: Tenant) -> bool:
    """See that every agency is in the branches that its code says; answer whether one was not. Under the cursor's lock."""
    rows = await connection.fetch("SELECT kind, code, number, branches FROM figure_code WHERE tenant = $1", tenant)
    agencies = {row["code"]: row["branches"] for row in rows if row["kind"] == CodeKind.AGENCY}
    known = {row["code"] for row in rows if row["kind"] == CodeKind.BRANCH}
    missing = sorted({branch for agency in agencies for branch in branches_of(agency)} - known)
    last = max((row["number"] for row in rows), default=0)
    numbers = {row["code"]: row["number"] for row in rows if row["kind"] == CodeKind.BRANCH}
    numbers |= {branch: number for number, branch in enumerate(missing, start=last + 1)}
    wrong = {
        agency: right
        for agency, branches in agencies.items()
        if (right := [numbers[branch] for branch in branches_of(agency)]) != branches
    }
    await _insert(connection, tenant, {(CodeKind.BRANCH, branch): (numbers[branch], []) for branch in missing})
    for agency, branches in wrong.items():
        await connection.execute(
            f"UPDATE figure_code SET branches = $3 WHERE tenant = $1 AND kind = '{CodeKind.AGENCY}' AND code = $2",
            tenant,
            agency,
            branches,
        )
    return bool(missing or wrong)


async def _insert(connection: DriverConnection, tenant: Tenant, fresh: Mapping[_Named, tuple[int, Sequence[int]]]) -> None:
    if fresh:
        await connection.execute(
            """
            INSERT INTO figure_code (tenant, kind, code, number, branches)
            SELECT $1, kind, code, number, branches::int[]
            FROM unnest($2::text[], $3::text[], $4::int[], $5::text[]) AS given(kind, code, number, branches)
            """,
            tenant,
            [kind for kind, _ in fresh],
            [code for _, code in fresh],
            [number for number, _ in fresh.values()],
            ["{" + ",".join(map(str, branches)) + "}" for _, branches in fresh.values()],
        )


async def _numbers(connection: DriverConnection, tenant: Tenant, wanted: Iterable[_Named]) -> dict[_Named, int]:
    kinds, codes = zip(*wanted, strict=True)
    rows = await connection.fetch(
        """
        SELECT k.kind, k.code, k.number FROM unnest($2::text[], $3::text[]) AS wanted(kind, code)
        CROSS JOIN LATERAL (
            SELECT kind, code, number FROM figure_code
            WHERE tenant = $1 AND kind = wanted.kind AND code = wanted.code OFFSET 0
        ) AS k
        """,
        tenant,
        kinds,
        codes,
    )
    return {(CodeKind(row[0]), row[1]): row[2] for row in rows}


def lacks_number_sql(kind: CodeKind, column: str) -> str:
    """SQL: whether ``column`` is a code without a number, for tenant ``$1``."""
    return f"({column} <> '' AND {column} NOT IN (SELECT code FROM figure_code WHERE tenant = $1 AND kind = '{kind}'))"


def _number_sql(column: str, numbers: str) -> str:
    return (
        f"CASE WHEN {column} = '' THEN 0 WHEN starts_with({column}, '{STRAY}') THEN substr({column}, 2)::int"
        f" ELSE {numbers}.number END"
    )


def _code_sql(column: str, codes: str) -> str:
    return f"CASE WHEN {column} = 0 THEN '' ELSE coalesce({codes}.code, '{STRAY}' || {column}) END"


def with_numbers_sql(relation: str, others: str) -> str:
    """SQL: ``relation`` with numbers for the codes in its columns agency and procedure, and the columns ``others``.

    A code that has none becomes null, which ``figure_sum`` refuses: nothing is left out in silence.
    """
    return f"""
SELECT {_number_sql("given.agency", "a")} AS agency, {_number_sql("given.procedure", "p")} AS procedure, {others}
FROM {relation} given
LEFT JOIN figure_code a ON a.tenant = $1 AND a.kind = '{CodeKind.AGENCY}' AND a.code = given.agency
LEFT JOIN figure_code p ON p.tenant = $1 AND p.kind = '{CodeKind.PROCEDURE}' AND p.code = given.procedure"""


def with_codes_sql(relation: str, others: str) -> str:
    """SQL: ``relation`` with codes for the numbers in its columns agency and procedure, and the columns ``others``."""
    return f"""
SELECT {_code_sql("stored.agency", "a")} AS agency, {_code_sql("stored.procedure", "p")} AS procedure, {others}
FROM {relation} stored
LEFT JOIN figure_code a ON a.tenant = $1 AND a.number = stored.agency AND a.kind = '{CodeKind.AGENCY}'
LEFT JOIN figure_code p ON p.tenant = $1 AND p.number = stored.procedure AND p.kind = '{CodeKind.PROCEDURE}'"""
