"""Runs before a child process, by its PYTHONPATH: another clock, or a host without names. The product knows nothing of it.

``FAULTS_CLOCK_SECONDS``: the wall clock of the process is so far ahead (negative: behind); its monotonic clock is not.
``FAULTS_NO_NAMES_WHILE``: no host name is found as long as this file exists.
"""

import datetime as dt
import os
import socket
import time
from typing import Any

_AHEAD = float(os.environ.get("FAULTS_CLOCK_SECONDS", "0"))
_UNNAMED = os.environ.get("FAULTS_NO_NAMES_WHILE")

if _AHEAD:
    _real, _time, _time_ns = dt.datetime, time.time, time.time_ns

    class _Kind(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, _real)

        def __subclasscheck__(cls, subclass: type) -> bool:
            return issubclass(subclass, _real)

    class _Shifted(_real, metaclass=_Kind):  # type: ignore[misc]
        """Makes plain instants, and knows another now."""

        def __new__(cls, *given: Any, **named: Any) -> Any:
            return _real(*given, **named)

        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Any:
            return _real.fromtimestamp(_time() + _AHEAD, tz)

        @classmethod
        def utcnow(cls) -> Any:
            return _real.fromtimestamp(_time() + _AHEAD, dt.UTC).replace(tzinfo=None)

        @classmethod
        def today(cls) -> Any:
            return _real.fromtimestamp(_time() + _AHEAD)

    for _name in ("fromtimestamp", "fromisoformat", "combine", "strptime", "fromordinal"):
        setattr(_Shifted, _name, getattr(_real, _name))
    _Shifted.__name__ = _Shifted.__qualname__ = "datetime"
    dt.datetime = _Shifted  # type: ignore[misc]
    time.time = lambda: _time() + _AHEAD
    time.time_ns = lambda: _time_ns() + int(_AHEAD * 1e9)

if _UNNAMED:
    import uvloop

    _found = socket.getaddrinfo
    _connected = uvloop.Loop.create_connection

    def _demand_found(host: Any) -> None:
        if os.path.exists(_UNNAMED or "") and not str(host).replace(".", "").isdigit():  # noqa: PTH110 - nothing imported
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    def _look_up(host: Any, *given: Any, **named: Any) -> Any:
        _demand_found(host)
        return _found(host, *given, **named)

    async def _connect(loop: Any, factory: Any, host: Any = None, *given: Any, **named: Any) -> Any:
        if host is not None:  # this loop looks names up by itself
            _demand_found(host)
        return await _connected(loop, factory, host, *given, **named)

    socket.getaddrinfo = _look_up
    uvloop.Loop.create_connection = _connect
