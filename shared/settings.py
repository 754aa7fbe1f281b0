"""Every setting of motcua, read from the environment once, at the edge of each process.

The operator's table of these stands in ``docs/operating.md``; a test holds the two together.
"""

from datetime import time
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

LOCAL_TENANT = "H51"
ONLINE_POINTS = 12
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})

Port = Annotated[int, Field(ge=1, le=65535)]


def _local_hour(text: str) -> time | None:
    return None if text == "off" else time.fromisoformat(text)


class Settings(BaseSettings):
    """Settings with the prefix ``MOTCUA_``; see ``docs/operating.md``."""

    model_config = SettingsConfigDict(env_prefix="MOTCUA_", extra="ignore", env_ignore_empty=True)

    data_dir: Path = Field(Path("var"), description="Folder of the embedded servers, logs and process ids.")
    api_host: str = Field("127.0.0.1", description="Address that the API listens on.")
    api_port: Port = Field(8000, description="Port of the API.")
    portal_port: Port = Field(8090, description="Port of the mock portal.")
    payments_port: Port | None = Field(None, description="Port of the mock payment platform; a free one when absent.")
    postgres_port: Port | None = Field(None, description="Port of the embedded PostgreSQL; a free one when absent.")
    valkey_port: Port | None = Field(None, description="Port of the embedded Valkey; a free one when absent.")
    database_url: SecretStr | None = Field(
        None, description="External PostgreSQL 15-18 as the application role; embedded when absent."
    )
    migration_database_url: SecretStr | None = Field(
        None, description="The same database as the owner that migrates; the application's URL when absent."
    )
    distribute_tables: bool = Field(
        False, description="Migrations spread the tables over the nodes of Citus, each by its tenant."
    )
    redis_url: SecretStr | None = Field(None, description="External Redis 7+ or Valkey; embedded when absent.")
    portal_url: str | None = Field(None, description="Base URL of the national portal's adapter; the mock when absent.")
    portal_username: str = Field("000.00.00.H51", description="User name at the portal.")
    portal_password: SecretStr = Field(SecretStr("practice"), description="Password at the portal.")
    portal_dstcode: str = Field("VN:GOV:000.00.00.G22:dvcqg", description="Routing code of the portal.")
    portal_madonvi: str = Field("000.00.00.H51", description="Code of the sending unit at the portal.")
    portal_calls_per_minute: Annotated[float, Field(ge=1, le=60_000)] = Field(
        600.0, description="Calls that the portal allows in any minute; all workers together stay below it."
    )
    portal_access_file: Path | None = Field(
        None, description="JSON file with the access to the portal of each tenant; the settings above for the others."
    )
    portal_list_path: str | None = Field(
        None, description="Path at the portal that lists what it holds; the mock's own when the portal is the mock."
    )
    payments_access_file: Path | None = Field(
        None,
        description=(
            "JSON file with partner and secret of each tenant and gateway at the payment platform; what `make run` wrote for"
            " the mock when absent."
        ),
    )
    reconcile_at: Annotated[str, Field(pattern=r"^(off|([01]\d|2[0-3]):[0-5]\d)$")] = Field(
        "02:00", description="Local time of the nightly comparison with the portal; `off` for none."
    )
    sync_kept_days: Annotated[int, Field(ge=1, le=36_500)] = Field(
        90,
        description=(
            "Days that attempts at the portal are kept which are no version it has (failed ones, and those of steps), and"
            " differences found there."
        ),
    )
    sync_lag_limit_seconds: Annotated[float, Field(gt=0)] = Field(
        900.0, description="Age of the oldest change that the portal does not have, beyond which there is an alarm."
    )
    circuit_open_limit_seconds: Annotated[float, Field(gt=0)] = Field(
        300.0, description="Time without calls to a portal in trouble, beyond which there is an alarm."
    )
    worker_metrics_port: Annotated[int, Field(ge=0, le=65535)] = Field(
        0, description="Loopback port of the worker's metrics, of the next ones for further workers; 0 for none."
    )
    sample: str = Field("soctrang-2018", description="Sample replayed on an empty database; `none` for nothing.")
    api_processes: Annotated[int, Field(ge=1, le=64)] = Field(1, description="API processes.")
    worker_processes: Annotated[int, Field(ge=1, le=64)] = Field(1, description="Worker processes.")
    dev_key: SecretStr = Field(
        SecretStr("dev-admin-key"),
        description="Admin key of the local run, tenant H51; refused beyond loopback, behind a proxy, under other names.",
    )
    metrics_key: SecretStr | None = Field(
        None, description="Key that opens every tenant's figures at `/metrics` and `/readyz`, then asked on loopback too."
    )
    allowed_hosts: str | None = Field(
        None, description="Names of the API in `Host`, with commas between; others are answered 421. Any name when absent."
    )
    log_level: str = Field("INFO", description="Lowest level that is logged: DEBUG, INFO, WARNING or ERROR.")
    sweep_seconds: Annotated[float, Field(gt=0, le=3600)] = Field(
        2.0, description="How often a worker looks for work without being woken."
    )
    time_scale: Annotated[float, Field(ge=1)] = Field(
        1.0, description="Divides every retry delay; for tests of long outages."
    )

    audit_at: Annotated[str, Field(pattern=r"^(off|([01]\d|2[0-3]):[0-5]\d)$")] = Field(
        "02:30", description="Local time at which the nightly audit begins; `off` for never."
    )
    audit_nights: Annotated[int, Field(ge=1, le=366)] = Field(
        7, description="In so many nights the audit recounts every figure and every dossier from the log."
    )

    as_of_dossiers: int = Field(
        500_000, ge=1, description="So many dossiers an as-of question computes anew at most, and the API remembers."
    )

    reader: bool = Field(True, description="Each API process has a child process for heavy reads; else it does them itself.")

    # the sources do not say how they are shared: by default all are on 3.3, which is measured here (a choice)
    index_online_points: Annotated[str, Field(pattern=r"^\d{1,2},\d{1,2},\d{1,2}$")] = Field(
        "0,0,12", description="How the indicators 3.1, 3.2 and 3.3 of Decision 766 share their 12 points."
    )

    @field_validator("index_online_points")
    @classmethod
    def _makes_up_the_group(cls, text: str) -> str:
        if sum(int(part) for part in text.split(",")) != ONLINE_POINTS:
            raise ValueError(f"three whole numbers that add up to {ONLINE_POINTS}")
        return text

    @property
    def effective_portal_list_path(self) -> str | None:
        """Where the portal lists what it holds; None: nowhere."""
        if self.portal_list_path is not None or self.portal_url is not None:
            return self.portal_list_path
        return "/_portal/dossiers"

    @property
    def effective_payments_access_file(self) -> Path | None:
        """The setting, else the local run's (``payments.json``), if there is one; None: no payment platform."""
        local = self.data_dir / "payments.json"
        return self.payments_access_file or (local if local.exists() else None)

    @property
    def reconcile_time(self) -> time | None:
        """The local time of the nightly comparison; None: there is none."""
        return _local_hour(self.reconcile_at)

    @property
    def audit_time(self) -> time | None:
        """The local time of the nightly audit; None: there is none."""
        return _local_hour(self.audit_at)

    @cached_property
    def hosts(self) -> frozenset[str]:
        """The names that the API answers to; none: to any."""
        return frozenset(name.strip().lower() for name in (self.allowed_hosts or "").split(",") if name.strip())

    @property
    def listens_beyond_loopback(self) -> bool:
        """Whether the API can be reached from another machine; then no development key is accepted."""
        return self.api_host not in LOOPBACK_HOSTS

    @property
    def effective_portal_url(self) -> str:
        """The portal's base URL, without a trailing slash."""
        return (self.portal_url or f"http://127.0.0.1:{self.portal_port}").rstrip("/")

    def run_file(self, name: str) -> Path:
        """A file of the running system, for example ``run/postgres.url``."""
        return self.data_dir / "run" / name

    def effective_database_url(self) -> str:
        """The application role's URL: the setting, else what the embedded server wrote (``run/postgres.url``)."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return self.run_file("postgres.url").read_text().strip()

    def effective_migration_database_url(self) -> str:
        """The owner's URL: the setting, else the embedded server's, else the application role's."""
        if self.migration_database_url is not None:
            return self.migration_database_url.get_secret_value()
        owner = self.run_file("postgres-owner.url")
        if self.database_url is None and owner.exists():
            return owner.read_text().strip()
        return self.effective_database_url()

    def effective_redis_url(self) -> str:
        """The queue's URL: the setting, else what the embedded server wrote (``run/valkey.url``)."""
        if self.redis_url is not None:
            return self.redis_url.get_secret_value()
        return self.run_file("valkey.url").read_text().strip()
