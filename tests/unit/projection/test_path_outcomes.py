"""What a dossier's steps alone come to."""

from __future__ import annotations

import pytest

from shared.dossiers.rules.lifecycle import EndKind
from shared.projection.rules.path_outcomes import (
    LONGEST_PATH,
    OTHER,
    PAID_STEP_SYMBOLS,
    STEP_SYMBOLS,
    PathOutcome,
    path_outcome,
)
from shared.vocabulary.events import RANKS, EventName, Status


def path(*names: str) -> str:
    """Names of events; a payment that failed is ``failed``."""
    letters = {name.value: letter for name, letter in STEP_SYMBOLS.items()}
    return "".join(letters.get(name) or PAID_STEP_SYMBOLS["failed" if name == "failed" else "succeeded"] for name in names)


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
    assert path_outcome(path(*names.split())) == PathOutcome(status, end)


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
    assert path_outcome(path(*names.split())) is None


def test_what_cannot_be_read_or_does_not_end_is_left_to_the_fold():
    assert path_outcome("") is None
    assert path_outcome(path("received") + OTHER) is None
    assert path_outcome(path("received") + STEP_SYMBOLS[EventName.ASSIGNED] * (LONGEST_PATH - 1)) is not None
    assert path_outcome(path("received") + STEP_SYMBOLS[EventName.ASSIGNED] * LONGEST_PATH) is None


def test_the_alphabet_orders_steps_as_the_fold_does():
    letters = dict(STEP_SYMBOLS) | {EventName.PAID: PAID_STEP_SYMBOLS["succeeded"]}
    by_rank = sorted(letters, key=lambda name: RANKS[name])
    assert [letters[name] for name in by_rank] == sorted(letters.values())
    assert len({*letters.values(), *PAID_STEP_SYMBOLS.values(), OTHER}) == len(letters) + 2
    below, above = STEP_SYMBOLS[EventName.PAYMENT_REQUESTED], STEP_SYMBOLS[EventName.SUPPLEMENT_REQUESTED]
    assert all(below < letter < above for letter in PAID_STEP_SYMBOLS.values())
