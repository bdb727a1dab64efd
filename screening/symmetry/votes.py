"""Votes of known crystals over space groups: retrieval by stoichiometry with a learned kernel.

Crystals with the same reduced stoichiometry often have the same structure with other elements. For
a composition, all training crystals with its sorted counts vote for their space groups, each with
``K = exp(-d) + tail * exp(-slow * d)``, summed over the arrangements of the elements on places with
equal counts. The distance d is that of vectors that a small network makes from the elements on
their places: neighbourhood component analysis (Goldberger et al. 2004,
https://papers.nips.cc/paper/2566), in the spirit of Kusaba et al. 2022
(doi:10.1016/j.commatsci.2022.111496).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import groupby, islice, permutations, product
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from torch import nn

from screening.features.table import imputed
from screening.symmetry.bravais import N_SPACE_GROUPS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.composition import CompositionArray

Stoichiometry = tuple[int, ...]
"""Counts of a reduced formula in ascending order, such as ``(1, 1, 3)``."""

PROPERTIES = (
    "electronegativity",
    "atomic_radius",
    "ionic_radius",
    "group",
    "period",
    "pettifor_number",
)
MAX_ARRANGEMENTS = 24
N_PLACES = 5
"""Places that the network reads; formulas with more lose those with the smallest counts."""

N_EVIDENCE = 3
_SOFTENING = 0.1
_NOTHING = -30.0
_EXCLUDED = -1e4
_PAIRS_AT_ONCE = 1_000_000


def arrangements_of(counts: Stoichiometry) -> NDArray[np.int64]:
    """Permutations that exchange places with equal counts, shape ``(m, k)``, identity first."""
    blocks = [list(block) for _, block in groupby(range(len(counts)), key=lambda i: counts[i])]
    choices = product(*(permutations(block) for block in blocks))
    chosen = islice(choices, MAX_ARRANGEMENTS)
    return np.array([sum(choice, ()) for choice in chosen], dtype=np.int64)


@dataclass(frozen=True)
class Family:
    """Compositions of one stoichiometry.

    Attributes
    ----------
    counts
        The stoichiometry, k counts.
    rows
        Where the compositions stand, shape ``(n,)``.
    numbers
        Atomic numbers by place (ascending counts, then electronegativity), shape ``(n, k)``.
    """

    counts: Stoichiometry
    rows: NDArray[np.int64]
    numbers: NDArray[np.int64]


def families(compositions: CompositionArray) -> dict[Stoichiometry, Family]:
    """Sort compositions into families."""
    reduced = compositions.reduced()
    negativity = imputed("electronegativity")[reduced.numbers]
    order = np.lexsort((negativity, reduced.counts), axis=1)
    numbers = np.take_along_axis(reduced.numbers, order, axis=1).astype(np.int64)
    counts = np.take_along_axis(reduced.counts, order, axis=1)
    members: dict[Stoichiometry, list[int]] = defaultdict(list)
    for i, row in enumerate(counts.tolist()):
        members[tuple(n for n in row if n)].append(i)
    return {
        key: Family(key, np.array(rows), numbers[rows][:, numbers.shape[1] - len(key) :])
        for key, rows in members.items()
    }


class VoteKernel(nn.Module):
    """The learned kernel.

    Parameters
    ----------
    size
        Numbers that stand for an element.
    width
        Width of the hidden layers.
    outputs
        Length of the vectors that are compared.
    dropout
        Share of hidden values dropped in training.
    """

    def __init__(self, size: int, width: int, outputs: int, dropout: float) -> None:
        super().__init__()
        table = np.stack([imputed(name) for name in PROPERTIES], axis=1)
        table = (table - table[1:].mean(axis=0)) / table[1:].std(axis=0)
        table[0] = 0
        known = torch.tensor(table, dtype=torch.float32)
        self.elements = nn.Parameter(
            torch.cat([known, 0.1 * torch.randn(len(known), size - known.shape[1])], dim=1)
        )
        n_inputs = N_PLACES * (size + 1)
        self.linear = nn.Linear(n_inputs, outputs)
        self.deep = nn.Sequential(
            *(nn.Linear(n_inputs, width), nn.SiLU(), nn.Dropout(dropout)),
            *(nn.Linear(width, width), nn.SiLU(), nn.Dropout(dropout)),
            nn.Linear(width, outputs),
        )
        self.tail = nn.Parameter(torch.tensor([-4.0]))
        self.slow = nn.Parameter(torch.tensor([0.0]))
        self.unit = nn.Parameter(torch.tensor([3.0]))

    def embed(self, numbers: torch.Tensor, counts: Stoichiometry) -> torch.Tensor:
        """Map atomic numbers by place, ``(..., k)``, to vectors ``(..., outputs)``."""
        fractions = torch.tensor(counts, dtype=torch.float32, device=numbers.device)
        fractions = (fractions / fractions.sum())[-N_PLACES:, None]
        places = self.elements[numbers[..., -N_PLACES:]]
        places = torch.cat([places, fractions.expand(*places.shape[:-1], 1)], dim=-1)
        missing = N_PLACES - places.shape[-2]
        inputs = nn.functional.pad(places, (0, 0, 0, missing)).flatten(-2)
        vectors: torch.Tensor = self.linear(inputs) + self.deep(inputs)
        return vectors

    def forward(self, targets: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """Logarithm of the kernel.

        Parameters
        ----------
        targets
            Vectors of each arrangement, shape ``(b, m, outputs)``.
        known
            Vectors of known crystals, shape ``(n, outputs)``.

        Returns
        -------
        Shape ``(b, n)``.
        """
        mode = "use_mm_for_euclid_dist" if self.training else "donot_use_mm_for_euclid_dist"
        square = torch.cdist(targets.flatten(0, 1), known, compute_mode=mode).square()
        distance = (square + _SOFTENING**2).sqrt() - _SOFTENING
        distance = distance * nn.functional.softplus(self.unit)
        slow = self.tail - torch.sigmoid(self.slow) * distance
        kernel = torch.logaddexp(-distance, slow).reshape(*targets.shape[:2], -1)
        return kernel.logsumexp(dim=1)


@dataclass(frozen=True)
class Votes:
    """Votes for n compositions.

    Attributes
    ----------
    groups
        Shares of the space groups, ``(n, 230)``; a row is 0 where nothing is known.
    nearest
        Logarithm of the kernel of the nearest crystal of each group, ``(n, 230)``.
    evidence
        Logarithms of the sum of the kernel, of the nearest crystal's, and of the number of
        crystals with the stoichiometry, ``(n, 3)``.
    """

    groups: NDArray[np.float64]
    nearest: NDArray[np.float64]
    evidence: NDArray[np.float64]

    @classmethod
    def none(cls, n: int) -> Self:
        """No votes for n compositions."""
        evidence = np.full((n, N_EVIDENCE), _NOTHING)
        evidence[:, 2] = 0
        shape = n, N_SPACE_GROUPS
        return cls(np.zeros(shape), np.full(shape, _NOTHING), evidence)

    def put(self, rows: NDArray[np.intp], votes: Self) -> None:
        """Fill in rows."""
        self.groups[rows], self.nearest[rows] = votes.groups, votes.nearest
        self.evidence[rows] = votes.evidence


class Memory:
    """Known crystals that vote with a kernel.

    Parameters
    ----------
    kernel
        Trained, on the cpu, in eval mode.
    compositions
        n known compositions.
    space_groups
        Columns (number - 1) of their space groups, shape ``(n,)``.
    """

    def __init__(
        self, kernel: VoteKernel, compositions: CompositionArray, space_groups: NDArray[np.int64]
    ) -> None:
        self._kernel, self._groups = kernel, np.asarray(space_groups, dtype=np.int64)
        self._families = families(compositions)
        self._vectors: dict[Stoichiometry, torch.Tensor] = {}

    def votes(self, compositions: CompositionArray, own: NDArray[np.int64] | None = None) -> Votes:
        """Collect the votes for n compositions.

        Parameters
        ----------
        own
            The row of the memory that each composition must not hear, shape ``(n,)``: itself.
        """
        result = Votes.none(len(compositions))
        with torch.inference_mode():
            for counts, family in families(compositions).items():
                known = self._families.get(counts)
                if known is None:
                    continue
                arrangements = arrangements_of(counts)
                step = max(1, _PAIRS_AT_ONCE // (len(known.rows) * len(arrangements)))
                for start in range(0, len(family.rows), step):
                    rows = family.rows[start : start + step]
                    numbers = family.numbers[start : start + step][:, arrangements]
                    self._vote(result, rows, numbers, known, own)
        return result

    def _vote(
        self,
        result: Votes,
        rows: NDArray[np.int64],
        numbers: NDArray[np.int64],
        known: Family,
        own: NDArray[np.int64] | None,
    ) -> None:
        """Fill in `rows` of the result; `numbers` are those of all arrangements, (b, m, k)."""
        if known.counts not in self._vectors:
            vectors = self._kernel.embed(torch.from_numpy(known.numbers), known.counts)
            self._vectors[known.counts] = vectors
        targets = self._kernel.embed(torch.from_numpy(numbers), known.counts)
        kernel = self._kernel(targets, self._vectors[known.counts]).double().numpy()
        if own is not None:
            kernel[own[rows][:, None] == known.rows] = _EXCLUDED
        present, column = np.unique(self._groups[known.rows], return_inverse=True)
        member = (column[:, None] == np.arange(len(present))).astype(np.float64)
        mass = np.exp(kernel) @ member
        total = mass.sum(axis=1)
        heard = total > np.exp(_NOTHING)
        result.groups[np.ix_(rows[heard], present)] = mass[heard] / total[heard][:, None]
        order = np.argsort(column, kind="stable")
        first = np.searchsorted(column[order], np.arange(len(present)))
        nearest = np.maximum.reduceat(kernel[:, order], first, axis=1)
        result.nearest[np.ix_(rows, present)] = np.maximum(nearest, _NOTHING)
        result.evidence[rows[heard], 0] = np.log(total[heard])
        result.evidence[rows[heard], 1] = kernel.max(axis=1)[heard]
        result.evidence[rows, 2] = np.log(len(known.rows))
