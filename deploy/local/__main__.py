"""`python -m deploy.local [run|reset|drift]`: what `make run`, `make reset` and `make check` call."""

from __future__ import annotations

import os
import sys
import textwrap

from pydantic import ValidationError

from deploy.local.drift import check_drift
from deploy.local.errors import LocalRunError
from deploy.local.local_run import run
from deploy.local.reset import reset
from shared.settings import Settings


def main(arguments: list[str]) -> int:
    """Run a command; the exit code. What went wrong is one paragraph on standard error."""
    command = arguments[0] if arguments else "run"
    try:
        settings = Settings()
        if command == "reset":
            return reset(settings.data_dir, sure=os.environ.get("MOTCUA_YES") == "1")
        if command == "run":
            return run(settings)
        if command == "drift":
            return check_drift()
    except ValidationError as error:
        for wrong in error.errors():
            name = "MOTCUA_" + "_".join(str(part) for part in wrong["loc"]).upper()
            _complain(f"{name}={wrong['input']!r} cannot be used: {wrong['msg']}.")
        return 2
    except LocalRunError as error:
        _complain(str(error))
        return 1
    _complain(f"{command!r} is none of: run, reset, drift.")
    return 2


def _complain(text: str) -> None:
    first, newline, rest = text.partition("\n")  # what follows is the end of a log, kept as it is
    print(f"\nmotcua: {textwrap.fill(first, 110, break_long_words=False)}{newline}{rest}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
