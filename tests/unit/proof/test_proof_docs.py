"""docs/proof.md names every part and setting of `make proof`, and explains every survivor."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from tests.proof.mutation import SURVIVORS
from tests.proof.settings import ProofSettings

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "proof.md").read_text(encoding="utf-8")


def test_every_setting_stands_with_its_default(monkeypatch: pytest.MonkeyPatch):
    logged = dict(re.findall(r"^\| `MOTCUA_PROOF_(\w+)` \| (\S+) \|", TEXT, re.MULTILINE))
    settings = ProofSettings.read()
    assert logged == {field.name.upper(): str(getattr(settings, field.name)) for field in fields(settings)}
    monkeypatch.setenv("MOTCUA_PROOF_SCALE", "0")
    with pytest.raises(SystemExit, match="MOTCUA_PROOF_SCALE='0'"):
        ProofSettings.read()


def test_every_part_is_described():
    source = (ROOT / "tests" / "proof" / "__main__.py").read_text(encoding="utf-8")
    (parts,) = re.findall(r"PARTS: dict\[str, Part\] = \{(.*?)\}", source, re.DOTALL)
    names = re.findall(r'"(\w+)":', parts)
    assert names == re.findall(r"^\| `(\w+)` \| [A-Z]", TEXT, re.MULTILINE)


def test_every_explained_survivor_is_told_with_its_explanation():
    for name, explanation in json.loads(SURVIVORS.read_text(encoding="utf-8")).items():
        assert f"| {name.replace('|', '&#124;')} | {explanation} |" in TEXT, name
