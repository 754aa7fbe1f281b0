"""The catalogue on any day, its figures, rates, identities and anomalies (docs/registers.md, 4)."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.events.rules.registers import CATALOGUE
from shared.projection.rules.records import fold_record
from shared.projection.rules.register_projections import PROJECTIONS
from shared.registers.catalogue import precedence
from shared.registers.catalogue.decisions import DecidedCatalogue
from shared.registers.catalogue.figures import FIGURE_SET
from shared.vocabulary.events import RecordEvent
from tests.support.registers.worlds import FixedWorld, agency, broken_checks, figures, known, procedure, told, units, voiding


def published(action: str, code: str, **more: Any) -> dict[str, Any]:
    item: dict[str, Any] = {"action": action, "procedure_code": code}
    if action != "abolished":
        item |= {"name": code, "field": "Đất đai", "levels": ["province"]}
    return item | more


def decided(subject: str, effective_on: str, *items: dict[str, Any], kind: str = "publication", **more: Any) -> RecordEvent:
    data = {"kind": kind, "signed_on": effective_on, "effective_on": effective_on, "items": list(items)} | more
    return told("catalogue", "decided", subject, "2022-01-03 08:00", **data)


def catalogue(*events: RecordEvent) -> DecidedCatalogue:
    return DecidedCatalogue.of({code: one.facts for code, one in known(events).get("catalogue", {}).items()})


def on(text: str) -> date:
    return date.fromisoformat(text)


FIRST = decided(
    "H51/1/2022", "2022-01-10", published("new", "1.000001"), published("new", "1.000002", levels=["province", "commune"])
)


def test_new_amended_replaced_and_abolished_decide_what_is_in_force() -> None:
    found = catalogue(
        FIRST,
        decided("H51/2/2022", "2022-02-01", published("amended", "1.000001", name="Tên mới")),
        decided("H51/3/2022", "2022-03-01", published("replaced", "1.000009", replaces="1.000002")),
        decided("H51/4/2022", "2022-04-01", published("abolished", "1.000001")),
    )

    def in_force(day: str) -> dict[str, str]:
        entries = {code: found.entry(code, on(day)) for code in found.procedures}
        return {code: act.item["name"] for code, act in entries.items() if act is not None}

    assert in_force("2022-01-09") == {}
    assert in_force("2022-01-10") == {"1.000001": "1.000001", "1.000002": "1.000002"}
    assert in_force("2022-02-01") == {"1.000001": "Tên mới", "1.000002": "1.000002"}
    assert in_force("2022-03-01") == {"1.000001": "Tên mới", "1.000009": "1.000009"}
    assert in_force("2022-04-01") == {"1.000009": "1.000009"}


def test_a_repeal_takes_the_decision_out_from_its_day_on() -> None:
    found = catalogue(
        FIRST,
        decided("H51/4/2022", "2022-04-01", published("abolished", "1.000001")),
        told("catalogue", "repealed", "H51/4/2022", "2022-05-02 08:00", by="H51/9/2022", effective_on="2022-05-01"),
    )
    assert [
        found.entry("1.000001", on(day)) is not None for day in ("2022-03-31", "2022-04-01", "2022-04-30", "2022-05-01")
    ] == [
        True,
        False,
        False,
        True,
    ]


def test_a_later_decided_of_the_same_number_replaces_the_earlier() -> None:
    again = told(
        "catalogue", "decided", "H51/1/2022", "2022-01-04 08:00",
        kind="publication", signed_on="2022-01-05", effective_on="2022-01-20", items=[published("new", "1.000003")],
    )  # fmt: skip
    found = catalogue(again, FIRST)
    assert list(found.procedures) == ["1.000003"]
    assert found.entry("1.000003", on("2022-01-10")) is None
    assert list(catalogue(again, FIRST, voiding(again)).procedures) == ["1.000001", "1.000002"]


def test_decisions_of_one_day_count_by_signing_then_by_number_then_by_place() -> None:
    named = [
        decided("H51/9/2022", "2022-02-01", published("amended", "1.000001", name="9"), signed_on="2022-01-20"),
        decided("H51/2/2022", "2022-02-01", published("amended", "1.000001", name="2"), signed_on="2022-01-21"),
        decided(
            "H51/3/2022", "2022-02-01",
            published("amended", "1.000001", name="3a"), published("amended", "1.000001", name="3b"), signed_on="2022-01-21",
        ),
    ]  # fmt: skip
    for events in (named, named[::-1]):
        act = catalogue(FIRST, *events).entry("1.000001", on("2022-02-01"))
        assert act is not None
        assert act.item["name"] == "3b"


def service(code: str, level: int | str) -> dict[str, Any]:
    return {"procedure_code": code, "scheme": "levels4" if isinstance(level, int) else "levels2", "level": level}


def test_the_level_is_the_highest_of_the_last_services_decision_that_names_it() -> None:
    found = catalogue(
        FIRST,
        decided("H51/5/2022", "2022-02-01", service("1.000001", 4), service("1.000002", 2), kind="services"),
        decided("H51/6/2022", "2022-03-01", service("1.000001", 3), service("1.000001", 2), kind="services"),
        decided("H51/7/2022", "2022-04-01", service("1.000002", "full"), kind="services"),
    )

    def level(code: str, day: str) -> int | str | None:
        item = found.service(code, on(day))
        return None if item is None else item["level"]

    assert [level("1.000001", day) for day in ("2022-01-31", "2022-02-01", "2022-03-01", "2022-04-01")] == [None, 4, 3, 3]
    assert [level("1.000002", day) for day in ("2022-02-01", "2022-03-31", "2022-04-01")] == [2, 2, "full"]


def test_services_and_integration_count_what_is_in_force() -> None:
    integration = decided(
        "H51/8/2022", "2022-03-01",
        {"procedure_code": "1.000001", "integrated": True}, {"procedure_code": "1.000002", "integrated": True}, kind="integration",
    )  # fmt: skip
    world = FixedWorld(
        [
            FIRST,
            decided(
                "H51/5/2022",
                "2022-02-01",
                service("1.000001", 4),
                service("1.000002", 3),
                service("1.000077", 4),
                kind="services",
            ),
            integration,
            decided("H51/9/2022", "2022-06-01", published("abolished", "1.000002")),
        ]
    )
    half = figures(FIGURE_SET, world, "2022-01-01", "2022-05-31")
    assert {one: half[one] for one in ("in_force", "level_3", "level_4", "services", "integrated")} == {
        "in_force": 2, "level_3": 1, "level_4": 1, "services": 2, "integrated": 2,
    }  # fmt: skip
    year = figures(FIGURE_SET, world, "2022-01-01", "2022-12-31")
    assert (year["services"], year["integrated"], year["level_4"]) == (1, 1, 1)


def test_the_last_item_says_whether_a_procedure_is_integrated() -> None:
    said = [{"procedure_code": "1.000001", "integrated": one} for one in (True, False)]
    found = catalogue(FIRST, decided("H51/3/2022", "2022-02-01", *said, kind="integration"))
    assert found.is_integrated("1.000001", on("2022-02-01")) is False
    assert found.is_integrated("1.000001", on("2022-01-31")) is None


def test_decisions_procedures_items_and_changes() -> None:
    world = FixedWorld(
        [
            FIRST,
            decided("H51/2/2022", "2022-02-01", published("amended", "1.000001"), published("amended", "1.000001")),
            decided("H51/3/2022", "2022-03-01", published("replaced", "1.000009", replaces="1.000002", origin="central")),
            decided("H51/4/2022", "2022-04-01", published("abolished", "1.000001")),
            told("catalogue", "repealed", "H51/4/2022", "2022-05-02 08:00", by="H51/9/2022", effective_on="2022-05-01"),
        ]
    )
    year = figures(FIGURE_SET, world, "2022-01-01", "2022-12-31")
    expected = {
        "decisions": 4, "procedures_covered": 3, "items": 6,
        "new": 2, "amended": 1, "replaced": 1, "abolished": 1,
        "in_force": 2, "central": 1, "unknown_origin": 1, "province": 2, "sum_of_lists": 2, "put_in": 2,
    }  # fmt: skip
    assert {one: year[one] for one in expected} == expected
    assert year.get("commune", 0) == 0
    later = figures(FIGURE_SET, world, "2022-03-01", "2022-12-31")
    assert (later["in_force_before"], later["put_in"], later["taken_out"], later["in_force"]) == (2, 1, 1, 2)
    assert sorted(unit.code for unit in units(FIGURE_SET, world, "2022-03-01", "2022-12-31", "taken_out")) == ["1.000002"]
    march = figures(FIGURE_SET, world, "2022-03-01", "2022-03-31")
    assert (march["decisions"], march["procedures_covered"], march.get("new", 0)) == (1, 1, 0)


def test_a_procedure_of_two_levels_is_in_both_rows_and_once_in_the_total() -> None:
    sums = figures(FIGURE_SET, FixedWorld([FIRST]), "2022-01-01", "2022-12-31")
    assert (sums["in_force"], sums["province"], sums["commune"], sums["sum_of_lists"]) == (2, 2, 1, 3)


def test_units_offering_are_agencies_with_a_level_that_resolve_a_service() -> None:
    tree = [
        agency("H51.01", "province"), agency("H51.02", "province"), agency("H51.03", "district"),
        agency("H51.04", "commune"), agency("H51.05"), agency("H51.06", "commune", valid_to=date(2022, 6, 30)),
    ]  # fmt: skip
    world = FixedWorld(
        [
            decided(
                "H51/1/2022", "2022-01-10",
                published("new", "1.000001", levels=["commune"]), published("new", "1.000002", agencies=["H51.01", "H51.05"]),
            ),
            decided("H51/5/2022", "2022-02-01", service("1.000001", "partial"), service("1.000002", 4), kind="services"),
        ],
        agencies=tree,
    )  # fmt: skip
    sums = figures(FIGURE_SET, world, "2022-01-01", "2022-12-31")
    assert (sums["units"], sums["units_offering"]) == (4, 2)
    assert [sums[f"units_{level}"] for level in ("province", "district", "commune")] == [2, 1, 1]
    assert [sums[f"units_offering_{level}"] for level in ("province", "district", "commune")] == [1, 0, 1]
    assert [unit.code for unit in units(FIGURE_SET, world, "2022-01-01", "2022-12-31", "units_not_offering")] == [
        "H51.02",
        "H51.03",
    ]
    assert figures(FIGURE_SET, world, "2022-01-01", "2022-06-30")["units"] == 5


def test_an_entry_of_a_former_province_counts_once_and_binds_it_alone() -> None:
    found = catalogue(
        decided("H51/1/2022", "2022-01-10", published("new", "1.000001", name="chung")),
        decided("H51/2/2022", "2022-02-01", published("amended", "1.000001", name="riêng", territory=["H50"])),
    )
    first, second = (
        found.entry_for("1.000001", on("2022-03-01"), lambda territory, home=home: home in territory)
        for home in ("H50", "H51")
    )
    assert first is not None
    assert second is not None
    assert (first.item["name"], second.item["name"]) == ("riêng", "chung")
    world = FixedWorld([decided("H51/1/2022", "2022-01-10", published("new", "1.000001", territory=["H50"]))])
    assert figures(FIGURE_SET, world, "2022-01-01", "2022-12-31")["in_force"] == 1


PROCESS = {
    "procedure_code": "1.012994",
    "steps": [
        {"no": n, "name": f"Bước {n}", "department": "P1", "role": "CV", **({"hours": hours} if hours else {})}
        for n, hours in enumerate((4, 4, 112, 24, 16, 8, 0), start=1)
    ],
}


def test_the_process_given_to_reproduce_has_168_hours_of_21_days() -> None:
    assert not precedence.process_sum_differs(PROCESS, {"value": 21, "unit": "working_days"})
    assert not precedence.process_sum_differs(PROCESS, {"value": 168, "unit": "working_hours"})
    assert precedence.process_sum_differs(PROCESS, {"value": 20, "unit": "working_days"})
    assert not precedence.process_sum_differs(PROCESS, {"value": 1, "unit": "months"})
    assert not precedence.process_sum_differs(PROCESS, None)
    uncounted = {"steps": [*PROCESS["steps"], {"no": 8, "hours": 8, "counts": False}]}
    assert not precedence.process_sum_differs(uncounted, {"value": 21, "unit": "working_days"})


def test_the_process_of_dossiers_is_the_last_without_a_variant() -> None:
    def item(**more: Any) -> dict[str, Any]:
        return PROCESS | {"procedure_code": "1.000001"} | more

    steps = PROCESS["steps"]
    told = [item(steps=steps[:1]), item(steps=steps[:2]), item(steps=steps[:3], variant="qua bưu chính")]
    found = catalogue(decided("H51/1/2022", "2022-02-01", *told, kind="process"))
    process = found.process("1.000001", on("2022-02-01"))
    assert process is not None
    assert len(process["steps"]) == 2
    assert len(found.processes("1.000001", on("2022-02-01"))) == 3
    only = catalogue(decided("H51/1/2022", "2022-02-01", told[2], kind="process"))
    assert only.process("1.000001", on("2022-02-01")) == told[2]
    assert only.process("1.000001", on("2022-01-31")) is None


def test_coverage_by_processes_and_their_sum() -> None:
    world = FixedWorld(
        [
            decided(
                "H51/1/2022",
                "2022-01-10",
                published("new", "1.012994", limit={"value": 20, "unit": "working_days"}),
                published("new", "1.000002"),
            ),
            decided("H51/2/2022", "2022-02-01", PROCESS, kind="process"),
        ]
    )
    sums = figures(FIGURE_SET, world, "2022-01-01", "2022-12-31")
    assert (sums["covered_by_process"], sums["in_force"], sums["process_sum"]) == (1, 2, 1)
    assert (sums["process_decisions"], sums["process_procedures"], sums["decisions"], sums["procedures_covered"]) == (
        1,
        1,
        1,
        2,
    )
    assert [unit.code for unit in units(FIGURE_SET, world, "2022-01-01", "2022-12-31", "process_sum")] == ["1.012994"]


@pytest.mark.parametrize(
    ("legal", "shortened", "signed", "in_time"),
    [
        # Monday 2025-02-17; Monday to Friday before it are five working days
        ("2025-02-17", False, "2025-02-10", True),
        ("2025-02-17", False, "2025-02-11", False),
        ("2025-02-15", False, "2025-02-10", True),
        ("2025-02-17", True, "2025-02-20", True),
        ("2025-02-17", True, "2025-02-21", False),
    ],
)
def test_a_decision_is_in_time_five_working_days_before_the_text_takes_effect(
    legal: str, shortened: bool, signed: str, in_time: bool
) -> None:
    more = {"signed_on": signed, "legal_effective_on": legal, "shortened": shortened}
    world = FixedWorld([decided("H51/1/2025", "2025-02-20", published("new", "1.000001"), **more)])
    sums = figures(FIGURE_SET, world, "2025-01-01", "2025-12-31")
    assert (sums["decided"], sums["decided_in_time"]) == (1, int(in_time))


def test_one_late_decision_makes_the_procedure_late_for_the_period() -> None:
    early = decided(
        "H51/1/2025", "2025-02-20", published("new", "1.000001"), signed_on="2025-01-06", legal_effective_on="2025-02-17"
    )
    late = decided(
        "H51/2/2025", "2025-03-20", published("amended", "1.000001"), signed_on="2025-03-17", legal_effective_on="2025-03-18"
    )
    world = FixedWorld([early, late])
    assert figures(FIGURE_SET, world, "2025-01-01", "2025-12-31")["decided_in_time"] == 0
    assert figures(FIGURE_SET, world, "2025-01-01", "2025-01-31")["decided_in_time"] == 1


def test_posting_is_owed_within_five_working_days_and_two_if_shortened() -> None:
    def posted(on_day: str | None, **more: Any) -> tuple[int | None, int | None]:
        events = [decided("H51/1/2025", "2025-03-01", published("new", "1.000001"), **{"signed_on": "2025-02-17"} | more)]
        if on_day is not None:
            events.append(
                told("catalogue", "posted", "H51/1/2025", "2025-04-01 08:00", procedure_code="1.000001", posted_on=on_day)
            )
        sums = figures(FIGURE_SET, FixedWorld(events), "2025-01-01", "2025-02-25")
        return sums.get("posting_owed", 0), sums.get("posted_in_time", 0)

    assert posted("2025-02-24") == (1, 1)
    assert posted("2025-02-25") == (1, 0)
    assert posted("2025-02-20", shortened=True) == (1, 0)
    assert posted("2025-02-19", shortened=True) == (1, 1)
    assert posted(None) == (1, 0)
    assert posted(None, signed_on="2025-02-19") == (0, 0), "not yet due"
    assert posted(None, signed_on="2025-02-18") == (0, 0), "due today"


def test_what_needs_a_year_that_nobody_confirmed_is_not_known() -> None:
    world = FixedWorld(
        [
            decided(
                "H51/1/2035",
                "2035-02-20",
                published("new", "1.000001"),
                signed_on="2035-02-05",
                legal_effective_on="2035-02-14",
            )
        ]
    )
    sums = figures(FIGURE_SET, world, "2035-01-01", "2035-12-31")
    assert (sums["decided"], sums["decided_in_time"], sums["posted_in_time"]) == (1, None, None)


def test_complete_are_those_with_all_seven_parts() -> None:
    seven = ["name", "sequence", "manner", "components", "limit", "who", "agency"]
    world = FixedWorld(
        [
            decided(
                "H51/1/2022",
                "2022-01-10",
                published("new", "1.000001", parts=seven),
                published("new", "1.000002", parts=seven[1:]),
                published("new", "1.000003"),
            )
        ]
    )
    sums = figures(FIGURE_SET, world, "2022-01-01", "2022-12-31")
    assert (sums["complete"], sums["parts_told"], sums["in_force"]) == (1, 2, 3)


def test_full_of_the_eligible() -> None:
    world = FixedWorld(
        [
            decided(
                "H51/1/2022",
                "2022-01-10",
                published("new", "1.000001", eligible_full=True),
                published("new", "1.000002", eligible_full=True),
                published("new", "1.000003"),
            ),
            decided("H51/5/2022", "2022-02-01", service("1.000001", "full"), service("1.000003", "full"), kind="services"),
        ]
    )
    sums = figures(FIGURE_SET, world, "2022-01-01", "2022-12-31")
    assert (sums["full_of_eligible"], sums["eligible_full"], sums["full"]) == (1, 2, 2)


def test_what_does_not_fit_is_an_anomaly() -> None:
    found = catalogue(
        FIRST,
        decided("H51/2/2022", "2022-02-01", published("new", "1.000001"), published("abolished", "1.000005")),
        decided("H51/3/2022", "2022-03-01", published("replaced", "1.000009", replaces="1.000006")),
        decided(
            "H51/4/2022",
            "2022-04-01",
            published("replaced", "1.000008", replaces="1.000002"),
            published("abolished", "1.000001"),
        ),
    )
    assert sorted(found.anomalies()) == [
        ("H51/2/2022", "1.000001", "new_already_in_force"),
        ("H51/2/2022", "1.000005", "abolished_not_in_force"),
        ("H51/3/2022", "1.000006", "replaces_unknown"),
    ]


def test_codes_and_repeals_that_look_wrong_are_anomalies_of_the_decision() -> None:
    repealed = [
        told("catalogue", "repealed", "H51/1/2022", "2022-05-02 08:00", by="H51/9/2022", effective_on=day)
        for day in ("2022-06-01", "2022-05-01")
    ]
    records = known([decided("H51/1/2022", "2022-01-10", published("new", "T-DKD-01")), *repealed])["catalogue"]
    assert records["H51/1/2022"].anomalies == ["code_malformed", "decision_repealed_twice"]
    assert records["H51/1/2022"].facts["repealed"]["on"] == "2022-05-01"
    world = FixedWorld([decided("H51/1/2022", "2022-01-10", published("new", "T-DKD-01")), *repealed])
    assert [unit.code for unit in units(FIGURE_SET, world, "2022-01-01", "2022-12-31", "code_malformed")] == ["H51/1/2022"]
    assert figures(FIGURE_SET, world, "2022-01-01", "2022-12-31")["decision_repealed_twice"] == 1


def test_the_decision_wins_over_the_sheet_and_a_difference_is_marked() -> None:
    item = published("new", "1.000001", name="Tên", fee=True, limit={"value": 5, "unit": "working_days"})
    same = procedure("1.000001", name="Tên", field="Đất đai", has_fee=True, limit_value=5, limit_unit="working_days")
    other = procedure(
        "1.000001", name="Tên khác", field="Đất", limit_value=7, limit_unit="working_days", result_is_document=True
    )
    assert precedence.differences(item, same) == []
    assert precedence.differences(item, other) == ["name", "field", "fee", "limit"]
    assert precedence.limit_of(item, other) == {"value": 5, "unit": "working_days"}
    assert precedence.limit_of(published("new", "1.000001"), other) == {"value": 7, "unit": "working_days"}
    assert (precedence.text_of("name", item, other), precedence.text_of("field", None, other)) == ("Tên", "Đất")
    assert (precedence.truth_of("fee", item, other), precedence.truth_of("result_document", item, other)) == (True, True)
    world = FixedWorld([decided("H51/1/2022", "2022-01-10", item)], sheet=[other])
    assert figures(FIGURE_SET, world, "2022-01-01", "2022-12-31")["sheet_differs"] == 1


def test_the_figures_given_to_reproduce() -> None:
    """394 at level 3 and 982 at level 4 of 1,847; 817 of 1,376 integrated; 79 decisions for 561 procedures; 35 for 622."""
    codes = [f"1.{n:06}" for n in range(1847)]
    services = [service(code, 3 if n < 394 else 4) for n, code in enumerate(codes[: 394 + 982])]
    integrated = [{"procedure_code": code, "integrated": True} for code in codes[:817]]
    slices = [codes[n::79][:8] for n in range(79)]
    again = [
        decided(f"H51/{n}/2022", "2022-05-01", *(published("amended", code) for code in part))
        for n, part in enumerate(slices, start=100)
    ]
    seen = {item["procedure_code"] for one in again for item in one.data["items"]}
    assert len(seen) >= 561
    spare = sorted(seen)[561:]
    again = [
        decided(one.subject, "2022-05-01", *(item for item in one.data["items"] if item["procedure_code"] not in spare))
        for one in again
    ]
    processes = [
        decided(
            f"H51/{n}/2022",
            "2022-06-01",
            *({"procedure_code": code, "steps": PROCESS["steps"]} for code in codes[n - 300 : 622 : 35]),
            kind="process",
        )
        for n in range(300, 335)
    ]
    world = FixedWorld(
        [
            decided("H51/1/2021", "2021-01-10", *(published("new", code) for code in codes)),
            decided("H51/2/2021", "2021-02-01", *services, kind="services"),
            decided("H51/3/2021", "2021-03-01", *integrated, kind="integration"),
            *again,
            *processes,
        ]
    )
    sums = figures(FIGURE_SET, world, "2022-01-01", "2022-12-31")
    assert (sums["decisions"], sums["procedures_covered"]) == (79, 561)
    assert (sums["level_3"], sums["level_4"], sums["in_force"]) == (394, 982, 1847)
    assert (sums["integrated"], sums["services"]) == (817, 1376)
    assert (sums["process_decisions"], sums["process_procedures"]) == (35, 622)
    assert broken_checks(FIGURE_SET, sums) == []


# --- any history -------------------------------------------------------------------------------------------------------

CODES = [f"1.00000{n}" for n in range(6)]
DAYS = st.dates(date(2022, 1, 1), date(2022, 12, 31)).map(str)


@st.composite
def items_of(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    code = draw(st.sampled_from(CODES))
    if kind == "services":
        return service(code, draw(st.sampled_from([1, 2, 3, 4, "full", "partial", "none"])))
    if kind == "integration":
        return {"procedure_code": code, "integrated": draw(st.booleans())}
    if kind == "process":
        return PROCESS | {"procedure_code": code}
    action = draw(st.sampled_from(["new", "amended", "replaced", "abolished"]))
    more: dict[str, Any] = {}
    if action != "abolished":
        more["levels"] = draw(
            st.lists(st.sampled_from(["province", "district", "commune", "vertical"]), min_size=1, max_size=3, unique=True)
        )
        if draw(st.booleans()):
            more["origin"] = draw(st.sampled_from(["central", "local"]))
    if action == "replaced" and draw(st.booleans()):
        more["replaces"] = draw(st.sampled_from(CODES))
    return published(action, code, **more)


@st.composite
def histories(draw: st.DrawFn) -> list[RecordEvent]:
    events: list[RecordEvent] = []
    for number in range(draw(st.integers(1, 8))):
        kind = draw(st.sampled_from(["publication", "publication", "services", "integration", "process"]))
        subject = f"H51/{number % 5}/2022"
        items = draw(st.lists(items_of(kind), min_size=1, max_size=4))
        events.append(decided(subject, draw(DAYS), *items, kind=kind, signed_on=draw(DAYS)))
        if draw(st.booleans()):
            events.append(told("catalogue", "repealed", subject, "2022-05-02 08:00", by="x", effective_on=draw(DAYS)))
        if draw(st.integers(0, 4)) == 0:
            events.append(voiding(draw(st.sampled_from(events))))
    return events


def by_days(events: list[RecordEvent], day: date) -> set[str]:
    """The codes in force by the words of the rules: decisions of the day folded one after the other."""
    facts = [
        one.facts | {"code": code}
        for code, one in known(events).get("catalogue", {}).items()
        if one.facts.get("kind") == "publication"
    ]
    told_on = [
        one for one in facts
        if one["effective_on"] <= str(day) and not ("repealed" in one and one["repealed"]["on"] <= str(day))
    ]  # fmt: skip
    codes: set[str] = set()
    for one in sorted(told_on, key=lambda one: (one["effective_on"], one["signed_on"], one["code"])):
        for item in one["items"]:
            if item["action"] == "abolished":
                codes.discard(item["procedure_code"])
            else:
                codes.discard(item.get("replaces") if item["action"] == "replaced" else None)
                codes.add(item["procedure_code"])
    return codes


@settings(max_examples=60, deadline=None)
@given(histories(), st.dates(date(2022, 1, 1), date(2022, 12, 31)), st.integers(0, 120), st.randoms())
def test_any_history_in_any_order_keeps_the_identities(
    events: list[RecordEvent], first: date, days: int, shuffled: random.Random
) -> None:
    last = min(first + timedelta(days=days), date(2022, 12, 31))
    world = FixedWorld(events, agencies=[agency("H51.01", "province"), agency("H51.02", "commune")])
    sums = figures(FIGURE_SET, world, str(first), str(last))
    assert broken_checks(FIGURE_SET, sums) == []
    found = catalogue(*events)
    assert {code for code in found.procedures if found.entry(code, last)} == by_days(events, last)
    assert sums.get("in_force", 0) == len(by_days(events, last))
    again = [*events]
    shuffled.shuffle(again)
    assert known(again) == known(events)


@given(st.randoms())
def test_a_decision_is_the_same_in_any_order_of_arrival(shuffled: random.Random) -> None:
    events = [
        FIRST,
        told("catalogue", "posted", "H51/1/2022", "2022-02-01 08:00", procedure_code="1.000001", posted_on="2022-02-01"),
        told("catalogue", "posted", "H51/1/2022", "2022-02-02 08:00", procedure_code="1.000001", posted_on="2022-01-31"),
        told("catalogue", "repealed", "H51/1/2022", "2022-02-03 08:00", by="x", effective_on="2022-03-01"),
    ]
    events.append(voiding(events[-1]))
    shuffled.shuffle(events)
    record = fold_record(PROJECTIONS[CATALOGUE.name], "H51/1/2022", events)
    assert record.facts["posted"] == {"1.000001": "2022-01-31"}
    assert "repealed" not in record.facts
    assert record.anomalies == []


def test_a_decision_names_the_procedures_of_its_items_and_those_that_they_replace() -> None:
    (one,) = catalogue(decided("H51/1/2022", "2022-01-10", published("replaced", "1.9", replaces="1.2"))).decisions
    assert [one.names(code) for code in ("1.9", "1.2", "1.1")] == [True, True, False]
