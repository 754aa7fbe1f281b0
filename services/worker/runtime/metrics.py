"""What a worker counts about itself, served as Prometheus text on loopback. What the database knows is at the API's."""

import errno
from collections.abc import Callable
from typing import Final
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server

from shared.observability import SECONDS_BUCKETS, get_logger
from shared.vocabulary.events import Tenant

LOOPBACK: Final = "127.0.0.1"
MOST_WORKERS: Final = 64
"""So many ports from the one that is set are tried: one for each worker process of a machine."""


class WorkerMetrics:
    """One for a process; each name is described in ``docs/operating.md``."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry: Final = registry
        self._calls = Counter(
            "motcua_portal_calls_total", "Calls to the portal.", ("tenant", "service", "outcome"), registry=registry
        )
        self._seconds = Histogram(
            "motcua_portal_call_seconds", "How long they took.", ("service",), buckets=SECONDS_BUCKETS, registry=registry
        )
        self._dossiers = Counter(
            "motcua_portal_dossiers_total", "Dossiers that the portal took.", ("tenant", "lane"), registry=registry
        )
        self._steps = Counter(
            "motcua_portal_steps_total", "Steps that the portal took.", ("tenant", "lane"), registry=registry
        )
        self._failures = Counter(
            "motcua_worker_failures_total", "Rounds of work that ended with an error of ours.", ("work",), registry=registry
        )

    def of_calls(self, tenant: Tenant) -> Callable[[str, str, float], None]:
        """Counts a tenant's calls: service, kind of outcome, seconds."""

        def called(service: str, outcome: str, seconds: float) -> None:
            self._calls.labels(tenant, service, outcome).inc()
            self._seconds.labels(service).observe(seconds)

        return called

    def delivered(self, tenant: Tenant, lane: str, dossiers: int, steps: int) -> None:
        """Count what a round brought to the portal."""
        self._dossiers.labels(tenant, lane).inc(dossiers)
        self._steps.labels(tenant, lane).inc(steps)

    def failed(self, work: str) -> None:
        """Count a round of work that ended with an error."""
        self._failures.labels(work).inc()

    def serve(self, first_port: int) -> WSGIServer | None:
        """Serve on ``first_port`` of loopback, or the next one that is free; None: on none of them."""
        for port in range(first_port, min(first_port + MOST_WORKERS, 65_536)):
            try:
                server, _ = start_http_server(port, LOOPBACK, self.registry)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                continue
            get_logger().info("metrics_served", port=port)
            return server
        get_logger().warning("metrics_not_served", first_port=first_port)
        return None
