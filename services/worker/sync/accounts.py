"""Who we are at the portal: one access for all tenants from the settings, and of their own from a file.

The file is read once, when the worker starts, and never written; what stands in it goes nowhere else: not into the database,
a log or a message.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter

from shared.observability import get_logger
from shared.settings import Settings
from shared.sync.portal.access_file import read_access_file
from shared.sync.portal.client import PortalAccess
from shared.vocabulary.codes import TENANT_PATTERN
from shared.vocabulary.events import Tenant


class _Entry(BaseModel):
    """One tenant's access; what is absent is that of the settings."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    username: Annotated[str, Field(min_length=1)]
    password: SecretStr
    url: str | None = None
    dstcode: str | None = None
    madonvi: str | None = None
    calls_per_minute: Annotated[float, Field(ge=1, le=60_000)] | None = None


_Entries: Final[TypeAdapter[dict[Annotated[str, Field(pattern=TENANT_PATTERN)], _Entry]]] = TypeAdapter(
    dict[Annotated[str, Field(pattern=TENANT_PATTERN)], _Entry], config=ConfigDict(hide_input_in_errors=True)
)


@dataclass(frozen=True, slots=True)
class Account:
    """A tenant's access, and how many calls the portal allows it in any minute."""

    access: PortalAccess
    calls_per_minute: float


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts of all tenants: their own, else the common one."""

    common: Account
    own: Mapping[Tenant, Account]

    @classmethod
    def of(cls, settings: Settings) -> "Accounts":
        """Read the settings and the file.

        Raises:
            AccessFileError: the file is not there, cannot be read, or is not what it should be.
        """
        common = Account(
            PortalAccess(
                url=settings.effective_portal_url,
                username=settings.portal_username,
                password=settings.portal_password.get_secret_value(),
                dstcode=settings.portal_dstcode,
                unit=settings.portal_madonvi,
            ),
            settings.portal_calls_per_minute,
        )
        path = settings.portal_access_file
        if path is None:
            return cls(common, {})
        entries = read_access_file(path, _Entries, "MOTCUA_PORTAL_ACCESS_FILE", "portal_access_file_open")
        own = {Tenant(tenant): _account(entry, common) for tenant, entry in entries.items()}
        get_logger().info("portal_access_read", tenants=sorted(own))
        return cls(common, own)

    def for_tenant(self, tenant: Tenant) -> Account:
        return self.own.get(tenant, self.common)


def _account(entry: _Entry, common: Account) -> Account:
    return Account(
        PortalAccess(
            url=(entry.url or common.access.url).rstrip("/"),
            username=entry.username,
            password=entry.password.get_secret_value(),
            dstcode=entry.dstcode or common.access.dstcode,
            unit=entry.madonvi or common.access.unit,
        ),
        entry.calls_per_minute or common.calls_per_minute,
    )
