"""Where a request comes from and whom it means to ask, as far as can be told."""

from ipaddress import ip_address
from typing import Final

from starlette.types import Scope

from shared.settings import LOOPBACK_HOSTS, Settings

_TOLD_BY_PROXIES: Final = frozenset(
    {b"forwarded", b"via", b"x-real-ip", b"x-client-ip", b"true-client-ip", b"cf-connecting-ip"}
)


def came_through_proxy(scope: Scope) -> bool:
    """Whether a proxy says that it has passed the request on."""
    return any(name in _TOLD_BY_PROXIES or name.startswith(b"x-forwarded-") for name, _ in scope["headers"])


def address_of(scope: Scope) -> str:
    """The client's address; uvicorn takes it from ``X-Forwarded-For`` where the proxy is on this machine."""
    client = scope.get("client")
    return "" if client is None else str(client[0])


def host_of(scope: Scope) -> str:
    """The name in ``Host``, without its port, in lower case; "" for none, and for several: a proxy may have read another."""
    named = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    told = named[0].strip().lower() if len(named) == 1 else ""
    if told.startswith("["):
        return told[1:].partition("]")[0]
    return told.partition(":")[0]


def _is_loopback(host: str) -> bool:
    try:
        return host in LOOPBACK_HOSTS or ip_address(host).is_loopback
    except ValueError:
        return False


def is_local(scope: Scope, settings: Settings) -> bool:
    """Whether a request was made on this machine: the API listens to it only, and nothing says that it is from elsewhere.

    A page that a browser on this machine shows may have a name that leads here, and it stands in ``Host``.
    """
    return (
        not settings.listens_beyond_loopback
        and _is_loopback(address_of(scope) or "127.0.0.1")
        and not came_through_proxy(scope)
        and (_is_loopback(host_of(scope)) or host_of(scope) in settings.hosts)
    )


def is_asked_by_its_name(scope: Scope, settings: Settings) -> bool:
    """Whether ``Host`` is one of the names that the operator gave the API, or the request was made on this machine."""
    return host_of(scope) in settings.hosts or is_local(scope, settings)
