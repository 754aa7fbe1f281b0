"""Lists of dossiers as HTTP answers: a page in JSON, or all of them as CSV."""

from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Any, Final, TypeVar

from fastapi import APIRouter, Request, Response

from services.api.dossiers.answers import ITEM_FIELDS, ListJson, item
from services.api.dossiers.parameters import DEFAULT_LIMIT, Paging
from services.api.dossiers.schemas import ITEM_EXAMPLE, DossierList
from services.api.dossiers.use_cases import read_page
from services.api.http import cursors, sheets
from services.api.http.access.keyring import Caller
from services.api.http.answers import json_answer
from services.api.http.context import Context
from services.api.http.formats import Format, described_as, format_of, path_without_format
from services.api.http.openapi import error_answers
from services.api.http.reads.exports import Export, written
from services.api.http.reads.handover import heavy_as_file
from services.api.http.reads.heavy import HeavyReads
from shared.search.store import pages
from shared.search.store.filters import Selection
from shared.search.store.pages import PageKey

_CSV_EXAMPLE: Final = sheets.write(ITEM_FIELDS, [[ITEM_EXAMPLE[name] for name in ITEM_FIELDS]])

_Endpoint = TypeVar("_Endpoint", bound=Callable[..., Any])


def serve_list(
    router: APIRouter, path: str, summary: str, description: str, *statuses: int
) -> Callable[[_Endpoint], _Endpoint]:
    """Add a list of dossiers: page by page in JSON, and whole as CSV at the same path with that ending."""

    def serve(endpoint: _Endpoint) -> _Endpoint:
        heavy_as_file(endpoint)
        errors = error_answers(*statuses)
        told = (
            f"{description}\n\nWhole as CSV: `{path}.csv`; here too with `format=csv`, or where `Accept` asks for it alone."
        )
        router.get(path, summary=summary, description=told, response_model=DossierList, responses=errors)(endpoint)
        csv = described_as(Format.CSV, errors, _CSV_EXAMPLE)
        told = f"{description}\n\nAll of them in one answer (CSV), or the first `limit`; no page, and no `count`."
        router.get(f"{path}.csv", summary=f"{summary}, as CSV", description=told, name=f"{endpoint.__name__}_csv", **csv)(
            endpoint
        )
        return endpoint

    return serve


def digest_of(request: Request, caller: Caller, asked: Paging) -> str:
    """What the cursors of a list are bound to."""
    filters = asked.model_dump(exclude={"cursor", "limit", "count", "format"}, mode="json")
    return cursors.digest_of(
        {**filters, "path": path_without_format(request), "tenant": caller.tenant, "root": caller.agency}
    )


def page_answer(page: ListJson, total: int | None) -> Response:
    """A page in JSON; ``total``: how many there are in all, where that was asked."""
    if total is not None:
        page["count"] = total
    return json_answer(page)


async def listed(request: Request, context: Context, caller: Caller, selection: Selection, asked: Paging) -> Response:
    """The page of ``selection`` that is asked for, or all of it as CSV."""
    digest = digest_of(request, caller, asked)
    after = cursors.read(asked.cursor, digest)
    if format_of(request, asked.format, Format) is Format.CSV:
        name = sheets.file_name(request.url.path, caller.tenant, context.catalogues.today())
        return Export(context.heavy, context.keys, caller, _csv(context.heavy, caller, selection, asked, after), name)
    page = await read_page(
        context,
        caller,
        selection,
        order=asked.order,
        after=after,
        limit=asked.limit or DEFAULT_LIMIT,
        count=asked.count,
    )
    items = [item(one, selection.access) for one in page.dossiers]
    return page_answer({"items": items, "next_cursor": cursors.written(page.mark, digest)}, page.total)


async def _csv(
    heavy: HeavyReads, caller: Caller, selection: Selection, asked: Paging, after: PageKey | None
) -> AsyncGenerator[str, None]:
    # it has a place among the exports: once begun, its pages wait however long
    session = partial(heavy.page_session, caller)
    is_first = True
    async for page in pages.stream(session, selection, asked.order, after, asked.limit):
        rows = (list(item(one, selection.access).values()) for one in page)
        yield await written(heavy, ITEM_FIELDS, rows, is_first=is_first)
        is_first = False
