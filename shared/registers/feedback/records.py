"""The fold of a feedback: its facts and what is strange about it (docs/registers.md, section 1)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from shared.projection.rules.records import Record
from shared.registers.feedback.standing import EXPECTED, Standing, Step, reckon, state_after
from shared.vocabulary.events import RecordEvent
from shared.vocabulary.local_time import local_date

FIGURES: Final = ()
"""Its figures are counted from the records: `figures` beside this module."""

ANOMALIES: Final = (
    "unexpected_step",
    "not_received",
    "received_twice",
    "answered_twice",
    "published_unanswered",
    "published_private",
    "refused_after_reception",
    "repeats_self",
    "kind_unknown",
    "repeats_unknown",
    "dossier_unknown",
    "unknown_agency",
)
"""The last three depend on other records and on catalogues: they are found when somebody reads the record."""

_TOLD: Final = {"received": "kind", "reclassified": "kind", "answered": "public", "rated": "satisfied"}
"""What the reckoning reads of a step."""


def step_of(event: RecordEvent) -> Step:
    name = event.name.local_name
    return Step(name, local_date(event.time).isoformat(), event.data.get(_TOLD.get(name, "")))


def fold(code: str, events: Sequence[RecordEvent]) -> Record:
    """The record by its effective events in fold order."""
    steps = [step_of(event) for event in events]
    standing = reckon(steps)
    by_name: dict[str, list[RecordEvent]] = {}
    for event in events:
        by_name.setdefault(event.name.local_name, []).append(event)
    submitted = by_name.get("submitted", [])
    received = by_name.get("received", [])
    told: Mapping[str, Any] = submitted[0].data if submitted else {}
    has_agency = by_name.get("transferred", [])[-1:] or received[:1] or submitted[-1:]
    sent = (submitted or received)[:1]

    def time_of(place: int | None) -> Any:
        return None if place is None else events[place].time

    facts = {
        "state": standing.state,
        "kind": standing.kind,
        "sent_at": sent[0].time if sent else None,
        "received_at": time_of(standing.received),
        "handled_at": time_of(standing.handled),
        "published_at": time_of(standing.published),
        "founded": by_name["answered"][-1].data.get("founded") if "answered" in by_name else None,
        **{name: told.get(name) for name in ("route", "about_dossier", "about_officer", "repeats")},
        "owes": next(([deed.deed, deed.clock] for deed in standing.deeds if deed.on is None and deed.clock), None),
        "steps": [list(step) if step.told is not None else [step.name, step.on] for step in steps],
        "standing": [*standing[:4], [list(deed) for deed in standing.deeds], *standing[5:]],
    }
    anomalies = dict.fromkeys(_anomalies(code, steps, standing, told.get("repeats")))
    return Record(has_agency[0].data["agency_code"] if has_agency else None, facts, anomalies=list(anomalies))


def _anomalies(code: str, steps: Sequence[Step], standing: Standing, repeats: str | None) -> Iterator[str]:
    state: str | None = None
    seen: set[str] = set()
    answered = False
    private = False
    for name, _, told in steps:
        received = "received" in seen
        strange = {
            "unexpected_step": name not in EXPECTED[state] or (name == "refused" and received),
            "received_twice": name == "received" and received,
            "answered_twice": name == "answered" and answered,
            "published_unanswered": name == "published" and "answered" not in seen,
            "published_private": name == "published" and private,
            "refused_after_reception": name == "refused" and received,
        }
        yield from (code for code, holds in strange.items() if holds)
        state = state_after(state, name, received=received)
        seen.add(name)
        answered = name == "answered" or (answered and name != "reopened")  # it answers what is asked again
        private = told is False if name == "answered" else private
    whole = {
        "not_received": "received" not in seen and not seen.isdisjoint({"answered", "published"}),
        "repeats_self": repeats == code,
        "kind_unknown": standing.kind is None,
    }
    yield from (code for code, holds in whole.items() if holds)


def steps_of(facts: Mapping[str, Any]) -> list[Step]:
    """The steps of a record by its facts."""
    return [Step(*step) for step in facts["steps"]]


def standing_at(facts: Mapping[str, Any], last: str) -> Standing:
    """Where the record stands at the end of a local date (ISO)."""
    steps = facts["steps"]
    if not steps or steps[-1][1] <= last:
        return Standing(*facts["standing"])
    return reckon([step for step in steps_of(facts) if step.on <= last])
