"""Formation energies on the scale of a database, from the energies of a potential.

The difference of two sources of energies is linear in the terms of the composition
(`screening.energy_scale.terms`), and the fit has the error of each term. Intervals are conformal
(Lei et al. 2018, doi:10.1080/01621459.2017.1307116). Their scores are divided by a modelled size of
the error: they are wider where the potential is worse or the terms are less certain.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from screening.checkpoints import checkpoint_ref, load_checkpoint
from screening.composition import CompositionArray
from screening.energy_scale.classes import CLASSES, composition_classes
from screening.energy_scale.terms import element_fractions, term_matrix
from screening.errors import CheckpointError, InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from screening.schemas import CheckpointRef

PREFIX = "scale-"
"""Checkpoints are called after the source of the energies: ``scale-chgnet-0.3.0``."""
COVERAGE = 0.9
"""Share of the truths that lie in an interval."""


@dataclass(frozen=True)
class ScaledEnergies:
    """Formation energies with conformal 90 % intervals.

    Attributes
    ----------
    values, lower, upper
        Formation energy and the ends of its interval (eV/atom), shape ``(n,)``; NaN where an
        element is neither in the data of the fit nor among the elemental references.
    source
        Name of the energy source: potential, scale and version of the fit.
    """

    values: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    source: str


class EnergyScale:
    """The map from a potential's energies to formation energies of one scale.

    Parameters
    ----------
    arguments
        ``engine`` (name of the energy source), ``scale`` (name of the scale), ``version``.
    tensors
        ``terms`` and ``covariance`` (eV/atom, and its square) of the columns of `term_matrix`;
        ``elements``, the potential's energy of each elemental reference by atomic number (eV/atom,
        NaN where there is none); ``spread``, coefficients of the logarithm of the errors' size;
        ``quantiles`` ``(classes, 2)``, the ends of intervals in units of that size; ``counts``,
        crystals of the fit by element; ``polymorphs`` ``(2,)``, the ends of intervals around the
        energy of the lowest crystal of a formula plus the potential's difference (eV/atom), if
        they were measured.
    ref
        The checkpoint.
    """

    def __init__(
        self, arguments: dict[str, Any], tensors: dict[str, NDArray[Any]], ref: CheckpointRef
    ) -> None:
        self.engine = str(arguments["engine"])
        self.scale = str(arguments["scale"])
        self.ref = ref
        self.terms = tensors["terms"].astype(np.float64)
        self.covariance = tensors["covariance"].astype(np.float64)
        self.elements = tensors["elements"].astype(np.float64)
        self.spread = tensors["spread"].astype(np.float64)
        self.quantiles = tensors["quantiles"].astype(np.float64)
        self.counts = tensors["counts"]
        ends = tensors.get("polymorphs")
        self.polymorph_ends = None if ends is None else (float(ends[0]), float(ends[1]))

    @classmethod
    def load(cls, engine: str) -> Self:
        """Load the scale of an energy source.

        Parameters
        ----------
        engine
            Its name on documents, such as ``chgnet-0.3.0``.

        Raises
        ------
        CheckpointError
            If there is no scale for it, or the checkpoint is damaged or of another kind.
        """
        try:
            checkpoint_ref(PREFIX + engine)
        except CheckpointError as error:
            if "no checkpoint" not in str(error):
                raise
            raise CheckpointError(
                f"the energies of {engine!r} are on no scale of DFT yet: fit one with `screening "
                f"train energy-scale --engine {engine} --data FILE`"
            ) from None
        return load_checkpoint(PREFIX + engine).build(cls, "energy-scale")

    @property
    def source(self) -> str:
        """Name of the energy source: ``chgnet-0.3.0 on MP2020, scale-chgnet-0.3.0 1``."""
        return f"{self.engine} on {self.scale}, {self.ref.name} {self.ref.version}"

    def formation_energies(
        self, compositions: CompositionArray, energies: ArrayLike
    ) -> ScaledEnergies:
        """Put energies of relaxed crystals on the scale.

        Parameters
        ----------
        compositions
            n compositions.
        energies
            The potential's energies at no pressure (eV/atom), shape ``(n,)``.
        """
        measured = np.asarray(energies, dtype=np.float64)
        if measured.shape != (len(compositions),):
            raise InputError(
                f"{len(compositions)} compositions but energies of shape {measured.shape}"
            )
        values = measured - self.references(compositions)
        size = self.error_size(compositions)
        ends = self.quantiles[composition_classes(compositions)]
        return ScaledEnergies(
            values, values + ends[:, 0] * size, values + ends[:, 1] * size, self.source
        )

    def references(self, compositions: CompositionArray) -> NDArray[np.float64]:
        """Energy of each composition's atoms on the scale's zero (eV/atom), shape ``(n,)``.

        Of an element it is the energy of the elemental reference, so that its formation energy is 0
        whatever compounds say; NaN where nothing is known of an element.
        """
        fractions = element_fractions(compositions)
        elemental = fractions @ np.nan_to_num(self.elements)
        fitted = elemental + term_matrix(compositions) @ self.terms
        pure = compositions.n_elements() == 1
        has_reference = np.isfinite(self.elements) | (self.counts > 0)
        has_reference[0] = True
        unknown = (fractions[:, ~has_reference] > 0).any(axis=1)
        return np.where(unknown, np.nan, np.where(pure, elemental, fitted))

    def error_size(self, compositions: CompositionArray) -> NDArray[np.float64]:
        """Estimate the size of the error (eV/atom), of potential and terms together, ``(n,)``."""
        return error_size(compositions, self.spread, self.covariance)

    def term_errors(self) -> NDArray[np.float64]:
        """Give the standard error of each term (eV/atom of it), shape ``(133,)``."""
        errors: NDArray[np.float64] = np.sqrt(np.diag(self.covariance))
        return errors


def error_size(
    compositions: CompositionArray, spread: NDArray[np.float64], covariance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Combine the size of the potential's error with the uncertainty of the terms.

    Parameters
    ----------
    compositions
        n compositions.
    spread
        Coefficients of the logarithm of the size (eV/atom) on `spread_matrix`.
    covariance
        Of the terms (eV^2/atom^2).
    """
    matrix = term_matrix(compositions)
    terms = np.einsum("ni,ij,nj->n", matrix, covariance, matrix)
    potential = np.exp(spread_matrix(compositions) @ spread)
    size: NDArray[np.float64] = np.sqrt(potential**2 + np.clip(terms, 0.0, None))
    return size


def spread_matrix(compositions: CompositionArray) -> NDArray[np.float64]:
    """Features of the errors' size: a constant, classes, number of elements, atomic fractions."""
    n = len(compositions)
    kinds = np.zeros((n, len(CLASSES)))
    kinds[np.arange(n), composition_classes(compositions)] = 1.0
    many = compositions.n_elements()[:, None] - 3.0
    return np.concatenate(
        [np.ones((n, 1)), kinds, many, element_fractions(compositions)[:, 1:]], axis=1
    )


@cache
def _scale(engine: str, _sha256: str) -> EnergyScale:
    return EnergyScale.load(engine)


def energy_scale(engine: str) -> EnergyScale | None:
    """Return the scale of an energy source, or None where none was fitted; loaded once."""
    try:
        digest = checkpoint_ref(PREFIX + engine).sha256
    except CheckpointError as error:
        if "no checkpoint" in str(error):
            return None
        raise
    return _scale(engine, digest)


def formation_energies(
    engine: str, compositions: CompositionArray | Sequence[str], energies_per_atom: ArrayLike
) -> ScaledEnergies:
    """Put energies of relaxed crystals on the DFT scale, with conformal 90 % intervals.

    Parameters
    ----------
    engine
        Name of the energy source on documents, such as ``chgnet-0.3.0`` (`engine_id`).
    compositions
        n compositions, packed or as formulas.
    energies_per_atom
        Energies of that source, at no pressure (eV/atom), shape ``(n,)``.

    Raises
    ------
    CheckpointError
        If no scale was fitted for the engine.
    InputError
        If the shapes differ or a formula is wrong.

    Examples
    --------
    >>> from screening.energy_scale import formation_energies
    >>> made = formation_energies("chgnet-0.3.0", ["NaCl"], [-3.5])
    >>> made.source
    'chgnet-0.3.0 on MP2020, scale-chgnet-0.3.0 1'
    """
    if not isinstance(compositions, CompositionArray):
        compositions = CompositionArray.from_formulas(compositions)
    scale = energy_scale(engine) or EnergyScale.load(engine)
    return scale.formation_energies(compositions, energies_per_atom)
