"""Batched CHGNet against the chgnet package, finite differences, and when things go wrong."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from screening.engines import Crystal, make_engine
from screening.engines.chgnet_batch import ChgnetEngine, load_state
from screening.engines.chgnet_network import PlainMessages
from screening.engines.neighbors import SkinList
from screening.errors import EngineError


def perturbed(structure, seed, amount=0.1):
    rng = np.random.default_rng(seed)
    crystal = Crystal.from_structure(structure)
    crystal.positions += rng.normal(0, amount, crystal.positions.shape)
    crystal.cell[:] = crystal.cell @ (np.eye(3) + rng.normal(0, 0.02, (3, 3)))
    return crystal


@pytest.fixture(scope="module")
def structures():
    cubic = Lattice.cubic
    rock = Structure.from_spacegroup("Fm-3m", cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3])
    perovskite = Structure.from_spacegroup(
        "Pm-3m", cubic(3.9), ["Ba", "Ti", "O"], [[0, 0, 0], [0.5] * 3, [0.5, 0.5, 0]]
    )
    diamond = Structure.from_spacegroup("Fd-3m", cubic(5.43), ["Si"], [[0, 0, 0]])
    copper = Structure(Lattice([[0, 1.8, 1.8], [1.8, 0, 1.8], [1.8, 1.8, 0]]), ["Cu"], [[0, 0, 0]])
    flat = Structure(
        Lattice.hexagonal(2.5, 9), ["C", "C"], [[1 / 3, 2 / 3, 0.5], [2 / 3, 1 / 3, 0.5]]
    )
    loose = Structure(cubic(4.8), ["Cs", "Xe"], [[0, 0, 0], [0.5] * 3])  # no bond below 3 Angstrom
    iron = Structure(cubic(2.85), ["Fe", "Fe"], [[0, 0, 0], [0.5] * 3])
    return [rock, perovskite, diamond, copper, flat, loose, iron]


@pytest.fixture(scope="module")
def crystals(structures):
    exact = [Crystal.from_structure(structure) for structure in structures]
    return exact + [perturbed(structure, i) for i, structure in enumerate(structures)]


@pytest.fixture(scope="module")
def engine():
    return make_engine("chgnet")


def test_equals_the_chgnet_package(engine, crystals):
    from chgnet.model.model import CHGNet

    model = CHGNet.load(use_device="cpu", verbose=False)
    expected = model.predict_structure([crystal.to_structure() for crystal in crystals])
    for crystal, ours, theirs in zip(crystals, engine.evaluate(crystals), expected, strict=True):
        assert ours.energy / len(crystal) == pytest.approx(float(theirs["e"]), abs=1e-5)
        np.testing.assert_allclose(ours.forces, theirs["f"], atol=1e-3)
        np.testing.assert_allclose(ours.stress, theirs["s"], atol=1e-2)
        np.testing.assert_allclose(ours.magmoms, theirs["m"], atol=1e-4)


def test_compiled_loops_equal_torch(engine, crystals):
    plain = make_engine("chgnet")
    plain.network.messenger = PlainMessages()
    assert not isinstance(engine.network.messenger, PlainMessages)
    for ours, theirs in zip(engine.evaluate(crystals), plain.evaluate(crystals), strict=True):
        assert ours.energy == pytest.approx(theirs.energy, abs=2e-5)
        np.testing.assert_allclose(ours.forces, theirs.forces, atol=2e-5)
        np.testing.assert_allclose(ours.stress, theirs.stress, atol=1e-4)


def test_single_precision_equals_double(engine, crystals):
    exact = make_engine("chgnet", double=True).evaluate(crystals)
    for ours, theirs in zip(engine.evaluate(crystals), exact, strict=True):
        assert ours.energy == pytest.approx(theirs.energy, abs=2e-5)
        np.testing.assert_allclose(ours.forces, theirs.forces, atol=2e-5)


def test_the_sigmoid_is_as_good_as_torchs():
    import torch

    from screening.engines.chgnet_kernels import activate

    x = np.linspace(-60, 60, 200_001, dtype=np.float32)
    y, slope = x.copy(), np.empty_like(x)
    activate(y, slope)
    exact = torch.from_numpy(x).double().requires_grad_()
    value = torch.nn.functional.silu(exact)
    (gradient,) = torch.autograd.grad(value.sum(), [exact])
    np.testing.assert_allclose(y, value.detach().numpy(), rtol=1e-6, atol=1e-15)
    np.testing.assert_allclose(slope, gradient.numpy(), atol=1.5e-6)


def test_r2scan_weights_equal_the_chgnet_package(structures):
    from chgnet.model.model import CHGNet

    model = CHGNet.load(model_name="r2scan", use_device="cpu", verbose=False)
    crystal = perturbed(structures[1], 3)
    expected = model.predict_structure(crystal.to_structure())
    (ours,) = make_engine("chgnet-r2scan").evaluate([crystal])
    assert ours.energy / len(crystal) == pytest.approx(float(expected["e"]), abs=2e-5)
    np.testing.assert_allclose(ours.forces, expected["f"], atol=1e-3)


def test_forces_and_stress_are_derivatives_of_the_energy(structures):
    engine = make_engine("chgnet", double=True)
    crystal = perturbed(structures[1], 5)

    def energy(positions, cell):
        return engine.evaluate([Crystal(crystal.numbers, cell, positions)])[0].energy

    (result,) = engine.evaluate([crystal])
    h = 1e-4
    for atom, axis in ((0, 0), (2, 1), (4, 2)):
        step = np.zeros_like(crystal.positions)
        step[atom, axis] = h
        slope = (
            energy(crystal.positions + step, crystal.cell)
            - energy(crystal.positions - step, crystal.cell)
        ) / (2 * h)
        assert result.forces[atom, axis] == pytest.approx(-slope, abs=2e-4)
    for i, j in ((0, 0), (1, 2)):
        strain = np.zeros((3, 3))
        strain[i, j] = h
        plus, minus = np.eye(3) + strain, np.eye(3) - strain
        slope = (
            energy(crystal.positions @ plus, crystal.cell @ plus)
            - energy(crystal.positions @ minus, crystal.cell @ minus)
        ) / (2 * h)
        assert result.stress[i, j] == pytest.approx(slope / crystal.volume * 160.21766, abs=0.02)


def test_forces_sum_to_zero_and_stress_is_symmetric(engine, crystals):
    for result in engine.evaluate(crystals):
        np.testing.assert_allclose(result.forces.sum(axis=0), 0, atol=1e-9)
        np.testing.assert_allclose(result.stress, result.stress.T, atol=2e-3)


def test_a_supercell_has_the_same_forces(engine, structures):
    crystal = perturbed(structures[6], 1, amount=0.05)
    (small,) = engine.evaluate([crystal])
    (large,) = engine.evaluate([Crystal.from_structure(crystal.to_structure() * (2, 1, 2))])
    assert large.energy == pytest.approx(4 * small.energy, abs=1e-4)
    np.testing.assert_allclose(np.repeat(small.forces, 4, axis=0), large.forces, atol=1e-4)
    np.testing.assert_allclose(small.stress, large.stress, atol=1e-2)


def test_the_same_whatever_cell_an_atom_is_written_in(engine, structures):
    crystal = perturbed(structures[1], 2)
    (before,) = engine.evaluate([crystal])
    moved = Crystal(crystal.numbers, crystal.cell, crystal.positions.copy())
    moved.positions[2] += 3 * crystal.cell[0] - 2 * crystal.cell[2]
    (after,) = engine.evaluate([moved])
    assert after.energy == pytest.approx(before.energy, abs=1e-5)
    np.testing.assert_allclose(after.forces, before.forces, atol=1e-4)


def test_batches_are_cut_and_do_not_matter(crystals):
    whole = make_engine("chgnet").evaluate(crystals)
    for max_cost in (1, 3000):
        cut = ChgnetEngine(max_cost=max_cost).evaluate(crystals)
        for a, b in zip(whole, cut, strict=True):
            assert a.energy == pytest.approx(b.energy, abs=1e-4)
            np.testing.assert_allclose(a.forces, b.forces, atol=1e-4)


def test_repeats_bit_for_bit(engine, crystals):
    first, second = engine.evaluate(crystals), engine.evaluate(crystals)
    for a, b in zip(first, second, strict=True):
        assert a.energy == b.energy
        assert np.array_equal(a.forces, b.forces)
        assert np.array_equal(a.stress, b.stress)


def test_a_skin_list_gives_what_a_new_list_gives(engine, structures):
    crystal = perturbed(structures[0], 7, amount=0.02)
    engine.evaluate([crystal])
    kept = crystal.memo["neighbors"]
    crystal.positions += np.random.default_rng(0).normal(0, 0.02, crystal.positions.shape)
    (ours,) = engine.evaluate([crystal])
    assert crystal.memo["neighbors"] is kept
    (fresh,) = engine.evaluate([Crystal(crystal.numbers, crystal.cell, crystal.positions)])
    assert ours.energy == pytest.approx(fresh.energy, abs=1e-5)
    np.testing.assert_allclose(ours.forces, fresh.forces, atol=1e-5)


@pytest.mark.parametrize(
    ("crystal", "words"),
    [
        (Crystal(np.array([95]), np.eye(3) * 3.0, np.zeros((1, 3))), "up to Pu"),
        (Crystal(np.array([3]), np.eye(3) * 20.0, np.zeros((1, 3))), "no neighbour within 6"),
        (Crystal(np.array([3]), np.full((3, 3), np.nan), np.zeros((1, 3))), "not finite"),
        (Crystal(np.array([3]), np.zeros((3, 3)), np.zeros((1, 3))), "no volume"),
    ],
)
def test_a_bad_crystal_says_why_and_spoils_no_other(engine, structures, crystal, words):
    good = Crystal.from_structure(structures[3])
    first, bad, last = engine.evaluate([good, crystal, good])
    assert words in bad.error
    assert np.isnan(bad.energy)
    assert bad.forces.shape == (1, 3)
    assert first.error is None
    assert first.energy == pytest.approx(last.energy)


def test_out_of_memory_halves_the_batch(engine, crystals, monkeypatch):
    expected = engine.evaluate(crystals)
    run = ChgnetEngine._run

    def small_only(self, batch, graph):
        if len(batch) > 2:
            raise RuntimeError("CUDA out of memory. Tried to allocate 20 GiB")
        if len(batch[0]) == 8 and len(batch) == 1:
            raise MemoryError
        return run(self, batch, graph)

    monkeypatch.setattr(ChgnetEngine, "_run", small_only)
    results = engine.evaluate(crystals[:1] + crystals[1:7])
    assert "out of memory with 8 atoms" in results[0].error
    for ours, theirs in zip(results[3:], expected[3:7], strict=True):
        assert ours.energy == pytest.approx(theirs.energy, abs=1e-4)


def test_other_failures_are_engine_errors(engine, crystals, monkeypatch):
    def broken(*_):
        raise RuntimeError("illegal memory access")

    monkeypatch.setattr(ChgnetEngine, "_run", broken)
    with pytest.raises(EngineError, match="CHGNet failed on cpu: illegal memory access"):
        engine.evaluate(crystals)


def test_missing_device():
    with pytest.raises(EngineError, match="device='cuda:97' cannot be used"):
        make_engine("chgnet", "cuda:97")


def test_missing_or_wrong_package(monkeypatch, tmp_path):
    monkeypatch.setattr("screening.engines.weights.find_spec", lambda _: None)
    with pytest.raises(EngineError, match="pip install chgnet"):
        load_state("chgnet-0.3.0")

    class Spec:
        submodule_search_locations = (str(tmp_path),)

    monkeypatch.setattr("screening.engines.weights.find_spec", lambda _: Spec)
    with pytest.raises(EngineError, match="is missing"):
        load_state("chgnet-0.3.0")
    file = tmp_path / "pretrained/0.3.0/chgnet_0.3.0_e29f68s314m37.pth.tar"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"other weights")
    with pytest.raises(EngineError, match="does not hold the weights"):
        load_state("chgnet-0.3.0")


def test_empty_batch(engine):
    assert engine.evaluate([]) == []


def test_skin_list_is_kept_in_the_crystal(engine, structures):
    crystal = Crystal.from_structure(structures[0])
    engine.evaluate([crystal])
    assert isinstance(crystal.memo["neighbors"], SkinList)


@pytest.mark.gpu
def test_a_gpu_gives_the_same(engine, crystals):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    there = make_engine("chgnet", "cuda").evaluate(crystals)
    for ours, theirs in zip(engine.evaluate(crystals), there, strict=True):
        assert ours.energy == pytest.approx(theirs.energy, abs=1e-4)
        np.testing.assert_allclose(ours.forces, theirs.forces, atol=1e-4)
