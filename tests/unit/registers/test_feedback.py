"""The fold of a feedback: state, dates, terms, clock and anomalies, whatever the order of arrival."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.calendar.rules.calendar import UnconfirmedYear
from shared.catalogue.rules.agency_tree import AgencyCatalogue, AgencyVersion
from shared.events.cloudevents.json_format import InvalidEventError
from shared.registers.feedback.complaints import dossier_complained_about, dossiers_complained_about
from shared.registers.feedback.records import ANOMALIES, standing_at
from shared.registers.feedback.standing import EXPECTED, Deed, Standing, reckon
from shared.registers.feedback.terms import Terms, shortened_term, terms_of
from shared.vocabulary.events import AgencyCode
from tests.support.registers.feedback import CODE, H51, NAMES, known, logged, step, voided, working_day


def folded(*events: dict[str, Any]) -> Any:
    return known(events)[CODE]


def facts(*events: dict[str, Any]) -> Any:
    return folded(*events).facts


def deeds(*events: dict[str, Any], last: str = "2025-12-31") -> list[tuple[Any, ...]]:
    """Each deed with its clock, last day in time, day done, and whether it was in time."""
    terms = Terms(working_day)
    found = terms_of(standing_at(facts(*events), last), last, terms)
    return [(one.deed, one.clock, one.due_on, one.done_on, one.in_time) for one in found]


def is_in_time(*events: dict[str, Any], last: str) -> bool | None:
    return Terms(working_day).is_in_time(standing_at(facts(*events), last), last)


SUBMITTED = step("submitted", "2025-03-03")
RECEIVED = step("received", "2025-03-04")


def plain(standing: Standing) -> Standing:
    return standing._replace(deeds=[Deed(*deed) for deed in standing.deeds])


@pytest.mark.parametrize(
    ("names", "state"),
    [
        (["submitted"], "sent"),
        (["submitted", "received"], "open"),
        (["received"], "open"),
        (["submitted", "received", "reclassified", "transferred"], "open"),
        (["submitted", "more_requested"], "waiting"),
        (["submitted", "more_requested", "more_given"], "sent"),
        (["submitted", "received", "more_requested"], "waiting"),
        (["submitted", "received", "more_requested", "more_given"], "open"),
        (["submitted", "more_requested", "received"], "open"),
        (["submitted", "received", "answered"], "handled"),
        (["submitted", "received", "answered", "published", "rated"], "handled"),
        (["submitted", "received", "forwarded"], "handled"),
        (["submitted", "received", "withdrawn"], "handled"),
        (["submitted", "received", "published"], "handled"),
        (["submitted", "received", "more_requested", "answered"], "handled"),
        (["submitted", "received", "answered", "reopened"], "open"),
        (["submitted", "received", "answered", "reopened", "more_requested"], "waiting"),
        (["submitted", "received", "answered", "more_requested"], "handled"),
        (["submitted", "received", "answered", "received"], "handled"),
        (["submitted", "refused"], "refused"),
        (["submitted", "received", "refused"], "open"),
        (["submitted", "forwarded"], "handled"),
        (["submitted", "answered"], "handled"),
        (["submitted", "more_requested", "submitted"], "sent"),
        (["submitted", "refused", "reopened"], "open"),
        (["submitted", "answered", "received"], "open"),
        (["rated"], None),
    ],
)
def test_states(names: list[str], state: str | None) -> None:
    events = [step(name, f"2025-03-{day:02}") for day, name in enumerate(names, start=3)]
    assert facts(*events)["state"] == state


def test_dates_are_those_of_the_first_steps_that_count() -> None:
    found = facts(
        step("submitted", "2025-03-03"),
        step("submitted", "2025-03-05"),
        step("answered", "2025-03-06"),
        step("received", "2025-03-07"),
        step("received", "2025-03-08", kind="behaviour"),
        step("withdrawn", "2025-03-10"),
        step("published", "2025-03-11"),
        step("published", "2025-03-12"),
    )
    assert {name: found[name] for name in ("sent_at", "received_at", "handled_at", "published_at", "kind")} == {
        "sent_at": "2025-03-03T02:00:00Z",
        "received_at": "2025-03-07T02:00:00Z",
        "handled_at": "2025-03-10T02:00:00Z",
        "published_at": "2025-03-11T02:00:00Z",
        "kind": "behaviour",
    }


def test_a_reopening_undoes_what_handled_it() -> None:
    first = [
        SUBMITTED,
        RECEIVED,
        step("answered", "2025-03-10"),
        step("published", "2025-03-11"),
        step("reopened", "2025-03-12"),
    ]
    assert [facts(*first)[name] for name in ("state", "handled_at", "published_at")] == ["open", None, None]
    again = facts(*first, step("published", "2025-03-20"), step("answered", "2025-03-21"))
    assert (again["handled_at"], again["published_at"]) == ("2025-03-20T02:00:00Z", "2025-03-20T02:00:00Z")


def test_the_agency_is_the_last_transfer_else_the_first_reception_else_the_last_submission() -> None:
    submitted = step("submitted", "2025-03-03", agency_code="H51.01"), step("submitted", "2025-03-04", agency_code="H51.02")
    assert folded(*submitted).agency == "H51.02"
    received = step("received", "2025-03-05", agency_code="H51.03"), step("received", "2025-03-06", agency_code="H51.04")
    assert folded(*submitted, *received).agency == "H51.03"
    moved = step("transferred", "2025-03-01", agency_code="H51.05"), step("transferred", "2025-03-02", agency_code="H51.06")
    assert folded(*submitted, *received, *moved).agency == "H51.06"
    assert folded(step("rated", "2025-03-03")).agency is None


def test_working_days_of_the_rules() -> None:
    """Sent Thursday 2025-01-23, 27 to 31 January off; 2025-04-26 is a made-up Saturday."""
    terms = Terms(working_day)
    assert [terms.due_on("2025-01-23", days) for days in (2, 5, 15)] == ["2025-02-03", "2025-02-06", "2025-02-20"]
    assert terms.due_on("2025-04-25", 1) == "2025-04-26"
    assert terms.due_on("2019-12-30", 5) is None, "nobody has confirmed it"


def test_the_check_of_the_rules() -> None:
    events = [SUBMITTED, RECEIVED, step("answered", "2025-03-24"), step("published", "2025-03-27")]
    assert deeds(*events) == [
        ("answer", "2025-03-03", "2025-03-24", "2025-03-24", True),
        ("publication", "2025-03-24", "2025-03-26", "2025-03-27", False),
    ]
    assert [is_in_time(*events, last=f"2025-03-{day}") for day in (23, 24, 25, 26, 27)] == [True, True, True, True, False]
    assert is_in_time(*events[:2], step("answered", "2025-03-24", public=False), events[3], last="2025-04-30") is True
    assert is_in_time(*events[:2], step("answered", "2025-03-25"), last="2025-03-25") is False


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ([step("refused", "2025-03-05")], [("refusal", "2025-03-03", "2025-03-05", "2025-03-05", True)]),
        ([step("refused", "2025-03-06")], [("refusal", "2025-03-03", "2025-03-05", "2025-03-06", False)]),
        ([step("forwarded", "2025-03-06")], [("forwarding", "2025-03-03", "2025-03-05", "2025-03-06", False)]),
        # the first ask before reception has a term of 5 days; while it waits no answer is owed
        ([step("more_requested", "2025-03-10")], [("more_request", "2025-03-03", "2025-03-10", "2025-03-10", True)]),
        ([step("more_requested", "2025-03-11")], [("more_request", "2025-03-03", "2025-03-10", "2025-03-11", False)]),
        # after it none, and only the first one counts
        (
            [RECEIVED, step("more_requested", "2025-03-20"), step("more_given", "2025-03-21")],
            [("answer", "2025-03-21", "2025-04-14", None, False)],
        ),
        (
            [step("more_requested", "2025-03-04"), step("more_given", "2025-03-05"), step("more_requested", "2025-03-31")],
            [("more_request", "2025-03-03", "2025-03-10", "2025-03-04", True)],
        ),
        # whatever restarts the clock
        ([RECEIVED, step("transferred", "2025-03-10")], [("answer", "2025-03-10", "2025-03-31", None, False)]),
        ([RECEIVED], [("answer", "2025-03-03", "2025-03-24", None, False)]),
        ([], [("answer", "2025-03-03", "2025-03-24", None, False)]),
        # the finish is the first one after the last reopening, a publication too; then nothing else is owed
        ([RECEIVED, step("published", "2025-03-20")], [("answer", "2025-03-03", "2025-03-24", "2025-03-20", True)]),
        (
            [RECEIVED, step("answered", "2025-03-20"), step("reopened", "2025-03-21")],
            [("answer", "2025-03-21", "2025-04-14", None, False)],
        ),
        # a withdrawn one owes no answer any more
        ([RECEIVED, step("withdrawn", "2025-03-20")], []),
    ],
)
def test_terms(events: list[dict[str, Any]], found: list[tuple[Any, ...]]) -> None:
    assert deeds(SUBMITTED, *events) == found


def test_a_clock_is_that_before_the_deed_in_fold_order() -> None:
    """A transfer of the same day after the answer moves nothing; one before it does."""
    answered = step("answered", "2025-03-20 10:00")
    moved = step("transferred", "2025-03-20 11:00"), step("transferred", "2025-03-19")
    assert deeds(SUBMITTED, RECEIVED, answered, moved[0])[0][1] == "2025-03-03"
    assert deeds(SUBMITTED, RECEIVED, answered, moved[1])[0][1] == "2025-03-19"
    # sent after it was received: the date of sending all the same
    late = step("submitted", "2025-03-10")
    assert deeds(RECEIVED, step("answered", "2025-03-05"), late)[0][1] == "2025-03-10"


def test_what_an_unconfirmed_year_decides_is_not_known() -> None:
    sent = step("submitted", "2019-12-25")
    assert deeds(sent, last="2019-12-27") == [("answer", "2019-12-25", None, None, None)]
    assert is_in_time(sent, last="2019-12-27") is None


@pytest.mark.parametrize(
    ("events", "anomalies"),
    [
        ([SUBMITTED, RECEIVED, step("answered", "2025-03-05"), step("published", "2025-03-06")], []),
        ([SUBMITTED], ["kind_unknown"]),
        ([SUBMITTED, RECEIVED, step("rated", "2025-03-05")], ["unexpected_step"]),
        ([SUBMITTED, step("answered", "2025-03-05")], ["unexpected_step", "not_received", "kind_unknown"]),
        ([SUBMITTED, RECEIVED, step("received", "2025-03-05")], ["unexpected_step", "received_twice"]),
        (
            [SUBMITTED, RECEIVED, step("answered", "2025-03-05"), step("answered", "2025-03-06")],
            ["unexpected_step", "answered_twice"],
        ),
        (
            [
                SUBMITTED,
                RECEIVED,
                step("answered", "2025-03-05"),
                step("reopened", "2025-03-06"),
                step("answered", "2025-03-07"),
            ],
            [],
        ),
        ([SUBMITTED, RECEIVED, step("published", "2025-03-05")], ["published_unanswered"]),
        (
            [SUBMITTED, RECEIVED, step("answered", "2025-03-05", public=False), step("published", "2025-03-06")],
            ["published_private"],
        ),
        ([SUBMITTED, RECEIVED, step("refused", "2025-03-05")], ["unexpected_step", "refused_after_reception"]),
        ([SUBMITTED, step("more_requested", "2025-03-04"), step("refused", "2025-03-05")], ["kind_unknown"]),
        (
            [SUBMITTED, RECEIVED, step("more_requested", "2025-03-05"), step("refused", "2025-03-06")],
            ["unexpected_step", "refused_after_reception"],
        ),
        ([step("submitted", "2025-03-03", repeats=CODE), RECEIVED], ["repeats_self"]),
    ],
)
def test_anomalies(events: list[dict[str, Any]], anomalies: list[str]) -> None:
    found = folded(*events).anomalies
    assert found == anomalies
    assert set(found) <= set(ANOMALIES)


def test_every_step_is_expected_somewhere() -> None:
    assert {name for names in EXPECTED.values() for name in names} == {*NAMES}


@given(seed=st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_any_order_of_arrival_gives_the_same_record(seed: int) -> None:
    """Voided ones are as if never told; what is told twice counts once (the log refuses the second one)."""
    chance = random.Random(seed)
    events = [step(chance.choice(NAMES), f"2025-03-{chance.randint(3, 9):02}") for _ in range(chance.randint(1, 9))]
    gone = chance.sample(events, chance.randint(0, 2) if len(events) > 2 else 0)
    voids = [voided(event) for event in gone]
    whole = folded(*events, *voids)
    shuffled = [*events, *voids]
    chance.shuffle(shuffled)
    assert folded(*shuffled) == whole
    kept = [event for event in events if event not in gone]
    assert folded(*kept) == whole
    # the state by the day is the state of what had happened by then
    for day in (4, 6, 9):
        last = f"2025-03-{day:02}"
        by_then = [event for event in kept if event["time"][:10] <= last]
        expected = standing_at(facts(*by_then), "2025-12-31") if by_then else reckon([])
        assert plain(standing_at(whole.facts, last)) == plain(expected)


def test_a_dossier_is_complained_about_by_a_behaviour_that_is_not_untrue() -> None:
    about = step("submitted", "2025-03-03", about_dossier="H51.12-250102-00123")
    behaviour = step("received", "2025-03-04", kind="behaviour")
    cases = {
        "open": [about, behaviour],
        "founded": [about, behaviour, step("answered", "2025-03-05", founded=True)],
        "untrue": [about, behaviour, step("answered", "2025-03-05", founded=False)],
        "untrue at first": [
            *(about, behaviour, step("answered", "2025-03-05", founded=False)),
            *(step("reopened", "2025-03-06"), step("answered", "2025-03-07")),
        ],
        "rule": [about, RECEIVED],
        "of no dossier": [SUBMITTED, behaviour],
        "not received": [about],
    }
    complained = {name for name, events in cases.items() if dossier_complained_about(facts(*events)) is not None}
    assert complained == {"open", "founded", "untrue at first"}
    assert dossiers_complained_about(known(cases["open"]).values()) == {"H51.12-250102-00123"}


def test_an_order_shortens_the_answer_term_of_an_agency_and_those_below_it() -> None:
    order = {
        "feedback_answer_days": "10",
        "feedback_answer_basis": "Quyết định 12/2025/QĐ-UBND",
        "feedback_answer_from": "2025-03-01",
        "feedback_answer_to": "2025-06-30",
    }
    versions = [
        AgencyVersion(code=AgencyCode("H51"), name="Tỉnh", facts=order),
        AgencyVersion(code=AgencyCode("H51.12"), name="Sở", parent=AgencyCode("H51")),
        AgencyVersion(
            code=AgencyCode("H51.13"), name="Sở", parent=AgencyCode("H51"), facts=order | {"feedback_answer_days": "5"}
        ),
        AgencyVersion(code=AgencyCode("H51.14"), name="Sở", facts={"feedback_answer_days": "20"}),
    ]
    tree = AgencyCatalogue(H51, versions).tree_on(date(2025, 3, 3))

    def days(agency: str | None, clock: str = "2025-03-03") -> int | None:
        found = shortened_term(tree, agency, clock)
        return None if found is None else found.days

    assert [days(agency) for agency in ("H51", "H51.12", "H51.13", "H51.14", "H51.99", None)] == [10, 10, 5, 10, 10, None]
    assert [days("H51", clock) for clock in ("2025-02-28", "2025-03-01", "2025-06-30", "2025-07-01")] == [None, 10, 10, None]
    found = shortened_term(tree, "H51.12", "2025-03-03")
    assert found is not None
    assert (found.legal_basis, found.agency) == ("Quyết định 12/2025/QĐ-UBND", "H51")
    standing = standing_at(facts(SUBMITTED, RECEIVED, step("answered", "2025-03-20")), "2025-12-31")
    beside = terms_of(standing, "2025-12-31", Terms(working_day), answer_days=10)
    assert (beside[0].due_on, beside[0].in_time) == ("2025-03-17", False)


@pytest.mark.parametrize(
    ("event", "place"),
    [
        (step("submitted", "2025-03-03", route="fax"), "route"),
        (step("submitted", "2025-03-03", kind="complaint"), "kind"),
        (step("submitted", "2025-03-03", about_dossier="H51"), "about_dossier"),
        (step("submitted", "2025-03-03", repeats="0912345678"), "repeats"),
        (step("submitted", "2025-03-03", about_officer="Nguyễn Văn A"), "about_officer"),
        (step("submitted", "2025-03-03", agency_code="G09.12"), "agency_code"),
        (step("submitted", "2025-03-03", phone="0912345678"), "phone"),
        (step("received", "2025-03-03", kind=None), "kind"),
        (step("answered", "2025-03-03", public="yes"), "public"),
        (step("refused", "2025-03-03", reason="Không rõ"), "reason"),
        (step("forwarded", "2025-03-03", to="ông An 0912345678"), "to"),
        (step("rated", "2025-03-03", satisfied=1), "satisfied"),
        (step("reopened", "2025-03-03", reason=None), "reason"),
        (step("published", "2025-03-03", url="a b"), "url"),
        (step("received", "2025-03-03", "mã 12"), "subject"),
        (step("received", "2025-03-03", "0912345678"), "subject"),
        (step("received", "2025-03-03", "P" * 61), "subject"),
    ],
)
def test_wrong_input_is_refused_at_its_field(event: dict[str, Any], place: str) -> None:
    with pytest.raises(InvalidEventError) as refused:
        logged(event, 1)
    assert [error["loc"][-1] for error in refused.value.errors] == [place]


def test_the_last_day_whose_answer_term_has_passed() -> None:
    """15 working days of a clock from 23 January 2025 end on 20 February."""
    terms = Terms(working_day)
    for today, clock in (("2025-02-20", "2025-01-22"), ("2025-02-21", "2025-01-23"), ("2025-02-24", "2025-02-02")):
        found = terms.last_overdue_clock(date.fromisoformat(today))
        assert found == clock
        due_on = terms.due_on(clock, 15)
        assert due_on is not None
        assert due_on < today
        following = (date.fromisoformat(clock) + timedelta(days=1)).isoformat()
        due_on = terms.due_on(following, 15)
        assert due_on is not None
        assert due_on >= today
    assert Terms(never).last_overdue_clock(date(2025, 2, 21)) is None


def never(after: date, _: int) -> date:
    raise UnconfirmedYear(after.year)
