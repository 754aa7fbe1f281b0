"""Group commit: what arrives while one append is under way goes into the next one."""

from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.metrics import Metrics
from shared.queue import Doorbell


class Intake:
    """One queue and one writer for each tenant."""

    def __init__(self, engine: AsyncEngine, doorbell: Doorbell, metrics: Metrics) -> None:
        self._engine = engine
        self._doorbell = doorbell
        self._metrics = metrics
