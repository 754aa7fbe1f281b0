"""The sample's history, counted by hand here, is the printed table; and it never changes."""

import hashlib
import json
from collections import Counter
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest

from services.sample.comparison import averages, compare
from services.sample.history import event_count, history
from services.sample.table import Unit, UnitTable, published_table, read_table
from shared.vocabulary.errors import InvalidInput

LOCAL = timezone(timedelta(hours=7))


def local_day(instant: str) -> date:
    return datetime.fromisoformat(instant).astimezone(LOCAL).date()


def count(events) -> dict[str, Counter]:
    """Columns of the printed table, per unit, from raw events: no product code."""
    dossiers: dict[str, dict[str, dict]] = {}
    for event in events:
        name = event["type"].removeprefix("vn.motcua.dossier.").removesuffix(".v1")
        dossiers.setdefault(event["subject"], {})[name] = event
    counted: dict[str, Counter] = {}
    for code, life in dossiers.items():
        received = life["received"]
        columns = counted.setdefault(received["data"]["agency_code"], Counter())
        due = local_day(received["data"]["due_at"])
        assert code.startswith(received["data"]["agency_code"] + "-")
        assert local_day(received["time"]).year == 2018
        columns["received"] += 1
        if "processed" not in life:
            assert due >= date(2018, 12, 31)
            columns["within"] += 1
            continue
        ended = local_day(life["processed"]["time"])
        assert local_day(received["time"]) <= ended <= date(2018, 12, 31)
        assert life["returned"]["time"] > life["processed"]["time"] > life["received"]["time"]
        columns["late" if ended > due else "on_time"] += 1
    return counted


@pytest.fixture(scope="module")
def table() -> UnitTable:
    return published_table("soctrang-2018", "H51")


@pytest.fixture(scope="module")
def events(table):
    return list(history(table))


def test_the_history_counts_to_the_printed_table(table, events):
    counted = count(events)
    assert len(table.units) == 29
    for unit in table.units:
        expected = Counter(received=unit.dossiers, on_time=unit.on_time, within=unit.within, late=unit.late)
        assert counted[unit.code] == +expected, unit.name
    assert table.dossiers == 98_017 == sum(columns["received"] for columns in counted.values())
    assert event_count(table) == len(events)


def test_identities_are_unique(events):
    assert len({(event["source"], event["id"]) for event in events}) == len(events)


def test_the_history_is_the_same_every_time(table, events):
    def digest(some):
        return hashlib.sha256(json.dumps(some).encode()).hexdigest()

    assert digest(list(history(table))[:5000]) == digest(events[:5000])


def test_an_own_table_is_read_from_csv(tmp_path: Path):
    file = tmp_path / "own.csv"
    file.write_text("name,received,on_time,in_progress_within,late,on_time_rate_pct\nSở A,3,1,1,1,50.00\n", encoding="utf-8")
    own = read_table(file, tenant="H51", year=2024)
    assert own.units == [Unit("H51.01", "Sở A", "", 3, 1, 1, 1, Decimal("50.00"))]


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("name,received\n", "/1"),
        ("name,received,on_time,in_progress_within,late\nA,1,x,0,0\n", "/2/on_time"),
        ("name,received,on_time,in_progress_within,late\n,1,1,0,0\n", "/2/name"),
        ("name,received,on_time,in_progress_within,late\nA,-1,1,0,0\n", "/2/received"),
        ("name,received,on_time,in_progress_within,late\n", "/2"),
        ("name,received,on_time,in_progress_within,late,on_time_rate_pct\nA,1,1,0,0,all\n", "/2/on_time_rate_pct"),
    ],
)
def test_a_wrong_cell_is_named(tmp_path: Path, text: str, pointer: str):
    file = tmp_path / "own.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInput) as caught:
        read_table(file, tenant="H51", year=2024)
    assert [error.pointer for error in caught.value.errors] == [pointer]


def test_an_unknown_sample_is_refused():
    with pytest.raises(InvalidInput, match="soctrang-2018"):
        published_table("nowhere", "H51")


def answer_for(table: UnitTable) -> dict:
    def row(unit: Unit) -> dict:
        return {
            "key": unit.code,
            "received": {"total": unit.dossiers},
            "resolved": {"early": unit.on_time, "on_time": 0, "late": unit.late},
            "open": {"within": unit.within},
            "rates": {"resolved_on_time": {"value": None if unit.rate_pct is None else str(unit.rate_pct)}},
        }

    return {"rows": [row(unit) for unit in table.units]}


def test_the_comparison_names_the_four_misprints_and_the_headline(table):
    rows = compare(table, answer_for(table))
    assert all(row.agrees for row in rows)
    misprinted = {row.unit.name: (row.unit.received, row.received) for row in rows if row.received_is_misprinted}
    assert sorted(misprinted.values()) == [(198, 194), (3978, 3977), (10485, 10481), (22285, 2285)]
    assert averages(rows) == {"pooled": Decimal("90.27"), "mean of units": Decimal("94.14")}
    assert table.headline_rate_pct == Decimal("93.42")


def test_a_unit_that_differs_is_told(table):
    answer = answer_for(table)
    answer["rows"][0]["resolved"]["late"] += 1
    rows = compare(table, answer)
    assert [row.agrees for row in rows].count(False) == 1
    assert not compare(table, {"rows": []})[3].agrees
