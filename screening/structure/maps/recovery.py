"""How well crystals come back from their own maps, with cell and space group known."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.metrics.contacts import covalent_contacts, dice
from screening.metrics.intervals import bootstrap_interval
from screening.metrics.matching import rms_distance
from screening.progress import report
from screening.structure.building import cells_of_table
from screening.structure.crystals import Crystal, primitive_cell, standardise, structure_of
from screening.structure.maps.alignment import align
from screening.structure.maps.data import ordered_cell
from screening.structure.maps.fitness import score_all
from screening.structure.maps.reconstruct import MapTarget, Search, make_problem, reconstruct
from screening.structure.maps.targets import kinds_of
from screening.structure.wyckoff_sampling import tables

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

STARTS = 24
SEARCH = Search(occupations=48, size=40, generations=160)
_TIMED = 20_000


def measure_recovery(table: pd.DataFrame, n: int, seed: int) -> dict[str, Any]:
    """Rebuild crystals of at least 3 atoms from their contacts, and from their distances.

    Wyckoff positions are not given: they are drawn as for an unknown crystal.

    Parameters
    ----------
    table
        Structure table.
    n
        Most crystals.
    seed
        Seed of the sample and of the searches.

    Returns
    -------
    For ``contacts`` and ``distances``: ``dice`` of the contacts that were reached, with interval;
    ``match``, the share that StructureMatcher takes for the same crystal (loose), and ``rms``, the
    median distance of those in Angstrom; ``n_special``, crystals without a free coordinate.
    ``evaluations_per_second``: fitness of contacts, one after the other.
    """
    rng = np.random.default_rng(seed)
    table = table[table["n_sites"] >= 3]
    rows = rng.permutation(len(table))[:n]
    found = [standardise(c) for c in cells_of_table(table.iloc[rows])[0] if not isinstance(c, str)]
    crystals = [crystal for crystal in found if isinstance(crystal, Crystal)]
    result: dict[str, Any] = {"n": len(crystals)}
    for name in ("contacts", "distances"):
        start = time.perf_counter()
        scores = []
        for i, crystal in enumerate(crystals):
            scores.append(_recover(crystal, rng, contacts=name == "contacts"))
            report(f"rebuilding from {name}", i + 1, len(crystals))
        reached, rms = np.array(scores).reshape(-1, 2).T
        result[name] = {
            "dice": float(reached.mean()),
            "dice_interval": list(bootstrap_interval(reached, seed=seed)),
            "match": float(np.isfinite(rms).mean()),
            "rms": float(np.nanmedian(rms)) if np.isfinite(rms).any() else float("nan"),
            "seconds_per_crystal": (time.perf_counter() - start) / max(len(crystals), 1),
        }
    result["n_special"] = sum(not _is_free(crystal) for crystal in crystals)
    result["evaluations_per_second"] = _speed(crystals, rng)
    return result


def _is_free(crystal: Crystal) -> bool:
    """Whether an atom may move."""
    return any(crystal.group.positions[i].free.any() for i in crystal.letters.tolist())


def _target(crystal: Crystal, *, contacts: bool) -> MapTarget:
    numbers, distances = ordered_cell(primitive_cell(crystal))
    values = covalent_contacts(distances, numbers).astype(np.float64) if contacts else distances
    return MapTarget(numbers, values, contacts)


def _recover(crystal: Crystal, rng: np.random.Generator, *, contacts: bool) -> tuple[float, float]:
    """Dice coefficient and distance (Angstrom; NaN: no match) of the best crystal."""
    target = _target(crystal, contacts=contacts)
    best = reconstruct(target, crystal.number, rng, search=SEARCH, cell=crystal.cell)
    if not best:
        return 0.0, float("nan")
    true, rebuilt = (_target(c, contacts=True).matrix for c in (crystal, best[0].crystal))
    order = align(true, rebuilt, kinds_of(target.numbers), STARTS)
    reference, found = (structure_of(primitive_cell(c)) for c in (crystal, best[0].crystal))
    length = crystal.volume_per_atom ** (1 / 3)
    return float(dice(true, rebuilt[order][:, order])), length * rms_distance(
        reference, found, "loose"
    )


def _speed(crystals: list[Crystal], rng: np.random.Generator) -> float:
    """Count evaluations of the fitness per second, on the largest crystal."""
    largest = max(crystals, key=lambda crystal: crystal.n_atoms)
    target = _target(largest, contacts=True)
    occupation = list(zip(largest.letters.tolist(), largest.species.tolist(), strict=True))
    problem = make_problem(target, largest.number, occupation, cell=largest.cell)
    genes: NDArray[np.float64] = rng.random((_TIMED, len(problem.gene_orbit)))
    score_all(tables(), problem, genes[:1])
    start = time.process_time()
    score_all(tables(), problem, genes)
    return _TIMED / (time.process_time() - start)
