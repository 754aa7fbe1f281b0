"""Every subject's modules that have a ``router`` are part of the API."""

import importlib
import pkgutil

from fastapi import APIRouter

import services.api


def routers() -> list[APIRouter]:
    """The routers of all modules named ``routes`` or ``…_routes``, by the name of the module."""
    packages = [module.name for module in pkgutil.iter_modules(services.api.__path__) if module.ispkg]
    found = sorted(
        f"services.api.{package}.{module.name}"
        for package in packages
        for module in pkgutil.iter_modules([f"{path}/{package}" for path in services.api.__path__])
        if module.name.endswith("routes")
    )
    return [importlib.import_module(name).router for name in found]
