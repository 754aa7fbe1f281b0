"""What health answers."""

from pydantic import BaseModel, ConfigDict, Field


class Dependency(BaseModel):
    """One thing that the product stands on."""

    name: str = Field(examples=["postgres"])
    ready: bool
    detail: str | None = Field(None, description="What is wrong.")


class Lag(BaseModel):
    """How far behind one tenant is."""

    tenant: str
    events: int = Field(description="Events in the log.")
    events_not_projected: int = Field(description="Events not yet counted in lists and figures (chưa tính).")
    projection_lag_seconds: float
    dossiers_set_aside: int = Field(description="Dossiers that could not be projected.")
    dossiers_not_synced: int = Field(description="Dossiers that the national portal does not have yet (chưa đồng bộ).")
    dossiers_parked: int = Field(description="Dossiers that somebody must look at (cần xử lý).")
    sync_lag_seconds: float


class Readiness(BaseModel):
    """Whether the product can do its work."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"ready": True, "dependencies": [{"name": "postgres", "ready": True, "detail": None}], "lags": []}]
        }
    )

    ready: bool
    dependencies: list[Dependency]
    lags: list[Lag]


class Alive(BaseModel):
    """A sign of life."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"alive": True}]})

    alive: bool = Field(examples=[True])
