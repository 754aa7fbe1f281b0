"""Query parameters that an operation does not have are refused: `dry-run` would store, a misspelt filter count all.

Operations whose parameters are a model forbid them there, together with their other faults; this is for all the others.
A parameter that is given twice is refused here for all of them: one of the two values would silently not count.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args, get_origin

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from services.api.http.errors.field_errors import Fault, pointer_of
from services.api.http.errors.problems import InvalidFields


@dataclass(frozen=True, slots=True)
class _Names:
    """The names of an operation's query parameters; ``all``: None where a model tells them."""

    all: frozenset[str] | None
    lists: frozenset[str]


_known: Final[dict[Callable[..., Any], _Names]] = {}


def refuse_unknown(request: Request) -> None:
    """Check the names of the query against those of the operation that serves this request.

    Raises:
        InvalidFields: an unknown one, or one given more than once that is no list; each is named.
    """
    route = request.scope.get("route")
    if not request.query_params or not isinstance(route, APIRoute):
        return
    if route.endpoint not in _known:
        _known[route.endpoint] = _names(route.dependant)
    known = _known[route.endpoint]
    names_given = [name for name, _ in request.query_params.multi_items()]
    faults = {
        name: "extra_forbidden" if known.all is not None and name not in known.all else "parameter_repeated"
        for name in names_given
        if (known.all is not None and name not in known.all) or (names_given.count(name) > 1 and name not in known.lists)
    }
    if faults:
        raise InvalidFields([Fault(pointer_of([name]), type_, {}) for name, type_ in faults.items()])


def _names(dependant: Dependant) -> _Names:
    """The names of an operation's query parameters, its dependencies' among them."""
    names: set[str] | None = set()
    lists: set[str] = set()
    for field in dependant.query_params:
        annotation = field.field_info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            names = None
            lists |= _lists({one.alias or name: one.annotation for name, one in annotation.model_fields.items()})
        else:
            lists |= _lists({field.alias: annotation})
            if names is not None:
                names.add(field.alias)
    for dependency in dependant.dependencies:
        further = _names(dependency)
        names = None if names is None or further.all is None else names | further.all
        lists |= further.lists
    return _Names(None if names is None else frozenset(names), frozenset(lists))


def _lists(annotations: Mapping[str, Any]) -> set[str]:
    """The names whose parameter takes several values."""
    return {name for name, annotation in annotations.items() if _is_list(annotation)}


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) in {list, set, tuple} or any(_is_list(one) for one in get_args(annotation))
