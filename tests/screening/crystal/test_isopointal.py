import numpy as np
import pytest

from screening.crystal.crystals import standardise, transformed
from screening.crystal.isopointal import Tolerance, canonical_label, label_name
from screening.prototypes.bank import Bank
from screening.prototypes.build import cell_of_structure


def label(structure):
    return label_name(canonical_label(standardise(cell_of_structure(structure)))[0])


def test_labels_are_those_of_aflow(make):
    assert label(make.rock_salt("Na", "Cl")) == "AB_cF8_225_a_b"
    assert label(make.zinc_blende("Zn", "S")) == "AB_cF8_216_a_c"
    assert label(make.rutile("Ti", "O")) == "AB2_tP6_136_a_f"
    assert label(make.wurtzite("Zn", "O")) == "AB_hP4_186_b_b"


def test_label_is_the_same_in_every_setting(aflow_structures):
    for structure in aflow_structures[::8]:
        crystal = standardise(cell_of_structure(structure))
        own, _ = canonical_label(crystal)
        for operation in range(len(crystal.group.normaliser[0])):
            assert canonical_label(transformed(crystal, operation))[0] == own


def test_one_crystal_in_all_disguises_is_one_prototype(make):
    disguises = []
    for shift in ([0, 0, 0], [0.5, 0.5, 0.5], [0.1, 0.2, 0.3]):
        structure = make.perovskite("Sr", "Ti", "O")
        structure.translate_sites(range(5), shift)
        disguises.append(structure)
    conventional = make.perovskite("Sr", "Ti", "O")
    conventional.make_supercell([[1, 1, 0], [-1, 1, 0], [0, 0, 1]])
    bank = Bank.from_structures([*disguises, conventional])
    assert bank.n_prototypes == 1
    assert sorted(bank.n_atoms.tolist()) == [5, 10]  # the cell that was given is remembered


def test_polar_origin_is_free(make):
    shifted = [make.wurtzite("Zn", "O", z=z) for z in (0.0, 0.17, 0.61)]
    other = [make.wurtzite("Ga", "N", a=3.19), make.wurtzite("Be", "O", a=2.7)]
    bank = Bank.from_structures([*shifted, *other])
    assert bank.n_prototypes == 1
    assert len(bank) == 3


def test_classes_that_can_be_exchanged_are_found(make):
    bank = Bank.from_structures(
        [make.rock_salt("Na", "Cl"), make.perovskite("Sr", "Ti", "O"), make.rutile("Ti", "O")]
    )
    swaps = {bank.name(int(p)): bank.swaps[i].tolist() for i, p in enumerate(bank.swap_prototypes)}
    assert swaps == {"AB_cF8_225_a_b-1": [1, 0, 0]}


def test_swapped_decorations_are_one(make):
    structures = [make.rock_salt("Na", "Cl"), make.rock_salt("Cl", "Na")]
    assert len(Bank.from_structures(structures)) == 1


@pytest.mark.parametrize(
    ("change", "prototypes"),
    [({"u": 0.31}, 1), ({"u": 0.36}, 2), ({"c": 3.0}, 1), ({"c": 3.4}, 2), ({"a": 5.0}, 2)],
)
def test_geometry_beyond_the_tolerance_is_another_prototype(make, change, prototypes):
    bank = Bank.from_structures([make.rutile("Ti", "O"), make.rutile("Sn", "O", **change)])
    assert bank.n_prototypes == prototypes
    names = {bank.name(i) for i in range(bank.n_prototypes)}
    assert names == {f"AB2_tP6_136_a_f-{i + 1}" for i in range(prototypes)}


def test_wider_tolerance_merges(make):
    structures = [make.rutile("Ti", "O"), make.rutile("Sn", "O", u=0.36)]
    wide = Tolerance(length=0.1, angle=5.0, displacement=0.4)
    assert Bank.from_structures(structures, tolerance=wide).n_prototypes == 1


def test_founder_is_the_most_stable(make):
    structures = [make.rutile("Ti", "O", u=0.30), make.rutile("Sn", "O", u=0.31)]
    for hulls, founder in (([0.0, 0.05], 0.30), ([0.05, 0.0], 0.31)):
        bank = Bank.from_structures(structures, hulls=hulls)
        free = bank.crystal(0).parameters[1, 0]
        assert min(abs(free - founder), abs(free - (1 - founder)), abs(free - 0.5 + founder),
                   abs(free - 0.5 - founder)) < 1e-3  # fmt: skip
    assert np.isclose(bank.hulls, [0.05, 0.0]).sum() == 2 or len(bank) == 2
