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

AGENCY_PAIR_MARK: Final = "~"
"""In a pair of agencies: the competent one stands before it, the desk that received the dossier behind it."""


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

    The groups are read from the right; those that are nothing but zeros stand for absent levels at the end. Of a pair
    (`agency_pair`) it is that of the competent agency.
    """
    if AGENCY_PAIR_MARK in agency_code:
        agency_code = competent_agency(agency_code)
    if not is_old_agency_code(agency_code):
        return AgencyCode(agency_code)
    groups = agency_code.split(".")[::-1]
    while groups[-1].strip("0") == "":
        groups.pop()
    return AgencyCode(".".join(groups))


def agency_pair(competent: str, receiving: str | None) -> str:
    """The agencies of a dossier in one text, as rows, sums and rights keep them (rules, section 11).

    The code of the competent agency; where another one's desk received the dossier, ``H51.12~H51.13`` with that one behind.
    """
    is_one = receiving is None or present_form(receiving) == present_form(competent)
    return competent if is_one else f"{competent}{AGENCY_PAIR_MARK}{receiving}"


def competent_agency(pair: str) -> AgencyCode:
    """The competent agency of a dossier's agencies, which may be one."""
    return AgencyCode(pair.partition(AGENCY_PAIR_MARK)[0])


def receiving_agency(pair: str) -> AgencyCode:
    """The agency whose desk received the dossier."""
    return AgencyCode(pair.rpartition(AGENCY_PAIR_MARK)[2])


def is_pair(pair: str) -> bool:
    """Whether the two are apart."""
    return AGENCY_PAIR_MARK in pair


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
