"""What is strange about the components and results of a dossier, beyond what their own events tell."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared.dossiers.rules.dossier import Dossier
from shared.vocabulary.events import EventName


def result_anomalies(facts: Mapping[str, Any], dossier: Dossier) -> list[str]:
    """``result_unprocessed``: a result was issued, and no ``processed`` stands before it."""
    processed = min((step.time for step in dossier.steps if step.name is EventName.PROCESSED), default=None)
    issued: list[datetime] = [one["issued_at"] for one in facts.get("results", {}).values() if "issued_at" in one]
    strange = any(processed is None or at < processed for at in issued)
    return ["result_unprocessed"] if strange else []
