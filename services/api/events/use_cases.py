"""What is done when events are told."""

from collections.abc import Sequence

from services.api.events import receipts
from services.api.events.intake import EventIntake
from services.api.events.receipts import Receipt, SumsJson
from services.api.http.errors.problems import Refused
from shared.observability import note


async def record_event(event_intake: EventIntake, raw: bytes) -> Receipt:
    """The receipt of one event, recorded or known already.

    Raises:
        Refused: it was rejected.
        Overloaded: try again later.
    """
    receipt = (await event_intake.record(await event_intake.read((raw,))))[0]
    if receipt.rejection is not None:
        raise Refused(receipt.rejection.kind, receipt.rejection.faults)
    note(position=receipt.position, outcome=receipt.status)
    return receipt


async def record_events(event_intake: EventIntake, raws: Sequence[bytes]) -> tuple[list[Receipt], SumsJson]:
    """The receipts of several events in their order, rejected ones too, and how many there are of each kind.

    Raises:
        Overloaded: try again later.
    """
    found = await event_intake.record(await event_intake.read(raws))
    sums = receipts.sums_of(found)
    note(**sums)
    return found, sums
