"""The second sample has the published totals, and the tour of the registers prints what it says."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.servers import memory_folder
from tests.system.local_run import KEY, ROOT, LocalRun
from tests.system.tour import answer, missing_from, run_in_shell, tour_steps

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(900)]

PAGE = ROOT / "docs" / "registers_tour.md"
SAMPLE = "soctrang-2022-registers"

FIGURES: dict[str, dict[str, Any]] = {
    "feedback?period=2022": {"f1": 65, "f6": 65, "f8": 65},
    "payments?period=2022": {"total.p1": 555, "total.p2": 260, "land.p1": 268, "land.p2": 144, "land.p5": 271_954_550},
    "catalogue?period=2022": {
        "level_3": 394,
        "level_4": 982,
        "integrated": 817,
        "decisions": 79,
        "procedures_covered": 561,
        "process_decisions": 35,
        "process_procedures": 622,
    },
    "reviews?period=2022": {"reviewed": 10, "saving_vnd": 198_591_059, "issues": 12, "issues_proposed": 12},
    "reviews?period=2025": {"reviewed": 1, "saving_vnd": 2_559_804_000},
}
"""What is published, written down here anew."""

RATES: dict[str, dict[str, str]] = {
    "feedback?period=2022": {"fb.handled": "100.00", "fb.published": "100.00"},
    "feedback?period=2023": {"fb.on_time": "73.68", "fb.satisfied": "55.47"},
    "payments?period=2022": {"pay.success": "46.85", "pay.success.land": "53.73"},
    "catalogue?period=2022": {"svc.rate.3": "21.33", "svc.rate.4": "53.17", "svc.integrated": "59.38"},
    "reviews?period=2022": {"cost.cut": "24.74", "review.issues": "100.00"},
    "reviews?period=2025": {"cost.cut": "77.44"},
}


@pytest.fixture(scope="module")
def sampled() -> Iterator[LocalRun]:
    """`make run` with the second sample, ready."""
    place = Path(tempfile.mkdtemp(prefix="motcua-run-", dir=memory_folder()))
    place.chmod(0o755)
    run = LocalRun(place / "var")
    try:
        run.start(MOTCUA_SAMPLE=SAMPLE).wait_ready(600)
        yield run
    finally:
        run.clean()
        shutil.rmtree(place, ignore_errors=True)


@pytest.mark.parametrize("question", FIGURES.keys() | RATES.keys())
def test_published_figures_to_the_digit(sampled: LocalRun, question: str) -> None:
    told = answer(sampled, f"/v1/stats/{question}")
    assert told["as_of"]["lag_seconds"] == 0, "READY comes when all is counted"
    assert {name: figure(told["figures"], name) for name in FIGURES.get(question, {})} == FIGURES.get(question, {})
    assert {name: told["rates"][name]["value"] for name in RATES.get(question, {})} == RATES.get(question, {})
    assert all(check["holds"] for check in told["checks"])


def figure(figures: Any, name: str) -> int:
    for part in name.split("."):
        figures = figures[part]
    return int(figures)


def test_the_observation_of_the_index(sampled: LocalRun) -> None:
    found = {one["id"]: one for one in answer(sampled, "/v1/indices/766?period=2023")["indicators"]}
    seen = {name: (found[name]["value"], found[name]["points"], found[name]["standing"]) for name in ("5.2", "5.3", "5.4")}
    assert seen == {
        "5.2": ("73.68", "4.42", "computed"),
        "5.3": ("55.47", "3.33", "computed"),
        "5.4": ("78.35", "5.22", "given"),
    }


def test_the_form_the_process_and_the_review(sampled: LocalRun) -> None:
    columns = answer(sampled, "/v1/reports/II.05?period=2022")["total"]["columns"]
    assert [columns[name] for name in ("f1", "f6", "f8")] == [65, 65, 65]
    (process,) = answer(sampled, "/v1/services/1.012994?on=2025-12-31")["processes"]
    assert [step["hours"] for step in process["steps"]] == [4, 4, 112, 24, 16, 8, None]
    groups = answer(sampled, "/v1/stats/reviews/by/group?period=2022")["rows"]
    assert sum(row["figures"]["reviewed"] > 0 for row in groups) == 7


def test_scores_have_all_nine_indices_where_there_are_dossiers(sampled: LocalRun) -> None:
    rows = answer(sampled, "/v1/scores/tt01_2018?period=2022&agency=H51.61")["rows"]
    assert len(rows) == 4
    assert all(row["maximum"] == 18 and row["class"] != "incomplete" for row in rows)
    officers = answer(sampled, "/v1/scores/tt01_2018/officers?period=2022&agency=H51.61")["rows"]
    assert all(set(row["indices"]) == set("12347") for row in officers)


@pytest.mark.parametrize("register", ["feedback", "payments", "digitisation", "steps", "post", "surveys"])
def test_children_sum_up_to_their_parent(sampled: LocalRun, register: str) -> None:
    table = answer(sampled, f"/v1/stats/{register}/by/agency?period=2022")
    assert len(table["rows"]) > 1
    flat = [leaves(row["figures"]) for row in table["rows"]]
    assert {name: sum(row[name] for row in flat) for name in flat[0]} == leaves(table["total"]["figures"])


def leaves(figures: dict[str, Any], prefix: str = "") -> dict[str, int]:
    found: dict[str, int] = {}
    for name, value in figures.items():
        found |= leaves(value, f"{name}.") if isinstance(value, dict) else {prefix + name: value}
    return found


def test_every_command_of_the_tour_prints_what_it_says(sampled: LocalRun) -> None:
    if shutil.which("curl") is None:
        pytest.skip("the tour is told with curl")
    steps = tour_steps(PAGE.read_text())
    assert len(steps) >= 30
    told = [missing for step in steps for missing in missing_from(sampled, step)]
    assert not told, "\n\n".join(told)


def test_loading_again_adds_nothing(sampled: LocalRun) -> None:
    before = answer(sampled, "/v1/stats/summary?period=2022")["as_of"]["position"]
    again = run_in_shell(sampled, f'.venv/bin/motcua sample {SAMPLE} --api "$API" --key {KEY}')
    assert again.returncode == 0, again.stdout + again.stderr
    assert answer(sampled, "/v1/stats/summary?period=2022")["as_of"]["position"] == before


def test_the_tour_names_the_addresses_of_the_local_run() -> None:
    text = PAGE.read_text()
    assert "export API=http://127.0.0.1:8000" in text
    assert f"export AUTH='Authorization: Bearer {KEY}'" in text
    assert not [step.command for step in tour_steps(text) if ":8000" in step.command]
