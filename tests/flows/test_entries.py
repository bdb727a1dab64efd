"""Energies of the Materials Project on hulls of DFT."""

import json

import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.entries.computed_entries import ComputedStructureEntry

from flows.entries import import_entries, read_entries
from flows.launch import run_flow
from makers.hull import DftHullMaker
from screening.errors import InputError
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
        import_entries(database, ENTRIES, "mp")
    assert database.raw("structures").count_documents({}) == 3


@pytest.mark.parametrize("text", ["no json", "{}", '[{"energy": 1}]'])
def test_files_of_anything_else_are_one_line(tmp_path, text):
    path = tmp_path / "entries.json"
    path.write_text(text)
    with pytest.raises(InputError, match="entries"):
        read_entries(path)
