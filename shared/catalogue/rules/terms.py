"""The legal time limit of a procedure, and what a wait does to it (rules, section 5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class TermUnit(StrEnum):
    """What a limit is counted in. Hours are never turned into days."""

    WORKING_HOURS = "working_hours"
    WORKING_DAYS = "working_days"
    CALENDAR_DAYS = "calendar_days"
    MONTHS = "months"


class SupplementPolicy(StrEnum):
    """What a completed supplement grants: the working time left at the request, or the full term anew."""

    PAUSE = "pause"
    RESTART = "restart"


@dataclass(frozen=True, slots=True)
class Term:
    """A time limit; ``value`` is at least 1."""

    value: int
    unit: TermUnit


@dataclass(frozen=True, slots=True)
class ProcedureTerms:
    """What the clock needs to know of a procedure. ``term`` None: it has no limit."""

    term: Term | None
    supplement_policy: SupplementPolicy = SupplementPolicy.PAUSE
    payment_pauses: bool = False


TermsVersion = tuple[datetime, ProcedureTerms | None]
"""(known from, what was known from then on; None: the procedure was removed)."""


def terms_for(versions: Sequence[TermsVersion], recorded_at: datetime) -> ProcedureTerms | None:
    """The terms of a dossier whose reception was recorded at ``recorded_at``; None: the procedure is unknown.

    They are those known then, and stay so: the limits of later receptions do not move its dates. Where no limit was known
    then, the first one known later counts. ``versions`` are in the order of their instants.
    """
    at_reception: ProcedureTerms | None = None
    later: list[ProcedureTerms] = []
    for known_from, terms in versions:
        if known_from <= recorded_at:
            at_reception = terms
        elif terms is not None:
            later.append(terms)
    if at_reception is not None and at_reception.term is not None:
        return at_reception
    limited = next((terms for terms in later if terms.term is not None), None)
    return limited or at_reception or (later[0] if later else None)
