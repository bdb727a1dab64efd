"""A map of the crystals of one formula: what was generated, random ones, and known polymorphs.

As figure 4 of Cond-CDVAE (Luo et al. 2024, doi:10.1038/s41524-024-01443-y) for silica. Crystals are
laid out by their unrelaxed geometry, and coloured by the energies of what they relax to.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from screening.crystal.distances import fingerprint
from screening.evaluation.generators.options import KNOWN
from screening.metrics.embedding import plane
from screening.metrics.matching import rms_distance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pymatgen.core import Structure

    from screening.evaluation.generators.measure import Note

Floats = NDArray[np.float64]

EDGES = (0.02, 0.1, 0.3, 1.0)
"""Bounds of the classes of energies (eV/atom above the lowest)."""
TOLERANCE = "strict"
"""Tolerance with which a known polymorph counts as found."""


def features(structure: Structure) -> Floats:
    """Mean distances (Angstrom) to the first eight neighbours of each element, by pair of elements.

    `screening.crystal.distances.fingerprint` with the density put back, flat.
    """
    length = (structure.volume / len(structure)) ** (1 / 3)
    numbers = np.array(structure.atomic_numbers)
    own = fingerprint(structure.lattice.matrix, structure.frac_coords, numbers)
    flat: Floats = length * own.ravel()
    return flat


def describe(known: Sequence[Structure]) -> Note:
    """Note of each structure its features and the polymorphs that it, or its minimum, matches."""

    def note(structure: Structure, relaxed: Structure | None) -> dict[str, Any]:
        return {
            "features": features(structure).round(4).tolist(),
            "polymorphs": _matched(structure, known),
            "polymorphs_relaxed": [] if relaxed is None else _matched(relaxed, known),
        }

    return note


def _matched(structure: Structure, known: Sequence[Structure]) -> list[int]:
    distances = [rms_distance(one, structure, TOLERANCE) for one in known]
    return np.flatnonzero(np.isfinite(distances)).tolist()


def landscape(
    parts: Mapping[str, Mapping[str, Any]], n_known: int, seed: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Lay out all structures in the plane.

    Parameters
    ----------
    parts
        ``rows`` of each method; each row gets its place, ``x`` and ``y``, and loses its features.
    n_known
        Known polymorphs.
    seed
        Seed of the layout.

    Returns
    -------
    Numbers behind two figures, ``methods`` and ``energies``: columns ``x``, ``y``, ``family`` and
    the names of the ``families``; and by method how many ``polymorphs`` were found among the
    generated and the relaxed structures.
    """
    names = [*(name for name in parts if name != KNOWN), KNOWN]
    rows = [(name, row) for name in names for row in parts[name]["rows"]]
    places = plane(np.array([row.pop("features") for _, row in rows]), seed)
    energies = np.array([_energy(row) for _, row in rows])
    lowest = np.nanmin(energies) if np.isfinite(energies).any() else np.nan
    classes = np.digitize(energies - lowest, EDGES)
    classes[~np.isfinite(energies)] = len(EDGES) + 1
    for (_, row), place in zip(rows, places, strict=True):
        row["x"], row["y"] = place.tolist()
    shared = {"x": places[:, 0].tolist(), "y": places[:, 1].tolist()}
    bounds = [f"{edge:g}" for edge in EDGES]
    labels = [
        f"below {bounds[0]} eV/atom",
        *(f"{low} to {high}" for low, high in pairwise(bounds)),
        f"above {bounds[-1]}",
        "not relaxed",
    ]
    numbers = {
        "methods": {
            **shared,
            "family": [names.index(name) for name, _ in rows],
            "families": names,
        },
        "energies": {**shared, "family": classes.tolist(), "families": labels},
    }
    found = {
        name: {
            "known": n_known,
            "structures": len(parts[name]["rows"]),
            "generated": _count(parts[name]["rows"], "polymorphs"),
            "relaxed": _count(parts[name]["rows"], "polymorphs_relaxed"),
        }
        for name in names
        if name != KNOWN
    }
    return numbers, found


def _energy(row: Mapping[str, Any]) -> float:
    energy = row["relaxed"]["energy"]
    return float("nan") if energy is None else float(energy)


def _count(rows: Sequence[Mapping[str, Any]], key: str) -> int:
    return len({place for row in rows for place in row[key]})
