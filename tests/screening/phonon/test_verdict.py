"""Verdicts from frequencies."""

import numpy as np
import pytest

from screening.errors import InputError
from screening.phonon import PhononOptions
from screening.phonon.verdict import judge

OPTIONS = PhononOptions(tolerance=0.1, marginal_tolerance=0.5)
RECIPROCAL = np.eye(3) / 4.0
EXACT_Q = np.array([[0, 0, 0], [0.5, 0, 0], [0, 0.5, 0], [0.5, 0.5, 0.5]])


def verdict(exact, between, q=(0.3, 0.2, 0.1)):
    return judge(
        (EXACT_Q, np.array(exact)), (np.array([q]), np.array([between])), RECIPROCAL, OPTIONS
    )


@pytest.mark.parametrize(
    ("exact", "between", "expected", "words"),
    [
        ([0, 1, 2, 3], 0.5, "stable", "no imaginary mode beyond 0.1 THz"),
        ([-1e-7, 1, 2, 3], -0.09, "stable", "no imaginary"),
        ([0, 1, -0.1, 3], 0.5, "stable", "no imaginary"),
        ([0, 1, -0.3, 3], 0.5, "marginal", "weak imaginary mode, -0.30 THz at q = (0, 0.5, 0)"),
        ([0, 1, 2, 3], -0.3, "marginal", "only where it is interpolated"),
        ([0, 1, 2, 3], -4.0, "marginal", "a larger supercell decides"),
        ([0, -2.0, 2, 3], 0.5, "unstable", "imaginary mode, -2.00 THz at q = (0.5, 0, 0)"),
        ([0, -2.0, 2, 3], -3.0, "unstable", "-2.00 THz"),
        ([-2.0, 1, 2, 3], 0.5, "unstable", "q = (0, 0, 0)"),
    ],
)
def test_verdicts(exact, between, expected, words):
    found = verdict(exact, between)
    assert found.verdict == expected
    assert words in found.reason
    assert found.min_frequency == pytest.approx(min(*exact, between))


def test_next_to_gamma_interpolation_says_nothing():
    near = verdict([0, 1, 2, 3], -0.4, q=(0.1, 0.1, 0.0))
    assert near.verdict == "stable"
    assert near.min_frequency == 0.0
    image = verdict([0, 1, 2, 3], -0.4, q=(0.9, 0.1, 1.0))
    assert image.verdict == "stable"
    far = verdict([0, 1, 2, 3], -0.4, q=(0.3, 0.0, 0.0))
    assert far.verdict == "marginal"
    assert far.qpoint == [0.3, 0.0, 0.0]


def test_a_supercell_without_other_points():
    found = judge(
        (np.zeros((1, 3)), np.array([0.0])),
        (np.array([[0.5, 0, 0]]), np.array([-3.0])),
        RECIPROCAL,
        OPTIONS,
    )
    assert found.verdict == "stable"


@pytest.mark.parametrize(
    "wrong",
    [{"min_length": 0}, {"displacement": -1}, {"max_atoms": 0}, {"tolerance": 0.6}],
)
def test_wrong_options(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        PhononOptions(**wrong)
