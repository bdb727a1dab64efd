"""Phonons from forces that something else computed."""

import dataclasses

import numpy as np
import pytest
from phonopy import Phonopy
from phonopy.structure.atoms import PhonopyAtoms
from pymatgen.core import Lattice, Structure

from screening.engines import Crystal, make_engine
from screening.phonon import (
    ForceConstants,
    PhononOptions,
    judge_force_constants,
    phonons,
    plan_phonons,
)
from screening.phonon.cell import PrimitiveCell
from screening.schemas import PhononVerdict

OPTIONS = PhononOptions(min_length=7.0, displacement=0.01, mesh_length=15)
LABELS = {"structure_id": "str-a", "engine": "emt"}


def copper(a=3.59):
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), ["Cu"], [[0, 0, 0]])


def cesium_chloride(a=2.98):
    return Structure(Lattice.cubic(a), ["Cu", "Au"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def computed(structure):
    """The force constants as atomate2 makes them from the forces of EMT: full, not symmetrised."""
    plan = plan_phonons(structure, OPTIONS)
    cell = plan.primitive
    atoms = PhonopyAtoms(cell.labels, scaled_positions=cell.frac_coords, cell=cell.lattice.matrix)
    phonon = Phonopy(atoms, supercell_matrix=plan.supercell.T)
    phonon.generate_displacements(distance=OPTIONS.displacement)
    assert len(phonon.supercells_with_displacements) == len(plan.displaced)
    engine = make_engine("emt", "cpu")
    crystals = [
        Crystal(np.array(one.numbers, dtype=np.int64), one.cell, one.positions)
        for one in phonon.supercells_with_displacements
    ]
    phonon.produce_force_constants(forces=[one.forces for one in engine.evaluate(crystals)])
    return ForceConstants(cell, plan.supercell, phonon.force_constants, len(plan.displaced), 0.0)


@pytest.mark.parametrize("crystal", [copper(), cesium_chloride()])
def test_the_verdict_and_bands_are_those_of_the_engine(crystal):
    ours = phonons(crystal, OPTIONS, structure_id="str-a", engine="emt")
    theirs = judge_force_constants(computed(crystal), OPTIONS, **LABELS)
    assert theirs.verdict == ours.verdict
    assert theirs.nsites_supercell == ours.nsites_supercell
    assert theirs.n_displacements == ours.n_displacements
    assert theirs.force_constants.shape == ours.force_constants.shape
    assert theirs.dos["frequencies"].max() == pytest.approx(ours.dos["frequencies"].max(), rel=0.01)
    assert theirs.min_frequency == pytest.approx(ours.min_frequency, abs=0.02)


def test_a_rotated_cell_keeps_its_own_vectors():
    found = computed(copper())
    turned = Structure(
        Lattice(found.structure.lattice.matrix @ [[0, 1, 0], [0, 0, 1], [1, 0, 0]]),
        ["Cu"],
        [[0, 0, 0]],
    )
    cell = PrimitiveCell.keep(Crystal.from_structure(turned), 0.01)
    assert np.allclose(cell.lattice, turned.lattice.matrix)
    assert len(cell.rotations) == 48
    assert cell.path


def test_born_charges_are_used():
    found = computed(cesium_chloride())
    charges = np.array([np.eye(3), -np.eye(3)]) * 2
    polar = dataclasses.replace(found, born=charges, dielectric=np.eye(3) * 2)
    with_charges = judge_force_constants(polar, OPTIONS, **LABELS)
    without = judge_force_constants(found, OPTIONS, **LABELS)
    assert with_charges.bands["frequencies"].max() > without.bands["frequencies"].max() + 0.5


def test_forces_that_are_left_over_decide_nothing():
    found = dataclasses.replace(computed(copper()), residual_force=0.2)
    document = judge_force_constants(found, OPTIONS, **LABELS)
    assert document.verdict == PhononVerdict.NOT_CONVERGED
    assert "0.2 eV/Angstrom are left" in document.reason


def test_a_supercell_that_is_too_large_is_told():
    assert "more than max_atoms=10" in plan_phonons(
        copper(), PhononOptions(min_length=15.0, max_atoms=10)
    )
