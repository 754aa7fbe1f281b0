"""Which events a ``voided`` takes out, of whatever register (rules, section 2): the one of its record that it names."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

Identity = tuple[str, str]
"""(source, id) of an event: its identity within a tenant, whatever its register."""


class Voidable(Protocol):
    """What the rules read of an event."""

    @property
    def source(self) -> str:
        """With the id its identity."""

    @property
    def id(self) -> str:
        """Within its source."""

    @property
    def data(self) -> Mapping[str, Any]:
        """Of a void: whom it names."""

    @property
    def is_void(self) -> bool:
        """Whether it takes out another one."""


def void_target(void: Voidable) -> Identity:
    """The identity that a ``voided`` names."""
    return (void.data["event_source"], void.data["event_id"])


def absent_void_targets(events: Iterable[Voidable]) -> frozenset[Identity]:
    """Identities that the voids of a record name and that are none of its events: to be looked up in the log."""
    events = list(events)
    present = {(event.source, event.id) for event in events}
    return frozenset(target for event in events if event.is_void and (target := void_target(event)) not in present)
