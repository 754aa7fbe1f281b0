"""Mutation testing of the rules that bear figures: a seeded sample of small changes, each of which the unit tests must notice.

Each mutant runs in a forked process that has the libraries loaded and no module of the product: an import hook gives it the
changed module, so nothing is written, and no mutant can see another. Verdicts are kept in ``var/proof``: a run that was cut
short goes on where it was. A survivor that `survivors.json` does not explain fails the proof.
"""

from __future__ import annotations

import hashlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import resource
import shutil
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from rich.console import Console

from tests.proof.mutants import Mutant, count, sample
from tests.proof.settings import ProofSettings

ROOT = Path(__file__).parents[2]
SURVIVORS = Path(__file__).with_name("survivors.json")
VERDICTS = ROOT / "var" / "proof" / "mutants.jsonl"

ORACLE_CASES = "150"
SLOW = "any_order or drawn or every_prefix or test_speed or any_history or comes_to_rest"
"""Tests that only those mutants meet which the others let pass."""
DOSSIERS = [
    "tests/unit/dossiers/test_dossier.py",
    "tests/unit/counting/test_contributions.py",
    "tests/oracle/test_domain_agrees.py",
]
FOLD = ["tests/unit/dossiers/test_lifecycle.py", "tests/unit/deadlines/test_date_in_force.py", *DOSSIERS]
DUE_SETS = [
    "tests/unit/deadlines/test_due_sets.py",
    "tests/unit/deadlines/test_due_sets_waits.py",
    "tests/unit/deadlines/test_due_sets_calendar.py",
    "tests/unit/deadlines/test_due_sets_order.py",
]
CLOCK = ["tests/unit/deadlines", "tests/unit/calendar"]
PORTAL = ["tests/unit/sync/test_retry.py", "tests/unit/sync/test_portal_codes.py", "tests/unit/sync/test_wire.py"]

TESTS: dict[str, list[str]] = {
    "vocabulary/periods": ["tests/unit/vocabulary/test_periods.py", "tests/unit/figures/test_comparison.py"],
    "counting/rules/figure_definitions": [
        "tests/unit/counting/test_figure_definitions.py",
        "tests/unit/counting/test_contributions.py",
        "tests/unit/index766/test_indicators.py",
    ],
    "counting/rules/period_sums": [
        "tests/unit/counting/test_figure_definitions.py",
        "tests/unit/counting/test_contributions.py",
        "tests/unit/index766/test_indicators.py",
    ],
    "index766/rules/indicators": ["tests/unit/index766/test_indicators.py", "tests/unit/dossiers/test_instant_facts.py"],
    "deadlines/rules/overdue": ["tests/unit/deadlines/test_overdue.py"],
    "deadlines/rules/ageing": ["tests/unit/deadlines/test_lists.py"],
    "sync/rules/retry": [*PORTAL, "tests/unit/sync/test_circuit.py", "tests/unit/sync/test_delivery_docs.py"],
    "sync/rules/portal_codes": [*PORTAL, "tests/unit/dossiers/test_dossier.py"],
    "counting/rules/contributions": [
        "tests/unit/counting/test_contributions.py",
        "tests/unit/figures/test_comparison.py",
        *DOSSIERS,
    ],
    "dossiers/rules/folding": FOLD,
    "dossiers/rules/dossier": FOLD,
    "deadlines/rules/due_dates": ["tests/unit/deadlines/test_date_in_force.py", *DUE_SETS],
    "calendar/rules/working_time": CLOCK,
    "deadlines/rules/waits": DUE_SETS,
    "dossiers/rules/facts": ["tests/unit/dossiers/test_facts.py", *FOLD],
    "dossiers/rules/lifecycle": FOLD,
}
"""Which tests are run for a module of `shared`, by its path there, the quick ones first."""

_UNIT = "tests/unit/registers"
FEEDBACK = [f"{_UNIT}/test_feedback.py", f"{_UNIT}/test_feedback_figures.py"]
PAYMENTS = [f"{_UNIT}/test_payment_records.py", f"{_UNIT}/test_payment_figures.py", f"{_UNIT}/test_payment_rates.py"]
CATALOGUE = [f"{_UNIT}/test_catalogue.py", f"{_UNIT}/test_limits.py"]
INDEX = ["tests/unit/register_figures/test_index.py"]
"""When counts turn, an index that says what a count says."""
REVIEWS = [f"{_UNIT}/test_reviews.py", f"{_UNIT}/test_days_saved.py"]

REGISTER_TESTS: dict[str, list[str]] = {
    "registers/feedback/records": FEEDBACK,
    "registers/feedback/standing": FEEDBACK,
    "registers/feedback/terms": FEEDBACK,
    "registers/feedback/figures": [*FEEDBACK, *INDEX],
    "registers/feedback/complaints": [*FEEDBACK, f"{_UNIT}/test_scores.py"],
    "registers/payment/records": PAYMENTS,
    "registers/payment/obligations": PAYMENTS,
    "registers/payment/figures": [*PAYMENTS, *INDEX],
    "registers/component/records": [f"{_UNIT}/test_components.py"],
    "registers/component/files": [f"{_UNIT}/test_components.py"],
    "registers/component/anomalies": [f"{_UNIT}/test_components.py"],
    "registers/component/figures": [f"{_UNIT}/test_components.py", *INDEX],
    "registers/catalogue/records": CATALOGUE,
    "registers/catalogue/decisions": [*CATALOGUE, f"{_UNIT}/test_days_saved.py"],
    "registers/catalogue/precedence": [*CATALOGUE, *REVIEWS],
    "registers/catalogue/limits": CATALOGUE,
    "registers/catalogue/figures": CATALOGUE,
    "registers/step/records": [f"{_UNIT}/test_step.py", f"{_UNIT}/test_slip.py"],
    "registers/step/instances": [f"{_UNIT}/test_step.py", f"{_UNIT}/test_slip.py"],
    "registers/step/slip": [f"{_UNIT}/test_step.py", f"{_UNIT}/test_slip.py"],
    "registers/step/anomalies": [f"{_UNIT}/test_step.py", f"{_UNIT}/test_slip.py"],
    "registers/step/figures": [f"{_UNIT}/test_step.py", f"{_UNIT}/test_slip.py", *INDEX],
    "registers/post/records": [f"{_UNIT}/test_post.py"],
    "registers/post/anomalies": [f"{_UNIT}/test_post.py"],
    "registers/post/figures": [f"{_UNIT}/test_post.py", *INDEX],
    "registers/survey/records": [f"{_UNIT}/test_surveys.py"],
    "registers/survey/figures": [f"{_UNIT}/test_surveys.py", *INDEX],
    "registers/review/records": REVIEWS,
    "registers/review/wages": REVIEWS,
    "registers/review/savings": REVIEWS,
    "registers/review/figures": REVIEWS,
    "register_figures/rules/sums": [f"{_UNIT}/test_sums.py", *FEEDBACK, *PAYMENTS, f"{_UNIT}/test_given_tables.py"],
    "register_figures/rules/procedures": PAYMENTS,
    "register_figures/rules/given_tables": [f"{_UNIT}/test_given_tables.py"],
    "scores/rules/tt01_2018": [f"{_UNIT}/test_scores.py"],
}
"""The same of registers."""


def module_of(place: str) -> str:
    """What a module is called in the names of its mutants; of registers with the folder."""
    return place.removeprefix("registers/") if place.startswith("registers/") else place.rpartition("/")[2]


KILLED, SURVIVED, TOO_LONG = "killed", "survived", "too long"
SPARE_SECONDS = 10
LIBRARIES = ("hypothesis", "hypothesis.strategies", "orjson", "pydantic", "sqlalchemy.ext.asyncio", "asyncpg", "httpx")


def mutation_run(folder: Path, settings: ProofSettings, console: Console) -> bool:
    """True if every survivor of the sample is explained, and all of the sample was run."""
    tree = copied(folder / "tree")
    explained: dict[str, str] = json.loads(SURVIVORS.read_text(encoding="utf-8"))
    verdicts = _kept()
    until = time.monotonic() + settings.mutation_seconds
    server = Forks(tree)
    counts: Counter[str] = Counter()
    unexplained: list[str] = []
    left = 0
    for place, tests in (TESTS | REGISTER_TESTS).items():
        module = module_of(place)
        most = settings.mutants if place in TESTS else settings.register_mutants
        source = (tree / "shared" / f"{place}.py").read_text(encoding="utf-8")
        chosen = sample(module, source, settings.seed, most)
        found: Counter[str] = Counter()
        for mutant in chosen:
            key = _key(mutant, tests)
            if key not in verdicts:
                if time.monotonic() > until:
                    left += 1
                    continue
                verdicts[key] = server.verdict(mutant, tests, server.limit(module, source, tests))
                _keep(key, mutant, verdicts[key])
            found[verdicts[key]] += 1
            if verdicts[key] == SURVIVED and mutant.name not in explained:
                unexplained.append(f"line {mutant.line}: {mutant.name}")
        counts += found
        told = ", ".join(f"{times} {verdict}" for verdict, times in sorted(found.items()))
        console.print(f"{module}: {len(chosen)} of {count(source)} mutants: {told}", highlight=False)
    console.print(f"in all: {', '.join(f'{times} {verdict}' for verdict, times in sorted(counts.items()))}", highlight=False)
    if left:
        console.print(f"not run, for the time was over: {left}; the next run goes on with them")
    for name in unexplained:
        console.print(f"survived, unexplained: {name}", highlight=False, markup=False, soft_wrap=True)
    return not unexplained and not left


def copied(tree: Path) -> Path:
    """Copy what these tests need, where nobody edits it meanwhile."""
    for name in ("shared", "services", "tests", "docs", "deploy", "migrations"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    # no plugins and no conftest: these tests need no servers
    (tree / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n", encoding="utf-8")
    return tree


# --------------------------------------------------------------------------------------------------- verdicts


def _key(mutant: Mutant, tests: Sequence[str]) -> str:
    """The mutant, the tests of its module and the sources of both: what was judged otherwise is judged anew."""
    text = hashlib.sha256(mutant.source.encode())
    for test in tests:
        path = ROOT / test
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            text.update(file.read_bytes())
    return text.hexdigest()[:32]


def _kept() -> dict[str, str]:
    if not VERDICTS.exists():
        return {}
    lines = [json.loads(line) for line in VERDICTS.read_text(encoding="utf-8").splitlines()]
    return {line["key"]: line["verdict"] for line in lines}


def _keep(key: str, mutant: Mutant, verdict: str) -> None:
    VERDICTS.parent.mkdir(parents=True, exist_ok=True)
    with VERDICTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"key": key, "verdict": verdict, "mutant": mutant.name}, ensure_ascii=False) + "\n")


# --------------------------------------------------------------------------------------------------- processes


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module a source of our own."""

    def __init__(self, name: str, source: str, path: Path) -> None:
        self.name = name
        self.source = source
        self.path = path

    def find_spec(
        self, fullname: str, _path: object = None, _target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.name:
            return None
        return importlib.util.spec_from_loader(fullname, self, origin=str(self.path))

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self.source, str(self.path), "exec"), module.__dict__)


class Forks:
    """Forks of this process, each with one mutant, in the copied tree."""

    def __init__(self, tree: Path) -> None:
        self.tree = tree
        self.limits: dict[tuple[str, ...], float] = {}
        for name in LIBRARIES:
            importlib.import_module(name)

    def limit(self, module: str, source: str, tests: Sequence[str]) -> float:
        """Processor seconds that a mutant may take with these tests; raises if they fail of themselves."""
        if tuple(tests) not in self.limits:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            verdict = self._fork(Mutant(module, "", 0, "unchanged", source), tests, 600, "not test_speed")
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            if verdict != SURVIVED:
                raise RuntimeError(f"the tests of {module} fail without any change: {' '.join(tests)}")
            used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            self.limits[tuple(tests)] = 3 * used + SPARE_SECONDS
        return self.limits[tuple(tests)]

    def verdict(self, mutant: Mutant, tests: Sequence[str], limit: float) -> str:
        """Whether the tests notice: the quick ones first, all of them if those do not."""
        found = self._fork(mutant, tests, limit, f"not ({SLOW})")
        return self._fork(mutant, tests, limit, f"({SLOW}) and not test_speed") if found == SURVIVED else found

    def _fork(self, mutant: Mutant, tests: Sequence[str], limit: float, chosen: str) -> str:
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if child == 0:
            code = 3
            try:
                code = self._run(mutant, tests, limit, chosen)
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            return TOO_LONG
        # 5: none of these tests is of that kind
        return SURVIVED if os.WEXITSTATUS(status) in (0, 5) else KILLED

    def _run(self, mutant: Mutant, tests: Sequence[str], limit: float, chosen: str) -> int:
        resource.setrlimit(resource.RLIMIT_CPU, (int(limit), int(limit) + 1))
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        os.chdir(self.tree)
        here = str(ROOT)
        sys.path[:] = [str(self.tree), *(path for path in sys.path if path not in ("", here))]
        for name in [name for name in sys.modules if name.partition(".")[0] in ("shared", "services", "tests", "deploy")]:
            del sys.modules[name]
        place = next(place for place in TESTS | REGISTER_TESTS if module_of(place) == mutant.module)
        path = self.tree / "shared" / f"{place}.py"
        sys.meta_path.insert(0, _Changed(f"shared.{place.replace('/', '.')}", mutant.source, path))
        os.environ["MOTCUA_ORACLE_CASES"] = ORACLE_CASES
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        import hypothesis
        import pytest

        hypothesis.settings.register_profile("mutants", derandomize=True, database=None)
        hypothesis.settings.load_profile("mutants")
        flags = ["-x", "-q", "--noconftest", "-p", "no:cacheprovider", "-k", chosen]
        return int(pytest.main([*flags, "--rootdir", str(self.tree), *dict.fromkeys(tests)]))
