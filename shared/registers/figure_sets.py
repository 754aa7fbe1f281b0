"""The figures of every register that has some, by the word for them in paths: `FIGURE_SET` of the register's folder."""

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Final

from shared.events.rules.registers import DOSSIER, FOLDERS, REGISTERS
from shared.registers.measures import FigureSet


def _found() -> Iterator[tuple[str, FigureSet]]:
    for name, register in REGISTERS.items():
        folder = f"{FOLDERS}.{name}"
        if register is not DOSSIER and find_spec(folder) is not None and find_spec(f"{folder}.figures") is not None:
            yield name, import_module(f"{folder}.figures").FIGURE_SET


BY_REGISTER: Final[dict[str, FigureSet]] = dict(_found())
"""The same by the name of the register."""

FIGURE_SETS: Final[dict[str, FigureSet]] = {one.path: one for one in BY_REGISTER.values()}
