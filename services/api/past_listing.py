"""The dossiers behind a figure as of an earlier instant, as pages or as CSV."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson
from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from services.api.context import Context
from services.api.keyring import Caller
from services.api.pasts import View
from services.api.routes.dossiers import DEFAULT_LIMIT, Paging
from services.api.schemas import cursors, sheets
from services.api.schemas.dossier_answers import ITEM_FIELDS, item
from services.api.schemas.parameters import wants_csv
from shared.db import past_lists
from shared.db.dossiers import PAGE_OF_STREAM, Mark
from shared.db.statistics import Scope
from shared.domain.report import Figure

if TYPE_CHECKING:
    from shared.db.engine import DriverConnection

_HEADINGS: Final = ITEM_FIELDS


class _Page(NamedTuple):
    items: list[dict[str, Any]]
    mark: Mark | None
    as_of: datetime
    total: int | None


async def listed_then(
    request: Request,
    context: Context,
    caller: Caller,
    *,
    scope_of: Callable[[View], Scope],
    as_of: str,
    figure: Figure,
    asked: Paging,
) -> Response:
    """The page that is asked for, or all of it as CSV: as the dossiers stood then."""
    filters = asked.model_dump(exclude={"cursor", "limit", "count", "format"}, mode="json")
    digest = cursors.digest_of({**filters, "path": request.url.path, "tenant": caller.tenant, "root": caller.agency})
    after = cursors.read(asked.cursor, digest)

    async def page(as_of: str | datetime, after: Mark | None, limit: int, *, with_count: bool = False) -> _Page:
        async def answer(connection: "DriverConnection", view: View) -> _Page:
            scope, instant = scope_of(view), view.prefix.as_of
            behind = past_lists.Behind(scope, instant, figure)
            found, mark = await past_lists.page(connection, behind, asked.order, after, limit)
            total = await past_lists.count(connection, behind) if with_count else None
            return _Page([item(one, view.then) for one in found], mark, instant, total)

        return await context.pasts.look(caller, as_of, answer)

    async def lines(first: _Page) -> AsyncIterator[str]:
        left = None if asked.limit is None else asked.limit - len(first.items)
        current = first
        yield sheets.write(_HEADINGS, [list(one.values()) for one in current.items], with_headings=True)
        while current.mark is not None and (left is None or left > 0):
            # the instant of the first page: today goes on
            current = await page(first.as_of, current.mark, PAGE_OF_STREAM if left is None else min(PAGE_OF_STREAM, left))
            left = None if left is None else left - len(current.items)
            yield sheets.write(_HEADINGS, [list(one.values()) for one in current.items], with_headings=False)

    if wants_csv(request, asked.format):
        limit = PAGE_OF_STREAM if asked.limit is None else min(PAGE_OF_STREAM, asked.limit)
        return StreamingResponse(lines(await page(as_of, after, limit)), media_type=sheets.MEDIA_TYPE)
    found = await page(as_of, after, asked.limit or DEFAULT_LIMIT, with_count=asked.count)
    answer: dict[str, Any] = {"items": found.items, "next_cursor": cursors.written(found.mark, digest)}
    if found.total is not None:
        answer["count"] = found.total
    return Response(orjson.dumps(answer, option=orjson.OPT_UTC_Z), media_type="application/json")
