"""What is strange about a dossier and its post, taken together."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared.dossiers.rules.dossier import Dossier
from shared.vocabulary.events import Channel


def dossier_anomalies(facts: Mapping[str, Any], dossier: Dossier) -> list[str]:
    """``received_before_handover``: from the handover the desk receives; ``postal_without_item``: it came without one."""
    found = []
    handed_over: datetime | str | None = facts.get("handed_over_at")
    if isinstance(handed_over, str):
        handed_over = datetime.fromisoformat(handed_over)
    if handed_over is None:
        if dossier.channel is Channel.POSTAL:
            found.append("postal_without_item")
    elif dossier.received_at is not None and dossier.received_at < handed_over:
        found.append("received_before_handover")
    return found
