"""Dossiers: one with all that its events tell, lists, the applicant, and the dossiers behind a figure."""

from collections.abc import AsyncGenerator
from functools import partial
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.api.dossiers.answers import ITEM_FIELDS, detail, due_uncomputed, item, masked_applicant
from services.api.dossiers.schemas import ApplicantOut, DossierDetail, DossierList
from services.api.http import cursors
from services.api.http.auth import Caller, Permission, requires
from services.api.http.context import Context, RequestContext
from services.api.http.openapi import error_answers
from services.api.http.parameters import Format, LocalDate, wants_csv
from services.api.http.reads.exports import Export, written
from services.api.http.reads.heavy import HeavyReads
from shared.access.store.visibility import Access
from shared.database.engine import driver_session
from shared.deadlines.rules.due_dates import may_ask, uncomputed
from shared.dossiers.rules.anomalies import Anomaly, AnomalyCode
from shared.dossiers.rules.dossier import Dossier, fold, timeline
from shared.dossiers.rules.voids import absent_void_targets, void_problems
from shared.dossiers.store import applicant_access
from shared.dossiers.store.applicant_access import Reading
from shared.events.store import event_log
from shared.projection.store import cursor as projections
from shared.search.store import pages
from shared.search.store.filters import Selection
from shared.search.store.pages import PageKey, Sort, SortKey
from shared.sync.store.visibility import read_sync
from shared.vocabulary.codes import is_dossier_code
from shared.vocabulary.errors import InvalidInput, NotFound
from shared.vocabulary.events import Channel, DossierCode, Event

router = APIRouter(tags=["dossiers"])

DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 500

DossierReader = Annotated[Caller, Depends(requires(Permission.DOSSIERS_READ))]
ApplicantReader = Annotated[Caller, Depends(requires(Permission.APPLICANTS_READ))]
Code = Annotated[str, Path(description="Dossier code (mã hồ sơ).", examples=["H51.12-180302-00100"])]

_CSV_HEADINGS: Final = ITEM_FIELDS

_ANYWHERE: Final = 2**63 - 1
"""A position behind all: what a void names may have come later than all of the void's own dossier."""


class Paging(BaseModel):
    """How a list is cut into pages."""

    model_config = ConfigDict(extra="forbid")

    sort: Annotated[
        str,
        Field(
            pattern=r"^-?(received_at|due_at|code)$",
            description="Order: received_at, due_at or code, with `-` downwards. Dossiers without it stand at the end.",
            examples=["-received_at"],
        ),
    ] = "-received_at"
    cursor: Annotated[
        str | None, Field(max_length=400, description="`next_cursor` of the page before, with the same filters and sort.")
    ] = None
    limit: Annotated[
        int | None,
        Field(ge=1, le=MAX_LIMIT, description=f"Dossiers a page, {DEFAULT_LIMIT} unless told; with CSV: in all."),
    ] = None
    count: Annotated[bool, Field(description="Also count them all, exactly (đếm tổng số).")] = False
    format: Annotated[
        Format | None, Field(description="`json` or `csv` (all of them, streamed); else `Accept` decides.")
    ] = None

    @property
    def order(self) -> Sort:
        return Sort(SortKey(self.sort.removeprefix("-")), self.sort.startswith("-"))


class Filters(Paging):
    """What a list of dossiers can be narrowed by; all that is given must hold."""

    agency: Annotated[
        str | None,
        Field(max_length=200, description="This agency and what is below it (cơ quan).", examples=["H51.12"]),
    ] = None
    procedure: Annotated[
        str | None,
        Field(max_length=50, pattern=r"^[^\x00-\x1f]*$", description="Procedure (mã thủ tục).", examples=["1.005129"]),
    ] = None
    channel: Annotated[Channel | None, Field(description="Channel (kênh tiếp nhận).")] = None
    status: Annotated[int | None, Field(ge=1, le=10, description="National status 1-10 (trạng thái).")] = None
    open: Annotated[bool | None, Field(description="Received and not ended (đang giải quyết); false: all others.")] = None
    overdue: Annotated[
        bool | None, Field(description="Overdue today by date, as column 13 of form II.06 (quá hạn); false: all others.")
    ] = None
    anomaly: Annotated[AnomalyCode | None, Field(description="With this anomaly (bất thường).")] = None
    received_from: Annotated[LocalDate | None, Field(description="Received on this local date or later (tiếp nhận từ).")] = (
        None
    )
    received_to: Annotated[LocalDate | None, Field(description="Received on this local date or before (tiếp nhận đến).")] = (
        None
    )
    due_before: Annotated[LocalDate | None, Field(description="Due before this local date, exclusive (hạn trước ngày).")] = (
        None
    )
    untouched_days: Annotated[
        int | None,
        Field(ge=0, le=36_500, description="Open, and no event of an agency for so many days (không có diễn biến)."),
    ] = None
    q: Annotated[
        str | None,
        Field(
            pattern=r"^[0-9A-Y.-]{1,40}$",
            description="The code begins with this (mã bắt đầu bằng).",
            examples=["H51.12-2605"],
        ),
    ] = None


async def access_of(context: Context, caller: Caller) -> Access:
    """What the caller may see, now."""
    catalogue = await context.catalogues.of(caller.tenant)
    return Access.of(catalogue, caller.agency, context.catalogues.today())


def _json(answer: Any) -> Response:
    return Response(orjson.dumps(answer, option=orjson.OPT_UTC_Z), media_type="application/json")


@router.get(
    "/v1/dossiers",
    summary="Dossiers, page by page",
    description="""Dossiers (hồ sơ) that the key may see, narrowed by any combination of filters, as pages that neither
repeat nor leave out a dossier while others come in. Lists are as old as the projection (see `as_of` of the figures); one
dossier by its code is never old. As CSV all of them come in one answer.""",
    response_model=DossierList,
    responses=error_answers() | {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def list_dossiers(
    request: Request, context: RequestContext, caller: DossierReader, asked: Annotated[Filters, Query()]
) -> Response:
    """Answer a page, or all as CSV."""
    if asked.received_from is not None and asked.received_to is not None and asked.received_to < asked.received_from:
        raise InvalidInput.of("/received_to", "before_from", f"{asked.received_to} is before {asked.received_from}")
    access = await access_of(context, caller)
    selection = Selection(
        access=access,
        now=context.catalogues.now(),
        agencies=access.codes_within(access.scope(asked.agency)),
        procedures=None if asked.procedure is None else [asked.procedure],
        channel=asked.channel,
        status=asked.status,
        is_open=asked.open,
        is_overdue=asked.overdue,
        anomaly=asked.anomaly,
        received_from=asked.received_from,
        received_to=asked.received_to,
        due_before=asked.due_before,
        untouched_days=asked.untouched_days,
        code_prefix=asked.q,
    )
    return await listed(request, context, caller, selection, asked)


async def listed(request: Request, context: Context, caller: Caller, selection: Selection, asked: Paging) -> Response:
    """The page of ``selection`` that is asked for, or all of it as CSV."""
    filters = asked.model_dump(exclude={"cursor", "limit", "count", "format"}, mode="json")
    digest = cursors.digest_of({**filters, "path": request.url.path, "tenant": caller.tenant, "root": caller.agency})
    after = cursors.read(asked.cursor, digest)
    if wants_csv(request, asked.format):
        return Export(context.heavy, caller, _csv(context.heavy, caller, selection, asked, after))
    async with driver_session(context.engine) as connection:
        found, mark = await pages.page(connection, selection, asked.order, after, asked.limit or DEFAULT_LIMIT)
    total = None
    if asked.count:
        async with context.heavy.session(caller) as connection:
            total = await pages.count(connection, selection)
    answer: dict[str, Any] = {
        "items": [item(one, selection.access) for one in found],
        "next_cursor": cursors.written(mark, digest),
    }
    return _json(answer | ({} if total is None else {"count": total}))


async def _csv(
    heavy: HeavyReads, caller: Caller, selection: Selection, asked: Paging, after: PageKey | None
) -> AsyncGenerator[str, None]:
    # it has a place among the exports: once begun, its pages wait however long
    session = partial(heavy.page_session, caller)
    is_first = True
    async for page in pages.stream(session, selection, asked.order, after, asked.limit):
        rows = (list(item(one, selection.access).values()) for one in page)
        yield await written(heavy, _CSV_HEADINGS, rows, is_first=is_first)
        is_first = False


@router.get(
    "/v1/dossiers/{code}",
    summary="One dossier",
    description="""A dossier (hồ sơ) with everything that its events tell: status, due dates (hạn ban đầu, hiệu lực, đã hẹn),
pauses (chờ bổ sung), anomalies (bất thường), timeline (diễn biến; voided events are marked), the applicant masked, and how
far the national portal is. Folded from the log when asked: never older than your own accepted events.""",
    response_model=DossierDetail,
    responses=error_answers(404),
)
async def get_dossier(context: RequestContext, caller: DossierReader, code: Code) -> Response:
    """Answer one dossier."""
    access = await access_of(context, caller)
    async with driver_session(context.engine) as connection:
        dossier, events = await visible(connection, access, code)
        absent = absent_void_targets(events)
        problems: tuple[Anomaly, ...] = ()
        if absent or any(event.name == "voided" for event in events):
            elsewhere = await projections.present(connection, caller.tenant, absent, _ANYWHERE)
            problems = void_problems(events, elsewhere)
        carrier = dossier.applicant_event
        data = await applicant_access.masked(connection, caller.tenant, carrier)
        sync = await read_sync(connection, caller.tenant, dossier.code)
        owed = None
        if may_ask(events):
            almanac, _ = await context.almanacs.of(connection, caller.tenant)
            owed = uncomputed(dossier.code, events, almanac)
    answer = detail(dossier, timeline(events), problems, access)
    answer["applicant"] = masked_applicant(carrier, data)
    answer["due_uncomputed"] = due_uncomputed(owed)
    answer["sync"] = sync
    return _json(answer)


async def visible(connection: Any, access: Access, code: str) -> tuple[Dossier, list[Event]]:
    """The dossier and its events.

    Raises:
        NotFound: there is none of this code that the caller may see.
    """
    if not is_dossier_code(code):
        raise NotFound
    dossier_code = DossierCode(code)
    events = (await event_log.of_dossiers(connection, access.tenant, [dossier_code])).get(dossier_code, [])
    dossier = fold(dossier_code, events)
    if not events or not access.sees(dossier.agency_code):
        raise NotFound
    return dossier, events


@router.get(
    "/v1/dossiers/{code}/applicant",
    summary="The applicant's personal data",
    description="""Name, identity number, phone, e-mail and address of the applicant (dữ liệu cá nhân người nộp hồ sơ, Luật
91/2025/QH15). Each reading is recorded before it is answered: who, whose, what for, when.""",
    response_model=ApplicantOut,
    responses=error_answers(404),
)
async def get_applicant(
    request: Request,
    context: RequestContext,
    caller: ApplicantReader,
    code: Code,
    purpose: Annotated[
        str,
        Query(
            min_length=3,
            max_length=500,
            pattern=r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$",
            description="What for (mục đích); it is recorded.",
            examples=["Gọi điện bổ sung giấy tờ"],
        ),
    ],
) -> Response:
    """Answer the applicant, the reading recorded."""
    access = await access_of(context, caller)
    async with driver_session(context.engine) as connection:
        dossier, _ = await visible(connection, access, code)
        carrier = dossier.applicant_event
        reading = Reading(
            dossier_code=dossier.code, reader=caller.key_id, purpose=purpose, request_id=request.state.request_id
        )
        data = await applicant_access.read(connection, caller.tenant, reading, carrier)
    kind = None if carrier is None else carrier.data["applicant"].get("kind")
    answer = {
        "dossier": dossier.code,
        "kind": kind,
        "name": data.name,
        "id_type": data.id_type,
        "id_number": data.id_number,
        "phone": data.phone,
        "email": data.email,
        "address": data.address,
    }
    return Response(orjson.dumps(answer), media_type="application/json", headers={"cache-control": "no-store"})
