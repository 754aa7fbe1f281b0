"""`make check`: do the migrations lead to exactly the tables that the code describes?"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from deploy.local.programs import ROOT
from deploy.local.servers.account import ordinary_account
from deploy.local.servers.port import free_port
from deploy.local.servers.postgres import APP, OWNER, Postgres
from deploy.local.servers.secret import keep_secrets


def check_drift() -> int:
    """Migrate an empty scratch database and compare; the exit code."""
    with tempfile.TemporaryDirectory(prefix="motcua-drift-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)
        server = Postgres(
            folder / "postgres",
            folder / "postgres.log",
            free_port(),
            ordinary_account(folder / "postgres"),
            keep_secrets(folder / "secrets.json"),
            short_lived=True,
        )
        server.create()
        process = server.start()
        try:
            server.wait_ready(process)
            server.provide_roles()
            addresses = {"MOTCUA_DATABASE_URL": server.url(APP), "MOTCUA_MIGRATION_DATABASE_URL": server.url(OWNER)}
            for command in (["upgrade", "head"], ["check"]):
                done = subprocess.run(
                    [sys.executable, "-m", "alembic", *command],
                    cwd=ROOT,
                    env=os.environ | addresses,
                    check=False,
                )
                if done.returncode != 0:
                    return done.returncode
        finally:
            server.stop(process)
    return 0
