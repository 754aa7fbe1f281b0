"""Where a feedback stands by its steps so far (docs/registers.md, section 1). Pure: no calendar, no clock, no other record.

*At T* is reckoned from the steps with a local date up to T: the first ones, for steps stand in fold order. Local dates are
ISO texts, which compare as the dates do.
"""

from collections.abc import Container, Iterator, Sequence
from typing import Any, Final, NamedTuple

SENT: Final = "sent"
OPEN: Final = "open"
WAITING: Final = "waiting"
HANDLED: Final = "handled"
REFUSED: Final = "refused"
STATES: Final = (SENT, OPEN, WAITING, HANDLED, REFUSED)

TERMS: Final = {"refusal": 2, "forwarding": 2, "more_request": 5, "answer": 15, "publication": 2}
"""Working days for each deed (Decision 766, 5.2)."""

_HANDLING: Final = frozenset({"answered", "published", "forwarded", "withdrawn"})
_FINISHING: Final = {"refused": "refusal", "forwarded": "forwarding", "answered": "answer", "published": "answer"}
_RESTARTING: Final = frozenset({"transferred", "more_given", "reopened"})

EXPECTED: Final[dict[str | None, frozenset[str]]] = {
    None: frozenset({"submitted", "received"}),
    SENT: frozenset({"received", "refused", "forwarded", "more_requested", "transferred"}),
    OPEN: frozenset({"answered", "published", "forwarded", "withdrawn", "more_requested", "transferred", "reclassified"}),
    WAITING: frozenset({"more_given", "answered", "refused", "withdrawn"}),
    HANDLED: frozenset({"published", "rated", "reopened"}),
    REFUSED: frozenset(),
}
"""The steps that may follow each state; a refusal of one that waits only before it was received."""


class Step(NamedTuple):
    """An effective event: its name, local date, and what it tells (kind, public, satisfied)."""

    name: str
    on: str
    told: Any = None


class Deed(NamedTuple):
    """What was to be done: a key of `TERMS`, when its term begins (None: never sent), when it was done (None: not yet)."""

    deed: str
    clock: str | None
    on: str | None


class Standing(NamedTuple):
    """What the steps so far make.

    ``waits``: it was asked for more, and nothing has ended that; a received one is then in the state `WAITING`.
    ``received``, ``handled``, ``published``: the places of these steps.
    """

    state: str | None
    kind: str | None
    sent_on: str | None
    clock: str | None
    deeds: Sequence[Deed]
    """Plain lists where it comes from the facts of a record."""
    finished_on: str | None
    waits: bool
    withdrawn: bool
    disliked: bool
    reopened: bool
    received: int | None
    handled: int | None
    published: int | None


_BEFORE_RECEPTION: Final = {
    "submitted": SENT,
    "received": OPEN,
    "reopened": OPEN,
    "more_requested": WAITING,
    "more_given": SENT,
    "refused": REFUSED,
    **dict.fromkeys(_HANDLING, HANDLED),
}
"""One that was never received is in the state that its last step leaves it in; `Standing.handled` says nothing of it."""
_AFTER_RECEPTION: Final[dict[str, dict[str | None, str]]] = {
    "received": {WAITING: OPEN},
    "more_given": {WAITING: OPEN},
    "more_requested": {OPEN: WAITING},
    "reopened": {WAITING: OPEN, HANDLED: OPEN},
    **{name: {OPEN: HANDLED, WAITING: HANDLED} for name in _HANDLING},
}


def state_after(state: str | None, name: str, *, received: bool) -> str | None:
    """The state after a step, by the state before it and whether it had been received by then."""
    return _AFTER_RECEPTION.get(name, {}).get(state, state) if received else _BEFORE_RECEPTION.get(name, state)


def _first(names: Sequence[str], which: Container[str], start: int = 0) -> int | None:
    return next((place for place in range(start, len(names)) if names[place] in which), None)


def reckon(steps: Sequence[Step]) -> Standing:
    """Where a feedback stands after these steps."""
    names = [step.name for step in steps]
    begun = next((place + 1 for place in reversed(range(len(names))) if names[place] == "reopened"), 0)
    received = _first(names, {"received"})
    handled = None if received is None else _first(names, _HANDLING, max(begun, received))
    state: str | None = None
    for place, name in enumerate(names):
        state = state_after(state, name, received=received is not None and place > received)
    asked = next((place for place in reversed(range(len(names))) if names[place] == "more_requested"), None)
    waits = asked is not None and handled is None and _first(names, {"received", "more_given", "reopened"}, asked) is None
    sent = _first(names, {"submitted"})
    sent = received if sent is None else sent
    clocks = _clocks(steps, sent)
    finish = _first(names, _FINISHING, begun)
    withdrawn = "withdrawn" in names[begun:]
    liking = [1 if step.told else -1 for step in steps if step.name == "rated"]
    kinds = [step.told for step in steps if step.name in {"received", "reclassified"}]
    return Standing(
        state=state,
        kind=kinds[-1] if kinds else None,
        sent_on=None if sent is None else steps[sent].on,
        clock=clocks[-1],
        deeds=list(_deeds(steps, names, clocks, finish, owes_answer=not waits and not withdrawn)),
        finished_on=None if finish is None else steps[finish].on,
        waits=waits,
        withdrawn=withdrawn,
        disliked=sum(liking) < 0,
        reopened=begun > 0,
        received=received,
        handled=handled,
        published=None if handled is None else _first(names, {"published"}, handled),
    )


def _clocks(steps: Sequence[Step], sent: int | None) -> list[str | None]:
    """Before each step the date that a term runs from, and at last after all of them."""
    clock = None if sent is None else steps[sent].on
    clocks = [clock]
    for place, step in enumerate(steps):
        if place == sent or step.name in _RESTARTING:
            clock = step.on
        clocks.append(clock)
    return clocks


def _deeds(
    steps: Sequence[Step], names: Sequence[str], clocks: Sequence[str | None], finish: int | None, *, owes_answer: bool
) -> Iterator[Deed]:
    asked = _first(names, {"more_requested"})
    if asked is not None and "received" not in names[:asked]:  # asked later, it has no term
        yield Deed("more_request", clocks[asked], steps[asked].on)
    if finish is not None:
        yield Deed(_FINISHING[names[finish]], clocks[finish], steps[finish].on)
        if names[finish] == "answered" and steps[finish].told is not False:
            published = _first(names, {"published"}, finish)
            yield Deed("publication", steps[finish].on, None if published is None else steps[published].on)
    elif owes_answer:
        yield Deed("answer", clocks[-1], None)
