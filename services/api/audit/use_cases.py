"""What is done when an audit is asked for, or an alarm acknowledged."""

from typing import Any

from services.api.audit.schemas import AuditIn
from services.api.http.access.keyring import Caller
from services.api.http.context import Context
from services.api.jobs.use_cases import queue_job
from shared.access.store.visibility import Access
from shared.audit.store import alarms
from shared.audit.store.alarms import Alarm
from shared.database.clock import database_now
from shared.database.engine import driver_session
from shared.jobs.store.queue import Job, JobKind
from shared.vocabulary.errors import InvalidInput, NotFound
from shared.vocabulary.periods import read_period


async def queue_audit(context: Context, caller: Caller, asked: AuditIn) -> Job:
    """Queue an audit; raises as `_parameters` does."""
    return await queue_job(context, caller, JobKind.AUDIT, await _parameters(context, caller, asked))


async def _parameters(context: Context, caller: Caller, asked: AuditIn) -> dict[str, Any]:
    """What the worker is told.

    Raises:
        InvalidInput: a period that is none, an agency that is none, a seed for what is no sample, a part of the whole.
    """
    if asked.whole and any(part is not None for part in (asked.period, asked.from_, asked.to, asked.agency)):
        raise InvalidInput.of("/whole", "ambiguous", "give whole, or a period or an agency, not both")
    parameters: dict[str, Any] = {"whole": True} if asked.whole else {}
    if asked.period is not None or asked.from_ is not None or asked.to is not None:
        period = read_period(asked.period, asked.from_, asked.to)
        parameters |= {"whole": True, "from": period.from_on.isoformat(), "to": period.to_on.isoformat()}
    access = Access.of(await context.catalogues.of(caller.tenant), None, context.catalogues.today())
    agency = access.scope(asked.agency)
    within = None if agency is None else access.codes_within(agency)
    if within is not None:
        parameters["agencies"] = sorted(within)
    elif agency is not None:
        parameters["whole"] = True
    if asked.seed is not None:
        if parameters:
            raise InvalidInput.of("/seed", "sample_only", "only for a sample: without whole, period and agency")
        parameters["seed"] = asked.seed
    return parameters


async def acknowledge(context: Context, caller: Caller, alarm_id: str, note: str) -> Alarm:
    """Keep who has looked into an alarm, and what it was.

    Raises:
        NotFound: there is no such alarm.
    """
    async with driver_session(context.engine) as connection:
        now = await database_now(connection)
        await alarms.acknowledge(connection, caller.tenant, alarm_id, key_id=caller.key_id, note=note, now=now)
        found = await alarms.alarm(connection, caller.tenant, alarm_id)
    if found is None:
        raise NotFound
    return found
