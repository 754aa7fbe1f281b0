"""The composition of the mock portal as an ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, Response
from fastapi_offline import FastAPIOffline

from services.mock_portal.inspection.admin import control_routes, inspection_routes, page_routes
from services.mock_portal.portal import Portal
from services.mock_portal.protocol.mapi import mapi_routes
from services.serving.methods import HeadMiddleware, allowed_methods

_DESCRIPTION = """
A mock portal: the dossier-sync protocol of the National Public Service Portal (Cổng Dịch vụ công quốc gia), as far
as public client code shows it, with choices of our own where it does not. It is not the real portal.
""".strip()


def create_app(portal: Portal) -> FastAPI:
    """Make the application of one portal; its lifespan opens and closes it."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await portal.open()
        try:
            yield
        finally:
            await portal.close()

    app: FastAPI = FastAPIOffline(
        title="Cổng thực hành · mock portal",
        version="1",
        description=_DESCRIPTION,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.include_router(mapi_routes(portal))
    app.include_router(inspection_routes(portal))
    app.include_router(control_routes(portal))
    app.include_router(page_routes())
    app.add_middleware(HeadMiddleware)

    @app.exception_handler(405)
    async def name_methods(request: Request, error: HTTPException) -> Response:
        return JSONResponse({"detail": error.detail}, 405, {"allow": allowed_methods(request)})

    return app
