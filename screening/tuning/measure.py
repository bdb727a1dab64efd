"""A tuned potential beside its origin, on formulas that neither has been fitted to."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.composition import CompositionArray
from screening.energy_scale.terms import term_matrix
from screening.engines.nequix import NequixEngine
from screening.metrics.intervals import bootstrap_interval
from screening.tuning.data import Labelled, TuningData, fit_labels
from screening.tuning.loss import TunedNetwork, network_energies

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.tuning.frames import Frames

SHARES = (0.25, 0.5, 0.75, 1.0)
"""Shares of the change of the weights that are tried."""


def choose_share(
    start: TunedNetwork, trained: TunedNetwork, validation: Frames
) -> tuple[float, TunedNetwork]:
    """Go the part of the way from the start to the trained weights that validates best.

    Weights between both forget less than the trained ones (Wortsman et al. 2022,
    doi:10.1109/CVPR52688.2022.00780).

    Returns
    -------
    The share of the way, and the network there.
    """
    before, after = start.arrays(), trained.arrays()

    def between(share: float) -> TunedNetwork:
        arrays = {name: before[name] + share * (after[name] - before[name]) for name in before}
        return TunedNetwork(start.config, arrays)

    if not len(validation):
        return 1.0, between(1.0)
    networks = [between(share) for share in SHARES]
    errors = [
        np.abs(network_energies(network, validation.crystals) - validation.energies).mean()
        for network in networks
    ]
    best = int(np.argmin(errors))
    return SHARES[best], networks[best]


def measure(
    start: TunedNetwork, tuned: TunedNetwork, data: TuningData, seed: int
) -> dict[str, Any]:
    """Compare a tuned potential with its origin on held-out formulas.

    Returns
    -------
    ``known``: mean absolute error of the formation energies of both (eV/atom), each with terms
    fitted to it, and the gain with its 95 % interval from a paired bootstrap; ``hypothetical``:
    change of formation energies and forces of crystals of which only the origin's are known. A
    negative ``change_bias`` makes new crystals more stable than the origin does.
    """
    terms = {
        "origin": fit_labels(start, data.reference),
        "tuned": fit_labels(tuned, data.reference),
    }
    errors = {
        "origin": _errors(start, terms["origin"], data.known),
        "tuned": _errors(tuned, terms["tuned"], data.known),
    }
    sizes = {name: np.abs(values) for name, values in errors.items()}
    gain = sizes["origin"] - sizes["tuned"]
    return {
        "known": {
            "n": len(gain),
            "origin_mae": sizes["origin"].mean(),
            "origin_median": np.median(sizes["origin"]),
            "mae": sizes["tuned"].mean(),
            "mae_interval": bootstrap_interval(sizes["tuned"], seed=seed),
            "median": np.median(sizes["tuned"]),
            "bias": errors["tuned"].mean(),
            "gain": gain.mean(),
            "gain_interval": bootstrap_interval(gain, seed=seed),
        },
        "hypothetical": _changes(tuned, data.unknown, terms["tuned"] - terms["origin"], seed),
    }


def _errors(
    network: TunedNetwork, terms: NDArray[np.float64], known: Labelled
) -> NDArray[np.float64]:
    """Errors of formation energies (eV/atom) with the terms of the network itself."""
    energies = network_energies(network, known.crystals)
    return np.asarray(energies - known.matrix @ terms - known.truth)


def _changes(
    tuned: TunedNetwork, frames: Frames, terms: NDArray[np.float64], seed: int
) -> dict[str, Any]:
    """Compare formation energies and forces with those of the origin; `terms` changed by these."""
    if not len(frames):
        return {"n": 0}
    results = NequixEngine("tuned", tuned.config, tuned.arrays()).evaluate(frames.crystals)
    counts = [dict(Counter(crystal.numbers.tolist())) for crystal in frames.crystals]
    matrix = term_matrix(CompositionArray.from_counts(counts))
    energies = np.array([result.energy / len(result.forces) for result in results])
    change = energies - frames.energies - matrix @ terms
    turn = [
        np.abs(result.forces - forces).mean()
        for result, forces in zip(results, frames.forces, strict=True)
        if forces is not None
    ]
    return {
        "n": len(change),
        "change_mae": np.abs(change).mean(),
        "change_bias": change.mean(),
        "change_bias_interval": bootstrap_interval(change, seed=seed),
        "force_change_mae": float(np.mean(turn)),
    }
