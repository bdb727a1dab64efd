"""Energies, forces, stresses and relaxation, by ASE and the engines of the project."""

import os
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.constraints import FixAtoms
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS

from screening.engines import GPA_PER_EV_A3, Crystal, make_engine
from vasp_emulator.errors import VaspError

SHIFT = -3.5
"""Energy added per atom (eV): EMT's are near zero, and custodian stops at positive energies."""


@dataclass
class Step:
    """One ionic step; stress in kB with VASP's sign (positive: the crystal wants to grow)."""

    atoms: Atoms
    energy: float
    forces: np.ndarray
    stress: np.ndarray
    magmoms: list


class EngineCalculator(Calculator):
    """An engine of `screening.engines` as an ASE calculator."""

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, name):
        super().__init__()
        self.engine = make_engine(name)

    def calculate(self, atoms=None, properties=(), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        crystal = Crystal(atoms.numbers, atoms.cell.array, atoms.positions)
        result = self.engine.evaluate([crystal])[0]
        if result.error:
            raise VaspError(f"Error EDDDAV: Call to ZHEGV failed. Returncode = 1 ({result.error})")
        stress = result.stress / GPA_PER_EV_A3
        self.results = {
            "energy": result.energy + SHIFT * len(atoms),
            "forces": result.forces,
            "stress": stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]],
            "magmoms": result.magmoms,
        }


def ionic_steps(inputs):
    """Yield the steps of a static run or a relaxation, until it has converged or NSW is reached."""
    tags = inputs.tags
    atoms = Atoms(inputs.symbols, scaled_positions=inputs.fractional, cell=inputs.cell, pbc=True)
    atoms.calc = EngineCalculator(os.environ.get("VASP_EMULATOR_BACKEND", "emt"))
    relaxing = tags["NSW"] > 1 and tags["IBRION"] in {1, 2, 3}
    target = _target(atoms, inputs) if relaxing else atoms
    last = None
    for _ in BFGS(target, logfile=None).irun(fmax=0.0, steps=tags["NSW"] - 1 if relaxing else 0):
        step = _step(atoms, inputs)
        yield step
        if not relaxing or _converged(target, last, step, tags["EDIFFG"]):
            return
        last = step


def _target(atoms, inputs):
    """Return what the optimiser moves under ISIF: atoms, cell or both."""
    isif = inputs.tags["ISIF"]
    fixed = ~inputs.movable.all(axis=1)
    atoms.set_constraint(FixAtoms(mask=fixed | (isif in {5, 6, 7})))
    if isif < 3:
        return atoms
    return FrechetCellFilter(
        atoms,
        constant_volume=isif in {4, 5},
        hydrostatic_strain=isif in {7, 8},
        scalar_pressure=inputs.tags["PSTRESS"] / 10 / GPA_PER_EV_A3,
    )


def _converged(target, last, step, ediffg):
    """Judge as VASP does: forces (EDIFFG < 0) or the change of the energy (> 0); never at 0."""
    if ediffg < 0:
        return bool(np.linalg.norm(target.get_forces(), axis=1).max() < -ediffg)
    return last is not None and abs(step.energy - last.energy) < ediffg


def _step(atoms, inputs):
    magmoms = atoms.calc.results.get("magmoms")  # of the forces that the optimiser asked for
    energy = atoms.get_potential_energy()
    stress = atoms.get_stress(voigt=False, apply_constraint=False)
    if magmoms is None and inputs.magmoms:
        magmoms = np.zeros(len(atoms))
    return Step(
        atoms=Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True),
        energy=energy,
        forces=atoms.get_forces(apply_constraint=False),
        stress=-stress * GPA_PER_EV_A3 * 10,
        magmoms=[float(abs(m)) for m in magmoms] if inputs.magmoms else [],
    )
