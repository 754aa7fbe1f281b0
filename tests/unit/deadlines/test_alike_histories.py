"""Histories that say the same in other words end in the same dates (rules, section 5a)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.catalogue.rules.terms import SupplementPolicy
from shared.dossiers.rules.dossier import Dossier, fold
from shared.vocabulary.events import Event
from tests.support.histories.due_cases import RECEIVED
from tests.support.histories.office import CODE, almanac, days, hours, local, logged, settled, working_days

MOMENTS = [f"2026-11-{day:02d} {time}" for day in range(3, 21) for time in ("06:00", "09:00", "12:00", "15:00", "19:00")]
TERMS = st.sampled_from([working_days(5), hours(20), days(7)])
ENDS = ["supplemented", "assigned", "received", "paid"]
"""Steps that end a wait, and neither the dossier nor its clock."""


@st.composite
def waits(draw: st.DrawFn, inner: list[str]) -> tuple[str, list[Event], str]:
    """When a wait begins, what is told within it, and when it ends."""
    began, *within, ended = sorted(draw(st.lists(st.sampled_from(MOMENTS), min_size=2, max_size=5, unique=True)))
    names = [draw(st.sampled_from(inner)) for _ in within]
    # a payment within is one that failed
    told = [
        logged(name, when, f"within{number}", **({"outcome": "failed"} if name == "paid" else {}))
        for number, (name, when) in enumerate(zip(names, within, strict=True))
    ]
    return began, told, ended


def after(events: list[Event], term: object, *, payment_pauses: bool = False) -> Dossier:
    return fold(CODE, settled([RECEIVED, *events], almanac(term, payment_pauses=payment_pauses)))


def dated(dossier: Dossier) -> tuple[str | None, str | None]:
    return tuple(None if one is None else local(one) for one in (dossier.due_at, dossier.promised_at))


def plain(began: str, ended: str) -> list[Event]:
    return [logged("supplement_requested", began), logged("supplemented", ended)]


@given(waits(["supplement_requested"]), st.sampled_from(ENDS), st.sampled_from([[], ["supplemented"]]), TERMS)
def test_whatever_ends_a_wait_and_however_often_it_was_asked(wait, end, later, term):
    began, within, ended = wait
    trailing = [logged(name, "2026-11-21 09:00", "trailing") for name in later]
    told = [logged("supplement_requested", began), *within, logged(end, ended, "end"), *trailing]
    assert dated(after(told, term)) == dated(after(plain(began, ended), term))


@given(
    waits(["supplement_requested", "payment_requested"]),
    st.sampled_from(["supplement_requested", "payment_requested"]),
    st.sampled_from(ENDS),
    TERMS,
)
def test_requests_of_either_kind_are_one_wait_where_payment_pauses(wait, first, end, term):
    began, within, ended = wait
    told = [logged(first, began, "first"), *within, logged(end, ended, "end")]
    promised = after(told, term, payment_pauses=True).promised_at
    assert promised == after(plain(began, ended), term, payment_pauses=True).promised_at


@given(waits(["paid", "transferred", "rated"]), st.sampled_from(ENDS), TERMS)
def test_what_bears_no_status_ends_no_wait(wait, end, term):
    began, within, ended = wait
    told = [logged("payment_requested", began), *within, logged(end, ended, "end")]
    bare = [told[0], told[-1]]
    assert dated(after(told, term, payment_pauses=True)) == dated(after(bare, term, payment_pauses=True))


@given(waits(["supplement_requested"]), st.sampled_from(["processed", "stopped", "withdrawn", "returned"]), TERMS)
def test_an_end_of_the_dossier_grants_nothing(wait, end, term):
    began, within, ended = wait
    told = [logged("supplement_requested", began), *within, logged(end, ended, "end")]
    assert dated(after(told, term)) == dated(after([], term))


def test_a_term_begins_anew_from_a_supplement_only():
    by = almanac(working_days(5), SupplementPolicy.RESTART)
    request = logged("supplement_requested", "2026-11-03 10:00")
    ends = {name: [RECEIVED, request, logged(name, "2026-11-12 14:00", name)] for name in ("supplemented", "assigned")}
    found = {name: local(fold(CODE, settled(events, by)).due_at) for name, events in ends.items()}
    assert found == {"supplemented": "2026-11-19 14:00", "assigned": "2026-11-18 14:00"}


def test_a_step_that_sets_a_date_itself_is_granted_none():
    own = logged("supplemented", "2026-11-05 10:00", new_due_at="2026-11-06 10:00")
    told = [logged("supplement_requested", "2026-11-03 10:00"), own, logged("assigned", "2026-11-06 08:00")]
    assert dated(after(told, working_days(5))) == ("2026-11-06 10:00", "2026-11-06 10:00")
