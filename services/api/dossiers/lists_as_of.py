"""Dossiers as of an earlier instant, as pages or as CSV."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import datetime
from typing import Any, NamedTuple

from fastapi import Request, Response

from services.api.dossiers.answers import ITEM_FIELDS, ItemJson, item
from services.api.dossiers.lists import digest_of, page_answer
from services.api.dossiers.parameters import DEFAULT_LIMIT, Paging
from services.api.http import cursors
from services.api.http.access.keyring import Caller
from services.api.http.as_of import PastView
from services.api.http.context import Context
from services.api.http.formats import Format, format_of
from services.api.http.reads.exports import Export, written
from services.api.http.sheets import file_name
from shared.database.engine import DriverConnection
from shared.search.store import pages, pages_as_of
from shared.search.store.filters import Selection
from shared.search.store.pages import PAGE_OF_STREAM, PageKey

Select = Callable[[DriverConnection, PastView], Awaitable[Selection]]
"""What is listed, in the transaction of a look at the past."""


class _Page(NamedTuple):
    items: list[ItemJson]
    mark: PageKey | None
    as_of: datetime
    total: int | None


def _values(one: ItemJson) -> list[Any]:
    return list(one.values())


async def listed_then(
    request: Request,
    context: Context,
    caller: Caller,
    *,
    select: Select,
    as_of: str | None,
    asked: Paging,
) -> Response:
    """The page of what ``select`` answers that is asked for, or all of it as CSV: as the dossiers stood then."""
    digest = digest_of(request, caller, asked)
    after = cursors.read(asked.cursor, digest)

    async def page(
        as_of: str | datetime | None, after: PageKey | None, limit: int, *, with_count: bool = False, patient: bool = False
    ) -> _Page:
        async def answer(connection: DriverConnection, view: PastView) -> _Page:
            selection = await select(connection, view)
            found, mark = await pages_as_of.page(
                connection, view.past, selection, sort=asked.order, after=after, limit=limit
            )
            total = await pages.count(connection, selection) if with_count else None
            return _Page([item(one, view.then) for one in found], mark, view.prefix.as_of, total)

        return await context.as_of_views.read(caller, as_of, answer, patient=patient)

    async def lines() -> AsyncGenerator[str, None]:
        # what takes too long to compute is answered later, as for a page: nothing has been sent yet
        first = current = await page(
            as_of, after, PAGE_OF_STREAM if asked.limit is None else min(PAGE_OF_STREAM, asked.limit)
        )
        left = None if asked.limit is None else asked.limit - len(first.items)
        yield await written(context.heavy, ITEM_FIELDS, map(_values, current.items), is_first=True)
        while current.mark is not None and (left is None or left > 0):
            # the instant of the first page: today goes on
            limit = PAGE_OF_STREAM if left is None else min(PAGE_OF_STREAM, left)
            current = await page(first.as_of, current.mark, limit, patient=True)
            left = None if left is None else left - len(current.items)
            yield await written(context.heavy, ITEM_FIELDS, map(_values, current.items), is_first=False)

    if format_of(request, asked.format, Format) is Format.CSV:
        name = file_name(request.url.path, caller.tenant, context.catalogues.today())
        return Export(context.heavy, context.keys, caller, lines(), name)
    found = await page(as_of, after, asked.limit or DEFAULT_LIMIT, with_count=asked.count)
    return page_answer({"items": found.items, "next_cursor": cursors.written(found.mark, digest)}, found.total)
