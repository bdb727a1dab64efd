"""The estimate of what DFT costs."""

import pytest
from pymatgen.core import Lattice, Structure

from screening.errors import InputError
from screening.validation import CostModel, RunSize, estimate_run, valence_electrons
from screening.validation.cost import is_magnetic, phonon_hours, relaxation_hours

POTCARS = {"Na": "Na_pv", "Cl": "Cl", "Fe": "Fe_pv", "O": "O"}


def rocksalt(first="Na", second="Cl", a=5.69):
    sites = [[0, 0, 0], [0.5, 0.5, 0.5]]
    crystal = Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), [first, second], sites)
    return crystal.get_primitive_structure()


@pytest.mark.parametrize(
    ("potcar", "electrons"),
    [
        ("H", 1), ("Li_sv", 3), ("O", 6), ("Na_pv", 7), ("Mg", 2), ("Cl", 7), ("K_sv", 9),
        ("Ca_sv", 10), ("Ti_pv", 10), ("Ti_sv", 12), ("Mn_pv", 13), ("Fe", 8), ("Cu", 11),
        ("Zn", 12), ("Ga_d", 13), ("Ag", 11), ("Sn_d", 14), ("Gd_3", 9), ("Eu_2", 8), ("Hf_pv", 10),
        ("W_pv", 12), ("Pb_d", 14), ("Bi_d", 15),
    ],
)  # fmt: skip
def test_electrons_are_those_of_the_potcar(potcar, electrons):
    assert valence_electrons(potcar) == electrons


def test_a_potcar_of_no_element_is_refused():
    with pytest.raises(InputError, match="Xx"):
        valence_electrons("Xx_pv")


def test_the_size_of_rock_salt():
    size = estimate_run(rocksalt(), POTCARS, 400.0, 64, spin=True)
    assert size.n_electrons == 14
    assert size.n_bands == 11  # (14 + 2) / 2 + 3, as VASP chooses
    assert size.n_spins == 2
    assert size.n_kpoints == 20  # irreducible, of 7 x 7 x 7
    assert size.n_plane_waves == pytest.approx(838, rel=0.02)  # V k^3 / 6 pi^2


def test_more_atoms_cutoff_or_spin_cost_more():
    model = CostModel()

    def hours(structure, encut=400.0, *, spin=True):
        size = estimate_run(structure, POTCARS, encut, 64, spin=spin)
        return sum(relaxation_hours(size, model))

    small = hours(rocksalt())
    assert hours(rocksalt() * (2, 2, 2)) > small
    assert hours(rocksalt(), 520.0) > 1.3 * small
    assert hours(rocksalt(), spin=False) == pytest.approx(small / 2)
    size = estimate_run(rocksalt(), POTCARS, 400.0, 64, spin=True)
    faster = CostModel(gflops_per_core=2 * model.gflops_per_core)
    assert sum(relaxation_hours(size, faster)) == pytest.approx(small / 2)


def test_phonons_cost_by_displacement():
    cell, supercell = RunSize(14, 11, 20, 800, 2), RunSize(448, 276, 4, 26000, 1)
    model = CostModel()
    two, four = (phonon_hours(cell, supercell, n, model) for n in (2, 4))
    assert four - two == pytest.approx(2 * supercell.core_hours(model, 24))
    assert 0.1 < two < 100


def test_an_element_without_potcar_is_named():
    with pytest.raises(InputError, match="'K'"):
        estimate_run(rocksalt("K"), POTCARS, 400.0, 64, spin=True)


def test_only_magnetic_elements_have_spin_in_phonons():
    assert is_magnetic(rocksalt("Fe", "O", 4.3))
    assert not is_magnetic(rocksalt())
