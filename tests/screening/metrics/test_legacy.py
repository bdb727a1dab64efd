"""The authors' own result tables, row by row, and the traps of their code."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from screening.errors import InputError
from screening.metrics.legacy.contacts import contact_distance
from screening.metrics.legacy.diffraction import xrd_distance
from screening.metrics.legacy.fingerprints import fingerprint_distance, ofm_distance
from screening.metrics.legacy.graphs import edit_graph_distance
from screening.metrics.legacy.matching import rms, rms_anonymous
from screening.metrics.legacy.points import chamfer, cloud, hausdorff, sinkhorn
from screening.metrics.legacy.superposition import icp_rmsd, superpose_rmsd
from screening.metrics.legacy.wyckoff import wyckoff_errors

THIRD = 1 / 3
CAS = Structure(
    Lattice.cubic(5.70474858),
    ["Ca"] * 4 + ["S"] * 4,
    [
        [0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5],
        [0, 0, 0.5], [0.5, 0, 0], [0, 0.5, 0], [0.5, 0.5, 0.5],
    ],
)  # fmt: skip
"""Ca4S4 of the authors, in the order of their reader."""
PREDICTED = {
    "-0.026513_110_3884": Structure(
        Lattice.hexagonal(6.86728190, 7.38071988),
        ["Ca"] * 4 + ["S"] * 4,
        [
            [THIRD, 2 * THIRD, 0], [2 * THIRD, THIRD, 0.5],
            [2 * THIRD, THIRD, 0], [THIRD, 2 * THIRD, 0.5],
            [0, 0, 0], [0, 0, 0.5], [0, 0, 0.25], [0, 0, 0.75],
        ],
    ),
    "-0.478676_33_1122": Structure(
        Lattice.hexagonal(4.54618971, 11.77638089),
        ["Ca"] * 4 + ["S"] * 4,
        [
            [0, 0, 0], [0, 0, 0.5], [0, 0, 0.25], [0, 0, 0.75],
            [THIRD, 2 * THIRD, 0.25], [2 * THIRD, THIRD, 0.75],
            [2 * THIRD, THIRD, 0.25], [THIRD, 2 * THIRD, 0.75],
        ],
    ),
    "-0.111322_122_4267": Structure(
        Lattice.orthorhombic(7.27633400, 2.06407768, 9.88272799),
        ["Ca"] * 4 + ["S"] * 4,
        [
            [0, 0.5, 0], [0.5, 0.5, 0], [0, 0.5, 0.5], [0.5, 0.5, 0.5],
            [0.25, 0, 0.82281466], [0.75, 0, 0.03231330],
            [0.75, 0, -0.12299762], [0.25, 0, 1.16480022],
        ],
    ),
}  # fmt: skip
COLUMNS = ("sinkhorn", "chamfer", "hausdorff", "superpose", "graph", "fingerprint", "xrd", "ofm")
TABLE = {
    "-0.026513_110_3884": (11.1675, 2.4307, 2.6832, 2.1512, 4.0, 3.1698, 2.5525, 0.4423),
    "-0.478676_33_1122": (30.1050, 4.4280, 6.1496, 2.1882, 0.0, 3.0647, 2.3405, 0.4260),
    "-0.111322_122_4267": (26.6449, 4.8340, 6.3716, 2.1176, 5.0, 2.9655, 2.3154, 0.3408),
}
"""Rows of the authors' table of Ca4S4."""


def all_of(first, second):
    a, b = cloud(first), cloud(second)
    return dict(
        zip(
            COLUMNS,
            (
                sinkhorn(a, b),
                chamfer(a, b),
                hausdorff(a, b),
                superpose_rmsd(a, b),
                edit_graph_distance(first, second),
                fingerprint_distance(first, second),
                xrd_distance(first, second),
                ofm_distance(first, second),
            ),
            strict=True,
        )
    )


def test_the_row_of_strontium_titanate(perovskite, wrong_perovskite):
    expected = (13.2096, 4.3629, 3.7809, 1.1436, 6.0, 2.5924, 2.0702, 0.4755)
    found = all_of(perovskite, wrong_perovskite)
    assert found == pytest.approx(dict(zip(COLUMNS, expected, strict=True)), abs=6e-5)
    errors = wyckoff_errors(perovskite.to(fmt="cif"), wrong_perovskite.to(fmt="cif"))
    assert errors == pytest.approx((0.3702, 0.2654), abs=6e-5)
    for distance in (rms, rms_anonymous):  # None and empty there
        with pytest.raises(InputError, match="no .*match"):
            distance(perovskite, wrong_perovskite)


@pytest.mark.parametrize("name", list(TABLE))
def test_rows_of_calcium_sulfide(name):
    expected = dict(zip(COLUMNS, TABLE[name], strict=True))
    assert all_of(CAS, PREDICTED[name]) == pytest.approx(expected, abs=6e-5)


def test_a_point_cloud_in_another_order():
    rng = np.random.default_rng(0)
    a, shift = rng.normal(size=(6, 3)) * 4, np.array([0.3, 0, 0])
    for distance, expected in ((sinkhorn, 6 * 0.3), (chamfer, 0.6), (hausdorff, 0.3)):
        assert distance(a, a[::-1]) == pytest.approx(0, abs=1e-9)
        assert distance(a, a + shift) == pytest.approx(expected, rel=1e-6)


def test_superposition_is_blind_to_size_and_sees_order():
    rng = np.random.default_rng(1)
    a = rng.normal(size=(6, 3))
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    assert superpose_rmsd(a, 3.7 * a @ turn + 5) == pytest.approx(0, abs=1e-7)
    assert superpose_rmsd(a, a[::-1]) > 0.1
    assert superpose_rmsd(a, a * [1, 1, -1]) > 0.1  # no reflection
    radius = np.sqrt(((a - a.mean(0)) ** 2).sum(axis=1).mean())
    assert superpose_rmsd(a, np.ones((6, 3))) == pytest.approx(radius)


def test_closest_points():
    grid = np.array([[0, 0, 0], [3, 0, 0], [0, 4, 0], [0, 0, 5.0]])
    assert icp_rmsd(grid, grid[::-1] + 0.2) == pytest.approx(0, abs=1e-6)
    assert icp_rmsd(grid, np.zeros((4, 3))) == pytest.approx(0)  # the trap: all on one atom
    far = np.vstack([grid[:3], [[0, 0, 25.0]]])
    assert icp_rmsd(grid, far) == pytest.approx(20 / 2, rel=1e-6)
    assert icp_rmsd(grid, grid + 1000) > 100  # out of reach: nothing moves


def test_graphs():
    pair = Structure(Lattice.cubic(10), ["Na", "Cl"], [[0, 0, 0], [0.2, 0, 0]])
    apart = Structure(Lattice.cubic(10), ["Na", "Cl"], [[0, 0, 0], [0.5, 0, 0]])
    other = Structure(Lattice.cubic(10), ["Na", "Ar"], [[0, 0, 0], [0.2, 0, 0]])
    single = Structure(Lattice.cubic(10), ["Na"], [[0, 0, 0]])
    assert edit_graph_distance(pair, pair) == 0
    assert edit_graph_distance(pair, apart) == 1  # the bond
    assert edit_graph_distance(pair, other) == 1  # Z differs by one
    assert edit_graph_distance(pair, single) == 2  # an atom and its bond


def test_wyckoff_rows_do_not_wrap():
    first = Structure(Lattice.cubic(4), ["Na", "Cl"], [[0.01, 0, 0], [0.5, 0.5, 0.5]])
    second = Structure(Lattice.cubic(4), ["Na", "Cl"], [[0.99, 0, 0], [0.5, 0.5, 0.5]])
    found = wyckoff_errors(first.to(fmt="cif"), second.to(fmt="cif"))
    assert found == pytest.approx((0.98 / np.sqrt(6), 0.98 / 6))


def test_wyckoff_rows_take_the_nearest_equivalent_position():
    crystal = Structure.from_spacegroup("P-1", Lattice.cubic(5), ["Na"], [[0.1, 0.2, 0.3]])
    from pymatgen.io.cif import CifWriter

    text = str(CifWriter(crystal, symprec=0.01))
    moved = text.replace("0.1", "0.9").replace("0.2", "0.8").replace("0.3", "0.7")
    assert "multiplicity" in text
    assert wyckoff_errors(text, moved) == pytest.approx((0, 0), abs=1e-6)


def test_wyckoff_rows_of_other_numbers(perovskite):
    single = Structure(Lattice.cubic(4), ["Na"], [[0, 0, 0]])
    with pytest.raises(InputError, match="5555"):
        wyckoff_errors(perovskite.to(fmt="cif"), single.to(fmt="cif"))
    with pytest.raises(InputError, match="no rows"):
        wyckoff_errors("data_a\n_cell_length_a 3\n", single.to(fmt="cif"))


def test_contacts(perovskite, wrong_perovskite):
    assert contact_distance(perovskite, perovskite) == 0
    assert contact_distance(perovskite, wrong_perovskite) == pytest.approx(0.4)
    iron = Structure(Lattice.cubic(3), ["Fe"], [[0, 0, 0]])
    with pytest.raises(InputError, match="9999"):
        contact_distance(perovskite, iron)
    with pytest.raises(InputError, match="9995"):
        contact_distance(iron, iron)


def test_wide_matching(perovskite, disguise):
    barium = disguise(perovskite).replace_species({"Sr": "Ba"})
    assert rms(perovskite, disguise(perovskite)) == pytest.approx(0, abs=1e-6)
    assert rms_anonymous(perovskite, barium) == pytest.approx(0, abs=1e-6)
    with pytest.raises(InputError, match="0.6"):
        rms(perovskite, barium)
