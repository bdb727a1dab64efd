import numpy as np
import pytest

from screening.errors import InputError
from screening.stability.probability import (
    apply_beta,
    fit_beta,
    logit,
    shift_prevalence,
    sigmoid,
)


def test_prevalence_shifts_the_odds():
    shifted = shift_prevalence(np.array([0.5, 0.8]), 0.5, 0.1)
    assert shifted == pytest.approx([0.1, 4 / 13])  # odds 1 and 4, times 1/9


def test_equal_prevalence_changes_nothing():
    probability = np.array([0.02, 0.4, 0.97])
    assert shift_prevalence(probability, 0.4, 0.4) == pytest.approx(probability)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_impossible_prevalence(share):
    with pytest.raises(InputError, match="prevalence"):
        shift_prevalence(np.array([0.5]), 0.4, share)


def test_calibration_finds_overconfidence():
    rng = np.random.default_rng(0)
    truth = rng.uniform(-3, 3, 4000)
    labels = rng.random(4000) < sigmoid(truth)
    parameters = fit_beta(2 * truth, labels)  # log odds twice as large as they should be
    assert apply_beta(2 * truth, parameters) == pytest.approx(truth, abs=0.35)


def test_calibration_of_calibrated_scores_is_the_identity():
    rng = np.random.default_rng(1)
    truth = rng.uniform(-3, 3, 4000)
    labels = rng.random(4000) < sigmoid(truth)
    assert apply_beta(truth, fit_beta(truth, labels)) == pytest.approx(truth, abs=0.3)


def test_logit_is_bounded():
    assert np.isfinite(logit(np.array([0.0, 1.0]))).all()
