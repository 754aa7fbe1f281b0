"""`make run` as a person meets it: one READY line, what dies comes back, what stops leaves nothing."""

import os
import signal
import stat
import time
import urllib.request
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from shared.payment_platform.protocol.accounts import PaymentAccounts
from shared.payment_platform.protocol.client import PaymentClient
from shared.payment_platform.protocol.wire import InitAnswer
from shared.settings import Settings
from shared.vocabulary.events import Tenant
from tests.system.local_run import STOP_SECONDS, LocalRun, family, nothing_left, seconds_to_load, wait_until

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

PROGRAMS = ("api", "worker", "portal", "payments", "valkey", "postgres")


def test_it_says_ready_stops_without_a_trace_and_keeps_its_data(local_run: LocalRun) -> None:
    local_run.start().wait_ready()
    api, portal = local_run.api, f"http://127.0.0.1:{local_run.portal_port}"
    assert local_run.printed == f"READY api={api} docs={api}/docs portal={portal}\n"
    for name in PROGRAMS:
        (pid,) = local_run.pids(name)
        assert psutil.pid_exists(pid)
    for name in ("postgres.url", "valkey.url"):
        file = local_run.folder / "run" / name
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert "@127.0.0.1:" in file.read_text()
    assert stat.S_IMODE((local_run.folder / "payments.json").stat().st_mode) == 0o600
    assert local_run.get("/docs", key=None) == 200
    assert local_run.get("/v1/whoami") == 200
    assert local_run.get("/v1/whoami", key=None) == 401

    assert local_run.stop() == 0
    assert nothing_left(local_run)
    assert list((local_run.folder / "run").iterdir()) == []
    secrets = (local_run.folder / "secrets.json").read_text()

    seconds = local_run.start().wait_ready()
    # ten seconds on a machine that has nothing else to do; beside other tests, by the measure of one of its programs
    assert seconds < max(10, 6 * seconds_to_load("services.api.main"))
    assert (local_run.folder / "secrets.json").read_text() == secrets
    assert local_run.stop(signal.SIGINT) == 0
    assert nothing_left(local_run)


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_is_killed_comes_back(standing_run: LocalRun, name: str) -> None:
    (old,) = standing_run.pids(name)
    os.kill(old, signal.SIGKILL)
    seconds = wait_until(lambda: standing_run.pids(name) not in ([], [old]), 5, f"{name} has a new process")
    assert seconds < 2
    assert f"{name} (process {old}) was ended by SIGKILL" in standing_run.said
    wait_until(lambda: standing_run.get("/readyz", key=None) == 200, 30, "the API is ready again")


def listens(run: LocalRun, name: str) -> bool:
    found = [connection for pid in run.pids(name) for connection in psutil.Process(pid).net_connections("tcp")]
    return any(connection.status == psutil.CONN_LISTEN for connection in found)


async def test_the_payment_platform_tells_its_results(standing_run: LocalRun) -> None:
    # another test of the standing run may have killed it right before
    wait_until(lambda: listens(standing_run, "payments"), 30, "the payment platform listens")
    settings = Settings(data_dir=standing_run.folder)
    account = PaymentAccounts.of(settings).by_tenant[Tenant("H51")]["national"]
    client = PaymentClient(account)
    answer = await client.init("dvc0001", 50_000, datetime.now(UTC))
    await client.aclose()
    assert isinstance(answer, InitAnswer)
    request = urllib.request.Request(answer.url, b"{}", {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as paid:
        assert paid.status == 200
    wait_until(lambda: standing_run.get("/v1/payments/dvc0001") == 200, 20, "the result is in the log")


def test_what_keeps_dying_is_started_ever_more_slowly(local_run: LocalRun) -> None:
    local_run.start().wait_ready()
    seen: list[tuple[int, float]] = []
    while len(seen) < 5:
        pids = local_run.pids("portal")
        if pids and pids[0] not in [pid for pid, _ in seen]:
            seen.append((pids[0], time.monotonic()))
            os.kill(pids[0], signal.SIGKILL)
        time.sleep(0.01)
    gaps = [later - earlier for (_, earlier), (_, later) in pairwise(seen)]
    assert gaps[-1] > gaps[0]
    assert gaps[-1] > 0.5


def test_a_second_run_on_the_folder_is_refused(standing_run: LocalRun, place: Path) -> None:
    second = LocalRun(place / "second")
    second.start(MOTCUA_DATA_DIR=str(standing_run.folder))
    assert second.wait_end() == 1
    assert standing_run.process is not None
    assert f"Another run (process {standing_run.process.pid})" in second.said
    assert "MOTCUA_DATA_DIR" in second.said
    assert standing_run.get("/v1/whoami") == 200


def test_what_a_killed_run_left_is_ended_by_the_next(local_run: LocalRun) -> None:
    local_run.start().wait_ready()
    assert local_run.process is not None
    old = {name: local_run.pids(name) for name in PROGRAMS}
    local_run.process.kill()
    local_run.process.wait()
    assert local_run.get("/v1/whoami") == 200, "what it left goes on"

    assert local_run.start().wait_ready() < 25
    assert "ended what a killed run had left" in local_run.said
    for name in PROGRAMS:
        assert local_run.pids(name) != old[name]
        assert not any(psutil.pid_exists(pid) for pid in old[name])
    assert local_run.stop() == 0
    assert nothing_left(local_run)


def test_old_process_numbers_harm_nobody(local_run: LocalRun) -> None:
    """A pid file and a lock file of PostgreSQL from before a restart of the machine name a stranger."""
    local_run.start().wait_ready()
    local_run.stop()
    stranger = os.getpid()
    (local_run.folder / "run" / "api.pid").write_text(f"{stranger}\n")
    lock = local_run.folder / "postgres" / "postmaster.pid"
    lock.write_text(f"{stranger}\n{local_run.folder / 'postgres'}\n1\n5432\n\n127.0.0.1\n1 1\nready\n")
    lock.chmod(0o600)
    local_run.start().wait_ready()
    assert local_run.stop() == 0


def test_several_processes_share_the_port_and_one_dead_is_not_noticed(local_run: LocalRun) -> None:
    local_run.start(MOTCUA_API_PROCESSES="3", MOTCUA_WORKER_PROCESSES="2").wait_ready()
    before = local_run.pids("api")
    assert len(set(before)) == 3
    assert len(set(local_run.pids("worker"))) == 2
    os.kill(before[1], signal.SIGKILL)
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        assert local_run.get("/v1/whoami") == 200
    after = local_run.pids("api")
    assert [after[0], after[2]] == [before[0], before[2]]
    assert after[1] != before[1]
    assert local_run.stop() == 0
    assert nothing_left(local_run)


@pytest.mark.parametrize("seconds", [0.3, 1.0, 2.0, 3.0])
def test_a_signal_during_the_start_leaves_nothing(local_run: LocalRun, seconds: float) -> None:
    local_run.start()
    time.sleep(seconds)
    local_run.stop()
    assert nothing_left(local_run)
    assert "Traceback" not in local_run.said
    local_run.start().wait_ready()


def test_a_killed_make_takes_its_run_along_and_a_stopped_one_hands_the_signal_on(local_run: LocalRun) -> None:
    # PYTHON=true: this test's environment is installed already
    local_run.start("make", "run", "PYTHON=true").wait_ready()
    assert local_run.process is not None
    local_run.process.kill()
    local_run.start("make", "run", "PYTHON=true").wait_ready()
    local_run.stop()
    assert nothing_left(local_run)


def test_reset_stops_the_run_and_empties_the_folder(local_run: LocalRun) -> None:
    local_run.start().wait_ready()
    other = LocalRun(local_run.folder.parent / "other")
    other.start("make", "reset", "PYTHON=true", MOTCUA_DATA_DIR=str(local_run.folder))
    assert other.wait_end() != 0, "there is nobody to ask"
    assert "MOTCUA_YES=1" in other.said
    assert local_run.get("/v1/whoami") == 200
    other.start("make", "reset", "PYTHON=true", MOTCUA_DATA_DIR=str(local_run.folder), MOTCUA_YES="1")
    assert other.wait_end() == 0
    assert local_run.wait_end(STOP_SECONDS) == 0
    assert nothing_left(local_run)
    assert [entry.name for entry in local_run.folder.iterdir()] == ["lock"]


def test_an_ordinary_user_runs_it_too(ordinary_run: LocalRun) -> None:
    ordinary_run.start().wait_ready()
    us = 65534 if os.geteuid() == 0 else os.geteuid()
    assert {process.uids().real for process in family(ordinary_run.folder)} == {us}
    assert ordinary_run.stop() == 0
    assert nothing_left(ordinary_run)
