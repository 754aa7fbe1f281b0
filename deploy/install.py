"""Installs motcua and everything it needs into `.venv`, from the hash-locked list; run by any Python >= 3.11.

``install.py run`` leaves out what only tests and checks need: a newcomer's first start is sooner ready. Standard library
only, for it runs before anything is installed. It does nothing when the present lock is installed.
"""

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
EVERYTHING = "requirements.lock"
FOR_RUNNING = "deploy/image.lock"
OLDEST = (3, 11)


def stamp(lock: str) -> Path:
    """The file that says which state of ``lock`` is installed."""
    return VENV / f"installed-{Path(lock).stem}"


def wanted(lock: str) -> str:
    """What the stamp says when the present state of the inputs is installed in this place."""
    digest = hashlib.sha256(str(ROOT).encode())  # a moved folder breaks the scripts and the editable install
    for name in (lock, "pyproject.toml"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def is_installed(lock: str) -> bool:
    """Whether there is nothing to do. What has everything has what running needs."""
    locks = {lock, EVERYTHING}
    try:
        return PYTHON.exists() and any(stamp(one).exists() and stamp(one).read_text() == wanted(one) for one in locks)
    except OSError:
        return False


def make_environment() -> None:
    """Make `.venv` with pip in it, by whatever this machine has for that."""
    if is_sound():
        return
    shutil.rmtree(VENV, ignore_errors=True)
    ways = [[sys.executable, "-m", "venv", str(VENV)], [sys.executable, "-m", "virtualenv", "-q", str(VENV)]]
    if shutil.which("uv"):
        ways.append(["uv", "venv", "-q", "--seed", "--python", sys.executable, str(VENV)])
    said = ""
    for way in ways:
        done = subprocess.run(way, capture_output=True, text=True, check=False)
        if done.returncode == 0 and is_sound():
            return
        said += done.stdout + done.stderr
        shutil.rmtree(VENV, ignore_errors=True)
    fail(
        f"{said.strip()}\n\nThis Python ({sys.executable}) cannot make a virtual environment. On Debian and Ubuntu the"
        " package python3-venv adds that; any other Python >= 3.11 can be named: make run PYTHON=/path/to/python3."
    )


def is_sound() -> bool:
    """Whether `.venv` has a Python new enough, and pip."""
    if not PYTHON.exists():
        return False
    question = f"import sys, pip; sys.exit(sys.version_info < {OLDEST})"
    return subprocess.run([PYTHON, "-c", question], capture_output=True, check=False).returncode == 0


def pip(*arguments: str) -> None:
    """Run the environment's own pip."""
    quiet = ["-q", "--disable-pip-version-check", "--no-input"]
    if subprocess.run([PYTHON, "-m", "pip", "install", *quiet, *arguments], cwd=ROOT, check=False).returncode != 0:
        fail(
            "The packages could not be installed; the reason stands above. motcua needs a package index that holds what"
            " the lock file names, the first time only."
        )


def fail(text: str) -> None:
    """Say why, and end."""
    sys.exit(f"\nmotcua: {text}")


def main() -> None:
    """Install if need be; one at a time."""
    if sys.version_info < OLDEST:
        version = ".".join(map(str, sys.version_info[:3]))
        fail(f"motcua needs Python 3.11 or newer; {sys.executable} is {version}. Name another: make run PYTHON=python3.12.")
    lock = FOR_RUNNING if sys.argv[1:] == ["run"] else EVERYTHING
    if is_installed(lock):
        return
    with (ROOT / ".venv.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if is_installed(lock):
            return
        print("Installing into .venv (only the first time, and when the lock file changes) …", file=sys.stderr, flush=True)
        for one in (EVERYTHING, FOR_RUNNING):
            stamp(one).unlink(missing_ok=True)
        make_environment()
        # what is imported is compiled then; compiling all of it beforehand takes as long as installing it
        pip("--no-compile", "--require-hashes", "-r", lock)
        pip("--no-compile", "--no-deps", "--no-build-isolation", "-e", ".")
        stamp(lock).write_text(wanted(lock))


if __name__ == "__main__":
    os.umask(0o022)  # the servers' ordinary user must be able to read what root installs
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an exception, so that pip is ended with us
    main()
