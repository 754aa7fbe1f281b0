"""The second sample, counted by hand here: its events are taken, have the published totals, and never change."""

from __future__ import annotations

from collections import Counter
from datetime import date
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from services.sample.registers.agencies import agencies
from services.sample.registers.payments import STATEMENT_GATEWAY, STATEMENT_ON
from services.sample.registers.published import PublishedLine
from services.sample.registers.year import RegisterYear, register_year
from services.sample.table import published_table
from shared.events.cloudevents.decoding import read_event
from shared.payments.rules.classification import LineClass, classify
from shared.registers.figure_sets import FIGURE_SETS
from shared.vocabulary.errors import InvalidInput


@pytest.fixture(scope="module")
def year() -> RegisterYear:
    return register_year("H51")


def told(year: RegisterYear, name: str) -> list[dict[str, Any]]:
    return [event for event in year.events if event["type"] == f"vn.motcua.{name}.v1"]


def test_the_same_every_time_and_each_event_once(year: RegisterYear) -> None:
    assert register_year("H51") == year
    assert len({event["id"] for event in year.events}) == len(year.events)
    registers = {event["type"].split(".")[2] for event in year.events}
    assert registers >= {need for figures in FIGURE_SETS.values() for need in figures.needs}, "every register has events"


def test_every_event_is_one_that_the_product_takes(year: RegisterYear) -> None:
    for event in year.events[::3]:
        read_event(orjson.dumps(event), "H51", b"k")  # raises what a caller would be told


def test_another_province_has_the_same_under_its_own_codes() -> None:
    other = register_year("H49")
    assert not [event["subject"] for event in other.events if event["subject"].startswith("H51")]
    for event in other.events[::50]:
        read_event(orjson.dumps(event), "H49", b"k")


def test_payments_are_those_that_are_published(year: RegisterYear) -> None:
    begun = {event["subject"]: event["data"] for event in told(year, "payment.initiated")}
    paid = {event["subject"] for event in told(year, "payment.confirmed") if event["data"]["outcome"] == "succeeded"}
    paid |= {event["subject"] for event in told(year, "payment.queried") if event["data"]["state"] == 1}
    land = {reference for reference, data in begun.items() if data["purpose"] == "land"}
    assert (len(begun), len(paid), len(land), len(paid & land)) == (555, 260, 268, 144)
    assert sum(begun[reference]["amount_vnd"] for reference in paid & land) == 271_954_550


def test_decisions_are_those_that_are_published(year: RegisterYear) -> None:
    signed = [event["data"] for event in told(year, "catalogue.decided") if event["data"]["signed_on"].startswith("2022")]
    of_kind = {kind: [one for one in signed if one["kind"] == kind] for kind in ("publication", "process")}
    covered = {
        kind: {item["procedure_code"] for one in decisions for item in one["items"]} for kind, decisions in of_kind.items()
    }
    assert {kind: len(decisions) for kind, decisions in of_kind.items()} == {"publication": 79, "process": 35}
    assert {kind: len(codes) for kind, codes in covered.items()} == {"publication": 561, "process": 622}


def test_feedback_is_answered_and_published_in_its_year(year: RegisterYear) -> None:
    for name in ("received", "answered", "published"):
        times = [event["time"][:4] for event in told(year, f"feedback.{name}")]
        # ten of 2023 were asked again
        assert Counter(times) == {"2022": 65, "2023": 247 + (0 if name == "received" else 10)}, name


def test_the_statement_has_every_class(year: RegisterYear) -> None:
    begun = {event["subject"]: event["data"] for event in told(year, "payment.initiated")}
    succeeded = [*told(year, "payment.confirmed"), *told(year, "payment.queried")]
    paid_on = {
        event["subject"]: date.fromisoformat(event["time"][:10])
        for event in succeeded
        if event["data"].get("outcome") == "succeeded" or event["data"].get("state") == 1
    }
    here = {reference: data for reference, data in begun.items() if data["gateway"] == STATEMENT_GATEWAY}
    ours = {reference: data["amount_vnd"] for reference, data in here.items() if paid_on.get(reference) == STATEMENT_ON}
    others = {reference: reference in paid_on for reference in here if reference not in ours}
    classed = classify([SimpleNamespace(**line) for line in year.statement], ours, others)
    assert {one: classed.count(one) for one in LineClass if one is not LineClass.MATCHED} == dict.fromkeys(
        [one for one in LineClass if one is not LineClass.MATCHED], 1
    )
    assert classed.count(LineClass.MATCHED) > 20
    assert all(classed.identities().values())


def test_agencies_are_invented_and_none_of_the_first_sample() -> None:
    known = {unit.code for unit in published_table("soctrang-2018", "H51").units}
    ours = {one["code"]: one["name"] for one in agencies("H51") if one["parent"]}
    assert not known & ours.keys()
    assert all("mẫu" in name.lower() for name in ours.values())


def test_what_differs_is_told_and_what_is_only_quoted_is_compared_with_nothing() -> None:
    def line(printed: int | str, computed: int | str | None) -> PublishedLine:
        return PublishedLine("t", "f", printed, computed)

    assert line("46,85%", "46.85").agrees
    assert line("100%", "100.00").agrees
    assert not line("46,85%", "46.86").agrees
    assert not line(65, None).agrees
    assert line("139.870.00 đồng", 5).is_quoted
    assert line("139.870.00 đồng", 5).agrees


def test_an_unknown_sample_is_told_all_names() -> None:
    with pytest.raises(InvalidInput, match="soctrang-2018, soctrang-2022, soctrang-2022-registers, or none"):
        published_table("soctrang-2017", "H51")
