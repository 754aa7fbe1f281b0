"""What goes wrong at a command line, in a sentence that says what to do."""

from collections.abc import Callable
from typing import Any, Final

import asyncpg
import httpx
from sqlalchemy.exc import DBAPIError

from shared.database.outages import is_outage
from shared.vocabulary.errors import InvalidInput


class CommandError(Exception):
    """A command cannot do what was asked; the text says why and what to do."""


def _invalid_input(error: InvalidInput) -> str:
    return "; ".join(f"{wrong.pointer.removeprefix('/') or 'input'}: expected {wrong.detail}" for wrong in error.errors)


def _file_error(error: OSError) -> str:
    if str(error.filename).endswith(".url"):
        return (
            f"no database: {error.filename} does not exist. Start `make run` (with the same MOTCUA_DATA_DIR), or set"
            " MOTCUA_DATABASE_URL."
        )
    return f"{error.filename}: {error.strerror}."


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


# the first that fits
_SENTENCES: Final[tuple[tuple[type[Exception] | tuple[type[Exception], ...], Callable[[Any], str]], ...]] = (
    (CommandError, str),
    (InvalidInput, _invalid_input),
    (asyncpg.UndefinedTableError, lambda _: "the database is empty. Run `motcua migrate` first."),
    (
        asyncpg.InvalidAuthorizationSpecificationError,
        lambda _: "the database refuses the user or password in MOTCUA_DATABASE_URL.",
    ),
    (
        httpx.TransportError,
        lambda error: f"the API does not answer ({_said(error)}). Is `make run` up? Name another with --api.",
    ),
    (httpx.InvalidURL, lambda error: f"--api is no URL: {error}."),
    ((FileNotFoundError, IsADirectoryError, PermissionError), _file_error),
)


def explained(error: Exception) -> str | None:
    """The sentence for an error that a person can mend; None for a fault of ours."""
    if isinstance(error, DBAPIError) and error.orig is not None and isinstance(error.orig.__cause__, Exception):
        error = error.orig.__cause__
    for kinds, sentence in _SENTENCES:
        if isinstance(error, kinds):
            return sentence(error)
    return f"the database cannot be reached ({_said(error)})." if is_outage(error) else None
