"""What is done when records are asked for that need no more than their facts: pages, and one with its history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from services.api.http import cursors
from services.api.http.access.keyring import Caller
from services.api.http.access.visibility import access_of, list_access_of
from services.api.http.context import Context
from shared.access.store.visibility import Access
from shared.database.engine import driver_session
from shared.events.rules.registers import Register
from shared.events.rules.voids import void_problems
from shared.events.store import record_events
from shared.projection.rules.records import fold_record
from shared.projection.rules.register_projections import PROJECTIONS
from shared.projection.store import cursor, records
from shared.registers.measures import Known
from shared.vocabulary.errors import NotFound
from shared.vocabulary.events import RecordEvent
from shared.vocabulary.voids import absent_void_targets


@dataclass(frozen=True, slots=True)
class ReadRecord:
    """A record as its events tell it now."""

    known: Known
    events: Sequence[RecordEvent]
    access: Access


async def read_record(context: Context, caller: Caller, register: Register, code: str) -> ReadRecord:
    """One record, folded now.

    Raises:
        NotFound: there is none of this code that the caller may see.
    """
    access = await access_of(context, caller)
    async with driver_session(context.engine) as connection:
        events = (await record_events.histories(connection, caller.tenant, register.name, [code])).get(code, [])
        record = fold_record(PROJECTIONS[register.name], code, events)
        if not events or not access.sees(record.agency):
            raise NotFound
        elsewhere = await cursor.present(connection, caller.tenant, absent_void_targets(events))
    facts = orjson.loads(records.row_of(code, events[-1].position, record).facts)
    problems = (problem.value for problem in void_problems(events, elsewhere))
    return ReadRecord(Known(code, record.agency, facts, [*record.anomalies, *problems]), events, access)


async def read_page(
    context: Context,
    caller: Caller,
    register: Register,
    told: Mapping[str, Any],
    *,
    agency: str | None = None,
    after: str | None,
    limit: int,
) -> tuple[list[Known], str | None]:
    """Records by code whose facts are as ``told``, as old as the projection; and the cursor of the next page."""
    access = await list_access_of(context, caller, is_limited=agency is not None)
    agencies = access.codes_within(access.scope(agency))
    question = {"register": register.name, "told": told, "agency": agency, "tenant": caller.tenant, "root": caller.agency}
    digest = cursors.digest_of(question)
    mark = cursors.read(after, digest, any_code=True)
    async with driver_session(context.engine) as connection:
        rows = await records.page(
            connection,
            caller.tenant,
            register.name,
            {name: value for name, value in told.items() if value is not None},
            agencies=agencies,
            after="" if mark is None else mark.code,
            limit=limit + 1,
        )
    page, following = cursors.cut(rows, limit, digest, lambda row: row.code)
    known = [
        Known(row.code, row.agency, orjson.loads(row.facts), row.anomalies.split(",") if row.anomalies else [])
        for row in page
    ]
    return known, following
