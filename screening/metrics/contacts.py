"""How well a predicted contact map agrees with the true one.

A contact map is symmetric, one row and column per atom, 1 for a pair in contact; the diagonal
never counts. AlphaCrystal (Hu et al. 2021, doi:10.48550/arXiv.2102.01620) calls three different
things "contact map accuracy": the Dice coefficient of its equation 3, the share of equal entries
of the whole matrix (Table 1), and the share of equal entries of the padded lower triangle, of
which there are always 66 (Table 2, prediction). Only the first is 0 for an empty prediction; the
padded one is above 0.8 for it. All are here, each under a name of its own.

Maps may have leading axes, shape ``(..., n, n)``: all scores are then of shape ``(...)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.elements import column
from screening.errors import InputError
from screening.metrics.intervals import bootstrap_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

CONTACT_TOLERANCE = 0.4
"""Angstrom by which the distance of atoms in contact may differ from the sum of their radii."""
PADDED_SIZE = 12
"""Atoms that the papers pad to."""
OVERLAP_CUTOFF = 8.0
"""Distance in Angstrom below which AlphaCrystal-II says that two atoms are near each other."""
THRESHOLD = 0.5
"""Predicted probabilities from here on are contacts."""

SCORES = ("dice", "accuracy", "matrix_accuracy", "padded_accuracy", "exact")


def covalent_contacts(
    distances: NDArray[np.floating[Any]], numbers: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Contacts by the rule of the AlphaCrystal papers.

    Two atoms, not both metals, are in contact if the shortest distance between one and the images
    of the other is within `CONTACT_TOLERANCE` of the sum of their covalent radii (Cordero 2008);
    elements without a radius have no contacts.

    Parameters
    ----------
    distances
        Between nearest images (Angstrom), shape ``(..., n, n)``.
    numbers
        Atomic numbers, shape ``(..., n)``.
    """
    radii, metals = column("covalent_radius")[numbers], column("is_metal")[numbers] == 1
    gaps = np.abs(distances - (radii[..., :, None] + radii[..., None, :]))
    both = metals[..., :, None] & metals[..., None, :]
    found = (gaps <= CONTACT_TOLERANCE) & ~both & ~np.eye(numbers.shape[-1], dtype=bool)
    return np.asarray(found)


def pairs(matrix: ArrayLike) -> NDArray[Any]:
    """Strict lower triangle, row by row, shape ``(..., n (n - 1) / 2)``.

    Raises
    ------
    InputError
        If the last two axes are not equally long.
    """
    values = np.asarray(matrix)
    if values.ndim < 2 or values.shape[-1] != values.shape[-2]:
        raise InputError(f"a map of shape {values.shape} must be square in its last two axes")
    rows, columns = np.tril_indices(values.shape[-1], -1)
    return np.asarray(values[..., rows, columns])


def dice(reference: ArrayLike, predicted: ArrayLike) -> Any:
    """Twice the contacts in common over the contacts of both; 0 to 1.

    Two maps without a contact agree: 1 (the papers' code divides by zero there).

    Parameters
    ----------
    reference, predicted
        Maps, or probabilities of contacts, shape ``(..., n, n)``.
    """
    a, b = _two(reference, predicted)
    total = a.sum(axis=-1) + b.sum(axis=-1)
    return np.where(total > 0, 2 * (a & b).sum(axis=-1) / np.maximum(total, 1), 1.0)[()]


def accuracy(reference: ArrayLike, predicted: ArrayLike) -> Any:
    """Share of the pairs of the crystal's own atoms that are right; 0 to 1, 1 for no pairs."""
    a, b = _two(reference, predicted)
    return 1.0 - (a != b).sum(axis=-1) / max(a.shape[-1], 1)


def matrix_accuracy(reference: ArrayLike, predicted: ArrayLike) -> Any:
    """Share of all n x n entries that are right, the trivial diagonal included: Table 1."""
    a, b = _two(reference, predicted)
    size = np.asarray(reference).shape[-1]
    return 1.0 - 2 * (a != b).sum(axis=-1) / max(size * size, 1)


def padded_accuracy(reference: ArrayLike, predicted: ArrayLike, size: int = PADDED_SIZE) -> Any:
    """Share of right entries when maps are padded with zeros to `size` atoms: Table 2.

    The padding is always right: smaller crystals score higher, and an empty map about 0.8.

    Raises
    ------
    InputError
        If the crystal has more atoms than `size`.
    """
    a, b = _two(reference, predicted)
    n_pairs = size * (size - 1) // 2
    if a.shape[-1] > n_pairs:
        atoms = np.asarray(reference).shape[-1]
        raise InputError(f"a map of {atoms} atoms is larger than the padding, {size}: raise it")
    return 1.0 - (a != b).sum(axis=-1) / max(n_pairs, 1)


def exact(reference: ArrayLike, predicted: ArrayLike) -> Any:
    """Tell whether all pairs are right."""
    a, b = _two(reference, predicted)
    return (a == b).all(axis=-1)


def overlap(reference: ArrayLike, predicted: ArrayLike, cutoff: float = OVERLAP_CUTOFF) -> Any:
    """Share of the pairs nearer than `cutoff` that are predicted nearer too: AlphaCrystal-II.

    This is a recall: whoever calls everything near scores 1, and nearly all pairs of a small cell
    are nearer than 8 Angstrom. `balanced_overlap` is not fooled.

    Parameters
    ----------
    reference, predicted
        Distances in Angstrom, shape ``(..., n, n)``.
    cutoff
        In Angstrom.

    Returns
    -------
    0 to 1; NaN if no pair of the reference is near.
    """
    a, b = _two(reference, predicted, below=cutoff)
    return _share((a & b).sum(axis=-1), a.sum(axis=-1))


def balanced_overlap(
    reference: ArrayLike, predicted: ArrayLike, cutoff: float = OVERLAP_CUTOFF
) -> Any:
    """Mean of the shares of near and of far pairs that are right; of one if there is no other."""
    a, b = _two(reference, predicted, below=cutoff)
    near = _share((a & b).sum(axis=-1), a.sum(axis=-1))
    far = _share((~a & ~b).sum(axis=-1), (~a).sum(axis=-1))
    either = np.where(np.isnan(near), far, near)
    return np.where(np.isnan(near) | np.isnan(far), either, (near + far) / 2)[()]


@dataclass(frozen=True)
class ContactScores:
    """Scores of many crystals.

    Attributes
    ----------
    values
        For each of `SCORES` one value per crystal, shape ``(n,)``.
    n_failed
        Crystals without a prediction: they score 0 everywhere.
    n_empty
        Crystals whose true map has no contact: right is only the empty map.
    """

    values: dict[str, NDArray[np.float64]]
    n_failed: int
    n_empty: int

    @classmethod
    def of(
        cls,
        references: Sequence[ArrayLike],
        predictions: Sequence[ArrayLike | None],
        size: int = PADDED_SIZE,
    ) -> ContactScores:
        """Score each predicted map; None for a prediction that failed."""
        rows = [
            _scores(reference, predicted, size)
            for reference, predicted in zip(references, predictions, strict=True)
        ]
        table = np.asarray(rows, dtype=np.float64).reshape(-1, len(SCORES))
        return cls(
            dict(zip(SCORES, table.T, strict=True)),
            n_failed=sum(predicted is None for predicted in predictions),
            n_empty=sum(not _contacts(pairs(reference)).any() for reference in references),
        )

    def means(self) -> dict[str, float]:
        """Mean of each score over crystals; `exact` is the exact-match rate. NaN for none."""
        return {
            name: float(v.mean()) if len(v) else float("nan") for name, v in self.values.items()
        }

    def intervals(self, seed: int) -> dict[str, list[float]]:
        """95 % bootstrap interval of each mean, over crystals."""
        return {name: list(bootstrap_interval(v, seed=seed)) for name, v in self.values.items()}


def _scores(reference: ArrayLike, predicted: ArrayLike | None, size: int) -> list[float]:
    if predicted is None:
        return [0.0] * len(SCORES)
    return [
        float(dice(reference, predicted)),
        float(accuracy(reference, predicted)),
        float(matrix_accuracy(reference, predicted)),
        float(padded_accuracy(reference, predicted, size)),
        float(exact(reference, predicted)),
    ]


def _contacts(values: NDArray[Any]) -> NDArray[np.bool_]:
    return values if values.dtype == bool else values >= THRESHOLD


def _two(
    reference: ArrayLike, predicted: ArrayLike, below: float | None = None
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Pairs of both maps as booleans: contacts, or distances below a cutoff."""
    first, second = pairs(reference), pairs(predicted)
    if first.shape[-1] != second.shape[-1]:
        raise InputError(
            f"maps of shapes {np.shape(reference)} and {np.shape(predicted)} cannot be compared: "
            "they must have the same atoms"
        )
    if below is None:
        return _contacts(first), _contacts(second)
    return first < below, second < below


def _share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> Any:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)[()]
