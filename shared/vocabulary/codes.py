"""Codes of dossiers and agencies (rules, section 1)."""

import re
from datetime import date
from typing import Final

from shared.vocabulary.events import AgencyCode, Tenant

_OLD_AGENCY: Final = r"[0-9]{3}\.[0-9]{2}\.[0-9]{2}\.[A-Y][0-9]{2}"
_AGENCY: Final = r"[A-Y][0-9]{2}(?:\.[0-9]{2,3}){0,3}"

DOSSIER_CODE_PATTERN: Final = rf"^(?:{_OLD_AGENCY}|{_AGENCY})-(?:[0-9]{{6}}|[0-9]{{8}})-[0-9]{{4,7}}$"
AGENCY_CODE_PATTERN: Final = rf"^{_AGENCY}$"
OLD_AGENCY_CODE_PATTERN: Final = rf"^{_OLD_AGENCY}$"
PROCEDURE_CODE_PATTERN: Final = r"^[0-9A-Za-z][0-9A-Za-z._-]*$"
TENANT_PATTERN: Final = r"^[A-Y][0-9]{2}$"

# fullmatch, because `$` also matches before a final line feed
_dossier_code: Final = re.compile(DOSSIER_CODE_PATTERN)
_agency_code: Final = re.compile(AGENCY_CODE_PATTERN)
_old_agency_code: Final = re.compile(OLD_AGENCY_CODE_PATTERN)
_tenant: Final = re.compile(TENANT_PATTERN)

_SHORT_DATE_DIGITS: Final = 6


def is_dossier_code(text: str) -> bool:
    """Whether ``text`` is a dossier code, such as ``H51.12-220512-0003`` or ``000.00.04.H51-200221-0001``."""
    return _dossier_code.fullmatch(text) is not None


def is_agency_code(text: str) -> bool:
    """Whether ``text`` is an agency code of the present form, such as ``H51.12``."""
    return _agency_code.fullmatch(text) is not None


def is_old_agency_code(text: str) -> bool:
    """Whether ``text`` is an agency code of the old right-to-left form, such as ``000.00.12.H51``."""
    return _old_agency_code.fullmatch(text) is not None


def is_tenant(text: str) -> bool:
    """Whether ``text`` is a level-1 agency code, such as ``H51``: a province or ministry, our tenant."""
    return _tenant.fullmatch(text) is not None


def present_form(agency_code: str) -> AgencyCode:
    """The present form of an agency code: ``000.00.12.H51`` is ``H51.12``; any other text is returned as it is.

    The groups are read from the right; those that are nothing but zeros stand for absent levels at the end.
    """
    if not is_old_agency_code(agency_code):
        return AgencyCode(agency_code)
    groups = agency_code.split(".")[::-1]
    while groups[-1].strip("0") == "":
        groups.pop()
    return AgencyCode(".".join(groups))


def tenant_of_agency(agency_code: str) -> Tenant:
    """The tenant of an agency code of either form: its letter and two digits."""
    return Tenant(present_form(agency_code).split(".", 1)[0])


def tenant_of_dossier(dossier_code: str) -> Tenant:
    """The tenant of a dossier code: that of the agency which it begins with."""
    return tenant_of_agency(dossier_code.split("-", 1)[0])


def date_in_code(dossier_code: str) -> date | None:
    """The date in a dossier code, yymmdd (20yy) or yyyymmdd; an impossible one is none (rules, section 4)."""
    parts = dossier_code.split("-")
    if len(parts) < 2:  # noqa: PLR2004 - agency and date
        return None
    digits = parts[1]
    if len(digits) == _SHORT_DATE_DIGITS:
        digits = f"20{digits}"
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError:
        return None
