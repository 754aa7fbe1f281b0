"""Payments as the citizen makes them, and the results that are told of them: late, twice, wrong or never, as faults say."""

import asyncio
import sqlite3
from typing import Any, Final

import httpx
import orjson

from services.mock_payments.faults import Fault, FaultEngine
from services.mock_payments.messages import SIGNED, SUCCESS, is_genuine, result_of, time_text
from services.mock_payments.settings import Partner
from services.mock_payments.store import Store, now_us

FAILURE: Final = "05"
STATES: Final = {SUCCESS: 1, FAILURE: 4}

_PULSE_SECONDS: Final = 0.1
_AT_ONCE: Final = 20
_MOST_TRIES: Final = 5
_CALL_SECONDS: Final = 5.0


class AlreadyPaidError(ValueError):
    """The attempt has ended; the citizen begins a new one."""


class Results:
    """Decides what is told of a payment, and tells it."""

    def __init__(self, store: Store, partners: dict[str, Partner], faults: FaultEngine, url: str) -> None:
        self._store = store
        self._partners = partners
        self._faults = faults
        self._url = url

    async def pay(self, reference: str, *, succeeded: bool, bank: str) -> dict[str, Any]:
        """End an attempt; gives it. Raises `LookupError` for an unknown one, `AlreadyPaidError` for one that has ended."""
        found = await self._store.rows("SELECT * FROM transactions WHERE reference = ?", reference)
        if not found:
            raise LookupError(reference)
        met = self._faults.meet(reference, of_payment=True)
        row = found[0]

        def work(connection: sqlite3.Connection) -> None:
            serial = connection.execute("SELECT count(*) FROM transactions WHERE number <> ''").fetchone()[0] + 1
            hidden_us = int(met.get(Fault.PENDING_FOR_DAYS, 0.0) * 1_000_000)
            row.update(
                bank=bank,
                number=f"MP{serial:010d}",
                ended=time_text(twelve_hours=Fault.TWELVE_HOURS in met),
                shown_from_us=now_us() + hidden_us if hidden_us else 0,
            )
            changed = connection.execute(
                "UPDATE transactions SET bank = :bank, number = :number, ended = :ended, shown_from_us = :shown_from_us"
                " WHERE reference = :reference AND number = ''",
                row,
            )
            if not changed.rowcount:
                raise AlreadyPaidError(reference)
            turns = succeeded and Fault.SUCCESS_AFTER_FAILURE in met
            first = SUCCESS if succeeded and not turns else FAILURE
            self._plan(connection, row, first, now_us(), met)
            if turns:
                later_us = now_us() + int(met[Fault.SUCCESS_AFTER_FAILURE] * 1_000_000)
                self._plan(connection, row, SUCCESS, later_us, met)

        await self._store.run(work)
        return (await self._store.rows("SELECT * FROM transactions WHERE reference = ?", reference))[0]

    def _plan(
        self, connection: sqlite3.Connection, row: dict[str, Any], error: str, at_us: int, met: dict[Fault, float]
    ) -> None:
        state = STATES[error]
        if at_us <= now_us():
            connection.execute(
                "UPDATE transactions SET state = ?, error = ? WHERE reference = ?", (state, error, row["reference"])
            )
        body: str | None = None
        if Fault.RESULT_LOST not in met:
            told = result_of(row | {"error": error}, self._partners[row["partner"]])
            if Fault.WRONG_SIGNATURE in met:
                told["MaXacThuc"] = told["MaXacThuc"][::-1]
            body = orjson.dumps(told).decode()
        tries = 1 if Fault.WRONG_SIGNATURE in met else _MOST_TRIES
        connection.execute(
            "INSERT INTO results (reference, state, error, due_us, most_tries) VALUES (?, ?, ?, ?, 0)",
            (row["reference"], state, error, at_us),
        )
        due_us = at_us + int(met.get(Fault.RESULT_LATE, 0.0) * 1_000_000)
        for _ in range(0 if body is None else 2 if Fault.RESULT_TWICE in met else 1):
            connection.execute(
                "INSERT INTO results (reference, state, error, body, due_us, most_tries) VALUES (?, ?, ?, ?, ?, ?)",
                (row["reference"], state, error, body, due_us, tries),
            )

    async def tell(self) -> None:
        """Tell what is due, until cancelled."""
        async with httpx.AsyncClient(timeout=_CALL_SECONDS, trust_env=False) as client:
            while True:
                due = await self._store.rows(
                    "SELECT r.*, t.partner FROM results r JOIN transactions t USING (reference)"
                    " WHERE r.ended = 0 AND r.due_us <= ? ORDER BY r.due_us, r.n LIMIT ?",
                    now_us(),
                    _AT_ONCE,
                )
                await asyncio.gather(*(self._tell_one(client, row) for row in due))
                await asyncio.sleep(0 if len(due) == _AT_ONCE else _PULSE_SECONDS)

    async def _tell_one(self, client: httpx.AsyncClient, row: dict[str, Any]) -> None:
        """Put the state where it is not yet so, and tell it if it is to be told; again after 1, 2, 4 … seconds."""
        status, text, taken = None, "", False
        if row["body"] is not None:
            partner = self._partners[row["partner"]]
            status, text, taken = await _post(client, self._url.format(gateway=partner.gateway), row["body"], partner)
        tries = row["tries"] + 1
        ended = taken or tries >= row["most_tries"]

        def work(connection: sqlite3.Connection) -> None:
            if row["body"] is None:  # a success stays one
                connection.execute(
                    "UPDATE transactions SET state = ?, error = ? WHERE reference = ? AND state <> 1",
                    (row["state"], row["error"], row["reference"]),
                )
            connection.execute(
                "UPDATE results SET tries = ?, ended = ?, status = ?, answer = ?, due_us = ? WHERE n = ?",
                (tries, ended, status, text, now_us() + 2 ** (tries - 1) * 1_000_000, row["n"]),
            )

        await self._store.run(work)


async def _post(client: httpx.AsyncClient, url: str, body: str, partner: Partner) -> tuple[int | None, str, bool]:
    try:
        response = await client.post(url, content=body.encode(), headers={"Content-Type": "application/json"})
    except httpx.HTTPError as error:
        return None, type(error).__name__, False
    try:
        told = orjson.loads(response.content)
        taken = told.get("MaLoi") == SUCCESS and is_genuine(SIGNED["ANSWER"], told, partner.secret)
    except (orjson.JSONDecodeError, AttributeError):
        taken = False
    return response.status_code, response.text[:2000], taken
