"""The dossiers of an abolished agency pass to its successor."""

from typing import Annotated

from fastapi import APIRouter, Path

from services.api.http.access.callers import Admin
from services.api.http.context import RequestContext
from services.api.http.openapi import error_answers
from services.api.transfers.schemas import TransferIn, TransferOut
from services.api.transfers.use_cases import MOST_AT_ONCE, transfer_dossiers
from shared.transfers.rules import TRANSFER_SOURCE

router = APIRouter(tags=["catalogues"])


@router.post(
    "/v1/agencies/{code}/transfer",
    summary="Transfer the open dossiers of an abolished agency",
    description=f"""Open dossiers (hồ sơ đang giải quyết) of an agency that is no longer valid pass to its successor (chuyển
hồ sơ của cơ quan đã giải thể): one `transferred` event each, of the source `{TRANSFER_SOURCE}`, timed at the midnight that
ended the agency's last day. At most {MOST_AT_ONCE} a call. Repeated or called twice at once, each dossier passes once. Ended
dossiers stay with the abolished agency, and its figures are summed on today's tree. Needs the scope `admin`.""",
    responses=error_answers(400),
)
async def transfer(
    context: RequestContext,
    caller: Admin,
    code: Annotated[str, Path(max_length=200, description="The abolished agency (mã cơ quan).", examples=["H51.30"])],
    command: TransferIn,
) -> TransferOut:
    return await transfer_dossiers(context, caller, code, command.to)
