"""The dossiers of an abolished agency pass to its successor (rules, section 9)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Final

import orjson
from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from services.api.figures.use_cases import wait_until_counted
from services.api.http.auth import Caller, Permission, requires
from services.api.http.context import Context, RequestContext
from services.api.http.openapi import error_answers
from shared.access.store.visibility import Access
from shared.database.engine import driver_session
from shared.dossiers.rules.dossier import fold
from shared.events.cloudevents.decoding import read_event
from shared.events.rules.new_events import NewEvent
from shared.events.store import event_log
from shared.events.store.event_log import Appended, Outcome
from shared.transfers import store
from shared.transfers.rules import TRANSFER_SOURCE, passed_at, transfer_id
from shared.vocabulary.errors import Forbidden, InvalidInput
from shared.vocabulary.events import AgencyCode, DossierCode, Event, EventName

router = APIRouter(tags=["catalogues"])

_MOST: Final = 10_000

Admin = Annotated[Caller, Depends(requires(Permission.ADMIN))]


class TransferIn(BaseModel):
    """Where the dossiers go."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"to": "H51.201"}]})

    to: Annotated[
        str | None,
        Field(max_length=200, description="The successor (cơ quan tiếp nhận); needed where the agency has several."),
    ] = None


class TransferOut(BaseModel):
    """What a transfer did."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"agency": "H51.30", "to": "H51.201", "transferred": 57, "unchanged": 0, "more": False}]
        }
    )

    agency: str = Field(description="The abolished agency (cơ quan đã giải thể).")
    to: str = Field(description="Its successor.")
    transferred: int = Field(description="Dossiers that passed to the successor (số hồ sơ đã chuyển).")
    unchanged: int = Field(description="Looked at and left alone: passed on or ended meanwhile, or the transfer was voided.")
    more: bool = Field(description="Ask again: there may be more.")


@router.post(
    "/v1/agencies/{code}/transfer",
    summary="Transfer the open dossiers of an abolished agency",
    description=f"""Open dossiers (hồ sơ đang giải quyết) of an agency that is no longer valid pass to its successor (chuyển
hồ sơ của cơ quan đã giải thể): one `transferred` event each, of the source `{TRANSFER_SOURCE}`, timed at the midnight that
ended the agency's last day. At most {_MOST} a call. Repeated or called twice at once, each dossier passes once. Ended
dossiers stay with the abolished agency, and its figures are summed on today's tree. Needs the scope `admin`.""",
    responses=error_answers(400),
)
async def transfer(
    context: RequestContext,
    caller: Admin,
    code: Annotated[str, Path(max_length=200, description="The abolished agency (mã cơ quan).", examples=["H51.30"])],
    command: TransferIn,
) -> TransferOut:
    """Append the events."""
    access = Access.of(await context.catalogues.of(caller.tenant), caller.agency, context.catalogues.today())
    abolished, to = _successor(access, code, command.to)
    version = access.catalogue.agencies.last_before(abolished, access.today)
    assert version is not None
    assert version.valid_to is not None
    agencies = access.catalogue.agencies
    spelt: set[str] = {abolished, *(seen for seen in access.catalogue.seen if agencies.resolve(seen) == abolished)}
    key = await context.intake.content_key(caller.tenant)
    async with driver_session(context.engine) as connection:
        head = await event_log.head(connection, caller.tenant)
    await wait_until_counted(context, caller, head.position)
    transferred = looked_at = 0
    after = ""
    while looked_at < _MOST:
        async with driver_session(context.engine) as connection:
            page = await store.open_dossiers(connection, caller.tenant, spelt, after)
        if not page:
            break
        after = max(page)
        looked_at += len(page)
        new = [
            read_event(_event(dossier, to, passed_at(events, version.valid_to)), caller.tenant, key).event
            for dossier, events in page.items()
            if _is_there(dossier, events, spelt)
        ]
        transferred += await _record(context, caller, new)
    return TransferOut(
        agency=abolished,
        to=to,
        transferred=transferred,
        unchanged=looked_at - transferred,
        more=looked_at >= _MOST,
    )


def _successor(access: Access, code: str, to: str | None) -> tuple[AgencyCode, AgencyCode]:
    """The abolished agency and where its dossiers go.

    Raises:
        InvalidInput: the agency still stands or is not known, or its successor is not clear.
        Forbidden: one of them is outside the key's subtree.
    """
    agencies, tree = access.catalogue.agencies, access.catalogue.tree_on(access.today)
    abolished = agencies.resolve(code)
    if not access.sees(abolished):  # before it is told whether there is such an agency
        raise Forbidden(f"agency {code} is outside what this key may see")
    if tree.is_known(abolished) or agencies.last_before(abolished, access.today) is None:
        raise InvalidInput.of("/code", "not_abolished", "an agency whose validity has ended")
    access.scope(abolished)
    successors = tree.successors(abolished)
    named = agencies.resolve(to) if to is not None else successors[0] if len(successors) == 1 else None
    if named is None or named not in successors:
        detail = f"one of its successors that stand today: {', '.join(successors) or 'there is none'}"
        raise InvalidInput.of("/to", "successor", detail)
    access.scope(named)
    return abolished, named


def _event(dossier: DossierCode, to: AgencyCode, at: datetime) -> bytes:
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": transfer_id(dossier, to, at),
            "source": TRANSFER_SOURCE,
            "type": EventName.TRANSFERRED.type,
            "subject": dossier,
            "time": at,
            "data": {"agency_code": to},
        }
    )


def _is_there(code: DossierCode, events: Iterable[Event], spelt: set[str]) -> bool:
    """By all of its events: the projection may not know of the latest."""
    try:
        dossier = fold(code, events)
    except (KeyError, ValueError):
        return False  # set aside by the projection too; the others pass on
    return dossier.is_open and dossier.agency_code in spelt


async def _record(context: Context, caller: Caller, new: list[NewEvent]) -> int:
    if not new:
        return 0
    results = await context.intake.record(caller.tenant, new)
    return sum(isinstance(one, Appended) and one.outcome is Outcome.ACCEPTED for one in results)
