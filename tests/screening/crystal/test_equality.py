"""The compiled refusals never change what StructureMatcher says."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from screening.crystal.equality import Comparable, same_crystal
from screening.metrics.matching import matcher
from screening.structure.random.generator import RandomGenerator
from screening.structure.request import Target


def agree(structures, tolerance):
    """Pairs that are the same; every pair is decided as StructureMatcher decides it."""
    crystals = [Comparable.of(structure) for structure in structures]
    accepted = 0
    for i, structure in enumerate(structures):
        for j in range(i):
            expected = matcher(tolerance).fit(structures[j], structure)
            assert same_crystal(crystals[j], crystals[i], tolerance) == expected, (i, j)
            accepted += expected
    return accepted


def disturbed(structure, rng, amount):
    """Another cell of nearly the same crystal."""
    strain = np.eye(3) + rng.normal(0, amount / 10, (3, 3))
    points = structure.frac_coords + rng.normal(0, amount / 20, structure.frac_coords.shape)
    other = Structure(structure.lattice.matrix @ strain, structure.species, points)
    other.translate_sites(range(len(other)), rng.random(3))
    other.make_supercell([[1, 1, 0], [0, 1, 0], [0, 1, 2]])
    return other


@pytest.mark.parametrize("tolerance", ["strict", "loose"])
def test_disturbed_crystals_are_decided_alike(make, tolerance):
    rng = np.random.default_rng(1)
    start = [make.rock_salt("Zn", "S"), make.zinc_blende("Zn", "S"), make.wurtzite("Zn", "S")]
    start += [make.caesium_chloride("Zn", "S")]
    structures = [disturbed(s, rng, amount) for s in start for amount in (0.0, 0.3, 0.8, 1.6)]
    assert 5 < agree(structures, tolerance) < len(structures) * (len(structures) - 1) / 2 - 5


def test_random_crystals_are_decided_alike(small_bank):
    proposals = RandomGenerator(bank=small_bank).generate(Target("SrTiO3", max_atoms=10), 12, 0)
    assert agree([proposal.structure for proposal in proposals], "loose") >= 0


def test_cells_are_made_primitive(make):
    rock = make.rock_salt("Na", "Cl")
    assert len(Comparable.of(rock).numbers) == 2
    rock.make_supercell([2, 1, 1])
    assert len(Comparable.of(rock).numbers) == 2
    assert len(Comparable.of(make.rutile("Ti", "O")).numbers) == 6
    heights = [[0, 0, 0], [0, 0, 0.3], [0, 0, 0.6]]
    layered = Structure(Lattice.tetragonal(3, 9), ["Na", "Na", "Cl"], heights)
    assert len(Comparable.of(layered).numbers) == 3


def test_other_elements_are_another_crystal(make):
    salts = [Comparable.of(make.rock_salt("Na", anion)) for anion in ("Cl", "Br")]
    assert not same_crystal(*salts)
    assert same_crystal(salts[0], Comparable.of(make.rock_salt("Na", "Cl", 6.5)))
