"""Structures from files: every format, every item of a file, and bad ones named and left out."""

import gzip
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from ase.build import bulk, fcc111, molecule
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Species, Structure
from pymatgen.entries.computed_entries import ComputedStructureEntry

from screening.errors import InputError
from screening.readers.files import read_structures


def crystal(anion="Cl", a=4.1):
    return Structure(Lattice.cubic(a), ["Cs", anion], [[0, 0, 0], [0.5, 0.5, 0.5]])


def changed(structure, **sites):
    """Return the dictionary of a structure with values of its first site replaced."""
    content = json.loads(json.dumps(structure.as_dict()))
    content["sites"][0] |= sites
    return content


def read(path):
    return list(read_structures(path))


def same(structure, other):
    return StructureMatcher(scale=False).fit(structure, other)


@pytest.mark.parametrize(
    "name", ["a.cif", "a.CIF", "a.vasp", "a.poscar", "POSCAR", "CONTCAR", "a.xyz", "a.extxyz"]
)
def test_formats(tmp_path, name):
    kind = name.rpartition(".")[2].lower()
    if kind.endswith("xyz"):
        write(tmp_path / name, crystal().to_ase_atoms(), format="extxyz")
    else:
        text = crystal().to(fmt="cif" if kind == "cif" else "poscar")
        (tmp_path / name).write_text(text)
    (item,) = read(tmp_path / name)
    assert item.reason is None
    assert item.label.startswith(str(tmp_path / name))
    assert same(item.structure, crystal())


def test_every_block_of_a_cif_is_read(tmp_path):
    texts = [crystal(anion).to(fmt="cif") for anion in ("Cl", "Br", "I")]
    header = "data_global\n_publ_section_title 'nothing here'\n"
    (tmp_path / "three.cif").write_text(header + "\n".join(texts))
    items = read(tmp_path / "three.cif")
    assert [item.structure.reduced_formula for item in items] == ["CsCl", "CsBr", "CsI"]
    assert [item.label.rpartition("#")[2] for item in items] == ["CsCl", "CsBr", "CsI"]


def test_a_bad_block_stops_no_other(tmp_path):
    good = crystal().to(fmt="cif")
    bad = good.replace("data_CsCl", "data_bad").replace("_cell_length_a", "_cell_length_q")
    again = good.replace("data_CsCl", "data_again")
    (tmp_path / "a.cif").write_text(f"{good}\n{bad}\n{again}")
    items = read(tmp_path / "a.cif")
    assert [item.structure is None for item in items] == [False, True, False]
    assert items[1].label.endswith("#bad")
    assert items[1].reason


def test_overfull_sites_of_a_cif_are_explained(tmp_path):
    text = crystal().to(fmt="cif")
    atoms = [line for line in text.splitlines() if line.strip().startswith("Cs  ")]
    assert len(atoms) == 1
    (tmp_path / "a.cif").write_text(text + atoms[0].replace("Cs0", "Cs9") + "\n")
    (item,) = read(tmp_path / "a.cif")
    assert item.structure is None
    assert "occupancies" in item.reason


def test_json_of_structures_and_entries(tmp_path):
    entry = ComputedStructureEntry(crystal("Br"), -6.0)
    content = [crystal().as_dict(), entry.as_dict(), {"structure": crystal("I").as_dict()}]
    (tmp_path / "a.json").write_text(json.dumps(content))
    (tmp_path / "one.json").write_text(json.dumps(crystal("F").as_dict()))
    formulas = [item.structure.reduced_formula for item in read(tmp_path)]
    assert formulas == ["CsCl", "CsBr", "CsI", "CsF"]


def test_parquet(tmp_path):
    structures = [crystal(), crystal("Br", 4.3)]
    table = pd.DataFrame(
        {
            "material_id": ["m-1", "m-2"],
            "atomic_numbers": [list(item.atomic_numbers) for item in structures],
            "lattice": [item.lattice.matrix.ravel().tolist() for item in structures],
            "frac_coords": [item.frac_coords.ravel().tolist() for item in structures],
        }
    )
    table.to_parquet(tmp_path / "a.parquet")
    items = read(tmp_path / "a.parquet")
    assert [item.label.rpartition("#")[2] for item in items] == ["m-1", "m-2"]
    assert all(same(i.structure, s) for i, s in zip(items, structures, strict=True))
    table.drop(columns=["lattice", "frac_coords"]).to_parquet(tmp_path / "b.parquet")
    (item,) = read(tmp_path / "b.parquet")
    assert item.reason == "has no column lattice, frac_coords"


def test_frames_of_xyz_need_three_periods(tmp_path):
    frames = [bulk("Cu"), molecule("H2O"), fcc111("Cu", (1, 1, 2), vacuum=5), bulk("Au")]
    write(tmp_path / "a.extxyz", frames)
    items = read(tmp_path / "a.extxyz")
    assert [item.structure and item.structure.reduced_formula for item in items] == [
        "Cu", None, None, "Au",
    ]  # fmt: skip
    assert {item.reason for item in items[1:3]} == {"is not periodic in three directions"}


def test_only_elements_and_positions_are_taken_over(tmp_path):
    atoms = bulk("Cu")
    atoms.info["note"] = "mine"
    atoms.calc = SinglePointCalculator(atoms, energy=-3.0, forces=np.ones((1, 3)))
    write(tmp_path / "a.extxyz", atoms)
    charged = [Species("Fe", 2, spin=4), Species("Fe", 3), Species("O", -2)]
    places = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0, 0]]
    mixed = Structure(Lattice.cubic(4), charged, places, site_properties={"magmom": [4, 5, 0]})
    (tmp_path / "b.json").write_text(json.dumps(mixed.as_dict()))
    (tmp_path / "c.cif").write_text(mixed.to(fmt="cif"))
    for item in read(tmp_path):
        assert item.structure.site_properties == {}
        assert item.structure.properties == {}
        assert {type(site.specie).__name__ for site in item.structure} == {"Element"}
        json.dumps(item.structure.as_dict())
    assert {item.structure.chemical_system for item in read(tmp_path)} == {"Cu", "Fe-O"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("x", "is not a structure"),
        ({"formula": "CsCl"}, "has no 'lattice'"),
        (changed(crystal(), abc=[float("nan"), 0, 0]), "not finite"),
        (changed(crystal(), abc=[0.5, 0.5, 0.52]), "closer than 0.5 Angstrom"),
        (changed(crystal(), species=[{"element": "Cs", "occu": 0.5}]), "partly occupied"),
        (
            changed(crystal(), species=[{"element": "X", "occu": 1}]),
            "holds X: not among the elements",
        ),
        (changed(crystal(), species=[{"element": "Og", "occu": 1}]), "holds Og"),
        (crystal(a=0.4).as_dict(), "cell of 0.064 Angstrom^3 for 2 atoms"),
        ({**crystal().as_dict(), "sites": []}, "holds no atoms"),
    ],
)
def test_bad_items_are_named_and_stop_no_other(tmp_path, content, reason):
    items = [crystal().as_dict(), content, crystal("Br").as_dict()]
    (tmp_path / "a.json").write_text(json.dumps(items, default=float))
    first, bad, last = read(tmp_path / "a.json")
    assert first.structure
    assert last.structure
    assert bad.structure is None
    assert bad.label.endswith("a.json#1")
    assert reason in bad.reason
    assert "\n" not in bad.reason


def test_a_poscar_without_elements_is_not_guessed(tmp_path):
    lines = crystal().to(fmt="poscar").splitlines()
    positions = [line.rsplit(maxsplit=1)[0] for line in lines[8:]]
    (tmp_path / "POSCAR").write_text("\n".join(["mine", *lines[1:5], *lines[6:8], *positions]))
    (item,) = read(tmp_path / "POSCAR")
    assert item.structure is None
    assert "names no elements" in item.reason


def test_a_folder_with_folders_and_unreadable_files(tmp_path):
    inner = tmp_path / "deep" / "deeper"
    inner.mkdir(parents=True)
    (inner / "good.cif").write_text(crystal().to(fmt="cif"))
    (tmp_path / "empty.cif").write_text("")
    (tmp_path / "text.json").write_text("{")
    (tmp_path / "bytes.vasp").write_bytes(bytes(range(256)))
    (tmp_path / "zip.parquet").write_bytes(b"PAR1")
    (tmp_path / "frame.xyz").write_text("2\n\nCu 0 0 0\n")
    (tmp_path / "notes.txt").write_text("not a structure file: passed over")
    with gzip.open(tmp_path / "POSCAR.gz", "wt") as file:
        file.write(crystal().to(fmt="poscar"))
    items = read(tmp_path)
    assert [item.label for item in items if item.structure] == [str(inner / "good.cif")]
    bad = {item.label.rpartition("/")[2]: item.reason for item in items if not item.structure}
    names = {"empty.cif", "text.json", "bytes.vasp", "zip.parquet", "frame.xyz", "POSCAR.gz"}
    assert {name.split("#")[0] for name in bad} == names
    assert all(bad.values())


def test_what_cannot_be_read_at_all(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "nothing.cif")
    (tmp_path / "a.docx").write_text("x")
    with pytest.raises(InputError, match="no known type.*cif"):
        read(tmp_path / "a.docx")
    with pytest.raises(InputError, match="holds no structure file"):
        read(tmp_path)
    shutil.rmtree(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path)
