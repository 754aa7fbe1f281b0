"""Settings of the mock payment platform, from the environment, and its partners, from the access file."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


@dataclass(frozen=True, slots=True)
class Partner:
    """A one-stop system as the platform knows it."""

    name: str
    gateway: str
    secret: str = field(repr=False)


class Settings(BaseSettings):
    """The environment of one process: `MOTCUA_DATA_DIR` and `MOTCUA_PAYMENTS_*`."""

    model_config = SettingsConfigDict(
        env_prefix="MOTCUA_PAYMENTS_", populate_by_name=True, extra="ignore", env_ignore_empty=True
    )

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8091
    data_dir: Path = Field(default=Path("./var"), validation_alias="MOTCUA_DATA_DIR")
    access_file: Path | None = Field(
        default=None, description="partners and secrets; payments.json in the data folder when absent"
    )
    result_url: str = Field(
        default="http://127.0.0.1:8000/v1/payments/results/{gateway}", description="where results are told"
    )

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.data_dir / "payments" / "payments.sqlite3"

    def partners(self) -> dict[str, Partner]:
        """The partners by name; raises `OSError`, `ValueError` or `LookupError` where the file is not as it should be."""
        path = self.access_file or self.data_dir / "payments.json"
        found = json.loads(path.read_text(encoding="utf-8"))
        return {
            entry["partner"]: Partner(entry["partner"], gateway, entry["secret"])
            for gateways in found.values()
            for gateway, entry in gateways.items()
        }
