"""`python -m deploy.local [run|reset|drift]`: what `make run`, `make reset` and `make check` call."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Callable
from typing import Final

from pydantic import ValidationError

from deploy.local.drift import check_drift
from deploy.local.errors import LocalRunError
from deploy.local.local_run import run
from deploy.local.reset import reset
from shared.settings import Settings

COMMANDS: Final[dict[str, Callable[[], int]]] = {
    "run": lambda: run(Settings()),
    "reset": lambda: reset(Settings().data_dir, sure=os.environ.get("MOTCUA_YES") == "1"),
    "drift": check_drift,
}


def main(arguments: list[str]) -> int:
    """Run a command; the exit code. What goes wrong is said in one paragraph on standard error."""
    name = arguments[0] if arguments else "run"
    if name not in COMMANDS:
        return _complain(f"{name!r} is none of: {', '.join(COMMANDS)}.", 2)
    try:
        return COMMANDS[name]()
    except ValidationError as error:
        return _complain(" ".join(_setting_at_fault(wrong) for wrong in error.errors()), 2)
    except LocalRunError as error:
        return _complain(str(error))
    except OSError as error:
        return _complain(
            f"{error.strerror or error} ({error.filename or 'no file'}). If the disk is full, make room, or set"
            " MOTCUA_DATA_DIR to a folder on another disk."
        )
    except KeyboardInterrupt:
        return 130


def _setting_at_fault(wrong: object) -> str:
    assert isinstance(wrong, dict)
    name = "MOTCUA_" + "_".join(str(part) for part in wrong["loc"]).upper()
    return f"{name}={wrong['input']!r} cannot be used: {wrong['msg']}."


def _complain(text: str, code: int = 1) -> int:
    first, newline, rest = text.partition("\n")  # what follows is the end of a log, kept as it is
    print(f"\nmotcua: {textwrap.fill(first, 110, break_long_words=False)}{newline}{rest}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
