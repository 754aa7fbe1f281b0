"""A peer: the `eventsourcing` library with its PostgreSQL recorder. ``python -m tests.bench.peers.library < PLAN``."""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from uuid import NAMESPACE_URL, uuid5

from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore

from tests.bench.made_events import some

THREADS = 4


def main() -> None:
    plan = json.load(sys.stdin)
    store = PostgresDatastore(
        dbname=plan["dbname"],
        host="127.0.0.1",
        port=str(plan["port"]),
        user=plan["user"],
        password=plan["password"],
        pool_size=THREADS,
        max_overflow=2,
    )
    recorder = PostgresApplicationRecorder(store, events_table_name="library_event")
    recorder.create_table()
    numbers = count()
    rows = [
        StoredEvent(uuid5(NAMESPACE_URL, f"{number}"), 0, name, data.encode())
        for number, (_, name, _, _, data) in enumerate(some(7, 4_000))
    ]
    made = count(1)

    def fresh(size: int) -> list[StoredEvent]:
        found = []
        for _ in range(size):
            row = rows[next(numbers) % len(rows)]
            found.append(StoredEvent(row.originator_id, next(made), row.topic, row.state))
        return found

    def work(size: int, until: float) -> int:
        done = 0
        while time.perf_counter() < until:
            recorder.insert_events(fresh(size))
            done += size
        return done

    rates = {}
    with ThreadPoolExecutor(THREADS) as pool:
        for size in (1, 100):
            begun = time.perf_counter()
            tasks = [pool.submit(work, size, begun + plan["seconds"]) for _ in range(THREADS)]
            done = sum(task.result() for task in tasks)
            rates[str(size)] = done / (time.perf_counter() - begun)
    store.close()
    print(json.dumps(rates))


if __name__ == "__main__":
    main()
