"""docs/operating.md and the deployment files know every setting, and no setting that is none."""

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from services.mock_payments.settings import Settings as PaymentsSettings
from services.mock_portal.settings import Settings as PortalSettings
from shared.settings import Settings

ROOT = Path(__file__).parents[3]
TABLE_ROW = re.compile(r"^\| `(MOTCUA_[A-Z_]+)` \| (.+?) \|", re.MULTILINE)
DOCUMENTED = dict(TABLE_ROW.findall((ROOT / "docs" / "operating.md").read_text()))
SETTINGS = {f"MOTCUA_{name.upper()}": field for name, field in Settings.model_fields.items()}


def test_the_table_is_the_settings() -> None:
    assert set(DOCUMENTED) == set(SETTINGS)


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_the_defaults_are_the_settings_own(name: str) -> None:
    default = SETTINGS[name].default
    if default is None:
        assert not DOCUMENTED[name].startswith("`")
    elif isinstance(default, Path):
        assert DOCUMENTED[name] == f"`./{default}`"
    else:
        value = default.get_secret_value() if isinstance(default, SecretStr) else default
        assert DOCUMENTED[name] == f"`{value}`"


@pytest.mark.parametrize("name", ["Dockerfile", "compose.yaml"])
def test_the_deployment_sets_only_what_is_read(name: str) -> None:
    portal = {f"MOTCUA_PORTAL_{field.upper()}" for field in PortalSettings.model_fields}
    payments = {f"MOTCUA_PAYMENTS_{field.upper()}" for field in PaymentsSettings.model_fields}
    passwords = {f"MOTCUA_{who}_PASSWORD" for who in ("ADMIN", "OWNER", "APP", "VALKEY")} | {"MOTCUA_PUBLISH"}
    used = set(re.findall(r"MOTCUA_[A-Z_]+", (ROOT / "deploy" / name).read_text()))
    assert used <= set(SETTINGS) | portal | payments | passwords


def test_the_image_has_the_versions_of_the_lock() -> None:
    def pins(path: str) -> set[str]:
        return set(re.findall(r"^(\S+==[^\s;\\]+)", (ROOT / path).read_text(), re.MULTILINE))

    image = pins("deploy/image.lock")
    assert image
    assert image <= pins("requirements.lock")
    assert not any(pin.startswith(("pytest", "mypy", "ruff")) for pin in image)
