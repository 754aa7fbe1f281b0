"""What is taken for an identity number, a telephone number or an e-mail address, and what is an ordinary id (decision 40)."""

from __future__ import annotations

import itertools
import random
import re
import uuid
from typing import Any

import orjson
import pytest

from shared.events.cloudevents.decoding import learn_registers, plain_event, read_event
from shared.events.cloudevents.json_format import InvalidEventError
from shared.events.cloudevents.models import MODELS
from shared.events.cloudevents.registered import models_by_type, personal_fields
from shared.events.rules import personal_text
from shared.events.rules.personal_text import PersonalKind, personal_in_code, personal_in_text
from shared.vocabulary.events import EventName, Tenant
from tests.support.events import CONTENT_KEY, example

N, PHONE, MAIL = PersonalKind.IDENTITY_NUMBER, PersonalKind.PHONE, PersonalKind.EMAIL

IN_CODES = {
    "094085001234": N,
    "hs/094185001234/received": N,
    "2018-079301004321-1": N,
    "cmnd-365123456": N,
    "CMT 365123456": N,
    "0912345678": PHONE,
    "sms:0912345678:1": PHONE,
    "+84912345678": PHONE,
    "0084912345678": PHONE,
    "091.234.5678": PHONE,
    "0912-345-678": PHONE,
    "091 234 5678": PHONE,
    "0912 34 56 78": PHONE,
    "sms:0912_345_678": PHONE,
    "(091) 234 5678": PHONE,
    "84912345678": PHONE,
    "84-912-345-678": PHONE,
    "+84 (0)912 345 678": PHONE,
    "\uff10\uff19\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18": PHONE,
    "\u0660\u0669\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668": PHONE,
    "0912\u200b345\u200b678": PHONE,
    "0912\xa0345\xa0678": PHONE,
    "0912\u2011345\u2011678": PHONE,
    "tel:%2B84912345678": PHONE,
    "094.085.001.234": N,
    "\uff10\uff19\uff14\uff10\uff18\uff15\uff10\uff10\uff11\uff12\uff13\uff14": N,
    "a%40b.vn": MAIL,
    "an\uff20example.vn": MAIL,
    "an.nguyen@example.vn": MAIL,
    "mailto:an@mail.example.com.vn": MAIL,
}
IN_TEXTS = {
    "Liên hệ 0912 345 678 để bổ sung": PHONE,
    "gọi 0912.345.678": PHONE,
    "gọi 091 234 56 78 nhé": PHONE,
    "ĐT: (+84) 912 345 678": PHONE,
    "ĐT (091) 234 5678": PHONE,
    "ĐT 0912 345678": PHONE,
    "ĐT 091 2345678": PHONE,
    "gọi 84 912345678": PHONE,
    "gọi:\n0912345678\nnhé": PHONE,
    "gọi 0912 - 345 - 678": PHONE,
    "Số CCCD 094 085 001 234 sai": N,
    "Số CCCD: 094085001234.": N,
    "chứng minh nhân dân số 365123456": N,
    "gửi về an@example.vn": MAIL,
}
ORDINARY = [
    "2018-000123-received",
    "H51.12-180102-0001234/processed",
    "000.00.12.H51-200221-0001",
    "urn:h51:motcua",
    "https://motcua.example.vn/kq/123456789012.pdf",
    "0912-18-0001234",
    "2018-03-12-0001",
    "HS0912345678",
    "HS84912345678",
    "50%25",
    "123456789",
    "000000012345",
    "201801020830",
    "20180102083000",
    "010220201530",
    "090320181412",
    "0903201814",
    "1514857800",
    "1514857800123",
    "E094085001234",
    "094085001234b",
    "0940850012345",
    "0299382212",
    "02993822123",
    "12/XL-UBND",
    "CB-0042",
    "1.005129",
    "Phòng Tư pháp",
    "Nộp 50 000 đồng ngày 12.03.2018 lúc 08 30",
    "theo công văn 1234/UBND-KSTT ngày 02/01/2018",
    "user@host",
    str(uuid.UUID(int=0x550E8400E29B41D4A716094085001234)),
]


@pytest.mark.parametrize(("text", "kind"), IN_CODES.items())
def test_in_a_code(text: str, kind: PersonalKind) -> None:
    assert personal_in_code(text) is kind
    assert personal_in_text(f"xem {text}, nhé") is kind


@pytest.mark.parametrize(("text", "kind"), IN_TEXTS.items())
def test_in_a_text(text: str, kind: PersonalKind) -> None:
    assert personal_in_text(text) is kind


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_ids_and_texts(text: str) -> None:
    assert personal_in_code(text) is None
    assert personal_in_text(text) is None


@pytest.mark.parametrize("text", ["H51.12-060125-000123", "060125-000123", "0912-000123"])
def test_a_day_and_a_number_are_an_ordinary_id(text: str) -> None:
    assert personal_in_code(text) is None


def test_there_are_63_provinces_of_birth() -> None:
    province = re.compile(personal_text._PROVINCE)
    assert sum(bool(province.fullmatch(f"{number:03}")) for number in range(1000)) == 63


def test_how_often_an_ordinary_id_is_taken_for_one() -> None:
    chance = random.Random(40)
    twelve = [f"{chance.randrange(10**12):012}" for _ in range(20_000)]
    assert sum(personal_in_code(one) is not None for one in twelve) < len(twelve) / 50
    ten = [f"{chance.randrange(10**8):010}" for _ in range(20_000)]
    nine = [f"{chance.randrange(10**9):09}" for _ in range(20_000)]
    uuids = [str(uuid.UUID(int=chance.getrandbits(128))) for _ in range(20_000)]
    dated = [
        f"H51.{chance.randrange(99):02}-{chance.randrange(10**6):06}-{chance.randrange(10**7):07}" for _ in range(20_000)
    ]
    years = [f"20{chance.randrange(99):02}-{chance.randrange(10**6):06}" for _ in range(20_000)]
    assert not any(personal_in_code(one) for one in (*ten, *nine, *uuids, *dated, *years))
    eleven = [f"{chance.randrange(10**11):011}" for _ in range(20_000)]
    assert sum(personal_in_code(one) is not None for one in eleven) < len(eleven) / 200
    groups = [f"{one[:3]}.{one[3:6]}.{one[6:9]}.{one[9:]}" for one in twelve]
    assert sum(personal_in_code(one) is not None for one in groups) < len(groups) / 50


FIELDS: list[tuple[str, str, str]] = [
    ("received", "id", "/id"),
    ("received", "source", "/source"),
    ("received", "data__officer", "/data/officer"),
    ("received", "data__procedure_code", "/data/procedure_code"),
    ("assigned", "data__department", "/data/department"),
    ("extended", "data__apology_number", "/data/apology_number"),
]


def told(event: dict[str, Any]) -> Any:
    return read_event(orjson.dumps(event), Tenant("H51"), CONTENT_KEY)


def refused(event: dict[str, Any]) -> list[str]:
    assert plain_event(orjson.dumps(event), Tenant("H51"), CONTENT_KEY) is None
    with pytest.raises(InvalidEventError) as caught:
        told(event)
    assert {error["type"] for error in caught.value.errors} == {"personal"}
    return ["/" + "/".join(map(str, error["loc"])) for error in caught.value.errors]


@pytest.mark.parametrize(("name", "field", "pointer"), FIELDS)
@pytest.mark.parametrize("text", ["094085001234", "0912345678"])
def test_ids_and_codes_refuse_it(name: str, field: str, pointer: str, text: str) -> None:
    assert refused(example(name, **{field: text})) == [pointer]


def test_codes_and_names_of_fees_and_results_refuse_it() -> None:
    fee = {"code": "LP01", "name": "Lệ phí", "amount_vnd": 1}
    for field in ("code", "name"):
        wrong = example("payment_requested", data={"fees": [fee, fee | {field: "an@example.vn"}]})
        assert refused(wrong) == [f"/data/fees/1/{field}"]
    wrong = example("processed", data={"outcome": "approved", "results": [{"code": "0912345678"}]})
    assert refused(wrong) == ["/data/results/0/code"]


def test_every_code_of_every_event_is_looked_at() -> None:
    """Every text of a model is an applicant's, names another event, is written by people, or refuses it."""
    free = {
        *personal_text.TEXT_FIELDS,
        "event_id",
        "event_source",
        "url",
        "dataschema",
        "datacontenttype",
        "calendar_version",
    }
    seen: set[str] = set()
    for name in EventName:
        event = MODELS[name.type].model_config["json_schema_extra"]["examples"][0]  # type: ignore[index,call-overload]
        for path in texts(event, ()):
            if (
                path[-1] in {*free, "specversion", "type", "subject", "time", "channel", "return_method"}
                or "applicant" in path
            ):
                continue
            if path[-1].endswith("_at") or path[-1] in {"outcome", "gateway", "method", "cause", "agency_code"}:
                continue
            if name is EventName.DUE_SET:
                continue
            changed = orjson.loads(orjson.dumps(event))
            part = changed
            for step in path[:-1]:
                part = part[step]
            part[path[-1]] = "0912345678"
            refused(changed)
            seen.add(str(path[-1]))
    assert {"id", "source", "procedure_code", "department", "apology_number", "code"} <= seen


def texts(value: Any, path: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [one for name, item in value.items() for one in texts(item, (*path, name))]
    if isinstance(value, list):
        return [one for index, item in enumerate(value) for one in texts(item, (*path, index))]
    return [path] if isinstance(value, str) else []


def test_an_event_that_names_an_older_one_may_say_its_id() -> None:
    void = example("voided", data={"event_id": "094085001234", "event_source": "mailto:an@example.vn", "reason": "Nhầm"})
    assert told(void).personal == ()


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("rejected", "reason"),
        ("extended", "reason"),
        ("supplement_requested", "content"),
        ("processed", "late_reason"),
        ("rated", "comment"),
        ("voided", "reason"),
    ],
)
def test_texts_are_taken_and_marked(name: str, field: str) -> None:
    clean = example(name)
    clean["data"].setdefault(field, "Không có gì")
    assert told(clean).personal == ()
    marked = example(name, **{f"data__{field}": "Gọi 0912 345 678"})
    broken = example(name, **{f"data__{field}": "Gọi\n0912345678"})
    for event in (marked, marked | {"traceparent": "00"}, broken):  # the fast way, and the other
        assert told(event).personal == (field,)


@pytest.mark.parametrize("part", ["094085001234", "0912345678", "an%40example.vn", "?to=an@example.vn", "091.234.5678"])
def test_addresses_of_results_are_taken_and_marked(part: str) -> None:
    results = [{"code": "KQ1", "url": "https://kq.example.vn/1"}, {"code": "KQ2", "url": f"https://kq.example.vn/{part}"}]
    event = example("processed", data={"outcome": "approved", "results": results})
    assert told(event).personal == ("results/1/url",)
    assert told(example("processed", data={"outcome": "approved", "results": results[:1]})).personal == ()


OF_ANOTHER = {"event_id", "event_source"}
"""What a void names."""
NOT_TAKEN = {"personal", "string_pattern_mismatch", "staff_code", "extra_forbidden"}
"""The last one: of another kind of item."""
KEPT_APART = {"applicant", "sender", "payer", "data_base64", "dataschema", "datacontenttype"}


@pytest.mark.parametrize("type_", [type_ for type_ in models_by_type() if type_ != EventName.DUE_SET.type])
def test_every_text_of_every_register_is_refused_marked_or_kept_apart(type_: str) -> None:
    """As the schema says that it may be, not as an example has it."""
    learn_registers()
    model = models_by_type()[type_]
    schema = model.model_json_schema()
    apart = KEPT_APART | OF_ANOTHER | set(personal_fields(type_))
    event = model.model_config["json_schema_extra"]["examples"][0]  # type: ignore[index,call-overload]
    for path in written(schema, schema, ()):
        if apart.isdisjoint(path):
            changed = orjson.loads(orjson.dumps(event))
            put(changed, path, "urn:x:0912345678")
            assert looked_at(changed) <= {"/".join(map(str, path[1:])), *NOT_TAKEN}, path


def looked_at(event: dict[str, Any]) -> set[str]:
    """What is marked of an event, or why it is refused; never nothing."""
    try:
        return set(told(event).personal) or {"nothing"}
    except InvalidEventError as error:
        return {one["type"] for one in error.errors}


def written(schema: Any, whole: Any, path: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """The places of free texts."""
    while "$ref" in schema:
        schema = whole["$defs"][schema["$ref"].rpartition("/")[2]]
    found = [path] if schema.get("type") == "string" and not schema.keys() & {"enum", "const", "format"} else []
    for choice in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        found += written(choice, whole, path)
    for name, one in schema.get("properties", {}).items():
        found += written(one, whole, (*path, name))
    return found + (written(schema["items"], whole, (*path, 0)) if isinstance(schema.get("items"), dict) else [])


def put(part: Any, path: tuple[Any, ...], text: str) -> None:
    for step, after in itertools.pairwise(path):
        missing: Any = [] if after == 0 else {}
        if step == 0:
            part[:] = part or [missing]
        elif part.get(step) is None:
            part[step] = missing
        part = part[step]
    if path[-1] == 0:
        part[:] = [text]
    else:
        part[path[-1]] = text
