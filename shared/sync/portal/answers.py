"""Reading the portal's answers (protocol, sections 9 and 11.1): one parser for all success codes, codes before text."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, Final

import orjson

from shared.sync.portal import wire
from shared.sync.rules.outcomes import (
    Answered,
    Found,
    Garbled,
    Held,
    ItemKind,
    ItemRefusal,
    Listed,
    LoggedIn,
    LoginOutcome,
    LookUpOutcome,
    Outcome,
    Refused,
    SessionLost,
    Throttled,
)

DEFAULT_RETRY_AFTER_SECONDS: Final = 2.0
_LONGEST_MESSAGE: Final = 500


class Verdict(StrEnum):
    """What an ``error_code`` means."""

    SUCCESS = "success"
    PARTIAL = "partial"
    ALREADY_THERE = "already_there"
    UNKNOWN_THERE = "unknown_there"
    REJECTED = "rejected"
    OUT_OF_ORDER = "out_of_order"
    SESSION = "session"
    LOGIN_REFUSED = "login_refused"
    UNKNOWN_SERVICE = "unknown_service"
    THROTTLED = "throttled"
    UNKNOWN = "unknown"


VERDICTS: Final[Mapping[str, Verdict]] = {
    "0": Verdict.SUCCESS,
    "00": Verdict.SUCCESS,
    "1": Verdict.PARTIAL,
    "3": Verdict.ALREADY_THERE,
    "-1": Verdict.SESSION,
    "-2": Verdict.LOGIN_REFUSED,
    "-3": Verdict.UNKNOWN_THERE,
    "-4": Verdict.UNKNOWN_SERVICE,
    "-5": Verdict.REJECTED,
    "-6": Verdict.OUT_OF_ORDER,
    "-7": Verdict.THROTTLED,
}
"""The codes, as text (protocol, 9 and 11.1)."""

_PHRASES: Final = (
    ("da ton tai", Verdict.ALREADY_THERE),
    ("khong ton tai", Verdict.UNKNOWN_THERE),
    ("het han", Verdict.SESSION),
    ("vuot qua so lan goi", Verdict.THROTTLED),
)
"""Only for codes that are not in the table; success is never read from text."""

ITEM_KINDS: Final[Mapping[Verdict, ItemKind]] = {
    Verdict.ALREADY_THERE: ItemKind.ALREADY_THERE,
    Verdict.UNKNOWN_THERE: ItemKind.UNKNOWN_THERE,
    Verdict.REJECTED: ItemKind.REJECTED,
    Verdict.OUT_OF_ORDER: ItemKind.OUT_OF_ORDER,
}


def plain(text: str) -> str:
    """Text without case, diacritics, composition and repeated spaces: ``Đã  TỒN tại`` is ``da ton tai``."""
    decomposed = unicodedata.normalize("NFD", text.casefold().replace("đ", "d"))
    return " ".join("".join(letter for letter in decomposed if not unicodedata.combining(letter)).split())


def verdict(code: object, message: str) -> Verdict:
    """The meaning of an ``error_code``: 0, "0" and "00" alike; the message only where the code says nothing."""
    if isinstance(code, int) and not isinstance(code, bool):
        code = str(code)
    known = VERDICTS.get(code.strip()) if isinstance(code, str) else None
    if known is not None:
        return known
    said = plain(message)
    return next((meaning for phrase, meaning in _PHRASES if phrase in said), Verdict.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Answer:
    """A parsed answer. ``code`` is as it came, for messages only."""

    verdict: Verdict
    code: str
    message: str
    content: Mapping[str, Any]


def parse(text: bytes) -> Answer | Garbled:
    """Parse the body of an HTTP 200."""
    if not text.strip():
        return Garbled("empty answer")
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError:
        return Garbled("answer is not JSON")
    if not isinstance(content, dict):
        return Garbled("answer is not an object")
    if content.get("error_code") is None:
        return Garbled("answer without error_code")
    message = content.get("message")
    said = message[:_LONGEST_MESSAGE] if isinstance(message, str) else ""
    return Answer(verdict(content["error_code"], said), str(content["error_code"])[:20], said, content)


def read_items(text: bytes, codes: Sequence[str]) -> Outcome:
    """Read the answer to a call that sent items of the dossiers ``codes`` (one entry for each item)."""
    answer = parse(text)
    if isinstance(answer, Garbled):
        return answer
    if answer.verdict is Verdict.SUCCESS:
        return Answered()
    refused = _refusals(answer.content.get("result"), set(codes))
    if answer.verdict is Verdict.PARTIAL:
        return Answered(refused) if refused else Garbled("partial success without its items")
    kind = ITEM_KINDS.get(answer.verdict)
    if kind is None:
        return _call_failure(answer)
    if not refused and len(set(codes)) == 1:
        refused = {codes[0]: [ItemRefusal(kind, answer.message)] * len(codes)}
    # a whole call that was refused for something that it does not name is split until that is found
    return Answered(refused, rest_stored=False) if refused else Garbled(f"{answer.code}: {answer.message}")


def read_login(text: bytes) -> LoginOutcome:
    """Read the answer to a login: a session and a success code, both."""
    answer = parse(text)
    if isinstance(answer, Garbled):
        return answer
    if answer.verdict is not Verdict.SUCCESS:
        return Refused(f"login: {answer.code}") if answer.verdict is Verdict.SESSION else _call_failure(answer)
    session = answer.content.get("session")
    return LoggedIn(session) if isinstance(session, str) and session else Garbled("login without a session")


def read_rows(text: bytes) -> LookUpOutcome:
    """Read the answer to a look-up. Only a success with a list says what there is."""
    answer = parse(text)
    if isinstance(answer, Garbled):
        return answer
    if answer.verdict is not Verdict.SUCCESS:
        return _call_failure(answer)
    rows = answer.content.get("result")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return Garbled("look-up without a list of rows")
    return Found(rows)


def read_list(text: bytes) -> Listed | Garbled:
    """Read a page of the portal's own list."""
    try:
        content = orjson.loads(text)
        items, following = content["items"], content["next"]
        rows = [(wire.held(item), item) for item in items]
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return Garbled("list without its items")
    if following is not None and not isinstance(following, str):
        return Garbled("list with a next page that is none")
    if following is not None and not rows:
        return Garbled("list with a next page after nothing")
    return Listed([Held(*known, item) for known, item in rows if known is not None], following)


def _call_failure(answer: Answer) -> Throttled | SessionLost | Refused | Garbled:
    match answer.verdict:
        case Verdict.SESSION:
            return SessionLost()
        case Verdict.LOGIN_REFUSED | Verdict.UNKNOWN_SERVICE:
            return Refused(f"{answer.code}: {answer.message}")
        case Verdict.THROTTLED:
            return Throttled(DEFAULT_RETRY_AFTER_SECONDS)
        case _:
            reason = f"error_code {answer.code}: {answer.message}"
            return Garbled(reason, declined=answer.verdict is Verdict.REJECTED)


def _refusals(rows: object, codes: set[str]) -> dict[str, list[ItemRefusal]]:
    """The refused items by dossier; a row about a dossier that was not in the call is none of ours."""
    refused: dict[str, list[ItemRefusal]] = {}
    for row in rows if isinstance(rows, list) else []:
        code = row.get("MAHOSO") if isinstance(row, dict) else None
        if not isinstance(code, str) or code not in codes:
            continue
        said = row.get("MESSAGE")
        message = said[:_LONGEST_MESSAGE] if isinstance(said, str) else ""
        meaning = verdict(row.get("ERROR_CODE"), message)
        if meaning is Verdict.SUCCESS:
            continue
        refused.setdefault(code, []).append(ItemRefusal(ITEM_KINDS.get(meaning, ItemKind.REJECTED), message))
    return refused


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """A ``Retry-After``, in seconds or as an HTTP date compared with ``now``; None if absent or unreadable."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    if until.tzinfo is None:
        return None
    return max((until - now).total_seconds(), 0.0)
