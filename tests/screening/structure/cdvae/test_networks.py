"""The networks of Cond-CDVAE: geometry, symmetry, losses."""

import numpy as np
import pytest
import torch
from pymatgen.core import Lattice, Structure

from screening.structure.cdvae.condition import element_vectors, make_prior
from screening.structure.cdvae.data import Batch
from screening.structure.cdvae.graph import nearest_image, nearest_neighbours
from screening.structure.cdvae.network import make_network
from screening.structure.cdvae.options import CdvaeOptions
from screening.structure.cdvae.sampling import SamplingOptions, generate, reconstruct

SMALL = CdvaeOptions(
    width=16, layers=2, latent=8, condition=16, neighbours=8, gaussians=10, sent=8, components=4
)


def cell(lattice, points, numbers):
    return np.array(lattice, dtype=float), np.array(points, dtype=float), np.array(numbers)


@pytest.fixture
def crystals():
    rng = np.random.default_rng(1)
    return [
        cell(np.diag([4.0, 4.5, 5.0]) + rng.normal(0, 0.2, (3, 3)), rng.random((n, 3)), numbers)
        for n, numbers in ((2, [11, 17]), (4, [22, 8, 8, 8]), (3, [29, 29, 79]))
    ]


@pytest.fixture
def network():
    torch.manual_seed(0)
    made = make_network(SMALL.network()).eval()
    made.standardise({"lattice_mean": torch.tensor([2.5] * 3 + [90.0] * 3 + [2.7])})
    return made


def test_lattices_of_parameters(crystals):
    batch = Batch.of_cells(crystals, [0.0, 5.0, 10.0])
    for row, (lattice, _, _) in enumerate(crystals):
        own = Lattice(batch.lattices[row].double().numpy())
        expected = Lattice(lattice).get_niggli_reduced_lattice()
        np.testing.assert_allclose(own.abc, expected.abc, rtol=1e-5)
        np.testing.assert_allclose(batch.cells[row, :3], own.abc, rtol=1e-5)
        np.testing.assert_allclose(batch.cells[row, 3:], own.angles, rtol=1e-5)
    n = torch.tensor([2.0, 4.0, 3.0])[:, None]
    torch.testing.assert_close(batch.parameters()[:, :3] * n ** (1 / 3), batch.cells[:, :3])
    volumes = [abs(np.linalg.det(lattice)) / len(z) for lattice, _, z in crystals]
    torch.testing.assert_close(batch.parameters()[:, 6].exp(), torch.tensor(volumes).float())


def test_true_and_predicted_lattices_are_turned_alike(network, crystals):
    """The way back from noise is known in the true lattice, and learned in the predicted one."""
    batch = Batch.of_cells(crystals, [0.0] * 3)
    network.lattice[-1].weight.data.zero_()
    network.lattice[-1].bias.data.zero_()
    for row in range(3):
        network.standardise({"lattice_mean": batch.parameters()[row]})
        _, lattices = network.predict_lattice(torch.zeros(3, SMALL.condition), batch)
        torch.testing.assert_close(lattices[row], batch.lattices[row], rtol=1e-4, atol=1e-3)


def test_a_batch_holds_niggli_cells_of_the_same_crystals(crystals):
    batch = Batch.of_cells(crystals, [0.0] * 3)
    for row, (lattice, points, numbers) in enumerate(crystals):
        n = len(numbers)
        own = Structure(Lattice(lattice), numbers, points)
        there = Structure(
            Lattice(batch.lattices[row].numpy()), numbers, batch.points[row, :n].numpy()
        )
        np.testing.assert_allclose(there.distance_matrix, own.distance_matrix, atol=1e-4)
    assert batch.rows(torch.tensor([0])).numbers.shape == (1, 2)


def test_neighbours_are_those_of_pymatgen(crystals):
    batch = Batch.of_cells(crystals, [0.0] * 3)
    graph = nearest_neighbours(batch.lattices, batch.points, batch.numbers > 0, 6, 7.0)
    offset = 0
    for row, (_, _, numbers) in enumerate(crystals):
        n = len(numbers)
        structure = Structure(
            Lattice(batch.lattices[row].double().numpy()), numbers, batch.points[row, :n].numpy()
        )
        for atom in range(n):
            near = sorted(
                structure.get_neighbors(structure[atom], 7.0), key=lambda x: x.nn_distance
            )
            distances = graph.distances[offset + atom].numpy()
            np.testing.assert_allclose(distances, [x.nn_distance for x in near[:6]], atol=1e-4)
            first = int(graph.neighbours[offset + atom, 0])
            assert first - offset == near[0].index
            ours = graph.units[offset + atom, 0].numpy() * distances[0]
            np.testing.assert_allclose(ours, near[0].coords - structure[atom].coords, atol=1e-4)
        offset += n


def test_an_isolated_atom_has_no_neighbours():
    batch = Batch.of_cells([cell(np.eye(3) * 20, [[0, 0, 0]], [18])], [0.0])
    graph = nearest_neighbours(batch.lattices, batch.points, batch.numbers > 0, 4, 7.0)
    assert torch.isinf(graph.distances).all()
    network = make_network(SMALL.network()).eval()
    losses = network.losses(batch, teacher=True)
    assert torch.isfinite(losses.coordinates)


def test_nearest_images_are_the_shortest(crystals):
    batch = Batch.of_cells(crystals, [0.0] * 3)
    difference = torch.rand(30, 3, generator=torch.Generator().manual_seed(0)) * 6 - 3
    lattices = batch.lattices[torch.arange(30) % 3]
    found = nearest_image(difference, lattices)
    for row in range(30):
        lattice = Lattice(lattices[row].double().numpy())
        expected = lattice.get_distance_and_image([0, 0, 0], difference[row].double().numpy())[0]
        assert float(found[row].norm()) == pytest.approx(expected, abs=1e-4)


def test_the_decoder_turns_with_the_crystal(network, crystals):
    batch = Batch.of_cells(crystals, [0.0] * 3)
    joint = torch.randn(3, SMALL.condition, generator=torch.Generator().manual_seed(1))
    sigmas = torch.tensor([0.1, 0.5, 2.0])
    score = network.decode(batch, batch.lattices, batch.points, joint, sigmas)
    rotation, _ = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(2)))
    turned = network.decode(batch, batch.lattices @ rotation, batch.points, joint, sigmas)
    torch.testing.assert_close(turned, score @ rotation, atol=1e-5, rtol=1e-3)
    shifted = network.decode(batch, batch.lattices, batch.points + 0.37, joint, sigmas)
    torch.testing.assert_close(shifted, score, atol=1e-5, rtol=1e-3)
    assert score.abs().max() > 1e-4


def test_the_encoder_knows_neither_order_nor_orientation(network, crystals):
    batch = Batch.of_cells(crystals, [0.0] * 3)
    mean, _ = network.encode(batch, network.conditions(batch))
    swapped = [cell(lattice, points[::-1], numbers[::-1]) for lattice, points, numbers in crystals]
    other = Batch.of_cells(swapped, [0.0] * 3)
    again, _ = network.encode(other, network.conditions(other))
    torch.testing.assert_close(again, mean, atol=1e-5, rtol=1e-3)
    assert (mean[0] - mean[1]).abs().max() > 1e-4


def test_the_condition_knows_composition_and_pressure(network, crystals):
    batch = Batch.of_cells([crystals[0], crystals[0], crystals[1]], [0.0, 2.0, 0.0])
    told = network.conditions(batch)
    first, last = SMALL.embedding, SMALL.embedding + SMALL.gaussians
    torch.testing.assert_close(told[0, :first], told[1, :first])
    assert (told[0, :first] - told[2, :first]).abs().max() > 0.1
    assert (told[0, first:last] - told[1, first:last]).abs().max() > 0.1
    torch.testing.assert_close(told[0, first:last], told[2, first:last])


def test_a_perfect_decoder_has_no_loss(network, crystals, monkeypatch):
    batch = Batch.of_cells(crystals, [0.0] * 3)
    sigma = 0.05
    network.get_buffer("sigmas").fill_(sigma)
    mask = batch.numbers > 0

    def perfect(batch, lattices, points, joint, sigmas):
        back = (batch.points - points)[mask]
        crystals = batch.crystal_of_atom()
        torch.testing.assert_close(sigmas, torch.full((3,), sigma))
        return nearest_image(back, batch.lattices[crystals]) / sigma

    monkeypatch.setattr(network, "decode", perfect)
    for teacher in (True, False):
        assert float(network.losses(batch, teacher=teacher).coordinates) < 1e-8


def test_without_a_teacher_the_noisy_atoms_lie_in_the_predicted_lattice(
    network, crystals, monkeypatch
):
    batch = Batch.of_cells(crystals, [0.0] * 3)
    seen = []

    def note(batch, lattices, points, joint, sigmas):
        seen.append(lattices)
        return torch.zeros(int((batch.numbers > 0).sum()), 3)

    monkeypatch.setattr(network, "decode", note)
    network.losses(batch, teacher=True)
    network.losses(batch, teacher=False)
    torch.testing.assert_close(seen[0], batch.lattices)
    assert (seen[1] - batch.lattices).abs().max() > 0.1
    assert not seen[1].requires_grad


def test_noise_levels_are_geometric(network):
    sigmas = network.get_buffer("sigmas")
    assert len(sigmas) == 50
    torch.testing.assert_close(sigmas[[0, -1]], torch.tensor([3.0, 0.1]))
    ratios = sigmas[1:] / sigmas[:-1]
    torch.testing.assert_close(ratios, ratios[:1].expand(49), rtol=1e-4, atol=0)


def test_samples_repeat_and_have_the_composition(network):
    numbers = [np.array([11, 17]), np.array([22, 8, 8]), np.array([29])]
    options = SamplingOptions(steps=1, batch_size=2)
    first, again = (generate(network, numbers, [0, 10, 20], options, seed=3) for _ in range(2))
    other = generate(network, numbers, [0, 10, 20], options, seed=4)
    for (lattice, points, species), repeated, wanted in zip(first, again, numbers, strict=True):
        np.testing.assert_array_equal(species, wanted)
        np.testing.assert_array_equal(points, repeated[1])
        assert ((points >= 0) & (points < 1)).all()
        assert abs(np.linalg.det(lattice)) / len(wanted) > 5
    assert not np.allclose(first[0][1], other[0][1])


def test_reconstruction_keeps_number_and_kind_of_atoms(network, crystals):
    batch = Batch.of_cells(crystals, [0.0] * 3)
    made = reconstruct(network, batch, SamplingOptions(steps=1), seed=0)
    for (_, _, species), (_, _, wanted) in zip(made, crystals, strict=True):
        np.testing.assert_array_equal(species, wanted)


@pytest.mark.parametrize("ancestral", [True, False])
def test_the_score_leads_the_atoms_down_the_levels(network, crystals, monkeypatch, ancestral):
    """With the true way back as score, atoms end where they belong."""
    batch = Batch.of_cells(crystals[1:2], [0.0])
    lattice = batch.lattices
    monkeypatch.setattr(network, "predict_lattice", lambda joint, _: (joint, lattice))
    asked = []

    def score(part, lattices, points, joint, sigmas):
        asked.append(float(sigmas))
        back = (batch.points - points)[0]
        return nearest_image(back, lattice.expand(len(back), 3, 3)) / sigmas

    monkeypatch.setattr(network, "decode", score)
    options = SamplingOptions(steps=4, levels=10, ancestral=ancestral)
    ((_, points, _),) = reconstruct(network, batch, options, seed=0)
    gone = torch.tensor(points).float() - batch.points[0]
    away = nearest_image(gone, lattice.expand(len(gone), 3, 3)).norm(dim=1)
    assert away.max() < (1e-4 if ancestral else 0.5)
    assert len(asked) == 40
    assert asked == sorted(asked, reverse=True)
    assert (asked[0], asked[-1]) == pytest.approx((3.0, 0.1))


def test_steps_between_levels_keep_the_noise_of_the_level(network, monkeypatch):
    """Atoms that are at the noise of one level are at that of the next one after a step."""
    lattice = torch.eye(3)[None] * 50
    cells = [cell(np.eye(3) * 50, np.full((2, 3), 0.5), [29, 29])] * 400
    batch = Batch.of_cells(cells, [0.0] * 400)
    lattices = lattice.expand(400, 3, 3)
    monkeypatch.setattr(network, "predict_lattice", lambda joint, _: (joint, lattices))
    seen = {}

    def score(part, lattices, points, joint, sigmas):
        away = (points - 0.5) * 50
        seen[float(sigmas[0])] = float(away.std())
        return -away.reshape(-1, 3) / sigmas[:, None].repeat_interleave(2, dim=0)

    monkeypatch.setattr(network, "decode", score)
    reconstruct(network, batch, SamplingOptions(steps=2, levels=4, batch_size=400, rate=0.1), 0)
    for sigma, spread in list(seen.items())[2:]:  # the first ones still know the uniform start
        assert spread == pytest.approx(sigma, rel=0.15)


def test_the_noise_has_no_common_shift(network, crystals, monkeypatch):
    batch = Batch.of_cells(crystals, [0.0] * 3)
    crystal, mask = batch.crystal_of_atom(), batch.numbers > 0
    shifts = {}

    def note(part, lattices, points, joint, sigmas):
        moved = ((points - batch.points) @ batch.lattices)[mask]
        shifts[network.centred] = torch.zeros(3, 3).index_add(0, crystal, moved).abs().max()
        return torch.zeros(len(crystal), 3)

    monkeypatch.setattr(network, "decode", note)
    for centred in (True, False):
        network.centred = centred
        losses = network.losses(batch, teacher=True)
        torch.testing.assert_close(losses.coordinates, losses.still)
    assert shifts[True] < 1e-4 < shifts[False]


def test_lengths_follow_murnaghan_under_pressure(network, crystals):
    joint = torch.randn(3, SMALL.condition, generator=torch.Generator().manual_seed(0))
    volumes = []
    for pressure in (0.0, 60.0):
        batch = Batch.of_cells(crystals, [pressure] * 3)
        _, lattices = network.predict_lattice(joint, batch)
        volumes.append(torch.linalg.det(lattices))
    moduli = 100 * network.stiffness(joint).exp()[:, 0]
    torch.testing.assert_close(
        volumes[1] / volumes[0], (1 + 240 / moduli) ** -0.25, rtol=1e-4, atol=0
    )
    free = make_network(SMALL.model_copy(update={"compression": False}).network()).eval()
    first, second = (
        free.predict_lattice(joint, Batch.of_cells(crystals, [p] * 3))[1] for p in (0.0, 60.0)
    )
    torch.testing.assert_close(first, second)


def test_the_mixture_draws_what_its_divergence_describes():
    """A posterior equal to the prior has no divergence, however many Gaussians are the same one."""
    torch.manual_seed(0)
    prior = make_prior("mixture", told=6, latent=3, components=2).eval()
    told = torch.randn(1, 6)
    weights, means, log_variances = prior._parts(told)
    away = means[0].detach().clone()
    prior.centres.data += torch.tensor([[20.0], [-20.0]])
    drawn = prior.draw(told.expand(4000, 6), torch.Generator().manual_seed(1)).detach()
    upper = drawn[:, 0] > 0
    assert float(upper.float().mean()) == pytest.approx(float(weights[0, 0].exp()), abs=0.03)
    torch.testing.assert_close(drawn[upper].mean(dim=0), away[0] + 20, atol=0.1, rtol=0)
    scale = (0.5 * log_variances[0, 0]).exp().detach()
    torch.testing.assert_close(drawn[upper].std(dim=0), scale, atol=0.08, rtol=0)
    nats = prior.divergence(drawn[upper][:1], away[:1] + 20, log_variances[0, :1], told)
    assert float(nats) == pytest.approx(-float(weights[0, 0]), abs=1e-3)


def test_the_papers_prior_has_the_known_divergence():
    prior = make_prior("normal", told=6, latent=3, components=2)
    told, z = torch.randn(1, 6), torch.randn(1, 3)
    one = prior.divergence(z, torch.ones(1, 3), torch.zeros(1, 3), told)
    assert float(one) == pytest.approx(1.5)
    drawn = prior.draw(told.expand(3000, 6), torch.Generator().manual_seed(0))
    assert float(drawn.std()) == pytest.approx(1, abs=0.05)


def test_number_of_atoms_and_shares_are_told_if_wanted(network, crystals):
    doubled = cell(np.eye(3) * 6, np.zeros((4, 3)), [11, 11, 17, 17])
    batch = Batch.of_cells([crystals[0], doubled], [0.0, 0.0])
    told = network.conditions(batch)
    common = SMALL.embedding + SMALL.gaussians
    torch.testing.assert_close(told[0, :common], told[1, :common])
    assert (told[0, common:] - told[1, common:]).abs().max() > 0.1
    torch.testing.assert_close(told[0, -6:], torch.tensor([0.5, 0.5, 0, 0, 0, 0]))
    paper = make_network(SMALL.model_copy(update={"counts": False}).network())
    assert paper.conditions(batch).shape == (2, common)


def test_alike_elements_start_alike():
    torch.manual_seed(0)
    vectors = element_vectors(64)
    likeness = torch.nn.functional.cosine_similarity
    assert (
        likeness(vectors[11], vectors[19], dim=0) > likeness(vectors[11], vectors[9], dim=0) + 0.5
    )
    assert (vectors[57] - vectors[58]).abs().max() > 0.1


def test_lattices_have_the_predicted_volume(network, crystals):
    batch = Batch.of_cells(crystals, [0.0, 20.0, 60.0])
    joint = torch.randn(3, SMALL.condition, generator=torch.Generator().manual_seed(0))
    predicted, lattices = network.predict_lattice(joint, batch)
    n = (batch.numbers > 0).sum(dim=1)
    logarithms = predicted[:, 6] * network.lattice_scale[6] + network.lattice_mean[6]
    torch.testing.assert_close(torch.linalg.det(lattices) / n, logarithms.exp())
    paper = make_network(SMALL.model_copy(update={"volume": False}).network()).eval()
    predicted, lattices = paper.predict_lattice(joint, batch)
    assert predicted.shape == (3, 6)
    assert torch.isfinite(paper.losses(batch, teacher=False).lattice)


def test_the_encoder_is_told_the_lattice_if_wanted():
    """Without, crystals whose atoms have the same neighbours are the same to the encoder."""
    one = cell(np.eye(3) * 3, [[0, 0, 0]], [29])
    two = cell(np.diag([3.0, 3.0, 6.0]), [[0, 0, 0], [0, 0, 0.5]], [29, 29])
    batch = Batch.of_cells([one, two], [0.0, 0.0])
    for told in (True, False):
        torch.manual_seed(0)
        options = SMALL.model_copy(update={"tell_lattice": told, "counts": False})
        network = make_network(options.network()).eval()
        network.standardise(batch.statistics())
        mean, _ = network.encode(batch, network.conditions(batch))
        assert bool((mean[0] - mean[1]).abs().max() > 1e-3) is told
