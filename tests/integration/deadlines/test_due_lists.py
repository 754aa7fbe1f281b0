"""Open dossiers by due date, and how many there are of each age, on a real database."""

from collections import Counter

from shared.calendar.store.stored_almanacs import read_almanac
from shared.database.engine import driver_session
from shared.deadlines.rules.ageing import Ageing, DueRange, Office, ageing_ranges
from shared.deadlines.store.open_by_due_date import counts_by_agency, open_by_due_date
from tests.support.clock import TODAY, code, days_ago, engine, logged
from tests.support.projection import TENANT, append, project

__all__ = ["engine"]  # fixtures


async def test_open_dossiers_by_due_date(engine):
    offsets = [-30, -8, -1, 0, 1, 2, 9]
    await append(
        engine,
        [logged("received", number, days_ago(40), due_at=days_ago(-offset)) for number, offset in enumerate(offsets)],
    )
    await append(engine, [logged("received", 50, days_ago(40)), logged("received", 51, days_ago(40), due_at=days_ago(9))])
    await append(engine, [logged("received", 52, days_ago(40), due_at=days_ago(9), agency_code="H51.01")])
    await append(engine, [logged("processed", 51, days_ago(1), outcome="approved")])
    await append(engine, [logged("received", 53, days_ago(40), due_at=days_ago(9))])
    await append(engine, [logged("supplement_requested", 53, days_ago(20), content="x")])
    await project(engine)
    async with driver_session(engine) as link:
        calendar = (await read_almanac(link, TENANT)).calendar(None)
        ranges = ageing_ranges(TODAY, calendar)
        offices = [Office(None, {bucket.value: due for bucket, due in ranges.items()})]
        by_agency = await counts_by_agency(link, TENANT, offices, today=TODAY)
        counts = sum(map(Counter, by_agency.values()), Counter())
        assert sum(counts.values()) == 9
        assert (counts[Ageing.NOT_DUE], counts[Ageing.DUE_TODAY], counts[Ageing.LATE_OVER_10]) == (4, 1, 1)
        for bucket, due in ranges.items():
            page = await open_by_due_date(link, TENANT, due, today=TODAY)
            undated = bucket is Ageing.NOT_DUE
            assert len(page) + undated == counts[bucket]
        everything = DueRange(None, None)
        all_of_them = await open_by_due_date(link, TENANT, everything, today=TODAY)
        paged, after = [], None
        while page := await open_by_due_date(link, TENANT, everything, today=TODAY, after=after, limit=3):
            paged += page
            after = page[-1]
        assert paged == all_of_them
        assert [one.due_at for one in paged] == sorted(one.due_at for one in paged)
        assert {code(51), code(53), code(50)}.isdisjoint(one.code for one in paged)
        own = await open_by_due_date(link, TENANT, everything, today=TODAY, agencies=["H51.01"])
        assert [one.code for one in own] == [code(52)]
        only = await counts_by_agency(link, TENANT, offices, today=TODAY, agencies=["H51.01"])
        assert [sum(counted.values()) for counted in only.values()] == [1]
