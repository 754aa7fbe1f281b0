"""Agencies' software under trouble: tells seeded dossier histories over HTTP and keeps a book of what was acknowledged."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.oracle.histories import Event
from tests.oracle.stack import Identity, Shipment, identity, packed, tell_catalogues
from tests.system.end_to_end import TENANT, tell_terms, tidy_lives
from tests.system.local_run import KEY

COME_AGAIN = (429, 502, 503, 504)
HEADERS = {"authorization": f"Bearer {KEY}"}
PLAIN = httpx.create_ssl_context()
"""Made once: making one takes longer than a POST."""


@dataclass
class Book:
    """What every POST came to: acknowledged with a position, unknown, or refused."""

    posted: dict[Identity, Event] = field(default_factory=dict)
    acked: dict[Identity, int] = field(default_factory=dict)
    acked_at: dict[Identity, float] = field(default_factory=dict)
    unknown: set[Identity] = field(default_factory=set)
    """Sent at least once, never acknowledged: may be in the log or not."""
    refused: dict[Identity, str] = field(default_factory=dict)
    lives: list[list[Identity]] = field(default_factory=list)
    """What one sequential client told in this order, each when the one before was acknowledged."""
    answers: Counter[int | str] = field(default_factory=Counter)
    """POSTs by status, or by kind of transport error."""
    slowest_seconds: dict[str, float] = field(default_factory=dict)
    """The longest wait for any answer, by API process (URL)."""
    untidy: set[str] = field(default_factory=set)
    """Dossiers told out of order on purpose: the portal may have steps of what was overtaken."""
    conflicts: list[str] = field(default_factory=list)
    """Acknowledgements that contradict each other."""

    def sent(self, event: Event) -> None:
        self.posted.setdefault(identity(event), event)
        if identity(event) not in self.acked:
            self.unknown.add(identity(event))

    def receipt(self, event: Event, receipt: dict[str, Any]) -> None:
        one = identity(event)
        if receipt.get("status") not in ("accepted", "duplicate"):
            self.refused[one] = str(receipt)
            self.unknown.discard(one)
            return
        position = receipt["position"]
        if self.acked.setdefault(one, position) != position:
            self.conflicts.append(f"{one}: acknowledged at {self.acked[one]} and at {position}")
        self.acked_at.setdefault(one, time.monotonic())
        self.unknown.discard(one)

    @property
    def codes(self) -> set[str]:
        return {event["subject"] for event in self.posted.values()}


@dataclass
class Agencies:
    """``urls``: API processes, taken in turn; the next one when one does not answer."""

    urls: Sequence[str]
    book: Book = field(default_factory=Book)
    timeout_seconds: float = 10.0
    patience_seconds: float = 60.0
    seed: int | str = 1
    serial: int = 0

    def lives(self, count: int) -> list[list[Event]]:
        """New dossiers, different from all before."""
        lives = tidy_lives(f"{self.seed} {self.serial}", count, after=self.serial)
        self.serial += count
        return lives

    async def introduce(self) -> None:
        """Catalogues and terms, once, before the first event."""
        async with httpx.AsyncClient(base_url=self.urls[0], headers=HEADERS, timeout=20, trust_env=False) as client:
            await tell_catalogues(client, TENANT)
            await tell_terms(client)

    async def tell(self, lives: Sequence[list[Event]], *, desks: int = 4, pause: float = 0.0, batch: int = 1) -> None:
        """Each desk is a sequential client: the next event of a dossier when the one before is acknowledged.

        ``pause``: seconds between two POSTs of a desk; ``batch``: dossiers whose events share a POST.
        """
        self.book.lives.extend([identity(event) for event in life] for life in lives)
        shares = [list(lives[start::desks]) for start in range(desks)]
        await asyncio.gather(*(self._desk(share, number, pause, batch) for number, share in enumerate(shares) if share))

    async def _desk(self, lives: Sequence[list[Event]], number: int, pause: float, batch: int) -> None:
        for start in range(0, len(lives), batch):
            group = [list(life) for life in lives[start : start + batch]]
            while group := [life for life in group if life]:
                await self.insist([life.pop(0) for life in group], first=number)
                if pause:
                    await asyncio.sleep(pause)

    async def insist(self, events: Sequence[Event], *, first: int = 0) -> bool:
        """Tell some events in one POST, the same again until acknowledged; False: patience ended, they stay unknown."""
        until = time.monotonic() + self.patience_seconds
        chance = random.Random(f"{self.seed} {identity(events[0])}")
        turn = first
        while not await self.post(events, self.urls[turn % len(self.urls)]):
            if time.monotonic() > until:
                return False
            turn += 1
            await asyncio.sleep(chance.uniform(0.05, 0.25))
        return True

    async def post(self, events: Sequence[Event], url: str | None = None) -> bool:
        """One POST; whether it was answered for good (acknowledged or refused)."""
        for event in events:
            self.book.sent(event)
        headers, body = packed(Shipment("structured" if len(events) == 1 else "array", events))
        begun = time.monotonic()
        url = url or self.urls[0]
        try:
            async with httpx.AsyncClient(
                base_url=url, headers=HEADERS, timeout=self.timeout_seconds, trust_env=False, verify=PLAIN
            ) as client:
                answer = await client.post("/v1/events", headers=headers, content=body)
        except httpx.TransportError as error:
            self.book.answers[type(error).__name__] += 1
            return False
        self.book.answers[answer.status_code] += 1
        slowest = self.book.slowest_seconds
        slowest[url] = max(slowest.get(url, 0.0), time.monotonic() - begun)
        if answer.status_code == 202:
            posted = answer.json()
            for event, receipt in zip(events, posted.get("results", [posted]), strict=True):
                self.book.receipt(event, receipt)
            return True
        if answer.status_code in COME_AGAIN:
            return False
        for event in events:
            self.book.receipt(event, {"status": f"HTTP {answer.status_code}: {answer.text[:200]}"})
        return True


def flat(lives: Iterable[list[Event]]) -> list[Event]:
    return [event for life in lives for event in life]
