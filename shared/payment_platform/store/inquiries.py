"""Which attempts the payment platform is to be asked about, and what it answered: the table ``payment_inquiry``.

What is pending is found in the register's records; a statement names what has succeeded there and not here. A claim moves
``due_at`` on: a worker that dies leaves its questions to be asked again. Nothing here is the truth, the log is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from shared.database.engine import DriverConnection
from shared.payment_platform.rules.inquiries import ASKED_FROM, ASKED_UNTIL, PaymentState
from shared.sync.store.stored_circuit import StoredCircuit
from shared.vocabulary.events import Tenant

LEASE: Final = timedelta(seconds=45)
"""Longer than a call may take with its writing."""

PENDING: Final = "register = 'payment' AND facts ->> 'state' = 'pending'"
"""SQL: the record is a payment that is pending; the words of the partial index ``ix_record_pending_payment``."""

INITIATED_AT: Final = "facts ->> 'initiated_at'"
"""SQL: when its attempt began, as text in UTC, which sorts as its instants do to the second."""


@dataclass(frozen=True, slots=True)
class Window:
    """The attempts begun ``since`` … ``until`` are asked about if they are pending."""

    since: datetime
    until: datetime

    @classmethod
    def at(cls, now: datetime, time_scale: float = 1.0) -> "Window":
        """Of this moment; ``time_scale`` divides the first wait (``MOTCUA_TIME_SCALE``)."""
        return cls(now - ASKED_UNTIL, now - ASKED_FROM / time_scale)


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A question to ask.

    ``answers``: how often it was answered; ``told``: how many events came of it; ``state``: of the last one; ``failures``:
    calls in a row without an answer.
    """

    reference: str
    gateway: str
    initiated_at: datetime
    answers: int
    told: int
    state: PaymentState | None
    failures: int


@dataclass(frozen=True, slots=True)
class Settled:
    """What is known of a question after it was asked, and when it is asked again."""

    inquiry: Inquiry
    due_at: datetime
    error: str | None = None


def circuit_of(gateway: str) -> StoredCircuit:
    return StoredCircuit("payment_circuit", {"gateway": gateway})


_ENLIST: Final = f"""
INSERT INTO payment_inquiry (tenant, reference, gateway, initiated_at, until, due_at)
SELECT $1, code, facts ->> 'gateway', ({INITIATED_AT})::timestamptz, ({INITIATED_AT})::timestamptz + $4::interval, $5
FROM record r
WHERE tenant = $1 AND {PENDING} AND {INITIATED_AT} > $2 AND {INITIATED_AT} <= $3 AND facts ->> 'gateway' = ANY($6::text[])
  AND NOT EXISTS (SELECT FROM payment_inquiry q WHERE q.tenant = $1 AND q.reference = r.code)
ON CONFLICT (tenant, reference) DO NOTHING
"""

_FORGET: Final = f"""
DELETE FROM payment_inquiry q WHERE tenant = $1 AND due_at <= $2 AND NOT requested
AND (until <= $2 OR NOT EXISTS (
    SELECT FROM record r WHERE r.tenant = $1 AND r.code = q.reference AND {PENDING}))
"""


async def enlist(
    connection: DriverConnection, tenant: Tenant, gateways: Sequence[str], now: datetime, window: Window
) -> None:
    """Take up what is pending in the window, and forget what is so no longer or has been for too long."""
    await connection.execute(_ENLIST, tenant, _text(window.since), _text(window.until), ASKED_UNTIL, now, list(gateways))
    await connection.execute(_FORGET, tenant, now)


_REQUEST: Final = f"""
INSERT INTO payment_inquiry AS q (tenant, reference, gateway, initiated_at, until, due_at, requested)
SELECT $1, w.reference, w.gateway, (r.{INITIATED_AT})::timestamptz, $4::timestamptz + $5::interval, $4, true
FROM unnest($2::text[], $3::text[]) AS w(gateway, reference)
JOIN record r ON r.tenant = $1 AND r.register = 'payment' AND r.code = w.reference
WHERE r.{INITIATED_AT} IS NOT NULL
ON CONFLICT (tenant, reference) DO UPDATE SET until = excluded.until, due_at = excluded.due_at, requested = true
    WHERE NOT q.requested
"""

_NO_LONGER: Final = """
UPDATE payment_inquiry SET requested = false WHERE tenant = $1 AND requested AND reference <> ALL($2::text[])
"""


async def request(connection: DriverConnection, tenant: Tenant, wanted: Sequence[tuple[str, str]], now: datetime) -> None:
    """Ask about attempts, by gateway and reference, that statements have as succeeded, whatever we know; of no others.

    They are asked about for `ASKED_UNTIL` from now on; what is left then a person closes.
    """
    if wanted:
        await connection.execute(_REQUEST, tenant, *map(list, zip(*wanted, strict=True)), now, ASKED_UNTIL)
    await connection.execute(_NO_LONGER, tenant, [reference for _, reference in wanted])


_CLAIM: Final = """
UPDATE payment_inquiry AS q SET due_at = $3 FROM (
    SELECT reference FROM payment_inquiry
    WHERE tenant = $1 AND due_at <= $2 AND until > $2 AND gateway = ANY($4::text[]) ORDER BY due_at, reference LIMIT $5
    FOR UPDATE SKIP LOCKED
) AS due
WHERE q.tenant = $1 AND q.reference = due.reference
RETURNING q.reference, q.gateway, q.initiated_at, q.answers, q.told, q.state, q.failures
"""


async def claim(
    connection: DriverConnection, tenant: Tenant, gateways: Sequence[str], now: datetime, limit: int
) -> list[Inquiry]:
    """What is to be asked now, the longest due first; nobody else gets it before `LEASE` is over."""
    rows = await connection.fetch(_CLAIM, tenant, now, now + LEASE, list(gateways), limit)
    return [
        Inquiry(reference, gateway, at, answers, told, None if state is None else PaymentState(state), failures)
        for reference, gateway, at, answers, told, state, failures in rows
    ]


_SETTLE: Final = """
UPDATE payment_inquiry AS q SET answers = s.answers, told = s.told, state = s.state, failures = s.failures, error = s.error,
    due_at = s.due_at
FROM unnest($2::text[], $3::int[], $4::int[], $5::smallint[], $6::int[], $7::text[], $8::timestamptz[])
    AS s(reference, answers, told, state, failures, error, due_at)
WHERE q.tenant = $1 AND q.reference = s.reference
"""


async def settle(connection: DriverConnection, tenant: Tenant, settled: Sequence[Settled]) -> None:
    """Keep what came of questions."""
    rows = [
        (one.reference, one.answers, one.told, one.state, one.failures, each.error, each.due_at)
        for each in settled
        for one in (each.inquiry,)
    ]
    await connection.execute(_SETTLE, tenant, *map(list, zip(*rows, strict=True)))


async def retry_now(connection: DriverConnection, tenant: Tenant, gateway: str, now: datetime) -> None:
    """The platform is back: ask at once what waits because it was away."""
    await connection.execute(
        "UPDATE payment_inquiry SET due_at = $3 WHERE tenant = $1 AND gateway = $2 AND failures > 0 AND due_at > $3",
        tenant,
        gateway,
        now,
    )


async def initiation(connection: DriverConnection, tenant: Tenant, reference: str) -> tuple[datetime | None, datetime]:
    """When an attempt began, by the first event that says so (None: none does yet), and the database's clock."""
    row = await connection.fetchrow(
        """
        SELECT (SELECT min(time) FROM event_log
                WHERE tenant = $1 AND dossier_code = $2 AND name = 'payment.initiated') AS initiated_at, now() AS now
        """,
        tenant,
        reference,
    )
    assert row is not None
    return row["initiated_at"], row["now"]


def _text(instant: datetime) -> str:
    """As the facts of records have it."""
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"
