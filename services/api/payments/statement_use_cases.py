"""What is done when a gateway's statement is loaded or read, or a difference closed."""

import asyncio
import zlib
from collections.abc import Sequence
from datetime import date
from typing import Any, Final, NamedTuple

import msgspec
import orjson

from services.api.http import cursors
from services.api.http.access.keyring import Caller
from services.api.http.answers import as_json
from services.api.http.context import Context
from services.api.payments.statement_bodies import MissingLine, StatementLine, outside
from services.api.payments.statement_schemas import (
    CloseIn,
    ClosingOut,
    StatementList,
    StatementQuestion,
    StatementStatusOut,
)
from services.api.projection.use_cases import WAIT_SECONDS
from shared.database.clock import database_now
from shared.database.engine import DriverConnection, driver_session
from shared.events.rules.registers import PAYMENT
from shared.observability import get_logger
from shared.payments.rules.classification import SUCCEEDED, Classified, Difference, LineClass, classify
from shared.payments.store import statements
from shared.payments.store.statements import Closing, Statement
from shared.projection.store.progress import progress
from shared.search.store.pages import PageKey
from shared.vocabulary.errors import InvalidInput, NotFound, NotYet
from shared.vocabulary.local_time import local_date, start_of_day

_LOOK_SECONDS: Final = 0.05
_LEVEL: Final = 1
"""Of compression: ten times smaller, in less time than writing the rest would take."""


class Loaded(NamedTuple):
    """What was made of a statement's lines."""

    classified: Classified
    classes: bytes
    totals: bytes


async def load(context: Context, caller: Caller, gateway: str, day: date, lines: Sequence[StatementLine]) -> bytes:
    """Class a statement against our payments as they are now, and keep it in the place of the one before.

    Raises:
        InvalidInput: the day is not over yet, nor today.
        NotYet: events that were recorded before are not counted yet.
    """
    async with driver_session(context.engine) as connection:
        now = await database_now(connection)
        if day > local_date(now):
            raise InvalidInput.of("/date", "in_future", f"a day until today, {local_date(now)}")
        position = await _when_counted(connection, caller)
        paid = await statements.paid_on(connection, caller.tenant, gateway, day)
        # nearly all lines name payments of the day, which are known already
        rest = {line.reference for line in lines} - paid.keys()
        others: dict[str, bool] = {}
        for reference, (on, amount_vnd) in (await statements.attempts(connection, caller.tenant, gateway, rest)).items():
            if on == day:  # paid between the two looks
                paid[reference] = amount_vnd
            else:
                others[reference] = on is not None
    # tens of thousands of lines take longer than whoever shares the event loop can wait
    found = await asyncio.to_thread(_classed, lines, paid, others, day)
    statement = Statement(
        gateway=gateway,
        day=day,
        loaded_at=now,
        loaded_by=caller.key_id,
        position=position,
        lines=len(lines),
        classes=found.classes,
        totals=found.totals,
        differences=found.classified.for_a_person,
        asked=found.classified.not_succeeded_here,
    )
    async with driver_session(context.engine) as connection, connection.transaction():
        await statements.replace(connection, caller.tenant, statement)
        closed = await statements.closings(connection, caller.tenant, gateway, day)
        present = {*found.classified.differences({one.difference.reference for one in closed})}
        gone = [one.difference for one in closed if one.difference not in present]
        await statements.reopen(connection, caller.tenant, gateway, day, gone)
        answer = await _answer(connection, caller, statement)
    get_logger().info(
        "payment_statement_loaded", tenant=caller.tenant, gateway=gateway, date=day.isoformat(), lines=len(lines)
    )
    return answer


async def _when_counted(connection: DriverConnection, caller: Caller) -> int:
    """The position of the payments' projection once it has what was recorded before now."""
    head = (await progress(connection, caller.tenant, PAYMENT.projection)).head
    deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
    while (counted := (await progress(connection, caller.tenant, PAYMENT.projection)).counted) < head:
        if asyncio.get_running_loop().time() > deadline:
            raise NotYet(f"position {head} is not counted yet; counted up to {counted}")
        await asyncio.sleep(_LOOK_SECONDS)
    return counted


def _classed(lines: Sequence[StatementLine], paid: dict[str, int], others: dict[str, bool], day: date) -> Loaded:
    found = classify(lines, paid, others)
    parts = (b'"%b":%b' % (kind.value.encode(), _of_class(found, kind)) for kind in LineClass)
    statement_vnd, ours_vnd = found.statement_vnd, found.ours_vnd
    totals = {
        "outside_day": outside(lines, day),
        "totals": {"statement_vnd": statement_vnd, "ours_vnd": ours_vnd, "difference_vnd": statement_vnd - ours_vnd},
        "checks": [{"identity": identity, "holds": holds} for identity, holds in found.identities().items()],
    }
    # sums of many amounts may have more than 64 bits
    return Loaded(found, zlib.compress(b"{%b}" % b",".join(parts), _LEVEL), msgspec.json.encode(totals))


def _of_class(found: Classified, kind: LineClass) -> bytes:
    of_class = found.classes[kind]
    lines: list[StatementLine | MissingLine] = of_class.lines
    if kind is LineClass.MISSING_THERE:
        lines = [MissingLine(reference, found.paid[reference]) for reference in found.missing]
    elif found.has_ours(kind):
        for line in lines:
            line.ours_vnd = found.paid[line.reference]
    head = {"count": found.count(kind), "statement_vnd": of_class.statement_vnd, "ours_vnd": of_class.ours_vnd}
    return msgspec.json.encode({**head, "lines": lines})


async def _answer(connection: DriverConnection, caller: Caller, statement: Statement) -> bytes:
    status = await statements.status(connection, caller.tenant, statement.gateway, statement.day)
    assert status is not None
    closed = await statements.closings(connection, caller.tenant, statement.gateway, statement.day)
    head = StatementStatusOut.of(status).model_dump() | {
        "position": statement.position,
        "closings": [ClosingOut.of(one).model_dump(by_alias=True) for one in closed],
    }
    classes = await asyncio.to_thread(zlib.decompress, statement.classes)
    return b'%b,"classes":%b,%b' % (as_json(head)[:-1], classes, statement.totals[1:])


async def _loaded(connection: DriverConnection, caller: Caller, gateway: str, day: date) -> Statement:
    statement = await statements.read(connection, caller.tenant, gateway, day)
    if statement is None:
        raise NotFound
    return statement


def _classes(deflated: bytes) -> Any:
    return orjson.loads(zlib.decompress(deflated))


async def read(context: Context, caller: Caller, gateway: str, day: date) -> bytes:
    """A statement as it was classed when it was loaded, with what was closed since.

    Raises:
        NotFound: none was loaded.
    """
    async with driver_session(context.engine) as connection:
        statement = await _loaded(connection, caller, gateway, day)
        return await _answer(connection, caller, statement)


async def read_sheet(context: Context, caller: Caller, gateway: str, day: date) -> list[dict[str, Any]]:
    """The lines of a statement with their class, and ours that it lacks; repeated lines stand behind those they repeat.

    Raises:
        NotFound: none was loaded.
    """
    async with driver_session(context.engine) as connection:
        statement = await _loaded(connection, caller, gateway, day)
    classes = await asyncio.to_thread(_classes, statement.classes)
    kinds = sorted(LineClass, key=lambda kind: kind is LineClass.DUPLICATE_LINE)
    return [line | {"class": kind.value} for kind in kinds for line in classes[kind.value]["lines"]]


async def close(context: Context, caller: Caller, gateway: str, day: date, told: CloseIn) -> Closing:
    """Keep who has looked into a difference, when, and what it was; the first closing stays.

    Raises:
        NotFound: no statement was loaded.
        InvalidInput: the statement has no such difference.
    """
    async with driver_session(context.engine) as connection:
        statement = await _loaded(connection, caller, gateway, day)
        difference = await asyncio.to_thread(_difference, statement.classes, told.class_, told.reference)
        closing = Closing(difference, await database_now(connection), caller.key_id, told.note)
        kept = await statements.close(connection, caller.tenant, gateway, day, closing)
    get_logger().info("payment_difference_closed", tenant=caller.tenant, gateway=gateway, date=day.isoformat())
    return kept


def _difference(classes: bytes, kind: LineClass, reference: str) -> Difference:
    lines = [line for line in _classes(classes)[kind.value]["lines"] if line["reference"] == reference]
    if kind.is_agreement or not lines:
        raise InvalidInput.of(
            "/reference", "no_difference", "a reference that the statement has in this class of differences"
        )
    statement_vnd = sum(line["amount_vnd"] for line in lines if line["state"] == SUCCEEDED)
    return Difference(kind, reference, statement_vnd, sum(line["ours_vnd"] or 0 for line in lines))


async def read_page(context: Context, caller: Caller, asked: StatementQuestion) -> StatementList:
    """How far statements are, the newest day first."""
    kept = asked.model_dump(exclude={"cursor", "limit"})
    digest = cursors.digest_of({**kept, "path": "/v1/payments/statements", "tenant": caller.tenant})
    mark = cursors.read(asked.cursor, digest, any_code=True)
    before = None if mark is None or mark.value is None else (local_date(mark.value), mark.code)
    async with driver_session(context.engine) as connection:
        found = await statements.statuses(
            connection, caller.tenant, gateway=asked.gateway, is_open=asked.open, before=before, limit=asked.limit + 1
        )
    page = found[: asked.limit]
    last = PageKey(start_of_day(page[-1].day), page[-1].gateway) if len(found) > asked.limit else None
    return StatementList(items=[StatementStatusOut.of(one) for one in page], next_cursor=cursors.written(last, digest))
