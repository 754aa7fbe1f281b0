"""Who the caller is."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from services.api.http.access.callers import AnyCaller
from services.api.http.openapi import error_answers

router = APIRouter(tags=["keys"])


class WhoAmI(BaseModel):
    """What a key stands for."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"tenant": "H51", "key_id": "3f9a1c0b7d2e", "scopes": ["events:write"], "agency": "H51.12"}]
        }
    )

    tenant: str = Field(description="The province or ministry (tỉnh, bộ).")
    key_id: str = Field(description="The key's id, as in `motcua keys list`.")
    scopes: list[str] = Field(description="What the key may do (quyền); `admin` implies all.")
    agency: str | None = Field(
        description="Root of the agency subtree (cơ quan) that the key may see; null: the whole tenant."
    )


@router.get(
    "/v1/whoami",
    summary="What this key stands for",
    responses=error_answers(),
    description="Answers the tenant, scopes and agency subtree of the key (khóa truy cập) in `Authorization`.",
)
async def whoami(caller: AnyCaller) -> WhoAmI:
    """Answer the caller's own rights."""
    return WhoAmI(tenant=caller.tenant, key_id=caller.key_id, scopes=sorted(caller.scopes), agency=caller.agency)
