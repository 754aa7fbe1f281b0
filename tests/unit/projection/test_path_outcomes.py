"""What a dossier's steps alone come to."""

from __future__ import annotations

import pytest

from shared.dossiers.rules.lifecycle import EndKind
from shared.projection.rules.path_outcomes import LETTERS, LONGEST_PATH, OTHER, PAID_LETTERS, Course, course_of
from shared.vocabulary.events import RANKS, EventName, Status


def path(*names: str) -> str:
    """Names of events; a payment that failed is ``failed``."""
    letters = {name.value: letter for name, letter in LETTERS.items()}
    return "".join(letters.get(name) or PAID_LETTERS["failed" if name == "failed" else "succeeded"] for name in names)


@pytest.mark.parametrize(
    ("names", "status", "end"),
    [
        ("received", Status.RECEIVED, None),
        ("submitted received assigned", Status.IN_PROGRESS, None),
        ("received payment_requested failed", Status.PAYMENT_REQUESTED, None),
        ("received payment_requested paid assigned overdue", Status.IN_PROGRESS, None),
        ("received supplement_requested", Status.SUPPLEMENT_REQUESTED, None),
        ("received supplement_requested supplemented due_set", Status.IN_PROGRESS, None),
        ("received due_set extended processed", Status.PROCESSED, EndKind.PROCESSED),
        ("received processed returned rated", Status.RETURNED, EndKind.PROCESSED),
        ("received processed payment_requested paid", Status.PROCESSED, EndKind.PROCESSED),
        ("received withdrawn", Status.WITHDRAWN, EndKind.WITHDRAWN),
        ("received assigned assigned stopped", Status.STOPPED, EndKind.STOPPED),
    ],
)
def test_where_nothing_is_out_of_the_ordinary_the_steps_tell(names, status, end):
    assert course_of(path(*names.split())) == Course(status, end)


@pytest.mark.parametrize(
    "names",
    [
        "submitted",
        "assigned received",
        "received received",
        "due_set received",
        "received processed assigned",
        "received processed extended",
        "received withdrawn stopped",
        "received returned",
        "received extended extended",
        "received transferred transferred",
        "received rated rated",
        "supplement_requested supplemented received",
        "received supplement_requested assigned",
        "received supplement_requested supplemented supplement_requested",
    ],
)
def test_what_is_not_plain_is_left_to_the_fold(names):
    assert course_of(path(*names.split())) is None


def test_what_cannot_be_read_or_does_not_end_is_left_to_the_fold():
    assert course_of("") is None
    assert course_of(path("received") + OTHER) is None
    assert course_of(path("received") + LETTERS[EventName.ASSIGNED] * (LONGEST_PATH - 1)) is not None
    assert course_of(path("received") + LETTERS[EventName.ASSIGNED] * LONGEST_PATH) is None


def test_the_alphabet_orders_steps_as_the_fold_does():
    letters = dict(LETTERS) | {EventName.PAID: PAID_LETTERS["succeeded"]}
    by_rank = sorted(letters, key=lambda name: RANKS[name])
    assert [letters[name] for name in by_rank] == sorted(letters.values())
    assert len({*letters.values(), *PAID_LETTERS.values(), OTHER}) == len(letters) + 2
    below, above = LETTERS[EventName.PAYMENT_REQUESTED], LETTERS[EventName.SUPPLEMENT_REQUESTED]
    assert all(below < letter < above for letter in PAID_LETTERS.values())
