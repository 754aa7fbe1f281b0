"""Logs and metrics: one JSON line an event, one canonical line a unit of work, nothing personal in either.

A log line has a stable ``action`` (``noun_verbed``), the process's name and, inside a unit of work, its ids. What a unit of
work learns about itself on the way is added with `note` and appears on its canonical line.
"""

import logging
import sys
import traceback
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import orjson
import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

_notes: ContextVar[dict[str, Any] | None] = ContextVar("notes", default=None)

SECONDS_BUCKETS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Histogram buckets of every duration, in seconds."""

# they speak of every job and connection, or repeat what our own lines say
_QUIET_LOGGERS: Final = {"arq": logging.CRITICAL, "uvicorn": logging.WARNING, "httpx": logging.WARNING}


def configure_logging(process: str, level: str = "INFO") -> None:
    """Send structlog's lines and the standard library's to stderr as JSON, each with the process's name."""
    chain: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _named(process),
    ]
    structlog.configure(
        processors=[*chain, structlog.processors.EventRenamer("action"), structlog.processors.JSONRenderer(_json_text)],
        wrapper_class=structlog.make_filtering_bound_logger(level.lower()),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*chain, structlog.stdlib.add_logger_name, _without_exception_values],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.EventRenamer("message"),
                structlog.processors.JSONRenderer(_json_text),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for name, lowest in _QUIET_LOGGERS.items():
        logging.getLogger(name).setLevel(lowest)


def _json_text(value: Any, **_: Any) -> str:
    return orjson.dumps(value, default=str).decode()


def _named(process: str) -> structlog.typing.Processor:
    def add(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        line.setdefault("process", process)
        return line

    return add


def _without_exception_values(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace an exception by its kind and place: its message may quote the input."""
    information = line.pop("exc_info", None)
    if information is True:
        information = sys.exc_info()
    error = information[1] if isinstance(information, tuple) else information
    if isinstance(error, BaseException):
        line.update(failure_of(error))
    return line


def failure_of(error: BaseException) -> dict[str, Any]:
    """What a log line says about an unexpected exception: its kinds and places, never its message, which may quote input."""
    kinds: list[str] = []
    current: BaseException | None = error
    while current is not None and len(kinds) < 5:  # noqa: PLR2004 - enough of a chain to understand it
        kinds.append(f"{type(current).__module__}.{type(current).__qualname__}")
        current = current.__cause__ or current.__context__
    frames = traceback.extract_tb(error.__traceback__)
    return {"error": kinds, "trace": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-12:]]}


def get_logger() -> structlog.typing.FilteringBoundLogger:
    """The logger of the process: ``log.info("event_appended", tenant=…, position=…)``."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger


@contextmanager
def unit_of_work(**ids: Any) -> Iterator[dict[str, Any]]:
    """Bind ``ids`` to every line inside and collect what `note` adds, for the canonical line at the end."""
    notes: dict[str, Any] = {}
    token = _notes.set(notes)
    try:
        with structlog.contextvars.bound_contextvars(**ids):
            yield notes
    finally:
        _notes.reset(token)


def note(**facts: Any) -> None:
    """Add facts to the canonical line of the present unit of work; nothing happens outside one."""
    notes = _notes.get()
    if notes is not None:
        notes.update(facts)


def new_registry() -> CollectorRegistry:
    """A metrics registry with this process's own memory, CPU and files; each process has one, made at its root."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry
