"""The calibrated probability that a composition has a crystal on, or near, the hull.

Boosted trees in three layers, each starting from the log odds of the one before. The first knows
the composition, known compositions like it, and the diagram; the next adds the predicted formation
energy; the last adds relaxed structures and, if there is one, a second potential. Each kind of
evidence has a calibration of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from screening.checkpoints import checkpoint_ref, load_checkpoint
from screening.composition import CompositionArray
from screening.stability.composition import composition_features, surroundings
from screening.stability.evidence import JUDGE_FEATURES, judge_features, structure_features
from screening.stability.neighbours import Neighbours
from screening.stability.probability import apply_beta, logit, shift_prevalence, sigmoid
from screening.training.trees import Trees, unpack_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from screening.schemas import CheckpointRef
    from screening.stability.composition import Location
    from screening.stability.evidence import Distances, StructureEvidence

Floats = NDArray[np.float64]

CHECKPOINT = "stability"
STABILITY_CLASS = "screening.stability.model:StabilityModel"
LEVELS = (0.0, 0.025, 0.1)
"""Distances (eV/atom) whose probabilities are given."""
KINDS = ("composition", "structures", "judge")
"""Kinds of evidence, each with what the ones before it have."""
UNIT = 1e-3
"""Distances of the neighbours are stored in this (eV/atom)."""


@dataclass(frozen=True)
class Background:
    """What is known of n compositions.

    Attributes
    ----------
    compositions
        Reduced.
    locations
        Among the known compounds.
    composition
        Distances by the composition model.
    spread
        Its standard deviations (eV/atom), shape ``(n,)``.
    """

    compositions: CompositionArray
    locations: list[Location]
    composition: Distances
    spread: Floats

    def __getitem__(self, rows: NDArray[np.int64]) -> Background:
        """Take some of the compositions."""
        return Background(
            self.compositions[rows],
            [self.locations[k] for k in rows.tolist()],
            part_of(self.composition, rows),
            self.spread[rows],
        )


@dataclass(frozen=True)
class Findings:
    """What was found for n compositions: searches, distances by the relaxation and the judge."""

    evidences: Sequence[StructureEvidence]
    structure: Distances
    judge: Distances | None = None


class StabilityModel:
    """Probabilities of stability.

    Parameters
    ----------
    arguments
        ``prevalence``: share of the training compositions within each of `LEVELS`.
    tensors
        Trees and calibrations of each kind and level, the neighbours, and the fingerprints of the
        compositions that were used in training.
    ref
        The checkpoint.
    """

    def __init__(
        self, arguments: dict[str, Any], tensors: dict[str, NDArray[Any]], ref: CheckpointRef
    ) -> None:
        self.ref = ref
        self.prevalence: tuple[float, ...] = tuple(arguments["prevalence"])
        self.engine: str = arguments["engine"]
        self.judge: str | None = arguments["judge"]
        self.seen_formulas: NDArray[np.uint32] = tensors["seen_formulas"]
        self.neighbours = Neighbours(
            CompositionArray(tensors["numbers"], tensors["counts"]),
            tensors["distances"].astype(np.float64) * UNIT,
        )
        self._classes = Trees(unpack_text(tensors["trees.classes"]))
        self._trees: dict[tuple[str, int], Trees] = {}
        self._calibrations: dict[str, Floats] = {}
        for kind in KINDS:
            if f"calibration.{kind}" in tensors:
                self._calibrations[kind] = tensors[f"calibration.{kind}"].astype(np.float64)
                for level in range(len(LEVELS)):
                    text = unpack_text(tensors[f"trees.{kind}.{level}"])
                    self._trees[kind, level] = Trees(text)

    @classmethod
    def load(cls, checkpoint: str = CHECKPOINT) -> Self:
        """Load a checkpoint by name or path.

        Raises
        ------
        CheckpointError
            If it is missing, damaged, or of another kind.
        """
        return load_checkpoint(checkpoint).build(cls, "stability")

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of evidence that it was trained with."""
        return tuple(self._calibrations)

    def scores(self, background: Background) -> Floats:
        """Log odds from the composition alone, before calibration, shape ``(n, 3)``."""
        features = composition_features(
            background.compositions, background.locations, self.neighbours
        )
        start = class_scores(self._classes.predict(features))
        inputs = energy_features(background, start, features)
        return self._correct("composition", inputs, start)

    def structure_scores(
        self, kind: str, start: Floats, background: Background, findings: Findings
    ) -> Floats:
        """Log odds with structures, or with the judge too, shape ``(n, 3)``."""
        return self._correct(kind, findings_features(kind, start, background, findings), start)

    def _correct(self, kind: str, features: Floats, start: Floats) -> Floats:
        columns = [
            self._trees[kind, level].correct(features, start[:, level])
            for level in range(len(LEVELS))
        ]
        return np.stack(columns, axis=1)

    def probabilities(self, kind: str, scores: Floats, prevalence: float | None = None) -> Floats:
        """Calibrate log odds of one kind of evidence.

        Parameters
        ----------
        kind
            One of `kinds`.
        scores
            Log odds, shape ``(n, 3)``.
        prevalence
            Share of stable compositions among those that are asked about; None for that of the
            training set. The odds of all levels shift alike.

        Returns
        -------
        Probabilities within each of `LEVELS`, not decreasing, shape ``(n, 3)``.
        """
        columns = [
            sigmoid(apply_beta(scores[:, level], self._calibrations[kind][level]))
            for level in range(len(LEVELS))
        ]
        findings = np.stack(columns, axis=1)
        if prevalence is not None:
            findings = shift_prevalence(findings, self.prevalence[0], prevalence)
        result: Floats = np.maximum.accumulate(findings, axis=1)
        return result


def class_scores(classes: Floats) -> Floats:
    """Turn probabilities of the four classes of distances into log odds of the three levels."""
    return logit(np.cumsum(classes, axis=1)[:, : len(LEVELS)])


def energy_features(background: Background, start: Floats, features: NDArray[np.float32]) -> Floats:
    """Features of the layer that knows the predicted formation energy, shape ``(n, f)``."""
    distance, spread = background.composition, background.spread
    n_neighbours = 7
    return np.column_stack(
        [
            start,
            distance.values,
            distance.lower,
            distance.upper,
            spread,
            distance.values / spread,
            background.compositions.n_elements(),
            surroundings(background.locations, background.compositions),
            features[:, -n_neighbours:],
        ]
    ).astype(np.float64)


def findings_features(
    kind: str, start: Floats, background: Background, findings: Findings
) -> Floats:
    """Features of the layers that know structures, shape ``(n, f)``."""
    distance = background.composition
    columns = [
        start,
        distance.values,
        background.spread,
        structure_features(findings.evidences, findings.structure, distance),
        surroundings(background.locations, background.compositions)[:, [1, 6, 7, 8]],
    ]
    if kind == "judge" and findings.judge is not None:
        columns.append(judge_features(findings.judge, findings.structure, distance))
    return np.column_stack(columns).astype(np.float64)


def falling_with(kind: str, n_features: int) -> list[int]:
    """Say of each feature how the probability may follow it: -1 where it must not rise with it.

    A crystal of higher energy is never likelier to be stable, all else being equal.
    """
    first = len(LEVELS)
    if kind == "composition":
        falling = set(range(first, first + 3)) | {first + 4}
    else:
        falling = {first, *range(first + 2, first + 9)}
        if kind == "judge":
            falling |= set(range(n_features - JUDGE_FEATURES, n_features))
    return [-1 if k in falling else 0 for k in range(n_features)]


def part_of(distances: Distances, rows: NDArray[np.int64]) -> Distances:
    """Take some rows of distances."""
    return replace(
        distances,
        energies=distances.energies[rows],
        values=distances.values[rows],
        lower=distances.lower[rows],
        upper=distances.upper[rows],
    )


@cache
def _model(checkpoint: str, _sha256: str) -> StabilityModel:
    return StabilityModel.load(checkpoint)


def stability_model(checkpoint: str = CHECKPOINT) -> StabilityModel:
    """Return a model, loaded once for each state of its checkpoint."""
    return _model(checkpoint, checkpoint_ref(checkpoint).sha256)
