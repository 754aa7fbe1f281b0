"""The small parts of the local run: rotation of logs, delays between restarts, ports, the folder's lock."""

import socket
from pathlib import Path

import pytest

from deploy.local.errors import FolderError, PortError
from deploy.local.folder import DataFolder
from deploy.local.logs import rotate
from deploy.local.servers.port import demanded_port, free_port, is_free
from deploy.local.servers.secret import keep_secrets
from deploy.local.supervisor import LONGEST_DELAY_SECONDS, restart_delay_seconds


def test_a_log_that_grew_too_large_is_set_aside_under_its_writer(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    with log.open("a") as writer:
        for generation in range(6):
            writer.write(f"{generation}" * 100)
            writer.flush()
            rotate(tmp_path, largest_bytes=50, kept=3)
        writer.write("and on")
        writer.flush()
    assert log.read_text() == "and on"
    assert [path.read_text()[0] for path in sorted(tmp_path.glob("api.log.*"))] == ["5", "4", "3"]


def test_a_small_log_stays(tmp_path: Path) -> None:
    (tmp_path / "api.log").write_text("short")
    rotate(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["api.log"]


def test_delays_grow_to_a_bound() -> None:
    delays = [restart_delay_seconds(failures) for failures in range(1, 12)]
    assert delays[0] <= 0.1
    assert delays == sorted(delays)
    assert delays[-1] == LONGEST_DELAY_SECONDS


def test_a_port_in_use_is_not_free() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not is_free(port)
        assert free_port(preferred=port) != port
        with pytest.raises(PortError, match="MOTCUA_X_PORT"):
            demanded_port(port, "MOTCUA_X_PORT")


def test_the_folder_knows_its_holder(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    assert folder.holder() is None
    with folder.locked():
        assert folder.holder() is not None
        with pytest.raises(FolderError, match="Another run"), folder.locked():
            pass
    assert folder.holder() is None


def test_passwords_are_made_once_and_are_nobody_elses(tmp_path: Path) -> None:
    made = keep_secrets(tmp_path / "secrets.json")
    assert keep_secrets(tmp_path / "secrets.json") == made
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert len({made.postgres_admin, made.postgres_owner, made.postgres_app, made.valkey}) == 4
