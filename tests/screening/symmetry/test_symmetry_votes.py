"""Votes of known crystals, and the stack that weighs them against the networks."""

import numpy as np
import pytest
import torch

from screening.composition import CompositionArray
from screening.errors import CheckpointError
from screening.symmetry import SymmetryModel
from screening.symmetry.bravais import class_sums
from screening.symmetry.stack import (
    N_CANDIDATES,
    Stack,
    best_weight,
    blend,
    candidates,
    features,
    fit_stack,
    frequencies,
)
from screening.symmetry.vote_training import fit_kernel
from screening.symmetry.votes import (
    MAX_ARRANGEMENTS,
    Memory,
    VoteKernel,
    Votes,
    arrangements_of,
    families,
)
from screening.training.options import LoopOptions
from screening.training.trees import TreeOptions, pack_text, unpack_text

SIZES = {"size": 8, "width": 16, "outputs": 8, "dropout": 0.0}
KNOWN = ["NaCl", "KCl", "TiS2", "ZrS2", "CaTiO3", "BaZrO3"]
GROUPS = np.array([225, 225, 164, 164, 221, 221]) - 1


def pack(formulas):
    return CompositionArray.from_formulas(formulas)


@pytest.fixture(scope="module")
def memory():
    torch.manual_seed(0)
    return Memory(VoteKernel(**SIZES).eval(), pack(KNOWN), GROUPS)


def test_arrangements_exchange_equal_counts_only():
    assert arrangements_of((1, 1, 3)).tolist() == [[0, 1, 2], [1, 0, 2]]
    assert len(arrangements_of((1, 1, 2, 2))) == 4
    assert len(arrangements_of((1,) * 6)) == MAX_ARRANGEMENTS


def test_families_stand_by_ascending_counts_then_electronegativity():
    found = families(pack(["SrTiO3", "Ti2O4", "LaAlO3", "C"]))
    assert set(found) == {(1, 1, 3), (1, 2), (1,)}
    assert found[1, 1, 3].rows.tolist() == [0, 2]
    assert found[1, 1, 3].numbers.tolist() == [[38, 22, 8], [57, 13, 8]]
    assert found[1, 2].numbers.tolist() == [[22, 8]]


def test_only_crystals_of_the_same_stoichiometry_vote(memory):
    votes = memory.votes(pack(["LiF", "HfSe2", "SrTiO3", "Al2O3"]))
    np.testing.assert_allclose(votes.groups.sum(axis=1), [1, 1, 1, 0])
    assert votes.groups[[0, 1, 2], [224, 163, 220]].tolist() == pytest.approx([1, 1, 1])
    np.testing.assert_allclose(votes.evidence[:, 2], [np.log(2)] * 3 + [0])
    assert (votes.evidence[:3, 0] >= votes.evidence[:3, 1] - 1e-6).all()
    np.testing.assert_allclose(votes.nearest.max(axis=1), votes.evidence[:, 1])
    np.testing.assert_array_equal((votes.nearest > -30).sum(axis=1), [1, 1, 1, 0])


def test_a_crystal_does_not_hear_itself(memory):
    own = np.arange(len(KNOWN))
    alone = Memory(memory._kernel, pack(["NaCl", "TiS2"]), np.array([224, 163]))
    assert not alone.votes(pack(["NaCl", "TiS2"]), own=own[:2]).groups.any()
    heard, all_ = memory.votes(pack(KNOWN), own=own), memory.votes(pack(KNOWN))
    assert (heard.evidence[:, 1] < all_.evidence[:, 1]).all()


def test_votes_know_no_order_of_elements_and_no_batches(memory):
    torch.manual_seed(1)
    known = pack(["CaTiO3", "LaAlO3", "NaCl"])
    crystals = Memory(memory._kernel, known, np.array([220, 166, 224]))
    together = crystals.votes(pack(["SrZrO3", "ZrSrO3", "Sr2Zr2O6", "KBr"]))
    alone = crystals.votes(pack(["SrZrO3"]))
    np.testing.assert_allclose(together.groups[:3], np.repeat(alone.groups, 3, axis=0), atol=1e-6)
    np.testing.assert_allclose(together.evidence[0], alone.evidence[0], atol=1e-5)


def test_formulas_with_many_elements_are_read(memory):
    many = pack(["NaCaTiNbOF6", "LiNaCaTiNbOF6"])
    crystals = Memory(memory._kernel, many, np.array([0, 1]))
    assert np.isfinite(crystals.votes(many).groups).all()
    np.testing.assert_allclose(crystals.votes(many).groups[:, :2], np.eye(2), atol=1e-9)


def test_the_kernel_learns_which_element_decides():
    anions, cations = ["F", "Cl", "Br", "I", "O", "S", "Se", "Te"], ["Li", "Na", "K", "Rb", "Cs"]
    formulas = [a + x for a in cations for x in anions]
    groups = np.array([224 if x in anions[:4] else 215 for _ in cations for x in anions])
    compositions = pack(formulas)

    def right(kernel):
        votes = Memory(kernel, compositions, groups).votes(compositions, np.arange(len(groups)))
        return votes.groups[np.arange(len(groups)), groups].mean()

    options = LoopOptions(epochs=60, batch_size=2, learning_rate=2e-2)
    kernel, result = fit_kernel(compositions, groups, SIZES, options, seed=0, device="cpu")
    assert result.history[-1]["loss"] < result.history[0]["loss"]
    assert right(kernel) > 0.97


def test_the_kernel_is_the_same_again():
    compositions, groups = pack(KNOWN), GROUPS
    options = LoopOptions(epochs=3, batch_size=2, learning_rate=1e-2)
    first, again = (
        fit_kernel(compositions, groups, SIZES, options, seed=0, device="cpu")[0] for _ in "ab"
    )
    assert torch.equal(first.elements, again.elements)
    assert torch.equal(first.linear.weight, again.linear.weight)


def test_a_kernel_without_anything_to_learn_stays():
    kernel, result = fit_kernel(
        pack(["NaCl", "TiS2"]),
        np.array([224, 163]),
        SIZES,
        LoopOptions(epochs=2, batch_size=2, learning_rate=1e-3),
        seed=0,
        device="cpu",
    )
    assert result.epochs == 0
    assert not kernel.training


def guesses(n=4000, seed=0):
    """Networks that are right for even rows, votes that are right for rows with evidence."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 230, n)
    networks, shares = rng.dirichlet(np.full(230, 0.02), n), rng.dirichlet(np.full(230, 0.02), n)
    sure = rng.random(n) < 0.5
    rows = np.arange(n)
    networks[rows[~sure], truth[~sure]] += 0.8
    shares[rows[sure], truth[sure]] += 0.8
    evidence = np.stack([np.where(sure, 0.0, -8.0)] * 3, axis=1)
    networks /= networks.sum(axis=1, keepdims=True)
    shares /= shares.sum(axis=1, keepdims=True)
    return networks, Votes(shares, np.log(shares + 1e-9), evidence), truth


def test_the_trees_learn_when_to_trust_the_votes():
    networks, votes, truth = guesses()
    prior = frequencies(truth)
    weight = best_weight(networks, votes, prior, truth)
    assert 0.2 <= weight <= 0.8
    mean = blend(networks, votes, weight, prior)
    columns = candidates(mean)
    inputs = features(networks, votes, mean, prior, columns)
    assert inputs.shape == (len(truth) * N_CANDIDATES, 24)
    options = TreeOptions(rounds=40, rate=0.1, leaves=15, smallest=100, seed=0)
    text = fit_stack(inputs, mean, columns, truth, options)
    assert text == fit_stack(inputs, mean, columns, truth, options)
    networks, votes, truth = guesses(500, seed=1)
    stacked = Stack(unpack_text(pack_text(text)), weight, prior)(networks, votes)
    np.testing.assert_allclose(stacked.sum(axis=1), 1)
    mean = blend(networks, votes, weight, prior)
    loss = [-np.log(p[np.arange(500), truth]).mean() for p in (stacked, mean)]
    assert loss[0] < loss[1] - 0.05


def test_a_stack_without_trees_is_the_mean():
    networks, votes, truth = guesses(20)
    prior = frequencies(truth)
    votes.groups[3] = 0
    stacked = Stack("", 0.4, prior)(networks, votes)
    np.testing.assert_array_equal(stacked, blend(networks, votes, 0.4, prior))
    np.testing.assert_allclose(stacked[3], networks[3], atol=2e-3)
    options = TreeOptions(rounds=1, rate=0.1, leaves=3, smallest=1, seed=0)
    inputs, columns = np.zeros((12, 24), np.float32), np.arange(12)[None]
    assert not fit_stack(inputs, stacked[:1], columns, np.array([99]), options)


def test_damaged_trees_are_refused():
    with pytest.raises(CheckpointError, match="cannot be read"):
        unpack_text(np.arange(9, dtype=np.uint8))


def test_classes_are_sums_of_their_groups():
    sums = class_sums(np.eye(230)[[224, 61]])
    assert sums.argmax(axis=1).tolist() == [0, 10]
    np.testing.assert_array_equal(sums.sum(axis=1), 1)


def test_the_bundled_model_is_small_and_fast():
    import time

    from screening.checkpoints.io import BUNDLED

    assert (BUNDLED / "symmetry" / "weights.safetensors").stat().st_size <= 5_000_000
    model = SymmetryModel.load()
    elements = ["Na", "K", "Ca", "Ti", "Zr", "Fe", "Al", "La", "S", "Se", "Cl", "O", "N", "Ge"]
    formulas = [
        a + b + c + n
        for a in elements
        for b in elements
        for c in elements[8:]
        if len({a, b, c}) == 3
        for n in ("2", "3")
    ]
    compositions = pack(formulas[:1000])
    model.probabilities(compositions)
    start = time.process_time()
    model.probabilities(compositions)
    assert time.process_time() - start < 4  # seconds; about 0.5 on an idle core


def test_the_bundled_model_knows_common_structures():
    model = SymmetryModel.load()
    documents = model.predict(pack(["RbBr", "Cs2AgBiCl6", "HfSe2", "Ni3Ga"]))
    assert [d.space_groups[0].number for d in documents] == [225, 225, 164, 221]
