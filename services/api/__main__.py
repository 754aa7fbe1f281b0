"""``python -m services.api``: one API process."""

import gc
import os
import socket
from types import FrameType
from typing import Final

import uvicorn

from services.api.main import GARBAGE_THRESHOLD, create_app
from services.serving.protocol import ServerProtocol
from shared.observability import configure_logging
from shared.settings import Settings

_GRACE_SECONDS: Final = 4
SOCKET_VARIABLE: Final = "MOTCUA_API_FD"
"""Number of an inherited listening socket: several processes then share one port."""


class _Server(uvicorn.Server):
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # whoever waits for long must know at once: uvicorn waits for them before the lifespan ends
        app = self.config.app
        context = getattr(app.state, "context", None)  # type: ignore[union-attr]
        if context is not None:
            context.stopping.set()
        super().handle_exit(sig, frame)


def main() -> None:
    """Serve until SIGINT or SIGTERM; requests under way have four seconds to end."""
    settings = Settings()
    configure_logging("api", settings.log_level)
    inherited = os.environ.get(SOCKET_VARIABLE)
    config = uvicorn.Config(
        create_app(settings),
        host=settings.api_host,
        port=settings.api_port,
        loop="uvloop",
        http=ServerProtocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        timeout_keep_alive=75,
    )
    gc.set_threshold(GARBAGE_THRESHOLD)
    gc.freeze()
    sockets = [socket.socket(fileno=int(inherited))] if inherited else None
    _Server(config).run(sockets)


if __name__ == "__main__":
    main()
