"""The passwords of the embedded servers: generated once, kept in the data folder, mode 0600."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from deploy.local.errors import FolderError


@dataclass(frozen=True, slots=True)
class Secrets:
    """One password for each way in."""

    postgres_admin: str
    postgres_owner: str
    postgres_app: str
    valkey: str


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def keep_secrets(path: Path) -> Secrets:
    """Read the passwords, or make them on the first start.

    Raises:
        FolderError: the file is there but cannot be understood.
    """
    names = [field.name for field in fields(Secrets)]
    if path.exists():
        try:
            held = json.loads(path.read_text())
            return Secrets(**{name: str(held[name]) for name in names})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FolderError(
                f"The passwords of the embedded servers cannot be read from {path} ({error}). Restore that file,"
                " or set MOTCUA_DATA_DIR to another folder."
            ) from error
    made = Secrets(**{name: secrets.token_hex(24) for name in names})
    write_private(path, json.dumps(asdict(made), indent=1) + "\n")
    return made
