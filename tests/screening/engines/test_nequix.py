"""Batched Nequix: against the authors' package, symmetries, slopes, and when things go wrong."""

import io
import json

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from scipy.special import ndtri
from tiny_nequix import HEADER, NUMBERS, tiny_nequix

from screening.engines import Crystal
from screening.engines.nequix import NequixEngine, find_pairs, join, species_table
from screening.engines.nequix_file import parse_nqx, read_nqx
from screening.engines.nequix_fused import fused_messages
from screening.engines.nequix_network import SILU_SCALE, NequixNetwork, plain_messages
from screening.engines.nequix_paths import clebsch_gordan
from screening.errors import EngineError


def engine(*, double=True, **options):
    return NequixEngine("tiny", *parse_nqx(tiny_nequix(), "tiny"), double=double, **options)


@pytest.fixture(scope="module")
def exact():
    return engine()


@pytest.fixture(scope="module")
def crystals():
    cell = np.array([[4.0, 0.1, 0], [0, 4.1, -0.2], [0.3, 0, 3.9]])
    sites = np.array([[0, 0, 0], [2, 2.1, 1.9], [2, 2, 0], [2.1, 0, 2], [0, 2, 2.0]]) + 0.1
    copper = np.array([[0, 1.8, 1.8], [1.8, 0, 1.8], [1.8, 1.8, 0]])
    return [
        Crystal(np.array([56, 22, 8, 8, 8]), cell, sites),
        Crystal(np.array([29]), copper, np.zeros((1, 3))),
        Crystal(np.array([11, 17]), np.eye(3) * 3.4, np.array([[0, 0, 0], [1.6, 1.7, 1.8]])),
    ]


# nequix 0.4.5 (torch 2.13.0, single precision) with the same file
PACKAGE_ENERGIES = (-22.669273, -4.7765570)
PACKAGE_FORCES = [
    [0.00765298, 0.04200828, -0.02735862],
    [0.01102555, 0.05855836, -0.072937],
    [0.02566895, -0.02654612, 0.06999415],
    [0.01528982, -0.062668, -0.00582662],
    [-0.05963727, -0.0113525, 0.03612809],
]
PACKAGE_STRESS = [
    [0.01065518, -0.00065051, -0.00176731],
    [-0.00065051, 0.008869, 0.0018037],
    [-0.00176731, 0.0018037, 0.01206912],
]


@pytest.mark.parametrize("double", [True, False])
def test_equals_the_authors_package(double, crystals):
    perovskite, copper, _ = engine(double=double).evaluate(crystals)
    assert perovskite.energy == pytest.approx(PACKAGE_ENERGIES[0], abs=5e-6)
    assert copper.energy == pytest.approx(PACKAGE_ENERGIES[1], abs=2e-6)
    np.testing.assert_allclose(perovskite.forces, PACKAGE_FORCES, atol=2e-6)
    np.testing.assert_allclose(perovskite.stress / 160.21766208, PACKAGE_STRESS, atol=2e-7)
    np.testing.assert_allclose(copper.forces, 0, atol=1e-8)


def test_forces_and_stress_are_slopes_of_the_energy(exact, crystals):
    crystal = crystals[0]
    (result,) = exact.evaluate([crystal])
    step = 2e-4

    def slope(shift, strain):
        ends = []
        for sign in (1, -1):
            bend = np.eye(3) + sign * strain
            moved = Crystal(
                crystal.numbers, crystal.cell @ bend, (crystal.positions + sign * shift) @ bend
            )
            ends.append(exact.evaluate([moved])[0].energy)
        return (ends[0] - ends[1]) / (2 * step)

    for atom, axis in ((0, 0), (1, 2), (4, 1)):
        shift = np.zeros((5, 3))
        shift[atom, axis] = step
        force = -slope(shift, np.zeros((3, 3)))
        assert force == pytest.approx(result.forces[atom, axis], abs=1e-6)
    for i, j in ((0, 0), (0, 1), (2, 1)):
        strain = np.zeros((3, 3))
        strain[i, j] += step / 2
        strain[j, i] += step / 2
        stress = slope(np.zeros((5, 3)), strain) / crystal.volume * 160.21766208
        assert stress == pytest.approx(result.stress[i, j], abs=1e-5)


def test_rotation_translation_order_and_cell_change_nothing(exact, crystals):
    crystal = crystals[0]
    turn = Rotation.from_rotvec([0.3, -1.1, 0.7]).as_matrix().T
    order = np.array([3, 0, 4, 1, 2])
    mirrored = -turn
    images = [
        Crystal(crystal.numbers, crystal.cell @ turn, (crystal.positions + 0.37) @ turn),
        Crystal(crystal.numbers, crystal.cell @ mirrored, crystal.positions @ mirrored),
        Crystal(crystal.numbers[order], crystal.cell, crystal.positions[order]),
        Crystal(
            np.tile(crystal.numbers, 2),
            np.diag([1, 2, 1]) @ crystal.cell,
            np.concatenate([crystal.positions, crystal.positions + crystal.cell[1]]),
        ),
    ]
    alone, turned, mirror, permuted, double = exact.evaluate([crystal, *images])
    for image in (turned, mirror, permuted):
        assert image.energy == pytest.approx(alone.energy, abs=1e-10)
    np.testing.assert_allclose(turned.forces, alone.forces @ turn, atol=1e-10)
    np.testing.assert_allclose(mirror.forces, alone.forces @ mirrored, atol=1e-10)
    np.testing.assert_allclose(permuted.forces, alone.forces[order], atol=1e-10)
    np.testing.assert_allclose(turned.stress, turn.T @ alone.stress @ turn, atol=1e-9)
    assert double.energy == pytest.approx(2 * alone.energy, abs=1e-9)


def test_compiled_loops_equal_torch(crystals):
    config, arrays = parse_nqx(tiny_nequix(), "tiny")
    species = species_table(config)
    batch = join(crystals, [find_pairs(item, config, species, 0.5) for item in crystals], species)
    answers = []
    for messenger in (plain_messages, fused_messages):
        weights = {
            key: torch.from_numpy(array).double().requires_grad_() for key, array in arrays.items()
        }
        vectors = torch.from_numpy(batch.vectors).requires_grad_()
        energies = NequixNetwork(config, weights, messenger)(
            vectors, batch.pairs(torch.device("cpu"))
        )
        names = [name for name in weights if name != "atom_energies"]
        slopes = torch.autograd.grad(
            (energies * torch.arange(len(energies))).sum(),
            [vectors, *(weights[name] for name in names)],
            materialize_grads=True,
        )
        answers.append([energies.detach(), *slopes])
    for plain, fused in zip(*answers, strict=True):
        torch.testing.assert_close(fused, plain, rtol=1e-9, atol=1e-10)


def test_a_crystal_does_not_depend_on_its_batch(crystals):
    small, large = engine(max_cost=1), engine(max_cost=10**6)
    for one, other in zip(small.evaluate(crystals), large.evaluate(crystals), strict=True):
        assert one.energy == pytest.approx(other.energy, abs=1e-10)
        np.testing.assert_allclose(one.forces, other.forces, atol=1e-10)


def test_faults_stay_with_their_crystal(exact, crystals):
    broken = Crystal(np.array([11]), np.eye(3) * 5, np.full((1, 3), np.nan))
    lonely = Crystal(np.array([29]), np.eye(3) * 20, np.zeros((1, 3)))
    unknown = Crystal(np.array([79]), np.eye(3) * 3, np.zeros((1, 3)))
    same = Crystal(np.array([29, 29]), np.eye(3) * 4, np.zeros((2, 3)))
    first, *bad = exact.evaluate([crystals[0], broken, lonely, unknown, same])
    assert first.error is None
    reasons = ("not finite", "no neighbour within", "atomic number 79", "same place")
    for result, reason in zip(bad, reasons, strict=True):
        assert reason in result.error
        assert np.isnan(result.energy)


def test_constants():
    x = ndtri(np.linspace(0, 1, 1_000_003)[1:-1])
    assert pytest.approx(1 / np.sqrt(np.mean((x / (1 + np.exp(-x))) ** 2)), rel=1e-12) == SILU_SCALE
    # a vector from a scalar and a vector; a scalar from two vectors
    np.testing.assert_allclose(clebsch_gordan(0, 1, 1)[0], np.eye(3) / np.sqrt(3), atol=1e-12)
    np.testing.assert_allclose(clebsch_gordan(1, 1, 0)[..., 0], np.eye(3) / np.sqrt(3), atol=1e-12)


class Trap:
    """Runs when it is unpickled."""

    def __reduce__(self):
        return (print, ("unpickled",))


def test_nothing_but_arrays_is_read(tmp_path, capsys):
    header = (json.dumps(HEADER) + "\n").encode()
    stream = io.BytesIO()
    np.save(stream, np.array([Trap()], dtype=object), allow_pickle=True)
    path = tmp_path / "trap.nqx"
    path.write_bytes(header + stream.getvalue())
    with pytest.raises(EngineError, match="is damaged"):
        read_nqx(path)
    assert "unpickled" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a Nequix file"),
        (b"\x89PNG\r\n\x1a\n", "no JSON"),
        (b"[1, 2]\n", "no JSON object"),
        (b"{}\n", "index_weights"),
        (tiny_nequix()[:-40], "is damaged"),
        (tiny_nequix(hidden_irreps="8x0e + 6x1e"), "not the header"),
        (tiny_nequix(hidden_irreps="9x0e + 6x1o + 4x2e + 4x3o"), "is damaged"),
        (tiny_nequix(index_weights=True), "index_weights"),
        (tiny_nequix(n_layers=10**6), "not the configuration"),
        (tiny_nequix(cutoff=float("nan")), "not the configuration"),
        (tiny_nequix(atomic_numbers=[*NUMBERS[:-1], 200]), "not the configuration"),
    ],
)
def test_other_files_are_refused(tmp_path, content, reason):
    path = tmp_path / "file.nqx"
    path.write_bytes(content)
    with pytest.raises(EngineError, match=reason):
        read_nqx(path)
