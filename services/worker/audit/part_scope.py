"""A part of an audit: all sums of some agencies and procedures, and the rows of the dossiers that may count in them.

The dossiers, by the log or by their row, are folded from all of their events, never computed by PostgreSQL; their rows and
the sums that they make up are compared with what is stored.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from services.worker.audit.recomputation import Judged, Remembered, store_wrong
from services.worker.projection.dossier_reading import fold_all
from services.worker.runtime.fail_points import FailPoints
from shared.audit.rules.plan import Part
from shared.audit.store import corrections, recount
from shared.audit.store.alarms import Finding, Recounted
from shared.database.engine import DriverConnection
from shared.projection.store import dossier_rows
from shared.projection.store.cursor import Cursor
from shared.projection.store.dossier_rows import DossierRow
from shared.vocabulary.events import DossierCode, Tenant

PAGE_DOSSIERS: Final = 300
MOST_FINDINGS: Final = 500
"""So many dossiers with a wrong row are kept one by one in an alarm, beside as many sums; of more only the number."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a part found; the part may have grown."""

    part: Part
    came: Recounted
    findings: Sequence[Finding]
    is_right: bool


@dataclass(frozen=True, slots=True)
class PartScope:
    """``from_on`` and ``to_on`` bound the sums that are compared, None: not at all."""

    tenant: Tenant
    part: Part
    seed: int
    from_on: date | None
    to_on: date | None
    faults: FailPoints

    async def compare(self, connection: DriverConnection, seen: Cursor) -> Look:
        """Compare rows, then sums; with a wrong row also the other sums in which it counts or should."""
        part, from_on, to_on = self.part, self.from_on, self.to_on
        while True:
            dossiers = await recount.candidates(connection, self.tenant, part, self.seed, seen.position)
            wrong, number = await self._compare_rows(connection, seen.position)
            if not number:
                break
            wider = part.with_scopes(*await recount.touched_by_wrong(connection, self.tenant))
            from_on = to_on = None
            if wider == part:
                break
            part = wider
            await corrections.clear(connection)
        compared, differing = await recount.compare(connection, self.tenant, part, from_on, to_on)
        findings = wrong + [
            Finding("sum", one.key, one.stored, one.recounted, one.dossiers, one.dossiers_total)
            for one in await recount.differences(connection, self.tenant)
        ]
        is_right = not number and not await recount.needs_correction(connection)
        return Look(part, Recounted(seen.position, compared, dossiers, differing, number), findings, is_right)

    async def _compare_rows(self, connection: DriverConnection, position: int) -> tuple[list[Finding], int]:
        """Fold every candidate and note what it should be; answer the first wrong ones and how many there are."""
        remembered = await Remembered.read(connection, self.tenant, agencies=True)
        findings: list[Finding] = []
        number = 0
        after: str | None = None
        while codes := await recount.candidates_after(connection, after, PAGE_DOSSIERS):
            after = codes[-1]
            stored = await dossier_rows.read(connection, self.tenant, codes)
            folded = await fold_all(connection, self.tenant, codes, position, self.faults)
            judged = remembered.judge(folded, stored, keeps_failing=True)
            await recount.note(connection, list(judged.right.values()), judged.wrong)
            number += len(judged.wrong)
            findings += list(_row_findings(judged.wrong[: MOST_FINDINGS - len(findings)], stored, judged))
            self.faults.passed("mid-audit")
        return findings, number

    async def correct(self, connection: DriverConnection, cursor: Cursor, found: Look) -> None:  # noqa: ARG002
        """Correct the sums and store the right rows, as noted in the connection's tables."""
        await corrections.correct_sums(connection, self.tenant)
        await store_wrong(connection, self.tenant, cursor.position, self.faults)
        await recount.remember_agencies(connection, self.tenant)
        await corrections.sweep(connection, self.tenant)


def row_difference(
    stored: DossierRow | None, recounted: DossierRow | None
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """The columns in which two rows of a dossier differ; all of them where there is one row only."""
    if stored is None or recounted is None:
        return (None if stored is None else stored._asdict()), (None if recounted is None else recounted._asdict())
    names = [name for name in DossierRow._fields if getattr(stored, name) != getattr(recounted, name)]
    return {name: getattr(stored, name) for name in names}, {name: getattr(recounted, name) for name in names}


def _row_findings(
    wrong: Sequence[DossierCode],
    stored: Mapping[DossierCode, DossierRow],
    judged: Judged,
) -> Iterator[Finding]:
    for code in wrong:
        was, should = row_difference(stored.get(code), judged.right.get(code))
        if lacks := judged.lacks.get(code):
            was = None if was is None else {**was, **dict.fromkeys(lacks)}
            should = {**(should or {}), **lacks}
        yield Finding("dossier", {"dossier": code}, was, should, [code], 1)
