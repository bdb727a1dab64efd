"""Bravais classes and conventional cells against spglib, pymatgen and geometry."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.symmetry.groups import SpaceGroup

from screening.errors import InputError
from screening.symmetry import BRAVAIS, bravais_class, conventional_cell
from screening.symmetry.bravais import bravais_classes, space_group_symbols
from screening.symmetry.cells import (
    cell_parameters,
    cell_volume,
    close_cells,
    free_parameters,
    full_cells,
    lattice_points,
    rhombohedral,
    whole_cells,
)


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (1, "triclinic P"),
        (2, "triclinic P"),
        (14, "monoclinic P"),
        (15, "monoclinic C"),
        (38, "orthorhombic C"),
        (62, "orthorhombic P"),
        (63, "orthorhombic C"),
        (70, "orthorhombic F"),
        (71, "orthorhombic I"),
        (129, "tetragonal P"),
        (139, "tetragonal I"),
        (143, "hexagonal P"),
        (164, "hexagonal P"),
        (166, "rhombohedral P"),
        (194, "hexagonal P"),
        (221, "cubic P"),
        (225, "cubic F"),
        (229, "cubic I"),
    ],
)
def test_known_classes(number, name):
    assert bravais_class(number) == name


def test_all_space_groups_have_a_class_and_all_classes_occur():
    classes = bravais_classes()
    assert classes.shape == (231,)
    assert classes[0] == -1
    assert set(classes[1:]) == set(range(14))


def test_crystal_systems_agree_with_pymatgen():
    for number in [*range(1, 231, 5), 38, 39, 40, 41, 146, 148, 155, 160, 167]:
        system, centring = bravais_class(number).split()
        group = SpaceGroup.from_int_number(number)
        expected = {"trigonal": "rhombohedral" if group.symbol[0] == "R" else "hexagonal"}
        assert system == expected.get(group.crystal_system, group.crystal_system)
        letter = {"A": "C", "R": "P"}.get(group.symbol[0], group.symbol[0])
        assert centring == letter


@pytest.mark.parametrize("number", [0, 231, -1])
def test_no_such_space_group(number):
    with pytest.raises(InputError, match="use 1 to 230"):
        bravais_class(number)


def test_symbols():
    symbols = space_group_symbols()
    assert (symbols[1], symbols[62], symbols[166], symbols[225]) == ("P1", "Pnma", "R-3m", "Fm-3m")
    assert len(set(symbols)) == 231


def cell_of(structure, **options):
    primitive = structure.get_primitive_structure()
    return conventional_cell(
        primitive.lattice.matrix,
        primitive.frac_coords,
        np.array(primitive.atomic_numbers),
        **options,
    )


def test_face_centred_cubic_from_the_primitive_cell():
    rocksalt = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    cell = cell_of(rocksalt)
    assert (cell.space_group, cell.n_atoms) == (225, 8)
    np.testing.assert_allclose(cell.parameters, [5.64, 5.64, 5.64, 90, 90, 90], atol=1e-4)


def test_rhombohedral_setting():
    bismuth = Structure.from_spacegroup(
        "R-3m", Lattice.hexagonal(4.546, 11.862), ["Bi"], [[0, 0, 0.2339]]
    )
    cell = cell_of(bismuth)
    primitive = bismuth.get_primitive_structure()
    assert (cell.space_group, cell.n_atoms) == (166, len(primitive)) == (166, 2)
    a = cell.parameters[0]
    np.testing.assert_allclose(cell.parameters[:3], a)
    np.testing.assert_allclose(cell.parameters[3:], cell.parameters[3])
    assert cell.parameters[0] == pytest.approx(4.746, abs=2e-3)
    assert cell.parameters[3] == pytest.approx(57.23, abs=2e-2)
    assert cell_volume(cell.parameters) == pytest.approx(primitive.volume, rel=1e-6)


@pytest.mark.parametrize(("a", "c"), [(3.0, 3.0), (4.0, 15.0), (5.0, 5 * np.sqrt(6))])
def test_rhombohedral_volume_is_a_third(a, c):
    hexagonal = cell_volume(np.array([a, a, c, 90, 90, 120.0]))
    assert cell_volume(rhombohedral(a, c)) == pytest.approx(hexagonal / 3, rel=1e-9)


def test_cubic_as_rhombohedral():
    """The hexagonal axes of a face-centred cube have c = sqrt(6) a; its primitive angle is 60."""
    np.testing.assert_allclose(rhombohedral(1.0, np.sqrt(6)), [1, 1, 1, 60, 60, 60], atol=1e-6)


def test_a_centred_cells_become_c_centred():
    structure = Structure.from_spacegroup(
        "Amm2",
        Lattice.orthorhombic(3.0, 5.0, 7.0),
        ["Ti", "O", "O"],
        [[0, 0, 0], [0.5, 0, 0.3], [0, 0.23, 0.71]],
    )
    cell = cell_of(structure)
    assert cell.space_group == 38
    np.testing.assert_allclose(cell.parameters, [5, 7, 3, 90, 90, 90], atol=1e-4)


def test_expected_space_group_is_looked_for():
    lattice = Lattice.orthorhombic(4.0, 4.015, 4.0)
    structure = Structure(lattice, ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    arguments = lattice.matrix, structure.frac_coords, np.array(structure.atomic_numbers)
    assert conventional_cell(*arguments).space_group == 221
    assert conventional_cell(*arguments, space_group=123).space_group == 123
    assert conventional_cell(*arguments, space_group=62) is None


def test_no_symmetry_is_none():
    overlapping = conventional_cell(np.eye(3) * 3, np.zeros((2, 3)), np.array([1, 1]))
    assert overlapping is None


def test_cells_and_lattices_agree_with_pymatgen():
    rng = np.random.default_rng(0)
    for _ in range(20):
        lattice = Lattice(rng.normal(size=(3, 3)) * 4)
        parameters = cell_parameters(lattice.matrix)
        np.testing.assert_allclose(parameters, lattice.parameters, rtol=1e-9)
        assert cell_volume(parameters) == pytest.approx(lattice.volume, rel=1e-6)


@pytest.mark.parametrize("k", range(14))
def test_completing_free_parameters(k):
    columns = free_parameters(k)
    values = np.array([[3.0, 4.0, 5.0, 80.0, 85.0, 95.0]])
    cell = full_cells(k, values[:, columns])[0]
    np.testing.assert_array_equal(cell[list(columns)], values[0, columns])
    assert cell_volume(cell) > 0
    lattice = Lattice.from_parameters(*cell)
    system = BRAVAIS[k].split()[0]
    assert {"cubic": 1, "hexagonal": 2, "tetragonal": 2, "rhombohedral": 2}.get(system, 3) == len(
        columns
    ) or system in {"monoclinic", "triclinic"}
    if system == "rhombohedral":
        assert len({round(angle, 6) for angle in lattice.angles}) == 1
    elif system == "hexagonal":
        assert lattice.is_hexagonal()
    elif system not in {"monoclinic", "triclinic"}:
        assert lattice.is_orthogonal


def test_angles_that_close_no_cell_are_mended():
    cells = np.array([[3, 3, 3, 60, 60, 130], [3, 3, 3, 90, 90, 90], [3, 4, 5, 30, 90, 140.0]])
    assert np.isnan(cell_volume(cells[0]))
    closed = close_cells(cells)
    assert (cell_volume(closed) > 0).all()
    np.testing.assert_array_equal(closed[1], cells[1])
    np.testing.assert_array_equal(closed[:, :3], cells[:, :3])


def test_cells_hold_whole_formula_units():
    rng = np.random.default_rng(0)
    free = rng.uniform(3, 9, size=(5, 3))
    cells = np.tile(np.array([4.0, 4.0, 4.0, 90, 90, 90]), (5, 14, 1))
    cells[:, 7, :3] = free
    volume = rng.uniform(20, 60, size=5)
    whole = whole_cells(cells, volume)
    points = np.array([lattice_points(k) for k in range(14)])
    units = cell_volume(whole) / (volume[:, None] * points)
    np.testing.assert_allclose(units, np.round(units), atol=1e-9)
    assert (units > 0.5).all()
    np.testing.assert_array_equal(whole[..., 3:], cells[..., 3:])
    np.testing.assert_allclose(whole[:, 7, 0] / whole[:, 7, 1], free[:, 0] / free[:, 1])
    np.testing.assert_allclose(whole_cells(whole, volume), whole)


def test_lattice_points():
    points = [lattice_points(k) for k in range(14)]
    assert points == [4, 2, 1, 1, 1, 2, 1, 4, 2, 2, 1, 2, 1, 1]
