"""The sample is the printed table, and the tour of the README prints what it says: one loaded product for all of it."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.servers import memory_folder
from tests.system.local_run import KEY, ROOT, LocalRun, seconds_to_load
from tests.system.tour import README, answer, missing_from, tour_steps

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(900)]

SAMPLE = "soctrang-2018"
UNITS = 29
MISPRINTED = 4
DOSSIERS = 98_017
LOAD_SECONDS = 600
"""Under four minutes on a machine that has nothing else to do."""


@pytest.fixture(scope="module")
def sampled() -> Iterator[LocalRun]:
    """`make run` with its sample, ready."""
    place = Path(tempfile.mkdtemp(prefix="motcua-run-", dir=memory_folder()))
    place.chmod(0o755)
    run = LocalRun(place / "var")
    try:
        run.start(MOTCUA_SAMPLE=SAMPLE).wait_ready(LOAD_SECONDS)
        yield run
    finally:
        run.clean()
        shutil.rmtree(place, ignore_errors=True)


def printed_units() -> list[dict[str, Any]]:
    published = json.loads((ROOT / "services" / "sample" / "published.json").read_text())
    (report,) = [report for report in published["reports"] if report["id"] == "soctrang_2018_by_unit"]
    units: list[dict[str, Any]] = report["units"]
    assert len(units) == UNITS
    return units


def test_all_29_units_are_as_printed(sampled: LocalRun) -> None:
    table = answer(sampled, "/v1/stats/by/agency?from=2018-01-01&to=2018-12-31")
    assert table["as_of"]["lag_seconds"] == 0, "READY comes when all is counted"
    rows = {row["name"]: row for row in table["rows"]}
    assert len(rows) == len(table["rows"]) == UNITS
    misprinted = 0
    for unit in printed_units():
        row = rows[unit["name_vi"]]
        resolved = row["resolved"]
        figures = (
            resolved["early"] + resolved["on_time"],
            row["open"]["within"],
            resolved["late"] + row["open"]["overdue"],
        )
        parts = (unit["on_time"], unit["in_progress_within"], unit["late"])
        assert figures == parts, unit["name_vi"]
        assert row["received"]["total"] == sum(parts), unit["name_vi"]
        assert float(row["rates"]["resolved_on_time"]["value"]) == unit["on_time_rate_published_pct"], unit["name_vi"]
        misprinted += unit["received"] != sum(parts)
        assert all(check["holds"] for check in row["checks"])
    assert misprinted == MISPRINTED
    assert table["total"]["received"]["total"] == DOSSIERS
    assert all(check["holds"] for check in table["total"]["checks"])


def test_a_second_start_keeps_the_sample_and_loads_nothing(sampled: LocalRun) -> None:
    before = head_of(sampled)
    assert sampled.stop() == 0
    seconds = sampled.start(MOTCUA_SAMPLE=SAMPLE).wait_ready()
    assert "sample" not in sampled.said
    assert head_of(sampled) == before
    assert answer(sampled, "/v1/stats/summary?period=2018")["received"]["total"] == DOSSIERS
    # ten seconds on a machine that has nothing else to do; beside other tests, by the measure of one of its programs
    assert seconds < max(10, 6 * seconds_to_load("services.api.main"))


def head_of(run: LocalRun) -> int:
    position: int = answer(run, "/v1/stats/summary?period=2018")["as_of"]["position"]
    return position


def test_every_step_of_the_tour_prints_what_it_says(sampled: LocalRun) -> None:
    if shutil.which("curl") is None:
        pytest.skip("the tour is told with curl")
    steps = tour_steps(README.read_text())
    assert len(steps) >= 8
    told = [missing for step in steps for missing in missing_from(sampled, step)]
    assert not told, "\n\n".join(told)


def test_the_tour_names_the_addresses_of_the_local_run() -> None:
    """What the test replaces: the addresses and the key."""
    text = README.read_text()
    assert "export API=http://127.0.0.1:8000 PORTAL=http://127.0.0.1:8090" in text
    assert f"export AUTH='Authorization: Bearer {KEY}'" in text
    assert not [step.command for step in tour_steps(text) if ":8000" in step.command or ":8090" in step.command]
