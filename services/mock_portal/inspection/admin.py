"""What people and tests ask the portal about itself: `/_portal/*`. Never touched by a fault rule."""

from collections.abc import Mapping
from enum import StrEnum
from importlib.resources import files
from typing import Annotated, Any, Final, TypeVar, assert_never
from urllib.parse import urlsplit

import orjson
from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, ValidationError

from services.mock_portal.faults.faults import described
from services.mock_portal.faults.rules import KINDS, PRESETS, FaultPlan, problems_of
from services.mock_portal.inspection import answers
from services.mock_portal.portal import Portal
from services.mock_portal.protocol.codes import STATUSES, Service
from services.mock_portal.settings import LARGEST, Limits

M = TypeVar("M", bound=BaseModel)

_PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# What GET /_portal/faults adds to the plan; PUT takes such an answer back and passes over these.
_DESCRIPTIVE: Final = frozenset({"counts", "maintenance_seconds", "presets", "repertoire"})


class Part(StrEnum):
    """A part of the portal that can be reset alone."""

    DATA = "data"
    FAULTS = "faults"
    LIMITS = "limits"
    SESSIONS = "sessions"


def _same_origin(request: Request) -> None:
    """Refuse what another site's page sends: nobody's browser shall empty a mock portal."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise HTTPException(403, "cross-origin request refused")


def _refusal(problems: list[dict[str, Any]]) -> HTTPException:
    message = "; ".join(f"{problem['field']}: {problem['message']}" for problem in problems)
    return HTTPException(422, {"message": message, "problems": problems})


async def _object(request: Request) -> dict[str, Any]:
    try:
        found = orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise _refusal([{"field": "body", "message": f"not JSON: {error}"}]) from None
    if not isinstance(found, dict):
        raise _refusal([{"field": "body", "message": "a JSON object is expected"}])
    return found


def _validated(model: type[M], found: Mapping[str, Any]) -> M:
    try:
        return model.model_validate(found)
    except ValidationError as error:
        raise _refusal(problems_of(error)) from None


def _json(found: Any) -> Response:
    return Response(orjson.dumps(found), media_type="application/json")


def _routes(tag: str) -> APIRouter:
    return APIRouter(prefix="/_portal", tags=[tag], dependencies=[Depends(_same_origin)])


def inspection_routes(portal: Portal) -> APIRouter:
    """Make the routes that show what the portal holds and received."""
    routes = _routes("inspection")

    @routes.get("/dossiers", summary="Hồ sơ đang giữ · dossiers held")
    async def dossiers(
        after: Annotated[str, Query(description="a dossier code")] = "",
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        full: Annotated[bool, Query(description="with all versions and steps")] = False,
        steps: Annotated[bool, Query(description="with the natural keys of the steps")] = False,
    ) -> Response:
        """Give a page in the order of the codes; `next` is the `after` of the next page, or null."""
        return _json(
            await portal.store.read(
                lambda connection: answers.dossiers(connection, after=after, limit=limit, full=full, steps=steps),
            ),
        )

    @routes.get("/dossiers/{code:path}", summary="Một hồ sơ · one dossier")
    async def dossier(code: str) -> Response:
        """Give what is held in the protocol's own fields, with `versions` and `progress` as accepted."""
        found = await portal.store.read(lambda connection: answers.dossier(connection, code))
        if found is None:
            raise HTTPException(404, f"no dossier {code}")
        return _json(found)

    @routes.get("/calls", summary="Các lần gọi · calls received")
    async def calls(
        after: Annotated[int, Query(ge=0, le=LARGEST, description="the number of a call")] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        newest: Annotated[bool, Query(description="the newest ones, newest first")] = False,
    ) -> Response:
        """Give every call received and its answer, also those a fault ate; as many as `calls_kept`."""
        return _json(
            await portal.store.read(
                lambda connection: answers.calls(connection, after=after, limit=limit, newest=newest),
            ),
        )

    @routes.get("/stats", summary="Số liệu · counts since the last reset")
    async def stats() -> Response:
        """Count dossiers, versions, steps, calls by service and outcome, and faults."""
        found = await portal.store.read(answers.stats)
        return _json(
            found | {"sessions": len(portal.sessions), "started_at": portal.started_at.isoformat()},
        )

    return routes


def control_routes(portal: Portal) -> APIRouter:
    """Make the routes that change how the portal behaves."""
    routes = _routes("control")

    @routes.get("/limits", summary="Giới hạn · limits and switches")
    async def limits() -> Limits:
        """Give the limits and switches in force."""
        return portal.limits

    @routes.put("/limits", summary="Đổi giới hạn · change limits and switches")
    async def put_limits(change: Annotated[dict[str, Any], Depends(_object)]) -> Limits:
        """Change those that are named; the change outlives a restart."""
        await portal.set_limits(_validated(Limits, portal.limits.model_dump() | change))
        return portal.limits

    @routes.get("/faults", summary="Lỗi mô phỏng · fault rules in force")
    async def faults() -> Response:
        """Give seed and rules, how often each matched and fired, the presets and the repertoire."""
        return _json(_faults(portal))

    @routes.put("/faults", summary="Đặt lỗi · set fault rules")
    async def put_faults(change: Annotated[dict[str, Any], Depends(_object)]) -> Response:
        """Replace all rules by `{"seed", "rules"}` or `{"preset": "default-mix"}`; counts begin anew."""
        plan = {name: value for name, value in change.items() if name not in _DESCRIPTIVE}
        portal.faults.set(_validated(FaultPlan, plan))
        return _json(_faults(portal))

    @routes.post("/reset", summary="Xoá · reset")
    async def reset(part: Annotated[list[Part] | None, Query()] = None) -> dict[str, list[Part]]:
        """Forget everything, or the named parts: data, faults, limits, sessions."""
        parts = list(Part) if part is None else part
        for name in parts:
            await _reset(portal, name)
        return {"reset": parts}

    return routes


async def _reset(portal: Portal, part: Part) -> None:
    match part:
        case Part.DATA:
            await portal.store.clear()
            portal.desk.clear()
        case Part.FAULTS:
            portal.faults.set(FaultPlan())
        case Part.LIMITS:
            await portal.set_limits(None)
        case Part.SESSIONS:
            portal.sessions.clear()
            portal.rates.clear()
        case _:
            assert_never(part)


def _faults(portal: Portal) -> dict[str, Any]:
    return described(portal.faults, now=portal.monotonic()) | {
        "presets": {
            name: [rule.model_dump(mode="json", exclude_defaults=True) for rule in rules] for name, rules in PRESETS.items()
        },
        "repertoire": [
            {
                "fault": fault.value,
                "vi": kind.vietnamese,
                "en": kind.english,
                "services": sorted(kind.services) if kind.services is not None else None,
                "variants": kind.variants,
                "seconds": kind.seconds,
                "may_store": kind.applied,
            }
            for fault, kind in KINDS.items()
        ],
    }


def page_routes() -> APIRouter:
    """Make the page at `/`, which fetches all it shows from `/_portal`."""
    routes = APIRouter(include_in_schema=False)
    page = (files("services.mock_portal.inspection") / "page.html").read_text(encoding="utf-8")
    known = {"statuses": STATUSES, "services": [service.value for service in Service]}
    page = page.replace("/*KNOWN*/null", orjson.dumps(known).decode())

    @routes.get("/")
    async def show() -> HTMLResponse:
        return HTMLResponse(page, headers={"Content-Security-Policy": _PAGE_POLICY})

    @routes.get("/healthz")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    return routes
