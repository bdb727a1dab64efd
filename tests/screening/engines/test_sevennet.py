"""Batched SevenNet against the sevenn package, and when things go wrong."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from screening.engines import Crystal, engine_id, make_engine
from screening.engines import sevennet as module
from screening.engines.sevennet import weights_file
from screening.engines.weights import Weights
from screening.errors import EngineError

pytest.importorskip("sevenn")


def moved(structure, seed):
    rng = np.random.default_rng(seed)
    crystal = Crystal.from_structure(structure)
    crystal.positions += rng.normal(0, 0.1, crystal.positions.shape)
    crystal.cell[:] = crystal.cell @ (np.eye(3) + rng.normal(0, 0.02, (3, 3)))
    return crystal


@pytest.fixture(scope="module")
def crystals():
    cubic = Lattice.cubic
    rock = Structure(cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3])
    perovskite = Structure.from_spacegroup(
        "Pm-3m", cubic(3.9), ["Ba", "Ti", "O"], [[0, 0, 0], [0.5] * 3, [0.5, 0.5, 0]]
    )
    copper = Structure(Lattice([[0, 1.8, 1.8], [1.8, 0, 1.8], [1.8, 1.8, 0]]), ["Cu"], [[0, 0, 0]])
    exact = [Crystal.from_structure(item) for item in (rock, perovskite, copper)]
    return exact + [moved(item, k) for k, item in enumerate((rock, perovskite, copper))]


@pytest.fixture(scope="module")
def engine():
    return make_engine("sevennet-0")


@pytest.mark.parametrize("name", ["sevennet-0", "sevennet-l3i5"])
def test_equals_the_sevenn_package(name, crystals):
    from ase import Atoms
    from sevenn.calculator import SevenNetCalculator

    calculator = SevenNetCalculator(name.replace("sevennet", "7net"), device="cpu")
    for crystal, ours in zip(crystals, make_engine(name).evaluate(crystals), strict=True):
        atoms = Atoms(crystal.numbers, crystal.positions, cell=crystal.cell, pbc=True)
        atoms.calc = calculator
        assert ours.energy == pytest.approx(atoms.get_potential_energy(), abs=1e-4)
        np.testing.assert_allclose(ours.forces, atoms.get_forces(), atol=1e-3)
        stress = atoms.get_stress(voigt=False) * 160.21766208
        np.testing.assert_allclose(ours.stress, stress, atol=1e-2)
        assert ours.magmoms is None


def test_a_crystal_does_not_depend_on_its_batch(engine, crystals):
    together = engine.evaluate(crystals)
    for crystal, ours in zip(crystals, together, strict=True):
        (alone,) = engine.evaluate([crystal])
        assert ours.energy == pytest.approx(alone.energy, abs=1e-4)
        np.testing.assert_allclose(ours.forces, alone.forces, atol=1e-4)


def test_forces_and_stress_are_slopes_of_the_energy(engine, crystals):
    crystal = crystals[4]
    (result,) = engine.evaluate([crystal])

    def energy(positions, cell):
        return engine.evaluate([Crystal(crystal.numbers, cell, positions)])[0].energy

    step = 0.01
    shift = np.zeros_like(crystal.positions)
    shift[2, 1] = step
    ends = [energy(crystal.positions + sign * shift, crystal.cell) for sign in (1, -1)]
    assert -(ends[0] - ends[1]) / (2 * step) == pytest.approx(result.forces[2, 1], abs=0.01)
    strain = np.zeros((3, 3))
    strain[0, 1] = strain[1, 0] = step
    ends = [
        energy(crystal.positions @ bent, crystal.cell @ bent)
        for bent in (np.eye(3) + strain, np.eye(3) - strain)
    ]
    slope = (ends[0] - ends[1]) / (4 * step) / crystal.volume * 160.21766208
    assert slope == pytest.approx(result.stress[0, 1], abs=0.1)


def test_faults_stay_with_their_crystal(engine, crystals):
    broken = Crystal(np.array([11]), np.eye(3) * 5, np.full((1, 3), np.nan))
    lonely = Crystal(np.array([2]), np.eye(3) * 20, np.zeros((1, 3)))
    unknown = Crystal(np.array([98]), np.eye(3) * 3, np.zeros((1, 3)))
    first, *bad = engine.evaluate([crystals[0], broken, lonely, unknown])
    assert first.error is None
    assert "not finite" in bad[0].error
    assert "no neighbour within" in bad[1].error
    assert "98" in bad[2].error
    assert all(np.isnan(item.energy) for item in bad)


def test_it_has_its_own_name_and_checks_its_weights(monkeypatch, tmp_path):
    assert engine_id("sevennet-l3i5") == "sevennet-l3i5"
    path = weights_file("sevennet-0")
    monkeypatch.setitem(module.WEIGHTS, "sevennet-0", Weights(path.name, "0" * 64))
    with pytest.raises(EngineError, match="is missing"):
        weights_file("sevennet-0")
    other = str(path.relative_to(path.parents[2]))
    monkeypatch.setitem(module.WEIGHTS, "sevennet-0", Weights(other, "0" * 64))
    with pytest.raises(EngineError, match="does not hold the weights"):
        weights_file("sevennet-0")
    monkeypatch.setattr("screening.engines.weights.find_spec", lambda _: None)
    with pytest.raises(EngineError, match="pip install sevenn"):
        weights_file("sevennet-0")
