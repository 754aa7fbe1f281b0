"""docs/operating.md explains every alarm of the sync and every metric of a worker, and invents none."""

import re
from pathlib import Path

from prometheus_client import CollectorRegistry

from services.worker.runtime.metrics import WorkerMetrics
from shared.sync.rules.alarm_rules import SyncAlarm

TEXT = (Path(__file__).parents[3] / "docs" / "operating.md").read_text()
TABLES = {
    heading: re.findall(r"^\| (`.+?) \|", part, re.MULTILINE)
    for heading, part in re.findall(r"^\| (alarm|metric of a worker) \|[^\n]*\n((?:\|[^\n]*\n)+)", TEXT, re.MULTILINE)
}


def test_the_alarms_are_explained() -> None:
    assert [row.strip("`") for row in TABLES["alarm"]] == [alarm.value for alarm in SyncAlarm]


def test_the_metrics_are_explained_with_their_labels() -> None:
    logged = dict(re.findall(r"`(motcua_\w+?)\{([\w,]+)\}`", " ".join(TABLES["metric of a worker"])))
    registry = CollectorRegistry()
    WorkerMetrics(registry)
    made = {}
    for collector in {*registry._collector_to_names}:
        [family] = collector.collect()
        name = f"{family.name}_total" if family.type == "counter" else family.name
        made[name] = ",".join(collector._labelnames)  # type: ignore[attr-defined]
    assert logged == made
