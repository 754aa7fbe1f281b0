"""Each generator of docs/clients.md: its client is made as the page says, tells the page's events and reads every GET."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.clients import typescript
from tests.contract.clients.guide import laid, sections
from tests.contract.clients.office import Office
from tests.contract.clients.questions import Question
from tests.contract.clients.toolchain import generator_jar, needs_java, needs_jdk, needs_node, node_modules, run

pytestmark = pytest.mark.timeout(300)  # a busy machine compiles slowly

PROGRAMS = Path(__file__).parent / "programs"
PRINTED = re.compile(r"accepted\n1 1\nH51\.12-260512-\d{4} \d+\n\Z")
"""By the program of each section: one event, a batch with it and another one, the feed from it on."""
ANSWERED_NOTHING = {"openapi-python-client": {"/v1/reports/II.06.xlsx", "/v1/dossiers/{code}/slip.xlsx"}}
"""What a generator cannot read; the page says so."""


def places(value: Any, at: str = "") -> Iterator[str]:
    """Where something stands in an answer."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from places(part, f"{at}/{key}")
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from places(part, f"{at}/{index}")
    elif value is not None:
        yield at


def opening(text: str) -> str:
    """How a file begins, without the mark that some clients take away."""
    return text.removeprefix("\ufeff")[:4]


def compare(office: Office, printed: str, generator: str = "") -> None:
    """Hold what a client made of all answers against the answers: nothing is lost."""
    read = json.loads(printed)
    nothing = ANSWERED_NOTHING.get(generator, set())
    assert {path for path, answer in read.items() if answer is None} == nothing
    for path, answer in office.answers().items():
        if isinstance(answer, str):
            assert path in nothing or opening(read[path]) == opening(answer), path
        else:
            assert set(places(answer)) - set(places(read[path])) == set(), path


def first(title: str, folder: Path, office: Office, *shared: str) -> None:
    """Do what a section says: its last command runs its program."""
    commands = [command for section in (*shared, title) for command in laid(section, folder, office.url)]
    *_, printed = [run("sh", "-eu", "-c", command, folder=folder) for command in commands]
    assert PRINTED.search(printed), printed


def asked(office: Office) -> str:
    return json.dumps([question.plain() for question in office.questions])


PYTHON = [
    pytest.param("openapi-python-client", "openapi-python-client", "."),
    pytest.param("openapi-generator, python", "openapi-generator", "motcua", marks=needs_java),
]
TYPESCRIPT = [
    pytest.param("openapi-typescript", typescript.openapi_fetch),
    pytest.param("@hey-api/openapi-ts", typescript.hey_api),
    pytest.param("orval", typescript.orval),
]
SHARED_BY_TYPESCRIPT, JAVA, PLAIN_JAVA = "TypeScript", "openapi-generator, java", "Java without a generator"


def test_every_section_with_code_is_run() -> None:
    run_here = {str(one.values[0]) for one in (*PYTHON, *TYPESCRIPT)} | {SHARED_BY_TYPESCRIPT, JAVA, PLAIN_JAVA}
    assert {title for title, blocks in sections().items() if blocks} == run_here


@pytest.mark.parametrize(("title", "name", "package"), PYTHON)
def test_python(office: Office, tmp_path: Path, title: str, name: str, package: str) -> None:
    first(title, tmp_path, office)
    program = [f"PYTHONPATH={package}", "python", PROGRAMS / "python_questions.py", name, office.url, office.key]
    compare(office, run("env", *program, folder=tmp_path, told=asked(office)), name)


@needs_node
@pytest.mark.parametrize(("title", "program"), TYPESCRIPT)
def test_typescript(office: Office, tmp_path: Path, title: str, program: Callable[[list[Question], str, str], str]) -> None:
    (tmp_path / "node_modules").symlink_to(node_modules())
    (tmp_path / "questions.ts").write_text(program(office.questions, office.url, office.key))
    first(title, tmp_path, office, SHARED_BY_TYPESCRIPT)  # its `tsc` looks at the questions too
    compare(office, run("node", "dist/questions.js", folder=tmp_path))


@needs_jdk
def test_java(office: Office, tmp_path: Path) -> None:
    (generate,) = laid(JAVA, tmp_path, office.url)
    run("sh", "-eu", "-c", generate, folder=tmp_path)
    sources = [*(tmp_path / "motcua" / "src" / "main").rglob("*.java"), *tmp_path.glob("*.java"), *PROGRAMS.rglob("*.java")]
    path = f"{generator_jar()}:classes"
    run("javac", "-nowarn", "-proc:none", "-parameters", "-cp", path, "-d", "classes", *sources, folder=tmp_path)
    printed = run("java", "-cp", path, "First", folder=tmp_path)
    assert PRINTED.search(printed), printed
    compare(office, run("java", "-cp", path, "Questions", office.url, office.key, folder=tmp_path, told=asked(office)))


@needs_jdk
def test_java_without_a_generator(office: Office, tmp_path: Path) -> None:
    (command,) = laid(PLAIN_JAVA, tmp_path, office.url)
    one, batch, found = run("sh", "-eu", "-c", command, folder=tmp_path).splitlines()
    assert one.startswith('202 {"id":"1"')
    assert batch.startswith('202 {"accepted":1,"duplicates":1')
    assert found.startswith('200 {"items":[{"position":')
