"""`python -m services.mock_portal`: the mock portal as a process of its own."""

import signal
import socket
import sys
from types import FrameType

import structlog
import uvicorn
from pydantic import ValidationError
from pydantic_settings import SettingsError

from services.mock_portal.app import create_app
from services.mock_portal.portal import Portal
from services.mock_portal.protocol.connection_drops import DroppingProtocol
from services.mock_portal.settings import Settings, wrong_setting
from services.mock_portal.storage.catalogue import Catalogue
from services.mock_portal.storage.store import StoreInUseError

_BACKLOG = 512


class PortalServer(uvicorn.Server):
    """A server that lets hanging calls go as soon as it is told to stop."""

    def __init__(self, config: uvicorn.Config, portal: Portal) -> None:
        super().__init__(config)
        self._portal = portal

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop."""
        super().handle_exit(sig, frame)
        # Set from a signal handler, in the loop's own thread: the loop wakes up by the signal itself.
        self._portal.stopping.set()


def bind(host: str, port: int) -> socket.socket:
    """Take the address; raises `OSError` when it is in use."""
    # With the protocol named, or asyncio leaves Nagle's algorithm on for the accepted connections.
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def main() -> int:
    """Run until SIGTERM or SIGINT; give the exit code."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    log = structlog.get_logger()
    try:
        settings = Settings()
    except (ValidationError, SettingsError) as error:
        sys.stderr.write(f"portal: {wrong_setting(error)}\n")
        return 2
    try:
        Catalogue(settings.catalogue, settings.madonvi)
    except (OSError, ValueError, LookupError, TypeError) as error:
        sys.stderr.write(
            f"portal: MOTCUA_PORTAL_CATALOGUE: {settings.catalogue} is no catalogue, a JSON file with fields, agencies and "
            f"procedures ({type(error).__name__}: {error})\n",
        )
        return 2
    try:
        listener = bind(settings.host, settings.port)
    except OSError as error:
        sys.stderr.write(
            f"portal: cannot listen on {settings.host}:{settings.port} ({error.strerror}). If another process "
            "has the port, stop it or set MOTCUA_PORTAL_PORT.\n",
        )
        return 1
    try:
        portal = Portal(settings)
        portal.take_store()
    except (OSError, ValueError, StoreInUseError) as error:
        listener.close()
        sys.stderr.write(f"portal: cannot open {settings.database}: {error}\n")
        return 1
    host, port = listener.getsockname()[:2]
    log.info("portal_started", url=f"http://{host}:{port}", database=str(settings.database), user=settings.username)
    server = PortalServer(
        uvicorn.Config(
            create_app(portal),
            http=DroppingProtocol,
            ws="none",
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=1,
            timeout_keep_alive=75,
            server_header=False,
        ),
        portal,
    )
    # uvicorn raises the signal again once it has stopped; a portal told to stop has not failed.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _exit)
    try:
        server.run(sockets=[listener])
    finally:
        log.info("portal_stopped")
    return 0


def _exit(_: int, __: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
