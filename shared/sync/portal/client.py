"""The HTTP client of the national portal: few connections, many dossiers a call, a typed outcome for whatever happens.

It decides nothing about retries. It renews a lost session once and repeats the call once (F1), which the caller does not
notice; the session is shared with all workers of the tenant through a `Sessions` port.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

import httpx
import orjson

from shared.sync.portal import answers, wire
from shared.sync.portal.calls import MOST_CONNECTIONS, Deadlines, http_client, post, refused_at_door
from shared.sync.portal.wire import Body, Service
from shared.sync.rules.outcomes import (
    Ambiguous,
    Failure,
    Garbled,
    ListOutcome,
    LoggedIn,
    LoginOutcome,
    LookUpOutcome,
    Outcome,
    Refused,
    SessionLost,
    Throttled,
    Unavailable,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PortalAccess:
    """Where the portal's adapter is and who we are there (protocol, sections 1 and 2)."""

    url: str
    username: str
    password: str = field(repr=False)
    dstcode: str
    unit: str
    login_path: str = "/mapi/login"
    service_path: str = "/mapi/g"


@dataclass(frozen=True, slots=True)
class Session:
    """A session and its generation, which rises with every renewal."""

    generation: int
    token: str = field(repr=False)


class Sessions(Protocol):
    """The one session of a tenant, shared by all its workers."""

    async def current(self) -> Session | None:
        """The session that is believed to be good, if any."""

    async def renew(
        self, seen: Session | None, login: Callable[[], Awaitable[LoginOutcome]]
    ) -> Session | Throttled | Failure:
        """A newer session than ``seen``: another worker's if there is one by now, else by ``login``, one at a time."""


class PortalClient:
    """Use as an async context manager; safe for concurrent calls.

    ``called``: after each call, with its service, kind of outcome and seconds. ``passed``: at each step of one (fault
    campaigns only).
    """

    def __init__(
        self,
        access: PortalAccess,
        sessions: Sessions,
        deadlines: Deadlines | None = None,
        passed: Callable[[str], None] | None = None,
        called: Callable[[str, str, float], None] | None = None,
    ) -> None:
        self._access = access
        self._passed = passed or (lambda _step: None)
        self._called = called or (lambda _service, _outcome, _seconds: None)
        self._sessions = sessions
        self.deadlines = deadlines or Deadlines()
        self._places = asyncio.Semaphore(MOST_CONNECTIONS)
        self._http = http_client(access.url, self.deadlines, {"dstcode": access.dstcode})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def put_dossiers(self, bodies: Sequence[Body], *, updating: bool) -> Outcome:
        """``DongBoHoSoMC``: create or replace up to 100 dossiers."""
        fields = {"isUpdating": "True" if updating else "False", "data": list(bodies)}
        codes = [body["MaHoSo"] for body in bodies]
        return await self._call(Service.DOSSIERS, fields, lambda text: answers.read_items(text, codes))

    async def add_steps(self, bodies: Sequence[Body]) -> Outcome:
        """``CapNhatTienDoHoSoMC``: append up to 100 progress steps, up to 10 of one dossier."""
        codes = [body["MaHoSo"] for body in bodies]
        return await self._call(Service.PROGRESS, {"data": list(bodies)}, lambda text: answers.read_items(text, codes))

    async def look_up(self, codes: Sequence[str]) -> LookUpOutcome:
        """``TraCuuHoSo`` of up to 100 dossiers; a dossier without a row is unknown there (or not yet visible, F17)."""
        return await self._call(Service.LOOKUP, {"mahoso": ",".join(codes)}, answers.read_rows)

    async def procedure(self, code: str) -> LookUpOutcome:
        """``LayThuTuc``: one procedure in full, no row if the portal does not know it."""
        return await self._call(Service.PROCEDURE, {"maTTHC": code}, answers.read_rows)

    async def held(self, path: str, after: str, limit: int) -> ListOutcome:
        """A page of the portal's own list, where it offers one: dossiers by code, above ``after``."""
        begun = time.monotonic()
        outcome = await self._held({"after": after, "limit": str(limit), "steps": "true"}, path)
        self._called("list", type(outcome).__name__.lower(), time.monotonic() - begun)
        return outcome

    async def _held(self, parameters: Mapping[str, str], path: str) -> ListOutcome:
        try:
            async with self._places, asyncio.timeout(self.deadlines.total_seconds):
                response = await self._http.get(path, params=parameters)
        except (TimeoutError, httpx.TransportError) as error:
            # nothing is changed by asking
            return Unavailable(f"list: {type(error).__name__}")
        return refused_at_door(response) or answers.read_list(response.content)

    async def _call(
        self, service: str, fields: Mapping[str, Any], read: Callable[[bytes], T | Throttled | Failure]
    ) -> T | Throttled | Failure:
        begun = time.monotonic()
        outcome: T | Throttled | Failure
        try:
            async with self._places, asyncio.timeout(self.deadlines.total_seconds):
                outcome = await self._call_in_session(service, fields, read)
        except TimeoutError:
            outcome = Ambiguous("no answer within the total deadline")
        self._called(service, type(outcome).__name__.lower(), time.monotonic() - begun)
        return outcome

    async def _call_in_session(
        self, service: str, fields: Mapping[str, Any], read: Callable[[bytes], T | Throttled | Failure]
    ) -> T | Throttled | Failure:
        session = await self._sessions.current()
        renewed = False
        if session is None:
            fresh = await self._sessions.renew(None, self._login)
            if not isinstance(fresh, Session):
                return fresh
            session, renewed = fresh, True
        while True:
            body = wire.envelope(service, session.token, self._access.unit, fields)
            outcome = await self._post(self._access.service_path, body, read)
            if not isinstance(outcome, SessionLost) or renewed:
                return outcome
            fresh = await self._sessions.renew(session, self._login)
            if not isinstance(fresh, Session):
                return fresh
            session, renewed = fresh, True

    async def _login(self) -> LoginOutcome:
        body = wire.login_body(self._access.username, self._access.password)
        outcome = await self._post(self._access.login_path, body, answers.read_login)
        match outcome:
            case Ambiguous(reason) | Garbled(reason):
                # a login changes nothing there: the call itself was never sent
                return Unavailable(f"login: {reason}")
            case LoggedIn() | Throttled() | Unavailable() | SessionLost() | Refused():
                return outcome

    async def _post(
        self, path: str, body: Body, read: Callable[[bytes], T | Throttled | Failure]
    ) -> T | Throttled | Failure:
        found = await post(self._http, path, orjson.dumps(body), self._passed)
        return read(found) if isinstance(found, bytes) else found
