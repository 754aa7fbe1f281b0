"""What earlier versions recorded stays recognised: the canonical text and the hash of some events, letter by letter.

A change here would turn each event that is told again after an upgrade from a duplicate into a conflict.
"""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from shared.events.cloudevents.decoding import ValidatedEvent, _read_by_schema, plain_event, read_event
from tests.support.api import H51
from tests.support.events import CONTENT_KEY, example

PERSON = {
    "kind": "citizen",
    "name": "Nguyễn Văn An",
    "id_type": "cccd",
    "id_number": "094200000001",
    "phone": "0912345678",
    "email": "an@example.vn",
    "address": "12 Hùng Vương",
}
RECORDED: dict[str, tuple[dict[str, Any], str, str]] = {
    "every field": (
        example(
            "received",
            data__applicant=PERSON,
            data__flags={"vneid_verified": True, "components_digitised": False},
            data__officer="CB-0042",
        ),
        "f50bfc89e1ccde022a4dda5aa3db908302135ec32aa2a0a0778c5d33d1b2acc6",
        (
            '{"agency_code":"H51.12","applicant":{"digest":"e20c2b78d3ed5dc3ded551e64c5a08b116ad5c63d32e3b789fad82b821720d4d",'
            '"kind":"citizen"},"channel":"direct","due_at":"2018-01-09T10:00:00Z","flags":{"components_digitised":false,'
            '"vneid_verified":true},"officer":"CB-0042","procedure_code":"1.005129","return_method":"direct"}'
        ),
    ),
    "microseconds": (
        example("assigned", time="2018-01-02T08:30:00.120000+07:00", data__department='Phòng "Một cửa" \\ 1/2'),
        "62efb10a1ae2121387efab8d7de1734cb60032fd6cee0c2929b6e95041f3f238",
        '{"department":"Phòng \\"Một cửa\\" \\\\ 1/2","officer":"CB-0042"}',
    ),
    "no data": (
        {name: value for name, value in example("assigned").items() if name != "data"},
        "30f3a646415474c12bf75424f66a19eb99b9ad04c435a5e50ac8b09a21d44e02",
        "{}",
    ),
    "lower case": (
        example("processed", time="2018-01-02t01:30:00z"),
        "56cdd3dfaa69e3f2d3675b0fe1e16b5d4d9dfac46ca973c120ef52e4d2e3a6a3",
        '{"outcome":"approved","results":[{"code":"KQ-01","url":"https://motcua.example.vn/kq/01.pdf"}]}',
    ),
    "a list of parts": (
        example("payment_requested"),
        "9e0a292871ea1a4f9a8844afcf3c41638313f1ceff4e529123e03c1208d93cfe",
        '{"fees":[{"amount_vnd":50000,"code":"LP01","name":"Lệ phí cấp bản sao"}]}',
    ),
    "a sliver of a second": (
        example("rated", time="2018-01-02T08:30:00.0000019+07:00"),
        "870f396b91bad9d152a3153e67f34178ebc6f810ac56ca3a32f5317ecd5f34c7",
        '{"satisfied":true,"score":5}',
    ),
    "nulls": (
        example("received", data__due_at=None, data__applicant=None),
        "c88dba3aeba798d3f7d2028de938508ecd85118986dd0d4dc68528056e3d558c",
        (
            '{"agency_code":"H51.12","channel":"direct","flags":{"vneid_verified":true},"procedure_code":"1.005129",'
            '"return_method":"direct"}'
        ),
    ),
    "an extension": (
        example("returned", traceparent="00-1"),
        "9ebfcb728b186bc88274a4deecf7c1b457f45d150639e9e975245bfa87527864",
        '{"method":"direct"}',
    ),
}


@pytest.mark.parametrize("case", RECORDED)
def test_an_event_is_recorded_as_it_always_was(case: str) -> None:
    event, content_hash, data = RECORDED[case]
    raw = orjson.dumps(event)
    ways: list[ValidatedEvent | None] = [
        read_event(raw, H51, CONTENT_KEY),
        _read_by_schema(raw, H51, CONTENT_KEY),
        plain_event(raw, H51, CONTENT_KEY),
    ]
    for logged in ways:
        assert logged is None or (logged.event.content_hash.hex(), logged.event.data) == (content_hash, data)
    assert case == "an extension" or ways[-1] is not None
