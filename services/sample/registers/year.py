"""The whole of the second sample: what goes into the catalogues, the events of every register, and a day's statement."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import count
from typing import Any, Final

from services.sample.history import history
from services.sample.registers.agencies import agencies, calendar, procedures
from services.sample.registers.decisions import catalogue_events
from services.sample.registers.dossiers import dossier_of_seven_steps, dossiers_of, year_table
from services.sample.registers.envelopes import EventWriter
from services.sample.registers.feedback import feedback_events
from services.sample.registers.papers import component_events, post_events, survey_events
from services.sample.registers.payments import attempts, payment_events, statement
from services.sample.registers.reviews import review_events
from services.sample.registers.steps import step_events
from services.sample.table import UnitTable

_COMPLAINED_UNTIL: Final = date(2022, 9, 30)
"""A complaint is to be answered within the year."""


@dataclass(frozen=True, slots=True)
class RegisterYear:
    """``catalogues``: the body of each ``PUT`` by its path; ``statement``: lines of one gateway and day."""

    table: UnitTable
    catalogues: dict[str, Any]
    events: list[dict[str, Any]]
    statement: list[dict[str, Any]]


def register_year(tenant: str) -> RegisterYear:
    """The second sample of a tenant."""
    table, writer = year_table(tenant), EventWriter()
    told = list(history(table))
    dossiers = list(dossiers_of(told))
    seven, of_seven = dossier_of_seven_steps(writer, tenant)
    paid = attempts(dossiers)
    late = [one for one in dossiers if one.is_late and one.ended_at is not None and one.ended_at.date() <= _COMPLAINED_UNTIL]

    def events() -> Iterator[dict[str, Any]]:
        yield from catalogue_events(writer, tenant)
        yield from told
        yield from of_seven
        posted = count(1)
        for dossier in (*dossiers, seven):
            yield from step_events(writer, dossier)
            yield from component_events(writer, dossier)
            yield from survey_events(writer, dossier)
            if dossier.channel == "postal":
                yield from post_events(writer, dossier, next(posted))
        for place, attempt in enumerate(paid):
            yield from payment_events(writer, attempt, place)
        yield from feedback_events(writer, tenant, late)
        yield from review_events(writer)

    catalogues = {
        "/v1/agencies": list(agencies(tenant)),
        "/v1/procedures": procedures(),
        "/v1/calendar": calendar(),
    }
    return RegisterYear(table, catalogues, list(events()), statement(paid))
