"""Energies of the Materials Project on hulls of DFT."""

import json

import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.entries.compatibility import MaterialsProject2020Compatibility
from pymatgen.entries.computed_entries import ComputedStructureEntry

from flows.entries import import_entries, read_entries
from flows.launch import run_flow
from makers.hull import DftHullMaker
from screening.errors import InputError
from screening.readers.entries import read_entry
from screening.schemas import HullDoc, StructureDoc

SALT = Structure.from_spacegroup(
    "Fm-3m", Lattice.cubic(5.69), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
).get_primitive_structure()
SODIUM = Structure.from_spacegroup("Im-3m", Lattice.cubic(4.2), ["Na"], [[0, 0, 0]])
CHLORINE = Structure(Lattice.cubic(6.0), ["Cl", "Cl"], [[0, 0, 0], [0.33, 0, 0]])


def entry(structure, per_atom, symbols, name, **parameters):
    values = {
        "run_type": "GGA",
        "hubbards": {},
        "is_hubbard": False,
        "potcar_symbols": [f"PAW_PBE {symbol} 01Jan2000" for symbol in symbols],
    }
    return ComputedStructureEntry(
        structure, per_atom * len(structure), entry_id=name, parameters=values | parameters
    )


ENTRIES = [
    entry(SODIUM, -1.31, ["Na_pv"], "mp-127"),
    entry(CHLORINE, -1.78, ["Cl"], "mp-22848"),
    entry(SALT, -3.39, ["Na_pv", "Cl"], "mp-22862"),
    entry(SALT, -5.0, ["Na_pv", "Cl"], "mp-22862-r2SCAN", run_type="r2SCAN"),
]


def rows(entries):
    """Read entries as they would come from a file."""
    return [read_entry(json.loads(json.dumps(one.as_dict()))) for one in entries]


def test_entries_are_corrected_and_make_a_hull(database, tmp_path):
    path = tmp_path / "na-cl.json"
    path.write_text(json.dumps([one.as_dict() for one in ENTRIES]))
    report = import_entries(database, read_entries(path), path.name)
    assert report.n_imported == 3
    assert report.chemsys == {"Na", "Cl", "Cl-Na"}
    ((label, reason),) = report.rejected
    assert (label, reason) == ("mp-22862-r2SCAN", "is r2SCAN, not one of GGA, GGA+U, PBE, PBE+U")
    (salt,) = database.find(StructureDoc, {"formula": "NaCl"})
    assert (salt.stage, salt.role) == ("dft", "imported")
    assert salt.relaxation.engine == "vasp-mp2020"
    assert salt.relaxation.energy_per_atom == pytest.approx(-3.39 - 0.614 / 2)  # Cl: -0.614 eV
    run_flow(DftHullMaker(engine="vasp-mp2020").make("Cl-Na"), database)
    (hull,) = database.find(HullDoc)
    formation = {one.formula: one.formation_energy_per_atom for one in hull.entries}
    assert formation["NaCl"] == pytest.approx(-3.697 - (-1.31 - 1.78) / 2)


def test_importing_twice_doubles_nothing(database):
    for _ in range(2):
        import_entries(database, rows(ENTRIES), "mp")
    assert database.raw("structures").count_documents({}) == 3


@pytest.mark.parametrize("text", ["no json", "{}", '[{"energy": 1}]'])
def test_files_of_anything_else_are_one_line(tmp_path, text):
    path = tmp_path / "entries.json"
    path.write_text(text)
    with pytest.raises(InputError, match="entries"):
        read_entries(path)


def changed(**fields):
    """Return the row of a good entry with fields replaced; None takes one away."""
    row = json.loads(json.dumps(ENTRIES[2].as_dict())) | fields
    return {name: value for name, value in row.items() if value is not None}


def parameters(**fields):
    return changed(parameters=dict(ENTRIES[2].parameters) | fields)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (changed(energy=float("nan")), "has the energy nan"),
        (changed(energy=float("-inf")), "has the energy -inf"),
        (changed(energy=-1e300), "eV/atom: -100 to 100 are possible"),
        (changed(energy=-1000.0), "eV/atom"),
        (changed(energy="x"), "has the energy x"),
        (changed(energy=True), "has the energy True"),
        (changed(energy=None), "has no 'energy'"),
        (changed(structure=None), "has no 'structure'"),
        (changed(parameters=None), "names no POTCARs"),
        (parameters(potcar_symbols=[]), "names no POTCARs"),
        (parameters(potcar_symbols=[None]), "names no POTCARs"),
        (parameters(potcar_spec=[1]), "is no entry"),
        (parameters(run_type={"a": 1}), "is no entry"),
        (parameters(run_type="GGA+U", hubbards="x"), "is no entry"),
        (parameters(hubbards={"Na": "y"}), "has the U y"),
        (parameters(run_type="GGA+U", hubbards={"Na": 3.0}), "MP2020"),
        (parameters(potcar_symbols=["PBE"]), "MP2020"),
        ("x", "is no entry"),
        (None, "is no entry"),
    ],
)
def test_a_bad_entry_costs_itself_only(database, row, reason):
    report = import_entries(database, [read_entry(row), *rows(ENTRIES[:3])], "mp")
    assert report.n_imported == 3
    ((_, text),) = report.rejected
    assert reason in text
    assert len(text) < 300


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_of_two_entries_of_one_structure_the_lower_is_written(database, order):
    same = [entry(SALT, energy, ["Na_pv", "Cl"], f"e{-energy}") for energy in (-3.0, -3.4, -3.2)]
    report = import_entries(database, rows([same[k] for k in order]), "mp")
    assert report.n_imported == 1
    assert {label for label, _ in report.rejected} == {"e3.0", "e3.2"}
    (salt,) = database.find(StructureDoc, {"formula": "NaCl"})
    assert salt.relaxation.energy_per_atom == pytest.approx(-3.4 - 0.614 / 2)
    assert salt.origins[0].template == "e3.4"


def test_the_oxidation_states_of_an_entry_are_used(database):
    """pymatgen guesses none for 31 atoms, and takes no correction of chlorine off."""
    names = ["Li"] * 20 + ["O"] * 9 + ["Cl"] * 2
    places = [(x / 4, y / 4, z / 4) for x in range(4) for y in range(4) for z in range(4)]
    structure = Structure(Lattice.cubic(9.6), names, places[: len(names)])
    states = {"Li": 1.0, "O": -2.0, "Cl": -1.0}
    one = entry(structure, -4.8, ["Li_sv", "O", "Cl"], "x")
    energies = []
    for data in ({}, {"oxidation_states": states, "oxide_type": "oxide"}):
        one.data.clear()
        one.data.update(data)
        import_entries(database, rows([one]), "mp")
        (document,) = database.find(StructureDoc)
        energies.append(document.relaxation.energy_per_atom * 31 + 4.8 * 31)
        database.raw("structures").delete_many({})
    mine = one.copy()
    MaterialsProject2020Compatibility().process_entry(mine)
    assert energies[1] == pytest.approx(mine.correction, abs=1e-6)
    assert energies[1] == pytest.approx(-9 * 0.687 - 2 * 0.614, abs=1e-3)
    assert energies[0] == pytest.approx(-9 * 0.687, abs=1e-3)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda rows: rows,
        lambda rows: {"entries": rows},
        lambda rows: {row["entry_id"]: row for row in rows},
        lambda rows: {"computed_structure_entry": dict(enumerate(rows))},
    ],
)
def test_containers_of_entries(tmp_path, wrap):
    content = wrap([json.loads(json.dumps(one.as_dict())) for one in ENTRIES[:3]])
    (tmp_path / "a.json").write_text(json.dumps(content))
    entries = read_entries(tmp_path / "a.json")
    assert [one.label for one in entries] == ["mp-127", "mp-22848", "mp-22862"]
    assert all(one.structure for one in entries)
