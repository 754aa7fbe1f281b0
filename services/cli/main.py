"""The ``motcua`` command.

Every module of this package that has ``register`` adds its commands: ``register(commands)`` makes a parser of the given
subparsers and sets its default ``run``, a function of the parsed arguments that answers the exit status.
"""

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Callable, Sequence
from typing import Any

import services.cli
from services.cli.errors import explained

Run = Callable[[argparse.Namespace], int]


def parser() -> argparse.ArgumentParser:
    """The command line with all its commands."""
    top = argparse.ArgumentParser(prog="motcua", description="The event backbone of a one-stop centre (một cửa).")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in sorted(module.name for module in pkgutil.iter_modules(services.cli.__path__)):
        module: Any = importlib.import_module(f"services.cli.{name}") if name != "__main__" else None
        if hasattr(module, "register"):
            module.register(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave with its status; what a person can mend is said in one sentence."""
    parsed = parser().parse_args(arguments)
    run: Run = parsed.run
    try:
        status = run(parsed)
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:
        sys.stderr.close()
        status = 0
    except Exception as error:
        sentence = explained(error)
        if sentence is None:
            raise
        print(f"motcua: {sentence}", file=sys.stderr)
        status = 1
    sys.exit(status)
