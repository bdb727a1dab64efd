"""Distance of the powder patterns of two crystals, as coded.

Each peak (Cu K alpha, pymatgen's XRDCalculator, strongest peak 100) is repeated ten times its
intensity and a Gaussian kernel density is taken of the angles: peaks below 0.1 vanish, and the
width of the kernel, 0.01 times the scatter of the angles, differs between crystals and is near the
step of the grid. The density is normalised: absolute intensities do not count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import gaussian_kde

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

GRID = np.linspace(0, 90, 901)
"""Angles 2 theta in degrees."""
BANDWIDTH = 0.01
"""In units of the standard deviation of the angles."""
REPEATS = 10
"""Times that a peak is repeated for each per cent of the strongest."""


def xrd_distance(reference: Structure, predicted: Structure) -> float:
    """Euclidean distance of the two smoothed patterns on the grid, in 1/degree; 0 or more."""
    return float(np.linalg.norm(_pattern(reference) - _pattern(predicted)))


def _pattern(structure: Structure) -> NDArray[np.float64]:
    from pymatgen.analysis.diffraction.xrd import XRDCalculator

    peaks = XRDCalculator().get_pattern(structure)
    angles = np.repeat(peaks.x, (np.asarray(peaks.y) * REPEATS).astype(int))
    return np.asarray(gaussian_kde(angles, bw_method=BANDWIDTH).evaluate(GRID))
