"""How likely one crystal's elements can take the places of another's.

The likelihood that a target has the structure of a known decoration is a kernel of the distance of
their elements, class by class. It is neighbourhood component analysis (Goldberger et al. 2004,
https://papers.nips.cc/paper/2566) with element substitution as the metric, the idea of CSPML
(Kusaba et al. 2022, doi:10.1016/j.commatsci.2022.111496); without training, the distance is that of
tabulated properties. With ``t`` and ``e`` the elements of target and decoration on class i of k:

``d = sum_i w_i |v(t_i) - v(e_i)| + mean_(i<j) |u(t_i) - u(t_j) - u(e_i) + u(e_j)|``
``    + 3 |sum_i x_i (q(t_i) - q(e_i))|``

where v places elements, u keeps contrasts (such as radius ratios), q keeps means (such as valence
electrons per atom), x are atomic fractions and w_i is proportional to ``x_i ** gamma``. The kernel
is ``exp(-d) + tail * exp(-slow * d)``, weighted down with the decoration's energy above the hull.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from screening.elements import MAX_Z, column

if TYPE_CHECKING:
    from collections.abc import Mapping

    from screening.prototypes.family import Family

Floats = NDArray[np.float64]

PROPERTIES = (
    "electronegativity",
    "atomic_radius",
    "ionic_radius",
    "group",
    "period",
    "pettifor_number",
)
SOFTENING = 0.1
"""Distances are ``sqrt(z^2 + s^2) - s``: smooth at zero, so that they can be learned."""

MEAN_WEIGHT = 3.0
_PROPERTY_SCALE = 10.0
_KEPT = ("places", "contrasts", "means", "scalars")


def element_properties() -> Floats:
    """Standardised properties of the elements, shape ``(MAX_Z + 1, 6)``; 0 where unknown."""
    table = np.stack([column(name) for name in PROPERTIES], axis=1)
    known = table[1 : MAX_Z + 1]
    standardised: Floats = (table - np.nanmean(known, axis=0)) / np.nanstd(known, axis=0)
    return np.nan_to_num(standardised)


def soft_norm(vectors: Floats) -> Floats:
    """Softened length of vectors along the last axis."""
    length: Floats = np.sqrt((vectors**2).sum(axis=-1) + SOFTENING**2) - SOFTENING
    return length


@dataclass(frozen=True)
class SubstitutionModel:
    """Parameters of the kernel.

    Attributes
    ----------
    places, contrasts, means
        v, u and q of the module's formula, one row per atomic number, shapes ``(104, .)``.
    scalars
        gamma, log of tail, slow, and the weight of the energy above the hull (atom/eV).
    """

    places: Floats
    contrasts: Floats
    means: Floats
    scalars: Floats

    @classmethod
    def from_properties(cls) -> Self:
        """Plain distance of six tabulated properties, weighted by atomic fractions."""
        places = element_properties() * (_PROPERTY_SCALE / np.sqrt(len(PROPERTIES)))
        none = np.zeros((MAX_Z + 1, 1))
        return cls(places, none, none, np.array([1.0, -30.0, 0.5, 1.0]))

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[np.generic]]) -> Self:
        """Read the parameters from a checkpoint's tensors."""
        return cls(*(np.asarray(tensors[f"model_{name}"], dtype=np.float64) for name in _KEPT))

    def to_tensors(self) -> dict[str, NDArray[np.float32]]:
        """Parameters by name, for a checkpoint."""
        return {
            f"model_{item.name}": np.ascontiguousarray(getattr(self, item.name), dtype=np.float32)
            for item in fields(self)
        }

    def distance(self, first: int, second: int) -> float:
        """How unlike two elements (atomic numbers) are on the same sites."""
        return float(soft_norm(self.places[first] - self.places[second]))

    def log_kernel(self, targets: NDArray[np.int64], family: Family, hulls: Floats) -> Floats:
        """Logarithm of the kernel between arrangements of a target and all rows of a family.

        Parameters
        ----------
        targets
            Atomic numbers by class for each arrangement, shape ``(m, k)``.
        family
            Decorations with the target's stoichiometry.
        hulls
            Energy above the hull of each row (eV/atom), shape ``(n,)``.

        Returns
        -------
        Shape ``(n, m)``.
        """
        distance = self._distance(targets, family.elements, family.counts / family.counts.sum())
        _, tail, slow, hull = self.scalars
        kernel: Floats = np.logaddexp(-distance, tail - slow * distance)
        kernel -= hull * np.nan_to_num(hulls)[:, None]
        return kernel

    def _distance(
        self, targets: NDArray[np.int64], rows: NDArray[np.int64], fractions: Floats
    ) -> Floats:
        k = len(fractions)
        weights = fractions ** self.scalars[0]
        weights = weights / weights.sum()
        distance = np.zeros((len(rows), len(targets)))
        for i in range(k):
            difference = self.places[rows[:, i], None] - self.places[targets[:, i]]
            distance += weights[i] * soft_norm(difference)
        pairs = [(i, j) for i in range(k) for j in range(i)]
        for i, j in pairs:
            known = self.contrasts[rows[:, i]] - self.contrasts[rows[:, j]]
            wanted = self.contrasts[targets[:, i]] - self.contrasts[targets[:, j]]
            distance += soft_norm(known[:, None] - wanted) / len(pairs)
        known = np.einsum("k,nkd->nd", fractions, self.means[rows])
        wanted = np.einsum("k,nkd->nd", fractions, self.means[targets])
        return distance + MEAN_WEIGHT * soft_norm(known[:, None] - wanted)
