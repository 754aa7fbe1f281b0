"""Ports on loopback: free ones, and whether one can be had."""

from __future__ import annotations

import random
import socket

from deploy.local.errors import PortError

# Below the ranges from which Linux (32768) and the BSDs (49152) take the local ports of outgoing connections:
# a server killed under load must find its port free when it comes back.
_LOWEST, _HIGHEST = 20_000, 32_000
_TRIES = 200


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(preferred: int | None = None) -> int:
    """A port free at this moment: the preferred one if it is, else any.

    Raises:
        PortError: none was found.
    """
    if preferred and is_free(preferred):
        return preferred
    for _ in range(_TRIES):
        port = random.randint(_LOWEST, _HIGHEST)  # noqa: S311 - no secret
        if is_free(port):
            return port
    raise PortError(f"No free port between {_LOWEST} and {_HIGHEST} on 127.0.0.1.")


def demanded_port(port: int, setting: str) -> int:
    """The port a setting asks for.

    Raises:
        PortError: it is taken; the message names the setting.
    """
    if not is_free(port):
        raise PortError(
            f"Port {port} on 127.0.0.1 is in use by another program. Set {setting} to a free port, or stop that program."
        )
    return port
