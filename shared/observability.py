"""Logs and metrics: one JSON line an event, one canonical line a unit of work, nothing personal in either.

A log line has a stable ``action`` (``noun_verbed``), the process's name and, inside a unit of work, its ids. What a unit of
work learns about itself on the way is added with `note` and appears on its canonical line.
"""

import itertools
import logging
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

import orjson
import structlog
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, Metric, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

_notes: ContextVar[dict[str, Any] | None] = ContextVar("notes", default=None)
_ids: ContextVar[Mapping[str, Any]] = ContextVar("ids", default=MappingProxyType({}))

SECONDS_BUCKETS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Histogram buckets of every duration, in seconds."""

# they speak of every job and connection, or repeat what our own lines say
_QUIET_LOGGERS: Final = {"arq": logging.CRITICAL, "uvicorn": logging.WARNING, "httpx": logging.WARNING}


def configure_logging(process: str, level: str = "INFO") -> None:
    """Send structlog's lines and the standard library's to stderr as JSON, each with the process's name."""
    global _logger  # noqa: PLW0603 - of the process, as structlog's own settings are
    chain: list[structlog.typing.Processor] = [
        _with_ids,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _named(process),
    ]
    structlog.configure(
        processors=[_line_of(process)],
        wrapper_class=structlog.make_filtering_bound_logger(level.lower()),
        # bytes: one write a line
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    _logger = structlog.get_logger()
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


def forget_logging() -> None:
    """Back to structlog's defaults, where a program has run within another one: its stream may be closed by now."""
    global _logger  # noqa: PLW0603 - see `configure_logging`
    _logger = None
    structlog.reset_defaults()


def _json_text(value: Any, **_: Any) -> str:
    return orjson.dumps(value, default=str).decode()


def _with_ids(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in _ids.get().items():
        line.setdefault(name, value)
    return line


def _line_of(process: str) -> Callable[[Any, str, MutableMapping[str, Any]], bytes]:
    """What the chain of the standard library's lines does, in one: every request and job ends in a line."""

    def render(logger: Any, method: str, line: MutableMapping[str, Any]) -> bytes:
        _with_ids(logger, method, line)
        line["level"] = method
        line["at"] = datetime.now(UTC).isoformat().removesuffix("+00:00") + "Z"
        line.setdefault("process", process)
        line["action"] = line.pop("event")
        return orjson.dumps(line, default=str)

    return render


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


_logger: structlog.typing.FilteringBoundLogger | None = None


def get_logger() -> structlog.typing.FilteringBoundLogger:
    """The logger of the process: ``log.info("event_appended", tenant=…, position=…)``."""
    if _logger is not None and structlog.is_configured():
        return _logger
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger


class _UnitOfWork:
    """A class of its own: a generator costs each request as much as two log lines' fields."""

    __slots__ = ("_ids", "_tokens")

    def __init__(self, ids: dict[str, Any]) -> None:
        self._ids = ids

    def __enter__(self) -> dict[str, Any]:
        notes: dict[str, Any] = {}
        self._tokens = _notes.set(notes), _ids.set({**_ids.get(), **self._ids})
        return notes

    def __exit__(self, *_: object) -> None:
        notes, ids = self._tokens
        _notes.reset(notes)
        _ids.reset(ids)


def unit_of_work(**ids: Any) -> AbstractContextManager[dict[str, Any]]:
    """Bind ``ids`` to every line inside and collect what `note` adds, for the canonical line at the end."""
    return _UnitOfWork(ids)


def note(**facts: Any) -> None:
    """Add facts to the canonical line of the present unit of work; nothing happens outside one."""
    notes = _notes.get()
    if notes is not None:
        notes.update(facts)


_openmetrics: Final[Callable[[Collector], bytes]] = openmetrics.generate_latest


_OPEN: Final = "application/openmetrics-text"
_CLASSIC: Final = "text/plain"
_VERSIONS: Final = {_OPEN: "1.0.0", _CLASSIC: "0.0.4", "text/*": "", "*/*": ""}
_WEIGHT: Final = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")


class _Together(Collector):
    """Several registries as one."""

    def __init__(self, registries: Iterable[Collector]) -> None:
        self._registries = registries

    def collect(self) -> Iterable[Metric]:
        return itertools.chain.from_iterable(one.collect() for one in self._registries)


def exposition(accept: str, *registries: Collector) -> tuple[bytes, str]:
    """Metrics as a header ``Accept`` asks for them, and their content type: OpenMetrics 1.0.0, else the classic text.

    OpenMetrics is answered to who names it and likes nothing better that is the classic text.
    """
    together: Any = _Together(registries)
    open_, classic = _weights(accept)
    if open_ > 0 and open_ >= classic:
        return _openmetrics(together), openmetrics.CONTENT_TYPE_LATEST
    return generate_latest(together), CONTENT_TYPE_PLAIN_0_0_4


def _weights(accept: str) -> tuple[float, float]:
    """How much a header ``Accept`` likes OpenMetrics 1.0.0 and the classic text, which stands for whatever is not named."""
    found: dict[str, float] = {}
    for choice in accept.lower().split(","):
        name, *parts = (part.strip() for part in choice.split(";"))
        told = {key.strip(): value.strip() for key, _, value in (part.partition("=") for part in parts)}
        if name in _VERSIONS and told.get("version", _VERSIONS[name]) == _VERSIONS[name]:
            found[name] = max(found.get(name, 0.0), _weight(told.get("q", "1")))
    return found.get(_OPEN, 0.0), next((found[name] for name in (_CLASSIC, "text/*", "*/*") if name in found), 0.0)


def _weight(text: str) -> float:
    return float(text) if _WEIGHT.fullmatch(text) else 0.0


def new_registry() -> CollectorRegistry:
    """A metrics registry with this process's own memory, CPU and files; each process has one, made at its root."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry
