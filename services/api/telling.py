"""From the bytes of events to their receipts: validate, check access, append."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.api import gate, receipts
from services.api.context import Context
from services.api.ingest import AppendResult
from services.api.keyring import Caller
from services.api.receipts import Receipt
from shared.cloudevents.content import InvalidEventError, Told, read_event
from shared.db import told
from shared.db.access import Access
from shared.db.engine import driver_session
from shared.db.event_log import Appended, NewEvent, Outcome
from shared.observability import failure_of, get_logger

_EVENTS_AT_ONCE: Final = 100
"""Validated before the event loop gets its turn: a few milliseconds."""


@dataclass(frozen=True, slots=True)
class Teller:
    """One caller's events on their way in. With ``dry_run`` nothing is stored."""

    context: Context
    caller: Caller
    dry_run: bool

    async def read(self, raws: Sequence[bytes]) -> list[Told | Receipt]:
        """Each event validated, or the receipt of its rejection."""
        key = await self.context.intake.content_key(self.caller.tenant)
        answers: list[Told | Receipt] = []
        for index, raw in enumerate(raws, start=1):
            answers.append(self._read_one(raw, key))
            if index % _EVENTS_AT_ONCE == 0:
                await asyncio.sleep(0)
        return answers

    def _read_one(self, raw: bytes, key: bytes) -> Told | Receipt:
        try:
            try:
                return read_event(raw, self.caller.tenant, key)
            except InvalidEventError as error:
                return receipts.unreadable(raw, error)
        except Exception as error:  # noqa: BLE001 - one item never stops the others
            get_logger().error("event_missed", tenant=self.caller.tenant, **failure_of(error))
            return receipts.failed()

    async def record(self, read: Sequence[Told | Receipt]) -> list[Receipt]:
        """The receipts of what `read` answered, in the same order; durable when it returns.

        Raises:
            Overloaded: try again later; giving the same again is safe.
        """
        answers: dict[int, Receipt] = {index: item for index, item in enumerate(read) if isinstance(item, Receipt)}
        allowed = [(index, item) for index, item in enumerate(read) if isinstance(item, Told)]
        if self.caller.agency is not None and allowed:
            refused = await self._refused([item for _, item in allowed])
            answers.update({allowed[number][0]: receipts.outside(allowed[number][1]) for number in refused})
            allowed = [pair for number, pair in enumerate(allowed) if number not in refused]
        if allowed:
            events = [item.event for _, item in allowed]
            results = await (self._rehearse(events) if self.dry_run else self._append(events))
            for (index, item), result in zip(allowed, results, strict=True):
                answers[index] = receipts.appended(item, result)
        for receipt in answers.values():
            self.context.metrics.events.labels(self.caller.tenant, receipt.status).inc()
        return [answers[index] for index in range(len(read))]

    async def _append(self, events: Sequence[NewEvent]) -> list[AppendResult]:
        return await self.context.intake.record(self.caller.tenant, events)

    async def _refused(self, events: Sequence[Told]) -> set[int]:
        catalogue = await self.context.catalogues.of(self.caller.tenant)
        access = Access.of(catalogue, self.caller.agency, self.context.catalogues.today())
        if access.root is None:
            return set()
        async with driver_session(self.context.engine) as connection:
            return await gate.refused(connection, access, events)

    async def _rehearse(self, events: Sequence[NewEvent]) -> list[AppendResult]:
        """What an append would answer now; an accepted event gets no position."""
        async with driver_session(self.context.engine) as connection:
            known = await told.recorded(connection, self.caller.tenant, [(event.source, event.id) for event in events])
            latest = await told.latest_time(connection)
        contents = {identity: (record.content_hash, record.position) for identity, record in known.items()}
        results: list[AppendResult] = []
        for event in events:
            first = contents.get((event.source, event.id))
            if first is not None:
                same = first[0] == event.content_hash
                results.append(Appended(Outcome.DUPLICATE if same else Outcome.CONFLICT, first[1] or None))
            elif event.time > latest:
                results.append(Appended(Outcome.FUTURE, None))
            else:
                contents[event.source, event.id] = (event.content_hash, 0)
                results.append(Appended(Outcome.ACCEPTED, None))
        return results
