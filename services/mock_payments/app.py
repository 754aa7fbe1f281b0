"""The mock payment platform as an ASGI application: its one door, and what people and tests ask it about itself."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

import orjson
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request
from fastapi.responses import Response
from fastapi_offline import FastAPIOffline
from pydantic import BaseModel, ConfigDict

from services.mock_payments.faults import KINDS, Fault, FaultEngine, FaultPlan
from services.mock_payments.messages import (
    INVALID,
    SIGNED,
    WRONG_SIGNATURE,
    answer,
    is_genuine,
    pretty,
    refusal,
)
from services.mock_payments.results import AlreadyPaidError, Results
from services.mock_payments.settings import Partner, Settings
from services.mock_payments.store import Store, now_us

LARGEST_BODY: Final = 64 * 2**10
_STATES: Final = {1: "succeeded", 3: "pending", 4: "failed"}
_DESCRIPTION: Final = (
    "A mock of the national payment platform (nền tảng thanh toán), as two independent clients show it, with choices of our"
    " own where they do not. It is not the real one."
)


class Payment(BaseModel):
    """What the citizen does at the bank."""

    model_config = ConfigDict(extra="forbid")

    outcome: Literal["succeeded", "failed"] = "succeeded"
    bank: str = "VCB"


class Platform:
    """Holds what the routes share."""

    def __init__(self, settings: Settings) -> None:
        self.partners: dict[str, Partner] = settings.partners()
        self.store = Store(settings.database)
        self.faults = FaultEngine()
        self.results = Results(self.store, self.partners, self.faults, settings.result_url)

    async def serve(self, request: Request) -> Response:
        """Answer one message."""
        raw = await _body(request)
        try:
            message = orjson.loads(raw)
        except orjson.JSONDecodeError:
            message = None
        if not isinstance(message, dict) or message.get("LoaiBanTin") not in {"INIT", "QUERY", "GET_BILL"}:
            return _json(refusal(INVALID, "LoaiBanTin: INIT, QUERY hoặc GET_BILL"))
        kind, reference = message["LoaiBanTin"], str(message.get("MaThamChieu", ""))[:200]
        met = self.faults.meet(reference, of_payment=False)
        partner = self.partners.get(str(message.get("MaDoiTac", "")))

        def work(connection: sqlite3.Connection) -> dict[str, str] | bytes:
            if Fault.ADAPTER_ERROR in met or Fault.GARBLED in met:
                told: dict[str, str] | bytes = b""
            elif partner is None or not is_genuine(SIGNED[kind], message, partner.secret):
                told = refusal(WRONG_SIGNATURE, "Sai chữ ký")
            else:
                told = answer(connection, message, partner, str(request.base_url).rstrip("/"))
            connection.execute(
                "INSERT INTO calls (received_us, message, reference, error, faults) VALUES (?, ?, ?, ?, ?)",
                (now_us(), kind, reference, "" if isinstance(told, bytes) else told["MaLoi"], ",".join(met)),
            )
            return told

        told = await self.store.run(work)
        if Fault.ADAPTER_ERROR in met:
            return Response("<html>502 Bad Gateway</html>", 502, media_type="text/html")
        if Fault.GARBLED in met:
            return Response("<html></html>", media_type="text/html")
        if isinstance(told, bytes):
            return Response(told, media_type="application/pdf")
        return Response(pretty(told, wrapped=Fault.WRAPPED in met), media_type="application/json")


async def _body(request: Request) -> bytes:
    raw = bytearray()
    async for piece in request.stream():
        raw += piece
        if len(raw) > LARGEST_BODY:
            raise HTTPException(413, f"at most {LARGEST_BODY} bytes")
    return bytes(raw)


def _json(found: Any) -> Response:
    return Response(orjson.dumps(found), media_type="application/json")


def _same_origin(request: Request) -> None:
    """Refuse what another site's page sends: nobody's browser shall pay here."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise HTTPException(403, "cross-origin request refused")


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"state": _STATES[row["state"]], "amount": int(row["amount"])}


Limit = Annotated[int, Query(ge=1, le=1000)]


def _routes(tag: str) -> APIRouter:
    return APIRouter(prefix="/_payments", tags=[tag], dependencies=[Depends(_same_origin)])


def inspection_routes(platform: Platform) -> APIRouter:
    """Make the routes that show what the platform holds and was asked."""
    routes = _routes("inspection")
    rows = platform.store.rows

    @routes.get("/transactions", summary="Giao dịch · attempts")
    async def transactions(after: str = "", limit: Limit = 100) -> Response:
        """Give a page in the order of the references; `next` is the `after` of the next page, or null."""
        found = await rows("SELECT * FROM transactions WHERE reference > ? ORDER BY reference LIMIT ?", after, limit)
        following = found[-1]["reference"] if len(found) == limit else None
        return _json({"items": [_shown(row) for row in found], "next": following})

    @routes.get("/transactions/{reference}", summary="Một giao dịch · one attempt")
    async def transaction(reference: str) -> Response:
        """Give what is held of it, and what was told of it."""
        found = await rows("SELECT * FROM transactions WHERE reference = ?", reference)
        if not found:
            raise HTTPException(404, f"no transaction {reference}")
        told = await rows("SELECT * FROM results WHERE reference = ? AND body IS NOT NULL ORDER BY n", reference)
        return _json(_shown(found[0]) | {"results": told})

    @routes.get("/statements/{gateway}/{day}", summary="Đối soát · the statement of a day")
    async def statement(gateway: str, day: str) -> Response:
        """Give every attempt that ended on a local day (yyyy-mm-dd), as a statement."""
        names = [partner.name for partner in platform.partners.values() if partner.gateway == gateway]
        found = await rows("SELECT * FROM transactions WHERE ended LIKE ? ORDER BY reference", f"{day.replace('-', '')}%")
        return _json({"lines": [_line(row) for row in found if row["partner"] in names]})

    @routes.get("/calls", summary="Các lần gọi · calls received")
    async def calls(after: Annotated[int, Query(ge=0)] = 0, limit: Limit = 100) -> Response:
        """Give every call received, also those a fault ate."""
        return _json({"items": await rows("SELECT * FROM calls WHERE n > ? ORDER BY n LIMIT ?", after, limit)})

    return routes


def control_routes(platform: Platform) -> APIRouter:
    """Make the routes that pay, and that change how the platform behaves."""
    routes = _routes("control")

    @routes.post("/transactions/{reference}", summary="Nộp tiền · pay")
    async def pay(reference: str, payment: Payment) -> Response:
        """Do what the citizen does at the bank."""
        try:
            paid = await platform.results.pay(reference, succeeded=payment.outcome == "succeeded", bank=payment.bank)
        except AlreadyPaidError:
            raise HTTPException(409, f"{reference} has ended") from None
        except LookupError:
            raise HTTPException(404, f"no transaction {reference}") from None
        return _json(_shown(paid))

    @routes.get("/faults", summary="Lỗi mô phỏng · fault rules in force")
    async def faults() -> Response:
        """Give seed and rules, how often each matched and fired, and the repertoire."""
        return _json(_described(platform.faults))

    @routes.put("/faults", summary="Đặt lỗi · set fault rules")
    async def put_faults(plan: FaultPlan) -> Response:
        """Replace all rules; counts begin anew."""
        platform.faults.set(plan)
        return _json(_described(platform.faults))

    @routes.post("/reset", summary="Xoá · reset")
    async def reset() -> Response:
        """Forget everything."""
        platform.faults.set(FaultPlan())
        await platform.store.clear()
        return _json({})

    return routes


def _line(row: dict[str, Any]) -> dict[str, Any]:
    at = row["ended"]
    time = f"{at[:4]}-{at[4:6]}-{at[6:8]}T{at[8:10]}:{at[10:12]}:{at[12:]}+07:00"
    state, amount = _STATES[row["state"]], int(row["amount"])
    return {"reference": row["reference"], "gateway_txn": row["number"], "amount_vnd": amount, "state": state, "time": time}


def _described(engine: FaultEngine) -> dict[str, Any]:
    return engine.plan.model_dump(mode="json") | {
        "counts": engine.counts(),
        "repertoire": [{"fault": fault.value, **kind._asdict()} for fault, kind in KINDS.items()],
    }


def create_app(settings: Settings) -> FastAPI:
    """Make the application; its file is opened at once, its lifespan tells results."""
    platform = Platform(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        telling = asyncio.create_task(platform.results.tell())
        try:
            yield
        finally:
            telling.cancel()
            with suppress(asyncio.CancelledError):
                await telling
            await asyncio.to_thread(platform.store.close)

    app: FastAPI = FastAPIOffline(
        title="Nền tảng thanh toán thực hành · mock payment platform",
        version="1",
        description=_DESCRIPTION,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.include_router(inspection_routes(platform))
    app.include_router(control_routes(platform))

    @app.post("/api/payment", tags=["protocol"], summary="INIT, QUERY, GET_BILL")
    async def message(request: Request) -> Response:
        """Take a signed message (docs/payment_platform.md)."""
        return await platform.serve(request)

    @app.get("/healthz", include_in_schema=False)
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    return app
