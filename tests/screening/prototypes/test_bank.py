import numpy as np
import pytest
from pymatgen.core import Structure

from screening.checkpoints import Card
from screening.errors import CheckpointError, InputError
from screening.metrics.matching import rms_distance
from screening.prototypes.bank import Bank, Failure
from screening.prototypes.bank_file import BANK_CLASS, write_bank


def card(folder, model=BANK_CLASS):
    return Card(
        name=folder.name, version="1", model=model, description="test", arguments={},
        hyperparameters={}, data=[], split={}, metrics={}, seed=0, wall_time=0.0, device="cpu",
        packages={}, references=[],
    )  # fmt: skip


def test_every_known_crystal_can_be_rebuilt(make, small_bank):
    rebuilt = [small_bank.structure(index) for index in range(len(small_bank))]
    for structure in make.textbook():
        formula = structure.composition.reduced_formula
        same = [other for other in rebuilt if other.composition.reduced_formula == formula]
        best = np.nanmin([rms_distance(structure, other, "strict") for other in same])
        assert best < 0.03, formula


def test_volume_and_prototype_are_kept(make, small_bank):
    index = small_bank.formulas.index("SrTiO3")
    structure = small_bank.structure(index)
    assert structure.volume == pytest.approx(64.0, rel=1e-5)
    assert structure.properties["prototype"] == "ABC3_cP5_221_a_b_c-1"


def test_aflow_prototypes_fit_in_a_bank(aflow_structures):
    bank = Bank.from_structures(aflow_structures[:120])
    assert not bank.failures
    for index in range(0, len(bank), 7):
        structure = bank.structure(index)
        assert len(structure) == bank.primitive_atoms[bank.prototypes[index]]
        assert structure.volume / len(structure) == pytest.approx(float(bank.volumes[index]))


def test_bad_structures_are_data(make):
    disordered = Structure([[4, 0, 0], [0, 4, 0], [0, 0, 4]], [{"Na": 0.5, "K": 0.5}], [[0, 0, 0]])
    overlapping = Structure(np.eye(3) * 4, ["Na", "Na"], [[0, 0, 0], [0, 0, 0.0001]])
    bank = Bank.from_structures([disordered, make.rock_salt("Na", "Cl"), overlapping])
    assert bank.failures == (
        Failure(0, "the structure is disordered"),
        Failure(2, "spglib finds no symmetry"),
    )
    assert bank.formulas == ["NaCl"]


def test_bank_of_nothing():
    bank = Bank.from_structures([])
    assert len(bank) == bank.n_prototypes == 0
    assert bank.known_phases(["Na"]) == []
    assert bank.element_volumes.shape == (104,)


def test_oxidation_states_are_ignored(make):
    charged = make.rock_salt("Na", "Cl").copy()
    charged.add_oxidation_state_by_element({"Na": 1, "Cl": -1})
    assert Bank.from_structures([charged]).formulas == ["NaCl"]


def test_leaving_out_formulas(small_bank):
    less = small_bank.without(["Ti2O4", "CaSrTiO3"])
    assert "TiO2" not in less.formulas
    assert len(less) == len(small_bank) - small_bank.formulas.count("TiO2")
    assert less.n_prototypes <= small_bank.n_prototypes


def test_subset_is_the_bank_of_the_subset(small_bank):
    rng = np.random.default_rng(3)
    mask = rng.random(len(small_bank)) < 0.3
    less = small_bank.subset(mask)
    assert less.formulas == [f for f, m in zip(small_bank.formulas, mask, strict=True) if m]
    for index, original in enumerate(np.flatnonzero(mask)):
        first, second = less.structure(index), small_bank.structure(int(original))
        assert first.lattice == second.lattice
        assert first.sites == second.sites
        assert first.properties["prototype"] == second.properties["prototype"]
    used = {small_bank.name(int(p)) for p in small_bank.swap_prototypes}
    kept = {less.name(int(p)) for p in less.swap_prototypes}
    assert kept == used & {less.name(i) for i in range(less.n_prototypes)}


def test_from_table_leaves_out_all_polymorphs(make):
    structures = [make.rock_salt("Zn", "S"), make.zinc_blende("Zn", "S"), make.rutile("Ti", "O")]
    table = make.table_of(structures)
    assert sorted(Bank.from_table(table).formulas) == ["TiO2", "ZnS", "ZnS"]
    assert Bank.from_table(table, exclude_formulas=["Zn2S2"]).formulas == ["TiO2"]


def test_order_of_the_input_does_not_matter(make):
    structures = make.textbook()
    hulls = np.arange(len(structures)) / 1000
    order = np.random.default_rng(0).permutation(len(structures))
    first = Bank.from_structures(structures, hulls=hulls)
    second = Bank.from_structures([structures[i] for i in order], hulls=hulls[order])
    for name, array in first.arrays().items():
        assert np.array_equal(array, second.arrays()[name]), name


def test_competing_phases(small_bank):
    phases = small_bank.known_phases(["Ba", "Ti", "O", "Sr"])
    formulas = {phase.composition.reduced_formula for phase in phases}
    assert formulas == {"BaO", "SrO", "TiO2", "BaTiO3", "SrTiO3"}
    with pytest.raises(InputError, match="Xx"):
        small_bank.known_phases(["Xx"])


def test_checkpoint_round_trip(small_bank, tmp_path):
    written = write_bank(small_bank, tmp_path / "bank", card(tmp_path / "bank"))
    read = Bank.load(str(tmp_path / "bank"))
    assert read.ref.sha256 == written.sha256
    for name, array in small_bank.arrays().items():
        assert np.array_equal(array, read.arrays()[name], equal_nan=array.dtype.kind == "f"), name
        assert array.dtype == read.arrays()[name].dtype
    assert read.model.places == pytest.approx(small_bank.model.places, abs=1e-6)


def test_other_checkpoints_are_refused(small_bank, tmp_path):
    write_bank(small_bank, tmp_path / "other", card(tmp_path / "other", model="a.b:C"))
    with pytest.raises(CheckpointError, match=r"a\.b:C, not a prototype bank"):
        Bank.load(str(tmp_path / "other"))


def test_element_volumes_rebuild_volumes(small_bank):
    suggested = small_bank.packing(np.arange(len(small_bank)))
    error = np.abs(np.log(suggested / small_bank.volumes))
    assert error.mean() < 0.25
    assert small_bank.element_volumes.min() >= 2.0


class TestBundledBank:
    def test_is_small_and_has_no_identifiers(self):
        bank = Bank.load()
        size = sum(array.nbytes for array in bank.arrays().values())
        assert size < 3_000_000
        assert bank.n_prototypes > 5000
        assert len(bank) > 16_000
        assert all(array.dtype.kind in "uif" for array in bank.arrays().values())

    def test_knows_common_phases(self):
        phases = Bank.load().known_phases(["Sr", "Ti", "O"])
        assert {"SrTiO3", "TiO2"} <= {phase.composition.reduced_formula for phase in phases}
        assert all(phase.properties["e_above_hull"] < 0.09 for phase in phases)
