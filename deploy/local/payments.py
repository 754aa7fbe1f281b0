"""The local run's access to its mock payment platform: partners with generated secrets, in a file of mode 0600."""

from __future__ import annotations

import json
import secrets
from contextlib import suppress

from deploy.local.folder import DataFolder
from deploy.local.servers.port import demanded_port, free_port
from deploy.local.servers.secret import write_private
from shared.settings import LOCAL_TENANT, Settings

GATEWAYS = ("national", "local")


def write_access(folder: DataFolder, settings: Settings) -> int:
    """Write ``payments.json``, with the secrets that it has had before; the port of the mock in it.

    Raises:
        PortError: the port that the setting asks for is taken.
    """
    asked = settings.payments_port
    port = free_port() if asked is None else demanded_port(asked, "MOTCUA_PAYMENTS_PORT")
    path = folder.path / "payments.json"
    known: dict[str, dict[str, str]] = {}
    with suppress(OSError, ValueError, KeyError, TypeError):
        known = json.loads(path.read_text())[LOCAL_TENANT]
    entries = {
        gateway: {
            "url": f"http://127.0.0.1:{port}/api/payment",
            "partner": f"{LOCAL_TENANT}-{gateway}",
            "secret": known.get(gateway, {}).get("secret") or secrets.token_hex(24),
        }
        for gateway in GATEWAYS
    }
    write_private(path, json.dumps({LOCAL_TENANT: entries}, indent=1) + "\n")
    return port
