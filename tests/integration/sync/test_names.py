"""Names that the portal is asked for: once, by a few at a time, and not at all once it does not answer."""

import asyncio

from services.worker.sync.names import AT_ONCE
from shared.sync.rules.circuit import Lane
from tests.support.sync import CODE, TENANT, Side, portal_url, received, side

__all__ = ["portal_url", "side"]  # fixtures


async def test_names_unknown_here_come_from_the_portal(side: Side) -> None:
    await received(side)
    await side.drain()
    assert {call["service"] for call in await side.calls()} >= {"LayThuTuc"}
    known = (await side.held(CODE) or {})["TenTTHC"]
    await side.bulk(3)
    await side.drain()
    assert len([call for call in await side.calls() if call["service"] == "LayThuTuc"]) == 1
    assert isinstance(known, str)


async def test_a_procedure_is_asked_for_once_however_many_deliveries_wait_for_its_name(side: Side) -> None:
    names, codes = side.sync.post(TENANT).names, [f"9.{number:06}" for number in range(9)]
    await asyncio.gather(*(names.for_procedures(codes, Lane.LIVE) for _ in range(3)))
    assert len([call for call in await side.calls() if call["service"] == "LayThuTuc"]) == len(codes)


async def test_after_a_failed_look_up_no_other_name_is_asked_for_and_nothing_is_remembered(side: Side) -> None:
    names, codes = side.sync.post(TENANT).names, [f"9.{number:06}" for number in range(30)]
    await side.faults({"fault": "F3", "service": "LayThuTuc"})
    await asyncio.gather(*(names.for_procedures(codes, Lane.LIVE) for _ in range(3)))
    failed = len([call for call in await side.calls() if call["service"] == "LayThuTuc"])
    assert 1 <= failed <= AT_ONCE  # of all three: those who waited for the look-ups ask no more
    await side.faults()
    # the circuit may have opened; it is tried again by itself
    for _ in range(200):
        await names.for_procedures(codes, Lane.LIVE)
        if (logged := len([call for call in await side.calls() if call["service"] == "LayThuTuc"])) >= failed + len(codes):
            break
        await asyncio.sleep(0.05)
    assert logged == failed + len(codes)
