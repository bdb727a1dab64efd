"""A judge of the likeliest candidates: energies after a short relaxation, by a better potential.

The ranking knows energies of unrelaxed crystals. The judge relaxes its first ones with a fast
potential and asks a slower one, nearer to DFT, for their energies. Energies alone order crystals
worse than the ranking does, for many known crystals are metastable; boosted trees learn what they
add to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from screening.checkpoints import load_checkpoint
from screening.engines import make_engine
from screening.engines.descent import RelaxOptions
from screening.errors import CheckpointError
from screening.structure.distances import fingerprint
from screening.structure.retrieval import SIMILARITY, diverse_order, squares_between
from screening.structure.single_points import energies_of, settle
from screening.training.trees import Trees, shares_of, unpack_text

if TYPE_CHECKING:
    from screening.engines import Engine
    from screening.schemas import CheckpointRef
    from screening.structure.candidates import Candidates

Floats = NDArray[np.float64]

JUDGE_CLASS = "screening.structure.judge:Judge"
FEATURES = 7
ENERGY_SCALE = 0.03
"""eV/atom; energies count as exp(-E/scale) in one of the features."""
_DECIMALS = 3
"""Of energies (eV/atom) and of other features: paths of a relaxation in single precision differ."""
_LEAST = 1e-12


@dataclass(frozen=True)
class Court:
    """How candidates are judged.

    Attributes
    ----------
    relaxing, judging
        Potential in which they are relaxed, and that which gives the energies.
    steps
        Most steps of the relaxation.
    heard
        How many candidates are judged.
    """

    relaxing: Engine
    judging: Engine
    steps: int
    heard: int


@dataclass(frozen=True)
class Hearing:
    """Some candidates, judged.

    Attributes
    ----------
    chosen
        Their places among all, ``(k,)``.
    features
        Shape ``(k, FEATURES)``; NaN where there is no energy.
    start
        Logarithms of their shares, ``(k,)``.
    """

    chosen: NDArray[np.int64]
    features: Floats
    start: Floats


def hear(candidates: Candidates, shares: Floats, court: Court) -> Hearing:
    """Relax the candidates that come first by their `shares`, and describe what became of them."""
    places = candidates.fingerprints
    known = sum(item.known for item in candidates.proposed)
    chosen = np.array(
        [i for i, _ in diverse_order(shares, places, court.heard, n_first=known)], dtype=np.int64
    )
    cells = [candidates.proposed[i].cell for i in chosen.tolist()]
    relaxed, fast = settle(cells, court.relaxing, RelaxOptions(max_steps=court.steps))
    energies = energies_of(relaxed, court.judging)
    after = np.array([fingerprint(*cell).ravel() for cell in relaxed])
    part = shares[chosen]
    start = np.log(part + _LEAST)
    above, moved = _above(energies), np.sqrt(((after - places[chosen]) ** 2).mean(axis=1))
    alike = np.exp(-squares_between(after) / SIMILARITY**2)
    features = np.column_stack(
        [
            above,
            _above(fast),
            np.round(moved, _DECIMALS),
            np.round(np.log(alike @ part + _LEAST), _DECIMALS),
            _ranks(above),
            np.round(start, _DECIMALS),
            np.exp(-np.nan_to_num(above, nan=9.0) / ENERGY_SCALE + np.round(start, _DECIMALS)),
        ]
    )
    return Hearing(chosen, features, start)


class Judge:
    """Corrects the shares of the likeliest candidates.

    Parameters
    ----------
    arguments
        ``relaxing`` and ``judging``: names of potentials; ``steps``, ``heard``: see `Court`;
        ``ranker``: SHA-256 of the ranking whose shares it corrects.
    tensors
        The trees.
    ref
        The checkpoint.
    """

    def __init__(
        self, arguments: dict[str, Any], tensors: dict[str, NDArray[Any]], ref: CheckpointRef
    ) -> None:
        self.ref = ref
        self.ranker: str = arguments["ranker"]
        self.relaxing: str = arguments["relaxing"]
        self.judging: str = arguments["judging"]
        self._steps: int = arguments["steps"]
        self._heard: int = arguments["heard"]
        if arguments["features"] != FEATURES:
            raise KeyError("features")
        self._trees = Trees(unpack_text(tensors["trees"]))

    @classmethod
    def load(cls, checkpoint: str = "judge", ranker: CheckpointRef | None = None) -> Self:
        """Load a checkpoint by name or path, for the shares of `ranker`.

        Raises
        ------
        CheckpointError
            If it is missing, damaged, of another kind, or was fitted with another ranking.
        """
        judge = load_checkpoint(checkpoint).build(cls, "judge")
        if ranker is not None and judge.ranker != ranker.sha256:
            raise CheckpointError(
                f"the judge {checkpoint!r} was fitted with another ranking than {ranker.name!r}: "
                "fit one with it (screening train judge --set ranker=NAME)"
            )
        return judge

    @cached_property
    def court(self) -> Court:
        """The potentials, made when they are first needed.

        Raises
        ------
        EngineError
            If the package of one of them is not installed.
        """
        return Court(
            make_engine(self.relaxing), make_engine(self.judging), self._steps, self._heard
        )

    def correct(self, candidates: Candidates, shares: Floats) -> Floats:
        """Share of each candidate after the judgement, ``(c,)``; those judged keep their sum."""
        case = hear(candidates, shares, self.court)
        scores = self._trees.correct(case.features, case.start)
        corrected = shares.copy()
        one = np.zeros(len(scores), dtype=np.int64)
        corrected[case.chosen] = shares_of(scores, one) * shares[case.chosen].sum()
        return corrected


def _above(energies: Floats) -> Floats:
    """Energies above the lowest (eV/atom)."""
    known = energies[np.isfinite(energies)]
    lowest = float(known.min()) if len(known) else np.nan
    above: Floats = np.round(energies - lowest, _DECIMALS)
    return above


def _ranks(values: Floats) -> Floats:
    """How many are lower; NaN for NaN."""
    lower = (values[:, None] > values[None]).sum(axis=1).astype(np.float64)
    ranks: Floats = np.where(np.isfinite(values), lower, np.nan)
    return ranks
