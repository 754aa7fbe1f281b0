"""What a log line holds, and in which order: programs read these lines."""

from __future__ import annotations

import logging
import sys
from datetime import datetime
from typing import Any

import orjson
import pytest
import structlog

from shared.observability import configure_logging, get_logger, note, unit_of_work


def written(captured: pytest.CaptureFixture[bytes]) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in captured.readouterr().err.splitlines()]


def test_a_line_has_its_facts_then_the_ids_of_the_work_then_the_process(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    configure_logging("api")
    with unit_of_work(request_id="r-1") as notes:
        note(tenant="H51")
        get_logger().info("request_served", method="POST", **notes)
        with unit_of_work(job="j-1"):
            get_logger().warning("job_delayed", request_id="its own", reason=ValueError("x"))
        get_logger().debug("unseen")
    get_logger().error("process_failed")
    note(tenant="nobody's")
    first, second, third = written(capsysbinary)
    assert list(first) == ["method", "tenant", "request_id", "level", "at", "process", "action"]
    assert (first["request_id"], first["level"], first["process"], first["action"]) == (
        *("r-1", "info", "api", "request_served"),
    )
    assert datetime.fromisoformat(first["at"]).utcoffset() is not None
    assert first["at"].endswith("Z")
    assert (second["request_id"], second["job"], second["level"], second["reason"]) == ("its own", "j-1", "warning", "x")
    assert "request_id" not in third
    assert "tenant" not in third


def test_lines_of_the_library_carry_the_same_ids_and_no_exceptions_text(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    configure_logging("worker")
    with unit_of_work(request_id="r-2"):
        try:
            raise ValueError("Nguyễn Văn An")
        except ValueError:
            logging.getLogger("library").exception("it failed")
    (line,) = written(capsysbinary)
    assert (line["request_id"], line["process"], line["level"], line["message"]) == ("r-2", "worker", "error", "it failed")
    assert line["error"] == ["builtins.ValueError"]
    assert "Nguyễn" not in str(line)


def test_configured_anew_it_writes_anew(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    configure_logging("one", "WARNING")
    get_logger().info("unseen")
    configure_logging("two")
    get_logger().info("seen")
    assert [line["process"] for line in written(capsysbinary)] == ["two"]
    with structlog.testing.capture_logs() as caught:
        get_logger().info("caught", a=1)
    assert caught == [{"event": "caught", "a": 1, "log_level": "info"}]
    sys.stderr.flush()
    assert written(capsysbinary) == []
