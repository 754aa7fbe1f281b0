"""What a caller may see."""

from services.api.http.access.keyring import Caller
from services.api.http.context import Context
from shared.access.store.visibility import Access


async def access_of(context: Context, caller: Caller) -> Access:
    """What the caller may see, now."""
    catalogue = await context.catalogues.of(caller.tenant)
    return Access.of(catalogue, caller.agency, context.catalogues.today())
