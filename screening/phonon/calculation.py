"""Phonons by finite displacements: phonopy (doi:10.1088/1361-648X/acd831) with batched forces.

Machine-learned potentials are too soft on the whole: CHGNet's frequencies lie below DFT's, most of
all in strained and high-energy surroundings (Deng et al. 2025, doi:10.1038/s41524-024-01500-6). A
verdict from one is a sieve before DFT, not the last word. There are no Born charges, hence no
splitting of longitudinal and transverse optical modes at Gamma.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from screening.engines import Crystal, EngineSpec, make_engine
from screening.engines.threads import one_thread
from screening.phonon.cell import PrimitiveCell
from screening.phonon.options import PhononOptions
from screening.phonon.supercell import choose_supercell
from screening.phonon.verdict import judge
from screening.progress import report
from screening.schemas.phonon import PhononDoc, PhononVerdict

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from screening.engines import Engine

KJ_PER_MOL = 96.48533212
"""One eV in kJ/mol."""
CHUNK = 8
"""Supercells per call of the engine, and per report of progress."""


def phonons(
    structure: Structure,
    options: PhononOptions | None = None,
    *,
    structure_id: str,
    engine: EngineSpec = "chgnet",
    device: str = "cpu",
) -> PhononDoc:
    """Compute the phonons of a relaxed crystal and judge its dynamic stability.

    The primitive cell is found and its symmetry made exact. All symmetry-distinct displacements are
    computed in the smallest symmetric supercell that is long enough; force constants are
    symmetrised (so that acoustic modes vanish at Gamma).

    Parameters
    ----------
    structure
        An ordered structure, relaxed with the same engine and, best, with fixed symmetry.
    options
        How; by default `PhononOptions()`.
    structure_id
        Identifier that is written on the document.
    engine
        Energy source, see `screening.engines.engine_id`.
    device
        torch device.

    Returns
    -------
    PhononDoc
        ``not_converged`` with the reason where the phonons could not be computed.

    Raises
    ------
    EngineError
        If the engine cannot be used.
    """
    return phonons_with(
        structure, options, structure_id=structure_id, engine=make_engine(engine, device)
    )


def phonons_with(
    structure: Structure,
    options: PhononOptions | None = None,
    *,
    structure_id: str,
    engine: Engine,
) -> PhononDoc:
    """Compute phonons with an engine that is made already, see `phonons`."""
    options = options or PhononOptions()
    doc = PhononDoc(
        structure_id=structure_id,
        engine=engine.name,
        verdict=PhononVerdict.NOT_CONVERGED,
        tolerance=options.tolerance,
        marginal_tolerance=options.marginal_tolerance,
        supercell=[],
        displacement=options.displacement,
    )
    with one_thread():
        try:
            doc.reason = _compute(doc, structure, options, engine)
        except NotPossibleError as error:
            doc.reason = str(error)
    return doc


class NotPossibleError(Exception):
    """There are no phonons of this structure; the message says why."""


def _compute(doc: PhononDoc, structure: Structure, options: PhononOptions, engine: Engine) -> str:
    """Fill the document; return the reason of its verdict."""
    if not structure.is_ordered:
        raise NotPossibleError("the structure is disordered: order it first")
    cell = PrimitiveCell.find(Crystal.from_structure(structure), options.symprec)
    if cell is None:
        raise NotPossibleError(f"no symmetry was found within {options.symprec} Angstrom")
    crystal = Crystal(cell.numbers, cell.lattice, cell.fractional @ cell.lattice)
    doc.primitive = crystal.to_structure().as_dict()
    matrix = supercell_matrix(cell, options)
    doc.supercell = matrix.tolist()
    doc.nsites_supercell = len(cell.numbers) * abs(round(float(np.linalg.det(matrix))))
    (at_rest,) = _forces([crystal], engine)
    doc.residual_force = float(np.linalg.norm(at_rest, axis=1).max())
    if doc.residual_force > options.max_residual_force:
        raise NotPossibleError(
            f"the structure is not relaxed: a force of {doc.residual_force:.3g} eV/Angstrom is "
            f"left (at most {options.max_residual_force:g}); relax it further, with fix_symmetry"
        )
    phonon = make_phonopy(cell, matrix, options)
    displaced = [
        Crystal(np.array(atoms.numbers, dtype=np.int64), atoms.cell, atoms.positions)
        for atoms in phonon.supercells_with_displacements
    ]
    doc.n_displacements = len(displaced)
    forces: list[NDArray[np.float64]] = []
    for start in range(0, len(displaced), CHUNK):
        forces += _forces(displaced[start : start + CHUNK], engine)
        detail = f"{len(forces)} of {len(displaced)} displacements"
        report("phonon", len(forces) / len(displaced), 1, detail)  # items are crystals
    copies = len(phonon.supercell) // len(cell.numbers)
    left_over = np.repeat(at_rest, copies, axis=0)  # what the displacements did not cause
    phonon.produce_force_constants(
        forces=np.array(forces) - left_over, calculate_full_force_constants=False, show_drift=False
    )
    phonon.symmetrize_force_constants(show_drift=False)
    doc.force_constants = np.array(phonon.force_constants, dtype=np.float32)
    return analyse(doc, phonon, cell, matrix, options)


def supercell_matrix(cell: PrimitiveCell, options: PhononOptions) -> NDArray[np.int64]:
    """Choose the supercell; rows are its vectors.

    Raises
    ------
    NotPossibleError
        If none is long enough and small enough.
    """
    length = options.min_length
    matrix = choose_supercell(cell, length, options.max_atoms)
    if matrix is None:
        raise NotPossibleError(f"no symmetric supercell reaches {length:g} Angstrom")
    atoms = len(cell.numbers) * abs(round(float(np.linalg.det(matrix))))
    if atoms > options.max_atoms:
        raise NotPossibleError(
            f"a symmetric supercell of {length:g} Angstrom needs {atoms} atoms, more than "
            f"max_atoms={options.max_atoms}: raise it or lower min_length"
        )
    return matrix


def make_phonopy(cell: PrimitiveCell, matrix: NDArray[np.int64], options: PhononOptions) -> Any:
    """Set up phonopy with its displacements."""
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    atoms = PhonopyAtoms(numbers=cell.numbers, cell=cell.lattice, scaled_positions=cell.fractional)
    # phonopy's matrices act on column vectors
    phonon = Phonopy(atoms, supercell_matrix=matrix.T, primitive_matrix=np.eye(3))
    phonon.generate_displacements(distance=options.displacement)
    return phonon


def _forces(crystals: list[Crystal], engine: Engine) -> list[NDArray[np.float64]]:
    """Evaluate forces (eV/Angstrom), each ``(N, 3)``."""
    results = engine.evaluate(crystals)
    for result in results:
        if result.error is not None:
            raise NotPossibleError(f"no forces: {result.error}")
    return [result.forces for result in results]


def analyse(
    doc: PhononDoc,
    phonon: Any,
    cell: PrimitiveCell,
    matrix: NDArray[np.int64],
    options: PhononOptions,
) -> str:
    """Bands, density of states, verdict and free energy; return the reason of the verdict."""
    from phonopy.harmonic.dynmat_to_fc import get_commensurate_points

    path = cell.band_path(options.band_spacing)
    bands = _frequencies(phonon, path["qpoints"])
    phonon.run_mesh(options.mesh_length)
    mesh = phonon.mesh
    exact = get_commensurate_points(matrix.T)
    judgement = judge(
        (exact, _frequencies(phonon, exact)[:, 0]),
        (
            np.concatenate([path["qpoints"], mesh.qpoints]),
            np.concatenate([bands[:, 0], mesh.frequencies.min(axis=1)]),
        ),
        np.array(np.linalg.inv(cell.lattice).T),
        options,
    )
    doc.verdict = judgement.verdict
    doc.min_frequency, doc.min_frequency_qpoint = judgement.min_frequency, judgement.qpoint
    doc.bands = {
        "distances": path["distances"].astype(np.float32),
        "frequencies": bands.astype(np.float32),
        "qpoints": path["qpoints"].astype(np.float32),
        "ticks": path["ticks"],
        "labels": path["labels"],
    }
    doc.mesh = [int(n) for n in mesh.mesh_numbers]
    phonon.run_total_dos()
    doc.dos = {
        "frequencies": np.array(phonon.total_dos.frequency_points, dtype=np.float32),
        "densities": np.array(phonon.total_dos.dos, dtype=np.float32),
    }
    if doc.verdict == PhononVerdict.STABLE:
        doc.free_energy_300k = _free_energy(phonon, len(cell.numbers))
    return judgement.reason


def _frequencies(phonon: Any, qpoints: NDArray[np.float64]) -> NDArray[np.float64]:
    """Frequencies (THz), imaginary as negative, ascending, shape ``(nq, 3n)``."""
    phonon.run_qpoints(qpoints)
    frequencies: NDArray[np.float64] = np.sort(phonon.qpoints.frequencies, axis=1)
    return frequencies


def _free_energy(phonon: Any, n_atoms: int) -> float:
    """Vibrational free energy at 300 K (eV/atom), the acoustic modes at Gamma left out."""
    phonon.run_thermal_properties(temperatures=[300.0], cutoff_frequency=1e-3)
    return float(phonon.thermal_properties.free_energy[0]) / KJ_PER_MOL / n_atoms
