"""The personal data of an applicant, on its way from its one table to somebody who may have it (rules, section 10)."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Applicant:
    """What the portal gets of an applicant; None: no event has it. Never logged, never counted."""

    name: str | None = None
    id_type: str | None = None
    id_number: str | None = None
    phone: str | None = None
    email: str | None = None


NOBODY: Final = Applicant()
