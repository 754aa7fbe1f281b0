"""docs/clients.md is about the versions that are installed here, and leaves nothing unsaid."""

from __future__ import annotations

import importlib.metadata
import json
import re

from services.api.main import create_app
from shared.settings import Settings
from tests.contract.clients.guide import PAGE, sections
from tests.contract.clients.questions import LEFT_OUT
from tests.contract.clients.toolchain import NODE

PACKAGES = json.loads((NODE / "package.json").read_text())["devDependencies"]
TEXT = PAGE.read_text()


def test_the_page_names_the_versions_that_are_tried() -> None:
    of_node = set(re.findall(r"(@?[\w/-]+)@(\d[\d.]*\d)", TEXT))
    assert of_node == set(PACKAGES.items())
    of_python = set(re.findall(r"([\w-]+)==(\d[\d.]*\d)", TEXT))
    assert of_python == {
        (name, importlib.metadata.version(name)) for name in ("openapi-python-client", "openapi-generator-cli")
    }
    of_table = set(re.findall(r"\| (\d+\.\d+\.\d+) \|", TEXT))
    assert of_table <= {version for _, version in of_node | of_python}


def test_each_generator_of_the_table_has_a_section() -> None:
    linked = re.findall(r"^\| \[[^\]]*\]\(#([\w-]+)\)", TEXT, re.MULTILINE)
    slugs = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-"): blocks for title, blocks in sections().items()}
    assert len(linked) == 6
    assert [slug for slug in linked if not slugs.get(slug)] == []


def test_the_lock_names_no_registry() -> None:
    lock = (NODE / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert "://" not in re.sub(r'"url": "[^"]*"', "", lock)  # where authors ask for donations


def test_what_is_left_out_has_its_reason_still() -> None:
    paths = create_app(Settings(_env_file=None)).openapi()["paths"]  # type: ignore[call-arg]
    streams = {
        path
        for path, item in paths.items()
        if "get" in item and "text/event-stream" in item["get"]["responses"]["200"]["content"]
    }
    assert streams == set(LEFT_OUT)
