"""Codes that a question is narrowed by and that neither catalogue nor log knows: its answer says so, or "nothing" misleads.

Every operation with a parameter of one of these names has it, by its caller's dependency. The answer in JSON gains
``unknown_code``, and whatever its format a header names the parameters (`services.api.http.answers`). An agency that nobody
knows is refused (`shared.access.store.visibility.Access.scope`); here is only seen to it that one new to this process is
known in time.
"""

from collections.abc import Mapping

from fastapi import Request

from services.api.http.access.keyring import Caller
from services.api.http.access.visibility import access_of
from services.api.http.answers import CODE_PARAMETERS, ROW, unknown_codes
from services.api.http.context import Context, context_of
from shared.access.store.visibility import Access
from shared.database.engine import driver_session
from shared.events.store import lookups
from shared.figures.store.known_codes import NO_FIELD, is_field_told, is_procedure_told
from shared.figures.store.tables import UNKNOWN
from shared.vocabulary.codes import is_agency_code, is_old_agency_code
from shared.vocabulary.events import Tenant
from shared.vocabulary.spelling import one_spelling


async def note_unknown(request: Request, caller: Caller) -> None:
    """See which codes of the query are unknown to what this caller may see."""
    query = request.query_params
    agencies = [query[name] for name in ("agency", "receiving_agency") if name in query]
    codes = {name: query[name] for name in CODE_PARAMETERS if name in query}
    cut_by = request.path_params.get("by") or query.get("by")
    row = query.get("row") if cut_by in CODE_PARAMETERS else None
    if not agencies and not codes and row is None:
        return
    context = context_of(request)
    access = await access_of(context, caller)
    for agency in agencies:
        if not access.catalogue.knows(agency):
            await _look_for(context, caller.tenant, agency)
    await note_unknown_codes(context, access, codes)
    if row is not None and row != UNKNOWN and not await _is_known(context, access, str(cut_by), row):
        unknown_codes.set({**unknown_codes.get({}), ROW: row})


async def _look_for(context: Context, tenant: Tenant, agency: str) -> None:
    """See to it that an agency which the catalogue or an event names is known to this process."""
    catalogue = await context.catalogues.renewed(tenant)
    if not catalogue.knows(agency) and (is_agency_code(agency) or is_old_agency_code(agency)):
        async with driver_session(context.engine) as connection:
            if await lookups.is_agency_told(connection, tenant, agency):
                catalogue.told.add(agency)


async def note_unknown_codes(context: Context, access: Access, codes: Mapping[str, str | None]) -> None:
    """The same of codes that stand elsewhere than in the query, by the names of its parameters."""
    unknown = {
        name: code for name, code in codes.items() if code is not None and not await _is_known(context, access, name, code)
    }
    if unknown:
        unknown_codes.set(unknown)


async def _is_known(context: Context, access: Access, name: str, code: str) -> bool:
    if not code.isprintable():  # refused as a parameter
        return True
    code = one_spelling(code)
    known = access.catalogue.procedures
    if code in known if name == "procedure" else code == NO_FIELD or any(one.field == code for one in known.values()):
        return True
    async with driver_session(context.engine) as connection:
        return await (is_procedure_told if name == "procedure" else is_field_told)(connection, access, code)
