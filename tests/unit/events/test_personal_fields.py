"""Personal fields of a register's events: a digest for the log, the texts apart, whatever way the event is read."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from shared.events.cloudevents.decoding import ValidatedEvent, _read_by_schema, cloudevent_of, plain_event, read_event
from shared.events.cloudevents.json_format import InvalidEventError
from shared.vocabulary.events import RecordEvent, RecordEventName
from tests.integration.registers.testnote import note, registers  # noqa: F401
from tests.support.api import H51
from tests.support.events import CONTENT_KEY
from tests.support.registers.feedback import step

SENDER = {"kind": "citizen", "name": "Nguyễn Văn An", "phone": "0912345678"}
REMARK = "Gọi 0912345678\nxin cảm ơn"

pytestmark = pytest.mark.usefixtures("registers")


def opened(**data: Any) -> bytes:
    return orjson.dumps(note(id="n-1", data={"agency_code": "H51.12", **data}))


def ways(raw: bytes) -> list[ValidatedEvent]:
    plainly = plain_event(raw, H51, CONTENT_KEY)
    assert plainly is not None
    return [read_event(raw, H51, CONTENT_KEY), _read_by_schema(raw, H51, CONTENT_KEY), plainly]


@pytest.mark.parametrize("data", [{"sender": SENDER}, {"remark": REMARK}, {"sender": SENDER, "remark": REMARK}, {}])
def test_the_log_keeps_a_digest_and_the_texts_stand_apart(data: dict[str, Any]) -> None:
    one, *others = [way.event for way in ways(opened(**data, urgent=True))]
    assert others == [one, one]
    kept = orjson.loads(one.data)
    assert kept.keys() == {"agency_code", "urgent", *data}
    assert "sender" not in data or (set(kept["sender"]), kept["sender"]["kind"]) == ({"digest", "kind"}, "citizen")
    assert "remark" not in data or set(kept["remark"]) == {"digest"}
    assert "An" not in one.data
    assert "0912345678" not in one.data
    if data:
        assert one.applicant is not None
        assert one.applicant.keys() == {"texts"}
        assert orjson.loads(one.applicant["texts"]) == data
    else:
        assert one.applicant is None


def test_a_digest_is_of_the_record_and_the_field() -> None:
    def digest(code: str, name: str, field: str) -> str:
        raw = orjson.dumps(step(name, "2025-03-03", code, **{field: "như nhau"}))
        return str(orjson.loads(read_event(raw, H51, CONTENT_KEY).event.data)[field]["digest"])

    told = (("submitted", "content"), ("reopened", "reason"))
    assert len({digest(code, *one) for code in ("P-1", "P-2") for one in told}) == 4
    assert digest("P-1", "withdrawn", "reason") == digest("P-1", "reopened", "reason")


def test_other_words_are_other_content_and_order_is_none() -> None:
    hashes = [
        read_event(opened(**data), H51, CONTENT_KEY).event.content_hash
        for data in (
            {"remark": "a", "sender": SENDER},
            {"sender": dict(reversed(SENDER.items())), "remark": "a"},
            {"remark": "b", "sender": SENDER},
            {"remark": "a", "sender": SENDER | {"email": None}},
            {"remark": "a", "sender": SENDER | {"name": "B"}},
        )
    ]
    assert hashes[0] == hashes[1] == hashes[3]
    assert len(set(hashes)) == 3


def test_somebody_may_be_told_by_the_name_alone() -> None:
    by_name, whole = (read_event(opened(sender=sender), H51, CONTENT_KEY).event for sender in ("An", {"name": "An"}))
    assert by_name == whole


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ({"sender": 5}, ("data", "sender")),
        ({"sender": {"nickname": "x"}}, ("data", "sender", "nickname")),
        ({"remark": {}}, ("data", "remark")),
    ],
)
def test_a_wrong_one_is_refused_at_its_place(data: dict[str, Any], place: tuple[str, ...]) -> None:
    with pytest.raises(InvalidEventError) as refused:
        read_event(opened(**data), H51, CONTENT_KEY)
    assert [error["loc"] for error in refused.value.errors] == [place]


def test_readers_of_events_get_the_kind_and_nothing_else() -> None:
    new = read_event(opened(sender=SENDER, remark=REMARK), H51, CONTENT_KEY).event
    name = RecordEventName(new.name)
    event = RecordEvent(1, new.time, new.source, new.id, name, new.subject, new.time, orjson.loads(new.data))
    assert cloudevent_of(event)["data"] == {"agency_code": "H51.12", "sender": {"kind": "citizen"}}
