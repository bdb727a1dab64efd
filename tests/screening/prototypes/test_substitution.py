import numpy as np
import pytest
import torch

from screening.prototypes.retrieval import Query
from screening.prototypes.substitution import SubstitutionModel
from screening.prototypes.train_substitution import Fit, FitOptions, _Model, measure


def everything(bank):
    return np.ones(len(bank), dtype=bool)


@pytest.fixture(scope="module")
def learned(small_bank):
    return Fit(small_bank, everything(small_bank), FitOptions(epochs=4)).run()


def test_trained_and_trainable_kernels_agree(small_bank):
    trainable = _Model(seed=3)
    frozen = trainable.frozen()
    for counts in small_bank.lookup.stoichiometries():
        family = small_bank.lookup.family(counts)
        targets = family.elements[:5][:, family.arrangements]
        hulls = np.linspace(0, 0.08, len(family.elements))
        expected = trainable.log_kernel(
            torch.tensor(targets),
            torch.tensor(family.elements),
            torch.tensor(family.counts / family.counts.sum(), dtype=torch.float32),
            torch.tensor(hulls, dtype=torch.float32),
        )
        for i, arranged in enumerate(targets):
            found = frozen.log_kernel(arranged, family, hulls)
            assert pytest.approx(expected[i].detach().numpy(), abs=2e-4) == found.T


def test_equal_elements_have_the_largest_kernel(small_bank):
    for model in (SubstitutionModel.from_properties(), _Model(0).frozen()):
        family = small_bank.lookup.family((1, 1))
        kernel = model.log_kernel(family.elements, family, np.zeros(len(family.elements)))
        assert (np.diag(kernel) >= kernel.max(axis=0) - 1e-9).all()


def test_stable_decorations_count_more(small_bank):
    family = small_bank.lookup.family((1, 1))
    model = SubstitutionModel.from_properties()
    low, high = (
        model.log_kernel(family.elements[:1], family, np.full(len(family.elements), hull))
        for hull in (0.0, 0.08)
    )
    assert (low > high).all()
    unknown = model.log_kernel(family.elements[:1], family, np.full(len(family.elements), np.nan))
    assert unknown == pytest.approx(low)


def test_learning_improves_what_it_learns(small_bank, learned):
    before = measure(small_bank.model, small_bank, everything(small_bank))
    after = measure(learned, small_bank, everything(small_bank))
    assert after["n"] == before["n"] > 50
    assert after["top1"] > before["top1"]
    assert after["top1"] > 0.9


def test_fit_is_deterministic(small_bank, learned):
    again = Fit(small_bank, everything(small_bank), FitOptions(epochs=4)).run()
    assert np.array_equal(again.places, learned.places)
    assert np.array_equal(again.scalars, learned.scalars)


def test_interrupted_fit_goes_on_where_it_stopped(small_bank, learned):
    states = []
    Fit(small_bank, everything(small_bank), FitOptions(epochs=4)).run(
        lambda fit: states.append(fit.state())
    )
    resumed = Fit(small_bank, everything(small_bank), FitOptions(epochs=4))
    resumed.restore(states[1])
    assert resumed.epoch == 2
    model = resumed.run()
    assert np.array_equal(model.places, learned.places)
    assert np.array_equal(model.contrasts, learned.contrasts)


def test_tensors_round_trip(learned):
    again = SubstitutionModel.from_tensors(learned.to_tensors())
    for name in ("places", "contrasts", "means", "scalars"):
        assert np.array_equal(getattr(again, name), getattr(learned, name))


def test_arrangement_follows_the_mapping(small_bank):
    """Exchanging two elements of the target exchanges their arrangements."""
    query = Query(small_bank, {38: 1, 22: 1, 8: 3})
    identity = query.targets.tolist().index([22, 38, 8])
    best = np.unravel_index(np.argmax(query.mass), query.mass.shape)
    assert query.targets[best[1]].tolist() in ([22, 38, 8], [38, 22, 8])
    assert identity in range(len(query.targets))
