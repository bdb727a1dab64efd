"""Metrics of whole sets of predictions: METRe, cRMSE, agreement of space groups.

The match rate asks of each target whether its own predictions found it. With polymorphs that is
unfair: a prediction that is another true polymorph of the formula counts as wrong, and a model
that predicts one polymorph again and again can look good. METRe ("match everyone to reference")
asks of each reference whether any prediction of its composition found it, whichever target the
prediction was made for; cRMSE counts references that nobody found at the tolerance (Martirossyan
et al. 2025, doi:10.48550/arXiv.2509.12178).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from screening.crystal.symmetry_dataset import symmetry_dataset
from screening.metrics.intervals import bootstrap_interval
from screening.metrics.matching import TOLERANCES, rms_distance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from pymatgen.core import Structure

SYMPREC = 0.1
"""Tolerance in Angstrom with which predicted space groups are found."""


@dataclass(frozen=True)
class Coverage:
    """How near the predictions came to each reference.

    Attributes
    ----------
    rms
        For each tolerance the distance of each reference from the nearest prediction of its
        composition, in units of (volume/atom)^(1/3), shape ``(n,)``; NaN where none matches.
    """

    rms: dict[str, NDArray[np.float64]]

    @classmethod
    def of(cls, references: Sequence[Structure], predictions: Sequence[Structure]) -> Coverage:
        """Compare each reference with all predictions of its reduced composition."""
        by_formula: dict[str, list[Structure]] = defaultdict(list)
        for predicted in predictions:
            by_formula[predicted.composition.reduced_formula].append(predicted)
        rms = {name: np.full(len(references), np.nan) for name in TOLERANCES}
        for i, reference in enumerate(references):
            for predicted in by_formula[reference.composition.reduced_formula]:
                for name in TOLERANCES:
                    distance = rms_distance(reference, predicted, name)
                    if np.isnan(distance):
                        break  # the tolerances are in descending order
                    rms[name][i] = np.fmin(rms[name][i], distance)
        return cls(rms)

    def metre(self) -> dict[str, float]:
        """Share of references that a prediction matches, by tolerance; NaN for none."""
        return {
            name: float(np.isfinite(rms).mean()) if len(rms) else float("nan")
            for name, rms in self.rms.items()
        }

    def crmse(self) -> dict[str, float]:
        """Mean distance of the nearest prediction; stol of the tolerance where none matches."""
        return {
            name: float(values.mean()) if len(values) else float("nan")
            for name in self.rms
            for values in [self._corrected(name)]
        }

    def intervals(self, seed: int) -> dict[str, dict[str, list[float]]]:
        """95 % bootstrap intervals of both, over references."""
        return {
            name: {
                "metre": list(bootstrap_interval(np.isfinite(rms).astype(float), seed=seed)),
                "crmse": list(bootstrap_interval(self._corrected(name), seed=seed)),
            }
            for name, rms in self.rms.items()
        }

    def _corrected(self, name: str) -> NDArray[np.float64]:
        return np.nan_to_num(self.rms[name], nan=TOLERANCES[name][1])


def space_group(structure: Structure, symprec: float = SYMPREC) -> int | None:
    """Space group number (spglib), None if none is found.

    Parameters
    ----------
    structure
        Any cell of the crystal.
    symprec
        Distance in Angstrom within which atoms count as equivalent. Predictions need a wide one;
        then slightly distorted crystals get the group of their parent.
    """
    found = symmetry_dataset(
        np.asarray(structure.lattice.matrix),
        np.asarray(structure.frac_coords),
        np.asarray(structure.atomic_numbers),
        symprec,
    )
    return None if found is None else int(found.number)


def space_group_agreement(
    references: Sequence[Structure],
    predictions: Sequence[Structure | None],
    symprec: float = SYMPREC,
) -> float:
    """Share of predictions with the space group of their reference; NaN for none.

    A prediction that failed (None) or has no group found does not agree.
    """
    agree = [
        predicted is not None
        and (group := space_group(reference, symprec)) is not None
        and group == space_group(predicted, symprec)
        for reference, predicted in zip(references, predictions, strict=True)
    ]
    return float(np.mean(agree)) if agree else float("nan")
