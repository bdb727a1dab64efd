import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure

from screening.crystal.crystals import (
    cell_parameters,
    lattice_matrix,
    primitive_cell,
    standardise,
    to_structure,
    transformed,
)
from screening.crystal.isopointal import canonical_label
from screening.prototypes.build import cell_of_structure

MATCHER = StructureMatcher(ltol=0.05, stol=0.05, angle_tol=1, scale=False)


def test_every_aflow_prototype_is_rebuilt(aflow_structures):
    for structure in aflow_structures[::3]:
        crystal = standardise(cell_of_structure(structure), symprecs=(0.01,))
        rebuilt = to_structure(crystal)
        primitive = structure.get_primitive_structure()
        assert len(rebuilt) <= len(primitive)
        rms = MATCHER.get_rms_dist(structure, rebuilt)
        assert rms is not None, structure.composition
        assert rms[0] < 2e-3


def test_every_setting_is_the_same_crystal(aflow_structures):
    rng = np.random.default_rng(0)
    for structure in aflow_structures[::9]:
        crystal = standardise(cell_of_structure(structure))
        other = transformed(crystal, int(rng.integers(len(crystal.group.normaliser[0]))))
        assert other.n_atoms == crystal.n_atoms
        assert other.volume_per_atom == pytest.approx(crystal.volume_per_atom)
        assert MATCHER.get_rms_dist(to_structure(crystal), to_structure(other))[0] < 1e-5


def test_supercells_and_shifts_do_not_matter(make):
    structure = make.rutile("Ti", "O")
    moved = structure.copy()
    moved.make_supercell([[1, 1, 0], [0, 1, 0], [0, 0, 2]])
    moved.translate_sites(range(len(moved)), [0.13, 0.27, 0.41])
    first, second = (standardise(cell_of_structure(s)) for s in (structure, moved))
    assert first.number == second.number == 136
    assert first.n_atoms == second.n_atoms == 6
    assert first.cell == pytest.approx(second.cell, abs=1e-4)
    assert canonical_label(first)[0] == canonical_label(second)[0]


def test_special_coordinates_are_exact(make):
    crystal = standardise(cell_of_structure(make.perovskite("Sr", "Ti", "O")))
    _, points, numbers = primitive_cell(crystal)
    assert sorted(numbers.tolist()) == [8, 8, 8, 22, 38]
    assert set(np.round(points.ravel(), 12).tolist()) <= {0.0, 0.5}


def test_noise_below_the_tolerance_is_removed(make):
    noisy = make.rock_salt("Na", "Cl").copy()
    noisy.perturb(0.01)
    assert standardise(cell_of_structure(noisy)).number == 225


def test_scaling_keeps_the_shape(make):
    crystal = standardise(cell_of_structure(make.rutile("Ti", "O"))).scaled(13.0)
    assert crystal.volume_per_atom == pytest.approx(13.0)
    assert crystal.cell[2] / crystal.cell[0] == pytest.approx(2.96 / 4.6)
    assert to_structure(crystal).volume == pytest.approx(13.0 * 6)


def test_cells_go_both_ways():
    rng = np.random.default_rng(1)
    cells = np.concatenate([rng.uniform(3, 9, (20, 3)), rng.uniform(75, 105, (20, 3))], axis=1)
    matrices = lattice_matrix(cells)
    for cell, matrix in zip(cells, matrices, strict=True):
        assert cell_parameters(matrix) == pytest.approx(cell)
        assert np.linalg.det(matrix) == pytest.approx(Lattice.from_parameters(*cell).volume)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_a_reason(bad):
    reason = standardise((np.eye(3) * 4, np.array([[0, 0, bad]]), np.array([11])))
    assert reason == "the lattice or the coordinates are not finite"


def test_atoms_on_top_of_each_other_are_a_reason():
    structure = Structure(Lattice.cubic(4), ["Na", "Na"], [[0, 0, 0], [0, 0, 0.0001]])
    assert standardise(cell_of_structure(structure)) == "spglib finds no symmetry"
