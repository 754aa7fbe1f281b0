"""What a caller may see."""

from services.api.http.access.keyring import Caller
from services.api.http.context import Context
from shared.access.store.visibility import Access
from shared.catalogue.store.catalogues import seen_count
from shared.database.engine import driver_session


async def access_of(context: Context, caller: Caller) -> Access:
    """What the caller may see, now."""
    catalogue = await context.catalogues.of(caller.tenant)
    return Access.of(catalogue, caller.agency, context.catalogues.today())


async def list_access_of(context: Context, caller: Caller, *, is_limited: bool) -> Access:
    """The same for a list, as of this moment.

    A list that is narrowed by agencies names their codes, and a pair of two is news when its first dossier is counted.
    """
    if is_limited or caller.agency is not None:
        known = await context.catalogues.of(caller.tenant)
        async with driver_session(context.engine) as connection:
            seen = await seen_count(connection, caller.tenant)
        if seen != len(known.seen):
            await context.catalogues.renewed(caller.tenant)
    return await access_of(context, caller)
