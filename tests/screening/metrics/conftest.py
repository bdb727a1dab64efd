import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.core.operations import SymmOp


@pytest.fixture
def perovskite():
    """SrTiO3, the first example of the authors of CSPBenchMetrics: their reference."""
    points = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0], [0, 0.5, 0.5]]
    return Structure(Lattice.cubic(3.94513), ["Sr", "Ti", "O", "O", "O"], points)


@pytest.fixture
def wrong_perovskite():
    """Their prediction."""
    points = [
        [0, 0, 0.77762085],
        [0, 0, 0.14531270],
        [0.5, 0, 0.84831616],
        [0, 0.5, 0.44848838],
        [0.5, 0.5, 0.55175188],
    ]
    lattice = Lattice.from_parameters(2.79816901, 2.79816901, 6.68461021, 90, 90, 120)
    return Structure(lattice, ["Sr", "Ti", "O", "O", "O"], points)


@pytest.fixture
def disguise():
    """Give the same crystal in another cell, origin, orientation and order of atoms."""

    def apply(structure, scaling=(1, 2, 1)):
        other = structure.copy()
        other.translate_sites(range(len(other)), [0.1, 0.23, 0.37])
        turn = SymmOp.from_axis_angle_and_translation([1, 2, 3], 37)
        other.apply_operation(turn)
        other = Structure.from_sites(other[::-1])
        other.make_supercell(scaling)
        return other

    return apply
