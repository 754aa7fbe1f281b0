"""What is done with a result: an event by the words of the message, so that told again it is the same one."""

from services.api.http.context import Context
from services.api.http.errors.problems import InvalidFields
from shared.database.engine import driver_session
from shared.events.cloudevents.decoding import written_event
from shared.events.rules.registers import PAYMENT
from shared.events.store.event_log import Outcome
from shared.observability import get_logger, note
from shared.payment_platform.protocol import wire
from shared.payment_platform.protocol.accounts import Account
from shared.payment_platform.protocol.wire import PaymentResult, PaymentResultAnswer
from shared.payment_platform.rules.inquiries import event_id, paid_at, source_of
from shared.payment_platform.store import inquiries


async def take_result(context: Context, account: Account, result: PaymentResult) -> PaymentResultAnswer:
    """Record a genuine result, and answer under our signature; durable when it returns.

    Raises:
        InvalidFields: there is no such time, or the reference is none of the register.
        Overloaded: try again later.
    """
    if not PAYMENT.is_subject(result.reference):
        raise InvalidFields.of(wire.pointer_of("reference"), "string_pattern_mismatch", pattern=PAYMENT.subject_pattern)
    try:
        told = wire.instant_of(result.time)
    except ValueError:
        raise InvalidFields.of(wire.pointer_of("time"), "string_pattern_mismatch", pattern=wire.TIME_PATTERN) from None
    async with driver_session(context.door_engine) as connection:
        initiated, now = await inquiries.initiation(connection, account.tenant, result.reference)
    event = written_event(
        PAYMENT.type_of("confirmed"),
        source_of(account.gateway),
        result.reference,
        id_=event_id("result", result.values),
        time=paid_at(told, initiated, now),
        data=result.data(),
    )
    [appended] = await context.intake.record(account.tenant, [event])
    if isinstance(appended, Exception):
        raise appended
    # a conflict: the same words, dated otherwise because the initiation was not known the first time
    outcome = "accepted" if appended.outcome is Outcome.ACCEPTED else "repeated"
    context.metrics.payment_results.labels(account.tenant, outcome).inc()
    note(tenant=account.tenant, position=appended.position, outcome=outcome)
    return _answer(wire.SUCCESS, "Tiếp nhận thành công", result).signed(account.secret)


def refused(context: Context, result: PaymentResult) -> dict[str, str]:
    """The protocol's answer to a wrong signature: not signed, because nobody knows for whom."""
    context.metrics.payment_results.labels("", "refused").inc()
    get_logger().warning("payment_result_refused")
    return _answer(wire.WRONG_SIGNATURE, "Sai chữ ký", result).as_json()


def _answer(error: str, text: str, result: PaymentResult) -> PaymentResultAnswer:
    return PaymentResultAnswer(
        error=error,
        text=text,
        partner=result.partner,
        reference=result.reference,
        time=result.time,
    )
