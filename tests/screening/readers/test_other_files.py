"""JSON containers, extended XYZ, POSCARs: spellings that people use, and limits of the readers."""

import json
import os
import re

import numpy as np
import pandas as pd
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.entries.computed_entries import ComputedStructureEntry

from screening.errors import InputError
from screening.readers import limits
from screening.readers.files import read_structures


def crystal(anion="Cl", a=4.1):
    return Structure(Lattice.cubic(a), ["Cs", anion], [[0, 0, 0], [0.5, 0.5, 0.5]])


def plain(structure):
    return json.loads(structure.to_json())


PAIR = [plain(crystal()), plain(crystal("Br"))]


def resource(structure, name, **attributes):
    return {
        "id": name,
        "type": "structures",
        "attributes": {
            "lattice_vectors": structure.lattice.matrix.tolist(),
            "cartesian_site_positions": structure.cart_coords.tolist(),
            "species_at_sites": [site.specie.symbol for site in structure],
            **attributes,
        },
    }


def jarvis(structure):
    return {
        "lattice_mat": structure.lattice.matrix.tolist(),
        "coords": structure.cart_coords.tolist(),
        "elements": [site.specie.symbol for site in structure],
        "cartesian": True,
    }


def table(**options):
    frame = pd.DataFrame({"material_id": ["m-1", "m-2"], "structure": PAIR, "gap": [1.0, 2.0]})
    return json.loads(frame.to_json(default_handler=str, **options))


@pytest.mark.parametrize(
    "content",
    [
        PAIR,
        {"mp-1": PAIR[0], "mp-2": PAIR[1]},
        {"mp-1": {"structure": PAIR[0]}, "mp-2": {"structure": PAIR[1], "energy": -1}},
        {"structures": PAIR},
        {"structures": {"a": PAIR[0], "b": PAIR[1]}, "source": "mine"},
        {"data": {"results": PAIR}},
        [json.loads(json.dumps(ComputedStructureEntry(s, -1).as_dict(), default=float))
         for s in (crystal(), crystal("Br"))],
        [{"structure": json.dumps(one)} for one in PAIR],
        {"data": [resource(crystal(), "x"), resource(crystal("Br"), "y")], "meta": {}, "links": {}},
        [{"jid": f"J-{anion}", "atoms": jarvis(crystal(anion))} for anion in ("Cl", "Br")],
        *[table(orient=orient) for orient in ("columns", "index", "records", "split", "table")],
    ],
)  # fmt: skip
def test_json_containers(tmp_path, content):
    (tmp_path / "a.json").write_text(json.dumps(content))
    items = list(read_structures(tmp_path / "a.json"))
    assert [item.reason for item in items] == [None, None]
    assert [item.structure.reduced_formula for item in items] == ["CsCl", "CsBr"]
    assert len({item.label for item in items}) == 2
    assert all(item.structure.lattice.a == pytest.approx(4.1) for item in items)


def test_one_optimade_resource_on_disk(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"data": resource(crystal(), "x")}))
    (item,) = read_structures(tmp_path / "a.json")
    assert item.structure.reduced_formula == "CsCl"
    flat = resource(crystal(), "x", dimension_types=[1, 1, 0])
    (tmp_path / "a.json").write_text(json.dumps({"data": [flat]}))
    (item,) = read_structures(tmp_path / "a.json")
    assert item.reason == "is not periodic in three directions"


def test_nothing_in_json_is_decoded_or_imported(tmp_path, monkeypatch):
    (tmp_path / "planted_module.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    content = plain(crystal())
    planted = {"@module": "planted_module", "@class": "X", "@callable": "x"}
    content["sites"][0]["properties"] = {"x": planted}
    content |= planted
    (tmp_path / "a.json").write_text(json.dumps(content))
    (item,) = read_structures(tmp_path / "a.json")
    assert item.structure.reduced_formula == "CsCl"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 100_000 + "]" * 100_000, "nested too deep"),
        ('{"structure": ' * 40 + "1" + "}" * 40, "is not a structure|has no 'lattice'"),
        ("", "Expecting value"),
        ("3", "is not a structure"),
        ("{}", "has no 'lattice'"),
        (json.dumps(PAIR[0]).replace("4.1", "NaN"), "not finite"),
        (json.dumps(PAIR[0]).replace("0.5", "1e300"), "cells away"),
    ],
)
def test_json_that_is_no_structure(tmp_path, text, reason):
    (tmp_path / "a.json").write_text(text)
    items = list(read_structures(tmp_path / "a.json"))
    assert not any(item.structure for item in items)
    assert re.search(reason, items[0].reason)


CELL = 'Lattice="4.1 0 0 0 4.1 0 0 0 4.1"'
ROWS = ["Cs 0 0 0", "Cl 2.05 2.05 2.05"]


def xyz(comment=CELL, rows=ROWS, n=None):
    return "\n".join([str(len(rows) if n is None else n), comment, *rows, ""])


@pytest.mark.parametrize(
    "text",
    [
        xyz(f'{CELL} stress="0 0 0 0 0 0" energy=-7'),
        xyz(f'{CELL} virial="1 2 3" note={{"a": [1]}}'),
        xyz(f'{CELL} pbc="T T T" Properties=species:S:1:pos:R:3'),
        xyz(f"{CELL} Properties=pos:R:3:species:S:1", ["0 0 0 Cs", "2.05 2.05 2.05 Cl"]),
        xyz(f"{CELL} Properties=Z:I:1:pos:R:3", ["55 0 0 0", "17 2.05 2.05 2.05"]),
        xyz(CELL.lower()),
        xyz('Lattice="4.1, 0, 0, 0, 4.1, 0, 0, 0, 4.1"'),
        xyz("Lattice=[[4.1,0,0],[0,4.1,0],[0,0,4.1]]"),
        xyz(rows=["Cs+ 0 0 0", "Cl1- 2.05 2.05 2.05"]),
        "\ufeff" + xyz(),
    ],
)  # fmt: skip
def test_spellings_of_extxyz(tmp_path, text):
    (tmp_path / "a.extxyz").write_text(text, encoding="utf-8")
    (item,) = read_structures(tmp_path / "a.extxyz")
    assert item.reason is None
    assert item.structure.get_space_group_info()[1] == 221
    assert item.structure.reduced_formula == "CsCl"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (xyz(n=4_000_000_000), "where the number of atoms belongs"),
        (xyz(n=400_000_000), "at most 2000 are read"),
        (xyz(n=3), "ends after 2 of 3 atoms"),
        (xyz(n=-1), "number of atoms"),
        (xyz(f"{CELL} Properties=species:S:1:pos:R:3:q:R:99999999"), None),
        (xyz(f"{CELL} Properties=q:R:99999999:species:S:1:pos:R:3"), "shorter than its Properties"),
        (xyz(rows=["Cs 0 0 0", "Wat 2 2 2"]), "holds Wat"),
        (xyz(rows=["Cs 0 0 0", "Cl 2 2"]), "fewer than three coordinates"),
        (xyz('Lattice="4 0 0 0 4 0"'), "lattice of 6 numbers"),
        (xyz('Lattice="4 0 0 4 0 0 0 0 4"'), "without volume"),
        (xyz(f'{CELL} pbc="T T F"'), "not periodic"),
        (xyz("no cell"), "not periodic"),
    ],
)
def test_frames_that_cannot_be_used(tmp_path, text, reason):
    (tmp_path / "a.extxyz").write_text(text)
    (item,) = read_structures(tmp_path / "a.extxyz")
    assert (item.reason is None) if reason is None else (reason in item.reason)


def test_whole_frames_before_a_cut_are_kept(tmp_path):
    (tmp_path / "a.xyz").write_text(xyz() * 3 + xyz()[:-12])
    items = list(read_structures(tmp_path / "a.xyz"))
    assert [item.structure is None for item in items] == [False, False, False, True]
    assert items[3].label.endswith("#3")


def test_deuterium_is_said_in_every_format(tmp_path):
    (tmp_path / "a.xyz").write_text(xyz(rows=["Li 0 0 0", "D 2.05 2.05 2.05"]))
    text = crystal().to(fmt="poscar").replace("Cs Cl", "Li D").replace("Cs1 Cl1", "deuteride")
    (tmp_path / "POSCAR").write_text(text)
    content = plain(crystal())
    for site, name in zip(content["sites"], ("Li", "D"), strict=True):
        site["species"][0]["element"] = name
    (tmp_path / "a.json").write_text(json.dumps(content))
    items = list(read_structures(tmp_path))
    assert len(items) == 3
    for item in items:
        assert item.structure.reduced_formula == "LiH"
        assert item.notes == ("D (deuterium) read as H",)


def poscar(scale="1.0", counts="1 1", title="x", rows=("0 0 0", "0.5 0.5 0.5"), names="Cs Cl"):
    cell = ["4.1 0 0", "0 4.1 0", "0 0 4.1"]
    return "\n".join([title, scale, *cell, names, counts, "Direct", *rows, ""])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (poscar(), None),
        (poscar(title="Gl\xfchofen 850 \xb0C").encode("latin-1"), None),
        (poscar("1.0D0", rows=("0.0D0 0 0", "5.0D-1 0.5 0.5")), None),
        (poscar().replace("\n", "\r\n"), None),
        (poscar(names="Cs_sv/3a1d9 Cl/2b77"), None),
        (poscar(counts="1 2"), "gives 3 atoms but 2 positions"),
        (poscar(counts="1 999999999"), "at most 2000 are read"),
        (poscar("1 1 2"), "several scale factors"),
        (poscar(names="Cs Vac"), "holds Vac: not among the elements"),
        (poscar(names="Cs OH"), "holds OH"),
        (poscar(names="Cs T"), "holds T"),
        ("", "no line with the numbers"),
    ],
)
def test_poscars(tmp_path, content, reason):
    data = content if isinstance(content, bytes) else content.encode()
    for name in ("POSCAR_mp-22865", "relaxed.CONTCAR", "CONTCAR.old", "poscar-1"):
        (tmp_path / name).write_bytes(data)
    items = list(read_structures(tmp_path))
    assert len(items) == 4
    for item in items:
        if reason is None:
            assert item.structure.reduced_formula == "CsCl", item.reason
        else:
            assert item.structure is None
            assert reason in item.reason


def test_what_a_folder_scan_passes_over_is_named(tmp_path):
    (tmp_path / "a.vasp").write_text(poscar())
    for name in ("notes.txt", "a.cif.gz", "b.res", ".hidden"):
        (tmp_path / name).write_text("x")
    os.mkfifo(tmp_path / "pipe.cif")
    passed_over = []
    items = list(read_structures(tmp_path, passed_over))
    assert [item.reason for item in items] == [None]
    assert [file.name for file in passed_over] == ["a.cif.gz", "b.res", "notes.txt", "pipe.cif"]


def test_only_regular_files_of_bounded_size(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.cif")
    (tmp_path / "zero.cif").symlink_to("/dev/zero")
    (tmp_path / "loop.cif").symlink_to(tmp_path / "loop.cif")
    for name in ("pipe.cif", "zero.cif", "loop.cif"):
        with pytest.raises(InputError, match=r"no regular file|no such file|cannot read"):
            list(read_structures(tmp_path / name))
    monkeypatch.setattr(limits, "MAX_BYTES", 100)
    (tmp_path / "a.vasp").write_text(poscar() + " " * 100)
    with pytest.raises(InputError, match="are read: split it"):
        list(read_structures(tmp_path / "a.vasp"))


def test_a_parser_is_stopped_when_its_time_is_over():
    def endless():
        while True:
            pass

    with pytest.raises(TimeoutError, match="more than 0.05 s"), limits.time_limit(0.05):
        endless()
    with limits.time_limit(0.05):
        pass


def test_numbers_of_parquet_are_whole(tmp_path):
    row = {"lattice": np.eye(3).ravel() * 4.1, "frac_coords": [0.0, 0, 0, 0.5, 0.5, 0.5]}
    rows = [row | {"atomic_numbers": numbers} for numbers in ([55.0, 17.0], [55.0, 17.4], [0, 300])]
    pd.DataFrame(rows).to_parquet(tmp_path / "a.parquet")
    good, *bad = read_structures(tmp_path / "a.parquet")
    assert good.structure.reduced_formula == "CsCl"
    assert [item.reason for item in bad] == ["holds an atom of number 17.4",
                                             "holds an atom of number 0.0"]  # fmt: skip


@pytest.mark.parametrize("value", ["x" * 1000, ["x" * 1000] * 1000, {"a": {"b": {"c": [1] * 999}}}])
def test_quoted_values_are_short_and_printable(value):
    assert len(limits.excerpt(value)) <= limits.CHARACTERS
    assert len(limits.quote(value)) <= 2 * limits.CHARACTERS
    assert limits.excerpt("a\x1b[2J\nb") == "a?[2J b"
