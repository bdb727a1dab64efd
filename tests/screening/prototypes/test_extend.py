"""Banks that users extend: nothing known is lost, nothing is added twice."""

import numpy as np
import pytest
from pymatgen.core import Structure

from screening.checkpoints import Card, read_card
from screening.crystal.isopointal import Tolerance
from screening.errors import CheckpointError, InputError
from screening.prototypes.bank import Bank
from screening.prototypes.bank_file import BANK_CLASS, write_bank
from screening.prototypes.extend import Extender
from screening.prototypes.extend_checkpoint import Addition, add_to_bank
from screening.prototypes.summary import describe_prototype, summarise
from screening.prototypes.train import BankOptions
from screening.readers.files import ReadStructure, read_structures


def extended(bank, structures, **options):
    extender = Extender(bank, Tolerance())
    for number, structure in enumerate(structures):
        extender.add(f"s{number}", structure, **options)
    return extender.bank(), extender.report


def assert_equal(first, second):
    for name, array in first.arrays().items():
        other = second.arrays()[name]
        assert array.dtype == other.dtype, name
        np.testing.assert_array_equal(array, other, err_msg=name)


@pytest.fixture
def base(small_bank, tmp_path):
    """A small bank on disk, with the card that a trained one has."""
    folder = tmp_path / "base"
    card = Card(
        name="base", version="1", model=BANK_CLASS, description="test", arguments={},
        hyperparameters=BankOptions(epochs=1).model_dump(), data=[], split={}, metrics={}, seed=0,
        wall_time=0.0, device="cpu", packages={}, references=[],
    )  # fmt: skip
    write_bank(small_bank, folder, card)
    return folder


def test_a_bank_is_taken_apart_and_put_together(small_bank, aflow_structures):
    assert_equal(small_bank, extended(small_bank, [])[0])
    larger = Bank.from_structures(aflow_structures[:60])
    assert_equal(larger, extended(larger, [])[0])


def test_new_decorations_and_new_prototypes(make, small_bank):
    new = [make.rock_salt("Eu", "O"), make.wurtzite("Ga", "N"), make.wurtzite("Al", "N")]
    bank, report = extended(small_bank, [*new, make.rock_salt("Na", "Cl", 5.9)])
    assert (report.n_read, report.n_added, report.n_known, report.n_prototypes) == (4, 3, 1, 1)
    assert bank.n_prototypes == small_bank.n_prototypes + 1
    assert sorted(set(bank.formulas) - set(small_bank.formulas)) == ["AlN", "EuO", "GaN"]
    names = [small_bank.name(place) for place in range(small_bank.n_prototypes)]
    assert [bank.name(place) for place in range(small_bank.n_prototypes)] == names
    added = bank.structure(bank.formulas.index("EuO"))
    assert added.properties["prototype"] == "AB_cF8_225_a_b-1"
    assert added.volume == pytest.approx(make.rock_salt("Eu", "O").volume / 4)
    assert np.isnan(added.properties["e_above_hull"])
    assert np.array_equal(bank.model.places, small_bank.model.places)


def test_what_is_known_of_a_crystal_is_its_family_and_its_geometry(make, small_bank):
    extender = Extender(small_bank, Tolerance())
    assert extender.known(make.rock_salt("Eu", "O", 7.0)) == (True, True)
    assert extender.known(make.rutile("Pb", "O", c=3.6)) == (True, False)
    assert extender.known(make.wurtzite("Ga", "N")) == (False, False)
    assert extender.known(Structure(np.eye(3) * 4, [{"Cu": 0.5, "Au": 0.5}], [[0] * 3])) == (
        False,
        False,
    )
    assert extender.report.n_read == 0


def test_what_was_added_is_known_in_any_cell(aflow_structures, small_bank):
    some = [s for s in aflow_structures[:80] if len(s) <= 20]
    bank, first = extended(small_bank, some)
    cells = [structure.copy() for structure in some]
    for cell in cells[::4]:
        cell.make_supercell([2, 1, 1])
    again, second = extended(bank, cells)
    assert first.n_added > 40
    assert second.n_added == second.n_prototypes == 0
    assert second.n_known == len(some)
    assert_equal(bank, again)


def test_bad_structures_are_refused_with_a_reason(make, small_bank):
    disordered = Structure(np.eye(3) * 4, [{"Na": 0.5, "K": 0.5}], [[0, 0, 0]])
    _, report = extended(small_bank, [disordered, make.rutile("Ti", "O")], max_atoms=5)
    assert report.n_read == 2
    assert report.refused == [
        ("s0", "the structure is disordered"),
        ("s1", "has 6 atoms in the primitive cell, more than 5"),
    ]


def write_cifs(folder, structures):
    folder.mkdir()
    for number, structure in enumerate(structures):
        structure.to(filename=str(folder / f"{number}.cif"))


@pytest.fixture
def cifs(make, tmp_path):
    folder = tmp_path / "cifs"
    new = [make.wurtzite("Ga", "N"), make.rock_salt("Eu", "O"), make.rock_salt("Na", "Cl")]
    write_cifs(folder, new)
    (folder / "bad.cif").write_text("nothing")
    return folder


def addition(base, tmp_path, **options):
    where = str(base) if base else None
    return Addition("cifs", "files: cifs", "CC0", tmp_path / "mine", where, **options)


def test_a_folder_becomes_a_checkpoint(base, cifs, tmp_path):
    card, done = add_to_bank(read_structures(cifs), addition(base, tmp_path))
    assert (done.n_read, done.n_added, done.n_known, done.n_prototypes) == (4, 2, 1, 1)
    assert [label for label, _ in done.refused] == [str(cifs / "bad.cif")]
    assert card == read_card(str(tmp_path / "mine"))
    assert (card.name, card.model) == ("mine", BANK_CLASS)
    source = card.data[-1]
    assert (source.name, source.rows, source.licence) == ("cifs", 2, "CC0")
    assert len(source.sha256) == 64
    assert card.hyperparameters["base"] == read_card(str(base)).sha256
    bank = Bank.load(str(tmp_path / "mine"))
    assert {"GaN", "EuO"} <= set(bank.formulas)
    assert card.metrics == {"prototypes": bank.n_prototypes, "decorations": len(bank)}


def test_the_same_folder_twice_changes_nothing(base, cifs, tmp_path):
    first, _ = add_to_bank(read_structures(cifs), addition(base, tmp_path))
    second, done = add_to_bank(read_structures(cifs), addition(None, tmp_path))
    assert second == first
    assert (done.n_added, done.n_known) == (0, 3)


def test_only_a_chemical_system(base, cifs, tmp_path):
    wanted = addition(base, tmp_path, elements=frozenset({"Ga", "N"}))
    _, done = add_to_bank(read_structures(cifs), wanted)
    assert done.n_added == 1
    assert any("outside of the chemical system" in reason for _, reason in done.refused)


def test_learning_anew_is_on_request(base, cifs, tmp_path):
    kept, _ = add_to_bank(read_structures(cifs), addition(base, tmp_path))
    before = Bank.load(str(tmp_path / "mine")).model.places
    assert kept.hyperparameters["model_of"] == read_card(str(base)).sha256
    fitted, done = add_to_bank(read_structures(cifs), addition(None, tmp_path, fit=True))
    assert done.n_added == 0
    assert fitted.hyperparameters["model_of"] == "this bank"
    assert {"n", "top1", "top5"} <= set(fitted.metrics)
    assert not np.array_equal(Bank.load(str(tmp_path / "mine")).model.places, before)


def test_errors(base, tmp_path):
    nothing = [ReadStructure("a.cif", reason="is empty")]
    with pytest.raises(InputError, match="'cifs' gave no usable structure; the first: a.cif: is"):
        add_to_bank(nothing, addition(base, tmp_path))
    with pytest.raises(InputError, match="'energy' is a bundled checkpoint"):
        add_to_bank([], Addition("x", "x", "x", tmp_path / "energy"))
    with pytest.raises(CheckpointError, match="no checkpoint 'none'"):
        add_to_bank([], addition("none", tmp_path))


def test_contents(small_bank):
    summary = summarise(small_bank, 3)
    assert summary["prototypes"] == small_bank.n_prototypes
    assert summary["decorations"] == len(small_bank)
    assert len(summary["commonest"]) == 3
    first = summary["commonest"][0]
    assert first["prototype"] == "AB_cF8_225_a_b-1"
    assert first["stoichiometry"] == "AB"
    assert first["decorations"] == 28
    kinds = {row["stoichiometry"]: row["decorations"] for row in summary["stoichiometries"]}
    assert kinds["ABC3"] == 15
    (found,) = describe_prototype(small_bank, "ABC3_cP5_221_a_b_c-1")
    assert found["space_group"] == "Pm-3m (221)"
    assert found["cell_multiples"] == {1: 15}
    assert [orbit["wyckoff"] for orbit in found["orbits"]] == ["1a", "1b", "3c"]
    assert found["orbits"][2]["elements"] == {"O": 9, "F": 6}
    (rutile,) = describe_prototype(small_bank, "AB2_tP6_136_a_f")
    assert rutile["cell"]["c/a"] == pytest.approx(2.96 / 4.6, abs=0.01)
    assert rutile["orbits"][1]["free"].startswith("x 0.")
    with pytest.raises(InputError, match="no prototype 'magic'"):
        describe_prototype(small_bank, "magic")
