"""What is done when payments are asked for."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from services.api.dossiers.payment_schemas import payment_answer
from services.api.dossiers.record_timeline import timeline_of
from services.api.figures.parameters import ANY_PERIOD, Filters
from services.api.figures.views import Place, Seen, view_of
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
from shared.register_figures.store.tables import Question
from shared.registers.measures import Counted
from shared.registers.payment.figures import FIGURE_SET
from shared.registers.payment.obligations import obligations, receipts_twice
from shared.vocabulary.errors import Forbidden, NotFound
from shared.vocabulary.events import DossierCode, RecordEvent
from shared.vocabulary.voids import Identity, absent_void_targets


class Page(NamedTuple):
    """Payments by reference, so many after one. ``is_double``: only those that are, or are not."""

    chosen: Filter
    is_double: bool | None
    after: str
    limit: int


async def read_page(context: Context, caller: Caller, page: Page) -> tuple[list[dict[str, Any]], bool]:
    """A page, and whether there are more."""
    chosen, is_double, after, limit = page
    access = await list_access_of(context, caller, is_limited=False)
    asked = chosen._replace(agencies=any_of(access.codes()), may_be_double=is_double)
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


async def read_page_then(context: Context, caller: Caller, page: Page, as_of: str) -> tuple[list[dict[str, Any]], bool]:
    """The same as it stood at an earlier instant; whom the key may see is a matter of now."""
    asked = page.chosen

    async def answer(connection: DriverConnection, seen: Seen) -> tuple[list[dict[str, Any]], bool]:
        world = await context.worlds.read(connection, seen.scope, await seen.almanac(), FIGURE_SET)
        question, codes = Question(FIGURE_SET, seen.scope, world), seen.scope.access.codes()
        known, dossiers = world.records(PAYMENT.name), world.dossiers()
        company = attempts.Company(obligations(known.values()), receipts_twice(known.values()))
        found: list[dict[str, Any]] = []
        for code in sorted(code for code in known if code > page.after):
            facts = known[code].facts
            dossier = dossiers.get(facts["dossier_code"])
            agency = None if dossier is None else dossier.row.agency
            told = facts["dossier_code"], facts["purpose"], facts["state"]
            wanted = asked.dossier, asked.line, asked.state
            is_wanted = all(one is None or one == value for one, value in zip(wanted, told, strict=True))
            unit = Counted(code, agency, None, {}, dossier=facts["dossier_code"])
            if is_wanted and (codes is None or agency in codes) and question.is_visible(unit):
                one = payment_answer(known[code], agency, company)
                found += [one] if page.is_double is None or one["double"] is page.is_double else []
            if len(found) > page.limit:
                break
        return found[: page.limit], len(found) > page.limit

    view = view_of(context, caller, Filters(period=ANY_PERIOD, as_of=as_of))
    return await view.read(answer, Place.HEAVY_SNAPSHOT)


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
