"""Frozen reports: declared by a key with its reason, kept for ever, compared with what the log says now."""

from dataclasses import replace
from typing import Annotated, Any, Final
from uuid import uuid4

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import Field

from services.api.dossiers.lists import serve_list
from services.api.dossiers.lists_as_of import listed_then
from services.api.dossiers.parameters import Paging
from services.api.figures.schemas import summary_answer, table_answer
from services.api.figures.views import past_scope_of
from services.api.http import cursors
from services.api.http.access.auth import Caller, Permission, requires
from services.api.http.access.visibility import access_of
from services.api.http.answers import as_json, json_answer
from services.api.http.as_of import PastView, with_seen
from services.api.http.context import Context, RequestContext
from services.api.http.openapi import error_answers
from services.api.http.reads.handover import heavy
from services.api.http.unknown_codes import note_unknown_codes
from services.api.reports.frozen_access import FrozenAccess, both, holder_access
from services.api.reports.frozen_schemas import (
    DifferencePage,
    FreezeDifference,
    FreezeIn,
    FreezeList,
    FreezeOut,
    Moved,
    difference_answer,
    figure_difference,
    freeze_answer,
    freeze_item,
    frozen_figures,
)
from shared.access.store.visibility import Access
from shared.as_of.store.moments import Then
from shared.counting.rules.figure_definitions import Figure
from shared.counting.rules.period_sums import report
from shared.database.engine import DriverConnection, driver_session
from shared.figures.rules.filters import DossierFilters, given_filters
from shared.figures.store import drill_down, tables
from shared.figures.store.tables import FigureScope
from shared.reports.store import frozen_reports
from shared.reports.store.frozen_reports import Freeze
from shared.search.store.filters import Selection
from shared.search.store.pages import PageKey
from shared.vocabulary.errors import Forbidden, InvalidInput, NotFound
from shared.vocabulary.events import AgencyCode
from shared.vocabulary.periods import Period

router = APIRouter(tags=["figures"])

_DEFAULT_LIMIT: Final = 50
_MOST: Final = 500

Admin = Annotated[Caller, Depends(requires(Permission.ADMIN))]
StatsReader = Annotated[Caller, Depends(requires(Permission.STATS_READ))]
DossierReader = Annotated[Caller, Depends(requires(Permission.DOSSIERS_READ))]
FreezeId = Annotated[
    str,
    Path(pattern=r"^[0-9a-z]{1,64}$", description="Its id (mã bản chốt).", examples=["6a1f0f2c9d4b4f6e8a52c1d7e0b3a9f4"]),
]
Limit = Annotated[int, Query(ge=1, le=_MOST, description="Items a page.")]
Cursor = Annotated[str | None, Query(max_length=400, description="`next_cursor` of the page before.")]


class MovedPage(Paging):
    """What the catalogues moved, and how it is listed."""

    figure: Annotated[
        Figure, Field(description="The figure that counts them (chỉ tiêu); default: column 3, in which all are.")
    ] = Figure.RECEIVED
    moved: Annotated[Moved, Field(description="Into the figure (entered) or out of it (left).")] = Moved.ENTERED


@router.post(
    "/v1/freezes",
    status_code=201,
    summary="Freeze the figures of a period",
    description="""Freezes the report of a period and a scope as it stands now (chốt số liệu báo cáo): every event recorded
until this moment is counted, none that is recorded later; with `as_of`
until that one, with the catalogues as then known; 403 where an agency that it would count has moved away from the key since.
Kept with the key, the reason, the log position, the figures as
they were answered (whole and by agency) and their checksum; never changed, never deleted. Needs the scope `admin`.""",
    response_model=FreezeOut,
    responses=error_answers(400),
)
@heavy
async def freeze(context: RequestContext, caller: Admin, body: FreezeIn) -> Response:
    """Compute, keep and answer a report."""

    async def computed(connection: DriverConnection, view: PastView) -> Freeze:
        scope = past_scope_of(view, body)
        table = table_answer(scope, "agency", await tables.by_agency(connection, scope))
        whole = summary_answer(scope, await tables.summary(connection, scope))
        text = as_json({"summary": whole, "by_agency": table}, any_keys=True).decode()
        return Freeze(
            tenant=caller.tenant,
            freeze_id=uuid4().hex,
            from_on=scope.period.from_on,
            to_on=scope.period.to_on,
            agency=scope.top,
            filters=DossierFilters(**given_filters(scope)),
            tree_on=scope.tree_on,
            root=caller.agency,
            position=view.prefix.position,
            as_of=view.prefix.as_of,
            key_id=caller.key_id,
            reason=body.reason,
            report=text,
            checksum=frozen_reports.checksum_of(text),
        )

    codes = {"procedure": body.procedure, "field": body.field}
    await note_unknown_codes(context, await access_of(context, caller), codes)
    made = await context.as_of_views.read(caller, body.as_of, computed)
    readable = await FrozenAccess.of(context, caller)
    async with driver_session(context.engine) as connection:
        if not await readable.may_read(connection, made):
            raise Forbidden("the report counts agencies that this key no longer sees")
        await frozen_reports.keep(connection, made)
    return json_answer(freeze_answer(made), 201, {"location": f"/v1/freezes/{made.freeze_id}"}, any_keys=True)


@router.get(
    "/v1/freezes",
    summary="Frozen reports",
    description="The frozen reports (các bản chốt số liệu) that count only what the key sees now, the newest first.",
    response_model=FreezeList,
    responses=error_answers(),
)
@heavy
async def list_freezes(
    context: RequestContext, caller: StatsReader, cursor: Cursor = None, limit: Limit = _DEFAULT_LIMIT
) -> Response:
    digest = cursors.digest_of({"path": "/v1/freezes", "tenant": caller.tenant, "root": caller.agency})
    mark = _read_id_cursor(cursor, digest)
    readable = await FrozenAccess.of(context, caller)
    found: list[Freeze] = []
    async with driver_session(context.engine) as connection:
        before = None
        if mark is not None:
            last = await frozen_reports.find(connection, caller.tenant, mark)
            if last is None or not await readable.may_read(connection, last):
                raise InvalidInput.of("/cursor", "cursor", "a next_cursor of this list")
            before = (last.as_of, last.freeze_id)
        while len(found) <= limit:
            page = await frozen_reports.of_tenant(connection, caller.tenant, before, _MOST)
            found += [one for one in page if await readable.may_read(connection, one)]
            if len(page) < _MOST:
                break
            before = (page[-1].as_of, page[-1].freeze_id)
    shown = found[:limit]
    following = f"{digest}.{shown[-1].freeze_id}" if len(found) > limit else None
    return json_answer({"items": [freeze_item(one) for one in shown], "next_cursor": following}, any_keys=True)


def _read_id_cursor(cursor: str | None, digest: str) -> str | None:
    if cursor is None:
        return None
    made_for, _, freeze_id = cursor.partition(".")
    if made_for != digest or not (freeze_id.isascii() and freeze_id.isalnum()):
        raise InvalidInput.of("/cursor", "cursor", "a next_cursor of this list")
    return freeze_id


@router.get(
    "/v1/freezes/{freeze_id}",
    summary="One frozen report",
    description="""A frozen report (bản chốt số liệu) with its figures as they were answered, byte by byte. A key with a
subtree reads it while it sees all agencies that it counts; once one of them has moved away it is 404, as if there were
none.""",
    response_model=FreezeOut,
    responses=error_answers(404),
)
@heavy
async def get_freeze(context: RequestContext, caller: StatsReader, freeze_id: FreezeId) -> Response:
    frozen = await _visible(await FrozenAccess.of(context, caller), freeze_id)
    return json_answer(freeze_answer(frozen), any_keys=True)


@router.get(
    "/v1/freezes/{freeze_id}/difference",
    summary="A frozen report against the present one",
    description="""The frozen figures (đã chốt) beside those of now for the same period, scope and tree date, and every
dossier (hồ sơ) that counts otherwise, with the figures it left and entered and its events recorded since: they caused it.
What a change of the catalogues moved without an event is told apart (`by_catalogue`), with its
dossiers behind links. For each figure `by_events` is the
number of dossiers that entered less those that left.
A page may be empty and have a next one. Needs `dossiers:read`.""",
    response_model=FreezeDifference,
    responses=error_answers(404),
)
@heavy
async def freeze_difference(
    context: RequestContext,
    caller: DossierReader,
    freeze_id: FreezeId,
    asked: Annotated[DifferencePage, Query()],
) -> Response:
    frozen = await _visible(await FrozenAccess.of(context, caller), freeze_id)
    digest = cursors.digest_of({"freeze": freeze_id, "tenant": caller.tenant, "root": caller.agency})
    mark = cursors.read(asked.cursor, digest)
    holder = _holder_of(caller, frozen)
    was = frozen_figures(frozen)

    async def compared(connection: DriverConnection, view: PastView) -> dict[str, Any]:
        position = view.prefix.position if asked.until is None else min(asked.until, view.prefix.position)
        mine = _mine(view, caller)
        same = await _same_scope(context, connection, view, frozen, mine)
        now = _present_scope(view, same, frozen, mine)
        by_events = report((await tables.summary(connection, same)).total).figures
        present = report((await tables.summary(connection, now)).total).figures
        after = "" if mark is None else mark.code
        found = await frozen_reports.differences(connection, frozen, same, until=position, after=after, limit=asked.limit)
        seen = [one for one in found.items if mine.sees(one.agency)]
        following = None if found.next_after is None else PageKey(None, found.next_after)
        return {
            "freeze": freeze_item(frozen),
            "position": position,
            "figures": [figure_difference(one, count, by_events, present) for one, count in was.items()],
            "items": [difference_answer(one) for one in seen],
            "hidden": len(found.items) - len(seen),
            "catalogue_dossiers": f"/v1/freezes/{freeze_id}/difference/dossiers?figure={{figure}}&moved={{moved}}",
            "next_cursor": cursors.written(following, digest),
        }

    return json_answer(await context.as_of_views.read(holder, None, compared), any_keys=True)


@serve_list(
    router,
    "/v1/freezes/{freeze_id}/difference/dossiers",
    "What the catalogues moved since a freeze",
    """The dossiers (hồ sơ) that a figure counts now and would not count by the catalogues as known at the freeze
(`entered`), or the other way round (`left`): what agencies and procedures told since have moved without an event
(`by_catalogue`: entered less left). As pages or as CSV; those that the key may see. Needs `dossiers:read`.""",
    404,
)
@heavy
async def catalogue_dossiers(
    request: Request,
    context: RequestContext,
    caller: DossierReader,
    freeze_id: FreezeId,
    asked: Annotated[MovedPage, Query()],
) -> Response:
    """List them."""
    frozen = await _visible(await FrozenAccess.of(context, caller), freeze_id)
    holder = _holder_of(caller, frozen)

    async def select(connection: DriverConnection, view: PastView) -> Selection:
        access = _mine(view, caller)
        same = await _same_scope(context, connection, view, frozen, access)
        now = _present_scope(view, same, frozen, access)
        counted, other = (now, same) if asked.moved is Moved.ENTERED else (same, now)
        chosen = drill_down.selection_of(counted, view.prefix.as_of, asked.figure)
        chosen = drill_down.outside(await drill_down.as_then(connection, counted, chosen), other)
        mine = access.codes()
        return chosen if mine is None else drill_down.within(chosen, mine)

    return await listed_then(request, context, holder, select=select, as_of=None, asked=asked)


def _holder_of(caller: Caller, frozen: Freeze) -> Caller:
    """The caller, looking at what the key saw that froze it."""
    return replace(caller, agency=None if frozen.root is None else AgencyCode(frozen.root))


def _mine(view: PastView, caller: Caller) -> Access:
    """What the caller sees now, whoever the view is of."""
    return Access.of(view.now.catalogue, caller.agency, view.now.today)


def _present_scope(view: PastView, same: FigureScope, frozen: Freeze, mine: Access) -> FigureScope:
    """What was frozen, by the catalogues of now."""
    return replace(
        same,
        access=view.then,
        agency=view.then.catalogue.agencies.resolve(frozen.agency),
        moment=Then(view.past, both(view.visible, mine.codes())),
    )


async def _same_scope(
    context: Context, connection: DriverConnection, view: PastView, frozen: Freeze, mine: Access
) -> FigureScope:
    """What was frozen, asked today: by the agencies and procedures as they were known then, of those the caller sees now."""
    known = with_seen(await context.as_of_views.known_at(connection, frozen.tenant, frozen.as_of), view.then.catalogue.seen)
    access = holder_access(frozen, known)
    return FigureScope(
        access=access,
        period=Period(frozen.from_on, frozen.to_on),
        tree_on=frozen.tree_on,
        agency=known.agencies.resolve(frozen.agency),
        **given_filters(frozen.filters),
        moment=Then(view.past, both(access.codes(), mine.codes())),
    )


async def _visible(readable: FrozenAccess, freeze_id: str) -> Freeze:
    async with driver_session(readable.context.engine) as connection:
        found = await frozen_reports.find(connection, readable.caller.tenant, freeze_id)
        if found is None or not await readable.may_read(connection, found):
            raise NotFound
    return found
