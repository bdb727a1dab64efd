"""Hulls against reference compounds: known ones stay where the table has them, new ones compete."""

import numpy as np
import pytest
from pymatgen.core import Composition

from screening.composition import CompositionArray
from screening.energy_scale.model import EnergyScale
from screening.energy_scale.terms import term_names
from screening.errors import CheckpointError
from screening.hull import PhaseEntry, build_hull
from screening.hull.standing import Crystal, revise
from screening.references.hulls import place_hull, reference_checkpoints
from screening.references.table import ReferenceTable, pack
from screening.schemas import CheckpointRef

REF = CheckpointRef(name="test", version="1", sha256="")
SPREAD = 0.02
"""Half the width of every interval (eV/atom)."""
KNOWN = {"Li2S": -1.5, "LiS4": -0.63, "MnS": -0.85, "MnS2": -0.88, "Mn2S3": -0.83, "Li": 0.0}


def exact_scale():
    """Make a scale whose formation energies are the energies themselves, elements at 0."""
    n = len(term_names())
    tensors = {
        "terms": np.zeros(n),
        "covariance": np.zeros((n, n)),
        "elements": np.zeros(104),
        "spread": np.zeros(113),
        "quantiles": np.tile([-SPREAD, SPREAD], (8, 1)),
        "counts": np.ones(104, dtype=np.int32),
        "polymorphs": np.array([-0.01, 0.01]),
    }
    return EnergyScale({"engine": "test", "scale": "MP2020"}, tensors, REF)


@pytest.fixture(scope="module")
def table():
    compositions = CompositionArray.from_formulas(list(KNOWN))
    energies = np.array(list(KNOWN.values()))
    tensors = pack(compositions, energies, np.zeros(len(KNOWN), dtype=np.uint8))
    arguments = {"sources": ["test"], "scale": "MP2020", "date": "2026"}
    return ReferenceTable.unpack(arguments, tensors, REF)


def hull_of(**energies):
    """Build a hull of crystals called after their formulas; ``MnS_b`` is another one of MnS."""
    phases = [("Li", 0.0), ("Mn", 0.0), ("S", 0.0), *energies.items()]
    entries = [
        PhaseEntry(
            name,
            dict(Composition(name.partition("_")[0]).get_el_amt_dict()),
            energy,
            "test",
            "element" if energy == 0 else "candidate",
            (name,),
        )
        for name, energy in phases
    ]
    return build_hull("Li-Mn-S", entries, "test")


def test_known_compounds_are_where_the_table_has_them(table):
    """The potential is 10 meV/atom off, within its interval, and knows the polymorph's distance."""
    placed = place_hull(hull_of(MnS=-0.86, MnS_b=-0.81), exact_scale(), table)
    assert placed["MnS"].formation_energy_per_atom == pytest.approx(-0.85)
    assert placed["MnS"].energy_above_hull == 0.0
    assert placed["MnS"].from_table
    assert placed["MnS_b"].energy_above_hull == pytest.approx(0.05)
    assert placed["MnS_b"].energy_above_hull_interval == pytest.approx((0.04, 0.06))
    assert placed["MnS"].decomposition_enthalpy < 0
    assert placed["MnS"].composition_known


def test_a_crystal_that_is_not_the_known_one_keeps_its_own_energy(table):
    placed = place_hull(hull_of(MnS=-0.7), exact_scale(), table)
    assert not placed["MnS"].from_table
    assert placed["MnS"].energy_above_hull == pytest.approx(0.15)
    assert placed["MnS"].energy_above_hull_interval == pytest.approx((0.13, 0.17))


def test_new_compounds_compete_with_each_other_and_not_with_known_ones_unless_clear(table):
    """Mn3S4 is 9 meV/atom below the known hull: less than its interval."""
    hull_energy = (-0.85 * 2 + -0.88 * 3) / 5  # of MnS and MnS2 at Mn2S3
    placed = place_hull(
        hull_of(MnS2=-0.88, Mn2S3=-0.83, Li2S=-1.5, LiMnS2=-1.2, Li2MnS3=-1.4), exact_scale(), table
    )
    assert placed["Mn2S3"].energy_above_hull == pytest.approx(-0.83 - hull_energy, abs=1e-4)
    assert placed["LiMnS2"].decomposes_to.keys() >= {"Li2MnS3"}
    assert placed["Li2S"].energy_above_hull == 0.0
    doubtful = place_hull(hull_of(MnS2=-0.88, Mn4S7=-0.905), exact_scale(), table)
    assert doubtful["Mn4S7"].energy_above_hull == 0.0
    assert doubtful["MnS2"].energy_above_hull == 0.0
    assert not doubtful["Mn4S7"].composition_known
    clear = place_hull(hull_of(Mn2S3=-0.83, Mn4S7=-1.5), exact_scale(), table)
    assert clear["Mn2S3"].energy_above_hull > 0.3
    assert "Mn4S7" in clear["Mn2S3"].decomposes_to


def test_elements_are_at_zero_and_completeness_is_counted(table):
    placed = place_hull(hull_of(LiMnS2=-1.0), exact_scale(), table)
    assert placed["S"].energy_above_hull == 0.0
    place = placed["LiMnS2"]
    assert place.n_references == 5
    assert place.systems_without_reference == ["Li-Mn", "Li-Mn-S"]
    assert placed["S"].n_references == 0
    assert sum(place.decomposes_to.values()) == pytest.approx(1.0)


def test_untrusted_entries_have_no_place(table):
    hull = hull_of(MnS=-9.0, MnS2=-0.88)
    assert [entry.entry_id for entry in hull.entries if entry.outlier] == ["MnS"]
    assert "MnS" not in place_hull(hull, exact_scale(), table)


def test_what_is_above_the_same_crystal_is_as_much_above_the_references(table):
    hull = hull_of(MnS=-0.85)
    place = place_hull(hull, exact_scale(), table)
    for entry in hull.entries:
        entry.reference = place.get(entry.entry_id)
        entry.members = [*entry.members, f"{entry.entry_id}-again"]
    old = Crystal("MnS-again", {"Mn": 1.0, "S": 1.0}, -0.84)
    standing = revise(hull, {"Mn-S"}, [old], 0.1).standings["MnS-again"]
    assert standing.reference.formation_energy_per_atom == pytest.approx(-0.84)
    assert standing.reference.energy_above_hull == pytest.approx(0.01)


def test_what_is_compared_is_named_with_digests():
    names = reference_checkpoints("chgnet-0.3.0", "bundled", 0.0)["references"]
    assert [name.split()[0] for name in names] == ["scale-chgnet-0.3.0", "references-mp"]
    assert reference_checkpoints("chgnet-0.3.0", "own", 0.0) == {}
    assert reference_checkpoints("chgnet-0.3.0", "bundled", 10.0) == {}
    assert reference_checkpoints("emt-ase-3", "bundled", 0.0) == {}
    with pytest.raises(CheckpointError, match="no checkpoint 'mine'"):
        reference_checkpoints("chgnet-0.3.0", "mine", 0.0)
