"""Phonons whose forces were computed elsewhere, by DFT: the plan, and the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.engines import Crystal
from screening.phonon.calculation import (
    NotPossibleError,
    analyse,
    make_phonopy,
    supercell_matrix,
)
from screening.phonon.cell import PrimitiveCell
from screening.schemas.phonon import PhononDoc, PhononVerdict

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from screening.phonon.options import PhononOptions

NAC_FACTOR = 14.399652
"""e^2 / 4 pi epsilon_0 (eV Angstrom)."""


@dataclass(frozen=True)
class PhononPlan:
    """What has to be computed.

    Attributes
    ----------
    primitive
        Primitive cell with exact symmetry.
    supercell
        Rows are the vectors of the supercell in those of the primitive cell.
    displaced
        The displaced supercells that symmetry leaves.
    """

    primitive: Structure
    supercell: NDArray[np.int64]
    displaced: list[Structure]


@dataclass(frozen=True)
class ForceConstants:
    """Force constants and what belongs to them.

    Attributes
    ----------
    structure
        The primitive cell that they were computed for.
    supercell
        Rows are the vectors of the supercell.
    values
        ``(N, N, 3, 3)`` in eV/Angstrom^2, in phonopy's order of the supercell's atoms.
    n_displacements
        Displaced supercells.
    residual_force
        Largest force in the undisplaced crystal (eV/Angstrom).
    born, dielectric
        Born charges ``(n, 3, 3)`` and dielectric tensor, if they were computed.
    """

    structure: Structure
    supercell: NDArray[np.int64]
    values: NDArray[np.float64]
    n_displacements: int
    residual_force: float | None = None
    born: NDArray[np.float64] | None = None
    dielectric: NDArray[np.float64] | None = None


def plan_phonons(structure: Structure, options: PhononOptions) -> PhononPlan | str:
    """Choose primitive cell, supercell and displacements; or say why there are none."""
    cell = PrimitiveCell.find(Crystal.from_structure(structure), options.symprec)
    if cell is None:
        return f"no symmetry was found within {options.symprec} Angstrom"
    try:
        matrix = supercell_matrix(cell, options)
    except NotPossibleError as error:
        return str(error)
    atoms = make_phonopy(cell, matrix, options).supercells_with_displacements
    crystal = Crystal(cell.numbers, cell.lattice, cell.fractional @ cell.lattice)
    return PhononPlan(crystal.to_structure(), matrix, [_structure(one) for one in atoms])


def _structure(atoms: Any) -> Structure:
    numbers = np.array(atoms.numbers, dtype=np.int64)
    return Crystal(numbers, atoms.cell, atoms.positions).to_structure()


def not_computed(
    reason: str, options: PhononOptions, *, structure_id: str, engine: str
) -> PhononDoc:
    """Describe phonons that there are not, and why."""
    return PhononDoc(
        structure_id=structure_id,
        engine=engine,
        verdict=PhononVerdict.NOT_CONVERGED,
        reason=reason,
        tolerance=options.tolerance,
        marginal_tolerance=options.marginal_tolerance,
        supercell=[],
        displacement=options.displacement,
    )


def judge_force_constants(
    found: ForceConstants, options: PhononOptions, *, structure_id: str, engine: str
) -> PhononDoc:
    """Judge dynamic stability from force constants, by the same rules as `phonons`.

    Parameters
    ----------
    found
        The force constants; they are symmetrised first.
    options
        The tolerances.
    structure_id, engine
        Written on the document.
    """
    doc = not_computed("", options, structure_id=structure_id, engine=engine)
    doc.primitive = found.structure.as_dict()
    doc.supercell = found.supercell.tolist()
    doc.n_displacements, doc.residual_force = found.n_displacements, found.residual_force
    doc.nsites_supercell = len(found.values)
    if found.residual_force is not None and found.residual_force > options.max_residual_force:
        doc.reason = (
            f"the structure is not relaxed: {found.residual_force:.3g} eV/Angstrom are left"
        )
        return doc
    cell = PrimitiveCell.keep(Crystal.from_structure(found.structure), options.symprec)
    if cell is None:
        doc.reason = f"no symmetry was found within {options.symprec} Angstrom"
        return doc
    phonon = make_phonopy(cell, found.supercell, options)
    phonon.force_constants = np.array(found.values)
    phonon.symmetrize_force_constants(show_drift=False)
    compact = np.array(phonon.force_constants)[phonon.primitive.p2s_map]
    doc.force_constants = compact.astype(np.float32)
    if found.born is not None and found.dielectric is not None:
        phonon.nac_params = {
            "born": found.born,
            "dielectric": found.dielectric,
            "factor": NAC_FACTOR,
        }
    doc.reason = analyse(doc, phonon, cell, found.supercell, options)
    return doc
