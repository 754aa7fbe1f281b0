"""Who we are at the payment platform: partner and secret of each tenant and gateway, from a file and nowhere else.

``{"H51": {"national": {"url": "https://…", "partner": "…", "secret": "…", "calls_per_minute": 600}}}``
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter

from shared.observability import get_logger
from shared.payment_platform.protocol.wire import Word
from shared.settings import Settings
from shared.sync.portal.access_file import AccessFileError, read_access_file
from shared.vocabulary.codes import TENANT_PATTERN
from shared.vocabulary.events import Tenant

_SETTING: Final = "MOTCUA_PAYMENTS_ACCESS_FILE"

Gateway = Literal["national", "local"]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    url: Annotated[str, Field(pattern=r"^https?://[^\s]+$")]
    partner: Annotated[Word, Field(min_length=1)]
    secret: Annotated[SecretStr, Field(min_length=8)]
    calls_per_minute: Annotated[float, Field(ge=1, le=60_000)] = 600.0


_Entries: Final[TypeAdapter[dict[Annotated[str, Field(pattern=TENANT_PATTERN)], dict[Gateway, _Entry]]]] = TypeAdapter(
    dict[Annotated[str, Field(pattern=TENANT_PATTERN)], dict[Gateway, _Entry]], config=ConfigDict(hide_input_in_errors=True)
)


@dataclass(frozen=True, slots=True)
class Account:
    """A tenant at one gateway. ``url``: where all messages are posted to."""

    tenant: Tenant
    gateway: str
    url: str
    partner: str
    secret: str = field(repr=False)
    calls_per_minute: float


@dataclass(frozen=True, slots=True)
class PaymentAccounts:
    """All of them; a tenant without one tells payments by its own software's events only."""

    by_tenant: Mapping[Tenant, Mapping[str, Account]]

    @classmethod
    def of(cls, settings: Settings) -> "PaymentAccounts":
        """Read the file, if there is one.

        Raises:
            AccessFileError: it cannot be read, is not what it should be, or gives a gateway's partner to two tenants.
        """
        path = settings.effective_payments_access_file
        if path is None:
            return cls({})
        entries = read_access_file(path, _Entries, _SETTING, "payments_access_file_open")
        found: dict[Tenant, dict[str, Account]] = {
            Tenant(tenant): {gateway: _account(Tenant(tenant), gateway, entry) for gateway, entry in gateways.items()}
            for tenant, gateways in entries.items()
        }
        partners = Counter((gateway, one.partner) for of_tenant in found.values() for gateway, one in of_tenant.items())
        if twice := [gateway for (gateway, _), times in partners.items() if times > 1]:
            raise AccessFileError(f"{_SETTING}: {', '.join(sorted(set(twice)))}: a partner stands for one tenant only")
        get_logger().info("payments_access_read", tenants=sorted(found))
        return cls(found)

    def partner(self, gateway: str, partner: str) -> Account | None:
        """The account that a message of a gateway is for."""
        accounts = (of_tenant.get(gateway) for of_tenant in self.by_tenant.values())
        return next((one for one in accounts if one is not None and one.partner == partner), None)


def _account(tenant: Tenant, gateway: str, entry: _Entry) -> Account:
    return Account(tenant, gateway, entry.url, entry.partner, entry.secret.get_secret_value(), entry.calls_per_minute)
