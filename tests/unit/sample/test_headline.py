"""The headline of 2022: a history of exactly the printed counts, misprints shown as such, and a difference told."""

import io
from collections import Counter
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from itertools import islice
from typing import Any

import pytest
from rich.console import Console

from services.mock_portal.storage.catalogue import Catalogue
from services.sample.catalogue import NOT_INTEGRATED, PROCEDURES, agencies, procedures
from services.sample.comparison import Comparison
from services.sample.headline import headline, print_headline
from services.sample.history import event_count, history
from services.sample.replay import deadline_seconds
from services.sample.table import Unit, UnitTable, published_table, scaled

LOCAL = timezone(timedelta(hours=7))


@pytest.fixture(scope="module")
def table() -> UnitTable:
    return published_table("soctrang-2022", "H51")


def counted(unit: Unit, sync: int) -> tuple[Comparison, dict[str, Any], dict[str, Any]]:
    """Answers of a product that counts the unit as it is printed."""
    row = Comparison(unit, unit.dossiers, unit.on_time, unit.within, unit.late, Decimal("99.93"))
    figures = {"received": {"new": {"online": unit.online}}}
    synced = {
        "indicator": {"numerator": sync, "value": "45.04"},
        "counts": {"pending": 0, "sent": sync, "parked": unit.dossiers - sync},
        "errors": {"rejected": unit.dossiers - sync},
    }
    return row, figures, synced


def test_the_printed_counts_and_what_they_make(table):
    (unit,) = table.units
    assert (unit.dossiers, unit.on_time, unit.late, unit.within) == (894_541, 887_715, 634, 6_192)
    assert (unit.online, unit.synced) == (34_311, 402_859)
    assert unit.code == table.tenant == "H51"
    assert event_count(table) == 4 * (887_715 + 634) + 2 * 6_192
    lines = {line.name: line for line in headline(table, *counted(unit, 402_859))}
    assert all(line.agrees for line in lines.values())
    assert (lines["on time, rate A %"].remade, lines["late %"].remade) == (Decimal("99.93"), Decimal("0.07"))
    assert lines["synced %, indicator 1.4"].remade == Decimal("45.04")
    assert [line.name for line in lines.values() if line.is_misprint] == ["received online %"]
    assert lines["received online %"].remark == "= 3.84, misprint: 3.82"


def test_a_difference_is_told_and_a_sync_that_goes_on_is_no_difference_yet(table):
    (unit,) = table.units

    def shown(row: Comparison, figures: dict[str, Any], synced: dict[str, Any]) -> tuple[bool, str]:
        printed = io.StringIO()
        agrees = print_headline(Console(file=printed, width=140), table, headline(table, row, figures, synced), synced)
        return agrees, printed.getvalue()

    row, figures, synced = counted(unit, 402_859)
    agrees, text = shown(row, figures, synced)
    assert agrees
    assert "DIFFERS" not in text
    assert "misprint: 3.82" in text
    assert "recommended_as_printed: 12 TTHC/10 TTHC" in text
    assert "which procedures are integrated, and so which dossiers the portal takes, is ours" in text
    assert "insists on its catalogue" in " ".join(text.split())
    agrees, text = shown(replace(row, late=row.late + 1), figures, synced)
    assert (agrees, text.count("DIFFERS")) == (False, 1)
    going_on = counted(unit, 400_000)[2]
    agrees, text = shown(row, figures, going_on | {"counts": {"pending": 5}})
    assert (agrees, "DIFFERS" in text, "sync goes on" in text) == (True, False, True)
    assert shown(row, figures, going_on)[1].count("DIFFERS") == 1


def test_the_history_counts_to_the_table_exactly_by_channel_and_by_what_is_integrated(table):
    small = scaled(table, 200)
    (unit,) = small.units
    assert unit.dossiers == 887_715 // 200 + 634 // 200 + 6_192 // 200
    lives: dict[str, dict[str, Any]] = {}
    for event in history(small):
        lives.setdefault(event["subject"], {})[event["type"].split(".")[3]] = event
    found: Counter[str] = Counter()
    known = {procedure.code for procedure in PROCEDURES}
    for code, life in lives.items():
        data = life["received"]["data"]
        assert (code.partition("-")[0], data["agency_code"]) == ("H51", "H51")
        found["online"] += data["channel"] == "online"
        found["integrated"] += data["procedure_code"] in known
        due = datetime.fromisoformat(data["due_at"]).astimezone(LOCAL).date()
        if "processed" not in life:
            assert due >= date(2022, 12, 31)
            found["within"] += 1
        else:
            ended = datetime.fromisoformat(life["processed"]["time"]).astimezone(LOCAL).date()
            assert ended.year == 2022
            found["late" if ended > due else "on time"] += 1
    assert found == {
        "online": 34_311 // 200,
        "integrated": 402_859 // 200,
        "within": 6_192 // 200,
        "late": 634 // 200,
        "on time": 887_715 // 200,
    }


def test_the_whole_history_is_made_event_by_event_and_is_the_same_every_time(table):
    assert list(islice(history(table), 50)) == list(islice(history(table), 50))
    assert scaled(table, 1) is table


def test_the_portal_knows_the_integrated_procedures_and_no_other(table):
    catalogue = Catalogue()
    assert all(catalogue.has_procedure(procedure.code) for procedure in PROCEDURES)
    assert not any(catalogue.has_procedure(procedure.code) for procedure in NOT_INTEGRATED)
    logged = {body["code"] for body in procedures(table)}
    assert logged == {procedure.code for procedure in (*PROCEDURES, *NOT_INTEGRATED)}
    assert [body["code"] for body in agencies(table)] == ["H51"]
    assert {body["code"] for body in procedures(published_table("soctrang-2018", "H51"))} == {p.code for p in PROCEDURES}


def test_deadlines_grow_with_what_is_waited_for():
    assert deadline_seconds(0) < deadline_seconds(500_000) < deadline_seconds(3_500_000)
