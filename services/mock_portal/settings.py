"""Settings of the mock portal, from the environment, and the limits that tests may switch at run time."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

LARGEST = 2**63 - 1
"""The largest integer of SQLite."""

Count = Annotated[int, Field(strict=True, ge=1, le=LARGEST)]
# SQLite takes at most 32,766 parameters in one statement.
Batch = Annotated[int, Field(strict=True, ge=1, le=10_000)]
CountOrNone = Annotated[int, Field(strict=True, ge=0, le=LARGEST)]


class Limits(BaseModel):
    """Limits and switches, readable and changeable at `/_portal/limits` (protocol section 11.1)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dossiers_per_call: Batch = Field(default=100, description="dossiers in one DongBoHoSoMC")
    steps_per_call: Batch = Field(default=100, description="steps in one CapNhatTienDoHoSoMC")
    steps_per_dossier: Batch = Field(default=10, description="steps of one dossier in one call")
    codes_per_lookup: Batch = Field(default=100, description="codes in one TraCuuHoSo")
    calls_per_minute: CountOrNone = Field(
        default=600,
        description="calls of one user in any 60 seconds; 0 for no limit",
    )
    session_seconds: Annotated[float, Field(gt=0)] = Field(
        default=600.0,
        description="absolute life of a session",
    )
    success_code: Literal["0", "00", 0] = Field(default="0", description='"0", "00" or the number 0')
    strict_batch: bool = Field(default=False, description="one rejected item rejects its whole call")
    strict_order: bool = Field(default=False, description="refuse a status that goes backwards with -6")
    insist_catalogue: bool = Field(
        default=False,
        description="refuse a MaTTHC or MaLinhVuc outside the catalogue with -5",
    )
    calls_kept: Count = Field(default=20_000, description="calls kept for /_portal/calls")
    call_text_bytes: CountOrNone = Field(
        default=16_384,
        description="how much of a request or an answer /_portal/calls keeps",
    )


class Settings(BaseSettings):
    """The environment of one portal process: `MOTCUA_DATA_DIR` and `MOTCUA_PORTAL_*`."""

    model_config = SettingsConfigDict(env_prefix="MOTCUA_PORTAL_", populate_by_name=True, extra="ignore")

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8090
    data_dir: Path = Field(default=Path("./var"), validation_alias="MOTCUA_DATA_DIR")
    username: str = "000.00.00.H51"
    password: str = "practice"  # noqa: S105 - the mock portal's published default, not a secret
    dstcode: str = "VN:GOV:000.00.00.G22:dvcqg"
    madonvi: str = "000.00.00.H51"
    users: dict[str, str] = Field(
        default_factory=dict,
        description="further users and their passwords; when empty, any user name of the shape of a "
        "unit code is let in with the one password",
    )
    catalogue: Path | None = Field(default=None, description="a JSON file that replaces the catalogue")
    limits: Limits = Field(default_factory=Limits, description="the limits the portal starts with")

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.data_dir / "portal" / "portal.sqlite3"


def wrong_setting(error: ValidationError | SettingsError) -> str:
    """One line about the first wrong setting: the variable of the environment, and what it should be. Never its value."""
    if isinstance(error, SettingsError):
        # its text names the field in quotes, as pydantic-settings says it: the value is no JSON
        field = next((name for name in Settings.model_fields if f'"{name}"' in str(error)), "")
        return f"{_variable(field)}: a JSON object is expected"
    problem = error.errors()[0]
    first, *rest = [str(part) for part in problem["loc"]]
    path = f" {'.'.join(rest)}:" if rest else ""
    return f"{_variable(first)}:{path} {problem['msg']}"


def _variable(field: str) -> str:
    return field if field.startswith("MOTCUA_") else f"MOTCUA_PORTAL_{field.upper()}"
