"""Every subject's modules that have a ``router`` are part of the API."""

import importlib
import pkgutil
from typing import Final

from fastapi import APIRouter

import services.api

_ASKED_MOST: Final = ("deadlines", "dossiers", "figures", "registers", "reports")
"""These come first, because a path is looked for route by route; among them, and then, the order is that of the names."""


def routers() -> list[APIRouter]:
    """The routers of all modules named ``routes`` or ``…_routes``."""
    packages = sorted(module.name for module in pkgutil.iter_modules(services.api.__path__) if module.ispkg)
    found = (
        f"services.api.{package}.{module.name}"
        for package in sorted(packages, key=lambda name: name not in _ASKED_MOST)
        for module in pkgutil.iter_modules([f"{path}/{package}" for path in services.api.__path__])
        if module.name.endswith("routes")
    )
    return [importlib.import_module(name).router for name in found]
