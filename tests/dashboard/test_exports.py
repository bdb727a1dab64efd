"""Files of crystals: what they say, and that they read back as the crystal."""

import json
from datetime import UTC, datetime
from io import StringIO

import numpy as np
import pytest
from ase.io import read
from pymatgen.core import Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from dashboard.exports import FORMATS, crystal_text, facts

ROW = {
    "material_id": "mat-1", "structure_id": "str-1", "energy_source": "toy at 10 GPa",
    "pressure": 10.0, "energy_per_atom": -1.5, "enthalpy_per_atom": -0.25,
    "formation_energy_per_atom": -0.125, "energy_above_hull": 0.0, "hull_id": "hull-1",
    "hull_created": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "n_references": 1,
    "systems_without_reference": ["O-Si"], "known": False, "known_source": "bank (2025-12-31)",
    "superseded_by": None, "dynamic_stability": "stable",
}  # fmt: skip


@pytest.fixture
def cristobalite():
    """Low cristobalite, P4_12_12: its mirror image is P4_32_12."""
    return Structure.from_spacegroup(
        "P4_12_12", np.diag([4.97, 4.97, 6.93]), ["Si", "O"],
        [[0.3, 0.3, 0.0], [0.239, 0.104, 0.179]],
    )  # fmt: skip


def read_back(text, file_format):
    if file_format == "json":
        return Structure.from_dict(json.loads(text))
    if file_format == "extxyz":
        from pymatgen.io.ase import AseAtomsAdaptor

        return AseAtomsAdaptor.get_structure(read(StringIO(text), format="extxyz"))
    return Structure.from_str(text, fmt=file_format)


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("left_handed", [False, True], ids=["right-handed", "left-handed"])
def test_a_chiral_crystal_keeps_its_hand(cristobalite, file_format, left_handed):
    crystal = cristobalite
    if left_handed:  # the same crystal: the axes are turned around, and the coordinates with them
        crystal = Structure(
            -crystal.lattice.matrix, crystal.species, -crystal.frac_coords, to_unit_cell=True
        )
        assert np.linalg.det(crystal.lattice.matrix) < 0
    again = read_back(crystal_text(crystal, ROW, file_format), file_format)
    assert len(again) == 12
    assert SpacegroupAnalyzer(again, 0.01).get_space_group_symbol() == "P4_12_12"


def test_files_name_pressure_source_and_hull(cristobalite):
    cif = crystal_text(cristobalite, ROW, "cif")
    for line in (
        "# material_id: mat-1\n",
        "# energy_source: toy at 10 GPa\n",
        "# pressure: 10 GPa\n",
        "# enthalpy_per_atom: -0.25 eV/atom\n",
        "# formation_enthalpy_per_atom: -0.125 eV/atom\n",
        "# enthalpy_above_hull: 0 eV/atom\n",
        "# hull_id: hull-1\n",
        "# hull_created: 2026-01-02T03:04:05Z\n",
        "# references: 1 reference compound, no O-Si compound among the references\n",
        "# known: not in bank (2025-12-31)\n",
    ):
        assert line in cif
    assert "energy_above_hull" not in cif
    comment = crystal_text(cristobalite, ROW, "poscar").splitlines()[0]
    assert "pressure: 10 GPa" in comment
    assert "material_id: mat-1" in comment
    properties = read_back(crystal_text(cristobalite, ROW, "json"), "json").properties
    assert properties["pressure"] == 10.0
    assert properties["hull_id"] == "hull-1"
    atoms = read(StringIO(crystal_text(cristobalite, ROW, "extxyz")), format="extxyz")
    assert atoms.info["enthalpy_per_atom"] == -0.25
    assert atoms.info["material_id"] == "mat-1"


def test_without_pressure_energies_are_energies(cristobalite):
    row = ROW | {"pressure": 0.0, "superseded_by": "mat-2"}
    cif = crystal_text(cristobalite, row, "cif")
    assert "# energy_above_hull: 0 eV/atom\n" in cif
    assert "enthalpy" not in cif
    assert "# standing: superseded by mat-2" in cif


def test_structures_without_a_hull_say_what_they_have(cristobalite):
    relaxation = {"engine": "toy", "pressure": 5.0, "energy_per_atom": -1.0,
                  "enthalpy_per_atom": -0.5}  # fmt: skip
    assert facts({"structure_id": "str-1", "relaxation": relaxation}) == {
        "structure_id": "str-1", "energy_source": "toy", "pressure": 5.0, "energy_per_atom": -1.0,
        "enthalpy_per_atom": -0.5,
    }  # fmt: skip
    assert facts({"structure_id": "str-1", "relaxation": None}) == {"structure_id": "str-1"}
    assert crystal_text(cristobalite, {"structure_id": "str-1"}, "cif").startswith("# structure_id")
