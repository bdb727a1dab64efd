import numpy as np
import pytest
import spglib

from screening.crystal.space_groups import LETTERS, parse_operation, space_group
from screening.errors import InputError

ALL = range(1, 231)


def integer_operations(rotations, translations):
    return {
        (tuple(np.round(w).astype(int).ravel()), tuple(np.round(t * 24).astype(int) % 24))
        for w, t in zip(rotations, translations, strict=True)
    }


def distances_on_torus(first, second):
    difference = first[:, None] - second[None]
    return np.abs(difference - np.round(difference)).max(axis=-1)


def test_operation_is_parsed():
    matrix, shift = parse_operation("-y+1/4, x-y, 2/3-z")
    assert matrix.tolist() == [[0, -1, 0], [1, -1, 0], [0, 0, -1]]
    assert shift.tolist() == pytest.approx([0.25, 0, 2 / 3])


@pytest.mark.parametrize("number", ALL)
def test_operations_are_those_of_spglib(number):
    group = space_group(number)
    reference = spglib.get_symmetry_from_database(group.hall_number)
    assert spglib.get_spacegroup_type(group.hall_number).number == number
    assert integer_operations(group.rotations, group.translations) == integer_operations(
        reference["rotations"], reference["translations"]
    )


@pytest.mark.parametrize("number", ALL)
def test_first_positions_are_one_primitive_cell(number):
    group = space_group(number)
    inverse = np.linalg.inv(group.primitive)
    point = np.array([0.137, 0.291, 0.713])
    for position in group.positions:
        orbit = position.orbit(point[position.free]) @ inverse
        count = position.multiplicity // group.n_centring
        among = distances_on_torus(orbit[:count], orbit[:count]) + np.eye(count)
        assert among.min() > 1e-6
        assert distances_on_torus(orbit, orbit[:count]).min(axis=1).max() < 1e-9


@pytest.mark.parametrize("number", [1, 2, 5, 15, 19, 47, 62, 74, 129, 141, 166, 194, 216, 225, 227])
def test_free_coordinates_are_found_again(number):
    for position in space_group(number).positions:
        parameters = np.array([0.137, 0.291, 0.713])[position.free]
        orbit = position.orbit(parameters)
        found, residual = position.solve(orbit % 1.0)
        assert residual < 1e-9
        assert distances_on_torus(position.orbit(found), orbit).min(axis=1).max() < 1e-7


@pytest.mark.parametrize("number", ALL)
def test_normaliser_keeps_the_group_and_moves_the_letters(number):
    group = space_group(number)
    operations = integer_operations(group.rotations, group.translations)
    point = np.array([0.137, 0.291, 0.713])
    for rotation, shift, letters in zip(*group.normaliser, strict=True):
        inverse = np.linalg.inv(rotation)
        conjugate = rotation @ group.rotations @ inverse
        moved = group.translations @ rotation.T + shift - conjugate @ shift
        assert integer_operations(conjugate, moved) == operations
        for position, letter in zip(group.positions, letters, strict=True):
            points = position.orbit(point[position.free]) @ rotation.T + shift
            assert group.positions[letter].solve(points % 1.0)[1] < 1e-6


@pytest.mark.parametrize(
    ("number", "polar"), [(1, 3), (2, 0), (4, 1), (8, 2), (33, 1), (62, 0), (186, 1), (225, 0)]
)
def test_polar_directions(number, polar):
    group = space_group(number)
    assert len(group.polar) == polar
    for axis in group.polar:
        assert np.allclose(group.rotations @ axis, axis)


def test_letters_and_systems():
    group = space_group(47)
    assert len(group.positions) == 27
    assert "".join(position.letter for position in group.positions) == LETTERS
    assert [space_group(n).crystal_system for n in (2, 15, 74, 142, 167, 194, 230)] == [
        "triclinic",
        "monoclinic",
        "orthorhombic",
        "tetragonal",
        "hexagonal",
        "hexagonal",
        "cubic",
    ]


@pytest.mark.parametrize("number", [0, 231, -5])
def test_unknown_group(number):
    with pytest.raises(InputError, match=f"{number}.*1 to 230"):
        space_group(number)
