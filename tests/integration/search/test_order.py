"""Lists of dossiers whose dates or codes are far from their reception: every one stands in its place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

from shared.access.store.keys import Permission
from shared.projection.store.dossier_rows import DossierRow
from tests.support.api import FIRST_DAY, Served, random_row
from tests.support.lists import AGENCIES, PROCEDURES, all_of, api, load

__all__ = ["api"]  # fixtures


async def test_dossiers_due_long_before_they_came_stand_in_their_place(api: Served) -> None:
    rows = await load(api, 120)
    odd = [
        row._replace(due_at=row.received_at - timedelta(days=400 + number), promised_at=None)
        for number, row in enumerate(row for row in rows if row.received_at is not None and row.due_at is not None)
        if number % 3 == 0 and row.received_at is not None
    ]
    await api.write(odd)
    changed = {row.code: row for row in (*rows, *odd)}.values()
    client = await api.key(Permission.DOSSIERS_READ)
    begin, end = datetime(2024, 12, 31, 17, tzinfo=UTC), datetime(2025, 1, 31, 17, tzinfo=UTC)
    for sort in ("-received_at", "received_at"):
        due = [row for row in changed if row.due_at is not None and row.due_at < end]
        assert any(row.received_at is not None and row.received_at > end for row in due)
        ordered = sorted(due, key=lambda row: (row.received_at, row.code), reverse=sort.startswith("-"))
        items = await all_of(client, sort=sort, limit=7, due_before="2025-02-01")
        assert [item["code"] for item in items] == [row.code for row in ordered]
    for sort in ("due_at", "-due_at"):
        received = [row for row in changed if row.received_at is not None and row.received_at >= begin]
        dated = [row for row in received if row.due_at is not None]
        assert any(row.due_at is not None and row.due_at < begin for row in dated)
        ordered = sorted(dated, key=lambda row: (row.due_at, row.code), reverse=sort.startswith("-"))
        items = await all_of(client, sort=sort, limit=7, received_from="2025-01-01")
        assert [item["code"] for item in items[: len(dated)]] == [row.code for row in ordered]
        assert len(items) == len(received)


async def test_dossiers_due_long_after_they_came_stand_in_their_place(api: Served) -> None:
    rows = await load(api, 150)
    odd = [
        row._replace(due_at=row.received_at + timedelta(days=(45, 59, 60, 61, 400)[number % 5]))
        for number, row in enumerate(row for row in rows if row.received_at is not None)
        if number % 3 == 0 and row.received_at is not None
    ]
    await api.write(odd)
    changed = {row.code: row for row in (*rows, *odd)}.values()
    client = await api.key(Permission.DOSSIERS_READ)
    begin, end = datetime(2024, 12, 31, 17, tzinfo=UTC), datetime(2025, 6, 30, 17, tzinfo=UTC)
    for dates in ({"received_to": "2025-06-30"}, {"received_from": "2025-01-01", "received_to": "2025-06-30"}):
        for sort in ("due_at", "-due_at"):
            received = [
                row
                for row in changed
                if row.received_at is not None and row.received_at < end and (len(dates) == 1 or row.received_at >= begin)
            ]
            dated = [row for row in received if row.due_at is not None]
            assert any(row.due_at is not None and row.due_at > end + timedelta(days=100) for row in dated)
            ordered = sorted(dated, key=lambda row: (row.due_at, row.code), reverse=sort.startswith("-"))
            items = await all_of(client, sort=sort, limit=7, **dates)
            assert [item["code"] for item in items[: len(dated)]] == [row.code for row in ordered]
            assert len(items) == len(received)


def coded(row: DossierRow, number: int) -> DossierRow:
    """The same with a code of another time than its reception, or of none."""
    received = row.received_on or FIRST_DAY
    days = [received + timedelta(days=days) for days in (0, -1, -31, -62, -400, 1, 40, 4_000)]
    dates = [*(f"{day:%y%m%d}" for day in days), *(f"{day:%Y%m%d}" for day in days)]
    dates += [f"{received:%y}0000", f"{received:%y%m}99", f"{received:%y}1399", "20221399", "19250301", "999999"]
    unit = ("H51.12", "H51.12.01", "000.00.12.H51")[number % 3]
    return row._replace(code=f"{unit}-{dates[number % len(dates)]}-{number:07d}")


PREFIXES = ("H51.12-", "H51.12-2", "H51.12-20", "H51.12-24", "H51.12-241", "H51.12-2024", "H51.12-202", "H51.12-2412")
MORE_PREFIXES = (
    "H51.12-202501",
    "H51.12-20250",
    "H51.12-2513",
    "H51.12-19",
    "H51.12-99",
    "H51.1",
    "000.00.12.H51-25",
    "H51.12.01-2",
)


async def test_dossiers_with_a_code_of_another_time_stand_in_their_place(api: Served) -> None:
    random = Random(7)
    made = [coded(random_row(random, n, AGENCIES, PROCEDURES), n) for n in range(1, 700)]
    await api.write(made)
    client = await api.key(Permission.DOSSIERS_READ)
    days = {f"{row.code.rpartition('-')[0]}-" for row in made}
    for prefix in (*PREFIXES, *MORE_PREFIXES, *sorted(days)[::23]):
        for sort in ("-received_at", "received_at"):
            chosen = [row for row in made if row.code.startswith(prefix)]
            dated = [row for row in chosen if row.received_at is not None]
            ordered = sorted(dated, key=lambda row: (row.received_at, row.code), reverse=sort.startswith("-"))
            items = await all_of(client, sort=sort, limit=29, q=prefix)
            assert [item["code"] for item in items[: len(dated)]] == [row.code for row in ordered], prefix
            assert len(items) == len(chosen)
    both = [row for row in made if row.code.startswith("H51.12-24") and row.due_at is not None]
    both = [row for row in both if row.due_at is not None and row.due_at < datetime(2024, 9, 30, 17, tzinfo=UTC)]
    items = await all_of(client, limit=5, q="H51.12-24", due_before="2024-10-01")
    ordered = sorted(both, key=lambda row: (row.received_at, row.code), reverse=True)
    assert [item["code"] for item in items] == [row.code for row in ordered]
