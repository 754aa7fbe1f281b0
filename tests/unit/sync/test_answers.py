from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.sync.portal.answers import Verdict, plain, read_items, read_login, read_rows, retry_after_seconds, verdict
from shared.sync.rules.outcomes import (
    Answered,
    Found,
    Garbled,
    ItemKind,
    ItemRefusal,
    LoggedIn,
    Refused,
    SessionLost,
    Throttled,
)


def said(code: Any, message: str = "", **more: Any) -> bytes:
    return orjson.dumps({"error_code": code, "message": message} | more)


@pytest.mark.parametrize("code", [0, "0", "00"])
def test_all_spellings_of_success(code: Any) -> None:
    assert read_items(said(code), ["a"]) == Answered()


@pytest.mark.parametrize("code", [None, "", True, False, 7, "x", [], 0.5])
def test_success_is_never_read_from_text(code: Any) -> None:
    assert isinstance(read_items(said(code, "Đồng bộ thành công"), ["a"]), Garbled)


@pytest.mark.parametrize(
    "text", [b"", b" ", b"<html>OK</html>", b'{"error_code": "0"', b"[]", b"null", b"{}", b'{"message": "0"}']
)
def test_what_is_no_answer_is_garbled_everywhere(text: bytes) -> None:
    assert isinstance(read_items(text, ["a"]), Garbled)
    assert isinstance(read_rows(text), Garbled)
    assert isinstance(read_login(text), Garbled)


@pytest.mark.parametrize(
    "text",
    [
        "Hồ sơ đã tồn tại",
        "HỒ SƠ ĐÃ TỒN TẠI",
        "ho so da ton tai",
        "hồ sơ đã tồn  tại",
        "Ho\u0302\u0300 so\u031b đa\u0303 to\u0302\u0300n ta\u0323i",
    ],
)
def test_text_is_normalised_but_only_a_fallback(text: str) -> None:
    assert plain(text).endswith("da ton tai")
    assert verdict("E17", text) is Verdict.ALREADY_THERE
    assert verdict("-5", text) is Verdict.REJECTED


def test_items_of_a_partial_success() -> None:
    rows = [
        {"MAHOSO": "b", "ERROR_CODE": "-5", "MESSAGE": "bad"},
        {"MAHOSO": "c", "ERROR_CODE": 3, "MESSAGE": ""},
        {"MAHOSO": "stranger", "ERROR_CODE": "-5", "MESSAGE": ""},
    ]
    assert read_items(said("1", result=rows), ["a", "b", "c"]) == Answered(
        {"b": [ItemRefusal(ItemKind.REJECTED, "bad")], "c": [ItemRefusal(ItemKind.ALREADY_THERE, "")]}
    )
    assert isinstance(read_items(said("1"), ["a"]), Garbled)


def test_a_refused_call() -> None:
    assert read_items(said("-3", "no"), ["a"]) == Answered(
        {"a": [ItemRefusal(ItemKind.UNKNOWN_THERE, "no")]}, rest_stored=False
    )
    rows = [{"MAHOSO": "b", "ERROR_CODE": "-6", "MESSAGE": "back"}]
    strict = read_items(said("-6", result=rows), ["a", "b"])
    assert strict == Answered({"b": [ItemRefusal(ItemKind.OUT_OF_ORDER, "back")]}, rest_stored=False)
    assert isinstance(read_items(said("-5", "data: too many"), ["a", "b"]), Garbled)
    assert isinstance(read_items(said("-1"), ["a"]), SessionLost)
    assert isinstance(read_items(said("-4"), ["a"]), Refused)
    assert isinstance(read_items(said("-7"), ["a"]), Throttled)


def test_login_needs_a_session_and_a_success() -> None:
    assert read_login(said(0, session="s")) == LoggedIn("s")
    assert isinstance(read_login(said(0)), Garbled)
    assert isinstance(read_login(said("-2", session="s")), Refused)


def test_only_an_empty_list_says_that_there_is_nothing() -> None:
    assert read_rows(said("0", result=[])) == Found([])
    for answer in (said("0"), said("0", result=None), said("0", result={}), said("0", result=[1])):
        assert isinstance(read_rows(answer), Garbled)


def test_retry_after_in_both_forms() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert retry_after_seconds("120", now) == 120
    assert retry_after_seconds("Thu, 01 Jan 2026 00:00:30 GMT", now) == 30
    assert retry_after_seconds("Thu, 01 Jan 2020 00:00:30 GMT", now) == 0
    for nonsense in (None, "", "soon", "-5", "1.5"):
        assert retry_after_seconds(nonsense, now) is None


@given(
    st.binary()
    | st.recursive(
        st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["error_code", "message", "result", "session", "MAHOSO", "ERROR_CODE", "MESSAGE"]), inner
            )
        ),
    ).map(orjson.dumps)
)
def test_no_answer_breaks_the_reader(text: bytes) -> None:
    read_items(text, ["a", "b"])
    read_rows(text)
    read_login(text)
