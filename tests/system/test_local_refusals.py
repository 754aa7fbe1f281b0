"""What `make run` refuses, and whether the message names the setting to change."""

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.local_run import LocalRun, family

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]


def refused(run: LocalRun, *expected: str, **settings: str) -> None:
    run.start(**settings)
    code = run.wait_end()
    said = " ".join(run.said.split())
    assert code != 0
    for part in expected:
        assert part in said
    assert "Traceback" not in said
    assert run.printed == ""
    assert not family(run.folder)


@pytest.mark.parametrize("setting", ["MOTCUA_API_PORT", "MOTCUA_PORTAL_PORT", "MOTCUA_POSTGRES_PORT", "MOTCUA_VALKEY_PORT"])
def test_a_port_in_use(local_run: LocalRun, setting: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refused(local_run, setting, port, **{setting: port})


def a_file(folder: Path) -> None:
    folder.write_text("not a folder")


def foreign_files(folder: Path) -> None:
    folder.mkdir()
    (folder / "thesis.odt").write_text("years of work")


def a_newer_format(folder: Path) -> None:
    folder.mkdir()
    (folder / "motcua.json").write_text(json.dumps({"format": 99}))


def a_damaged_mark(folder: Path) -> None:
    folder.mkdir()
    (folder / "motcua.json").write_text("{")


def another_postgres(folder: Path) -> None:
    folder.mkdir()
    (folder / "motcua.json").write_text(json.dumps({"format": 1}))
    (folder / "postgres").mkdir()
    (folder / "postgres" / "PG_VERSION").write_text("16\n")


def lost_passwords(folder: Path) -> None:
    folder.mkdir()
    (folder / "motcua.json").write_text(json.dumps({"format": 1}))
    (folder / "secrets.json").write_text("{}")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (a_file, "it is not a folder"),
        (foreign_files, "thesis.odt"),
        (a_newer_format, "made by a newer version"),
        (a_damaged_mark, "motcua.json is damaged"),
        (another_postgres, "was made by PostgreSQL 16"),
        (lost_passwords, "secrets.json"),
    ],
)
def test_a_folder_that_cannot_be_used(local_run: LocalRun, spoil: Callable[[Path], None], words: str) -> None:
    spoil(local_run.folder)
    refused(local_run, words, "MOTCUA_DATA_DIR")


def test_foreign_files_are_not_reset_either(local_run: LocalRun) -> None:
    foreign_files(local_run.folder)
    local_run.start("make", "reset", "PYTHON=true", MOTCUA_YES="1")
    assert local_run.wait_end() != 0
    assert (local_run.folder / "thesis.odt").read_text() == "years of work"


def test_a_broken_cluster(local_run: LocalRun) -> None:
    local_run.start().wait_ready()
    local_run.stop()
    (local_run.folder / "postgres" / "global" / "pg_control").write_bytes(b"")
    refused(local_run, "postgres ends right after its start", "pg_control")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"MOTCUA_API_HOST": "0.0.0.0", "MOTCUA_DEV_KEY": "known-to-all"}, ["MOTCUA_DEV_KEY", "MOTCUA_API_HOST"]),
        ({"MOTCUA_API_HOST": "203.0.113.9"}, ["MOTCUA_API_HOST"]),
        ({"MOTCUA_API_PORT": "abc"}, ["MOTCUA_API_PORT='abc'"]),
        ({"MOTCUA_API_PROCESSES": "0"}, ["MOTCUA_API_PROCESSES='0'"]),
        ({"MOTCUA_MIGRATION_DATABASE_URL": "postgresql://a@127.0.0.1/b"}, ["MOTCUA_DATABASE_URL is not"]),
        ({"MOTCUA_DATABASE_URL": "postgresql://a:b@127.0.0.1:9/c"}, ["MOTCUA_DATABASE_URL", "cannot be used"]),
        ({"MOTCUA_REDIS_URL": "redis://127.0.0.1:9/0"}, ["MOTCUA_REDIS_URL", "cannot be used"]),
    ],
)
def test_settings_that_cannot_work(local_run: LocalRun, settings: dict[str, str], words: list[str]) -> None:
    refused(local_run, *words, **settings)


@pytest.mark.skipif(os.geteuid() != 0, reason="about root's own trouble")
def test_root_is_told_which_folder_is_closed(local_run: LocalRun, place: Path) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    refused(local_run, f"may not enter {closed}", "MOTCUA_DATA_DIR", MOTCUA_DATA_DIR=str(closed / "var"))
    assert closed.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_may_not_be_written(ordinary_run: LocalRun) -> None:
    ordinary_run.folder.mkdir(mode=0o555)
    if os.geteuid() == 0:
        ordinary_run.folder.chmod(0o755)  # root's, closed to the ordinary user
    refused(ordinary_run, "it may not be written or entered by you", "MOTCUA_DATA_DIR")


@pytest.mark.skipif(os.geteuid() != 0, reason="a small disk needs root to be mounted")
def test_a_full_disk(local_run: LocalRun, place: Path) -> None:
    if os.system(f"mount -t tmpfs -o size=20m,mode=755 none {place} 2>/dev/null") != 0:
        pytest.skip("no file system can be mounted here")
    try:
        refused(local_run, "MB left", "MOTCUA_DATA_DIR")
    finally:
        os.system(f"umount {place}")
