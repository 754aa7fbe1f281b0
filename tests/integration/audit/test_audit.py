"""The audit: every corrupted figure and row is found with its dossiers, told, then repaired; nothing else ever is."""

from datetime import date

import pytest

from services.worker.projection.projector import Projector
from services.worker.runtime.fail_points import FailPoints
from shared.counting.rules.branches import branches_of
from shared.database.engine import driver_session
from shared.database.tables import MEASURES
from shared.projection.store import cursor
from tests.support.audits import WHOLE, audited, loaded, memory, raised
from tests.support.mistakes import MISTAKES
from tests.support.projection import (
    EXACT,
    TENANT,
    append,
    assert_all_counted,
    engine,
    messy,
    project,
    stored_rows,
    stored_sums,
    sums_where,
)
from tests.support.recount import spoil

__all__ = ["engine", "loaded"]  # fixtures


async def test_where_nothing_is_wrong_nothing_is_said_or_changed(loaded):
    async with driver_session(loaded) as link:
        versions = await link.fetch("SELECT xmin::text FROM dossier UNION ALL SELECT xmin::text FROM figure_sum")
        head = (await cursor.lag(link, TENANT)).head
    done = await audited(loaded)
    assert done.result["alarms"] == []
    assert done.result["sums_differing"] == done.result["dossiers_differing"] == 0
    assert done.result["position"] == head
    # each sum once; each dossier as one of an agency, of a procedure, and of a bucket
    assert done.result["sums_compared"] == len([key for key in await stored_sums(loaded) if key[0] in EXACT])
    assert done.result["dossiers_compared"] >= len(await stored_rows(loaded))
    async with driver_session(loaded) as link:
        assert versions == await link.fetch("SELECT xmin::text FROM dossier UNION ALL SELECT xmin::text FROM figure_sum")


@pytest.mark.parametrize("mistake", sorted(MISTAKES.keys() - {"branches are forgotten"}))
async def test_every_mistake_is_found_told_and_repaired(loaded, mistake):
    remembered = await memory(loaded)
    await spoil(loaded, MISTAKES[mistake])
    done = await audited(loaded)
    assert done.result["sums_differing"] + done.result["dossiers_differing"] > 0
    await assert_all_counted(loaded)
    assert await memory(loaded) >= remembered
    alarms = await raised(loaded)
    assert {one.alarm_id for one, _ in alarms} == set(done.result["alarms"])
    assert alarms
    for alarm, findings in alarms:
        assert alarm.repaired_at >= alarm.raised_at
        assert len(findings) == min(500, alarm.sums_differing) + min(500, alarm.dossiers_differing)
    again = await audited(loaded)
    assert again.result["alarms"] == []


def days_of(row, measure: str) -> set[date]:
    """The days on which a row counts for a measure, or counts for it no longer."""
    if measure == "received":
        return {row.received_on} - {None}
    if measure.startswith("resolved"):
        return {row.ended_on} if measure == f"resolved_{row.resolution}" else set()
    bounds = getattr(row, f"{measure}_days").replace("{", "").replace("}", "").replace("[", "").replace(")", "").split(",")
    return {date.fromisoformat(bound) for bound in bounds if bound}


@pytest.mark.parametrize("measure", ["received", "resolved_late", "overdue"])
@pytest.mark.parametrize("cut", ["agency", "procedure", "cell"])
async def test_a_figure_is_told_with_both_values_and_exactly_its_dossiers(loaded, cut, measure):
    place = MEASURES.index(measure)
    wrong = {key: counts[place] for key, counts in (await stored_sums(loaded)).items() if key[0] == cut and counts[place]}
    assert {key[1] for key in wrong} == {"day", "month", "year"} - ({"day"} if cut == "agency" else set())
    rows = await stored_rows(loaded)
    wrong_ones = sums_where(f"cut = '{cut}' AND {measure} <> 0")
    await spoil(loaded, f"UPDATE figure_sum SET {measure} = {measure} + 3 WHERE {wrong_ones}")
    await audited(loaded)
    alarms = await raised(loaded)
    assert {alarm.dossiers_differing for alarm, _ in alarms} == {0}
    found = [finding for _, findings in alarms for finding in findings]
    assert len(found) == len(wrong) == sum(alarm.sums_differing for alarm, _ in alarms)
    for finding in found:
        about = finding.subject
        start = date.fromisoformat(about["starts_on"])
        key = (about["cut"], about["grain"], start, about["agency"], about["procedure"], about["channel"])
        assert finding.kind == "sum"
        assert (finding.stored, finding.recounted) == ({measure: wrong[key] + 3}, {measure: wrong[key]})
        behind = sorted(
            code
            for code, row in rows.items()
            if row.received_on is not None
            and (row.channel or "") == about["channel"]
            and (cut == "procedure" or (row.agency or "") == about["agency"])
            and (cut == "agency" or (row.procedure or "") == about["procedure"])
            and any(within(day, about["grain"], start) for day in days_of(row, measure))
        )
        assert behind
        assert (list(finding.dossiers), finding.dossiers_total) == (behind, len(behind))


def within(day: date, grain: str, start: date) -> bool:
    return {"day": day, "month": day.replace(day=1), "year": day.replace(month=1, day=1)}[grain] == start


async def test_sums_that_a_wrong_row_counts_in_are_put_right_with_it(loaded):
    rows, sums = await stored_rows(loaded), await stored_sums(loaded)
    # in no branch: of an agency alone those are not judged
    agencies = [key[3] for key in sorted(sums) if key[0] == "agency" and key[3] and not branches_of(key[3])]
    one = next(row for row in rows.values() if row.agency in agencies and row.received_on is not None)
    other = next(agency for agency in agencies if agency != one.agency)
    await spoil(loaded, f"UPDATE dossier SET agency = '{other}', procedure = 'none' WHERE code = '{one.code}'")
    # only the agency that lacks it is audited: the sums of the other two were right, and stay so
    await audited(loaded, {"agencies": [one.agency], "from": "2001-01-01", "to": "2001-01-01"})
    await assert_all_counted(loaded)
    [(alarm, _)] = await raised(loaded)
    assert {one.agency, other} <= set(alarm.part["agencies"])
    assert "none" in alarm.part["procedures"]


async def test_a_row_is_told_with_the_columns_that_differ(loaded):
    rows = await stored_rows(loaded)
    code = next(code for code, row in rows.items() if row.agency is not None and row.received_on is not None)
    await spoil(loaded, f"UPDATE dossier SET agency = 'H51.98', status = 10 WHERE code = '{code}'")
    wrong = (await stored_rows(loaded))[code]
    await audited(loaded)
    found = [finding for _, findings in await raised(loaded) for finding in findings if finding.kind == "dossier"]
    [finding] = found
    assert finding.subject == {"dossier": code}
    assert finding.stored["agency"] == "H51.98"
    assert finding.recounted == {name: getattr(rows[code], name) for name in finding.stored}
    assert set(finding.stored) == {name for name in wrong._fields if getattr(wrong, name) != getattr(rows[code], name)}
    assert (await stored_rows(loaded)) == rows
    await assert_all_counted(loaded)


async def test_an_agency_forgotten_is_told_with_its_dossiers_and_remembered(loaded):
    rows = await stored_rows(loaded)
    agency = next(row.agency for row in rows.values() if row.agency is not None and row.received_on is not None)
    having = {code for code, row in rows.items() if row.agency == agency}
    for asked in (WHOLE, {"agencies": [agency]}, {"seed": 1}):
        await spoil(loaded, f"DELETE FROM seen_agency WHERE agency = '{agency}'")
        known = {one.alarm_id for one, _ in await raised(loaded)}
        await audited(loaded, asked)
        logged = [finding for one, findings in await raised(loaded) if one.alarm_id not in known for finding in findings]
        assert {finding.subject["dossier"] for finding in logged} == having
        assert all(finding.stored == {"seen_agency": None} for finding in logged)
        assert all(finding.recounted == {"seen_agency": agency} for finding in logged)
        assert (agency,) in await memory(loaded)
    assert (await audited(loaded)).result["alarms"] == []


async def test_a_waiting_void_forgotten_is_told_and_waits_again(loaded):
    remembered = await memory(loaded)
    async with driver_session(loaded) as link:
        lost = await link.fetch("DELETE FROM waiting_void RETURNING source, id, dossier_code")
    assert lost
    await audited(loaded)
    logged = {
        (void["source"], void["id"], finding.subject["dossier"])
        for _, findings in await raised(loaded)
        for finding in findings
        for void in finding.recounted["waiting_voids"]
    }
    assert logged == {tuple(row) for row in lost}
    assert await memory(loaded) == remembered


async def test_an_audit_of_one_agency_covers_it_and_of_a_period_its_days(loaded):
    sums = await stored_sums(loaded)
    agency = next(key[3] for key in sorted(sums) if key[0] == "agency" and key[3])
    other = next(key[3] for key in sorted(sums) if key[0] == "agency" and key[3] not in ("", agency))
    of_both = sums_where(f"cut IN ('agency', 'cell') AND agency_code IN ('{agency}', '{other}')")
    await spoil(loaded, f"UPDATE figure_sum SET received = received + 1 WHERE {of_both}")
    spoilt = {key: counts for key, counts in (await stored_sums(loaded)).items() if sums.get(key) != counts}
    day = min(key[2] for key in spoilt if key[1] == "day" and key[3] == agency)
    await audited(loaded, {"agencies": [agency], "from": day.isoformat(), "to": day.isoformat()})
    left = {key for key, counts in (await stored_sums(loaded)).items() if sums.get(key) != counts}
    in_days = {"day": day, "month": day.replace(day=1), "year": day.replace(month=1, day=1)}
    left = {key for key in left if key[0] in EXACT}
    assert left == {key for key in spoilt if not (key[3] == agency and key[2] == in_days[key[1]])}
    await audited(loaded, {"agencies": [agency]})
    left = {key for key, counts in (await stored_sums(loaded)).items() if sums.get(key) != counts}
    left = {key for key in left if key[0] in EXACT}
    assert left == {key for key in spoilt if key[3] == other}


async def test_a_dossier_that_is_set_aside_is_no_alarm(loaded):
    code = next(iter(await stored_rows(loaded)))
    event = next(one for one in messy("audit 9", 40) if one.subject == code)
    await append(loaded, [event._replace(id="one-more", content_hash=b"other")])
    poisoned = FailPoints.from_environment({"MOTCUA_POISON_DOSSIER": code})
    await project(loaded, Projector(loaded, faults=poisoned))
    assert (await audited(loaded)).result["alarms"] == []
