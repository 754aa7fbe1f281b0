"""The worker's decisions that need no database: batch sizes, fail points, what a rebuild repairs."""

import json
import re
from datetime import UTC, datetime

import pytest
import structlog

from services.worker.audit.recomputation import Remembered
from services.worker.projection.fold_batch import fold_histories, named_elsewhere
from services.worker.projection.projector import FIRST_LIMIT, LARGEST_LIMIT, LEAST_LIMIT, next_limit
from services.worker.runtime import fail_points
from services.worker.runtime.fail_points import FailPoints, Injected
from shared.events.store.event_log import Recorded
from shared.projection.store.cursor import Failure, WaitingVoid
from shared.projection.store.dossier_rows import DossierRow, days_text
from shared.vocabulary.events import DossierCode, EventName
from tests.oracle.log import instant

AT = datetime(2022, 5, 12, 1, tzinfo=UTC)


def an_event(position: int, name: EventName, code: str = "H51-220512-0001", **data: object) -> Recorded:
    return (position, AT, "urn:t", str(position), name.value, DossierCode(code), AT, json.dumps(data))


def received(position: int, code: str = "H51-220512-0001") -> Recorded:
    return an_event(position, EventName.RECEIVED, code, procedure_code="p", agency_code="H51", channel="online")


def test_batches_grow_while_behind_and_quick_and_shrink_when_slow():
    full = 4 * FIRST_LIMIT
    assert next_limit(FIRST_LIMIT, taken=FIRST_LIMIT, seconds=0.1) == 4 * FIRST_LIMIT
    assert next_limit(LARGEST_LIMIT, taken=LARGEST_LIMIT, seconds=0.1) == LARGEST_LIMIT
    assert next_limit(full, taken=full, seconds=5) == full
    assert next_limit(full, taken=full, seconds=9) == full // 2
    assert next_limit(full, taken=full - 1, seconds=0.1) == 4 * (full - 1)  # nearly as much is coming in
    assert next_limit(full, taken=3, seconds=0.1) == FIRST_LIMIT
    assert LEAST_LIMIT < FIRST_LIMIT < LARGEST_LIMIT


def test_fail_points_are_read_from_the_environment():
    points = FailPoints.from_environment(
        {"MOTCUA_FAIL_POINT": "after-read:2, before-commit@0.5,mid-rebuild!", "MOTCUA_POISON_DOSSIER": "H51-.*"}
    )
    assert {name: (rule.times, rule.probability, rule.kill) for name, rule in points.rules.items()} == {
        "after-read": (2, 1.0, False),
        "before-commit": (None, 0.5, False),
        "mid-rebuild": (None, 1.0, True),
    }
    with structlog.testing.capture_logs():
        for _ in range(2):
            with pytest.raises(Injected):
                points.passed("after-read")
    points.passed("after-read")
    points.passed("nowhere")
    with pytest.raises(Injected):
        points.folded("H51-220512-0001")
    points.folded("H52-220512-0001")


def test_the_same_seed_injects_the_same_faults():
    def course(seed: str) -> list[bool]:
        points = FailPoints.from_environment({"MOTCUA_FAIL_POINT": "x@0.5", "MOTCUA_FAIL_SEED": seed})
        failed = []
        for _ in range(50):
            try:
                points.passed("x")
                failed.append(False)
            except Injected:
                failed.append(True)
        return failed

    with structlog.testing.capture_logs():
        assert course("1") == course("1") != course("2")
        assert {True, False} == set(course("1"))


@pytest.mark.parametrize("text", ["Upper", "a:b", "a@2", "a!!", "a b"])
def test_a_fail_point_that_cannot_be_read_is_refused(text):
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        FailPoints.from_environment({"MOTCUA_FAIL_POINT": text})


def test_every_fail_point_of_the_worker_is_documented():
    from pathlib import Path

    folder = Path(fail_points.__file__).parents[1]
    passed = {
        name for path in folder.rglob("*.py") for name in re.findall(r"faults\.passed\(\"([a-z-]+)\"\)", path.read_text())
    }
    assert passed == set(re.findall(r"^``([a-z-]+)``  ", fail_points.__doc__ or "", re.MULTILINE))


def test_one_dossier_that_cannot_be_folded_harms_no_other():
    good, bad = DossierCode("H51-220512-0001"), DossierCode("H51-220512-0002")
    histories = {bad: [an_event(7, EventName.RECEIVED, bad)], good: [received(8)]}
    batch = fold_histories(histories, ())
    assert [row.code for row in batch.rows] == [good]
    assert [want.position for want in batch.wants] == [8]
    [failure] = batch.failures
    assert (failure.dossier_code, failure.position) == (bad, 7)
    assert failure.reason.startswith("KeyError")


def test_voids_that_wait_are_told_and_those_that_do_not_are_not():
    code = DossierCode("H51-220512-0001")
    void = an_event(2, EventName.VOIDED, event_source="urn:t", event_id="elsewhere", reason="x")
    histories = {code: [received(1), void]}
    assert named_elsewhere(histories) == {("urn:t", "elsewhere")}
    waiting = fold_histories(histories, ())
    assert waiting.voids == [WaitingVoid(("urn:t", "elsewhere"), code)]
    assert "void_waiting" in waiting.rows[0].anomalies
    found = fold_histories(histories, {("urn:t", "elsewhere")})
    assert found.voids == []
    assert "void_elsewhere" in found.rows[0].anomalies


def test_a_rebuild_repairs_what_differs_and_leaves_what_cannot_be_folded():
    codes = [DossierCode(f"H51-220512-{n:04d}") for n in range(7)]
    same, other, missing, bogus, failed, mended, unnoted = codes
    batch = fold_histories({code: [received(1, code)] for code in (same, other, missing, mended, unnoted)}, ())
    rows = {row.code: row for row in batch.rows}
    batch.failures = [Failure(failed, 1, "x")]
    batch.voids = [WaitingVoid(("s", "i"), unnoted), WaitingVoid(("s", "j"), same)]
    stored: dict[DossierCode, DossierRow] = {
        same: rows[same],
        other: rows[other]._replace(agency="H51.99"),
        bogus: rows[same]._replace(code=bogus),
        failed: rows[same]._replace(code=failed),
        mended: rows[mended],
        unnoted: rows[unnoted],
    }
    remembered = Remembered({mended, failed}, {(("s", "j"), same)})
    wrong = remembered.judge(batch, stored, keeps_failing=False).wrong
    assert set(wrong) == {other, missing, bogus, mended, unnoted}
    # an audit leaves what is set aside as it is
    assert set(remembered.judge(batch, stored, keeps_failing=True).wrong) == {other, missing, bogus, unnoted}


def test_days_are_written_as_postgresql_writes_them():
    first, last = instant("2018-01-02T00:00:00Z").date(), instant("2018-01-05T00:00:00Z").date()
    assert days_text([]) == "{}"
    assert days_text([(first, last), (last.replace(day=7), None)]) == "{[2018-01-02,2018-01-05),[2018-01-07,)}"
