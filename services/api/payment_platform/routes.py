"""What the payment platform tells: results of payments. It has no key; the partner's signature says who it is."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from services.api.http.context import RequestContext
from services.api.http.errors import messages, problems
from services.api.http.openapi import error_answers
from services.api.http.query_names import refuse_unknown
from services.api.payment_platform.use_cases import refused, take_result
from shared.payment_platform.protocol.accounts import Gateway
from shared.payment_platform.protocol.wire import PaymentResult, PaymentResultAnswer

router = APIRouter(tags=["payments"])


@router.post(
    "/v1/payments/results/{gateway}",
    response_model=PaymentResultAnswer,
    summary="A result of the payment platform",
    description=(
        "The payment platform tells what became of an attempt (kết quả thanh toán); see docs/payment_platform.md. No key:"
        " the signature of the partner counts (`MaXacThuc`). It becomes the event `vn.motcua.payment.confirmed.v1`. Told"
        " again it is answered alike and changes nothing. A wrong signature is 403, with `MaLoi` 97."
    ),
    responses=error_answers(403, 422, 503, public=True),
)
async def post_payment_result(
    request: Request,
    context: RequestContext,
    gateway: Annotated[Gateway, Path(description="Who passes it on (cổng thanh toán).")],
    result: PaymentResult,
) -> PaymentResultAnswer | Response:
    """Take a result that its partner has signed."""
    refuse_unknown(request)
    account = context.payments.partner(gateway, result.partner)
    if account is None or not result.is_genuine(account.secret):
        return problems.answer(request, messages.WRONG_SIGNATURE, more=refused(context, result))
    return await take_result(context, account, result)
