"""One agency or procedure of the catalogue, by its code."""

from services.api.catalogue.schemas import AgencyDetail, AgencyItem, ProcedureItem
from services.api.http.access.keyring import Caller
from services.api.http.context import Context
from shared.vocabulary.errors import NotFound


async def find_agency(context: Context, caller: Caller, code: str) -> AgencyDetail:
    """An agency by its code or an alias, with its place in today's tree.

    Raises:
        NotFound: no version of the catalogue knows it.
    """
    catalogue = await context.catalogues.of(caller.tenant)
    tree = catalogue.tree_on(context.catalogues.today())
    resolved = catalogue.agencies.resolve(code)
    version = catalogue.agencies.version_on(resolved, tree.on) or catalogue.agencies.latest(resolved)
    if version is None:
        raise NotFound
    versions = [AgencyItem.of(one) for one in catalogue.agencies.versions if one.code == resolved]
    return AgencyDetail(
        **AgencyItem.of(version).model_dump(),
        path=list(tree.ancestors(resolved)),
        children=list(tree.children(resolved)),
        versions=versions,
    )


async def find_procedure(context: Context, caller: Caller, code: str) -> ProcedureItem:
    """A procedure by its code.

    Raises:
        NotFound: there is none.
    """
    catalogue = await context.catalogues.of(caller.tenant)
    procedure = next((known for key, known in catalogue.procedures.items() if key == code), None)
    if procedure is None:
        raise NotFound
    return ProcedureItem.of(procedure)
