"""Every CIF that is written reads back as the crystal that it was written from."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifWriter

from dashboard.cif import SYMPREC, cif_text, reads_back
from screening.crystal.crystals import to_structure
from screening.prototypes.bank import Bank


def bank_crystals():
    """One crystal of each space group of the bundled bank, close to its symmetry or exact."""
    bank, rng = Bank.load(), np.random.default_rng(0)
    for group in np.unique(bank.groups):
        prototype = int(rng.choice(np.flatnonzero(bank.groups == group)))
        decoration = int(np.flatnonzero(bank.prototypes == prototype)[0])
        crystal = bank.crystal(prototype)
        species = bank.elements[decoration][crystal.species].astype(int)
        volume = float(bank.volumes[decoration])
        structure = to_structure(crystal.with_species(species).scaled(volume))
        if group % 4:
            steps = rng.normal(0, 0.1 * SYMPREC, (len(structure), 3))
            for site, step in enumerate(steps):
                structure.translate_sites(site, step, frac_coords=False)
        yield int(group), structure


def test_every_space_group_of_the_bank_reads_back():
    groups = set()
    for group, structure in bank_crystals():
        text = cif_text(structure)
        assert reads_back(text, structure), (group, structure.formula)
        if f"_symmetry_Int_Tables_number   {group}\n" in text:
            groups.add(group)
    assert len(groups) > 150  # symmetry is kept, too, where it is still found


def test_rock_salt_close_to_its_symmetry_keeps_its_composition():
    magnesia = Structure.from_spacegroup(
        "R-3m", Lattice.hexagonal(3.008, 14.75), ["Mg", "O"], [[0, 0, 0], [0, 0, 0.5]]
    )
    cell = Structure(
        Lattice.hexagonal(3.008, 7.37),
        ["Mg"] * 3 + ["O"] * 3,
        [
            [0, 0, 0], [1 / 3, 2 / 3, 1 / 3 + 0.0006], [2 / 3, 1 / 3, 2 / 3 - 0.0006],
            [0, 0, 0.5], [1 / 3, 2 / 3, 0.8333], [2 / 3, 1 / 3, 0.1667],
        ],
    )  # fmt: skip
    for structure in (magnesia, cell):
        text = cif_text(structure)
        assert Structure.from_str(text, fmt="cif").composition.reduced_formula == "MgO"
        assert reads_back(text, structure)


def test_a_symmetry_that_readers_multiply_is_left_out(monkeypatch):
    crystal = Structure.from_spacegroup("P4/mmm", Lattice.tetragonal(3, 4), ["Cu"], [[0, 0, 0]])
    double = Structure.from_spacegroup("P4/mmm", Lattice.tetragonal(3, 4), ["Cu"], [[0, 0, 0.1]])
    wrong = str(CifWriter(double, symprec=0.01))
    assert not reads_back(wrong, crystal)
    assert not reads_back("data_x\n", crystal)
    monkeypatch.setattr("dashboard.cif.symmetrised", lambda *_: double)
    text = cif_text(crystal)
    assert "_symmetry_Int_Tables_number   1\n" in text
    assert reads_back(text, crystal)


@pytest.mark.parametrize("symbol", ["P3_121", "P3_221"])
def test_a_left_handed_cell_keeps_its_handedness(symbol):
    quartz = Structure.from_spacegroup(
        symbol,
        Lattice.hexagonal(4.91, 5.40),
        ["Si", "O"],
        [[0.47, 0, 1 / 3 if symbol == "P3_121" else 2 / 3], [0.414, 0.267, 0.453]]
        if symbol == "P3_121"
        else [[0.47, 0, 2 / 3], [0.414, 0.267, 0.787]],
    )
    matrix = quartz.lattice.matrix[[1, 0, 2]]
    turned = Structure(matrix, quartz.species, quartz.frac_coords[:, [1, 0, 2]])
    assert np.linalg.det(turned.lattice.matrix) < 0
    text = cif_text(turned)
    read = Structure.from_str(text, fmt="cif")
    assert read.get_space_group_info(0.01) == quartz.get_space_group_info(0.01)
