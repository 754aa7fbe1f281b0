"""Query parameters that an operation does not have are refused: `dry-run` would store, a misspelt filter count all.

Operations whose parameters are a model forbid them there, together with their other faults; this is for all the others.
"""

from collections.abc import Callable
from typing import Any, Final

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from services.api.faults import Fault, pointer_of
from services.api.problems import InvalidFields

_known: Final[dict[Callable[..., Any], frozenset[str] | None]] = {}


def refuse_unknown(request: Request) -> None:
    """Check the names of the query against those of the operation that serves this request.

    Raises:
        InvalidFields: an unknown one; each is named.
    """
    route = request.scope.get("route")
    if not request.query_params or not isinstance(route, APIRoute):
        return
    if route.endpoint not in _known:
        _known[route.endpoint] = _names(route.dependant)
    known = _known[route.endpoint]
    if known is not None and (unknown := [name for name in request.query_params if name not in known]):
        raise InvalidFields([Fault(pointer_of([name]), "extra_forbidden", {}) for name in unknown])


def _names(dependant: Dependant) -> frozenset[str] | None:
    """The names of an operation's query parameters, its dependencies' among them; None where a model tells them."""
    names: set[str] = set()
    for field in dependant.query_params:
        annotation = field.field_info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            return None
        names.add(field.alias)
    for dependency in dependant.dependencies:
        further = _names(dependency)
        if further is None:
            return None
        names |= further
    return frozenset(names)
