"""Supercells: symmetric, long enough, as small as possible."""

from dataclasses import replace

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from screening.engines import Crystal
from screening.phonon.cell import PrimitiveCell
from screening.phonon.supercell import choose_supercell, shortest_vector

CASES = {
    "fcc": ("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0] * 3, [0.5] * 3]),
    "bcc": ("Im-3m", Lattice.cubic(3.2), ["W"], [[0] * 3]),
    "cubic": ("Pm-3m", Lattice.cubic(4), ["Ba", "Ti", "O"], [[0] * 3, [0.5] * 3, [0.5, 0.5, 0]]),
    "hexagonal": (
        "P6_3mc",
        Lattice.hexagonal(3.25, 5.2),
        ["Zn", "O"],
        [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.38]],
    ),
    "rhombohedral": (
        "R-3c",
        Lattice.hexagonal(4.76, 13),
        ["Al", "O"],
        [[0, 0, 0.352], [0.306, 0, 0.25]],
    ),
    "tetragonal": (
        "P4_2/mnm",
        Lattice.tetragonal(4.6, 2.96),
        ["Ti", "O"],
        [[0] * 3, [0.305, 0.305, 0]],
    ),
    "monoclinic": (
        "P2_1/c",
        Lattice.monoclinic(5.1, 5.2, 5.3, 99),
        ["Zr", "O"],
        [[0.27, 0.04, 0.21], [0.07, 0.33, 0.34]],
    ),
    "triclinic": (
        "P-1",
        Lattice([[4, 0.3, 0], [1, 5, 0.2], [0.5, -1, 6]]),
        ["Si"],
        [[0.1, 0.2, 0.3]],
    ),
}


def primitive_cell(name):
    group, lattice, species, positions = CASES[name]
    structure = Structure.from_spacegroup(group, lattice, species, positions)
    return PrimitiveCell.find(Crystal.from_structure(structure), 0.01)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("length", [6.0, 10.0])
def test_symmetric_and_long_enough(name, length):
    cell = primitive_cell(name)
    matrix = choose_supercell(cell, length, 1000)
    assert matrix.dtype.kind == "i"
    assert shortest_vector(matrix @ cell.lattice) >= length
    for rotation in cell.rotations:
        turned = np.linalg.inv(matrix.T) @ rotation @ matrix.T
        np.testing.assert_allclose(turned, np.rint(turned), atol=1e-6)


@pytest.mark.parametrize(("name", "atoms"), [("fcc", 64), ("bcc", 64), ("cubic", 80)])
def test_small(name, atoms):
    cell = primitive_cell(name)
    matrix = choose_supercell(cell, 10.0, 1000)
    assert len(cell.numbers) * abs(round(np.linalg.det(matrix))) == atoms


def test_special_points_are_worth_some_atoms_but_not_more_than_allowed():
    cell = primitive_cell("fcc")
    roomy, tight = (choose_supercell(cell, 10.0, most) for most in (64, 60))
    fits = [
        np.allclose(m @ cell.points["X"], np.rint(m @ cell.points["X"])) for m in (roomy, tight)
    ]
    assert fits == [True, False]
    assert round(abs(np.linalg.det(tight))) == 27
    smallest = choose_supercell(cell, 10.0, 1)
    assert smallest.tolist() == tight.tolist()


def test_a_long_cell_needs_no_repeat():
    cell = replace(primitive_cell("triclinic"), lattice=np.diag([20.0, 21.0, 22.0]))
    cell = replace(cell, conventional=cell.lattice)
    assert abs(round(np.linalg.det(choose_supercell(cell, 15.0, 2)))) == 1


def test_out_of_reach():
    assert choose_supercell(primitive_cell("fcc"), 300.0, 1000) is None


def test_shortest_vector():
    assert shortest_vector(np.diag([3.0, 4.0, 5.0])) == pytest.approx(3)
    skewed = np.array([[3.0, 0, 0], [27.1, 4, 0], [-33.3, 17, 5]])
    lengths = [
        np.linalg.norm(np.array([i, j, k]) @ skewed)
        for i in range(-20, 21)
        for j in range(-6, 7)
        for k in range(-3, 4)
        if (i, j, k) != (0, 0, 0)
    ]
    assert shortest_vector(skewed) == pytest.approx(min(lengths))


def test_no_symmetry_is_none():
    crystal = Crystal(np.array([14, 14]), np.eye(3) * 3.0, np.zeros((2, 3)))
    assert PrimitiveCell.find(crystal, 0.01) is None


def test_band_path():
    path = primitive_cell("fcc").band_path(0.01)
    assert path["labels"][0] == "\u0393"
    assert any("|" in label for label in path["labels"])
    assert len(path["ticks"]) == len(path["labels"])
    assert len(path["qpoints"]) == len(path["distances"])
    assert (np.diff(path["distances"]) >= 0).all()
    assert path["distances"][-1] == pytest.approx(path["ticks"][-1])
    np.testing.assert_allclose(path["qpoints"][0], 0)
    dense = primitive_cell("fcc").band_path(0.005)
    assert len(dense["qpoints"]) == pytest.approx(2 * len(path["qpoints"]), rel=0.1)
