"""Duplicates: the lowest is kept, and only equal crystals are equal."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from screening.errors import InputError
from screening.relax import DuplicateOptions, find_duplicates, group_duplicates
from screening.schemas import RelaxationDoc, RelaxState, StructureDoc, StructureStage

ROCK = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0] * 3, [0.5] * 3])
CESIUM = Structure(Lattice.cubic(3.5), ["Na", "Cl"], [[0] * 3, [0.5] * 3])
BLENDE = Structure.from_spacegroup("F-43m", Lattice.cubic(6.1), ["Na", "Cl"], [[0] * 3, [0.25] * 3])
OTHER = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["K", "Cl"], [[0] * 3, [0.5] * 3])


def disguised(structure, seed=0):
    """The same crystal in another cell, origin, order and with small noise."""
    rng = np.random.default_rng(seed)
    copy = structure.get_primitive_structure() * (2, 1, 1)
    copy.translate_sites(range(len(copy)), rng.uniform(0, 1, 3))
    for site in range(len(copy)):
        copy.translate_sites(site, rng.normal(0, 0.01, 3), frac_coords=False)
    return Structure.from_sites([copy[i] for i in rng.permutation(len(copy))])


def document(structure, energy, state=RelaxState.CONVERGED):
    relaxation = RelaxationDoc(engine="test", state=state, energy_per_atom=energy)
    return StructureDoc.from_structure(
        structure, stage=StructureStage.RELAXED, relaxation=relaxation
    )


def test_the_lowest_is_kept():
    structures = [ROCK, disguised(ROCK, 1), CESIUM, disguised(ROCK, 2), BLENDE, OTHER]
    energies = [-3.0, -3.0002, -2.99, -3.0004, -2.98, -3.0]
    assert find_duplicates(structures, energies) == [3, 3, None, None, None, None]


def test_equal_energies_count_in_order():
    assert find_duplicates([ROCK, disguised(ROCK), ROCK], [-3.0] * 3) == [None, 0, 0]


def test_energy_and_volume_tell_apart():
    structures = [ROCK, ROCK]
    assert find_duplicates(structures, [-3.0, -2.9]) == [None, None]
    wide = DuplicateOptions(energy_tolerance=0.5)
    assert find_duplicates(structures, [-3.0, -2.9], wide) == [None, 0]
    swollen = ROCK.copy()
    swollen.scale_lattice(ROCK.volume * 1.2)
    assert find_duplicates([ROCK, swollen], [-3.0, -3.0]) == [None, None]
    loose = DuplicateOptions(volume_tolerance=0.3)
    assert find_duplicates([ROCK, swollen], [-3.0, -3.0], loose) == [None, 0]


def test_agrees_with_structure_matcher():
    from pymatgen.analysis.structure_matcher import StructureMatcher

    structures = [disguised(s, i) for i in range(4) for s in (ROCK, CESIUM, BLENDE)]
    found = find_duplicates(structures, [0.0] * 12, DuplicateOptions(volume_tolerance=9))
    groups = StructureMatcher().group_structures(structures)
    assert sum(lower is None for lower in found) == len(groups) == 3
    for index, lower in enumerate(found):
        assert lower in (None, index % 3)


def test_groups_do_not_depend_on_the_order():
    documents = [
        document(disguised(s, i), e + i / 1000)
        for s, e in ((ROCK, -3.0), (CESIUM, -2.9), (OTHER, -3.5))
        for i in range(3)
    ]
    groups = group_duplicates(documents)
    assert [[doc.relaxation.energy_per_atom for doc in group] for group in groups] == [
        [-3.5, -3.499, -3.498],
        [-3.0, -2.999, -2.998],
        [-2.9, -2.899, -2.898],
    ]
    again = group_duplicates(documents[::-1])
    ids = [[doc.structure_id for doc in group] for group in groups]
    assert [[doc.structure_id for doc in group] for group in again] == ids


def test_progress():
    seen = []
    group_duplicates(
        [document(ROCK, -1.0), document(CESIUM, -2.0)], progress=lambda *x: seen.append(x)
    )
    assert seen == [(1, 2), (2, 2)]


def test_wrong_input():
    with pytest.raises(InputError, match="2 structures but 1 energies"):
        find_duplicates([ROCK, ROCK], [1.0])
    with pytest.raises(InputError, match="not finite"):
        find_duplicates([ROCK], [float("nan")])
    failed = document(ROCK, None, RelaxState.FAILED)
    with pytest.raises(InputError, match=f"{failed.structure_id}.*no usable relaxed energy"):
        group_duplicates([failed])


def test_nothing():
    assert find_duplicates([], []) == []
    assert group_duplicates([]) == []
