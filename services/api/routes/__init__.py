"""Every module here that has a ``router`` is part of the API."""

import importlib
import pkgutil

from fastapi import APIRouter


def routers() -> list[APIRouter]:
    """The routers of all modules of this package, by module name."""
    found = sorted(module.name for module in pkgutil.iter_modules(__path__))
    modules = [importlib.import_module(f"{__name__}.{name}") for name in found]
    return [module.router for module in modules if hasattr(module, "router")]
