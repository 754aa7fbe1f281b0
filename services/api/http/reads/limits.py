"""How much may be read at once, in one process: by everybody, and by one key (``docs/limits.md``)."""

from typing import Final

READ_CONNECTIONS: Final = 8
"""Ordinary questions."""

HEAVY_CONNECTIONS: Final = 3
"""Heavy reads: one for each place, so that who has a place never waits for a connection."""

DOOR_CONNECTIONS: Final = 3
"""Keys, catalogues, what the intake looks up, watchers: short statements by which every request passes."""

HEALTH_CONNECTIONS: Final = 2

WRITE_CONNECTIONS: Final = 4

HEAVY_BY_KEY: Final = 2
HEAVY_WAITING: Final = 200
HEAVY_WAITING_BY_KEY: Final = 20
HEAVY_WAIT_SECONDS: Final = 10.0

HEAVY_STATEMENT_SECONDS: Final = 60

EXPORTS: Final = 8
EXPORTS_BY_KEY: Final = 4

UNREAD_SECONDS: Final = 60.0
"""An export of which the client takes nothing for so long is cut: it has one of few places."""

STREAMS: Final = 1_000
STREAMS_BY_KEY: Final = 20

STREAM_EVENTS_A_SECOND: Final = 500
"""Of figures, to all streams together: beyond a hundred streams each is told less often than five times a second."""

POLLS: Final = 1_000
POLLS_BY_KEY: Final = 50

RETRY_AFTER_SECONDS: Final = 5
