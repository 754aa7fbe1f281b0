"""Who is told whose figures by health: truth and sums everybody, a tenant's figures its keys and the operator."""

import asyncio
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from starlette.requests import Request

from services.api.health.schemas import Lag
from services.api.http.access.auth import Demand, Permission, admitted_to, bearer_token
from services.api.http.access.proxies import is_local
from services.api.http.context import context_of
from shared.database.outages import is_outage
from shared.projection.store.health import TenantHealth

ALL: Final = "*"
"""Stands for the tenant where all of them are taken together."""

LOOK_SECONDS: Final = 1.5
"""So long may a dependency take to answer."""

_DEMAND: Final = Demand(frozenset({Permission.STATS_READ}), whole_province=True)
_LARGEST: Final = ("_seconds", "_alarm", "_created")
"""Ends of metrics of which all tenants together have the largest; of all others they have the sum."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Whose figures are told. ``tenant``: only of this one; None: of each to the operator, else of all together."""

    tenant: str | None = None
    is_operator: bool = False

    def is_told_of(self, tenant: str) -> bool:
        """Whether this tenant's own figures are told."""
        return self.is_operator or tenant == self.tenant

    def lags(self, standings: list[TenantHealth]) -> list[Lag]:
        """How far behind those tenants are that are told of, or all together."""
        if self.is_operator or self.tenant is not None:
            return [_lag(one) for one in standings if self.is_told_of(one.tenant)]
        return [_together([_lag(one) for one in standings])] if standings else []

    def metrics(self, registry: CollectorRegistry) -> Collector:
        """What a registry tells this audience."""
        return _Told(registry, self)


class _Told(Collector):
    def __init__(self, registry: CollectorRegistry, audience: Audience) -> None:
        self._registry = registry
        self._audience = audience

    def collect(self) -> Iterator[Metric]:
        """Every metric, with a tenant's samples where they are told, else with those of all together."""
        for metric in self._registry.collect():
            if not self._audience.is_operator and any("tenant" in sample.labels for sample in metric.samples):
                metric = self._told(metric)  # noqa: PLW2901 - the same one, as it is told
            yield metric

    def _told(self, metric: Metric) -> Metric:
        told = Metric(metric.name, metric.documentation, metric.type, metric.unit)
        if self._audience.tenant is not None:
            told.samples = [one for one in metric.samples if one.labels.get("tenant") == self._audience.tenant]
            return told
        sums: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
        for sample in metric.samples:
            key = (sample.name, tuple((sample.labels | {"tenant": ALL}).items()))
            known = sums.get(key)
            is_largest = sample.name.endswith(_LARGEST)
            sums[key] = sample.value if known is None else max(known, sample.value) if is_largest else known + sample.value
        for (name, labels), value in sums.items():
            told.add_sample(name, dict(labels), value)
        return told


async def audience_of(request: Request) -> Audience:
    """Whom a request about health is from.

    Raises:
        Unauthenticated: it has a key, which is none.
        Forbidden: the key may not read figures, or has an agency subtree.
    """
    context, token = context_of(request), bearer_token(request.scope)
    key = context.settings.metrics_key
    if token is None:
        return Audience(is_operator=key is None and is_local(request.scope, context.settings))
    if key is not None and hmac.compare_digest(token.encode(), key.get_secret_value().encode()):
        return Audience(is_operator=True)
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            return Audience((await admitted_to(request, token, _DEMAND)).tenant)
    except TimeoutError:
        return Audience()
    except Exception as error:
        if is_outage(error):  # that the database is away is what is asked about
            return Audience()
        raise


def _lag(standing: TenantHealth) -> Lag:
    return Lag(
        tenant=standing.tenant,
        events=standing.head,
        events_not_projected=standing.head - standing.counted,
        projection_lag_seconds=round(standing.counting_lag_seconds, 3),
        dossiers_set_aside=standing.set_aside,
        dossiers_not_synced=standing.pending,
        dossiers_parked=standing.parked + standing.unsendable,
        sync_lag_seconds=round(standing.sync_lag_seconds, 3),
    )


def _together(lags: list[Lag]) -> Lag:
    return Lag(
        tenant=ALL,
        events=sum(one.events for one in lags),
        events_not_projected=sum(one.events_not_projected for one in lags),
        projection_lag_seconds=max(one.projection_lag_seconds for one in lags),
        dossiers_set_aside=sum(one.dossiers_set_aside for one in lags),
        dossiers_not_synced=sum(one.dossiers_not_synced for one in lags),
        dossiers_parked=sum(one.dossiers_parked for one in lags),
        sync_lag_seconds=max(one.sync_lag_seconds for one in lags),
    )
