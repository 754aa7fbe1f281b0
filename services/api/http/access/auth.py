"""Who may do what: bearer keys with scopes, declared on each operation as a dependency.

@router.get("/v1/dossiers")
async def list_dossiers(caller: Annotated[Caller, Depends(requires("dossiers:read"))]) -> …
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Request, Security
from fastapi.dependencies.models import Dependant
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param
from starlette.types import Scope as AsgiScope

from services.api.http.access.keyring import DEVELOPMENT_KEY_ID, Caller
from services.api.http.access.proxies import address_of, is_local
from services.api.http.context import Context, context_of
from services.api.http.errors.problems import TooManyWrongKeys, Unauthenticated
from services.api.http.query_names import refuse_unknown
from services.api.http.reads.handover import HandedOver, is_heavy
from services.api.http.unknown_codes import note_unknown
from shared.access.store.keys import Permission
from shared.observability import note
from shared.vocabulary.errors import FieldError, Forbidden

__all__ = ["Caller", "Permission", "any_caller", "refuse_replacing", "requires", "requires_whole_province"]

bearer = HTTPBearer(
    auto_error=False,
    scheme_name="key",
    bearerFormat="mc_<tenant>_<id>_<secret>",
    description="A key made by `motcua keys create`; on a local run also the development key, `dev-admin-key`.",
)

Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]


_BEARER: Final = b"Bearer "


@dataclass(frozen=True, slots=True)
class Demand:
    """What an operation asks of a key: scopes, and whether the key must be of the whole province."""

    scopes: frozenset[Permission] = frozenset()
    whole_province: bool = False

    def __or__(self, other: "Demand") -> "Demand":
        return Demand(self.scopes | other.scopes, self.whole_province or other.whole_province)

    def check(self, caller: Caller) -> None:
        """Refuse a caller who has not all of it.

        Raises:
            Forbidden: a scope is lacking, or the key has an agency subtree.
        """
        for scope in sorted(self.scopes):
            if not caller.may(scope):
                raise Forbidden(f"the key lacks the scope {scope.value}")
        if self.whole_province and not caller.has_whole_province:
            raise Forbidden("this concerns the whole province; the key has an agency subtree")


_asked: Final[dict[Callable[..., Any], Demand]] = {}
"""What the dependencies that `requires` made ask for."""


def demand_of(dependant: Dependant) -> Demand | None:
    """What an operation asks of a key, its dependencies' among it; None: it needs no key."""
    found = _asked.get(dependant.call) if dependant.call is not None else None
    if dependant.call is _caller:
        found = Demand()
    for dependency in dependant.dependencies:
        demand = demand_of(dependency)
        if demand is not None:
            found = demand if found is None else found | demand
    return found


def bearer_token(scope: AsgiScope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"authorization":
            if value.startswith(_BEARER):
                return value[len(_BEARER) :].decode("latin-1").strip() or None
            scheme, token = get_authorization_scheme_param(value.decode("latin-1"))
            return token if scheme.lower() == "bearer" and token else None
    return None


async def _known(request: Request, token: str | None) -> Caller:
    if token is None:
        raise Unauthenticated
    context = context_of(request)
    caller = context.keys.remembered(token) or await _looked_up(request, context, token)
    if caller.key_id == DEVELOPMENT_KEY_ID and not is_local(request.scope, context.settings):
        raise Unauthenticated  # everybody knows it
    note(tenant=caller.tenant, key_id=caller.key_id)
    return caller


async def _looked_up(request: Request, context: Context, token: str) -> Caller:
    wrong, address = context.wrong_keys, address_of(request.scope)
    if wrong.seconds_to_wait(address):
        async with wrong.one_by_one:
            caller = await context.keys.caller(token)
    else:
        caller = await context.keys.caller(token)
    if caller is None:
        wrong.count(address)
        if seconds := wrong.seconds_to_wait(address):
            raise TooManyWrongKeys("this address has sent too many wrong keys", seconds)
        raise Unauthenticated
    return caller


async def admitted_to(request: Request, token: str | None, demand: Demand) -> Caller:
    """The caller that a bearer token stands for, if the key has what is asked of it.

    Raises:
        Unauthenticated: no key, or not a valid one.
        Forbidden: as `Demand.check` says.
    """
    caller = await _known(request, token)
    demand.check(caller)
    return caller


async def _caller(request: Request, credentials: Credentials) -> Caller:
    return await _known(request, None if credentials is None else credentials.credentials)


Known = Annotated[Caller, Security(_caller)]


async def any_caller(request: Request, caller: Known) -> Caller:
    """The caller, whatever the scopes of the key.

    Raises:
        Unauthenticated: no key, or not a valid one.
        InvalidFields: a query parameter that the operation does not have.
        HandedOver: the reader goes on with it.
    """
    _hand_over_heavy(request, caller)
    refuse_unknown(request)
    await note_unknown(request, caller)
    return caller


def _hand_over_heavy(request: Request, caller: Caller) -> None:
    if context_of(request).reader is not None and is_heavy(request):
        raise HandedOver(caller.tenant)


def requires(scope: Permission | str) -> Callable[[Request, Caller], Awaitable[Caller]]:
    """A dependency that answers the caller if the key has this scope, and refuses with 401 or 403 if not.

    Like `any_caller` it refuses query parameters that the operation does not have.
    """
    return _asking(Demand(frozenset({Permission(scope)})))


def requires_whole_province(scope: Permission | str) -> Callable[[Request, Caller], Awaitable[Caller]]:
    """As `requires`, for a key of the whole tenant: what is shown or begun belongs to no agency. Refuses others with 403."""
    return _asking(Demand(frozenset({Permission(scope)}), whole_province=True))


def _asking(demand: Demand) -> Callable[[Request, Caller], Awaitable[Caller]]:
    async def caller_with_rights(request: Request, caller: Known) -> Caller:
        demand.check(caller)
        _hand_over_heavy(request, caller)
        # after the right: what is wrong with a question is nobody else's to learn
        refuse_unknown(request)
        await note_unknown(request, caller)
        return caller

    _asked[caller_with_rights] = demand
    return caller_with_rights


def refuse_replacing(caller: Caller, *, replace: bool) -> None:
    """Refuse ``replace=true`` to a key with a subtree: it removes what is not told, and that is most of the province's.

    Raises:
        Forbidden: naming the parameter.
    """
    if replace and not caller.has_whole_province:
        detail = "replace=true concerns the whole province; the key has an agency subtree"
        raise Forbidden(detail, [FieldError("/replace", "whole_province", "only for a key of the whole province")])
