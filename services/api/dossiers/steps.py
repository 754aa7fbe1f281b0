"""The internal steps of one dossier, folded from the log when asked, as the dossier is."""

from collections.abc import Sequence

import orjson

from services.api.http.context import Context
from shared.access.store.visibility import Access
from shared.calendar.rules.working_time import OFFICE_HOURS, WorkingTime
from shared.counting.rules.contributions import Resolution, contributions, covers
from shared.database.engine import DriverConnection
from shared.dossiers.rules.dossier import Dossier
from shared.events.rules.registers import STEP
from shared.events.rules.voids import void_problems
from shared.events.store import record_events
from shared.projection.rules.records import fold_record
from shared.projection.rules.register_projections import PROJECTIONS
from shared.projection.store import cursor as projections
from shared.projection.store.records import row_of
from shared.registers.step.slip import Slip, Surroundings, slip_of
from shared.vocabulary.events import RecordEvent
from shared.vocabulary.local_time import local_date
from shared.vocabulary.voids import absent_void_targets


async def events_of(connection: DriverConnection, access: Access, dossier: Dossier) -> list[RecordEvent]:
    """What was told of the steps of a dossier."""
    told = await record_events.histories(connection, access.tenant, STEP.name, [dossier.code])
    return told.get(dossier.code, [])


async def read_slip(
    context: Context, connection: DriverConnection, access: Access, dossier: Dossier, events: Sequence[RecordEvent]
) -> Slip:
    """The control slip of a dossier that the caller sees."""
    tenant = access.tenant
    elsewhere = await projections.present(connection, tenant, absent_void_targets(events))
    record = fold_record(PROJECTIONS[STEP.name], dossier.code, events)
    facts = orjson.loads(row_of(dossier.code, 0, record).facts)  # as JSON, as stored ones are
    almanac, _ = await context.almanacs.of(connection, tenant)
    process = None
    if almanac.limits is not None and dossier.procedure_code is not None and dossier.received_at is not None:
        process = almanac.limits.process(dossier.procedure_code, local_date(dossier.received_at))
    counted = contributions(dossier)
    around = Surroundings(
        office=almanac.working_time(dossier.agency_code or ""),
        process=process,
        working_day=WorkingTime(almanac.calendar(None), OFFICE_HOURS).day_after,
        at=context.catalogues.now(),
        is_late=counted is not None and (counted.resolution is Resolution.LATE or covers(counted.overdue, access.today)),
    )
    problems = [problem.value for problem in void_problems(events, elsewhere)]
    return slip_of(facts, [*record.anomalies, *problems], dossier, around)
