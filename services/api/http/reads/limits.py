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

READER_READ_CONNECTIONS: Final = 3
READER_DOOR_CONNECTIONS: Final = 2
"""Of the reader, the process for heavy reads, which has those for heavy reads beside these."""

READER_IDLE_BYTES: Final = 256 * 2**20
READER_IDLE_SECONDS: Final = 310.0
"""After so long without a request nothing that the reader remembers is of use: one that is larger than that is replaced."""

READER_REMEMBERED_BYTES: Final = 1_500
"""A dossier as of an instant: with as many as are remembered a reader may be so much larger while it is used."""

UNREAD_SECONDS: Final = 60.0
"""An export of which the client takes nothing for so long is cut: it has one of few places."""

STREAMS: Final = 1_000
STREAMS_BY_KEY: Final = 20

STREAM_EVENTS_A_SECOND: Final = 500
"""Of figures, to all streams together: beyond a hundred streams each is told less often than five times a second."""

POLLS: Final = 1_000
POLLS_BY_KEY: Final = 50
POLL_ANSWERS_A_SECOND: Final = 300
"""To all polls together: of many each is answered less often, with more at once."""

RETRY_AFTER_SECONDS: Final = 5
