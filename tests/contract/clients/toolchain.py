"""The tools that clients are made and compiled with: found on the PATH, or installed once and kept beside `.venv`."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from tests.support.servers import ROOT

NODE = Path(__file__).parent / "node"
KEPT = ROOT / ".clients"
"""Node's packages; not in git."""
QUICK = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""For Java programs of few seconds: compiling one's own code thoroughly takes three times as long as running it so."""

# `.ci/run` sets these: there nothing is skipped
needs_node = pytest.mark.skipif(
    shutil.which("npm") is None and "REQUIRE_NODE" not in os.environ, reason="there is no Node with npm on the PATH"
)
needs_java = pytest.mark.skipif(
    shutil.which("java") is None and "REQUIRE_JDK" not in os.environ, reason="there is no Java on the PATH"
)
needs_jdk = pytest.mark.skipif(
    shutil.which("javac") is None and "REQUIRE_JDK" not in os.environ, reason="there is no JDK on the PATH"
)


def run(*command: str | Path, folder: Path, told: str | None = None) -> str:
    """Run a program to its end and answer what it printed; what it needs from a registry is there already."""
    path = [str(Path(sys.executable).parent), str(folder / "node_modules" / ".bin"), os.environ["PATH"]]
    environment = os.environ | {
        "PATH": os.pathsep.join(path),
        "npm_config_offline": "true",
        "NO_COLOR": "1",
        "JAVA_TOOL_OPTIONS": QUICK,
    }
    done = subprocess.run(
        command, cwd=folder, env=environment, input=told, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def node_modules() -> Path:
    """The pinned packages of Node, installed when the lock has changed."""
    lock = (NODE / "package-lock.json").read_bytes()
    folder = KEPT / f"node-{hashlib.sha256(lock).hexdigest()[:12]}"
    KEPT.mkdir(exist_ok=True)
    with FileLock(KEPT / "turn.lock"):
        if not (folder / "whole").exists():
            for old in KEPT.glob("node-*"):
                shutil.rmtree(old)
            shutil.copytree(NODE, folder)
            npm = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
            done = subprocess.run(npm, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
            assert done.returncode == 0, done.stderr
            (folder / "whole").touch()
    return folder / "node_modules"


def generator_jar() -> Path:
    """The one file of openapi-generator; it holds what its Java clients stand on."""
    files = importlib.metadata.files("openapi-generator-cli") or []
    return Path(str(next(file.locate() for file in files if file.suffix == ".jar")))
