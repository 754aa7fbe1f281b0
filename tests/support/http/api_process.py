"""The API as a process of its own, on a port of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy.local.servers.port import free_port
from tests.support.servers import ROOT

KEY = {"authorization": "Bearer dev-admin-key"}


@contextmanager
def api_process(database_url: str, tmp_path: Path, redis_url: str = "redis://127.0.0.1:1/0", **more: str) -> Iterator[Any]:
    port = free_port()
    environment = os.environ | {
        "MOTCUA_DATABASE_URL": database_url,
        "MOTCUA_REDIS_URL": redis_url,
        "MOTCUA_API_PORT": str(port),
        "MOTCUA_DATA_DIR": str(tmp_path),
        **more,
    }
    log = tmp_path / f"api-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-m", "services.api"], cwd=ROOT, env=environment, stderr=output)
    try:
        limit = time.monotonic() + 40
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port), 1):
                    break
            except OSError:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < limit, log.read_text()
                time.sleep(0.05)
        yield process, f"http://127.0.0.1:{port}", log
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(8)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
