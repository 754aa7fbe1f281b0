"""The dossiers of an abolished agency pass to its successor (rules, section 9)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import orjson

from services.api.http.access.keyring import Caller
from services.api.http.access.visibility import access_of
from services.api.http.context import Context
from services.api.projection.use_cases import wait_until_counted
from services.api.transfers.schemas import TransferOut
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

MOST_AT_ONCE: Final = 10_000
"""In one call."""


async def transfer_dossiers(context: Context, caller: Caller, code: str, to: str | None) -> TransferOut:
    """Append a `transferred` event to the open dossiers of an abolished agency, `MOST_AT_ONCE` at most.

    Raises:
        InvalidInput: the agency still stands or is not known, or its successor is not clear.
        Forbidden: one of them is outside the key's subtree.
        NotYet: events of the dossiers recorded before are not counted within seconds.
    """
    access = await access_of(context, caller)
    abolished, successor = _successor(access, code, to)
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
    while looked_at < MOST_AT_ONCE:
        async with driver_session(context.engine) as connection:
            page = await store.open_dossiers(connection, caller.tenant, spelt, after)
        if not page:
            break
        after = max(page)
        looked_at += len(page)
        new = [
            read_event(_event(dossier, successor, passed_at(events, version.valid_to)), caller.tenant, key).event
            for dossier, events in page.items()
            if _is_there(dossier, events, spelt)
        ]
        transferred += await _record(context, caller, new)
    return TransferOut(
        agency=abolished,
        to=successor,
        transferred=transferred,
        unchanged=looked_at - transferred,
        more=looked_at >= MOST_AT_ONCE,
    )


def _successor(access: Access, code: str, to: str | None) -> tuple[AgencyCode, AgencyCode]:
    """The abolished agency and where its dossiers go.

    Raises:
        InvalidInput: the agency still stands or is not known, or its successor is not clear.
        Forbidden: one of them is outside the key's subtree.
    """
    agencies, tree = access.catalogue.agencies, access.catalogue.tree_on(access.today)
    abolished = agencies.resolve(code)
    if not access.sees(abolished):  # before an answer says whether there is such an agency
        raise Forbidden(f"agency {code} is outside what this key may see")
    if not access.catalogue.knows(code):
        access.scope(code, pointer="/code")
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
