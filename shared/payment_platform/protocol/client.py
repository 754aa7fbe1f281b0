"""The client of the payment platform: signed messages, a typed outcome for whatever happens. It decides no retries."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeVar

import orjson
from pydantic import ValidationError

from shared.payment_platform.protocol import wire
from shared.payment_platform.protocol.accounts import Account
from shared.payment_platform.rules.inquiries import PaymentState, Queried, Undecided, coded
from shared.sync.portal.calls import MOST_CONNECTIONS, Deadlines, http_client, post
from shared.sync.rules.outcomes import Ambiguous, Failure, Garbled, Throttled, Unavailable

M = TypeVar("M", bound=wire.Message)

_ADAPTER_SUCCESS: Final = ("0", "00")


class PaymentClient:
    """One account's. ``called``: after each call, with its message, kind of outcome and seconds."""

    def __init__(
        self,
        account: Account,
        deadlines: Deadlines | None = None,
        passed: Callable[[str], None] | None = None,
        called: Callable[[str, str, float], None] | None = None,
    ) -> None:
        self._account = account
        self._passed = passed or (lambda _step: None)
        self._called = called or (lambda _message, _outcome, _seconds: None)
        self._deadlines = deadlines or Deadlines()
        self._places = asyncio.Semaphore(MOST_CONNECTIONS)
        self._http = http_client("", self._deadlines)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def init(
        self, reference: str, amount_vnd: int, at: datetime, **more: Any
    ) -> wire.InitAnswer | Throttled | Failure:
        """INIT: where the citizen pays. The one-stop software's message; ``more``: its further fields."""
        told = wire.Init(
            partner=self._account.partner, reference=reference, amount=str(amount_vnd), time=wire.time_text(at), **more
        )
        answer = await self._call("INIT", told)
        return answer if not isinstance(answer, bytes) else read_answer(answer, wire.InitAnswer)

    async def query(self, reference: str, initiated_at: datetime) -> Queried | Undecided | Throttled | Failure:
        """QUERY: what became of an attempt. ``initiated_at``: the time of its INIT, by which the platform finds it."""
        answer = await self._call("QUERY", self._question("QUERY", reference, initiated_at))
        if not isinstance(answer, bytes):
            return answer
        read = read_answer(answer, wire.QueryAnswer)
        return self._queried(reference, read) if isinstance(read, wire.QueryAnswer) else read

    async def bill(self, reference: str, initiated_at: datetime) -> bytes | Throttled | Failure:
        """GET_BILL: the receipt as PDF; empty: there is none."""
        return await self._call("GET_BILL", self._question("GET_BILL", reference, initiated_at))

    def _question(self, kind: Any, reference: str, initiated_at: datetime) -> wire.Query:
        return wire.Query(kind=kind, partner=self._account.partner, reference=reference, time=wire.time_text(initiated_at))

    def _queried(self, reference: str, answer: wire.QueryAnswer) -> Queried | Undecided | Failure:
        # who does not sign its answers is known by where we asked; who does, signs what it means
        if answer.signature and not answer.is_genuine(self._account.secret):
            return Garbled("a wrong signature")
        if answer.reference not in {"", reference}:
            return Garbled("the answer is of another attempt")
        if not answer.state:
            return Undecided(f"no state, MaLoi {answer.error or 'absent'}")
        return Queried(PaymentState(int(answer.state)), wire.amount_vnd(answer.amount), coded(answer.transaction))

    async def _call(self, name: str, message: wire.Message) -> bytes | Throttled | Failure:
        begun = time.monotonic()
        outcome: bytes | Throttled | Failure
        try:
            async with self._places, asyncio.timeout(self._deadlines.total_seconds):
                content = orjson.dumps(message.signed(self._account.secret).as_json())
                outcome = await post(self._http, self._account.url, content, self._passed)
        except TimeoutError:
            outcome = Ambiguous("no answer within the total deadline")
        kind = "answered" if isinstance(outcome, bytes) else type(outcome).__name__.lower()
        self._called(name, kind, time.monotonic() - begun)
        return outcome


def read_answer(content: bytes, model: type[M]) -> M | Failure:
    """An answer in JSON, as it is or wrapped by an adapter: ``{error_code: "0", message: "<JSON text>"}``."""
    try:
        found = orjson.loads(content)
        if isinstance(found, dict) and "error_code" in found:
            if str(found["error_code"]) not in _ADAPTER_SUCCESS:
                return Unavailable(f"adapter: error_code {str(found['error_code'])[:20]}")
            found = orjson.loads(found["message"])
        return model.model_validate({name: value for name, value in found.items() if value is not None})
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
        return Garbled("no JSON object")
    except ValidationError as error:
        return Garbled(f"not as agreed: {', '.join(str(one['loc'][0]) for one in error.errors(include_input=False)[:5])}")
