"""`python -m services.mock_payments`: the mock payment platform as a process of its own."""

import sys

import structlog
import uvicorn
from pydantic import ValidationError
from pydantic_settings import SettingsError

from services.mock_payments.app import create_app
from services.mock_payments.settings import Settings
from services.mock_payments.store import StoreInUseError
from services.serving.protocol import ServerProtocol


def main() -> int:
    """Run until SIGTERM or SIGINT; give the exit code."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        settings = Settings()
    except (ValidationError, SettingsError) as error:
        fields = (
            ", ".join(str(one["loc"][0]) for one in error.errors()) if isinstance(error, ValidationError) else str(error)
        )
        sys.stderr.write(f"payments: MOTCUA_PAYMENTS_*: {fields}\n")
        return 2
    try:
        app = create_app(settings)
    except (OSError, ValueError, LookupError, StoreInUseError) as error:
        sys.stderr.write(f"payments: partners or {settings.database} cannot be used ({type(error).__name__}: {error})\n")
        return 1
    structlog.get_logger().info("payments_started", port=settings.port, database=str(settings.database))
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        http=ServerProtocol,
        ws="none",
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=1,
        server_header=False,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
