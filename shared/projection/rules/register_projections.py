"""The projection of every register but the dossiers', by its name: fold and figures of the register's folder."""

from importlib import import_module
from typing import Final

from shared.events.rules.registers import DOSSIER, FOLDERS, REGISTERS, Register
from shared.projection.rules.records import RegisterProjection


def _projection(register: Register) -> RegisterProjection:
    folder = import_module(f"{FOLDERS}.{register.name}.records")
    return RegisterProjection(register, folder.fold, frozenset(folder.FIGURES))


PROJECTIONS: Final[dict[str, RegisterProjection]] = {
    name: _projection(register) for name, register in REGISTERS.items() if register is not DOSSIER
}
