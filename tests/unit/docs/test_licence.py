"""The licence is said alike wherever somebody looks for it."""

import importlib.metadata
import tomllib
from pathlib import Path

from fastapi import FastAPI

from services.api.main import create_app
from shared.settings import Settings

ROOT = Path(__file__).parents[3]
LICENCE = "Apache-2.0"


def test_the_file_the_package_and_the_image_say_the_licence() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license"] == LICENCE
    assert project["license-files"] == ["LICENSE"]
    assert "Apache License\n" in (ROOT / "LICENSE").read_text()
    assert importlib.metadata.metadata("motcua")["License-Expression"] == LICENCE
    assert "LICENSE" in (ROOT / "deploy" / "Dockerfile").read_text()
    assert "[LICENSE](LICENSE)" in (ROOT / "README.md").read_text()


def test_the_document_says_the_licence() -> None:
    app: FastAPI = create_app(
        Settings(database_url="postgresql://nobody@127.0.0.1:1/none", redis_url="redis://127.0.0.1:1/0")
    )  # type: ignore[arg-type]
    assert app.openapi()["info"]["license"]["identifier"] == LICENCE
