"""The metrics of an API process."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from shared.observability import SECONDS_BUCKETS


class Metrics:
    """Every metric of the API; ``registry`` takes more from whoever needs them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.requests = Counter("motcua_requests", "Requests answered.", ("method", "route", "status"), registry=registry)
        self.request_seconds = Histogram(
            "motcua_request_seconds",
            "Time to the end of the answer.",
            ("route",),
            buckets=SECONDS_BUCKETS,
            registry=registry,
        )
        self.events = Counter(
            "motcua_events", "Events told, by what became of them.", ("tenant", "outcome"), registry=registry
        )
        self.marked_events = Counter(
            "motcua_marked_events", "Events whose texts seem to hold personal data.", ("tenant",), registry=registry
        )
        self.payment_results = Counter(
            "motcua_payment_results",
            "Results that the payment platform told, by what became of them.",
            ("tenant", "outcome"),
            registry=registry,
        )
        self._told: dict[tuple[str, str], Counter] = {}
        self.append_seconds = Histogram(
            "motcua_append_seconds", "Time of one append to the log.", buckets=SECONDS_BUCKETS, registry=registry
        )
        self.append_events = Histogram(
            "motcua_append_events", "Events in one append.", buckets=(1, 3, 10, 30, 100, 300, 1000, 3000), registry=registry
        )
        self.waiting_events = Gauge("motcua_waiting_events", "Events waiting to be appended.", registry=registry)

    def count_received(self, tenant: str, outcome: str, count: int) -> None:
        """Count events by what became of them."""
        counter = self._told.get((tenant, outcome))
        if counter is None:  # looking a metric up by its labels costs more than counting
            counter = self._told[tenant, outcome] = self.events.labels(tenant, outcome)
        counter.inc(count)
