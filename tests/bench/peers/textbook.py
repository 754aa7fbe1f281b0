"""A peer: the service as textbooks write it. FastAPI, a pydantic model, one SQLAlchemy session and commit per request."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel
from sqlalchemy import BigInteger, DateTime, Identity, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Recorded(Base):
    """The same columns and uniqueness as our log."""

    __tablename__ = "textbook_event"
    __table_args__ = (UniqueConstraint("tenant", "source", "event_id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    tenant: Mapped[str]
    source: Mapped[str]
    event_id: Mapped[str]
    type: Mapped[str]
    subject: Mapped[str] = mapped_column(index=True)
    time: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)


class Event(BaseModel):
    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: datetime
    data: dict[str, Any]


engine = create_async_engine(
    os.environ["MOTCUA_DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://"), pool_size=20, max_overflow=0
)
session_of = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()


async def session() -> AsyncIterator[AsyncSession]:
    async with session_of() as made:
        yield made


async def caller(authorization: Annotated[str, Header()]) -> str:
    if authorization != f"Bearer {os.environ['BENCH_KEY']}":
        raise HTTPException(401)
    return "H51"


@app.get("/healthz")
async def healthz() -> dict[str, bool]:
    return {"ok": True}


@app.post("/v1/events", status_code=202)
async def tell(
    event: Event, tenant: Annotated[str, Depends(caller)], db: Annotated[AsyncSession, Depends(session)]
) -> dict[str, Any]:
    row = Recorded(
        tenant=tenant,
        source=event.source,
        event_id=event.id,
        type=event.type,
        subject=event.subject,
        time=event.time,
        data=event.data,
    )
    db.add(row)
    try:
        await db.commit()
    except IntegrityError:
        raise HTTPException(409) from None
    return {"id": event.id, "source": event.source, "status": "accepted", "position": row.id}


def main() -> None:
    config = uvicorn.Config(app, loop="uvloop", http="httptools", access_log=False, log_level="warning")
    uvicorn.Server(config).run([socket.socket(fileno=int(os.environ["MOTCUA_API_FD"]))])


if __name__ == "__main__":
    main()
