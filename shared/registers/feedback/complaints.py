"""Which dossiers feedback complains about (index 5.4 of Decision 766; index 7 of scores: docs/registers.md, section 1)."""

from collections.abc import Iterable, Mapping
from typing import Any

from shared.registers.measures import Known


def dossier_complained_about(facts: Mapping[str, Any]) -> str | None:
    """The dossier that this one complains about: of a behaviour, and not found untrue by the last answer."""
    complains = facts["kind"] == "behaviour" and facts["founded"] is not False
    return facts["about_dossier"] if complains else None


def dossiers_complained_about(feedback: Iterable[Known]) -> frozenset[str]:
    """The codes of all dossiers that some feedback complains about."""
    return frozenset(code for known in feedback if (code := dossier_complained_about(known.facts)) is not None)
