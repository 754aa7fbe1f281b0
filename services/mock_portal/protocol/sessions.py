"""Who is logged in, and how often they call. Held in memory: a restarted portal knows no session."""

import re
import secrets
from collections import deque
from hmac import compare_digest
from typing import Final

from services.mock_portal.settings import Settings

_UNIT_CODE: Final = re.compile(r"\d{3}\.\d{2}\.\d{2}\.[GH]\d{2}", re.ASCII)
_WINDOW_SECONDS: Final = 60.0


class Sessions:
    """Sessions with an absolute life; a new login does not end the old session."""

    def __init__(self, settings: Settings) -> None:
        self._default = (settings.username, settings.password)
        self._users = settings.users
        self._held: dict[str, tuple[str, float]] = {}

    def __len__(self) -> int:
        return len(self._held)

    def log_in(self, username: object, password: object, *, now: float) -> str | None:
        """Give a new session, or None when the portal does not know this user with this password."""
        if not isinstance(username, str) or not isinstance(password, str):
            return None
        expected = self._password_of(username)
        if expected is None or not compare_digest(expected.encode(), password.encode()):
            return None
        session = secrets.token_hex(16)
        self._held[session] = (username, now)
        return session

    def user_of(self, session: object, *, now: float, life_seconds: float) -> str | None:
        """Give the user of a session that is still alive."""
        if not isinstance(session, str) or session not in self._held:
            return None
        username, since = self._held[session]
        if now - since >= life_seconds:
            # Sessions are held in the order of their beginning, so the ended ones stand in front.
            for old, (_, begun) in list(self._held.items()):
                if now - begun < life_seconds:
                    break
                del self._held[old]
            return None
        return username

    def end(self, session: object) -> None:
        if isinstance(session, str):
            self._held.pop(session, None)

    def clear(self) -> None:
        self._held.clear()

    def _password_of(self, username: str) -> str | None:
        default_name, default_password = self._default
        if username in self._users:
            return self._users[username]
        if username == default_name or (not self._users and _UNIT_CODE.fullmatch(username)):
            return default_password
        return None


class RateWindow:
    """At most so many calls of a user in any 60 seconds; refused calls do not count."""

    def __init__(self) -> None:
        self._calls: dict[str, deque[float]] = {}

    def wait_seconds(self, username: str, *, now: float, calls_per_minute: int) -> float:
        """Count a call; give 0 when it may pass, otherwise the seconds until the next one may."""
        if not calls_per_minute:
            return 0.0
        times = self._calls.setdefault(username, deque())
        while times and now - times[0] >= _WINDOW_SECONDS:
            times.popleft()
        if len(times) < calls_per_minute:
            times.append(now)
            return 0.0
        return _WINDOW_SECONDS - (now - times[len(times) - calls_per_minute])

    def clear(self) -> None:
        """Forget all calls."""
        self._calls.clear()
