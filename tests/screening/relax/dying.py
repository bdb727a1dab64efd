"""Calculators that fail in the ways in which real ones do."""

import os
import time
from pathlib import Path

import numpy as np
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT


class Dying(EMT):
    """EMT, but silver kills the process, as running out of memory does."""

    def calculate(self, atoms=None, *args, **kwargs):
        if "Ag" in atoms.get_chemical_symbols():
            os._exit(9)
        super().calculate(atoms, *args, **kwargs)


class Sleeping(EMT):
    """EMT that writes down who it is, and then takes for ever."""

    def __init__(self, folder):
        super().__init__()
        self.folder = Path(folder)

    def calculate(self, *_, **__):
        (self.folder / str(os.getpid())).touch()
        time.sleep(300)


class Pulling(Calculator):
    """Forces and stresses that never end: everything flies apart, or falls together."""

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, pull=-1.0, force=0.0):
        super().__init__()
        self.pull, self.force = pull, force

    def calculate(self, atoms=None, *args, **kwargs):
        super().calculate(atoms, *args, **kwargs)
        forces = np.zeros((len(atoms), 3))
        forces[0, 0], forces[-1, 0] = self.force, -self.force
        self.results = {
            "energy": 0.0,
            "forces": forces,
            "stress": np.array([self.pull] * 3 + [0.0] * 3),
        }
