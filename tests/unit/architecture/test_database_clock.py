"""The database's clock is read by one function."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
_ALONE = re.compile(
    r"\s*SELECT\s+(clock_timestamp|now|statement_timestamp|transaction_timestamp)\s*\(\)\s*;?\s*", re.IGNORECASE
)


def _readings_of_the_clock(text: str) -> list[str]:
    """The statements that ask for the clock and nothing else."""
    constants = (node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant))
    return [value for value in constants if isinstance(value, str) and _ALONE.fullmatch(value)]


def test_one_function_reads_the_clock():
    modules = [path for folder in ("shared", "services") for path in (ROOT / folder).rglob("*.py")]
    found = {f"{path.relative_to(ROOT)}" for path in modules if _readings_of_the_clock(path.read_text())}
    assert found == {"shared/database/clock.py"}


@pytest.mark.parametrize("statement", ["SELECT clock_timestamp()", "select now() ;"])
def test_a_second_one_would_be_seen(statement):
    assert _readings_of_the_clock(f'at = await connection.fetchval("{statement}")') == [statement]
