"""The load client, a process of its own so that it measures and does not disturb: ``python -m tests.bench.load < PLAN``.

Keep-alive connections on one event loop, answers read only as far as their length: about 10 µs a request.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import resource
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(slots=True)
class Plan:
    """What to send. Bodies come from ``bodies`` (a file of lines), ``batch`` of them in each request."""

    port: int
    key: str
    connections: int
    seconds: float
    paths: list[str]
    bodies: str = ""
    first_body: int = 0
    batch: int = 1
    most: int = 0
    """Requests in all; 0: until the seconds are over."""
    rate: float = 0.0
    """Requests begun in a second, whatever the answers (open loop); 0: each connection sends when it has been answered."""
    warm_seconds: float = 0.3
    extra_headers: str = ""
    seed: int = 1


@dataclass(slots=True)
class Measured:
    """What came of it. Seconds of answers are counted from when a request was due."""

    requests: int
    seconds: float
    statuses: dict[str, int]
    p50: float
    p95: float
    p99: float
    worst: float
    cpu_seconds: float
    bodies_sent: int
    sample: str = ""
    timeline: list[int] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    def demand_only(self, *statuses: int) -> Measured:
        """Refuse a measurement in which something else was answered."""
        if set(self.statuses) - {str(status) for status in statuses}:
            raise AssertionError(f"answers that were not expected: {self.statuses}; one of them: {self.sample[:400]}")
        return self


class _Requests:
    """Makes the bytes of one request after the other."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.sent = 0
        self.bodies: list[bytes] = []
        self.next_body = plan.first_body
        if plan.bodies:
            self.bodies = Path(plan.bodies).read_bytes().splitlines()
        chance = random.Random(plan.seed)
        self.paths = list(plan.paths)
        chance.shuffle(self.paths)
        head = f"Host: bench\r\nAuthorization: Bearer {plan.key}\r\n{plan.extra_headers}"
        self.gets = [f"GET {path} HTTP/1.1\r\n{head}\r\n".encode() for path in self.paths]
        kind = "cloudevents+json" if plan.batch == 1 else "cloudevents-batch+json"
        self.post = f"POST {plan.paths[0]} HTTP/1.1\r\n{head}Content-Type: application/{kind}\r\nContent-Length: ".encode()

    def next(self) -> bytes | None:
        if self.plan.most and self.sent >= self.plan.most:
            return None
        self.sent += 1
        if not self.bodies:
            return self.gets[self.sent % len(self.gets)]
        begin = self.next_body
        if begin + self.plan.batch > len(self.bodies):
            return None
        self.next_body += self.plan.batch
        body = self.bodies[begin]
        if self.plan.batch > 1:
            body = b"[" + b",".join(self.bodies[begin : begin + self.plan.batch]) + b"]"
        return b"%s%d\r\n\r\n%s" % (self.post, len(body), body)


class _Connection(asyncio.Protocol):
    def __init__(self, load: _Load) -> None:
        self.load = load
        self.received = bytearray()
        self.needed = -1
        self.due = 0.0
        self.busy = False
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def send(self, request: bytes, due: float) -> None:
        self.due, self.busy = due, True
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.received += data
        if self.needed < 0:
            end = self.received.find(b"\r\n\r\n")
            if end < 0:
                return
            length = _LENGTH.search(self.received, 0, end + 2)
            self.needed = end + 4 + (int(length[1]) if length else 0)
        if len(self.received) >= self.needed:
            answer = bytes(self.received)
            self.received.clear()
            self.needed, self.busy = -1, False
            self.load.answered(self, answer)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.load.ended:
            self.load.fail(exc or ConnectionError("the server closed a connection"))


class _Load:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.requests = _Requests(plan)
        self.latencies: list[float] = []
        self.statuses: Counter[str] = Counter()
        self.sample = ""
        self.ended = False
        self.open = 0
        self.timeline: Counter[int] = Counter()
        self.late: list[float] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.idle: list[_Connection] = []

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)

    def answered(self, connection: _Connection, answer: bytes) -> None:
        now = time.perf_counter()
        status = answer[9:12].decode()
        if now >= self.begin:
            self.latencies.append(now - connection.due)
            self.statuses[status] += 1
            self.timeline[int(now - self.begin)] += 1
        if status[0] != "2":
            self.sample = answer.decode(errors="replace")
        self.open -= 1
        if self.plan.rate:
            if self.late:
                self.start(connection, self.late.pop(0))
            else:
                self.idle.append(connection)
        elif now < self.end:
            self.start(connection, now)
        self.look_for_end(now)

    def look_for_end(self, now: float) -> None:
        if self.open == 0 and not self.late and now >= self.end and not self.done.done():
            self.done.set_result(None)

    def start(self, connection: _Connection, due: float) -> None:
        request = self.requests.next()
        if request is None:
            self.end = min(self.end, time.perf_counter())
            self.look_for_end(time.perf_counter())
            return
        self.open += 1
        connection.send(request, due)

    async def run(self) -> Measured:
        loop = asyncio.get_running_loop()
        connections = []
        for _ in range(self.plan.connections):
            _, connection = await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self.plan.port)
            connections.append(connection)
        cpu = resource.getrusage(resource.RUSAGE_SELF)
        begun = time.perf_counter()
        self.begin = begun + self.plan.warm_seconds
        self.end = self.begin + self.plan.seconds
        if self.plan.rate:
            self.idle = connections
            await self._keep_the_rate(begun)
        else:
            for connection in connections:
                self.start(connection, time.perf_counter())
        await asyncio.wait_for(self.done, self.plan.seconds + self.plan.warm_seconds + 120)
        self.ended = True
        seconds = min(time.perf_counter(), self.end) - self.begin
        used = resource.getrusage(resource.RUSAGE_SELF)
        for connection in connections:
            connection.transport.close()
        ordered = sorted(self.latencies) or [0.0]

        def quantile(share: float) -> float:
            return ordered[min(int(len(ordered) * share), len(ordered) - 1)]

        return Measured(
            requests=len(self.latencies),
            seconds=max(seconds, 1e-6),
            statuses=dict(self.statuses),
            p50=quantile(0.5),
            p95=quantile(0.95),
            p99=quantile(0.99),
            worst=ordered[-1],
            cpu_seconds=used.ru_utime + used.ru_stime - cpu.ru_utime - cpu.ru_stime,
            bodies_sent=self.requests.next_body - self.plan.first_body,
            sample=self.sample[-600:],
            timeline=[self.timeline[second] for second in range(int(self.plan.seconds))],
        )

    async def _keep_the_rate(self, begun: float) -> None:
        number = 0
        while (due := begun + number / self.plan.rate) < self.end:
            pause = due - time.perf_counter()
            if pause > 0:
                await asyncio.sleep(pause)
            number += 1
            if self.idle:
                # each in its turn: one that is left idle for long is closed by the server
                self.start(self.idle.pop(0), due)
            else:
                self.late.append(due)
        await asyncio.sleep(max(self.end - time.perf_counter(), 0) + 0.001)
        self.look_for_end(time.perf_counter())


def run(plan: Plan) -> Measured:
    """Run the plan in a process of its own."""
    return finish(begin(plan))


def begin(plan: Plan) -> subprocess.Popen[str]:
    """Start a plan; `finish` waits for it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(asdict(plan)))
    process.stdin.close()
    return process


def finish(process: subprocess.Popen[str]) -> Measured:
    """What a plan under way measured."""
    assert process.stdout is not None
    said = process.stdout.read()
    if process.wait() != 0:
        raise AssertionError("the load client failed")
    return Measured(**json.loads(said))


def upload(port: int, key: str, file: Path) -> tuple[dict[str, Any], float]:
    """Send a file of lines in one request; the last line of the answer, and the seconds it took."""
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.load", str(port), key, str(file)], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout), time.perf_counter() - begun


def _upload(port: int, key: str, file: str) -> None:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3_600, blocksize=256 * 2**10)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"}
    with Path(file).open("rb") as lines:
        connection.request("POST", "/v1/events", lines, headers | {"Content-Length": str(Path(file).stat().st_size)})
        answer = connection.getresponse()
        last = b""
        for logged in answer:
            last = logged
    assert answer.status == 200, (answer.status, last)
    print(last.decode())


async def _main() -> None:
    print(json.dumps(asdict(await _Load(Plan(**json.load(sys.stdin))).run())))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _upload(int(sys.argv[1]), sys.argv[2], sys.argv[3])
    else:
        import uvloop

        uvloop.run(_main())
