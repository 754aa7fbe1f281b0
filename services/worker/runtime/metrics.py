"""What a worker counts about itself, served as Prometheus text on loopback. What the database knows is at the API's."""

import errno
from collections.abc import Callable
from threading import Thread
from typing import TYPE_CHECKING, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import ThreadingWSGIServer

from shared.observability import SECONDS_BUCKETS, exposition, get_logger
from shared.vocabulary.events import Tenant

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

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
        self._payment_calls = Counter(
            "motcua_payment_calls_total",
            "Calls to the payment platform.",
            ("tenant", "gateway", "message", "outcome"),
            registry=registry,
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

    def of_payment_calls(self, tenant: Tenant, gateway: str) -> Callable[[str, str, float], None]:
        """Counts a tenant's calls to a gateway of the payment platform: message, kind of outcome."""

        def called(message: str, outcome: str, _seconds: float) -> None:
            self._payment_calls.labels(tenant, gateway, message, outcome).inc()

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
                server = make_server(LOOPBACK, port, _app_of(self.registry), ThreadingWSGIServer, _QuietHandler)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                continue
            Thread(target=server.serve_forever, daemon=True).start()
            get_logger().info("metrics_served", port=port)
            return server
        get_logger().warning("metrics_not_served", first_port=first_port)
        return None


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing: the worker's log is of its work."""


def _app_of(registry: CollectorRegistry) -> "WSGIApplication":
    """Answers any path with the metrics; that of ``prometheus_client`` knows no ``HEAD``."""

    def answer(environ: "WSGIEnvironment", start: "StartResponse") -> list[bytes]:
        method = environ["REQUEST_METHOD"]
        if method not in {"GET", "HEAD"}:
            start("405 Method Not Allowed", [("Allow", "GET, HEAD")])
            return []
        text, content_type = exposition(environ.get("HTTP_ACCEPT", ""), registry)
        start("200 OK", [("Content-Type", content_type), ("Content-Length", str(len(text)))])
        return [] if method == "HEAD" else [text]

    return answer
