"""Crystals of files go through relaxation and hull as candidates, and lead back to their files."""

import pytest
from pymatgen.core import Lattice, Structure

from flows.launch import run_campaign
from flows.own_structures import own_campaign, read_candidates
from screening.errors import InputError
from screening.schemas import StructureDoc
from stores.queries.lineage import lineage

GOLD = Structure.from_spacegroup(
    "Pm-3m", Lattice.cubic(3.75), ["Au", "Cu"], [[0] * 3, [0.5, 0.5, 0]]
)
ALLOY = Structure(Lattice.tetragonal(2.8, 3.7), ["Cu", "Au"], [[0] * 3, [0.5] * 3])


@pytest.fixture
def folder(tmp_path):
    GOLD.to(str(tmp_path / "gold.cif"))
    ALLOY.to(str(tmp_path / "POSCAR"), fmt="poscar")
    (tmp_path / "broken.cif").write_text("data_x\n_cell_length_a 3\n")
    (tmp_path / "notes.txt").write_text("mine")
    return tmp_path


def test_files_become_candidates_with_lineage(database, folder):
    crystals = read_candidates(database, folder)
    assert {document.formula for document in crystals.documents.values()} == {"Cu3Au", "CuAu"}
    assert [label.rpartition("/")[2] for label, _ in crystals.rejected] == ["broken.cif"]
    assert [path.name for path in crystals.passed_over] == ["notes.txt"]
    campaign = own_campaign(crystals, "mine", until="hull", engine="emt")
    document = run_campaign(campaign)
    assert document.funnel["relax"].n_in >= 2
    query = {"stage": "relaxed", "parent_id": {"$in": list(crystals.documents)}}
    relaxed = list(database.find(StructureDoc, query, blobs=False))
    assert {doc.formula for doc in relaxed} == {"Cu3Au", "CuAu"}
    for doc in relaxed:
        assert "file" in {origin.method for origin in doc.origins}
        node = lineage(database, doc.structure_id)
        assert node.identifier == doc.structure_id
    (hull,) = database.rows("hulls")
    entries = {entry["entry_id"] for entry in hull["entries"] if entry["role"] == "candidate"}
    members = {name for entry in hull["entries"] for name in entry["members"]}
    assert entries
    assert {doc.structure_id for doc in relaxed} <= members


def test_a_folder_without_usable_crystals_is_refused(database, tmp_path):
    (tmp_path / "broken.cif").write_text("data_x\n")
    with pytest.raises(InputError, match="holds no usable crystal: .*broken.cif"):
        read_candidates(database, tmp_path)
