"""Digitisation, rule by rule (registers.md, section 3)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from shared.dossiers.rules.instant_facts import DossierMark
from shared.registers.component.anomalies import result_anomalies
from shared.registers.component.figures import FIGURE_SET
from shared.registers.component.files import Files, files_of
from shared.vocabulary.events import RecordEvent
from tests.support.registers.records import (
    DOSSIER,
    SmallWorld,
    known,
    known_dossier,
    published,
    rate,
    record,
    sums,
    told,
    voided,
)

DOCUMENT = {"1.005129": SimpleNamespace(result_is_document=True)}
RECEIVED = ("received", "2025-03-03 09:00")
LINKED = ("processed", "2025-03-04 09:00", {"outcome": "approved", "results": [{"code": "KQ01", "url": "urn:kq"}]})


def tell(
    name: str, component: str = "TP01", at: str = "2025-03-03 10:00", /, *, of: str = DOSSIER, **data: Any
) -> RecordEvent:
    key = "result_code" if name.startswith("result") else "component_code"
    return told("component", name, at, of=of, **{key: component, **data})


PAPER, ELECTRONIC = tell("submitted", form="paper"), tell("submitted", form="electronic")
FILE, SHOWN = tell("digitised", file="urn:f"), tell("exempt", reason="shown_only")
REUSED = tell("reused", source="national_store")


@pytest.mark.parametrize(
    ("events", "owed", "has_file", "anomalies"),
    [
        ([PAPER], True, False, []),
        ([ELECTRONIC], True, True, []),
        ([PAPER, ELECTRONIC], True, True, []),
        ([PAPER, FILE], True, True, []),
        ([PAPER, REUSED], True, True, []),
        ([PAPER, SHOWN], False, False, []),
        ([PAPER, SHOWN, FILE], False, True, ["exempt_and_file"]),
        ([ELECTRONIC, tell("exempt", reason="electronic")], True, True, []),
        ([PAPER, SHOWN, tell("exempt", "TP01", "2025-03-03 11:00", reason="electronic")], False, False, []),
        ([FILE], False, True, ["file_without_submission"]),
        ([REUSED], False, True, ["file_without_submission"]),
        ([SHOWN], False, False, ["unknown_component"]),
        ([PAPER, FILE, voided(FILE)], True, False, []),
    ],
)
def test_what_is_owed_and_what_has_a_file(
    events: list[RecordEvent], owed: bool, has_file: bool, anomalies: list[str]
) -> None:
    found = record(*events)
    component = found.facts["components"]["TP01"]
    assert (component["owed"], component["has_file"], list(found.anomalies)) == (owed, has_file, anomalies)


@pytest.mark.parametrize(
    ("events", "has_file"),
    [
        ([tell("result_issued", "KQ01", file="urn:k")], True),
        ([tell("result_issued", "KQ01")], False),
        ([tell("result_issued", "KQ01", file="urn:k"), tell("result_issued", "KQ01", "2025-03-04 08:00")], True),
        (
            [tell("result_issued", "KQ01", file="urn:k"), tell("result_revoked", "KQ01", "2025-03-04 08:00", reason="x")],
            False,
        ),
        (
            [tell("result_issued", "KQ01", "2025-03-05 08:00", file="urn:k"), tell("result_revoked", "KQ01", reason="x")],
            True,
        ),
        (
            [tell("result_issued", "KQ01", file="urn:k"), tell("result_revoked", "KQ02", "2025-03-04 08:00", reason="x")],
            True,
        ),
    ],
)
def test_a_result_has_a_file_until_it_is_revoked(events: list[RecordEvent], has_file: bool) -> None:
    assert record(*events).facts["results"]["KQ01"]["has_file"] is has_file


def test_no_effective_event_is_no_record() -> None:
    assert record(PAPER, voided(PAPER)).facts == {}


def ask(*events: RecordEvent, steps: Any = (RECEIVED,), synced: bool = False, document: bool = True) -> dict[str, int]:
    world = SmallWorld(
        events, {DOSSIER: known_dossier(DOSSIER, *steps)}, DOCUMENT if document else {}, [DOSSIER] if synced else []
    )
    return sums(FIGURE_SET, world, "2025-03-01", "2025-03-31")


def holds(totals: dict[str, int]) -> set[str]:
    return {one.id for one in FIGURE_SET.rates if rate(FIGURE_SET, totals, one.id)[0]}


@pytest.mark.parametrize(
    ("events", "rates"),
    [
        ([PAPER], set()),
        ([PAPER, FILE], {"dig.components", "dig.any", "dig.full"}),
        ([PAPER, FILE, tell("submitted", "TP02", form="paper")], {"dig.components", "dig.any"}),
        ([PAPER, REUSED], {"dig.components", "dig.any", "dig.full", "dig.reuse", "dig.store"}),
        ([PAPER, tell("reused", source="database")], {"dig.components", "dig.any", "dig.full", "dig.reuse"}),
        ([SHOWN, FILE], {"dig.any"}),
        ([PAPER, FILE, tell("result_issued", "KQ01", file="urn:k")],
         {"dig.components", "dig.any", "dig.full", "dig.results", "dig.both"}),
        ([tell("result_issued", "KQ01", file="urn:k")], {"dig.results"}),
    ],
)  # fmt: skip
def test_each_rate_has_its_own_dossiers(events: list[RecordEvent], rates: set[str]) -> None:
    assert holds(ask(*events)) == rates


def test_every_component_of_the_period_counts_in_its_rate() -> None:
    totals = ask(PAPER, FILE, tell("submitted", "TP02", form="paper"), tell("submitted", "TP03", form="electronic"))
    assert rate(FIGURE_SET, totals, "dig.components") == (2, 3)
    assert rate(FIGURE_SET, totals, "dig.full") == (0, 1)


def test_a_result_is_asked_for_where_it_is_a_document() -> None:
    assert rate(FIGURE_SET, ask(PAPER, FILE), "dig.both") == (0, 1)
    assert rate(FIGURE_SET, ask(PAPER, FILE, document=False), "dig.both") == (1, 1)
    assert rate(FIGURE_SET, ask(PAPER, FILE, document=False), "dig.results") == (0, 0)


def test_a_publication_in_force_at_the_reception_says_what_a_result_is() -> None:
    def asked(effective_on: str, **item: Any) -> tuple[int, int]:
        decided = published(effective_on, result_document=True, **item)
        return rate(FIGURE_SET, ask(PAPER, decided, document=False), "dig.results")

    assert asked("2025-03-03") == (0, 1)
    assert asked("2025-03-04") == (0, 0)  # a later one changes nothing
    assert rate(FIGURE_SET, ask(PAPER, published("2025-03-03", result_document=False)), "dig.results") == (0, 0)
    assert rate(FIGURE_SET, ask(PAPER, published("2025-03-03")), "dig.results") == (0, 1)  # it says nothing: the sheet


def test_a_link_of_the_last_processed_is_a_result_file() -> None:
    totals = ask(steps=(RECEIVED, LINKED))
    assert rate(FIGURE_SET, totals, "dig.results") == rate(FIGURE_SET, totals, "dig.results.ended") == (1, 1)
    assert rate(FIGURE_SET, totals, "dig.store") == (0, 1)
    assert rate(FIGURE_SET, ask(steps=(RECEIVED, LINKED), synced=True), "dig.store") == (1, 1)
    assert rate(FIGURE_SET, ask(steps=(RECEIVED,), synced=True), "dig.store") == (0, 1)


def test_of_the_ended_ones_those_that_were_processed() -> None:
    totals = ask(
        tell("result_issued", "KQ01", file="urn:k"), steps=(RECEIVED, ("stopped", "2025-03-04 08:00", {"reason": "x"}))
    )
    assert rate(FIGURE_SET, totals, "dig.results") == (1, 1)
    assert rate(FIGURE_SET, totals, "dig.results.ended") == (0, 0)


def test_flags_speak_only_where_the_register_says_nothing() -> None:
    flags = {"components_digitised": True, "components_reused": True, "from_national_store": True}
    steps = (("received", "2025-03-03 09:00", {"flags": flags}),)
    assert holds(ask(steps=steps, document=False)) == {"dig.any", "dig.both", "dig.reuse", "dig.store"}
    assert holds(ask(PAPER, steps=steps, document=False)) == set()
    assert holds(ask(PAPER, voided(PAPER), steps=steps, document=False)) == {"dig.any", "dig.both", "dig.reuse", "dig.store"}


def test_the_dossiers_are_those_received_in_the_period() -> None:
    others = {
        f"H51.12-250303-0000{number}": known_dossier(f"H51.12-250303-0000{number}", (name, at))
        for number, (name, at) in enumerate(
            [("received", "2025-02-28 23:59"), ("received", "2025-03-01 00:00"), ("received", "2025-03-31 23:59"),
             ("received", "2025-04-01 00:00"), ("submitted", "2025-03-03 09:00")]
        )
    }  # fmt: skip
    assert sums(FIGURE_SET, SmallWorld((), others), "2025-03-01", "2025-03-31")["dossiers"] == 2


def test_facts_say_what_a_reader_is_shown() -> None:
    facts = known(PAPER, FILE, REUSED, tell("result_issued", "KQ01", file="urn:k", signed=True)).facts
    assert facts == {
        "components": {
            "TP01": {"form": "paper", "file": "urn:f", "sources": ["national_store"], "has_file": True, "owed": True}
        },
        "results": {"KQ01": {"has_file": True, "file": "urn:k", "signed": True, "issued_at": "2025-03-03T03:00:00Z"}},
    }


@pytest.mark.parametrize(
    ("marks", "synced", "expected"),
    [
        (DossierMark(0), True, Files(0, 0, any=False, reused=False, stored=False, result=False)),
        (DossierMark.COMPONENTS_DIGITISED, True, Files(0, 0, any=True, reused=False, stored=False, result=False)),
        (DossierMark.COMPONENTS_REUSED, True, Files(0, 0, any=False, reused=True, stored=False, result=False)),
        (DossierMark.FROM_NATIONAL_STORE, False, Files(0, 0, any=False, reused=False, stored=True, result=False)),
        (DossierMark.RESULT_LINK, True, Files(0, 0, any=False, reused=False, stored=True, result=True)),
        (DossierMark.RESULT_LINK, False, Files(0, 0, any=False, reused=False, stored=False, result=True)),
    ],
)
def test_without_a_record_each_flag_of_the_dossier_says_one_thing(marks: DossierMark, synced: bool, expected: Files) -> None:
    assert files_of({}, marks, is_synced=synced) == expected


@pytest.mark.parametrize(
    ("steps", "issued", "anomalies"),
    [
        ([], "2025-03-04 09:00", ["result_unprocessed"]),
        ([("processed", "2025-03-04 09:00", {"outcome": "approved"})], "2025-03-04 09:00", []),
        ([("processed", "2025-03-04 09:00", {"outcome": "approved"})], "2025-03-04 08:59", ["result_unprocessed"]),
        ([("processed", "2025-03-04 09:00", {"outcome": "approved"})], "2025-03-05 09:00", []),
        ([("assigned", "2025-03-03 10:00", {"department": "A"})], "2025-03-04 09:00", ["result_unprocessed"]),
        ([("processed", "2025-03-04 09:00", {"outcome": "approved"})], None, []),
    ],
)
def test_a_result_is_issued_when_there_is_a_decision(
    steps: list[tuple[Any, ...]], issued: str | None, anomalies: list[str]
) -> None:
    dossier = known_dossier(DOSSIER, RECEIVED, *steps).folded
    assert dossier is not None
    events = [PAPER, *([] if issued is None else [tell("result_issued", "KQ01", issued)])]
    folded = record(*events)
    assert result_anomalies(folded.facts, dossier) == anomalies
    assert result_anomalies({}, dossier) == []


def test_a_dossier_with_an_anomaly_counts_once() -> None:
    world = SmallWorld([FILE], {DOSSIER: known_dossier(DOSSIER, RECEIVED)})
    assert sums(FIGURE_SET, world, "2025-03-01", "2025-03-31")["file_without_submission"] == 1
