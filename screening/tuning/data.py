"""Crystals for the tuning and the measurement of a potential, split by formula."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from screening.composition import CompositionArray
from screening.energy_scale.fit import fit_terms
from screening.energy_scale.labelled import read_labelled, row_crystals
from screening.energy_scale.terms import term_matrix, term_names
from screening.errors import InputError
from screening.progress import report
from screening.training.data import held_out
from screening.tuning.frames import Frames, hypothetical, labelled_by
from screening.tuning.loss import TunedNetwork, network_energies

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from screening.engines.base import Crystal
    from screening.engines.nequix import NequixEngine
    from screening.tuning.options import PotentialOptions

Floats = NDArray[np.float64]

STAGE = "potential"
BATCH = 32
TERM_PRIOR = 10.0
"""Standard deviation of a term before there are data (eV/atom): they hold the atoms' energies."""


@dataclass(frozen=True)
class Labelled:
    """Crystals with formation energies, and the terms of their compositions.

    Attributes
    ----------
    crystals
        n crystals.
    formulas
        Their canonical formulas.
    truth
        Formation energies of the database (eV/atom), shape ``(n,)``.
    matrix
        `term_matrix` of the formulas.
    """

    crystals: list[Crystal]
    formulas: list[str]
    truth: Floats
    matrix: Floats

    def __len__(self) -> int:
        return len(self.crystals)

    def frames(self, terms: Floats) -> Frames:
        """Give the crystals the energies that the network should have."""
        energies = self.truth + self.matrix @ terms
        return Frames(self.crystals, energies, [None] * len(self))


@dataclass(frozen=True)
class TuningData:
    """Frames to train on, and what is measured.

    Attributes
    ----------
    train
        Labelled crystals, then hypothetical ones with the start's energies and forces.
    n_labelled
        Number of labelled crystals among these.
    formulas
        Canonical formulas that training or terms have seen.
    terms
        Difference of start and database by `term_matrix` (eV/atom).
    reference
        Crystals of training formulas that terms are fitted to.
    validation, known
        Labelled crystals of held-out formulas: to choose by, and to measure.
    unknown
        Hypothetical crystals of held-out formulas, with the start's energies and forces.
    """

    train: Frames
    n_labelled: int
    formulas: list[str]
    terms: Floats
    reference: Labelled
    validation: Frames
    known: Labelled
    unknown: Frames


def collect(
    path: Path, options: PotentialOptions, origin: NequixEngine, start: TunedNetwork, seed: int
) -> TuningData:
    """Split crystals by formula, fit the terms, and make the hypothetical crystals.

    Parameters
    ----------
    path
        Parquet file of labelled crystals.
    options
        Numbers of crystals.
    origin, start
        The potential that is tuned, as an engine and as a network.
    seed
        Seed of the split and of all draws.

    Raises
    ------
    InputError
        If the file has not enough crystals that the potential can evaluate.
    """
    rng = np.random.default_rng(seed)
    table = read_labelled(path, None, seed)
    formulas = table["formula"].tolist()
    test = held_out(formulas, fraction=options.test_fraction, seed=seed)
    kept = held_out(formulas, fraction=2 * options.test_fraction, seed=seed) & ~test
    fitted = ~test & ~kept
    known = _draw(table[test], options.test, None, origin, rng)
    validation = _draw(table[kept], options.validation, None, origin, rng)
    train = _draw(table[fitted], options.sample, options.largest, origin, rng)
    reference = _draw(table[fitted], options.terms, None, origin, rng)
    if not (len(known) and len(train) and len(reference)):
        raise InputError(
            f"{path} has too few crystals of at most {options.largest} atoms and of elements that "
            f"the potential knows, or too few formulas to hold some out"
        )
    terms = fit_labels(start, reference)
    replay = _replay(origin, train.crystals, options.replay, rng)
    small = [crystal for crystal in known.crystals if len(crystal) <= options.largest]
    return TuningData(
        train=train.frames(terms) + replay,
        n_labelled=len(train),
        formulas=sorted({*train.formulas, *reference.formulas}),
        terms=terms,
        reference=reference,
        validation=validation.frames(terms),
        known=known,
        unknown=_replay(origin, small, min(options.test, 2 * options.replay), rng),
    )


def fit_labels(network: TunedNetwork, labelled: Labelled) -> Floats:
    """Fit the terms that lie between a network and the labels (eV/atom)."""
    difference = network_energies(network, labelled.crystals) - labelled.truth
    return fit_terms(labelled.matrix, difference, prior=TERM_PRIOR)[0]


def _draw(
    table: pd.DataFrame,
    n: int,
    largest: int | None,
    origin: NequixEngine,
    rng: np.random.Generator,
) -> Labelled:
    """Draw crystals that the network can evaluate and that are not too large."""
    if largest is not None:
        table = table[[len(numbers) <= largest for numbers in table["atomic_numbers"]]]
    table = table.iloc[rng.permutation(len(table))[:n]]
    crystals = row_crystals(table)
    good = np.array([origin.can_evaluate(crystal) for crystal in crystals], dtype=bool)
    formulas = table["formula"].to_numpy()[good].tolist()
    return Labelled(
        [crystal for crystal, usable in zip(crystals, good, strict=True) if usable],
        formulas,
        table["formation_energy_per_atom"].to_numpy(dtype=np.float64)[good],
        term_matrix(CompositionArray.from_formulas(formulas))
        if formulas
        else np.zeros((0, len(term_names()))),
    )


def _replay(
    origin: NequixEngine, crystals: Sequence[Crystal], n: int, rng: np.random.Generator
) -> Frames:
    """Hypothetical crystals with the energies and forces of the start."""
    made = hypothetical(crystals, frozenset(origin.config.numbers), n, rng) if crystals else []
    frames = Frames([], np.zeros(0), [])
    for first in range(0, len(made), BATCH):
        frames = frames + labelled_by(origin, made[first : first + BATCH])
        report(f"{STAGE} data", min(first + BATCH, len(made)), len(made))
    return frames
