"""From the bytes of events to their receipts: validate, check access, append."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

from services.api.events import authorization, receipts
from services.api.events.receipts import Receipt
from services.api.http.access.keyring import Caller
from services.api.http.access.visibility import access_of
from services.api.http.context import Context
from services.api.intake.fairness import BYTES_AT_ONCE, EVENTS_AT_ONCE, EVENTS_IN_A_ROW
from services.api.intake.group_commit import AppendResult
from shared.access.store.visibility import Access
from shared.database.engine import DriverConnection, driver_session
from shared.events.cloudevents.decoding import ValidatedEvent, read_event
from shared.events.cloudevents.json_format import InvalidEventError, with_plain_data
from shared.events.rules.new_events import NewEvent
from shared.events.store import lookups
from shared.events.store.event_log import Appended, Outcome
from shared.observability import failure_of, get_logger


@dataclass(frozen=True, slots=True)
class _Bounds:
    """What a key with an agency subtree may not tell (indices), and which recorded identities it may see and may not."""

    refused: set[int]
    seen: set[tuple[str, str]]
    unseen: set[tuple[str, str]]


class Recorded(NamedTuple):
    """What became of many events: how many were accepted, the position of the last of these, the rest by their places."""

    accepted: int
    last_position: int | None
    others: list[tuple[int, Receipt]]


@dataclass(frozen=True, slots=True)
class EventIntake:
    """One caller's events on their way in. With ``dry_run`` nothing is stored."""

    context: Context
    caller: Caller
    dry_run: bool

    async def read(self, raws: Sequence[bytes]) -> list[ValidatedEvent | Receipt]:
        """Each event validated, or the receipt of its rejection."""
        key = await self.context.intake.content_key(self.caller.tenant)
        answers: list[ValidatedEvent | Receipt] = []
        for start in range(0, len(raws), EVENTS_AT_ONCE):
            if len(raws) > 1:
                await self.context.fairness.turn(at_once=start % EVENTS_IN_A_ROW != 0)
            piece = raws[start : start + EVENTS_AT_ONCE]
            if sum(map(len, piece)) <= BYTES_AT_ONCE:
                answers += [self._read_one(raw, key) for raw in piece]
            else:
                answers += await self._read_large(piece, key)
        return answers

    async def _read_large(self, piece: Sequence[bytes], key: bytes) -> list[ValidatedEvent | Receipt]:
        """Events that take as long as many others do, each in a turn of its own."""
        answers: list[ValidatedEvent | Receipt] = []
        for raw in piece:
            await self.context.fairness.turn(at_once=True)
            over = receipts.over_limits(raw)
            answers.append(self._read_one(raw, key, is_large=True) if over is None else over)
        return answers

    def _read_one(self, raw: bytes, key: bytes, *, is_large: bool = False) -> ValidatedEvent | Receipt:
        try:
            try:
                if is_large:  # it may have its members in base64
                    raw = with_plain_data(raw)
                    if (over := receipts.over_limits(raw)) is not None:
                        return over
                event = read_event(raw, self.caller.tenant, key)
            except InvalidEventError as error:
                return receipts.unreadable(raw, error)
            if event.personal:
                self.context.metrics.marked_events.labels(self.caller.tenant).inc()
            return event  # noqa: TRY300 - what is around it is for whatever nobody thought of
        except Exception as error:  # noqa: BLE001 - one item never stops the others
            get_logger().error("event_missed", tenant=self.caller.tenant, **failure_of(error))
            return receipts.failed()

    async def record(self, read: Sequence[ValidatedEvent | Receipt]) -> list[Receipt]:
        """The receipts of what `read` answered, in the same order; durable when it returns.

        Raises:
            Overloaded: try again later; giving the same again is safe.
        """
        validated = self._all_valid(read)
        if validated is not None:
            results = await self._append([item.event for item in validated])
            if len(validated) > EVENTS_AT_ONCE:  # one commit answers many
                await self.context.fairness.turn()
            return self._counted([receipts.appended(item, result) for item, result in zip(validated, results, strict=True)])
        answers: dict[int, Receipt] = {index: item for index, item in enumerate(read) if isinstance(item, Receipt)}
        allowed = [(index, item) for index, item in enumerate(read) if isinstance(item, ValidatedEvent)]
        bounds: _Bounds | None = None
        if self.caller.agency is not None and allowed:
            bounds = await self._bounds([item for _, item in allowed])
        if bounds is not None:
            answers.update({allowed[number][0]: receipts.outside(allowed[number][1]) for number in bounds.refused})
            allowed = [pair for number, pair in enumerate(allowed) if number not in bounds.refused]
        if allowed:
            events = [item.event for _, item in allowed]
            unseen = set[tuple[str, str]]() if bounds is None else bounds.unseen
            results = await (self._rehearse(events, unseen) if self.dry_run else self._append(events))
            for (index, item), result in zip(allowed, results, strict=True):
                identity = (item.event.source, item.event.id)
                if bounds is not None and isinstance(result, Appended) and result.outcome is Outcome.ACCEPTED:
                    bounds.seen.add(identity)
                answers[index] = receipts.appended(item, result, sees_first=bounds is None or identity in bounds.seen)
        return self._counted([answers[index] for index in range(len(read))])

    async def record_many(self, read: Sequence[ValidatedEvent | Receipt]) -> Recorded:
        """As `record`, without a receipt for each event that was accepted: a long upload has no use for them.

        Raises:
            Overloaded: try again later; giving the same again is safe.
        """
        validated = self._all_valid(read)
        if validated is None:
            found = await self.record(read)
            others = [(index, receipt) for index, receipt in enumerate(found) if receipt.status != receipts.ACCEPTED]
            accepted = [receipt.position for receipt in found if receipt.status == receipts.ACCEPTED and receipt.position]
            return Recorded(len(found) - len(others), max(accepted, default=None), others)
        results = await self._append([item.event for item in validated])
        others = []
        last: int | None = None
        for index, result in enumerate(results):
            if isinstance(result, Appended) and result.outcome is Outcome.ACCEPTED:
                last = result.position
            else:
                others.append((index, receipts.appended(validated[index], result)))
        self._counted([receipt for _, receipt in others])
        accepted_count = len(results) - len(others)
        if accepted_count:
            self.context.metrics.count_received(self.caller.tenant, receipts.ACCEPTED, accepted_count)
        return Recorded(accepted_count, last, others)

    def _all_valid(self, read: Sequence[ValidatedEvent | Receipt]) -> Sequence[ValidatedEvent] | None:
        """What was read, if all of it may be appended as it is."""
        if self.caller.agency is not None or self.dry_run or any(isinstance(item, Receipt) for item in read):
            return None
        return cast("Sequence[ValidatedEvent]", read)

    def _counted(self, found: list[Receipt]) -> list[Receipt]:
        statuses = [receipt.status for receipt in found]
        for status in set(statuses):
            self.context.metrics.count_received(self.caller.tenant, status, statuses.count(status))
        return found

    async def _append(self, events: Sequence[NewEvent]) -> list[AppendResult]:
        return await self.context.intake.record(self.caller.tenant, events)

    async def _bounds(self, events: Sequence[ValidatedEvent]) -> _Bounds | None:
        access = await access_of(self.context, self.caller)
        if access.root is None:
            return None
        identities = [(new.event.source, new.event.id) for new in events]
        async with driver_session(self.context.door_engine) as connection:
            first = await lookups.recorded(connection, access.tenant, identities)
            unseen = set[tuple[str, str]]()
            if self.dry_run:  # asking leaves no trace, so of what the key may not see only its own words are known
                told = {(identity, new.event.content_hash) for identity, new in zip(identities, events, strict=True)}
                others = {one: known for one, known in first.items() if (one, known.content_hash) not in told}
                unseen = await _unseen(connection, access, others)
                first = {one: known for one, known in first.items() if one not in unseen}
            # what is recorded is told again, wherever its dossier has gone since: it moves nothing and asks for no access
            fresh = [
                number
                for number, new in enumerate(events)
                if identities[number] not in first or first[identities[number]].content_hash != new.event.content_hash
            ]
            outside = await authorization.events_outside_scope(
                connection, access, [events[number] for number in fresh], unseen_as_absent=self.dry_run
            )
            if not self.dry_run:
                told_otherwise = {identities[number] for number in fresh} & first.keys()
                unseen = await _unseen(connection, access, {one: first[one] for one in told_otherwise})
        refused = {fresh[number] for number in outside}
        passed: set[tuple[tuple[str, str], bytes]] = set()
        for number, new in enumerate(events):
            content = (identities[number], new.event.content_hash)
            if number not in refused:
                passed.add(content)
            elif content in passed:  # this request told it before it moved the dossier away
                refused.discard(number)
        return _Bounds(refused, first.keys() - unseen, unseen)

    async def _rehearse(self, events: Sequence[NewEvent], unseen: set[tuple[str, str]]) -> list[AppendResult]:
        """What an append would answer now, were ``unseen`` not recorded; an accepted event gets no position."""
        async with driver_session(self.context.door_engine) as connection:
            known = await lookups.recorded(connection, self.caller.tenant, [(event.source, event.id) for event in events])
            latest = await lookups.latest_time(connection)
        contents = {one: (record.content_hash, record.position) for one, record in known.items() if one not in unseen}
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


async def _unseen(
    connection: DriverConnection, access: Access, recorded: Mapping[tuple[str, str], lookups.Recorded]
) -> set[tuple[str, str]]:
    """The identities of recorded events whose records the caller may not see."""
    subjects = {one: authorization.subject_of(known.name, known.subject) for one, known in recorded.items()}
    visible = await authorization.visible_records(connection, access, set(subjects.values()))
    return {one for one, subject in subjects.items() if subject not in visible}
