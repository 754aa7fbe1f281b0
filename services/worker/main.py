"""The worker process: its loops, what rings them, and its end. The composition root: only here values are wired."""

import asyncio
import gc
import signal
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, Final, Protocol, assert_never

import uvloop
from sqlalchemy.ext.asyncio import AsyncEngine

from services.worker.audit.audit import Audits
from services.worker.audit.rebuild import Rebuild
from services.worker.deadlines.due_date_clock import Clock, Examiner
from services.worker.deadlines.overdue_events import OverdueEvents
from services.worker.payment_platform.inquiries import LOOK_SECONDS as ASKED_SECONDS
from services.worker.payment_platform.inquiries import PaymentInquiries
from services.worker.payments.watch import LOOK_SECONDS as STATEMENT_LOOK_SECONDS
from services.worker.payments.watch import StatementWatch
from services.worker.projection.projector import Projector
from services.worker.projection.record_projector import RecordProjector
from services.worker.projection.turns import ProjectionTurns
from services.worker.runtime.fail_points import FailPoints
from services.worker.runtime.job_runner import Handler, JobRunner
from services.worker.runtime.metrics import WorkerMetrics
from services.worker.runtime.nightly import AUDIT, COMPARISON, NightlySchedule
from services.worker.runtime.tenant_loop import TenantLoop
from services.worker.sync.reconcile import Reconcile
from services.worker.sync.replay import Replay
from services.worker.sync.senders import PortalSync
from services.worker.sync.watch import LOOK_SECONDS, TIDY_SECONDS, Tidy, Watch
from shared.catalogue.store.cache import CatalogueCache
from shared.database.engine import create_engine
from shared.database.kill_points import Passed, kill_point
from shared.doorbell import Topic, run_worker
from shared.jobs.store.queue import JobKind
from shared.observability import configure_logging, failure_of, get_logger, new_registry
from shared.payments.store import statements as statement_store
from shared.projection.rules.register_projections import PROJECTIONS
from shared.settings import Settings
from shared.sync.store.alarms import limits_of
from shared.vocabulary.events import Tenant

PATIENCE_SECONDS: Final = 3.0
"""So long may what is at work take to come to its end after SIGTERM."""

CONNECTIONS: Final = 24
STATEMENT_SECONDS: Final = 60.0
RESTART_SECONDS: Final = 1.0
GARBAGE_THRESHOLD: Final = 50_000
"""A batch makes tens of thousands of objects that die together; looking at them every 700 costs a tenth of the fold."""


class Worked(Protocol):
    """What works on its own and can be rung: a `TenantLoop`, or the portal sync."""

    def ring(self, tenant: Tenant) -> None:
        """Look now for ``tenant``."""

    async def run(self) -> None:
        """Work until stopped."""

    async def stop(self, patience_seconds: float) -> None:
        """End."""


class Worker:
    """The loops of one process."""

    def __init__(self, engine: AsyncEngine, settings: Settings, faults: FailPoints, passed: Passed | None = None) -> None:
        self.metrics = WorkerMetrics(new_registry())
        failed = self.metrics.failed
        self.portal = PortalSync(engine, CatalogueCache(engine), settings, passed=passed, metrics=self.metrics)
        self.projector = Projector(engine, faults=faults, counted=self._counted)
        handlers: dict[JobKind, Handler] = {
            JobKind.REBUILD: Rebuild(engine, faults=faults),
            JobKind.REPLAY: Replay(engine, self.portal),
        }
        runner = JobRunner(engine, handlers)
        sweep = settings.sweep_seconds
        self.events = TenantLoop(
            "projection",
            find=self.projector.tenants,
            work=ProjectionTurns(engine, self.projector).work,
            sweep_seconds=sweep,
            failed=failed,
        )
        # a loop a register: none waits for another, and the dossiers for none
        self.registers: list[TenantLoop] = []
        for projection in PROJECTIONS.values():
            of_register = RecordProjector(engine, projection, faults=faults)
            self.registers.append(
                TenantLoop(
                    projection.register.projection,
                    find=of_register.tenants,
                    work=of_register.work,
                    sweep_seconds=sweep,
                    failed=failed,
                )
            )
        examiner = Examiner(engine, faults=faults, appended=self._appended)
        clock, overdue_writer = Clock(examiner), OverdueEvents(examiner)
        self.clock = TenantLoop("clock", find=clock.tenants, work=clock.work, sweep_seconds=sweep, failed=failed)
        self.overdue = TenantLoop(
            "overdue", find=overdue_writer.tenants, work=overdue_writer.work, sweep_seconds=sweep, failed=failed
        )
        self.jobs = TenantLoop("jobs", find=runner.tenants, work=runner.work, sweep_seconds=sweep, lanes=2, failed=failed)
        # an audit takes minutes: beside other jobs, not before them
        auditing = JobRunner(engine, {JobKind.AUDIT: Audits(engine, nights=settings.audit_nights, faults=faults)})
        schedule = NightlySchedule(engine, auditing, AUDIT, settings.audit_time)
        self.audits = TenantLoop(
            "audits", find=schedule.tenants, work=schedule.work, sweep_seconds=sweep, lanes=1, failed=failed
        )
        # as does a comparison of everything with the portal, so that one of some dossiers does not wait for it
        reconcile: dict[JobKind, Handler] = {
            JobKind.RECONCILE: Reconcile(engine, self.portal, list_path=settings.effective_portal_list_path)
        }
        nightly = NightlySchedule(engine, JobRunner(engine, reconcile, whole=True), COMPARISON, settings.reconcile_time)
        some = JobRunner(engine, reconcile, whole=False)
        self.selections = TenantLoop(
            "selections", find=some.tenants, work=some.work, sweep_seconds=sweep, lanes=2, failed=failed
        )
        self.comparisons = TenantLoop(
            "comparisons", find=nightly.tenants, work=nightly.work, sweep_seconds=sweep, lanes=2, failed=failed
        )
        watch = Watch(engine, limits_of(settings))
        look = max(sweep, LOOK_SECONDS / settings.time_scale)
        self.watch = TenantLoop("sync_watch", find=watch.tenants, work=watch.work, sweep_seconds=look, failed=failed)
        statements = StatementWatch(engine)
        self.statements = TenantLoop(
            "statement_watch",
            find=statements.tenants,
            work=statements.work,
            sweep_seconds=max(sweep, STATEMENT_LOOK_SECONDS / settings.time_scale),
            lanes=1,
            failed=failed,
        )
        tidy = Tidy(engine, timedelta(days=settings.sync_kept_days))
        self.tidy = TenantLoop(
            "sync_tidy", find=tidy.tenants, work=tidy.work, sweep_seconds=TIDY_SECONDS, lanes=1, failed=failed
        )
        self._payments = PaymentInquiries(
            engine,
            settings,
            passed=passed,
            metrics=self.metrics,
            appended=self._appended,
            wanted=statement_store.not_succeeded_here,
        )
        self.payments = TenantLoop(
            "payment_inquiries",
            find=self._payments.tenants,
            work=self._payments.work,
            sweep_seconds=max(sweep, ASKED_SECONDS / settings.time_scale),
            failed=failed,
        )
        self._settings = settings

    @property
    def loops(self) -> dict[Worked, float]:
        """All of them, each with the patience it deserves at the end: a job takes minutes and begins anew elsewhere."""
        return {
            self.events: PATIENCE_SECONDS,
            **dict.fromkeys(self.registers, PATIENCE_SECONDS),
            self.clock: PATIENCE_SECONDS,
            self.overdue: PATIENCE_SECONDS,
            self.jobs: 0.0,
            self.audits: 0.0,
            self.comparisons: 0.0,
            self.selections: 0.0,
            self.watch: 0.0,
            self.tidy: 0.0,
            self.payments: PATIENCE_SECONDS,
            self.statements: 0.0,
            self.portal: PATIENCE_SECONDS,
        }

    def ring(self, topic: Topic, tenant: Tenant) -> None:
        """Pass a ring of the doorbell on."""
        match topic:
            case Topic.EVENTS:
                self._appended(tenant)
            case Topic.LEDGER:
                self.portal.ring(tenant)
            case Topic.JOBS:
                self.jobs.ring(tenant)
                self.audits.ring(tenant)
                self.comparisons.ring(tenant)
                self.selections.ring(tenant)
            case _:
                assert_never(topic)

    def _appended(self, tenant: Tenant) -> None:
        """Pass on that the log grew; nobody knows by which register's events."""
        self.events.ring(tenant)
        for register in self.registers:
            register.ring(tenant)

    def _counted(self, tenant: Tenant) -> None:
        """Pass on that events were counted: now the portal wants them and the clock may look at them."""
        self.portal.ring(tenant)
        self.clock.ring(tenant)

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until ``stopping`` is set, then end gracefully."""
        tasks = [asyncio.create_task(_for_ever(tenant_loop.run)) for tenant_loop in self.loops]
        tasks.append(asyncio.create_task(_for_ever(lambda: run_worker(self._settings, self.ring))))
        try:
            await stopping.wait()
        finally:
            await asyncio.gather(*(tenant_loop.stop(patience) for tenant_loop, patience in self.loops.items()))
            await self.projector.aclose()
            await self._payments.aclose()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class _Run(Protocol):
    def __call__(self) -> Coroutine[Any, Any, None]: ...


async def _for_ever(run: _Run) -> None:
    """Run again whatever ends: nothing in this process stops quietly while the rest goes on."""
    while True:
        try:
            await run()
        except Exception as error:  # noqa: BLE001 - see above
            get_logger().error("pump_ended", **failure_of(error))
            await asyncio.sleep(RESTART_SECONDS)
        else:
            return


async def serve(settings: Settings) -> None:
    """Run a worker until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for received in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(received, stopping.set)
    passed = kill_point()
    engine = create_engine(
        settings.effective_database_url(),
        application="motcua-worker",
        pool_size=CONNECTIONS,
        statement_timeout_seconds=STATEMENT_SECONDS,
        passed=passed,
    )
    try:
        get_logger().info("worker_started")
        worker = Worker(engine, settings, FailPoints.from_environment(), passed)
        if settings.worker_metrics_port:
            worker.metrics.serve(settings.worker_metrics_port)
        await worker.run(stopping)
        get_logger().info("worker_stopped")
    finally:
        await engine.dispose()


def main() -> None:
    """Entry point of ``python -m services.worker``."""
    settings = Settings()
    configure_logging("worker", settings.log_level)
    gc.set_threshold(GARBAGE_THRESHOLD)
    uvloop.run(serve(settings))
