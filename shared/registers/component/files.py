"""What of one dossier is a file: by the register where it tells anything of the dossier, else by the dossier's flags.

Indicators 4.1 to 4.4 of Decision 766 ask the same (rules, section 8).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.dossiers.rules.instant_facts import DossierMark


@dataclass(frozen=True, slots=True)
class Files:
    """``owed``: components that must be files; ``filed``: those of them that are. The others say: at least one is."""

    owed: int
    filed: int
    any: bool
    reused: bool
    stored: bool
    """A component from the national store, or a result link that the national portal holds."""
    result: bool


def files_of(facts: Mapping[str, Any], marks: int, *, is_synced: bool) -> Files:
    """``facts``: of the dossier's record in ``component``, empty if no effective event of it tells anything."""
    link = bool(marks & DossierMark.RESULT_LINK)
    synced_link = link and is_synced
    if not facts:
        return Files(
            owed=0,
            filed=0,
            any=bool(marks & DossierMark.COMPONENTS_DIGITISED),
            reused=bool(marks & DossierMark.COMPONENTS_REUSED),
            stored=bool(marks & DossierMark.FROM_NATIONAL_STORE) or synced_link,
            result=link,
        )
    components = facts["components"].values()
    owed = [component["has_file"] for component in components if component["owed"]]
    return Files(
        owed=len(owed),
        filed=sum(owed),
        any=any(component["has_file"] for component in components),
        reused=any("sources" in component for component in components),
        stored=synced_link or any("national_store" in component.get("sources", ()) for component in components),
        result=link or any(result["has_file"] for result in facts["results"].values()),
    )
