"""Symmetry is gained where it is close and free, and given up where the potential says saddle."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from screening.relax import MinimaOptions, RelaxOptions, RelaxResult, relax_to_minima
from screening.relax.continuation import continued
from screening.relax.minima import break_symmetry, gain_symmetry, n_operations
from screening.schemas import RelaxationDoc, RelaxState, SpaceGroupDoc

EMT = "ase.calculators.emt:EMT"
BCC = Structure(Lattice.cubic(2.9), ["Cu"] * 2, [[0] * 3, [0.5] * 3])
FCC = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.6), ["Cu"], [[0] * 3])
OPTIONS = RelaxOptions(fix_symmetry=True)


def group(structure, symprec=0.01):
    return SpaceGroupDoc.from_structure(structure, symprec).number


def run(structure, *, breakable=True, minima=None):
    return relax_to_minima(
        [structure], OPTIONS, minima or MinimaOptions(), breakable=[breakable], engine=EMT
    )


def test_a_saddle_point_has_a_lower_child():
    minima = run(BCC)
    (parent,), child = minima.results, minima.children[0]
    assert group(parent.structure) == 229
    assert group(child.structure) == 225  # down the Bain path
    difference = child.relaxation.energy_per_atom - parent.relaxation.energy_per_atom
    assert -0.05 < difference < -0.01
    again = run(BCC)
    assert again.children[0].structure == child.structure


def test_a_minimum_has_no_child():
    assert run(FCC).children == {}


def test_only_what_may_be_broken_is_tried():
    assert run(BCC, breakable=False).children == {}
    assert run(BCC, minima=MinimaOptions(window=0)).children == {}


def test_symmetry_that_is_close_is_gained():
    noisy = FCC.copy()
    rng = np.random.default_rng(0)
    for site in range(len(noisy)):
        noisy.translate_sites(site, rng.normal(0, 0.05, 3), frac_coords=False)
    assert group(noisy) == 1
    (result,) = run(noisy).results
    assert group(result.structure) == 225
    assert result.relaxation.state is RelaxState.CONVERGED
    assert result.relaxation.symmetry_kept is False
    trajectory = result.relaxation.trajectory
    assert len(trajectory["energy"]) == result.relaxation.steps
    assert trajectory["step"][-1] == result.relaxation.steps - 1
    volume = noisy.volume * (1 + result.relaxation.volume_change)
    assert volume == pytest.approx(result.structure.volume)


def settled(structure, energy):
    doc = RelaxationDoc(engine="toy", state=RelaxState.CONVERGED, energy_per_atom=energy, steps=3)
    return RelaxResult(structure, doc)


POLAR = Structure(Lattice.tetragonal(4.0, 4.5), ["Ba", "O"], [[0] * 3, [0.5, 0.5, 0.505]])


@pytest.mark.parametrize(("cost", "expected"), [(0.0004, 123), (0.002, 99)])
def test_a_distortion_that_costs_energy_to_undo_stays(cost, expected):
    """The energies are those of a toy; the distances are 0.05 Angstrom."""

    def relax(starts, _):
        return [settled(start, -3.0 + cost) for start in starts]

    (result,) = gain_symmetry(
        [settled(POLAR, -3.0)], OPTIONS, MinimaOptions(symprecs=(0.06,)), relax
    )
    assert group(result.structure) == expected
    assert result.relaxation.steps == (6 if expected == 123 else 3)


def test_of_one_crystal_only_the_lowest_is_broken():
    tried = []

    def relax(starts, options):
        tried.append(len(starts))
        if len(tried) == 1:
            assert options.fix_symmetry is False
            assert n_operations(starts[0], 0.001) <= 2 < n_operations(BCC, 0.001)
        return [settled(start, -9.0) for start in starts]

    results = [settled(BCC, -3.0), settled(BCC, -3.0001), settled(FCC, -2.9)]
    lower = break_symmetry(results, OPTIONS, MinimaOptions(), relax)
    assert list(lower) == [1]
    assert tried[0] == 1  # the copy, and what is 0.1 eV/atom higher, are left alone


def test_records_are_joined():
    first = RelaxationDoc(
        engine="toy", state=RelaxState.CONVERGED, initial_energy_per_atom=-1.0, steps=4,
        volume_change=0.1,
    )  # fmt: skip
    second = RelaxationDoc(
        engine="toy", state=RelaxState.CONVERGED, initial_energy_per_atom=-2.0, steps=2,
        volume_change=-0.1, energy_per_atom=-2.1,
    )  # fmt: skip
    joined = continued(first, second)
    assert joined.initial_energy_per_atom == -1.0
    assert joined.energy_per_atom == -2.1
    assert joined.steps == 6
    assert joined.volume_change == pytest.approx(-0.01)
    assert joined.trajectory is None
