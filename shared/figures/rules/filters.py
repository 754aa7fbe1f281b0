"""What narrows figures to some of a scope's dossiers: a field each, by which all carry it that ask, answer and link.

How a filter becomes sums says `shared.figures.store.tables`; its words stand in `services.api.figures.parameters`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Self

from shared.vocabulary.events import Channel
from shared.vocabulary.spelling import one_spelling


@dataclass(frozen=True, slots=True, kw_only=True)
class DossierFilters:
    """Which dossiers count; None: all of them."""

    field: str | None = None
    procedure: str | None = None
    channel: Channel | None = None
    receiving_agency: str | None = None
    """Received by a desk of this agency or below it, whatever agency is competent (rules, section 11)."""

    @property
    def is_narrowed(self) -> bool:
        """Whether some do not."""
        return any(value is not None for value in given_filters(self).values())

    @classmethod
    def read(cls, kept: Mapping[str, str | None]) -> Self:
        """The filters of an answer that was kept; one that it does not have yet was none."""
        values: dict[str, Any] = {name: kept.get(name) for name in FILTERS}
        if values["channel"] is not None:
            values["channel"] = Channel(values["channel"])
        if values["field"] is not None:
            values["field"] = one_spelling(values["field"])
        return cls(**values)


FILTERS: Final = tuple(field.name for field in fields(DossierFilters))


def given_filters(asked: object) -> dict[str, Any]:
    """The filters in whatever has them as its attributes: parameters, a scope."""
    return {name: getattr(asked, name) for name in FILTERS}
