"""The generator keeps reaching what the rules speak of; else an agreement says little."""

from __future__ import annotations

import re
from collections import Counter

from tests.oracle.computation import STATUS, compute
from tests.oracle.histories import SYSTEM, seeded_tenant
from tests.oracle.log import instant

ANOMALIES = {
    "unexpected_step",
    "not_received",
    "before_reception",
    "received_twice",
    "due_before_reception",
    "no_due_date",
    "date_after_lateness",
    "extended_twice",
    "supplements_many",
    "returned_unprocessed",
    "code_date_later",
    "void_of_void",
    "void_elsewhere",
    "void_waiting",
}
CODE = re.compile(r"^(?:\d{3}\.\d{2}\.\d{2}\.[A-Y]\d{2}|[A-Y]\d{2}(?:\.\d{2,3}){0,3})-(?:\d{6}|\d{8})-\d{4,7}$")


def test_every_status_end_and_anomaly_occurs():
    dossiers = compute(seeded_tenant("reach", 600)).values()
    anomalies = Counter(code for dossier in dossiers for code, _, _ in dossier.anomalies)
    assert {code for code in ANOMALIES if anomalies[code] < 5} == set()
    assert {dossier.status for dossier in dossiers} == {None, *STATUS.values()}
    ended = Counter(dossier.end_kind for dossier in dossiers)
    assert all(ended[kind] >= 10 for kind in (None, "processed", "returned", "stopped", "withdrawn", "rejected"))
    pauses = Counter(min(len(dossier.pauses), 2) for dossier in dossiers)
    assert min(pauses[0], pauses[1], pauses[2]) >= 5
    assert any(len(dossier.postponements) > 1 for dossier in dossiers)


def test_the_same_seed_gives_the_same_history():
    assert seeded_tenant(7, 20) == seeded_tenant(7, 20)
    assert seeded_tenant(7, 20) != seeded_tenant(8, 20)


def test_histories_can_be_posted():
    posted = seeded_tenant("http", 200, http=True)
    assert any("due_set" in item["type"] for item in seeded_tenant("http", 50))
    for item in posted:
        assert "due_set" not in item["type"]
        assert item["source"] != SYSTEM
        assert CODE.fullmatch(item["subject"])
        assert instant(item["time"]).year < 2026
    by_identity: dict[tuple[str, str], dict] = {}
    for item in posted:
        assert by_identity.setdefault((item["source"], item["id"]), item) == item
