"""Codes and branches of agencies: an agency's branches are the parts of its code above it, from the second level on.

``H51.12.03`` is in branch ``H51.12``. A branch is made of codes, not of a tree of some date: which agencies make a figure is
for `shared.counting.rules.branch_cover` to say.
"""

from enum import StrEnum

from shared.vocabulary.codes import competent_agency


class CodeKind(StrEnum):
    """What a code stands for, as ``figure_code.kind`` has it."""

    AGENCY = "agency"
    BRANCH = "branch"
    PROCEDURE = "procedure"


def branches_of(agency: str) -> list[str]:
    """The branches that an agency is in, the widest first; of a pair those of the competent one."""
    parts = competent_agency(agency).split(".")
    return [".".join(parts[:length]) for length in range(2, len(parts))]
