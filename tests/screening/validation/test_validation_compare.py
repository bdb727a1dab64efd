"""The potential against DFT."""

import pytest
from pymatgen.core import Lattice, Structure

from screening.schemas import (
    HullEntry,
    PhononDoc,
    PhononVerdict,
    RelaxationDoc,
    RelaxState,
    SpaceGroupDoc,
    StructureDoc,
    StructureStage,
)
from screening.validation import Comparison, Opinion, Thresholds, compare


def cesium_chloride(a=4.0, second=(0.5, 0.5, 0.5)):
    return Structure(Lattice.cubic(a), ["Cs", "Cl"], [[0, 0, 0], second])


def opinion(structure, formation=-1.0, above=0.0, verdict=None, state="converged", moments=None):
    document = StructureDoc.from_structure(
        structure,
        stage=StructureStage.DFT,
        symmetry=SpaceGroupDoc.from_structure(structure),
        relaxation=RelaxationDoc(
            engine="x", state=RelaxState(state), energy_per_atom=-3.0, magnetic_moments=moments
        ),
        reason="the static calculation did not converge" if state == "failed" else None,
    )
    entry = HullEntry(
        entry_id=document.structure_id,
        formula="CsCl",
        composition={"Cs": 1, "Cl": 1},
        energy_per_atom=-3.0,
        formation_energy_per_atom=formation,
        energy_above_hull=above,
    )
    phonon = verdict and PhononDoc(
        structure_id=document.structure_id,
        engine="x",
        verdict=PhononVerdict(verdict),
        tolerance=0.1,
        marginal_tolerance=0.5,
        supercell=[],
        displacement=0.01,
    )
    return Opinion(document, entry, phonon)


def test_agreement_has_no_surprise():
    found = compare(
        opinion(cesium_chloride(4.02), -1.05, 0.01, "stable"),
        opinion(cesium_chloride(), -1.0, 0.0, "stable"),
    )
    assert isinstance(found, Comparison)
    assert found.surprises == []
    assert found.formation_energy == pytest.approx(-0.05)
    assert found.above_hull == pytest.approx(0.01)
    assert found.volume == pytest.approx(1.005**3 - 1)
    assert found.rmsd == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("potential", "word"),
    [
        (opinion(cesium_chloride(), -1.2), "formation energies differ by -0.200 eV/atom"),
        (opinion(cesium_chloride(), above=0.06), "energies above the hull differ by +0.060"),
        (opinion(cesium_chloride(4.2)), "volumes differ by +15.8 %"),
        (opinion(cesium_chloride(second=(0.5, 0.5, 0.6))), "atoms moved by"),
        (opinion(cesium_chloride(second=(0.5, 0.5, 0.51))), "space group P4mm becomes Pm-3m"),
        (opinion(cesium_chloride(), verdict="unstable"), "phonons: unstable becomes stable"),
    ],
)
def test_each_surprise_is_told(potential, word):
    found = compare(potential, opinion(cesium_chloride(), verdict="stable"))
    assert any(word in surprise for surprise in found.surprises), found.surprises


def test_thresholds_decide():
    two = opinion(cesium_chloride(4.2), -1.2), opinion(cesium_chloride())
    assert len(compare(*two).surprises) == 2
    assert compare(*two, Thresholds(formation_energy=0.3, volume=0.2)).surprises == []


def test_marginal_phonons_are_no_surprise():
    found = compare(
        opinion(cesium_chloride(), verdict="marginal"), opinion(cesium_chloride(), verdict="stable")
    )
    assert found.surprises == []


def test_another_crystal_has_no_distance():
    rocksalt = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(6.3), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    found = compare(opinion(cesium_chloride()), opinion(rocksalt))
    assert found.rmsd is None
    assert "DFT relaxes it to another crystal" in found.surprises


def test_without_a_hull_energies_are_not_compared():
    alone = Opinion(opinion(cesium_chloride()).structure)
    found = compare(opinion(cesium_chloride()), alone)
    assert found.formation_energy is None
    assert found.above_hull is None
    assert found.volume == pytest.approx(0)


def test_a_moment_that_only_dft_has():
    found = compare(opinion(cesium_chloride()), opinion(cesium_chloride(), moments=[2.0, 0.0]))
    assert found.surprises == ["magnetic in DFT only"]


def test_a_failed_calculation_is_told_and_not_compared():
    found = compare(opinion(cesium_chloride()), opinion(cesium_chloride(), state="failed"))
    assert found.surprises == ["DFT failed: the static calculation did not converge"]
    assert found.volume is None
