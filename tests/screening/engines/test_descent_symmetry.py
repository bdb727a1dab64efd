"""Symmetry: averages equal ASE's, and broken symmetry is restored."""

import numpy as np
import pytest
from ase.spacegroup.symmetrize import prep_symmetry, symmetrize_rank1, symmetrize_rank2
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor

from screening.engines import Crystal
from screening.engines.descent.symmetry import SymmetryGroup, space_group

RUTILE = Structure.from_spacegroup(
    "P4_2/mnm", Lattice.tetragonal(4.6, 2.96), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]]
)
CORUNDUM = Structure.from_spacegroup(
    "R-3c", Lattice.hexagonal(4.76, 12.99), ["Al", "O"], [[0, 0, 0.352], [0.306, 0, 0.25]]
).get_primitive_structure()
QUARTZ = Structure.from_spacegroup(
    "P3_221", Lattice.hexagonal(4.91, 5.4), ["Si", "O"], [[0.47, 0, 2 / 3], [0.41, 0.27, 0.786]]
)
CASES = [(RUTILE, 136), (CORUNDUM, 167), (QUARTZ, 154)]


@pytest.mark.parametrize(("structure", "number"), CASES)
def test_averages_equal_those_of_ase(structure, number):
    crystal = Crystal.from_structure(structure)
    group = SymmetryGroup.find(crystal, 0.01)
    assert space_group(crystal, 0.01) == number
    rng = np.random.default_rng(0)
    forces, stress = rng.normal(size=(len(crystal), 3)), rng.normal(size=(3, 3))
    stress += stress.T
    atoms = AseAtomsAdaptor.get_atoms(structure)
    rotations, translations, mapping = prep_symmetry(atoms, 0.01)
    inverse = atoms.cell.reciprocal().T
    np.testing.assert_allclose(
        group.symmetrise_vectors(crystal, forces),
        symmetrize_rank1(atoms.cell, inverse, forces, rotations, translations, mapping),
        atol=1e-10,
    )
    np.testing.assert_allclose(
        group.symmetrise_tensor(crystal, stress),
        symmetrize_rank2(atoms.cell, inverse, stress, rotations),
        atol=1e-10,
    )


@pytest.mark.parametrize(("structure", "number"), CASES)
def test_averaging_twice_changes_nothing(structure, number):
    crystal = Crystal.from_structure(structure)
    group = SymmetryGroup.find(crystal, 0.01)
    forces = np.random.default_rng(number).normal(size=(len(crystal), 3))
    once = group.symmetrise_vectors(crystal, forces)
    np.testing.assert_allclose(group.symmetrise_vectors(crystal, once), once, atol=1e-12)


@pytest.mark.parametrize(("structure", "number"), CASES)
def test_restores_broken_symmetry_with_a_small_move(structure, number):
    crystal = Crystal.from_structure(structure)
    rng = np.random.default_rng(number)
    crystal.positions += rng.normal(0, 0.01, crystal.positions.shape)
    crystal.cell[:] = crystal.cell @ (np.eye(3) + rng.normal(0, 0.002, (3, 3)))
    before = crystal.positions.copy()
    group = SymmetryGroup.find(crystal, 0.2)
    assert space_group(crystal, 1e-4) == 1
    group.symmetrise_crystal(crystal)
    assert space_group(crystal, 1e-5) == number
    assert np.abs(crystal.positions - before).max() < 0.2


def test_symmetrising_an_exact_crystal_moves_nothing():
    crystal = Crystal.from_structure(QUARTZ)
    before = (crystal.cell.copy(), crystal.positions.copy())
    SymmetryGroup.find(crystal, 0.01).symmetrise_crystal(crystal)
    np.testing.assert_allclose(crystal.cell, before[0], atol=1e-9)
    np.testing.assert_allclose(crystal.positions, before[1], atol=1e-9)
