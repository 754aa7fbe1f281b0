"""What is done when dossiers are asked for."""

from typing import NamedTuple

from services.api.dossiers.answers import applicant, detail
from services.api.dossiers.records import read_records
from services.api.dossiers.schemas import ApplicantOut, DossierDetail, SyncOut
from services.api.dossiers.step_schemas import SlipOut, StepsOut
from services.api.dossiers.steps import events_of, read_slip
from services.api.http.access.keyring import Caller
from services.api.http.access.visibility import access_of
from services.api.http.context import Context
from shared.access.store.visibility import Access
from shared.database.engine import DriverConnection, driver_session
from shared.deadlines.rules.due_dates import may_ask, uncomputed
from shared.dossiers.rules.anomalies import Anomaly
from shared.dossiers.rules.dossier import Dossier, fold
from shared.dossiers.rules.voids import void_problems
from shared.dossiers.store import applicant_access
from shared.dossiers.store.applicant_access import Reading
from shared.events.store import event_log
from shared.projection.store import cursor as projections
from shared.search.store import pages
from shared.search.store.filters import Selection
from shared.search.store.pages import ListedDossier, PageKey, Sort
from shared.sync.store.visibility import read_sync
from shared.vocabulary.codes import is_dossier_code
from shared.vocabulary.errors import NotFound
from shared.vocabulary.events import DossierCode, Event
from shared.vocabulary.voids import absent_void_targets


class DossierPage(NamedTuple):
    """Some dossiers of a list, what the next page begins after (None: there is none), and how many there are if counted."""

    dossiers: list[ListedDossier]
    mark: PageKey | None
    total: int | None


async def read_page(
    context: Context, caller: Caller, selection: Selection, *, order: Sort, after: PageKey | None, limit: int, count: bool
) -> DossierPage:
    """A page of a selection of dossiers; to ``count`` them all is a heavy read."""
    async with driver_session(context.engine) as connection:
        found, mark = await pages.page(connection, selection, order, after, limit)
    total = None
    if count:
        async with context.heavy.session(caller) as connection:
            total = await pages.count(connection, selection)
    return DossierPage(found, mark, total)


async def visible(connection: DriverConnection, access: Access, code: str) -> tuple[Dossier, list[Event]]:
    """The dossier and its events.

    Raises:
        NotFound: there is none of this code that the caller may see.
    """
    if not is_dossier_code(code):
        raise NotFound
    dossier_code = DossierCode(code)
    events = (await event_log.of_dossiers(connection, access.tenant, [dossier_code])).get(dossier_code, [])
    dossier = fold(dossier_code, events)
    if not events or not access.sees(dossier.agencies):
        raise NotFound
    return dossier, events


async def read_dossier(context: Context, caller: Caller, code: str) -> DossierDetail:
    """One dossier with everything that its events tell, folded now; raises as `visible` does."""
    access = await access_of(context, caller)
    async with driver_session(context.engine) as connection:
        dossier, events = await visible(connection, access, code)
        absent = absent_void_targets(events)
        problems: tuple[Anomaly, ...] = ()
        if absent or any(event.name == "voided" for event in events):
            elsewhere = await projections.present(connection, caller.tenant, absent)
            problems = void_problems(events, elsewhere)
        data = await applicant_access.masked(connection, caller.tenant, dossier.applicant_event)
        sync = await read_sync(connection, caller.tenant, dossier.code)
        records, told = await read_records(connection, access, dossier)
        owed = None
        if may_ask(events):
            almanac, _ = await context.almanacs.of(connection, caller.tenant)
            owed = uncomputed(dossier.code, events, almanac)
        slip = await read_slip(context, connection, access, dossier, told) if told else None
    known_there = None if sync is None else SyncOut.model_validate(sync)
    found = detail(
        dossier,
        events,
        problems,
        access,
        applicant_data=data,
        owed=owed,
        sync=known_there,
        records=records,
    )
    found.steps = None if slip is None else StepsOut.of(slip)
    return found


async def read_control_slip(context: Context, caller: Caller, code: str) -> SlipOut:
    """The control slip of one dossier, without a row where nobody has told a step; raises as `visible` does."""
    access = await access_of(context, caller)
    async with driver_session(context.engine) as connection:
        dossier, _ = await visible(connection, access, code)
        slip = await read_slip(context, connection, access, dossier, await events_of(connection, access, dossier))
    return SlipOut.of(slip, dossier, access.catalogue, access.today)


async def read_applicant(context: Context, caller: Caller, code: str, purpose: str, request_id: str) -> ApplicantOut:
    """The applicant's personal data, the reading recorded; raises as `visible` does."""
    access = await access_of(context, caller)
    async with driver_session(context.engine) as connection:
        dossier, _ = await visible(connection, access, code)
        reading = Reading(dossier_code=dossier.code, reader=caller.key_id, purpose=purpose, request_id=request_id)
        data = await applicant_access.read(connection, caller.tenant, reading, dossier.applicant_event)
    return applicant(dossier, data)
