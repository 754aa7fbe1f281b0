"""Keeps programs running: starts them, starts the dead ones again, stops them in order."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import Final

import psutil

from deploy.local.errors import ProgramError
from deploy.local.folder import DataFolder
from deploy.local.logs import rotate
from deploy.local.process import tail

FIRST_DELAY_SECONDS: Final = 0.1
LONGEST_DELAY_SECONDS: Final = 15.0
STEADY_SECONDS: Final = 20.0  # a program that has lived this long starts again with a clean slate
FIRST_START_TRIES: Final = 3

NEARLY_FULL_BYTES: Final = 64 * 2**20

_PULSE_SECONDS = 0.1
_IDLE_SECONDS = 1.0
_ROTATE_EVERY_SECONDS = 5.0

Popen = subprocess.Popen[bytes]


class Stopped(Exception):  # noqa: N818 - not an error: somebody asked us to stop
    """A signal asked the run to end."""


@dataclass(frozen=True, slots=True)
class Program:
    """How one kind of program is started and stopped."""

    name: str
    start: Callable[[], Popen]
    is_ready: Callable[[Popen], bool]
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 10.0
    ready_seconds: float = 60.0
    count: int = 1


@dataclass(slots=True)
class _Seat:
    """One process of a program, and what is known of its life."""

    program: Program
    process: Popen | None = None
    begun_at: float = 0.0
    due_at: float = 0.0
    failures: int = 0
    was_ready: bool = False


def restart_delay_seconds(failures: int) -> float:
    """How long to wait before the next start after so many deaths in a row."""
    return min(FIRST_DELAY_SECONDS * 2.0 ** max(failures - 1, 0), LONGEST_DELAY_SECONDS)


def _begun_by_make() -> int | None:
    try:
        parent = psutil.Process(os.getppid())
        return parent.pid if "make" in parent.name() else None
    except psutil.Error:
        return None


@dataclass(slots=True)
class Supervisor:
    """The programs of one run. Not for threads: everything happens inside `attend`."""

    folder: DataFolder
    say: Callable[[str], None]
    _seats: list[_Seat] = field(default_factory=list)
    _asked: signal.Signals | None = None
    _rotated_at: float = 0.0
    _wakeup: tuple[int, int] = (-1, -1)
    _make: int | None = None
    _visitor: Popen | None = None

    def open(self) -> None:
        """Take over the signals of this process."""
        self._wakeup = os.pipe()
        for end in self._wakeup:
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._wakeup[1], warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)  # its byte in the pipe wakes us
        self._make = _begun_by_make()

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        self._asked = self._asked or signal.Signals(number)

    # ---- starting

    def start(self, program: Program) -> None:
        """Start every process of a program, without waiting for it."""
        for _ in range(program.count):
            seat = _Seat(program)
            self._seats.append(seat)
            self._begin(seat)
        self._write_pids(program)

    def wait_ready(self, program: Program) -> None:
        """Wait until every process of a program is ready.

        Raises:
            ProgramError: it keeps dying, or takes too long.
            Stopped: somebody asked us to stop.
        """
        seats = [seat for seat in self._seats if seat.program is program]

        def settled() -> bool:
            return all(seat.was_ready for seat in seats) or any(seat.failures >= FIRST_START_TRIES for seat in seats)

        done = self.attend(settled, program.ready_seconds)
        if done and all(seat.was_ready for seat in seats):
            return
        log = self.folder.log(program.name)
        how = "ends right after its start" if done else f"was not ready after {program.ready_seconds:.0f} s"
        raise ProgramError(f"{program.name} {how}. The end of {log}:\n{tail(log)}")

    def _begin(self, seat: _Seat) -> None:
        seat.begun_at = time.monotonic()
        seat.was_ready = False
        try:
            seat.process = seat.program.start()
        except OSError as error:
            seat.process = None
            seat.failures += 1
            seat.due_at = time.monotonic() + restart_delay_seconds(seat.failures)
            self.say(f"{seat.program.name} could not be started: {error}")

    def _write_pids(self, program: Program) -> None:
        pids = [seat.process.pid for seat in self._seats if seat.program is program and seat.process is not None]
        path = self.folder.run / f"{program.name}.pid"
        draft = path.with_name(path.name + ".new")
        with suppress(OSError):  # a full disk must not end what still works
            draft.write_text("".join(f"{pid}\n" for pid in pids))
            draft.replace(path)

    # ---- attending

    def attend(self, until: Callable[[], bool], seconds: float | None = None, *, idle: bool = False) -> bool:
        """Look after the programs until a condition holds; False if it does not in time.

        Raises:
            Stopped: somebody asked us to stop.
        """
        limit = None if seconds is None else time.monotonic() + seconds
        while True:
            self._look_after()
            if self._asked is not None:
                raise Stopped(self._asked.name)
            if until():
                return True
            if limit is not None and time.monotonic() > limit:
                return False
            self._sleep(_IDLE_SECONDS if idle else _PULSE_SECONDS)

    def forever(self) -> None:
        """Look after the programs until somebody asks us to stop.

        Raises:
            Stopped: always, in the end.
        """
        self.attend(lambda: False, idle=True)

    def visit(self, start: Callable[[], Popen], seconds: float | None = None) -> int | None:
        """Run a program once beside the others; its return code, or None when it took too long and was ended."""
        visitor = self._visitor = start()
        if not self.attend(lambda: visitor.poll() is not None, seconds):
            visitor.kill()
            visitor.wait()
            return None
        self._visitor = None
        return visitor.returncode

    def _look_after(self) -> None:
        now = time.monotonic()
        for seat in self._seats:
            if seat.process is None:
                if now >= seat.due_at:
                    self._revive(seat)
            elif seat.process.poll() is not None:
                self._bury(seat, seat.process, now)
            elif not seat.was_ready:
                seat.was_ready = seat.program.is_ready(seat.process)
        if now - self._rotated_at > _ROTATE_EVERY_SECONDS:
            self._rotated_at = now
            rotate(self.folder.logs)
        if self._make is not None and os.getppid() != self._make and self._asked is None:
            self.say("the make that started this run is gone; stopping")
            self._asked = signal.SIGHUP

    def _revive(self, seat: _Seat) -> None:
        self._begin(seat)
        if seat.process is not None:
            self.say(f"{seat.program.name} started again as process {seat.process.pid}")
        self._write_pids(seat.program)

    def _bury(self, seat: _Seat, process: Popen, now: float) -> None:
        code = process.returncode
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        seat.failures = 1 if now - seat.begun_at > STEADY_SECONDS else seat.failures + 1
        delay = restart_delay_seconds(seat.failures)
        seat.due_at = now + delay
        seat.process = None
        self.say(f"{seat.program.name} (process {process.pid}) {how}; starting it again in {delay:.1f} s")
        free = self.folder.free_bytes()
        if free < NEARLY_FULL_BYTES:
            self.say(f"the disk of {self.folder.path} is full ({free // 2**20} MB left); make room")

    def _sleep(self, seconds: float) -> None:
        due = [seat.due_at - time.monotonic() for seat in self._seats if seat.process is None]
        if any(seat.process is not None and not seat.was_ready for seat in self._seats):
            due.append(_PULSE_SECONDS)
        select.select([self._wakeup[0]], [], [], max(0.0, min([seconds, *due])))
        with suppress(BlockingIOError):
            os.read(self._wakeup[0], 4096)

    # ---- stopping

    def stop(self) -> None:
        """Stop everything, the last started first; whoever does not listen is killed."""
        if self._visitor is not None and self._visitor.poll() is None:
            _end([self._visitor], signal.SIGTERM, 5.0)
        programs: list[Program] = []
        for seat in self._seats:
            if seat.program not in programs:
                programs.append(seat.program)
        for program in reversed(programs):
            living = [s.process for s in self._seats if s.program is program and s.process is not None]
            for process in _end(living, program.stop_signal, program.stop_seconds):
                self.say(f"{program.name} (process {process.pid}) did not stop in {program.stop_seconds:.0f} s: killed")
            (self.folder.run / f"{program.name}.pid").unlink(missing_ok=True)
        self._seats.clear()


def _end(processes: Sequence[Popen], polite: signal.Signals, seconds: float) -> list[Popen]:
    """End processes of ours together; those that had to be killed."""
    for process in processes:
        process.send_signal(signal.SIGCONT)
        process.send_signal(polite)
    limit = time.monotonic() + seconds
    stubborn = []
    for process in processes:
        try:
            process.wait(max(0.0, limit - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            stubborn.append(process)
    return stubborn
