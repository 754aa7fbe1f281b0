"""When somebody should look at the sync: four alarms, decided from how it stands. Pure.

An alarm says nothing about readiness: events are taken and figures answered whatever becomes of the portal.
"""

from dataclasses import dataclass
from enum import StrEnum


class SyncAlarm(StrEnum):
    """What is wrong."""

    PARKED = "parked"
    """Dossiers wait for somebody: the portal refuses them, or they cannot be put in its words."""
    LAG = "lag"
    """The oldest change that the portal does not have is older than the limit."""
    CIRCUIT_OPEN = "circuit_open"
    """The portal has not been well for longer than the limit."""
    DIFFERENCES = "differences"
    """The newest finished comparison of everything found differences; the next one that finds none ends it."""


@dataclass(frozen=True, slots=True)
class SyncHealth:
    """How a tenant's sync stands; each number is what its alarm is about."""

    parked: int = 0
    lag_seconds: float = 0.0
    circuit_open_seconds: float = 0.0
    differences: int = 0


@dataclass(frozen=True, slots=True)
class AlarmLimits:
    """Beyond what there is an alarm (``MOTCUA_SYNC_LAG_LIMIT_SECONDS``, ``MOTCUA_CIRCUIT_OPEN_LIMIT_SECONDS``)."""

    lag_seconds: float
    circuit_open_seconds: float


@dataclass(frozen=True, slots=True)
class Raised:
    """An alarm that is on: ``value`` is beyond ``limit``."""

    alarm: SyncAlarm
    value: float
    limit: float


def alarms(standing: SyncHealth, limits: AlarmLimits) -> tuple[Raised, ...]:
    """The alarms that are on."""
    looked_at = (
        Raised(SyncAlarm.PARKED, standing.parked, 0),
        Raised(SyncAlarm.LAG, standing.lag_seconds, limits.lag_seconds),
        Raised(SyncAlarm.CIRCUIT_OPEN, standing.circuit_open_seconds, limits.circuit_open_seconds),
        Raised(SyncAlarm.DIFFERENCES, standing.differences, 0),
    )
    return tuple(one for one in looked_at if one.value > one.limit)
