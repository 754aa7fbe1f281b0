"""What is done when payments are asked for."""

from collections.abc import Mapping
from typing import Any

from services.api.dossiers.payment_schemas import payment_answer
from services.api.dossiers.record_timeline import timeline_of
from services.api.http.access.keyring import Caller
from services.api.http.access.visibility import access_of, list_access_of
from services.api.http.context import Context
from shared.access.store.keys import Permission
from shared.access.store.visibility import any_of
from shared.database.engine import DriverConnection, driver_session
from shared.dossiers.rules.dossier import fold
from shared.dossiers.store import applicant_access
from shared.dossiers.store.applicant_access import Reading
from shared.events.rules.registers import PAYMENT
from shared.events.rules.voids import effective_events, in_fold_order, void_problems
from shared.events.store import event_log, record_events
from shared.payments.store import attempts
from shared.payments.store.attempts import Filter
from shared.projection.store import cursor as projections
from shared.vocabulary.errors import Forbidden, NotFound
from shared.vocabulary.events import DossierCode, RecordEvent
from shared.vocabulary.voids import Identity, absent_void_targets


async def read_page(
    context: Context, caller: Caller, asked: Filter, *, is_double: bool | None, after: str, limit: int
) -> tuple[list[dict[str, Any]], bool]:
    """Payments by reference, after one, and whether there are more. ``is_double``: only those that are, or are not."""
    access = await list_access_of(context, caller, is_limited=False)
    asked = asked._replace(agencies=any_of(access.codes()), may_be_double=is_double)
    found: list[dict[str, Any]] = []
    async with driver_session(context.engine) as connection:
        while True:
            rows = await attempts.page(connection, caller.tenant, asked, after, limit + 1)
            company = await attempts.company_of(connection, caller.tenant, [payment for payment, _ in rows])
            answers = [payment_answer(payment, agency, company) for payment, agency in rows]
            found += [one for one in answers if is_double is None or one["double"] is is_double]
            if len(rows) <= limit or len(found) > limit:
                return found[:limit], len(found) > limit
            after = rows[-1][0].code


async def read_payment(
    context: Context, caller: Caller, reference: str, purpose: str | None, request_id: str
) -> dict[str, Any]:
    """One payment with everything that its events tell, folded now; with a ``purpose`` also who pays, the reading recorded.

    Raises:
        NotFound: there is none of this reference that the caller may see.
        Forbidden: a purpose, and the key may not read personal data.
    """
    access = await access_of(context, caller)
    if purpose is not None and not caller.may(Permission.APPLICANTS_READ):
        raise Forbidden(f"the key lacks the scope {Permission.APPLICANTS_READ.value}")
    async with driver_session(context.engine) as connection:
        histories = await record_events.histories(connection, caller.tenant, PAYMENT.name, [reference])
        events = histories.get(reference, [])
        if not events:
            raise NotFound
        payment = attempts.known_of(reference, events)
        agency = await _agency(connection, caller, payment.facts["dossier_code"])
        if not access.sees(agency):
            raise NotFound
        told = await record_events.concerning(connection, caller.tenant, payment.facts["dossier_code"] or "")
        beside = attempts.of_dossier(told.get(PAYMENT.name, {}), payment.facts["dossier_code"] or "")
        company = await attempts.company_of(connection, caller.tenant, [payment, *beside])
        elsewhere = await projections.present(connection, caller.tenant, absent_void_targets(events))
        payer = None
        if purpose is not None:
            code = DossierCode(reference)  # the table of personal data has a column for the codes of all records
            reading = Reading(dossier_code=code, reader=caller.key_id, purpose=purpose, request_id=request_id)
            payer = _payer(events, await applicant_access.read_texts(connection, caller.tenant, reading, events))
    answer = payment_answer(payment, agency, company)
    answer["anomalies"] = sorted({*answer["anomalies"], *void_problems(events, elsewhere)})
    return answer | {"items": payment.facts.get("items", []), "payer": payer, "timeline": timeline_of(PAYMENT, events)}


async def _agency(connection: DriverConnection, caller: Caller, dossier_code: str | None) -> str | None:
    """The agency that has the dossier now."""
    if dossier_code is None:
        return None
    code = DossierCode(dossier_code)
    return fold(code, (await event_log.of_dossiers(connection, caller.tenant, [code])).get(code, [])).agencies


def _payer(events: list[RecordEvent], texts: Mapping[Identity, Mapping[str, Any]]) -> Any:
    """Who pays, by the first effective event that says so."""
    effective = effective_events(in_fold_order(PAYMENT, events))
    told = (texts.get((event.source, event.id), {}).get("payer") for event in effective)
    return next((payer for payer in told if payer is not None), None)
