"""The ordinary user the embedded servers run as when we are root (PostgreSQL refuses to be root)."""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import FolderError

_CANDIDATES = ("postgres", "nobody", "daemon")

# Prints the first of its arguments that may not be entered (folder) or executed (file).
_PROBE = 'for p in "$@"; do [ -x "$p" ] || { printf %s "$p"; exit 1; }; done'


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine; `uid` is None when we simply stay who we are."""

    name: str
    uid: int | None = None
    gid: int | None = None

    def own(self, path: Path) -> None:
        """Give a path inside the data folder to this account."""
        if self.uid is not None and self.gid is not None and path.stat().st_uid != self.uid:
            os.chown(path, self.uid, self.gid)

    def switch(self) -> dict[str, object]:
        """The arguments of subprocess.Popen that become this account."""
        if self.uid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def ordinary_account(existing: Path) -> Account:
    """Who runs the servers: ourselves, or, as root, the owner of `existing` data or a system user.

    Raises:
        FolderError: `existing` belongs to somebody else, or root finds no ordinary user at all.
    """
    us = os.geteuid()
    owner = existing.stat().st_uid if existing.exists() else None
    if us != 0:
        if owner is not None and owner != us:
            raise FolderError(
                f"{existing} belongs to {_user_name(owner)}, not to {_user_name(us)}: an earlier run used"
                " another account. Run as that user again, or set MOTCUA_DATA_DIR to a folder of your own."
            )
        return Account(_user_name(us))
    if owner:
        return _account(owner)
    for name in _CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(name, entry.pw_uid, entry.pw_gid)
    ordinary = [entry for entry in pwd.getpwall() if entry.pw_uid != 0]
    if not ordinary:
        raise FolderError(
            "PostgreSQL does not run as root and this machine has no other user. Make one (for example with"
            " `useradd motcua`) and start again as that user."
        )
    return Account(ordinary[0].pw_name, ordinary[0].pw_uid, ordinary[0].pw_gid)


def demand_reachable(account: Account, folder: Path, program: Path) -> None:
    """Check that `account` can enter `folder` and execute `program`; nothing is changed.

    Raises:
        FolderError: names the first folder or file that is closed, and what to do about it.
    """
    if account.uid is None:
        return
    for goal, setting in ((folder, "MOTCUA_DATA_DIR"), (program, None)):
        steps = [*reversed(goal.parents), goal]
        done = subprocess.run(
            ["/bin/sh", "-c", _PROBE, "sh", *map(str, steps)],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            **account.switch(),  # type: ignore[call-overload]
        )
        if done.returncode == 0:
            continue
        remedy = (
            f"set {setting} to a folder that every user may enter (such as /var/lib/motcua)"
            if setting
            else "clone the repository to a folder that every user may enter (such as /opt/motcua)"
        )
        raise FolderError(
            f"You are root, and PostgreSQL refuses to run as root, so it runs as the user {account.name!r};"
            f" but that user may not enter {done.stdout} on the way to {goal}. Either run as an ordinary user,"
            f" or {remedy}, or open it yourself with `chmod o+x {done.stdout}`. Nothing was changed."
        )


def _account(uid: int) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError as error:
        raise FolderError(
            f"The data folder belongs to user id {uid}, which this machine does not know. Give it to a known"
            " user, or set MOTCUA_DATA_DIR to another folder."
        ) from error
    return Account(entry.pw_name, uid, entry.pw_gid)


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user id {uid}"
