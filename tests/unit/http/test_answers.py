"""Plain values that stand in for a model have its fields, and one module writes JSON answers."""

import ast
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args, get_type_hints

import orjson
import pytest
from pydantic import BaseModel

from services.api.dossiers.answers import ITEM_FIELDS, ItemJson, ListJson
from services.api.dossiers.schemas import DossierItem, DossierList
from services.api.events.feed import FeedItemJson, FeedPageJson
from services.api.events.receipts import ReceiptJson, SumsJson
from services.api.events.schemas import BatchReceipt, FeedItem, FeedPage, Receipt
from services.api.figures.schemas import PeriodOut
from services.api.http.answers import as_json, json_answer

API = Path(__file__).parents[3] / "services" / "api"

PLAIN = [
    (ItemJson, DossierItem, set()),
    (ListJson, DossierList, set()),
    (ReceiptJson, Receipt, set()),
    (SumsJson, BatchReceipt, {"results"}),
    (FeedItemJson, FeedItem, set()),
    (FeedPageJson, FeedPage, set()),
]


@pytest.mark.parametrize(("plain", "model", "apart"), PLAIN, ids=lambda one: getattr(one, "__name__", ""))
def test_plain_values_have_the_fields_of_their_model(plain: type, model: type[BaseModel], apart: set[str]):
    fields = {field.alias or name: field for name, field in model.model_fields.items() if name not in apart}
    assert set(plain.__annotations__) == set(fields)
    assert plain.__optional_keys__ == {name for name, field in fields.items() if not field.is_required()}
    for name, type_ in get_type_hints(plain).items():
        may_be_null = type(None) in get_args(fields[name].annotation)
        assert (type(None) in get_args(type_)) == may_be_null or name in plain.__optional_keys__, name


def test_a_list_as_csv_has_the_columns_of_its_items():
    assert tuple(DossierItem.model_fields) == ITEM_FIELDS


def test_a_model_and_plain_values_are_written_alike():
    day, at = datetime(2026, 5, 12, tzinfo=UTC).date(), datetime(2026, 5, 12, 1, 30, 0, 250, tzinfo=UTC)

    class Example(BaseModel):
        at: datetime
        period: PeriodOut
        share: float | None

    plain = {"at": at, "period": {"from": day, "to": day}, "share": None}
    answer = json_answer(Example(at=at, period=PeriodOut(from_=day, to=day), share=None))
    assert answer.body == as_json(plain) == json_answer(plain).body
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert orjson.loads(answer.body)["at"] == "2026-05-12T01:30:00.000250Z"


def writes_answers(text: str) -> bool:
    """Whether a module makes a response of JSON by itself."""
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    made = [
        one for one in calls if ast.unparse(one.func).rpartition(".")[2] in {"Response", "JSONResponse", "ORJSONResponse"}
    ]
    return any(
        "JSON" in ast.unparse(one.func) or "orjson.dumps" in ast.unparse(one) or "'application/json'" in ast.unparse(one)
        for one in made
    )


def test_no_module_writes_its_json_answers_itself():
    writers = {path.relative_to(API).as_posix() for path in API.rglob("*.py") if writes_answers(path.read_text())}
    assert writers == {"http/errors/problems.py"}  # a problem has a media type of its own


@pytest.mark.parametrize("call", ['Response(text, media_type="application/json")', "Response(orjson.dumps(a), 200)"])
def test_another_writer_would_be_seen(call):
    assert writes_answers(f"def answer(a):\n    return {call}\n")
