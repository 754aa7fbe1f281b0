"""The errors of motcua, one tree. They carry the ids they concern and know nothing of HTTP.

MotcuaError
├── InvalidInput        a field is wrong (pointer, code, detail)
├── Conflict            the same identity with other content
├── Forbidden           a right is lacking
├── NotFound            unknown, or outside the caller's subtree
├── NotYet              asked for a position that is not counted yet
├── AheadOfLog          asked for a position that the log does not have
├── Overloaded          a queue is full; try again later
├── TooMany             the key has too much under way; try again later
└── Busy                a job of this kind is running already
"""

# ruff: noqa: N818 - the names say what happened; all of them are errors by their root

from collections.abc import Sequence
from dataclasses import dataclass


class MotcuaError(Exception):
    """Root of the tree."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field: an RFC 6901 pointer into the input, a stable code, and what was expected."""

    pointer: str
    code: str
    detail: str


class InvalidInput(MotcuaError):
    """Input that cannot be taken; ``errors`` name each field and what was expected."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("; ".join(f"{error.pointer}: {error.detail}" for error in errors))
        self.errors = errors

    @classmethod
    def of(cls, pointer: str, code: str, detail: str) -> "InvalidInput":
        """One wrong field."""
        return cls([FieldError(pointer, code, detail)])


class Conflict(MotcuaError):
    """The identity is taken by other content."""


class Forbidden(MotcuaError):
    """The caller lacks a scope, or an agency is outside the caller's subtree; ``errors`` name the fields of such, if any."""

    def __init__(self, detail: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.errors = list(errors)


class NotFound(MotcuaError):
    """Nothing there that the caller may see."""


class NotYet(MotcuaError):
    """The asked position is not counted yet; try again after ``retry_after_seconds``."""

    def __init__(self, detail: str, retry_after_seconds: int = 1) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class AheadOfLog(MotcuaError):
    """A position beyond the ``head`` of the log: of another log, or of one that was restored from an earlier copy."""

    def __init__(self, parameter: str, head: int, log_id: str) -> None:
        super().__init__(f"{parameter} is beyond the last position, {head}")
        self.parameter = parameter
        self.head = head
        self.log_id = log_id


class Overloaded(MotcuaError):
    """A bounded queue is full or a dependency is gone; try again after ``retry_after_seconds``."""

    def __init__(self, detail: str, retry_after_seconds: int = 1) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class TooMany(MotcuaError):
    """The key has as much under way as one key may; try again after ``retry_after_seconds``."""

    def __init__(self, detail: str, retry_after_seconds: int = 1) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class Busy(MotcuaError):
    """Work of this kind is running already."""
