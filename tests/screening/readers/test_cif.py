"""CIFs: what a file says of itself is compared with what is read, and correct files are read."""

import re

import numpy as np
import pytest
from ase.io import write
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Composition
from pymatgen.io.cif import CifWriter

from screening.prototypes.bank import Bank
from screening.readers.cif import read_cif

FRACTIONS = "".join(f"_atom_site_fract_{axis}\n" for axis in "xyz")
SITES = "_atom_site_label\n_atom_site_type_symbol\n" + FRACTIONS
LABELS = "_atom_site_label\n" + FRACTIONS
CELL = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
P_3M1 = ["x,y,z", "-y,x-y,z", "-x+y,-x,z", "y,x,-z", "-x,-x+y,-z", "x-y,-y,-z"]
P_3M1 += ["-x,-y,-z", "y,-x+y,-z", "x-y,x,-z", "-y,-x,z", "x,x-y,z", "-x+y,y,z"]


def cif(cell, atoms, columns=SITES, operations=(), **names):
    """Write a block; names are CIF's, without the underscore in front."""
    lines = ["data_test", *(f"_cell_{k} {v}" for k, v in zip(CELL, cell, strict=True))]
    lines += [f"_{name.replace('H_M', 'H-M')} '{value}'" for name, value in names.items()]
    if operations:
        lines += ["loop_", "_space_group_symop_operation_xyz", *operations]
    return "\n".join([*lines, "loop_", columns.strip(), *atoms, ""])


def cubic(a):
    return (a, a, a, 90, 90, 90)


@pytest.fixture
def read(tmp_path):
    def read_text(text):
        content = text if isinstance(text, bytes) else text.encode()
        (tmp_path / "a.cif").write_bytes(content)
        (item,) = read_cif(tmp_path / "a.cif")
        return item

    return read_text


HYDROXIDE = ((3.5, 3.5, 4.9, 90, 90, 120), ["M1 Ca 0 0 0", "O1 O 0.33333 0.66667 0.2341"])
SILICON = (cubic(5.431), ["Si1 Si 0.125 0.125 0.125"])
BISMUTH = ((4.7459,) * 3 + (57.23,) * 3, ["Bi1 Bi 0.23389 0.23389 0.23389"])
SALT = (cubic(5.64), ["Na1 Na 0 0 0", "Cl1 Cl 0.5 0.5 0.5"])
F_M_3M = {"symmetry_space_group_name_H_M": "F m -3 m"}


@pytest.mark.parametrize(
    ("text", "both"),
    [
        (cif(*HYDROXIDE, operations=P_3M1, chemical_formula_sum="Ca H2 O2"), ["Ca H2 O2", "Ca O2"]),
        (cif(*HYDROXIDE, operations=P_3M1, exptl_crystal_density_diffrn="2.21"), ["2.21", "2.3"]),
        (cif(*SALT, **F_M_3M, cell_formula_units_Z="2", chemical_formula_sum="Na Cl"), ["2", "4"]),
        (cif(*SALT, **F_M_3M, cell_formula_units_Z="3"), ["Z is 3", "Na4 Cl4"]),
        (cif(*SALT, **F_M_3M, cell_volume="200.5(3)"), ["200.5", "179.4"]),
        (cif(*SALT, **F_M_3M, symmetry_Int_Tables_number="227"), ["225", "227"]),
        (cif(*SALT, operations=["x,y,z"], space_group_IT_number="225"), ["225", "make 1"]),
        (cif(*SALT, operations=["x,y,z"], space_group_IT_number="999"), ["999", "230"]),
        (cif(*SALT, **F_M_3M, chemical_formula_weight="74.55", cell_formula_units_Z="4"),
         ["298.2", "233.7"]),
    ],
)  # fmt: skip
def test_a_contradiction_is_refused_with_both_numbers(read, text, both):
    item = read(text)
    assert item.structure is None
    for number in both:
        assert re.search(number, item.reason), item.reason


def test_hydrogens_without_positions(read):
    columns = SITES + "_atom_site_attached_hydrogens\n"
    atoms = [f"{atom} {n}" for atom, n in zip(HYDROXIDE[1], "01", strict=True)]
    item = read(cif(HYDROXIDE[0], atoms, columns, P_3M1))
    assert "1 hydrogen atoms are attached" in item.reason
    item = read(cif(HYDROXIDE[0], [f"{atom} 0" for atom in HYDROXIDE[1]], columns, P_3M1))
    assert item.structure.composition.reduced_formula == "CaO2"
    item = read(cif(HYDROXIDE[0], [*HYDROXIDE[1], "H1 H ? ? ?"], SITES, P_3M1))
    assert item.reason == "gives no position of H1"


def test_multiplicities_are_compared(read):
    columns = SITES + "_atom_site_symmetry_multiplicity\n"
    assert read(cif(SALT[0], [f"{a} 4" for a in SALT[1]], columns, **F_M_3M)).structure
    orders = [f"{a} 48" for a in SALT[1]]  # the order of the site symmetry, as older SHELXL wrote
    assert read(cif(SALT[0], orders, columns, **F_M_3M)).structure
    item = read(cif(SALT[0], [f"{a} 8" for a in SALT[1]], columns, **F_M_3M))
    assert "has 8 images, its symmetry makes 4" in item.reason


@pytest.mark.parametrize(
    ("name", "n_atoms"),
    [("F d -3 m :2", 8), ("F d -3 m Z", 8), ("Fd-3m:2", 8), ("F d 3 m :2", 8), ("F d -3 m :1", 16)],
)
def test_the_origin_that_is_named_is_taken(read, name, n_atoms):
    structure = read(cif(*SILICON, space_group_name_H_M_alt=name)).structure
    assert len(structure) == n_atoms
    assert structure.get_space_group_info()[1] == 227


def test_an_open_origin_is_decided_by_the_rest_of_the_file_or_refused(read):
    open_name = {"space_group_name_H_M_alt": "F d -3 m"}
    hall = {"space_group_name_Hall": "-F 4vw 2vw 3"}
    for rest in (
        {"cell_formula_units_Z": "8", "chemical_formula_sum": "Si"},
        {"exptl_crystal_density_diffrn": "2.33"},
    ):
        item = read(cif(*SILICON, **open_name, **rest))
        assert len(item.structure) == 8
        assert "read as F d -3 m :2" in item.notes[0]
    assert len(read(cif(*SILICON, **open_name, **hall)).structure) == 8
    item = read(cif(*SILICON, **open_name))
    assert "Si16 (F d -3 m :1) or Si8 (F d -3 m :2)" in item.reason


def test_axes_of_rhombohedral_groups(read):
    for names in (
        {"symmetry_space_group_name_H_M": "R -3 m :R"},
        {"symmetry_space_group_name_H_M": "R -3 m"},
        {"symmetry_Int_Tables_number": "166"},
    ):
        structure = read(cif(*BISMUTH, **names, cell_formula_units_Z="2")).structure
        assert len(structure) == 2
        assert structure.get_space_group_info()[1] == 166
    hexagonal = ((4.546, 4.546, 11.862, 90, 90, 120), ["Bi1 Bi 0 0 0.23389"])
    assert len(read(cif(*hexagonal, symmetry_space_group_name_H_M="R -3 m")).structure) == 6
    item = read(cif(*BISMUTH, symmetry_space_group_name_H_M="R -3 m :H"))
    assert item.reason == "has a cell that R -3 m :H does not allow"


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("P 21/n", (5, 6, 7, 90, 97, 90)),
        ("P 1 21/n 1", (5, 6, 7, 90, 97, 90)),
        ("P2(1)/n", (5, 6, 7, 90, 97, 90)),
        ("P 21/n", (5, 6, 7, 90, 90, 97)),
        ("P 1 1 21/b", (5, 6, 7, 90, 90, 97)),
        ("C m c a", (5, 6, 7, 90, 90, 90)),
        ("P b n m", (5, 6, 7, 90, 90, 90)),
    ],
)
def test_settings_that_are_not_the_standard_one(read, name, cell):
    item = read(cif(cell, ["Si1 Si 0.11 0.23 0.37"], space_group_name_H_M_alt=name))
    number = {"C": 64, "P b n m": 62}.get(name if name == "P b n m" else name[0], 14)
    assert item.structure.get_space_group_info()[1] == number


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ({"symmetry_space_group_name_H_M": "F q -9 z"}, "'F q -9 z' is unknown"),
        ({"symmetry_space_group_name_H_M": "F q -9 z", "space_group_IT_number": "999"}, "999"),
        ({"space_group_IT_number": "999"}, "'999' is unknown"),
        ({"space_group_magn_name_BNS": "P n' m a'"}, "magnetic space group"),
        ({"operations": ["x,y,z", "-y,x,z"]}, "no group"),
        ({"operations": ["x,y,z", "x+y,y,z"]}, "no group"),
        ({"operations": ["9**9**9*x,y,z"]}, "which is none"),
        ({"operations": ["__import__('os'),y,z"]}, "without any"),
        ({"operations": ["exec('x'),y,z"]}, "which is none"),
        ({"operations": ["1/0+x,y,z"]}, "zero"),
        ({"cell_modulation_dimension": "1"}, "modulated"),
    ],
)
def test_symmetry_that_is_none(read, names, reason):
    item = read(cif(*SALT, **names))
    assert item.structure is None
    assert reason in item.reason


def test_a_cell_that_its_group_does_not_allow(read):
    item = read(cif((3, 4, 5, 70, 80, 90), SALT[1], **F_M_3M))
    assert item.reason == "has a cell that F m -3 m does not allow"
    item = read(
        cif((3, 4, 5, 70, 80, 90), SALT[1], operations=["x,y,z", "y,-x,z", "-x,-y,z", "-y,x,z"])
    )
    assert item.reason == "has symmetry operations that do not fit its cell"


@pytest.mark.parametrize(
    ("labels", "formula", "answer"),
    [
        (["LI1", "O1", "HO1"], "H Li O", "LiHO"),
        (["Ho1", "O1", "Li1"], "Ho Li O", "HoLiO"),
        (["NA1", "O1", "CL1"], "Cl Na O", "NaClO"),
        (["Ca1", "O1A", "Fe2B"], "", "CaFeO"),
        (["Oa", "Fe1", "Ob"], "", "FeO2"),
        (["CA1", "O1", "FE1"], "", "may be Ca or C"),
        (["Vac1", "O1", "Fe1"], "", "'Vac1'"),
        (["Wat1", "O1", "Fe1"], "", "'Wat1'"),
        (["1", "O1", "Fe1"], "", "'1'"),
    ],
)
def test_labels_without_type_symbols(read, labels, formula, answer):
    places = ["0 0 0", "0.5 0.5 0.5", "0 0 0.5"]
    atoms = [f"{label} {place}" for label, place in zip(labels, places, strict=True)]
    names = {"chemical_formula_sum": formula} if formula else {}
    item = read(cif((4, 4, 5, 90, 90, 90), atoms, LABELS, ["x,y,z"], **names))
    if item.structure:
        assert item.structure.composition == Composition(answer)
    else:
        assert answer in item.reason


@pytest.mark.parametrize("symbol", ["Vac", "Wat", "OH", "X", "T", "Cn", "0.8Nb + 0.2Zr"])
def test_types_that_are_no_elements(read, symbol):
    item = read(cif(SALT[0], [f"A1 '{symbol}' 0 0 0"], operations=["x,y,z"]))
    assert item.structure is None
    assert "no element" in item.reason


@pytest.mark.parametrize(
    ("symbol", "element"),
    [("Fe3+", "Fe"), ("O2-", "O"), ("Fe+3", "Fe"), ("LI", "Li"), ("Cs1", "Cs"), ("Cval", "C")],
)
def test_types_with_charges(read, symbol, element):
    item = read(cif(cubic(3), [f"A1 {symbol} 0 0 0"], operations=["x,y,z"]))
    assert item.structure.symbol_set == (element,)


def test_deuterium_is_hydrogen_and_said(read):
    atoms = ["Li1 Li 0 0 0", "D1 D 0.5 0.5 0.5"]
    formula = {"chemical_formula_sum": "D Li", "exptl_crystal_density_diffrn": "0.88"}
    item = read(cif(cubic(4.07), atoms, **F_M_3M, **formula))
    assert item.structure.composition.reduced_formula == "LiH"
    assert item.notes == ("D (deuterium) read as H",)


def test_two_charges_on_one_site_are_one_element(read):
    columns = SITES + "_atom_site_occupancy\n"
    atoms = ["Fe1 Fe3+ 0 0 0 0.5", "Fe2 Fe2+ 0 0 0 0.5"]
    assert len(read(cif(cubic(2.8), atoms, columns, ["x,y,z"])).structure) == 1
    atoms[1] = "Co2 Co2+ 0 0 0 0.5"
    assert "partly" in read(cif(cubic(2.8), atoms, columns, ["x,y,z"])).reason
    atoms[1] = "Fe2 Fe2+ 0 0 0 0.8"
    assert "occupancies of 1.3" in read(cif(cubic(2.8), atoms, columns, ["x,y,z"])).reason


def test_rounded_coordinates_on_symmetry_elements_make_no_doubled_atoms(read):
    atoms = ["Ti1 Ti 0.3333 0.6667 0.25", "O1 O 0.1667 0.3333 0.75"]
    cell = (5.1, 5.1, 4.7, 90, 90, 120)
    structure = read(cif(cell, atoms, symmetry_space_group_name_H_M="P 63/m m c")).structure
    assert structure.composition.as_dict() == {"Ti": 2, "O": 6}


@pytest.mark.parametrize(
    "change",
    [
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.encode("utf-16"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: text.replace("data_test", "data_test\n_note 'Gr\xf6\xdfe'").encode("latin-1"),
        lambda text: text.replace("_test", "_test\n_note\n;\ndata_collection\nloop_\n;").encode(),
        lambda text: text.replace("data_test", "DATA_test # it's").encode(),
        lambda text: text.replace("_cell_length_a", "_CELL_length_A").encode(),
        lambda text: text.replace("_atom_site_", "_atom_site.").encode(),
        lambda text: text.replace("_cell_angle_alpha 90\n", "").encode(),
        lambda text: text.replace("5.64", "5.640(2)").encode(),
    ],
)  # fmt: skip
def test_spellings_of_one_file(read, change):
    item = read(change(cif(*SALT, **F_M_3M)))
    assert item.structure.composition.formula == "Na4 Cl4"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no block with atoms"),
        ("hello", "no block with atoms"),
        (cif(cubic(5), []), "no atoms"),
        (cif((5, 5, 0, 90, 90, 90), SALT[1]), "not positive"),
        (cif((5, 5, 5, 10, 90, 170), SALT[1]), "angles of 10, 90, 170"),
        (cif(cubic(564), SALT[1], **F_M_3M), "Angstrom^3 for each atom"),
        (cif(cubic(5), ["Na1 Na 0 0"]), "row is incomplete"),
        (cif(cubic(5), ["Na1 Na 0 0 x"]), "'x' where a number belongs"),
        (cif(cubic(5), SALT[1]) + "_cell_length_a 6\n", "more than once"),
        (cif(cubic(5), ["Cs1 Cs 0.1 0.2 0.3"], symmetry_space_group_name_H_M="F m -3 m"), "dense"),
        ("data_x\n_a '" + "y " * 20_000, "line of more than"),
    ],
)
def test_broken_files(read, text, reason):
    item = read(text)
    assert item.structure is None
    assert reason in item.reason


@pytest.fixture(scope="module")
def crystals():
    """One crystal of each space group that the bank has."""
    bank = Bank.load()
    groups = np.asarray(bank.groups)[np.asarray(bank.prototypes)]
    rows = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    return [bank.structure(int(row[len(row) // 2])) for row in rows]


def without_operations(text):
    return re.sub(r"loop_\n _symmetry_equiv_pos_site_id\n.*\n(  \d+ .*\n)+", "", text)


def test_what_others_write_of_every_space_group_is_read(read, crystals, tmp_path):
    """Files of pymatgen, with symmetry, without its operations, and in P1, and of ASE."""
    matcher = StructureMatcher(scale=False, attempt_supercell=False)
    assert len(crystals) > 150
    for crystal in crystals:
        symmetric = str(CifWriter(crystal, symprec=0.01))
        write(tmp_path / "ase.cif", crystal.to_ase_atoms())
        texts = [symmetric, without_operations(symmetric), str(CifWriter(crystal))]
        items = [read(text) for text in [*texts, (tmp_path / "ase.cif").read_text()]]
        assert [item.reason for item in items] == [None] * 4, crystal.composition
        for item in items:
            assert item.structure.composition.reduced_formula == crystal.reduced_formula
            per_atom = item.structure.volume / len(item.structure)
            assert per_atom == pytest.approx(crystal.volume / len(crystal), rel=1e-4)
        assert matcher.fit(items[1].structure, crystal)
